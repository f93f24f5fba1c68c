//! Two commands at once about the same thing. On PostgreSQL both transactions are open, and wait at the lock,
//! before either may go on: whatever was read before the lock is old by then. On SQLite there is one writer.

use std::{
    future::Future,
    sync::{Arc, Barrier},
};

use anyhow::Result;
use plimsoll_app::promotion;
use plimsoll_core::{
    id::{ComponentId, EnvironmentId, PromotionId},
    promotion::PromotionStatus as Status,
};
use plimsoll_protocol::operation::OperationId as Op;
use plimsoll_store::{Dialect, Lock, Scope, Tx};
use plimsoll_testkit::{PATIENCE, eventually_async};
use serde_json::json;

use crate::{
    on_both_databases,
    shop::Shop,
    support::{World, code},
};

on_both_databases!(
    the_last_two_approvals_start_it_once,
    one_approver_twice_counts_once,
    two_steps_start_one_job_of_an_application,
    one_release_is_asked_for_once,
    of_two_applications_one_gets_a_component,
);

const WAITING: &str = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";

/// What two transactions meet at.
#[derive(Clone, Copy)]
enum Meet {
    Promotion(PromotionId),
    Environment(EnvironmentId),
}

/// Lets two commands meet at a lock that both must take.
async fn at_once<A, B>(
    world: &World,
    meet: Meet,
    one: impl Future<Output = A>,
    two: impl Future<Output = B>,
) -> Result<(A, B)> {
    if world.app.store.dialect() == Dialect::Sqlite {
        return Ok(tokio::join!(one, two));
    }
    let (taken, free) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
    let (inner_taken, inner_free) = (Arc::clone(&taken), Arc::clone(&free));
    let hold = world.app.store.write(Scope::Tenant(world.tenant), "hold", move |tx: &mut Tx<'_>| {
        match meet {
            Meet::Promotion(id) => tx.lock(&Lock::Promotion(id))?,
            Meet::Environment(id) => tx.lock(&Lock::Environment(id))?,
        }
        inner_taken.wait();
        inner_free.wait();
        Ok(())
    });
    let meeting = async {
        tokio::task::spawn_blocking(move || taken.wait()).await?;
        let (both, seen) = tokio::join!(async { tokio::join!(one, two) }, async {
            let both = async || world.count(WAITING).await.is_ok_and(|count| count == 2);
            let seen = eventually_async("both wait at the lock", PATIENCE, both).await;
            // Whatever was seen, the lock must be let go of.
            tokio::task::spawn_blocking(move || free.wait()).await?;
            seen
        });
        seen?;
        Ok::<_, anyhow::Error>(both)
    };
    let (held, met) = tokio::join!(hold, meeting);
    held?;
    met
}

/// An environment in which two people of `approver` must say yes.
async fn guarded(world: World) -> Result<Shop> {
    let shop = Shop::open(world, json!({"name": "prod"})).await?;
    let rules = json!([{ "name": "leads", "minApprovals": 2, "approvers": { "roles": ["approver"] } }]);
    shop.policy(rules, Some(shop.environment.id)).await?;
    Ok(shop)
}

pub async fn the_last_two_approvals_start_it_once(world: World) -> Result<()> {
    let shop = guarded(world).await?;
    let (asker, ada, grace) =
        (shop.approver("asker").await?, shop.approver("ada").await?, shop.approver("grace").await?);
    for round in 1..=5_u32 {
        let asked = shop.ask(&asker, &shop.release(&format!("{round}.0.0")).await?, json!({})).await?;
        let hash = asked.subject_hash;
        let (one, two) = at_once(
            &shop.world,
            Meet::Promotion(asked.id),
            shop.approve(&ada, &asked, hash),
            shop.approve(&grace, &asked, hash),
        )
        .await?;
        // Each is counted, and the later one alone sees both.
        let mut told = [one?.status, two?.status];
        told.sort_by_key(|status| *status == Status::Approved);
        assert_eq!(told, [Status::AwaitingApproval, Status::Approved], "round {round}");
        let given = shop.world.app.promotion_approvals(&shop.now(&asker, Op::PromotionApprovals), asked.id).await?;
        assert_eq!(given.iter().filter(|one| one.valid).count(), 2);
    }
    shop.work().await?;
    assert_eq!(shop.world.count("SELECT count(*) FROM deployment_job").await?, 1);
    Ok(())
}

pub async fn one_approver_twice_counts_once(world: World) -> Result<()> {
    let shop = guarded(world).await?;
    let (asker, ada) = (shop.approver("asker").await?, shop.approver("ada").await?);
    for round in 1..=5_u32 {
        let asked = shop.ask(&asker, &shop.release(&format!("{round}.0.0")).await?, json!({})).await?;
        let hash = asked.subject_hash;
        let (one, two) = at_once(
            &shop.world,
            Meet::Promotion(asked.id),
            shop.approve(&ada, &asked, hash),
            shop.approve(&ada, &asked, hash),
        )
        .await?;
        let (taken, refused) = if one.is_ok() { (one, two) } else { (two, one) };
        assert_eq!(taken?.status, Status::AwaitingApproval, "round {round}");
        assert_eq!(code(refused), "ALREADY_DECIDED");
        let given = shop.world.app.promotion_approvals(&shop.now(&asker, Op::PromotionApprovals), asked.id).await?;
        assert_eq!(given.len(), 1);
    }
    Ok(())
}

pub async fn two_steps_start_one_job_of_an_application(world: World) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "dev"})).await?;
    let asker = shop.world.caller(Op::PromotionCreate);
    // More than one step claims.
    for round in 1..=18_u32 {
        shop.ask(&asker, &shop.release(&format!("{round}.0.0")).await?, json!({})).await?;
    }
    let step = || promotion::decide::step(shop.world.app.clone());
    let (one, two) = at_once(&shop.world, Meet::Environment(shop.environment.id), step(), step()).await?;
    one?;
    two?;
    assert_eq!(shop.world.count("SELECT count(*) FROM deployment_job").await?, 1);
    assert_eq!(shop.world.count("SELECT count(*) FROM promotion WHERE status = 'deploying'").await?, 1);
    assert_eq!(shop.world.count("SELECT count(*) FROM promotion WHERE status = 'approved'").await?, 17);
    Ok(())
}

pub async fn one_release_is_asked_for_once(world: World) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "dev"})).await?;
    let asker = shop.world.caller(Op::PromotionCreate);
    let release = shop.release("1.0.0").await?;
    let ask = || shop.ask(&asker, &release, json!({}));
    let (one, two) = at_once(&shop.world, Meet::Environment(shop.environment.id), ask(), ask()).await?;
    let (taken, refused) = if one.is_ok() { (one, two) } else { (two, one) };
    assert_eq!(taken?.status, Status::Approved);
    assert_eq!(code(refused), "PROMOTION_ALREADY_OPEN");
    Ok(())
}

pub async fn of_two_applications_one_gets_a_component(world: World) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "dev"})).await?;
    let asker = shop.world.caller(Op::PromotionCreate);
    for round in 0..3 {
        let component: ComponentId = shop.world.app.context.id();
        let one = shop.release_of(&format!("one-{round}"), component, "1.0.0").await?;
        let two = shop.release_of(&format!("two-{round}"), component, "1.0.0").await?;
        let meet = Meet::Environment(shop.environment.id);
        let (one, two) =
            at_once(&shop.world, meet, shop.ask(&asker, &one, json!({})), shop.ask(&asker, &two, json!({}))).await?;
        let (taken, refused) = if one.is_ok() { (one, two) } else { (two, one) };
        assert_eq!(taken?.status, Status::Approved, "round {round}");
        assert_eq!(code(refused), "COMPONENT_IN_OTHER_APPLICATION");
    }
    Ok(())
}
