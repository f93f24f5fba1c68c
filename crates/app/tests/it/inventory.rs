//! Environments, freeze windows, targets and agents.

use anyhow::Result;
use plimsoll_app::Caller;
use plimsoll_core::{
    audit::PrincipalType,
    environment::{Environment, FreezeWindow, When},
    id::{AgentId, RegistrationTokenId, RoleId, TypedId, UserId},
    identity::{RegistrationToken, Role, RoleBinding, User},
    inventory::{Agent, AgentStatus, HealthReport, Target, TargetStatus},
    permission::{Grant, Grants, Permission},
};
use plimsoll_evidence::SigningKey;
use plimsoll_protocol::{agent::enrol::Registered, operation::OperationId as Op};
use plimsoll_store::{
    Scope, SystemReason, Tx,
    freeze_window::LISTED,
    identity::{agent as identities, installation},
    resource::{self, ListQuery, Page},
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use crate::{
    on_both_databases,
    support::{World, answer, body, code, everything, fields, replace, text},
};

const CANARY: &str = "canary-in-an-environment";

on_both_databases!(
    the_promotion_graph_stays_sound,
    rules_change_only_by_who_may_and_with_a_reason,
    a_secret_of_an_environment_is_sealed_and_chosen_by_labels,
    an_environment_is_seen_by_who_may_see_it,
    an_environment_in_use_stays,
    a_freeze_window_that_matters_is_guarded,
    windows_are_told_apart_by_when_they_are,
    who_is_exempt_from_a_freeze_exists,
    a_silent_target_is_shown_as_it_was_last_seen,
    targets_are_checked_by_type_and_by_what_they_name,
    one_registration_token_makes_one_agent,
    an_agent_that_falls_silent_is_marked_and_comes_back,
    a_removed_agent_is_worth_nothing,
);

async fn environment(world: &World, json: Value) -> plimsoll_core::Result<Environment> {
    let reply = world.app.environment_create(&world.caller(Op::EnvironmentCreate), body(json)).await?;
    Ok(answer(&reply).expect("an environment"))
}

async fn update(world: &World, caller: &Caller, of: &Environment, json: Value) -> plimsoll_core::Result<Environment> {
    let reply = world.app.environment_update(caller, of.id, replace(json)).await?;
    Ok(answer(&reply).expect("an environment"))
}

fn limited(mut caller: Caller, grants: &[Grant]) -> Caller {
    caller.principal.grants = Grants::new(grants.iter().copied());
    caller
}

fn everywhere(permission: Permission) -> Grant {
    Grant { permission, environment: None }
}

async fn the_promotion_graph_stays_sound(world: World) -> Result<()> {
    let dev = environment(&world, json!({"name": "dev"})).await?;
    let prod = environment(&world, json!({"name": "prod", "promotesFrom": {"environmentIds": [dev.id]}})).await?;
    let admin = world.caller(Op::EnvironmentUpdate);
    let cycle = json!({"name": "dev", "promotesFrom": {"environmentIds": [prod.id]}, "reason": "a ring"});
    assert_eq!(code(update(&world, &admin, &dev, cycle).await), "PROMOTION_PATH_CYCLE");
    assert_eq!(code(environment(&world, json!({"name": "dev"})).await), "ALREADY_EXISTS");
    let nowhere = json!({"name": "qa", "promotesFrom": {"environmentIds": [world.app.context.uuid()]}});
    assert_eq!(fields(environment(&world, nowhere).await), ["promotesFrom"]);
    let delete = world.caller(Op::EnvironmentDelete);
    assert_eq!(code(world.app.environment_delete(&delete, dev.id).await), "IN_USE");
    world.app.environment_delete(&delete, prod.id).await?;
    world.app.environment_delete(&delete, dev.id).await?;
    Ok(())
}

async fn rules_change_only_by_who_may_and_with_a_reason(world: World) -> Result<()> {
    let prod = environment(&world, json!({"name": "prod", "soakSeconds": 600})).await?;
    let operator = limited(world.caller(Op::EnvironmentUpdate), &[everywhere(Permission::EnvironmentWrite)]);
    let refused = update(&world, &operator, &prod, json!({"name": "prod"})).await.expect_err("a loosened rule");
    assert_eq!(refused.code().as_str(), "PERMISSION_DENIED");
    assert!(refused.message().contains("soakSeconds") && refused.message().contains("governance:change"));
    let renamed = update(&world, &operator, &prod, json!({"name": "live", "soakSeconds": 600})).await?;
    assert_eq!((renamed.name.as_str(), renamed.revision), ("live", 2));
    let admin = world.caller(Op::EnvironmentUpdate);
    assert_eq!(fields(update(&world, &admin, &prod, json!({"name": "live"})).await), ["reason"]);
    let loosened = update(&world, &admin, &prod, json!({"name": "live", "reason": "a hotfix"})).await?;
    assert_eq!(loosened.soak_seconds, 0);
    let trail = text(&world.trail().await?);
    assert!(trail.contains("governance_change") && trail.contains("a hotfix"), "{trail}");
    Ok(())
}

async fn a_secret_of_an_environment_is_sealed_and_chosen_by_labels(world: World) -> Result<()> {
    let secrets = json!([
        {"name": "DSN", "value": CANARY},
        {"name": "DSN", "targetLabels": {"zone": "a"}, "value": "for zone a"},
    ]);
    let made = environment(&world, json!({"name": "prod", "secretRefs": secrets})).await?;
    let near = target(&world, &made, json!({"name": "near", "labels": {"zone": "a"}})).await?;
    let far = target(&world, &made, json!({"name": "far"})).await?;
    let value = |target| world.app.environment_secret_value(world.tenant, made.id, target, "DSN");
    assert_eq!(value(near.id).await?.expose_secret(), "for zone a");
    assert_eq!(value(far.id).await?.expose_secret(), CANARY);
    let admin = world.caller(Op::EnvironmentUpdate);
    let kept = update(&world, &admin, &made, json!({"name": "prod"})).await?;
    assert_eq!(kept.secret_refs, made.secret_refs, "left out, they stay");
    let one = json!({"name": "prod", "secretRefs": [{"name": "DSN"}]});
    let fewer = update(&world, &admin, &made, one).await?;
    assert_eq!(fewer.secret_refs.len(), 1);
    assert_eq!(value(near.id).await?.expose_secret(), CANARY);
    assert_eq!(world.count("SELECT count(*) FROM environment_secret").await?, 1);
    for seen in [text(&fewer), text(&world.trail().await?), format!("{:?}", world.events("environment").await?)] {
        assert!(seen.contains("DSN") && !seen.contains(CANARY), "{seen}");
    }
    Ok(())
}

async fn an_environment_is_seen_by_who_may_see_it(world: World) -> Result<()> {
    let (dev, prod) =
        (environment(&world, json!({"name": "dev"})).await?, environment(&world, json!({"name": "prod"})).await?);
    let grant = Grant { permission: Permission::EnvironmentRead, environment: Some(dev.id) };
    let reader = |operation| limited(world.caller(operation), &[grant]);
    let seen = world.app.environment_list(&reader(Op::EnvironmentList), everything::<Environment>("name")?).await?;
    assert_eq!(seen.items.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["dev"]);
    assert_eq!(code(world.app.environment_get(&reader(Op::EnvironmentGet), prod.id).await), "PERMISSION_DENIED");
    let stranger = world.caller_of(world.app.context.id(), Op::EnvironmentGet);
    assert_eq!(code(world.app.environment_get(&stranger, prod.id).await), "NOT_FOUND");
    Ok(())
}

async fn target(world: &World, of: &Environment, more: Value) -> plimsoll_core::Result<Target> {
    let mut whole = json!({"environmentId": of.id, "name": "web", "type": "docker_host"});
    whole.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    let reply = world.app.target_create(&world.caller(Op::TargetCreate), body(whole)).await?;
    Ok(answer(&reply).expect("a target"))
}

async fn an_environment_in_use_stays(world: World) -> Result<()> {
    let prod = environment(&world, json!({"name": "prod"})).await?;
    let web = target(&world, &prod, json!({})).await?;
    let delete = world.caller(Op::EnvironmentDelete);
    let refused = world.app.environment_delete(&delete, prod.id).await.expect_err("it has a target");
    assert_eq!(refused.public_details().expect("details")["references"][0]["name"], "web");
    world.app.target_delete(&world.caller(Op::TargetDelete), web.id).await?;
    world.app.environment_delete(&delete, prod.id).await?;
    assert_eq!(fields(target(&world, &prod, json!({})).await), ["environmentId"]);
    Ok(())
}

async fn a_freeze_window_that_matters_is_guarded(world: World) -> Result<()> {
    let prod = environment(&world, json!({"name": "prod"})).await?;
    let now = world.clock.now();
    let make = async |name: &str, from: i64| -> Result<FreezeWindow> {
        let json = json!({
            "name": name, "reason": "a sale",
            "startsAt": now.plus_seconds(from), "endsAt": now.plus_seconds(from + 3600),
        });
        let caller = world.caller(Op::FreezeWindowCreate);
        answer(&world.app.freeze_window_create(&caller, prod.id, body(json)).await?)
    };
    let (active, later) = (make("now", -60).await?, make("later", 7 * 86_400).await?);
    assert!(active.active && !later.active && later.next_occurrences.len() == 1);
    let listed = world
        .app
        .freeze_window_list(&world.caller(Op::FreezeWindowList), prod.id, everything::<FreezeWindow>("startsAt")?)
        .await?;
    assert_eq!(listed.items.iter().map(|one| one.active).collect::<Vec<_>>(), [true, false]);
    let operator = limited(world.caller(Op::FreezeWindowDelete), &[everywhere(Permission::FreezeWrite)]);
    let reason = || Some("the sale is off".to_owned());
    let app = &world.app;
    assert_eq!(code(app.freeze_window_delete(&operator, prod.id, active.id, reason()).await), "PERMISSION_DENIED");
    app.freeze_window_delete(&operator, prod.id, later.id, None).await?;
    let admin = world.caller(Op::FreezeWindowDelete);
    assert_eq!(fields(app.freeze_window_delete(&admin, prod.id, active.id, None).await), ["reason"]);
    app.freeze_window_delete(&admin, prod.id, active.id, reason()).await?;
    assert!(text(&world.trail().await?).contains("the sale is off"));
    Ok(())
}

async fn freeze(world: &World, of: &Environment, more: Value) -> plimsoll_core::Result<FreezeWindow> {
    let mut whole = json!({"name": "nights", "reason": "backup"});
    whole.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    let caller = world.caller(Op::FreezeWindowCreate);
    let reply = world.app.freeze_window_create(&caller, of.id, body(whole)).await?;
    Ok(answer(&reply).expect("a window"))
}

async fn windows_are_told_apart_by_when_they_are(world: World) -> Result<()> {
    let prod = environment(&world, json!({"name": "prod"})).await?;
    let now = world.clock.now();
    let once = |name: &str, from: i64, to: i64| json!({"name": name, "startsAt": now.plus_seconds(from), "endsAt": now.plus_seconds(to)});
    let daily = |name: &str, from: i64, more: &str| {
        let rule = format!("FREQ=DAILY{more}");
        json!({"name": name, "startsAt": now.plus_seconds(from), "recurrence": rule, "durationMinutes": 60})
    };
    // A daily window of longer ago than its days could be counted one by one.
    let ages = 40 * 365 * 86_400;
    for json in [
        once("over", -7200, -3600),
        once("now", -60, 3600),
        once("later", 3600, 7200),
        daily("again now", -ages - 60, ""),
        daily("again later", -ages - 7200, ""),
        daily("again no more", -10 * 86_400 - 60, ";COUNT=5"),
        once("removed", 3600, 7200),
    ] {
        let name = json["name"].as_str().unwrap_or_default().to_owned();
        let made = freeze(&world, &prod, json).await?;
        assert_eq!(made.next_occurrences.is_empty(), ["over", "now", "again no more"].contains(&&*name), "{made:?}");
        if name == "removed" {
            let caller = world.caller(Op::FreezeWindowDelete);
            world.app.freeze_window_delete(&caller, prod.id, made.id, Some("off".to_owned())).await?;
        }
    }
    let elsewhere = environment(&world, json!({"name": "dev"})).await?;
    freeze(&world, &elsewhere, once("elsewhere", -60, 3600)).await?;
    for (filter, deleted, expected) in [
        (json!({"when": "past"}), false, vec!["again no more", "over"]),
        (json!({"when": "active"}), false, vec!["again now", "now"]),
        (json!({"when": "coming"}), false, vec!["again later", "later"]),
        (json!({"active": true}), false, vec!["again now", "now"]),
        (json!({"active": false, "recurring": true}), false, vec!["again later", "again no more"]),
        (
            json!({"when": {"$in": ["past", "coming"]}, "name": {"$startsWith": "again"}}),
            false,
            vec!["again later", "again no more"],
        ),
        (json!({"$or": [{"when": "active"}, {"name": "over"}]}), false, vec!["again now", "now", "over"]),
        (json!({"$not": {"when": {"$ne": "coming"}}}), false, vec!["again later", "later"]),
        (json!({"when": "past"}), true, vec!["removed"]),
        (json!({"when": "coming"}), true, vec![]),
    ] {
        let page = Page { filter: Some(filter.to_string()), deleted, ..Page::default() };
        let query = ListQuery::new(&LISTED, &page, "name")?;
        let caller = world.caller(Op::FreezeWindowList);
        let found = world.app.freeze_window_list(&caller, prod.id, query).await?;
        let names: Vec<&str> = found.items.iter().map(|one| one.name.as_str()).collect();
        assert_eq!((names, found.total.count()), (expected.clone(), expected.len() as u64), "{filter}");
        let right = |one: &FreezeWindow| (one.when == When::Active) == one.active;
        assert!(found.items.iter().all(right), "{filter}");
    }
    let wrong = Page { filter: Some(r#"{"when":"soon"}"#.to_owned()), ..Page::default() };
    assert!(ListQuery::new(&LISTED, &wrong, "name").is_err());
    Ok(())
}

async fn who_is_exempt_from_a_freeze_exists(world: World) -> Result<()> {
    let prod = environment(&world, json!({"name": "prod"})).await?;
    let now = world.clock.now();
    let (role, user) = (world.app.context.id::<RoleId>(), world.app.context.id::<UserId>());
    let known: (Role, User) = (
        serde_json::from_value(json!({
            "id": role, "name": "firefighter", "permissions": ["promotion:approve"], "builtIn": false, "revision": 1,
            "createdAt": now, "updatedAt": now
        }))?,
        serde_json::from_value(json!({
            "id": user, "name": "eve", "active": true, "mustChangePassword": false, "revision": 1, "createdAt": now,
            "updatedAt": now
        }))?,
    );
    let insert = move |tx: &mut Tx<'_>| {
        resource::insert(tx, &known.0)?;
        resource::insert(tx, &known.1)
    };
    world.app.store.write(Scope::Tenant(world.tenant), "test", insert).await?;
    let window =
        |exemptions: Value| json!({"startsAt": now, "endsAt": now.plus_seconds(3600), "exemptions": exemptions});
    let nobody = world.app.context.id::<UserId>();
    let unknown = json!({"roles": ["firefighter", "sre-ghosts"], "users": [nobody, user]});
    let refused = freeze(&world, &prod, window(unknown)).await;
    assert_eq!(fields(refused), ["exemptions.roles[1]", "exemptions.users[0]"]);
    assert_eq!(world.count("SELECT count(*) FROM freeze_window").await?, 0);
    let made = freeze(&world, &prod, window(json!({"roles": ["firefighter"], "users": [user]}))).await?;
    assert_eq!(made.exemptions.users, [user]);
    Ok(())
}

async fn a_silent_target_is_shown_as_it_was_last_seen(world: World) -> Result<()> {
    let shop = crate::shop::Shop::open(world, json!({"name": "dev"})).await?;
    let (hand, target) = shop.staffed().await?;
    hand.see(&shop.world, target, &[("api", crate::shop::digest_of("1.0.0"))]).await?;
    shop.world.clock.forward(3600);
    // Nobody serves it any more, so nobody answers.
    let first = shop.targets().await?.remove(0);
    shop.assign(&first, json!({})).await?;
    let asked = shop.world.app.target_health_check(&shop.world.caller(Op::TargetHealthCheck), target).await?;
    let report: HealthReport = answer(&asked)?;
    assert_eq!((report.status, report.age_seconds), (TargetStatus::Unreachable, 3600));
    assert_eq!(report.checked_at, shop.world.clock.now());
    assert_eq!(report.containers.iter().map(|one| one.component.as_str()).collect::<Vec<_>>(), ["api"]);
    assert!(report.resources.is_some());
    Ok(())
}

async fn targets_are_checked_by_type_and_by_what_they_name(world: World) -> Result<()> {
    let prod = environment(&world, json!({"name": "prod"})).await?;
    assert_eq!(code(target(&world, &prod, json!({"type": "process_host"})).await), "RULE_VIOLATED");
    assert_eq!(fields(target(&world, &prod, json!({"connection": {"uid": 1}})).await), ["connection.uid"]);
    assert_eq!(fields(target(&world, &prod, json!({"agentId": world.app.context.uuid()})).await), ["agentId"]);
    let web = target(&world, &prod, json!({"connection": {"socket": "/run/engine.sock"}})).await?;
    assert_eq!(code(target(&world, &prod, json!({})).await), "ALREADY_EXISTS");
    let caller = world.caller(Op::TargetUpdate);
    let moved = json!({"environmentId": world.app.context.uuid(), "name": "web", "type": "docker_host"});
    assert_eq!(fields(world.app.target_update(&caller, web.id, replace(moved)).await), ["environmentId"]);
    let mut sent =
        replace(json!({"environmentId": prod.id, "name": "web", "type": "docker_host", "maintenance": true}));
    // What was observed between GET and PUT does not stand in the way.
    sent.read_only.insert("status".to_owned(), "healthy".into());
    let changed: Target = answer(&world.app.target_update(&caller, web.id, sent).await?)?;
    assert!(changed.maintenance && changed.status == TargetStatus::Unknown);
    let asked = world.app.target_health_check(&world.caller(Op::TargetHealthCheck), web.id).await?;
    assert_eq!(answer::<HealthReport>(&asked)?.status, TargetStatus::Unreachable, "nobody serves it");
    let seen = world.app.target_get(&world.caller(Op::TargetGet), web.id).await?;
    assert_eq!((seen.status, seen.revision), (TargetStatus::Unreachable, changed.revision));
    Ok(())
}

async fn install(world: &World) -> Result<()> {
    let made = installation::Installation {
        default_tenant: world.tenant,
        first_administrator: world.app.context.id(),
        issuer: "https://plimsoll.example".to_owned(),
        root_key_check: String::new(),
        created_at: world.clock.now(),
    };
    let scope = Scope::System(SystemReason::Administration);
    world.app.store.write(scope, "test", move |tx| installation::begin(tx, &made)).await?;
    Ok(())
}

async fn token(world: &World) -> Result<Caller> {
    let id: RegistrationTokenId = world.app.context.id();
    let (maker, role, binding) = (world.app.context.uuid(), world.app.context.uuid(), world.app.context.uuid());
    let now = world.clock.now();
    let token: RegistrationToken = serde_json::from_value(json!({
        "id": id, "labels": {"zone": "a"}, "expiresAt": now.plus_seconds(600), "createdBy": maker, "createdAt": now,
    }))?;
    // Whoever made it may still enrol agents when it is used.
    let maker: User = serde_json::from_value(json!({
        "id": maker, "name": format!("maker-{id}"), "active": true, "mustChangePassword": false, "revision": 1,
        "createdAt": now, "updatedAt": now
    }))?;
    let role: Role = serde_json::from_value(json!({
        "id": role, "name": format!("enrols-{id}"), "permissions": ["agent:write"], "builtIn": false, "revision": 1,
        "createdAt": now, "updatedAt": now
    }))?;
    let binding: RoleBinding = serde_json::from_value(json!({
        "id": binding, "roleId": role.id, "role": role.name, "principal": { "type": "user", "id": maker.id },
        "createdBy": maker.id, "createdAt": now, "revision": 1
    }))?;
    let insert = move |tx: &mut plimsoll_store::Tx<'_>| {
        resource::insert(tx, &maker)?;
        resource::insert(tx, &role)?;
        resource::insert(tx, &binding)?;
        resource::insert(tx, &token)
    };
    world.app.store.write(Scope::Tenant(world.tenant), "test", insert).await?;
    let mut caller = limited(world.caller(Op::AgentRegister), &[everywhere(Permission::AgentRegister)]);
    (caller.principal.kind, caller.principal.id) = (PrincipalType::Client, id.uuid());
    Ok(caller)
}

fn request(key: &SigningKey) -> Value {
    json!({
        "hostname": "host-1", "version": "0.1.0", "protocolVersion": 1, "os": "linux", "arch": "amd64",
        "publicKeyPem": key.public_key().to_pem(),
    })
}

async fn enrol(world: &World) -> Result<Registered> {
    let caller = token(world).await?;
    answer(&world.app.agent_register(&caller, body(request(&SigningKey::generate()?))).await?)
}

fn agent_call(world: &World, id: AgentId) -> Caller {
    let mut caller = limited(world.caller(Op::AgentHeartbeat), &[everywhere(Permission::AgentSession)]);
    (caller.principal.kind, caller.principal.id) = (PrincipalType::Agent, id.uuid());
    caller
}

async fn one_registration_token_makes_one_agent(world: World) -> Result<()> {
    install(&world).await?;
    let (caller, key) = (token(&world).await?, SigningKey::generate()?);
    let first = world.app.agent_register(&caller, body(request(&key))).await?;
    assert_eq!(first.answer.status, 201);
    let again = world.app.agent_register(&caller, body(request(&key))).await?;
    assert_eq!((again.answer.status, &again.answer.answer), (200, &first.answer.answer));
    let copy = world.app.agent_register(&caller, body(request(&SigningKey::generate()?))).await;
    assert_eq!(code(copy), "TOKEN_ALREADY_USED");
    let (one, other) = (answer::<Registered>(&first)?, enrol(&world).await?);
    assert_eq!((one.name.as_str(), other.name.as_str()), ("host-1", "host-1-2"));
    assert_eq!(one.server_keys.len(), 1);
    let seen = world.app.agent_get(&world.caller(Op::AgentGet), one.agent_id).await?;
    assert_eq!((seen.labels["zone"].as_str(), seen.status), ("a", AgentStatus::Offline));
    assert_eq!(seen.public_key_fingerprint, key.public_key().key_id());
    Ok(())
}

fn beat() -> Value {
    json!({"status": "online", "version": "0.1.1", "protocolVersion": 1, "resources": {"cpus": 4}})
}

async fn an_agent_that_falls_silent_is_marked_and_comes_back(world: World) -> Result<()> {
    install(&world).await?;
    let id = enrol(&world).await?.agent_id;
    let status = async || world.app.agent_get(&world.caller(Op::AgentGet), id).await.map(|one| one.status);
    let hear = async || world.app.agent_heartbeat(&agent_call(&world, id), id, body(beat())).await;
    let other = agent_call(&world, world.app.context.id());
    assert_eq!(code(world.app.agent_heartbeat(&other, id, body(beat())).await), "NOT_FOUND");
    hear().await?;
    assert_eq!(status().await?, AgentStatus::Online);
    world.clock.forward(10);
    hear().await?;
    let kept = world.app.agent_get(&world.caller(Op::AgentGet), id).await?;
    assert_eq!(world.clock.now().seconds_since(kept.last_heartbeat_at.expect("a beat")), 10, "kept in memory");
    world.app.agents_step().await?;
    let written = world.app.agent_get(&world.caller(Op::AgentGet), id).await?;
    assert_eq!(written.last_heartbeat_at, Some(world.clock.now()));
    assert_eq!((written.version.as_str(), written.revision), ("0.1.1", 1));
    for (seconds, expected) in [(29, AgentStatus::Online), (1, AgentStatus::Degraded), (30, AgentStatus::Offline)] {
        world.clock.forward(seconds);
        world.app.agents_step().await?;
        assert_eq!(status().await?, expected);
    }
    hear().await?;
    assert_eq!(status().await?, AgentStatus::Online);
    let changes: Vec<String> = world
        .events("agent")
        .await?
        .into_iter()
        .filter(|one| one.kind == "agent.status_changed")
        .map(|one| one.kind)
        .collect();
    assert_eq!(changes.len(), 4);
    let off = replace(json!({"name": "host-1", "enabled": false}));
    world.app.agent_update(&world.caller(Op::AgentUpdate), id, off).await?;
    hear().await?;
    assert_eq!(status().await?, AgentStatus::Disabled);
    Ok(())
}

async fn a_removed_agent_is_worth_nothing(world: World) -> Result<()> {
    install(&world).await?;
    let (caller, key) = (token(&world).await?, SigningKey::generate()?);
    let id = answer::<Registered>(&world.app.agent_register(&caller, body(request(&key))).await?)?.agent_id;
    let prod = environment(&world, json!({"name": "prod"})).await?;
    let web = target(&world, &prod, json!({"agentId": id})).await?;
    world.app.agent_delete(&world.caller(Op::AgentDelete), id).await?;
    assert_eq!(code(world.app.agent_register(&caller, body(request(&key))).await), "TOKEN_ALREADY_USED");
    assert_eq!(code(world.app.agent_heartbeat(&agent_call(&world, id), id, body(beat())).await), "NOT_FOUND");
    let identity = world
        .app
        .store
        .read(Scope::Tenant(world.tenant), "test", move |tx| identities::find(tx, id))
        .await?
        .expect("history keeps it");
    assert!(identity.revoked_at.is_some());
    let left = world.app.target_get(&world.caller(Op::TargetGet), web.id).await?;
    assert_eq!((left.agent_id, left.status), (None, TargetStatus::Unreachable));
    let listed = world.app.agent_list(&world.caller(Op::AgentList), everything::<Agent>("name")?).await?;
    assert!(listed.items.is_empty());
    Ok(())
}
