//! Tasks that agents lose or come back from, and what the server then knows of their targets.

use anyhow::{Context as _, Result};
use plimsoll_core::{
    deployment::{JobStatus, Remains, TaskStatus},
    id::TypedId as _,
};
use plimsoll_protocol::agent::ServerFrame;
use serde_json::json;

use crate::{
    hand::{Hand, seen},
    jobs::{cancel, forward},
    on_both_databases,
    shop::{Shop, digest_of},
    support::World,
};

on_both_databases!(
    a_task_that_its_agent_has_lost_ends_unknown_and_the_target_is_settled,
    an_offer_that_is_not_acked_lives_as_long_as_its_agents_lease,
    what_an_agent_cannot_tell_is_looked_at,
    a_target_that_was_put_back_has_the_endpoints_of_what_runs,
    another_agent_gets_the_target_ten_seconds_after_the_lease,
    a_target_that_knows_a_higher_epoch_is_caught_up_with,
    batches_are_told_of_in_their_order,
);

pub async fn a_task_that_its_agent_has_lost_ends_unknown_and_the_target_is_settled(world: World) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "dev"})).await?;
    let (hand, target) = shop.staffed().await?;
    let good = shop.bring(&hand, "1.0.0").await?;
    let job = shop.start("2.0.0").await?;
    hand.take(&shop.world).await?;
    // It comes back without the task's journal: its lease goes on, and does not name the task.
    for _ in 0..2 {
        shop.world.clock.forward(30);
        hand.say(&shop.world, "lease.renew", json!({"nonce": 1, "tasks": []})).await?;
    }
    shop.world.clock.forward(7);
    shop.sweep().await?;
    assert_eq!(forward(shop.tasks(job.id).await?).status, TaskStatus::Running);
    shop.world.clock.forward(1);
    shop.sweep().await?;
    shop.advance().await?;
    let task = forward(shop.tasks(job.id).await?);
    assert_eq!((task.status, task.error.context("an error")?.code.as_str()), (TaskStatus::Unknown, "AGENT_SILENT"));
    assert!(shop.targets().await?[0].reconciliation_pending);
    // What it may have left is put back, and the target is known again.
    let back = hand.take(&shop.world).await?;
    assert_eq!(back.order()?.spec.context("a spec")?.components[0].image.digest, digest_of("1.0.0"));
    hand.end(&shop.world, &back, "succeeded", json!({})).await?;
    shop.advance().await?;
    assert_eq!(shop.job(job.id).await?.status, JobStatus::RolledBack);
    hand.see(&shop.world, target, &[("api", digest_of("1.0.0"))]).await?;
    let settled = shop.targets().await?.remove(0);
    assert!(!settled.reconciliation_pending);
    assert_eq!(settled.running[0].release_id, good.release_id);
    Ok(())
}

pub async fn an_offer_that_is_not_acked_lives_as_long_as_its_agents_lease(world: World) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "dev"})).await?;
    let (hand, _) = shop.staffed().await?;
    let job = shop.start("1.0.0").await?;
    for _ in 0..3 {
        shop.world.clock.forward(60);
        hand.say(&shop.world, "lease.renew", json!({"nonce": 1, "tasks": []})).await?;
        shop.sweep().await?;
    }
    assert_eq!(shop.tasks(job.id).await?[0].status, TaskStatus::Assigned);
    hand.take(&shop.world).await?;
    Ok(())
}

pub async fn what_an_agent_cannot_tell_is_looked_at(world: World) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "dev"})).await?;
    let (hand, target) = shop.staffed().await?;
    shop.bring(&hand, "1.0.0").await?;
    let job = shop.start("2.0.0").await?;
    let offer = hand.take(&shop.world).await?;
    cancel(&shop, job.id, json!({})).await?;
    shop.advance().await?;
    assert_eq!(hand.end(&shop.world, &offer, "unknown", json!({})).await?, json!("recorded"));
    shop.advance().await?;
    assert_eq!(shop.tasks(job.id).await?[0].status, TaskStatus::Unknown);
    assert!(shop.targets().await?[0].reconciliation_pending);
    hand.see(&shop.world, target, &[("api", digest_of("2.0.0"))]).await?;
    assert!(!shop.targets().await?[0].reconciliation_pending);
    assert_eq!(shop.tasks(job.id).await?[0].remains, Some(Remains::Changed));
    Ok(())
}

pub async fn a_target_that_was_put_back_has_the_endpoints_of_what_runs(world: World) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "dev"})).await?;
    let (hand, _) = shop.staffed().await?;
    let at = |address: &str| {
        let endpoint = json!({"component": "api", "containerPort": 8080, "address": address});
        json!({"components": [{"component": "api", "endpoints": [endpoint], "health": "healthy"}]})
    };
    let known = async || -> Result<Vec<String>> {
        Ok(shop.targets().await?.remove(0).endpoints.into_iter().map(|one| one.address).collect())
    };
    shop.start("1.0.0").await?;
    let offer = hand.take(&shop.world).await?;
    hand.end(&shop.world, &offer, "succeeded", at("10.0.0.1:4001")).await?;
    shop.advance().await?;
    assert_eq!(known().await?, ["10.0.0.1:4001"]);
    shop.start("2.0.0").await?;
    let offer = hand.take(&shop.world).await?;
    // The engine gave the old one another port when it was started again.
    let mut put_back = at("10.0.0.1:4002");
    put_back["remains"] = json!("restored");
    hand.end(&shop.world, &offer, "rolled_back", put_back).await?;
    assert_eq!(known().await?, ["10.0.0.1:4002"]);
    Ok(())
}

pub async fn another_agent_gets_the_target_ten_seconds_after_the_lease(world: World) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "dev"})).await?;
    let east = Hand::enrol(&shop.world, "east", json!({"zone": "east"})).await?;
    let target = shop.targets().await?.remove(0);
    shop.assign(&target, json!({"agentSelector": {"matchLabels": {"zone": "east"}}})).await?;
    shop.bring(&east, "1.0.0").await?;
    let job = shop.start("2.0.0").await?;
    east.take(&shop.world).await?;
    let other = Hand::enrol(&shop.world, "east-2", json!({"zone": "east"})).await?;
    east.silence(&shop.world).await?;
    shop.world.clock.forward(69);
    shop.sweep().await?;
    shop.advance().await?;
    assert_eq!(forward(shop.tasks(job.id).await?).status, TaskStatus::Unknown);
    assert!(other.pending(&shop.world).await?.iter().all(|frame| !matches!(frame, ServerFrame::Offer(_))));
    shop.world.clock.forward(1);
    shop.advance().await?;
    assert_eq!(other.take(&shop.world).await?.order()?.agent_id, other.id);
    Ok(())
}

pub async fn a_target_that_knows_a_higher_epoch_is_caught_up_with(world: World) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "dev"})).await?;
    let (hand, target) = shop.staffed().await?;
    shop.start("1.0.0").await?;
    let stale = hand.take(&shop.world).await?;
    let error = json!({"code": "STALE_EPOCH", "message": "epoch 500 is in force on the target"});
    hand.end(&shop.world, &stale, "unknown", json!({"error": error, "epochInForce": 500})).await?;
    shop.advance().await?;
    let next = hand.take(&shop.world).await?;
    assert_eq!(next.epoch, 501, "the database goes on from what the target knows");
    hand.end(&shop.world, &next, "succeeded", json!({})).await?;
    shop.advance().await?;
    let mut seen = seen(&shop.world, target, &[]);
    seen["epoch"] = json!(700);
    hand.say(&shop.world, "status", json!({"resources": {}, "tasks": [], "targets": [seen.clone()]})).await?;
    // What no server can have given is not believed.
    seen["epoch"] = json!(u64::MAX);
    hand.say(&shop.world, "status", json!({"resources": {}, "tasks": [], "targets": [seen]})).await?;
    shop.start("2.0.0").await?;
    assert_eq!(hand.take(&shop.world).await?.epoch, 701);
    Ok(())
}

pub async fn batches_are_told_of_in_their_order(world: World) -> Result<()> {
    let strategy = json!({"type": "rolling", "batchSize": 1, "pauseSeconds": 30});
    let shop = Shop::open(world, json!({"name": "dev", "strategy": strategy})).await?;
    let (hand, _) = shop.staffed().await?;
    shop.target("web-2", json!({"agentId": hand.id})).await?;
    let job = shop.start("1.0.0").await?;
    // Events of one instant get their places in no order; each look gives places to those that are there.
    shop.world.events("deployment_job").await?;
    let offer = hand.take(&shop.world).await?;
    hand.end(&shop.world, &offer, "succeeded", json!({})).await?;
    shop.advance().await?;
    let waits = shop.job(job.id).await?.batch.context("a batch")?;
    assert_eq!((waits.batch, waits.status.as_str()), (1, "waiting"));
    assert_eq!(waits.until, Some(shop.world.clock.now().plus_seconds(30)));
    shop.advance().await?;
    shop.world.events("deployment_job").await?;
    shop.world.clock.forward(30);
    shop.advance().await?;
    shop.world.events("deployment_job").await?;
    let offer = hand.take(&shop.world).await?;
    hand.end(&shop.world, &offer, "succeeded", json!({})).await?;
    shop.advance().await?;
    assert_eq!(shop.job(job.id).await?.status, JobStatus::Succeeded);
    let told: Vec<(String, u64)> = shop
        .world
        .events("deployment_job")
        .await?
        .into_iter()
        .filter(|event| event.resource_id == job.id.uuid().to_string() && event.kind.starts_with("batch."))
        .map(|event| (event.kind.clone(), event.data["batch"].as_u64().unwrap_or_default()))
        .collect();
    let expected = [("started", 0), ("ended", 0), ("waiting", 1), ("started", 1), ("ended", 1)];
    assert_eq!(told, expected.map(|(kind, batch)| (format!("batch.{kind}"), batch)));
    Ok(())
}
