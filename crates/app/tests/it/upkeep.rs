//! What is written of callers, and for how long what is kept.

use anyhow::Result;
use plimsoll_app::{Caller, tasks::retention::sweep};
use plimsoll_core::{
    Digest,
    audit::{AuditEvent, AuditOutcome, PrincipalType},
    environment::Environment,
    id::{ApprovalPolicyId, ClientId, EnvironmentId, RegistrationTokenId, RoleId, TypedId as _, UserId},
    permission::{Grant, Grants, Permission},
};
use plimsoll_protocol::operation::OperationId as Op;
use plimsoll_store::{
    Row, Scope, SystemReason, Tx,
    idempotency::IdempotencyKey,
    params,
    resource::{ListQuery, Page, Resource as _},
    work,
};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    on_both_databases,
    shop::Shop,
    support::{World, answer, body, code, everything},
};

on_both_databases!(
    a_refusal_before_the_change_is_in_the_trail,
    the_trail_says_on_whose_behalf,
    whoever_is_bound_in_many_environments_may_list,
    what_is_kept_for_a_time_is_forgotten_and_the_rest_is_not,
    what_a_process_holds_is_given_back,
);

fn limited(world: &World, operation: Op, environments: impl Iterator<Item = EnvironmentId>) -> Caller {
    let environments: Vec<EnvironmentId> = environments.collect();
    let mut caller = world.caller(operation);
    let grants = environments
        .iter()
        .flat_map(|one| Permission::ALL.iter().map(|&permission| Grant { permission, environment: Some(*one) }));
    caller.principal.grants = Grants::new(grants);
    caller
}

pub async fn a_refusal_before_the_change_is_in_the_trail(world: World) -> Result<()> {
    let app = &world.app;
    let somewhere = app.context.id::<EnvironmentId>();
    let caller = |operation| limited(&world, operation, [somewhere].into_iter());
    let (policy, role, user, client, token): (ApprovalPolicyId, RoleId, UserId, ClientId, RegistrationTokenId) =
        (app.context.id(), app.context.id(), app.context.id(), app.context.id(), app.context.id());
    let refused = [
        code(app.environment_create(&caller(Op::EnvironmentCreate), body(json!({"name": "dev"}))).await),
        code(
            app.approval_policy_create(&caller(Op::ApprovalPolicyCreate), body(json!({"name": "p", "rules": []})))
                .await,
        ),
        code(app.approval_policy_delete(&caller(Op::ApprovalPolicyDelete), policy).await),
        code(app.role_create(&caller(Op::RoleCreate), body(json!({"name": "r", "permissions": []}))).await),
        code(app.role_delete(&caller(Op::RoleDelete), role).await),
        code(app.user_create(&caller(Op::UserCreate), body(json!({"name": "u"}))).await),
        code(app.user_delete(&caller(Op::UserDelete), user).await),
        code(app.client_delete(&caller(Op::ClientDelete), client).await),
        code(app.registration_token_delete(&caller(Op::RegistrationTokenDelete), token).await),
    ];
    assert_eq!(refused, ["PERMISSION_DENIED"; 9]);
    let trail = world.trail().await?;
    assert_eq!(trail.len(), 9, "one event each");
    assert!(trail.iter().all(|event| event.outcome == AuditOutcome::Refused), "{trail:?}");
    let actions: Vec<&str> = trail.iter().map(|event| event.action.as_str()).collect();
    for action in ["environment_create", "approval_policy_create", "approval_policy_delete", "user_delete"] {
        assert!(actions.contains(&action), "{actions:?}");
    }
    Ok(())
}

pub async fn the_trail_says_on_whose_behalf(world: World) -> Result<()> {
    let hub = |name: &str| {
        body(json!({"name": name, "typeId": "oci_registry", "config": {"url": "http://127.0.0.1:1", "insecure": true}}))
    };
    let person = world.caller(Op::IntegrationCreate);
    world.app.integration_create(&person, hub("by-a-person")).await?;
    let mut client = world.caller(Op::IntegrationCreate);
    let service_user = client.principal.user;
    client.principal.kind = PrincipalType::Client;
    client.principal.id = world.app.context.uuid();
    world.app.integration_create(&client, hub("by-a-client")).await?;
    let trail = world.trail().await?;
    let by: Vec<_> = trail.iter().map(|event| (event.principal_id, event.on_behalf_of)).collect();
    assert!(by.contains(&(person.principal.id, None)), "{by:?}");
    assert!(by.contains(&(client.principal.id, Some(service_user))), "{by:?}");
    // It can be asked for, and it is among the bytes that evidence is made of.
    let filter = json!({ "onBehalfOf": service_user }).to_string();
    let query = ListQuery::new(&AuditEvent::TABLE, &Page { filter: Some(filter), ..Page::default() }, "at")?;
    let asked = world.caller(Op::AuditEventList);
    let found = world.app.store.list::<AuditEvent>(asked.scope(), "test", query).await?.items;
    assert_eq!(found.iter().map(|event| event.principal_id).collect::<Vec<_>>(), [client.principal.id]);
    let id = found[0].id;
    let canonical = move |tx: &mut Tx<'_>| {
        let tenant = tx.tenant()?;
        let sql = "SELECT canonical FROM audit_event WHERE tenant_id = $1 AND id = $2";
        tx.query_one(sql, params![tenant, id]).and_then(Row::first::<Vec<u8>>)
    };
    let canonical = world.app.store.read(Scope::Tenant(world.tenant), "test", canonical).await?;
    assert_eq!(Digest::of(&canonical), found[0].digest);
    assert!(String::from_utf8(canonical)?.contains(&format!("\"onBehalfOf\":\"{}\"", service_user.uuid())));
    Ok(())
}

pub async fn whoever_is_bound_in_many_environments_may_list(world: World) -> Result<()> {
    let mut made = Vec::new();
    for name in ["dev", "prod"] {
        let caller = world.caller(Op::EnvironmentCreate);
        let reply = world.app.environment_create(&caller, body(json!({ "name": name }))).await?;
        made.push(answer::<Environment>(&reply)?);
    }
    let others = (0..200).map(|_| world.app.context.id::<EnvironmentId>());
    let caller = limited(&world, Op::EnvironmentList, others.chain([made[1].id]));
    let page = world.app.environment_list(&caller, everything::<Environment>("name")?).await?;
    assert_eq!(page.items.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["prod"]);
    Ok(())
}

const DAY: i64 = 24 * 3600;

/// How many there are: of answers, of events that have a position, of log chunks, of artifacts; then of what stays.
async fn kept(world: &World) -> Result<([i64; 4], [i64; 3])> {
    let passing = [
        world.count("SELECT count(*) FROM idempotency").await?,
        world.count("SELECT count(*) FROM event e JOIN event_position p ON p.event_id = e.id").await?,
        world.count("SELECT count(*) FROM task_log").await?,
        world.count("SELECT count(*) FROM artifact").await?,
    ];
    let staying = [
        world.count("SELECT count(*) FROM audit_event").await?,
        world.count("SELECT count(*) FROM event_position WHERE topic = 'audit'").await?,
        world.count("SELECT count(*) FROM evidence_packet").await?,
    ];
    Ok((passing, staying))
}

pub async fn what_is_kept_for_a_time_is_forgotten_and_the_rest_is_not(world: World) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "dev"})).await?;
    let (hand, _) = shop.staffed().await?;
    let world = &shop.world;
    let stop = CancellationToken::new();
    let job = shop.start("1.0.0").await?;
    let offer = hand.take(world).await?;
    let line = json!({"at": world.clock.now(), "source": "stdout", "component": "api", "text": "one"});
    let said = json!({"taskId": offer.task_id, "epoch": offer.epoch, "chunk": 1, "lines": [line]});
    hand.say(world, "task.log", said).await?;
    hand.end(world, &offer, "succeeded", json!({})).await?;
    shop.advance().await?;
    assert!(shop.job(job.id).await?.status.is_terminal());
    // One more that does not end: what belongs to it is not old before it is.
    let open = shop.start("2.0.0").await?;
    let offer = hand.take(world).await?;
    let line = json!({"at": world.clock.now(), "source": "stdout", "component": "api", "text": "two"});
    let said = json!({"taskId": offer.task_id, "epoch": offer.epoch, "chunk": 1, "lines": [line]});
    hand.say(world, "task.log", said).await?;
    let mut caller = world.caller(Op::IntegrationCreate);
    caller.idempotency = Some(IdempotencyKey {
        principal: Uuid::nil(),
        method: "POST",
        path: "/".to_owned(),
        key: "k".to_owned(),
        body: Digest::of(b""),
    });
    let hub =
        json!({"name": "other", "typeId": "oci_registry", "config": {"url": "http://127.0.0.1:1", "insecure": true}});
    world.app.integration_create(&caller, body(hub)).await?;
    world.events("component").await?;
    let ([answers, events, logs, artifacts], staying) = kept(world).await?;
    assert!(answers == 1 && events > 5 && logs == 2 && artifacts > 0 && staying.iter().all(|count| *count > 0));
    let highest = "SELECT max(position) FROM event_position";
    let last = world.count(highest).await?;

    for (days, expected) in [
        (0, [1, events, 2, artifacts]),
        (1, [0, events, 2, artifacts]),
        (6, [0, 1, 2, artifacts]),
        (23, [0, 1, 1, artifacts]),
    ] {
        world.clock.forward(days * DAY + 1);
        sweep(&world.app, &stop).await?;
        let (passing, stays) = kept(world).await?;
        // The last position stays whatever has it: the next one is counted from it.
        let events_left = passing[1].max(1);
        assert_eq!([passing[0], events_left, passing[2], passing[3]], expected, "after {days} further days");
        assert_eq!(stays, staying);
        assert_eq!(world.count(highest).await?, last);
    }
    world.clock.forward(60 * DAY);
    sweep(&world.app, &stop).await?;
    let (passing, stays) = kept(world).await?;
    let of_the_open_one = world
        .count("SELECT count(*) FROM artifact a JOIN deployment_job j ON j.id = a.job_id WHERE j.finished_at IS NULL")
        .await?;
    assert_eq!((passing[2], passing[3], stays), (1, of_the_open_one, staying));
    assert!(!shop.job(open.id).await?.status.is_terminal());
    // Positions go on where they were.
    world.registry("http://127.0.0.1:2").await.err();
    let more = world.events("integration").await?;
    assert!(more.iter().all(|event| event.position >= last), "{more:?}");
    Ok(())
}

pub async fn what_a_process_holds_is_given_back(world: World) -> Result<()> {
    let (mine, now) = (world.app.replica.clone(), world.clock.now());
    let system = Scope::System(SystemReason::Claim);
    let take = move |tx: &mut Tx<'_>| work::hold_lease(tx, "sequencer", &mine, now, 10);
    assert!(world.app.store.write(system, "test", take).await?);
    let other = move |tx: &mut Tx<'_>| work::hold_lease(tx, "sequencer", "another", now, 10);
    assert!(!world.app.store.write(system, "test", other).await?);
    world.app.release_leases().await?;
    assert!(world.app.store.write(system, "test", other).await?);
    Ok(())
}
