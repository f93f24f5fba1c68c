//! Gates over real rows: path, soak, schedule, expiry, queue, override. And the packets of changed rules.

use anyhow::{Context as _, Result};
use plimsoll_core::{
    environment::{Environment, FreezeWindow, GateType},
    evidence_packet::{EvidencePacket, EvidenceType},
    id::{EnvironmentId, TypedId as _},
    permission::{Grant, Grants, Permission},
    promotion::{ApprovalPolicy, GateVerdict, Promotion, PromotionStatus as Status},
};
use plimsoll_protocol::operation::OperationId as Op;
use plimsoll_store::evidence_packet::PacketRow;
use serde_json::{Value, json};

use crate::{
    evidence::fits,
    fake_registry::FakeRegistry,
    hand::Hand,
    on_both_databases,
    shop::Shop,
    support::{World, answer, body, code, everything, fields, replace},
};

on_both_databases!(
    the_path_leads_through_the_environment_before,
    a_release_soaks_before_it_goes_on,
    a_time_that_was_set_is_waited_for_and_one_that_has_passed_ends_it,
    an_old_approval_no_longer_counts_and_can_be_given_anew,
    an_exclusive_environment_takes_one_application_at_a_time,
    an_override_needs_two_people_who_had_no_part_in_it,
    changed_rules_leave_packets,
    what_an_environment_names_must_exist,
);

async fn environment(shop: &Shop, json: Value) -> Result<Environment> {
    let made = shop.world.app.environment_create(&shop.world.caller(Op::EnvironmentCreate), body(json)).await?;
    answer(&made)
}

/// A second environment after the shop's own, with a target that the same agent serves.
pub async fn after(shop: &Shop, hand: &Hand, more: Value) -> Result<Environment> {
    let mut json = json!({"name": "prod", "promotesFrom": {"environmentIds": [shop.environment.id]}});
    json.as_object_mut().context("an object")?.extend(more.as_object().context("an object")?.clone());
    let made = environment(shop, json).await?;
    shop.target("prod-1", json!({"environmentId": made.id, "agentId": hand.id})).await?;
    Ok(made)
}

pub fn verdict(of: &Promotion, gate: GateType) -> Option<GateVerdict> {
    of.decision.as_ref()?.gates.iter().find(|one| one.gate == gate).map(|one| one.verdict)
}

pub async fn packets(shop: &Shop, kind: EvidenceType) -> Result<Vec<EvidencePacket>> {
    let caller = shop.world.caller(Op::EvidencePacketList);
    let all = shop.world.app.evidence_packet_list(&caller, everything::<PacketRow>("createdAt")?).await?.items;
    all.iter().for_each(fits);
    Ok(all.into_iter().filter(|one| one.kind == kind).collect())
}

/// Brings what was asked for in an environment that may start it.
pub async fn carry_out(shop: &Shop, hand: &Hand) -> Result<()> {
    shop.world.clock.forward(1);
    shop.advance().await?;
    let offer = hand.take(&shop.world).await?;
    hand.end(&shop.world, &offer, "succeeded", json!({})).await?;
    shop.advance().await
}

pub async fn the_path_leads_through_the_environment_before(world: World) -> Result<()> {
    let world = world.with_registries(FakeRegistry::new(["1.0.0", "2.0.0"].map(str::to_owned)));
    let shop = Shop::open(world, json!({"name": "dev"})).await?;
    let (hand, _) = shop.staffed().await?;
    let prod = after(&shop, &hand, json!({})).await?;
    shop.bring(&hand, "1.0.0").await?;
    let (asker, second) = (shop.world.caller(Op::PromotionCreate), shop.release("2.0.0").await?);
    let to_prod = shop.ask(&asker, &second, json!({"targetEnvironmentId": prod.id})).await?;
    assert_eq!(to_prod.status, Status::Blocked);
    assert_ne!(verdict(&to_prod, GateType::PromotionPath), Some(GateVerdict::Pass));
    shop.ask(&asker, &second, json!({})).await?;
    shop.work().await?;
    carry_out(&shop, &hand).await?;
    // Put back there: it is as if it had never been.
    let back = json!({"environmentId": shop.environment.id, "application": "shop", "reason": "it loses orders"});
    shop.world.app.rollback_create(&shop.world.caller(Op::RollbackCreate), body(back)).await?;
    carry_out(&shop, &hand).await?;
    shop.work().await?;
    assert_eq!(shop.get(&to_prod).await?.status, Status::Blocked);
    let again = shop.ask(&asker, &second, json!({})).await?;
    shop.work().await?;
    carry_out(&shop, &hand).await?;
    assert_eq!(shop.get(&again).await?.status, Status::Deployed);
    shop.work().await?;
    let now = shop.get(&to_prod).await?;
    assert_eq!((now.status, verdict(&now, GateType::PromotionPath)), (Status::Deploying, Some(GateVerdict::Pass)));
    Ok(())
}

pub async fn a_release_soaks_before_it_goes_on(world: World) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "dev"})).await?;
    let (hand, _) = shop.staffed().await?;
    let prod = after(&shop, &hand, json!({"soakSeconds": 3600})).await?;
    let asker = shop.world.caller(Op::PromotionCreate);
    let first = shop.release("1.0.0").await?;
    shop.ask(&asker, &first, json!({})).await?;
    shop.work().await?;
    carry_out(&shop, &hand).await?;
    let asked = shop.ask(&asker, &first, json!({"targetEnvironmentId": prod.id})).await?;
    assert_eq!((asked.status, verdict(&asked, GateType::PromotionPath)), (Status::Blocked, Some(GateVerdict::Pass)));
    let until = asked.decision.as_ref().and_then(|one| one.retry_at).context("when it has soaked")?;
    assert_eq!(until.seconds_since(shop.world.clock.now()), 3600);
    // Another release in between begins it anew.
    shop.world.clock.forward(3000);
    shop.bring(&hand, "2.0.0").await?;
    shop.world.clock.forward(1000);
    shop.work().await?;
    let interrupted = shop.get(&asked).await?;
    assert_eq!(interrupted.status, Status::Blocked);
    assert_ne!(verdict(&interrupted, GateType::SoakTime), Some(GateVerdict::Pass));
    shop.ask(&asker, &first, json!({"redeploy": true})).await?;
    shop.work().await?;
    carry_out(&shop, &hand).await?;
    shop.world.clock.forward(3590);
    shop.work().await?;
    assert_eq!(shop.get(&asked).await?.status, Status::Blocked);
    shop.work().await?;
    assert_eq!(shop.get(&asked).await?.status, Status::Deploying);
    Ok(())
}

pub async fn a_time_that_was_set_is_waited_for_and_one_that_has_passed_ends_it(world: World) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "dev"})).await?;
    let (asker, now) = (shop.world.caller(Op::PromotionCreate), shop.world.clock.now());
    let first = shop.release("1.0.0").await?;
    let asked = shop.ask(&asker, &first, json!({"scheduledFor": now.plus_seconds(600)})).await?;
    assert_eq!(asked.status, Status::Scheduled);
    shop.work().await?;
    assert_eq!(shop.get(&asked).await?.status, Status::Scheduled);
    // One that must wait past its end is over, with its decision sealed.
    let window = json!({
        "name": "night", "reason": "sleep", "startsAt": now.plus_seconds(-60), "endsAt": now.plus_seconds(500)
    });
    let freeze = shop.world.caller(Op::FreezeWindowCreate);
    shop.world.app.freeze_window_create(&freeze, shop.environment.id, body(window)).await?;
    let past = shop.ask(&asker, &shop.release("2.0.0").await?, json!({"expiresAt": now.plus_seconds(-1)})).await;
    assert_eq!(fields(past), ["expiresAt"]);
    let third = shop.release("3.0.0").await?;
    let brief = shop.ask(&asker, &third, json!({"expiresAt": now.plus_seconds(300)})).await?;
    assert_eq!(brief.status, Status::Blocked);
    shop.world.clock.forward(300);
    shop.work().await?;
    let ended = shop.get(&brief).await?;
    assert_eq!((ended.status, ended.evidence_packet_ids.len()), (Status::Expired, 1));
    // Its place is free.
    shop.ask(&asker, &third, json!({})).await?;
    shop.world.clock.forward(290);
    shop.work().await?;
    assert_eq!(shop.get(&asked).await?.status, Status::Deploying);
    Ok(())
}

pub async fn an_old_approval_no_longer_counts_and_can_be_given_anew(world: World) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "prod"})).await?;
    let caller = shop.world.caller(Op::ApprovalPolicyCreate);
    let policy = json!({
        "name": "two", "environmentIds": [shop.environment.id], "expiresAfterSeconds": 600, "reason": "it matters",
        "rules": [{ "name": "leads", "minApprovals": 2, "approvers": { "roles": ["approver"] } }]
    });
    let _: ApprovalPolicy = answer(&shop.world.app.approval_policy_create(&caller, body(policy)).await?)?;
    let (asker, ada, grace) =
        (shop.approver("asker").await?, shop.approver("ada").await?, shop.approver("grace").await?);
    let asked = shop.ask(&asker, &shop.release("1.0.0").await?, json!({})).await?;
    let hash = asked.subject_hash;
    shop.approve(&ada, &asked, hash).await?;
    shop.world.clock.forward(601);
    assert_eq!(shop.approve(&grace, &asked, hash).await?.status, Status::AwaitingApproval);
    let given = shop.world.app.promotion_approvals(&shop.now(&asker, Op::PromotionApprovals), asked.id).await?;
    assert_eq!(given.iter().map(|one| one.valid).collect::<Vec<_>>(), [false, true]);
    assert_eq!(code(shop.approve(&grace, &asked, hash).await), "ALREADY_DECIDED");
    assert_eq!(shop.approve(&ada, &asked, hash).await?.status, Status::Approved);
    // Approved and not started in time is not approved any more.
    let window = json!({
        "name": "night", "reason": "sleep", "startsAt": shop.world.clock.now(),
        "endsAt": shop.world.clock.now().plus_seconds(700)
    });
    let freeze = shop.world.caller(Op::FreezeWindowCreate);
    shop.world.app.freeze_window_create(&freeze, shop.environment.id, body(window)).await?;
    shop.world.clock.forward(700);
    shop.work().await?;
    assert_eq!(shop.get(&asked).await?.status, Status::AwaitingApproval);
    Ok(())
}

pub async fn an_exclusive_environment_takes_one_application_at_a_time(world: World) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "dev", "exclusive": true})).await?;
    let (hand, _) = shop.staffed().await?;
    let asker = shop.world.caller(Op::PromotionCreate);
    let first = shop.ask(&asker, &shop.release("1.0.0").await?, json!({})).await?;
    shop.work().await?;
    let blog = shop.release_of("blog", shop.world.app.context.id(), "1.0.0").await?;
    let second = shop.ask(&asker, &blog, json!({})).await?;
    shop.work().await?;
    assert_eq!(shop.get(&first).await?.status, Status::Deploying);
    assert_eq!(shop.get(&second).await?.status, Status::Approved);
    carry_out(&shop, &hand).await?;
    shop.work().await?;
    assert_eq!(shop.get(&first).await?.status, Status::Deployed);
    assert_eq!(shop.get(&second).await?.status, Status::Deploying);
    Ok(())
}

pub async fn an_override_needs_two_people_who_had_no_part_in_it(world: World) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "prod"})).await?;
    let now = shop.world.clock.now();
    let (asker, ada, grace) =
        (shop.approver("asker").await?, shop.approver("ada").await?, shop.approver("grace").await?);
    let window = json!({
        "name": "night", "reason": "sleep", "startsAt": now.plus_seconds(-60), "endsAt": now.plus_seconds(6000),
        "exemptions": { "users": [asker.principal.user] }
    });
    let freeze = shop.world.caller(Op::FreezeWindowCreate);
    shop.world.app.freeze_window_create(&freeze, shop.environment.id, body(window)).await?;
    let release = shop.release("1.0.0").await?;
    let wish = json!({"override": {"gates": ["freeze_window"], "reason": "orders are lost meanwhile"}});
    let mut without = asker.clone();
    let grants = Permission::ALL.iter().filter(|one| **one != Permission::PromotionOverride);
    without.principal.grants = Grants::new(grants.map(|&permission| Grant { permission, environment: None }));
    assert_eq!(code(shop.ask(&without, &release, wish.clone()).await), "PERMISSION_DENIED");
    let asked = shop.ask(&asker, &release, wish.clone()).await?;
    assert_eq!(
        (asked.status, verdict(&asked, GateType::FreezeWindow)),
        (Status::AwaitingApproval, Some(GateVerdict::Pending))
    );
    let hash = asked.subject_hash;
    assert_eq!(code(shop.approve(&asker, &asked, hash).await), "SEPARATION_OF_DUTIES");
    let one = shop.approve(&ada, &asked, hash).await?;
    assert_eq!(one.status, Status::AwaitingApproval);
    assert_eq!(code(shop.approve(&ada, &asked, hash).await), "ALREADY_DECIDED");
    let two = shop.approve(&grace, &asked, hash).await?;
    assert_eq!((two.status, verdict(&two, GateType::FreezeWindow)), (Status::Approved, Some(GateVerdict::Overridden)));
    shop.work().await?;
    let started = shop.get(&asked).await?;
    assert_eq!(started.status, Status::Deploying);
    // One packet for the decision, of the type that says what was done.
    assert!(packets(&shop, EvidenceType::PromotionDecision).await?.is_empty());
    let sealed = packets(&shop, EvidenceType::Override).await?.remove(0);
    assert_eq!(started.evidence_packet_ids, [sealed.id]);
    let found = shop.world.app.promotion_evidence(&asker, asked.id).await?;
    assert_eq!(found.iter().map(|one| one.kind).collect::<Vec<_>>(), [EvidenceType::Override]);
    let says = &sealed.statement["predicate"];
    assert_eq!(says["override"]["reason"], "orders are lost meanwhile");
    assert_eq!(says["approvals"].as_array().map(Vec::len), Some(2));
    // Whom the window does not exempt may wish, and gets nothing by it.
    let other = shop.approver("other").await?;
    let vain = shop.ask(&other, &shop.release("2.0.0").await?, wish).await?;
    assert_eq!(vain.status, Status::Blocked);
    Ok(())
}

pub async fn changed_rules_leave_packets(world: World) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "prod"})).await?;
    let place = shop.environment.id;
    shop.set(json!({"name": "prod", "description": "decides nothing"})).await?;
    assert!(packets(&shop, EvidenceType::GovernanceChange).await?.is_empty());
    shop.set(json!({"name": "prod", "soakSeconds": 60, "reason": "we saw leaks"})).await?;
    shop.world.clock.forward(1);
    let rules = json!([{ "name": "leads", "minApprovals": 1, "approvers": { "roles": ["approver"] } }]);
    let policy = shop.policy(rules.clone(), Some(place)).await?;
    let nowhere = shop.world.caller(Op::ApprovalPolicyCreate);
    let unused = json!({"name": "unused", "rules": rules});
    shop.world.app.approval_policy_create(&nowhere, body(unused)).await?;
    shop.world.clock.forward(1);
    let now = shop.world.clock.now();
    let window = json!({"name": "night", "reason": "sleep", "startsAt": now, "endsAt": now.plus_seconds(600)});
    let caller = shop.world.caller(Op::FreezeWindowCreate);
    let window: FreezeWindow = answer(&shop.world.app.freeze_window_create(&caller, place, body(window)).await?)?;
    let delete = shop.world.caller(Op::FreezeWindowDelete);
    let reason = Some("over early".to_owned());
    shop.world.app.freeze_window_delete(&delete, place, window.id, reason).await?;
    let told = packets(&shop, EvidenceType::GovernanceChange).await?;
    let brief = |packet: &EvidencePacket| {
        let says = &packet.statement["predicate"];
        (says["resource"].clone(), says["resourceId"].clone(), says["reason"].clone())
    };
    assert_eq!(
        told.iter().map(brief).collect::<Vec<_>>(),
        [
            (json!("environment"), json!(place.uuid()), json!("we saw leaks")),
            (json!("approval_policy"), json!(policy.id.uuid()), json!("it matters")),
            (json!("freeze_window"), json!(window.id.uuid()), json!("over early")),
        ]
    );
    assert!(told.iter().all(|packet| packet.environment_id == Some(place)));
    let says = &told[0].statement["predicate"];
    assert_eq!((&says["before"], &says["after"]), (&json!({"soakSeconds": 0}), &json!({"soakSeconds": 60})));
    assert_eq!(says["changedBy"]["name"], json!(null), "a name does not stand in what is signed");
    let whole = shop.world.app.evidence_packet_get(&delete, told[0].id).await?;
    let by = whole.people.iter().find(|one| json!(one.name_hash) == says["changedBy"]["nameHash"]).context("a name")?;
    assert_eq!(by.name, "ada");
    assert!(told[2].statement["predicate"]["after"].is_null());
    // They are signed like all others.
    plimsoll_app::evidence::sign::step(shop.world.app.clone()).await?;
    assert!(packets(&shop, EvidenceType::GovernanceChange).await?.iter().all(|one| one.envelope.is_some()));
    Ok(())
}

pub async fn what_an_environment_names_must_exist(world: World) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "dev"})).await?;
    let nobody = shop.world.app.context.id::<EnvironmentId>().uuid();
    let create = shop.world.caller(Op::EnvironmentCreate);
    let json = json!({"name": "prod", "approvalPolicyId": nobody});
    assert_eq!(fields(shop.world.app.environment_create(&create, body(json)).await), ["approvalPolicyId"]);
    let update = shop.world.caller(Op::EnvironmentUpdate);
    let json = json!({"name": "dev", "approvalPolicyId": nobody, "reason": "a guess"});
    let refused = shop.world.app.environment_update(&update, shop.environment.id, replace(json)).await;
    assert_eq!(fields(refused), ["approvalPolicyId"]);
    assert!(packets(&shop, EvidenceType::GovernanceChange).await?.is_empty());
    Ok(())
}
