//! A tenant with one row of every noun that a path or a body can name.

use std::collections::BTreeMap;

use plimsoll_core::id::TenantId;
use plimsoll_protocol::operation::{Operation, OperationId as Op};
use plimsoll_testkit::{PATIENCE, eventually_async};
use serde_json::{Value, json};

use crate::{
    examples::{self, NOBODY},
    hand::Hand,
    world::World,
};

/// One row of every noun, in one tenant.
pub struct Estate {
    pub tenant: TenantId,
    /// By the collection that a path has them in.
    ids: BTreeMap<&'static str, String>,
    /// Kept: an agent that goes away leaves rows.
    _hand: Hand,
}

impl Estate {
    /// Furnishes a tenant made for it.
    pub async fn of_another(world: &World) -> Self {
        let tenant = world.post("/api/v1/tenants", &json!({ "name": "acme" })).await.id();
        Self::of(world, tenant.parse().unwrap()).await
    }

    /// Furnishes a tenant.
    pub async fn of(world: &World, tenant: TenantId) -> Self {
        let mut hand = Hand::with_a_job_in(world, tenant).await;
        hand.succeed().await;
        let task = hand.task().to_owned();
        let rows = [
            ("environments", &hand.environment),
            ("targets", &hand.target),
            ("releases", &hand.release),
            ("promotions", &hand.promotion),
            ("deployment-jobs", &hand.job),
            ("tasks", &task),
            ("agents", &hand.agent().to_string()),
        ];
        let ids = rows.into_iter().map(|(noun, id)| (noun, id.clone())).collect();
        let mut estate = Self { tenant, ids, _hand: hand };
        estate.make(world).await;
        estate.left_by_the_job(world).await;
        estate
    }

    /// What can be made with a call, in an order in which nothing is missing.
    async fn make(&mut self, world: &World) {
        for (noun, create) in [
            ("integrations", Op::IntegrationCreate),
            ("components", Op::ComponentCreate),
            ("freeze-windows", Op::FreezeWindowCreate),
            ("approval-policies", Op::ApprovalPolicyCreate),
            ("users", Op::UserCreate),
            ("clients", Op::ClientCreate),
            ("roles", Op::RoleCreate),
            ("role-bindings", Op::RoleBindingCreate),
            ("registration-tokens", Op::RegistrationTokenCreate),
        ] {
            let mut body = self.name(examples::body(create).unwrap());
            match create {
                Op::IntegrationCreate => body["name"] = json!("second-hub"),
                Op::ClientCreate => body["ownerId"] = json!(self.id("users")),
                _ => {}
            }
            let path = self.path(create.operation());
            let id = world.post_in(self.tenant, &path, &body).await.id();
            self.ids.insert(noun, id);
        }
    }

    /// What a job that succeeded leaves behind.
    async fn left_by_the_job(&mut self, world: &World) {
        let artifacts = format!("deployment-jobs/{}/artifacts", self.id("deployment-jobs"));
        for (noun, list) in [
            ("artifacts", artifacts.as_str()),
            ("evidence-packets", "evidence-packets?filter={\"signed\":true}"),
            ("version-stickers", "version-stickers"),
            ("audit-events", "audit-events"),
        ] {
            let first = eventually_async(noun, PATIENCE, async || {
                plimsoll_testkit::breath().await;
                world.get_in(self.tenant, &format!("/api/v1/{list}")).await.data()[0]["id"].as_str().map(str::to_owned)
            });
            self.ids.insert(noun, first.await.unwrap());
        }
    }

    /// The id of its row in this collection.
    pub fn id(&self, collection: &str) -> &str {
        let id = self.ids.get(collection);
        id.unwrap_or_else(|| panic!("no case for {collection:?}: the tests' estate needs one row of it"))
    }

    /// The operation's path, with an id of its own for each parameter.
    pub fn path(&self, operation: &Operation) -> String {
        operation.parameters().fold(operation.full_path(), |path, name| {
            path.replace(&format!("{{{name}}}"), self.id(collection(operation, name)))
        })
    }

    /// A body with its own rows for each that the example leaves to nobody.
    pub fn name(&self, mut body: Value) -> Value {
        for place in named(&body) {
            name_at(&mut body, &place, self.id(named_by(&place)));
        }
        body
    }
}

/// The collection that a path parameter picks from: the word before it.
pub fn collection(operation: &Operation, parameter: &str) -> &'static str {
    let place = format!("{{{parameter}}}");
    let parts: Vec<&'static str> = operation.path.split('/').collect();
    let at = parts.iter().position(|part| *part == place).unwrap();
    match parts[at - 1] {
        // A release, with another one.
        "compare" => "releases",
        word => word,
    }
}

/// Where an example's body names something: as JSON pointers.
pub fn named(body: &Value) -> Vec<String> {
    match body {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, value)| named(value).into_iter().map(move |place| format!("/{name}{place}")))
            .collect(),
        Value::String(text) if text.contains(NOBODY) => vec![String::new()],
        _ => Vec::new(),
    }
}

/// Names something at a place of an example's body.
pub fn name_at(body: &mut Value, place: &str, id: &str) {
    let field = body.pointer_mut(place).unwrap();
    *field = json!(field.as_str().unwrap().replace(NOBODY, id));
}

/// The collection that a place in a body picks from.
pub fn named_by(place: &str) -> &'static str {
    match place {
        "/registryIntegrationId" => "integrations",
        "/environmentId" | "/targetEnvironmentId" => "environments",
        "/releaseId" => "releases",
        "/ownerId" | "/principal/id" => "users",
        "/roleId" => "roles",
        "/stream" => "deployment-jobs",
        other => panic!("no case for {other}: the tests do not know what it names"),
    }
}
