//! Tests made from the operation table: every id that an operation takes, as another tenant's and as nobody's. The two
//! cannot be told apart, and nothing changes.

use plimsoll_core::permission::Permission;
use plimsoll_protocol::operation::{Method, Operation, OperationId as Op};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::{
    estate::{Estate, collection, name_at, named, named_by},
    examples::{self, NOBODY},
    hand, on_both,
    table::{asked, called},
    world::{Answer, World},
};

on_both! {
    ids_in_paths_of_nobody_and_of_strangers_are_404;
    ids_in_bodies_of_nobody_and_of_strangers_are_refused_alike;
}

/// What names no tenant's row, with the reason.
const OF_NO_TENANT: &[(Op, &str)] = &[(Op::IntegrationTypeGet, "the types are the program's own, the same everywhere")];

/// Waits for an answer of the target's agent, which is not there.
const ASKS_THE_HOST: Op = Op::TargetSticker;

async fn ids_in_paths_of_nobody_and_of_strangers_are_404(world: &World) {
    let (theirs, ours) = (Estate::of_another(world).await, Estate::of(world, world.home).await);
    let before = world.settled().await;
    for operation in called().filter(|one| one.parameters().next().is_some()) {
        let types = OF_NO_TENANT.iter().any(|(id, _)| *id == operation.id);
        for parameter in operation.parameters() {
            let foreign = if types { NOBODY } else { theirs.id(collection(operation, parameter)) };
            let path = |id: &str| path_with(&ours, operation, parameter, id, types);
            let call = async |id: &str| send(world, &ours, operation, &path(id), body(&ours, operation)).await;
            let told = [foreign, NOBODY].map(async |id| blind(call(id).await, id));
            let [foreign, absent] = told;
            let (foreign, absent) = (foreign.await, absent.await);
            assert_eq!(foreign, absent, "{operation:?}: {parameter}");
            assert_eq!(foreign.0, 404, "{operation:?}: {parameter}: {}", foreign.1);
            let malformed = call("not-an-id").await;
            assert_eq!(malformed.status, 404, "{operation:?}: {parameter}: {}", malformed.body);
        }
        assert_eq!(before, world.rows().await, "{operation:?}");
    }
    // With ids of one's own it is there: what was refused was refused for the id.
    for operation in called().filter(|one| one.method == Method::Get && one.parameters().next().is_some()) {
        if OF_NO_TENANT.iter().any(|(id, _)| *id == operation.id) || operation.id == ASKS_THE_HOST {
            continue;
        }
        let answer = send(world, &ours, operation, &ours.path(operation), None).await;
        assert_eq!(answer.status, 200, "{operation:?}: {}", answer.body);
    }
}

async fn ids_in_bodies_of_nobody_and_of_strangers_are_refused_alike(world: &World) {
    let (theirs, ours) = (Estate::of_another(world).await, Estate::of(world, world.home).await);
    let before = world.settled().await;
    for operation in called() {
        let Some(example) = examples::body(operation.id) else { continue };
        for place in named(&example) {
            let path = ours.path(operation);
            let call = async |id: &str| {
                let mut body = ours.name(example.clone());
                *body.pointer_mut(&place).unwrap() = example.pointer(&place).unwrap().clone();
                name_at(&mut body, &place, id);
                send(world, &ours, operation, &path, Some(body)).await
            };
            let foreign = theirs.id(named_by(&place));
            let (foreign, absent) = (blind(call(foreign).await, foreign), blind(call(NOBODY).await, NOBODY));
            assert_eq!(foreign, absent, "{operation:?}: {place}");
            assert!(matches!(foreign.0.as_u16(), 400 | 404), "{operation:?}: {place}: {}", foreign.1);
            assert_eq!(before, world.rows().await, "{operation:?}: {place}");
        }
    }
}

/// The operation's path with this id for one parameter, and ids of one's own for the others.
fn path_with(ours: &Estate, operation: &Operation, parameter: &str, id: &str, types: bool) -> String {
    let path = operation.full_path().replace(&format!("{{{parameter}}}"), id);
    if types {
        return path;
    }
    operation
        .parameters()
        .filter(|name| *name != parameter)
        .fold(path, |path, name| path.replace(&format!("{{{name}}}"), ours.id(collection(operation, name))))
}

fn body(ours: &Estate, operation: &Operation) -> Option<Value> {
    examples::body(operation.id).map(|body| ours.name(body))
}

/// Sends it as somebody of our tenant who may: an agent what is an agent's, else a user.
async fn send(world: &World, ours: &Estate, operation: &Operation, path: &str, body: Option<Value>) -> Answer {
    let token = if operation.permission == Permission::AgentSession {
        hand::token_in(world, ours.tenant, ours.id("agents").parse().unwrap(), 600)
    } else {
        world.anybody(ours.tenant)
    };
    let mut request = asked(&world.client, world, operation, path).bearer_auth(token);
    if let Some(body) = body {
        request = request.json(&body);
    }
    World::read(request).await
}

/// An answer without what tells one call from another: the id that was asked for, the request's own id and the time.
fn blind(answer: Answer, id: &str) -> (StatusCode, Value) {
    let mut body = answer.body;
    for own in ["requestId", "timestamp"] {
        assert!(body["meta"][own].is_string(), "{body}");
        body["meta"][own] = json!("X");
    }
    (answer.status, serde_json::from_str(&body.to_string().replace(id, "X")).unwrap())
}
