//! A binding that is limited to an environment reaches nothing of another: made from the operation table, with a
//! case for every operation whose permission can be limited.

use plimsoll_core::{
    id::{EnvironmentId, TypedId as _, UserId},
    identity::{Role, Standing, grants_of},
    permission::{Grant, Grants, Permission},
};
use plimsoll_protocol::operation::{self, Operation, OperationId as Op};
use plimsoll_store::{Scope, resource, rollback::RollbackRow};
use plimsoll_testkit::{PATIENCE, eventually_async};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    examples,
    hand::Hand,
    on_both,
    peer::Peer,
    world::{Answer, World},
};

on_both! {
    a_grant_for_one_environment_opens_nothing_of_another;
    a_release_tells_where_it_is_only_where_one_may_look;
}

/// What an operation does for somebody who holds its permission in one environment alone.
enum Case {
    /// It is about something of the environment: 403 with the grant of another. With the right one it is let in;
    /// what the state of things says to it then is another question.
    About(String, Option<Value>),
    /// It lists: empty with the grant of another, and not with the right one.
    Lists(String),
    /// It is about the whole tenant: 403 with any limited grant.
    Tenant(String, Option<Value>),
    /// It shows what all environments share.
    Shared(String),
    /// A stream, refused before its upgrade.
    Stream(String),
}

/// One of everything, all in `here`.
struct Scene {
    here: EnvironmentId,
    there: EnvironmentId,
    environment: String,
    window: String,
    target: String,
    /// Without an agent, so that nobody has to be waited for.
    idle: String,
    release: String,
    promotion: String,
    policy: String,
    job: String,
    task: String,
    artifact: String,
    packet: String,
    sticker: String,
}

async fn some(world: &World, path: &str) -> Value {
    let found = eventually_async(path, PATIENCE, async || {
        let answer = world.get(path).await;
        answer.data()[0]["id"].as_str().map(|_| answer.data()[0].clone()).ok_or_else(|| answer.body.to_string())
    });
    found.await.unwrap()
}

fn id(of: &Value) -> String {
    of["id"].as_str().unwrap().to_owned()
}

impl Scene {
    async fn set(world: &World) -> Self {
        let mut hand = Hand::with_a_job(world).await;
        hand.log("one").await;
        hand.succeed().await;
        let (job, task) = (hand.job.clone(), hand.task().to_owned());
        let path = format!("/api/v1/deployment-jobs/{job}");
        let done = eventually_async("the job ends", PATIENCE, async || {
            let job = world.get(&path).await;
            (job.data()["status"] == "succeeded").then(|| job.data().clone()).ok_or_else(|| job.body.to_string())
        });
        let done = done.await.unwrap();
        let promotion = format!("/api/v1/promotions/{}", done["promotionId"].as_str().unwrap());
        let deployed = eventually_async("the promotion ends", PATIENCE, async || {
            let promotion = world.get(&promotion).await;
            (promotion.data()["status"] == "deployed").then_some(()).ok_or_else(|| promotion.body.to_string())
        });
        deployed.await.unwrap();
        let environment = done["environmentId"].as_str().unwrap().to_owned();
        let there = world.post("/api/v1/environments", &json!({"name": "elsewhere"})).await.id();
        rolled_back(world, &done).await;
        let idle = json!({"environmentId": environment, "name": "idle", "type": "docker_host", "maintenance": true});
        let windows = format!("/api/v1/environments/{environment}/freeze-windows");
        let window = examples::body(Op::FreezeWindowCreate).unwrap();
        let mut policy = examples::body(Op::ApprovalPolicyCreate).unwrap();
        policy["reason"] = json!("it matters");
        Self {
            here: environment.parse().unwrap(),
            there: there.parse().unwrap(),
            window: world.post(&windows, &window).await.id(),
            target: id(&some(world, "/api/v1/targets").await),
            idle: world.post("/api/v1/targets", &idle).await.id(),
            release: done["releaseId"].as_str().unwrap().to_owned(),
            promotion: done["promotionId"].as_str().unwrap().to_owned(),
            policy: world.post("/api/v1/approval-policies", &policy).await.id(),
            artifact: id(&some(world, &format!("{path}/artifacts")).await),
            packet: id(&some(world, "/api/v1/evidence-packets?filter={\"signed\":true}").await),
            sticker: id(&some(world, "/api/v1/version-stickers").await),
            environment,
            job,
            task,
        }
    }

    /// A body of the operation about what is here.
    fn body(&self, op: Op) -> Option<Value> {
        let mut body = examples::body(op)?;
        for (name, value) in [
            ("environmentId", &self.environment),
            ("targetEnvironmentId", &self.environment),
            ("releaseId", &self.release),
        ] {
            if body.get(name).is_some() {
                body[name] = json!(value);
            }
        }
        Some(body)
    }

    fn about(&self, op: Op, id: &str) -> Case {
        let path = op.operation().full_path().replace("{id}", id);
        let path = path.replace("{envId}", &self.environment).replace("{windowId}", &self.window);
        let path = path.replace("{taskId}", &self.task).replace("{artifactId}", &self.artifact);
        Case::About(path, self.body(op))
    }

    fn case(&self, op: Op) -> Option<Case> {
        let path = || op.operation().full_path();
        Some(match op {
            Op::EnvironmentList
            | Op::TargetList
            | Op::PromotionList
            | Op::DeploymentJobList
            | Op::EvidencePacketList
            | Op::VersionStickerList
            | Op::RollbackList => Case::Lists(path()),
            Op::EvidenceKeyList => Case::Shared(path()),
            Op::EnvironmentCreate | Op::ApprovalPolicyCreate => Case::Tenant(path(), self.body(op)),
            Op::ApprovalPolicyUpdate | Op::ApprovalPolicyDelete => {
                Case::Tenant(path().replace("{id}", &self.policy), self.body(op))
            }
            Op::EnvironmentGet
            | Op::EnvironmentUpdate
            | Op::EnvironmentDelete
            | Op::FreezeWindowCreate
            | Op::FreezeWindowList
            | Op::FreezeWindowDelete => self.about(op, &self.environment),
            Op::TargetCreate | Op::PromotionCreate | Op::PromotionPreviewGates | Op::RollbackCreate => {
                self.about(op, "")
            }
            Op::TargetGet => self.about(op, &self.target),
            Op::TargetSticker | Op::TargetUpdate | Op::TargetHealthCheck | Op::TargetDelete => {
                self.about(op, &self.idle)
            }
            Op::PromotionGet
            | Op::PromotionDecision
            | Op::PromotionApprovals
            | Op::PromotionEvidence
            | Op::PromotionApprove
            | Op::PromotionReject
            | Op::PromotionResume
            | Op::PromotionCancel => self.about(op, &self.promotion),
            Op::DeploymentJobGet
            | Op::DeploymentJobTasks
            | Op::DeploymentJobTask
            | Op::DeploymentJobTaskLogs
            | Op::DeploymentJobArtifacts
            | Op::DeploymentJobArtifact
            | Op::DeploymentJobCancel => self.about(op, &self.job),
            Op::EvidencePacketGet | Op::EvidencePacketDownload => self.about(op, &self.packet),
            Op::VersionStickerGet => self.about(op, &self.sticker),
            Op::DeploymentJobStream => Case::Stream(format!("/api/v1/deployment-jobs/{}/stream", self.job)),
            _ => return None,
        })
    }
}

/// A rollback as a row: what it would do is no question here.
async fn rolled_back(world: &World, job: &Value) {
    let row: RollbackRow = serde_json::from_value(json!({ "revision": 1, "rollback": {
        "id": world.context.uuid(), "environmentId": job["environmentId"], "application": "shop",
        "fromReleaseId": job["releaseId"], "toReleaseId": job["releaseId"], "reason": "it loses orders",
        "requestedBy": job["requestedBy"], "requestedAt": job["createdAt"], "status": "succeeded"
    }}))
    .unwrap();
    let insert = move |tx: &mut plimsoll_store::Tx<'_>| resource::insert(tx, &row);
    world.app().store.write(Scope::Tenant(world.home), "test", insert).await.unwrap();
}

/// Whether a binding can limit the permission to an environment.
fn is_limited(permission: Permission) -> bool {
    let role: Role = serde_json::from_value(json!({
        "id": examples::NOBODY, "name": "one", "permissions": [permission], "builtIn": false, "revision": 1,
        "createdAt": "2030-01-01T00:00:00Z", "updatedAt": "2030-01-01T00:00:00Z"
    }))
    .unwrap();
    let place = EnvironmentId::from_uuid(examples::NOBODY.parse().unwrap());
    grants_of(&role, Some(place), Standing::Home).iter().any(|one| one.environment.is_some())
}

fn token(world: &World, permissions: &[Permission], place: EnvironmentId) -> String {
    let granted = permissions.iter().map(|&permission| Grant { permission, environment: Some(place) });
    world.token(world.home, world.context.id::<UserId>(), Grants::new(granted))
}

async fn call(world: &World, operation: &Operation, path: &str, body: Option<&Value>, token: &str) -> Answer {
    world.call(operation.method.as_str(), path, Some(token), body).await
}

async fn a_grant_for_one_environment_opens_nothing_of_another(world: &World) {
    let scene = Scene::set(world).await;
    let limited: Vec<&Operation> = operation::built().filter(|one| is_limited(one.permission)).collect();
    assert!(limited.len() > 30, "{}", limited.len());
    let before = world.rows().await;
    for operation in &limited {
        let case = scene.case(operation.id).unwrap_or_else(|| panic!("{} has no case here", operation.id.as_str()));
        refuses(world, operation, case, scene.there).await;
    }
    assert_eq!(before, world.rows().await);
    // What removes things comes last.
    let (last, first): (Vec<&Operation>, Vec<&Operation>) =
        limited.into_iter().partition(|one| one.id.as_str().ends_with("_delete"));
    for operation in first.into_iter().chain(last) {
        lets_in(world, operation, scene.case(operation.id).unwrap(), scene.here).await;
    }
}

async fn refuses(world: &World, operation: &Operation, case: Case, there: EnvironmentId) {
    let token = &token(world, &[operation.permission], there);
    let name = operation.id.as_str();
    match case {
        Case::About(path, body) | Case::Tenant(path, body) => {
            let answer = call(world, operation, &path, body.as_ref(), token).await;
            assert_eq!((answer.status.as_u16(), answer.code()), (403, "PERMISSION_DENIED"), "{name}: {}", answer.body);
        }
        Case::Lists(path) => {
            let answer = call(world, operation, &path, None, token).await;
            let seen: Vec<&Value> = answer.data().as_array().unwrap().iter().collect();
            // The environment that the grant is for is in its own list.
            assert!(seen.iter().all(|one| one["name"] == "elsewhere"), "{name}: {}", answer.body);
            assert_eq!(answer.body["meta"]["pagination"]["totalItems"], seen.len(), "{name}");
        }
        Case::Shared(path) => drop(call(world, operation, &path, None, token).await.data()),
        Case::Stream(path) => {
            assert_eq!(Peer::open(world, &path, Some(token)).await.err(), Some(StatusCode::FORBIDDEN), "{name}");
            ticket(world, operation.permission, &path, there).await.expect(403, "PERMISSION_DENIED");
        }
    }
}

async fn lets_in(world: &World, operation: &Operation, case: Case, here: EnvironmentId) {
    let token = &token(world, &[operation.permission], here);
    let name = operation.id.as_str();
    match case {
        Case::About(path, body) => {
            let answer = call(world, operation, &path, body.as_ref(), token).await;
            // In use, ended, decided: it was let in to be told so.
            let told = answer.status.is_success() || [409, 422].contains(&answer.status.as_u16());
            assert!(told && answer.code() != "PERMISSION_DENIED", "{name}: {}", answer.body);
        }
        Case::Tenant(path, body) => {
            call(world, operation, &path, body.as_ref(), token).await.expect(403, "PERMISSION_DENIED");
        }
        Case::Lists(path) => {
            let answer = call(world, operation, &path, None, token).await;
            assert!(!answer.data().as_array().unwrap().is_empty(), "{name}");
        }
        Case::Shared(path) => drop(call(world, operation, &path, None, token).await.data()),
        Case::Stream(path) => {
            assert!(Peer::open(world, &path, Some(token)).await.is_ok(), "{name}");
            assert_eq!(ticket(world, operation.permission, &path, here).await.status, StatusCode::OK, "{name}");
        }
    }
}

/// Asks for a ticket for a stream, holding its permission in one environment.
async fn ticket(world: &World, permission: Permission, stream: &str, place: EnvironmentId) -> Answer {
    let token = token(world, &[permission, Permission::SelfRead], place);
    world.call("POST", "/api/v1/stream-tickets", Some(&token), Some(&json!({ "stream": stream }))).await
}

async fn a_release_tells_where_it_is_only_where_one_may_look(world: &World) {
    let scene = Scene::set(world).await;
    let path = format!("/api/v1/releases/{}/state", scene.release);
    let granted = |place| {
        Grants::new([
            Grant { permission: Permission::ReleaseRead, environment: None },
            Grant { permission: Permission::EnvironmentRead, environment: Some(place) },
        ])
    };
    for (place, expected) in [(scene.here, &scene.environment), (scene.there, &scene.there.uuid().to_string())] {
        let token = world.token(world.home, world.context.id(), granted(place));
        let state = world.call("GET", &path, Some(&token), None).await;
        let told: Vec<&Value> =
            state.data()["environments"].as_array().unwrap().iter().map(|one| &one["environmentId"]).collect();
        assert_eq!(told, [expected]);
    }
}
