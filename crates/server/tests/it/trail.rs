//! Made from the operation table: every mutation that succeeds leaves exactly one line of the audit trail, in its own
//! transaction. Where the line cannot be written nothing is done.

mod calls;
mod stage;

use plimsoll_protocol::operation::{Effect, Method, Operation, OperationId as Op};
use plimsoll_store::{Scope, SystemReason, Tx, params};
use serde_json::{Value, json};

use crate::{
    on_both,
    table::{asked, called},
    world::{Answer, World},
};
use stage::{About, Case, Stage};

on_both! {
    every_mutation_that_succeeds_leaves_one_line;
}

async fn every_mutation_that_succeeds_leaves_one_line(world: &World) {
    lose_trails(world).await;
    let mut stage = Stage::set(world).await;
    for operation in called().filter(|one| one.effect == Effect::Mutation) {
        let case = stage.case(operation.id).await;
        let id = operation.id.as_str();
        let (before, revision) = (rows(world, operation).await, revision(world, operation, &case).await);

        let lost = send(world, operation, &case, &format!("no-trail-{id}"), &revision).await;
        assert_eq!((lost.status.as_u16(), lost.code()), (500, "INTERNAL"), "{id}: {}", lost.body);
        assert_eq!(before, rows(world, operation).await, "{id} was done without its line");

        let done = send(world, operation, &case, &format!("trail-{id}"), &revision).await;
        assert!(done.status.is_success(), "{id}: {}", done.body);
        line_is_right(world, operation, &case, &done).await;
    }
}

/// From here on the trail of every call whose request id begins with `no-trail-` cannot be written.
async fn lose_trails(world: &World) {
    if let Some(database) = &world.database {
        let sql = "CREATE FUNCTION no_trail() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF NEW.request_id LIKE 'no-trail-%' THEN RAISE EXCEPTION 'the trail is lost'; END IF; RETURN NEW; END $$;
           CREATE TRIGGER no_trail BEFORE INSERT ON audit_event FOR EACH ROW EXECUTE FUNCTION no_trail()";
        database.sql(sql).unwrap();
        return;
    }
    let sql = "CREATE TRIGGER no_trail BEFORE INSERT ON audit_event WHEN NEW.request_id LIKE 'no-trail-%'
        BEGIN SELECT RAISE(ABORT, 'the trail is lost'); END";
    let lose = move |tx: &mut Tx<'_>| tx.execute(sql, params![]).map(drop);
    world.app().store.write(Scope::System(SystemReason::Sweep), "test_lose_trails", lose).await.unwrap();
}

/// How many rows there are of what the operation is about.
async fn rows(world: &World, operation: &Operation) -> i64 {
    let table = match operation.id {
        Op::FreezeWindowCreate => "freeze_window",
        Op::RollbackCreate => "rollback",
        Op::UserCreate | Op::UserUpdate | Op::UserDelete => "app_user",
        _ => operation.subject().noun,
    };
    world.rows().await.into_iter().find(|(name, _)| name == table).unwrap_or_else(|| panic!("no table {table}")).1
}

/// The revision of what is to be changed: the change goes through only if the attempt before it changed nothing.
async fn revision(world: &World, operation: &Operation, case: &Case) -> String {
    if !matches!(operation.method, Method::Put | Method::Delete) {
        return String::new();
    }
    world.get_in(world.home, &case.path).await.header("etag").to_owned()
}

async fn send(world: &World, operation: &Operation, case: &Case, request: &str, revision: &str) -> Answer {
    let mut asked =
        asked(&world.client, world, operation, &case.path).bearer_auth(&case.token).header("X-Request-Id", request);
    if !revision.is_empty() {
        asked = asked.header("If-Match", revision);
    }
    if let Some(body) = &case.body {
        asked = asked.json(body);
    }
    World::read(asked).await
}

/// One line says what was done, to what, by whom and in which call; and it can be read.
async fn line_is_right(world: &World, operation: &Operation, case: &Case, done: &Answer) {
    let id = operation.id.as_str();
    let trail = world.audit().await;
    let lines: Vec<&Value> =
        trail.iter().filter(|line| line["requestId"] == format!("trail-{id}") && line["action"] == id).collect();
    let [line] = lines[..] else { panic!("{id} left {} lines: {lines:?}", lines.len()) };
    let resource = match &case.about {
        About::Known(id) => json!(id),
        About::Made(place) => done.data().pointer(place).unwrap_or_else(|| panic!("{id}: {}", done.body)).clone(),
    };
    let noun = if operation.id == Op::FreezeWindowCreate { "freeze_window" } else { operation.subject().noun };
    let told = json!({
        "outcome": line["outcome"], "resourceType": line["resourceType"], "resourceId": line["resourceId"],
        "principalType": line["principalType"], "principalId": line["principalId"]
    });
    let wanted = json!({
        "outcome": "succeeded", "resourceType": noun, "resourceId": resource,
        "principalType": case.kind, "principalId": case.caller
    });
    assert_eq!(told, wanted, "{id}");
    assert!(line.get("errorCode").is_none(), "{id}: {line}");
    assert!(!trail.iter().any(|line| line["requestId"] == format!("no-trail-{id}")), "{id}");
    let read = world.get_in(world.home, &format!("/api/v1/audit-events/{}", line["id"].as_str().unwrap())).await;
    assert_eq!(read.data(), line, "{id}");
}
