//! A component belongs to one application in an environment, whoever asks first and however they race.

use anyhow::{Context as _, Result};
use plimsoll_core::{
    environment::Environment,
    id::ComponentId,
    promotion::{Promotion, PromotionStatus as Status},
    release::Release,
};
use plimsoll_protocol::operation::OperationId as Op;
use serde_json::{Value, json};

use crate::{
    fake_registry::FakeRegistry,
    hand::Hand,
    on_both_databases,
    shop::Shop,
    support::{World, answer, body, code},
};

on_both_databases!(
    what_runs_in_one_application_is_refused_to_another,
    what_was_asked_for_is_refused_to_another,
    it_is_looked_at_again_where_the_job_starts,
    a_rollback_and_a_start_at_once_do_not_both_get_it,
);

const CODE: &str = "COMPONENT_IN_OTHER_APPLICATION";

async fn opened(world: World, environment: Value) -> Result<(Shop, Hand)> {
    let registry = FakeRegistry::new(["1.0.0", "2.0.0", "3.0.0"].map(str::to_owned));
    let shop = Shop::open(world.with_registries(registry), environment).await?;
    let (hand, _) = shop.staffed().await?;
    Ok((shop, hand))
}

/// Brings a release of any application to the one target.
async fn bring(shop: &Shop, hand: &Hand, release: &Release) -> Result<Promotion> {
    let asked = shop.ask(&shop.world.caller(Op::PromotionCreate), release, json!({})).await?;
    shop.work().await?;
    shop.advance().await?;
    let offer = hand.take(&shop.world).await?;
    hand.end(&shop.world, &offer, "succeeded", json!({})).await?;
    shop.advance().await?;
    shop.get(&asked).await
}

async fn preview(shop: &Shop, release: &Release) -> plimsoll_core::Result<()> {
    let json = json!({"releaseId": release.id, "targetEnvironmentId": shop.environment.id});
    let caller = shop.world.caller(Op::PromotionPreviewGates);
    shop.world.app.promotion_preview_gates(&caller, body(json)).await.map(drop)
}

async fn back(shop: &Shop) -> plimsoll_core::Result<()> {
    let json = json!({"environmentId": shop.environment.id, "application": "shop", "reason": "it loses orders"});
    let caller = shop.now(&shop.world.caller(Op::RollbackCreate), Op::RollbackCreate);
    shop.world.app.rollback_create(&caller, body(json)).await.map(drop)
}

/// `shop` ran `api` and runs `web` alone now; `blog` has a release with `api`.
async fn given_up(shop: &Shop, hand: &Hand) -> Result<Release> {
    let web: ComponentId = shop.world.app.context.id();
    bring(shop, hand, &shop.release("1.0.0").await?).await?;
    bring(shop, hand, &shop.release_with("shop", "2.0.0", &[(web, "web")]).await?).await?;
    shop.release_of("blog", shop.component, "3.0.0").await
}

pub async fn what_runs_in_one_application_is_refused_to_another(world: World) -> Result<()> {
    let (shop, hand) = opened(world, json!({"name": "dev"})).await?;
    let asker = shop.world.caller(Op::PromotionCreate);
    let blog = shop.release_of("blog", shop.component, "1.0.0").await?;
    preview(&shop, &blog).await?;
    bring(&shop, &hand, &shop.release("1.0.0").await?).await?;
    let refused = shop.ask(&asker, &blog, json!({})).await.unwrap_err();
    assert_eq!(refused.code().as_str(), CODE);
    let named = &refused.public_details().context("details")?["components"];
    assert_eq!(
        (&named[0]["componentId"], &named[0]["application"], &named[0]["heldBy"]["name"]),
        (&json!(shop.component), &json!("shop"), &json!("shop@1.0.0"))
    );
    assert_eq!(code(preview(&shop, &blog).await), CODE);
    assert_eq!(shop.world.count("SELECT count(*) FROM promotion WHERE application = 'blog'").await?, 0);
    // Its own next release has it, of course.
    preview(&shop, &shop.release("2.0.0").await?).await?;
    // While the release that gives it up is under way, it may still be put back.
    let web: ComponentId = shop.world.app.context.id();
    let without = shop.release_with("shop", "3.0.0", &[(web, "web")]).await?;
    shop.ask(&asker, &without, json!({})).await?;
    shop.work().await?;
    shop.advance().await?;
    assert_eq!(code(shop.ask(&asker, &blog, json!({})).await), CODE);
    let offer = hand.take(&shop.world).await?;
    hand.end(&shop.world, &offer, "succeeded", json!({})).await?;
    shop.advance().await?;
    assert_eq!(bring(&shop, &hand, &blog).await?.status, Status::Deployed);
    // What went to another application does not come back by itself.
    let jobs = shop.world.count("SELECT count(*) FROM deployment_job").await?;
    assert_eq!(code(back(&shop).await), CODE);
    assert_eq!(shop.world.count("SELECT count(*) FROM deployment_job").await?, jobs);
    Ok(())
}

pub async fn what_was_asked_for_is_refused_to_another(world: World) -> Result<()> {
    let (shop, _) = opened(world, json!({"name": "prod"})).await?;
    let rules = json!([{ "name": "leads", "minApprovals": 1, "approvers": { "roles": ["approver"] } }]);
    shop.policy(rules, Some(shop.environment.id)).await?;
    let asker = shop.world.caller(Op::PromotionCreate);
    let asked = shop.ask(&asker, &shop.release("1.0.0").await?, json!({})).await?;
    assert_eq!(asked.status, Status::AwaitingApproval);
    let blog = shop.release_of("blog", shop.component, "1.0.0").await?;
    assert_eq!(code(shop.ask(&asker, &blog, json!({})).await), CODE);
    // Another environment is another matter.
    let create = shop.world.caller(Op::EnvironmentCreate);
    let made = shop.world.app.environment_create(&create, body(json!({"name": "dev"}))).await?;
    let other: Environment = answer(&made)?;
    let target = json!({"environmentId": other.id, "name": "web-1", "type": "docker_host"});
    shop.world.app.target_create(&shop.world.caller(Op::TargetCreate), body(target)).await?;
    let elsewhere = json!({"releaseId": blog.id, "targetEnvironmentId": other.id});
    let caller = shop.world.caller(Op::PromotionPreviewGates);
    shop.world.app.promotion_preview_gates(&caller, body(elsewhere)).await?;
    let cancel = shop.now(&asker, Op::PromotionCancel);
    shop.world.app.promotion_cancel(&cancel, asked.id, body(json!({}))).await?;
    shop.ask(&asker, &blog, json!({})).await?;
    Ok(())
}

pub async fn it_is_looked_at_again_where_the_job_starts(world: World) -> Result<()> {
    let (shop, hand) = opened(world, json!({"name": "dev"})).await?;
    let blog = given_up(&shop, &hand).await?;
    let asked = shop.ask(&shop.world.caller(Op::PromotionCreate), &blog, json!({})).await?;
    assert_eq!(asked.status, Status::Approved);
    // Before it starts, the first application goes back to the release that has the component.
    back(&shop).await?;
    shop.work().await?;
    let held = shop.get(&asked).await?;
    assert_eq!((held.status, held.deployment_job_id), (Status::Blocked, None));
    let gates = held.decision.context("a decision")?.gates;
    assert_eq!(gates[0].data["code"], CODE);
    assert!(gates[0].reason.contains("belongs to shop"), "{}", gates[0].reason);
    Ok(())
}

pub async fn a_rollback_and_a_start_at_once_do_not_both_get_it(world: World) -> Result<()> {
    let (shop, hand) = opened(world, json!({"name": "dev"})).await?;
    let blog = given_up(&shop, &hand).await?;
    let asked = shop.ask(&shop.world.caller(Op::PromotionCreate), &blog, json!({})).await?;
    let (back, work) = tokio::join!(back(&shop), shop.work());
    work?;
    let status = shop.get(&asked).await?.status;
    match back {
        Ok(()) => {
            shop.work().await?;
            assert_eq!(shop.get(&asked).await?.status, Status::Blocked);
        }
        Err(refused) => assert_eq!((refused.code().as_str(), status), (CODE, Status::Deploying)),
    }
    let open = "SELECT count(*) FROM deployment_job WHERE status = 'queued'";
    assert_eq!(shop.world.count(open).await?, 1);
    Ok(())
}
