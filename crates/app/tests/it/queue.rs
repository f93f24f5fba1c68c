//! Who comes when, who takes whose place, and lists that are longer than one look.

use anyhow::{Context as _, Result};
use plimsoll_core::{
    deployment::JobStatus,
    environment::{Environment, GateType},
    id::{ComponentId, ReleaseId},
    promotion::{GateVerdict, Promotion, PromotionStatus as Status},
};
use plimsoll_protocol::operation::OperationId as Op;
use plimsoll_store::{Scope, promotion::PromotionRow, resource};
use serde_json::json;

use crate::{
    fake_registry::FakeRegistry,
    gates::{after, carry_out, verdict},
    hand::Hand,
    on_both_databases,
    shop::Shop,
    support::{World, answer, body},
};

on_both_databases!(
    an_exclusive_environment_keeps_the_order_of_approval,
    a_newer_release_takes_the_place_of_one_that_waits,
    a_long_history_forgets_no_deployment,
    a_pending_approval_behind_many_others_is_listed,
);

/// Two applications wait for a third: the one that was approved first comes first, whoever asked first.
async fn waits(shop: &Shop, hand: &Hand, round: u32, [blog, news]: [ComponentId; 2], later: &str) -> Result<()> {
    let (asker, version) = (shop.world.caller(Op::PromotionCreate), format!("{round}.0.0"));
    let running = shop.ask(&asker, &shop.release(&version).await?, json!({})).await?;
    shop.work().await?;
    assert_eq!(shop.get(&running).await?.status, Status::Deploying);
    let mut asked: Vec<(&str, Promotion)> = Vec::new();
    for (name, component) in [("blog", blog), ("news", news)] {
        let release = shop.release_of(name, component, &version).await?;
        let soon = shop.world.clock.now().plus_seconds(30);
        let more = if name == later { json!({"scheduledFor": soon}) } else { json!({}) };
        asked.push((name, shop.ask(&asker, &release, more).await?));
        shop.world.clock.forward(1);
    }
    shop.world.clock.forward(30);
    shop.work().await?;
    for (_, one) in &asked {
        assert_eq!(shop.get(one).await?.status, Status::Approved);
    }
    asked.sort_by_key(|(name, _)| *name == later);
    carry_out(shop, hand).await?;
    // Whichever is looked at first: the loser waits for its turn.
    shop.work().await?;
    shop.work().await?;
    assert_eq!(shop.get(&asked[0].1).await?.status, Status::Deploying, "round {round}");
    assert_eq!(shop.get(&asked[1].1).await?.status, Status::Approved, "round {round}");
    carry_out(shop, hand).await?;
    shop.work().await?;
    assert_eq!(shop.get(&asked[1].1).await?.status, Status::Deploying);
    carry_out(shop, hand).await
}

pub async fn an_exclusive_environment_keeps_the_order_of_approval(world: World) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "dev", "exclusive": true})).await?;
    let (hand, _) = shop.staffed().await?;
    let components = [shop.world.app.context.id(), shop.world.app.context.id()];
    waits(&shop, &hand, 1, components, "blog").await?;
    waits(&shop, &hand, 2, components, "news").await
}

pub async fn a_newer_release_takes_the_place_of_one_that_waits(world: World) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "prod", "supersedeWaiting": true})).await?;
    let now = shop.world.clock.now();
    let window = json!({
        "name": "night", "reason": "sleep", "startsAt": now.plus_seconds(-60), "endsAt": now.plus_seconds(6000)
    });
    let freeze = shop.world.caller(Op::FreezeWindowCreate);
    shop.world.app.freeze_window_create(&freeze, shop.environment.id, body(window)).await?;
    let asker = shop.world.caller(Op::PromotionCreate);
    let oldest = shop.release("1.0.0").await?;
    shop.world.clock.forward(1);
    let old = shop.ask(&asker, &shop.release("1.1.0").await?, json!({})).await?;
    let other = shop.release_of("blog", shop.world.app.context.id(), "1.0.0").await?;
    let other = shop.ask(&asker, &other, json!({})).await?;
    shop.world.clock.forward(1);
    let new = shop.ask(&asker, &shop.release("1.2.0").await?, json!({})).await?;
    let gone = shop.get(&old).await?;
    assert_eq!((gone.status, gone.superseded_by), (Status::Superseded, Some(new.id)));
    assert_eq!(gone.evidence_packet_ids.len(), 1);
    let sealed = shop.world.app.promotion_evidence(&asker, old.id).await?;
    let says = &sealed[0].statement["predicate"];
    assert_eq!((&says["status"], &says["supersededBy"]), (&json!("superseded"), &json!(new.id)));
    // An older release, and another application, take nobody's place.
    shop.ask(&asker, &oldest, json!({})).await?;
    assert_eq!(shop.get(&new).await?.status, Status::Blocked);
    assert_eq!(shop.get(&other).await?.status, Status::Blocked);
    shop.work().await?;
    assert_eq!(shop.get(&old).await?, gone);
    assert_eq!(shop.world.count("SELECT count(*) FROM evidence_packet").await?, 1);
    Ok(())
}

pub async fn a_long_history_forgets_no_deployment(world: World) -> Result<()> {
    let world = world.with_registries(FakeRegistry::new(["1.0.0"].map(str::to_owned)));
    let shop = Shop::open(world, json!({"name": "dev"})).await?;
    let (hand, _) = shop.staffed().await?;
    let prod = after(&shop, &hand, json!({})).await?;
    let release = shop.release("1.0.0").await?;
    let asker = shop.world.caller(Op::PromotionCreate);
    let first = shop.ask(&asker, &release, json!({})).await?;
    shop.work().await?;
    carry_out(&shop, &hand).await?;
    let job = shop.job(shop.get(&first).await?.deployment_job_id.context("a job")?).await?;
    let context = shop.world.app.context.clone();
    let failed: Vec<_> = (1..=210)
        .map(|second| {
            let mut one = job.clone();
            (one.id, one.release_id, one.promotion_id) = (context.id(), context.id(), None);
            (one.status, one.created_at) = (JobStatus::Failed, job.created_at.plus_seconds(second));
            one
        })
        .collect();
    shop.world
        .app
        .store
        .write(Scope::Tenant(shop.world.tenant), "test", move |tx| {
            failed.iter().try_for_each(|job| resource::insert(tx, job))
        })
        .await?;
    let asked = shop.ask(&asker, &release, json!({"targetEnvironmentId": prod.id})).await?;
    assert_eq!(verdict(&asked, GateType::PromotionPath), Some(GateVerdict::Pass), "{:?}", asked.decision);
    Ok(())
}

pub async fn a_pending_approval_behind_many_others_is_listed(world: World) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "prod"})).await?;
    let dev = shop.world.caller(Op::EnvironmentCreate);
    let dev: Environment = answer(&shop.world.app.environment_create(&dev, body(json!({"name": "dev"}))).await?)?;
    let rules = json!([{ "name": "leads", "minApprovals": 1, "approvers": { "roles": ["approver"] } }]);
    shop.policy(rules, Some(shop.environment.id)).await?;
    let (asker, ada) = (shop.world.caller(Op::PromotionCreate), shop.approver("ada").await?);
    let asked = shop.ask(&asker, &shop.release("1.0.0").await?, json!({})).await?;
    let (context, older) = (shop.world.app.context.clone(), asked.requested_at.plus_seconds(-60));
    shop.world
        .app
        .store
        .write(Scope::Tenant(shop.world.tenant), "test", move |tx| {
            let pattern: PromotionRow = resource::get(tx, asked.id)?;
            (0..501).try_for_each(|_| {
                let mut row = PromotionRow { inputs: None, ..pattern.clone() };
                row.promotion.id = context.id();
                (row.promotion.release_id, row.promotion.requested_at) = (context.id::<ReleaseId>(), older);
                row.promotion.target_environment_id = dev.id;
                resource::insert(tx, &row)
            })
        })
        .await?;
    let mine = shop.world.app.my_pending_approvals(&shop.now(&ada, Op::MyPendingApprovals)).await?;
    assert_eq!(mine.iter().map(|one| one.promotion_id).collect::<Vec<_>>(), [asked.id]);
    Ok(())
}
