//! `If-Match` over the operation table: whatever changes a resource that has a revision looks at it.

use plimsoll_protocol::operation::{self, Effect, Method, Operation, OperationId as Op};
use serde_json::json;

use crate::{
    examples,
    hand::Hand,
    on_both,
    world::{World, all},
};

on_both! {
    every_change_looks_at_the_revision;
}

/// These ask something outside, or tell; they change no field that somebody could have seen another value of.
const NO_STATE: &[Op] =
    &[Op::IntegrationTest, Op::IntegrationDiscover, Op::TargetHealthCheck, Op::ComponentSyncVersions];

fn guarded() -> impl Iterator<Item = &'static Operation> {
    operation::built().filter(|row| {
        row.effect == Effect::Mutation
            && row.parameters().next().is_some()
            && row.id != Op::FreezeWindowCreate
            && !NO_STATE.contains(&row.id)
            && matches!(row.method, Method::Put | Method::Delete | Method::Post)
    })
}

/// One resource of each noun, each read at its own path.
struct Places {
    hand: Hand,
    paths: Vec<(&'static str, String)>,
}

impl Places {
    async fn new(world: &World) -> Self {
        let hand = Hand::with_a_job(world).await;
        let mut paths = vec![("deployment-jobs", format!("/api/v1/deployment-jobs/{}", hand.job))];
        for tag in ["integrations", "environments", "targets", "agents", "releases", "promotions"] {
            let first = world.get(&format!("/api/v1/{tag}")).await.data()[0]["id"].as_str().unwrap().to_owned();
            paths.push((tag, format!("/api/v1/{tag}/{first}")));
        }
        for (tag, create) in [
            ("approval-policies", Op::ApprovalPolicyCreate),
            ("users", Op::UserCreate),
            ("clients", Op::ClientCreate),
            ("roles", Op::RoleCreate),
            ("registration-tokens", Op::RegistrationTokenCreate),
        ] {
            let mut body = examples::body(create).unwrap();
            if let Some((_, owner)) = paths.iter().find(|(known, _)| *known == "users" && tag == "clients") {
                body["ownerId"] = json!(owner.rsplit('/').next());
            }
            let made = world.post(&create.operation().full_path(), &body).await;
            paths.push((tag, format!("/api/v1/{tag}/{}", made.id())));
        }
        let component = world.post("/api/v1/components", &examples::component(world, "guarded").await).await.id();
        paths.push(("components", format!("/api/v1/components/{component}")));
        let mut places = Self { hand, paths };
        let user = places.id("users");
        let role = places.id("roles");
        let bound = json!({ "roleId": role, "principal": { "type": "user", "id": user } });
        let binding = world.post("/api/v1/role-bindings", &bound).await.id();
        places.paths.push(("role-bindings", format!("/api/v1/role-bindings/{binding}")));
        places
    }

    fn path(&self, tag: &str) -> &str {
        let found = self.paths.iter().find(|(known, _)| *known == tag);
        &found.unwrap_or_else(|| panic!("a new noun, {tag}: make one of it here")).1
    }

    fn id(&self, tag: &str) -> String {
        self.path(tag).rsplit('/').next().unwrap().to_owned()
    }
}

async fn every_change_looks_at_the_revision(world: &World) {
    let places = Places::new(world).await;
    let environment = places.id("environments");
    let windows = format!("/api/v1/environments/{environment}/freeze-windows");
    let window = world.post(&windows, &examples::body(Op::FreezeWindowCreate).unwrap()).await;
    let mut seen = 0;
    for row in guarded() {
        // Somebody new each time: nobody asks more than they may at once.
        let caller = world.token(world.home, world.context.id(), all());
        let (path, current) = if row.id == Op::FreezeWindowDelete {
            (format!("{windows}/{}", window.id()), window.data().clone())
        } else {
            let place = places.path(row.tag());
            let current = world.call("GET", place, Some(&caller), None).await.data().clone();
            (row.full_path().replace(&format!("/api/v1/{}/{{id}}", row.tag()), place), current)
        };
        let body = match row.method {
            Method::Put => Some(current.clone()),
            _ => examples::body(row.id),
        };
        let method = row.method.as_str();
        let mut request = world.request(method, &path, Some(&caller)).header("If-Match", "\"999999\"");
        if let Some(body) = &body {
            request = request.json(body);
        }
        let answer = World::read(request).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (409, "VERSION_MISMATCH"),
            "{}: {}",
            row.id.as_str(),
            answer.body
        );
        let told = &answer.body["error"]["details"]["revision"];
        let revision = if current["revision"].is_null() { json!(1) } else { current["revision"].clone() };
        // The job goes on by itself; its revision may be a later one.
        let moves = matches!(row.tag(), "deployment-jobs" | "promotions" | "targets");
        assert!(*told == revision || (moves && told.is_i64()), "{}: {told}", row.id.as_str());
        seen += 1;
    }
    assert!(seen >= 30, "{seen}");
    drop(places.hand);
}
