//! What approvals are given for: secrets by their values, targets that are no more, and what can't be put
//! together any more.

use anyhow::{Context as _, Result};
use plimsoll_core::{
    deployment::{PlannedChange, SkipReason},
    environment::GateType,
    id::ComponentId,
    promotion::{GateVerdict, Promotion, PromotionStatus as Status, decide},
};
use plimsoll_protocol::operation::OperationId as Op;
use serde_json::{Value, json};

use crate::{
    gates::{carry_out, verdict},
    on_both_databases,
    shop::Shop,
    support::{World, body, code},
};

on_both_databases!(
    a_secret_that_comes_again_is_another_one,
    a_secret_that_is_missing_or_set_twice_is_told_at_once,
    what_cannot_be_put_together_any_more_is_decided_from_what_is_kept,
    a_deleted_target_voids_no_approval,
);

fn two() -> Value {
    json!([{ "name": "leads", "minApprovals": 2, "approvers": { "roles": ["approver"] } }])
}

fn preview(shop: &Shop, of: &Promotion) -> Value {
    json!({"releaseId": of.release_id, "targetEnvironmentId": shop.environment.id})
}

pub async fn a_secret_that_comes_again_is_another_one(world: World) -> Result<()> {
    let secrets = json!([{"name": "TOKEN", "value": "the first"}]);
    let shop = Shop::open(world, json!({"name": "prod", "secretRefs": secrets})).await?;
    shop.policy(two(), Some(shop.environment.id)).await?;
    let (asker, ada) = (shop.approver("asker").await?, shop.approver("ada").await?);
    let runtime = json!({"secrets": [{"name": "TOKEN"}]});
    let release = shop.release_running("shop", "1.0.0", &[(shop.component, "api")], runtime).await?;
    let asked = shop.ask(&asker, &release, json!({})).await?;
    shop.approve(&ada, &asked, asked.subject_hash).await?;
    shop.set(json!({"name": "prod", "secretRefs": []})).await?;
    shop.work().await?;
    assert_eq!(shop.get(&asked).await?.status, Status::Blocked);
    shop.set(json!({"name": "prod", "secretRefs": [{"name": "TOKEN", "value": "another"}]})).await?;
    shop.work().await?;
    let now = shop.get(&asked).await?;
    assert_eq!(now.status, Status::AwaitingApproval);
    assert_ne!(now.subject_hash, asked.subject_hash);
    let given = shop.world.app.promotion_approvals(&asker, asked.id).await?;
    assert!(!given[0].valid, "{given:?}");
    let refused = shop.approve(&ada, &asked, asked.subject_hash).await.unwrap_err();
    assert_eq!(refused.public_details().context("details")?["changed"], json!(["secrets"]));
    Ok(())
}

pub async fn a_secret_that_is_missing_or_set_twice_is_told_at_once(world: World) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "prod"})).await?;
    let target = shop.targets().await?.remove(0);
    shop.assign(&target, json!({"labels": {"zone": "a", "disk": "ssd"}})).await?;
    let runtime = json!({"secrets": [{"name": "TOKEN"}]});
    let release = shop.release_running("shop", "1.0.0", &[(shop.component, "api")], runtime).await?;
    let asker = shop.world.caller(Op::PromotionCreate);
    let seen = json!({"releaseId": release.id, "targetEnvironmentId": shop.environment.id});
    let look = async || shop.world.app.promotion_preview_gates(&asker, body(seen.clone())).await;
    assert_eq!(code(look().await), "UNKNOWN_REFERENCE");
    assert_eq!(code(shop.ask(&asker, &release, json!({})).await), "UNKNOWN_REFERENCE");
    let elsewhere = json!([{"name": "TOKEN", "targetLabels": {"zone": "b"}, "value": "x"}]);
    shop.set(json!({"name": "prod", "secretRefs": elsewhere})).await?;
    assert_eq!(code(look().await), "UNKNOWN_REFERENCE");
    let twice = json!([
        {"name": "TOKEN", "targetLabels": {"zone": "a"}, "value": "x"},
        {"name": "TOKEN", "targetLabels": {"disk": "ssd"}, "value": "y"}
    ]);
    shop.set(json!({"name": "prod", "secretRefs": twice})).await?;
    assert_eq!(code(look().await), "AMBIGUOUS_VARIABLE");
    assert_eq!(code(shop.ask(&asker, &release, json!({})).await), "AMBIGUOUS_VARIABLE");
    shop.set(json!({"name": "prod", "secretRefs": [{"name": "TOKEN", "value": "x"}]})).await?;
    look().await?;
    assert_eq!(shop.ask(&asker, &release, json!({})).await?.status, Status::Approved);
    Ok(())
}

pub async fn what_cannot_be_put_together_any_more_is_decided_from_what_is_kept(world: World) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "prod"})).await?;
    shop.policy(two(), Some(shop.environment.id)).await?;
    let asker = shop.approver("asker").await?;
    let asked = shop.ask(&asker, &shop.release("1.0.0").await?, json!({})).await?;
    shop.set(json!({"name": "prod", "variables": {"LEVEL": "${{ nothing.here }}"}})).await?;
    assert_eq!(
        code(shop.world.app.promotion_preview_gates(&asker, body(preview(&shop, &asked))).await),
        "UNKNOWN_REFERENCE"
    );
    shop.work().await?;
    let now = shop.get(&asked).await?;
    assert_eq!((now.status, verdict(&now, GateType::ReleaseStatus)), (Status::Blocked, Some(GateVerdict::Error)));
    let record = shop.world.app.promotion_decision(&asker, asked.id).await?;
    let decision = now.decision.context("a decision")?;
    assert_eq!(decide::replay(&record.inputs, &decision)?, Vec::<String>::new());
    assert_eq!(record.inputs.at, decision.evaluated_at);
    assert!(record.inputs.unprepared.is_some_and(|why| why.message.contains("nothing")), "and why");
    let cancel = shop.now(&asker, Op::PromotionCancel);
    shop.world.app.promotion_cancel(&cancel, asked.id, body(json!({}))).await?;
    let sealed = shop.world.app.promotion_evidence(&asker, asked.id).await?.remove(0);
    let says = &sealed.statement["predicate"];
    let (inputs, recorded) = (body(says["inputs"].clone()), body(says["decision"].clone()));
    assert_eq!(decide::replay(&inputs, &recorded)?, Vec::<String>::new());
    assert_eq!(recorded, decision, "what was shown is what is sealed");
    Ok(())
}

pub async fn a_deleted_target_voids_no_approval(world: World) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "prod"})).await?;
    let (hand, _) = shop.staffed().await?;
    let second = shop.target("web-2", json!({"agentId": hand.id})).await?;
    let (asker, extra) = (shop.approver("asker").await?, shop.world.app.context.id::<ComponentId>());
    let both = shop.release_with("shop", "1.0.0", &[(shop.component, "api"), (extra, "extra")]).await?;
    shop.ask(&asker, &both, json!({})).await?;
    shop.work().await?;
    carry_out(&shop, &hand).await?;
    carry_out(&shop, &hand).await?;
    shop.policy(two(), Some(shop.environment.id)).await?;
    let (ada, grace) = (shop.approver("ada").await?, shop.approver("grace").await?);
    // `extra` goes with it, from both.
    let asked = shop.ask(&asker, &shop.release("2.0.0").await?, json!({})).await?;
    shop.approve(&ada, &asked, asked.subject_hash).await?;
    let delete = shop.world.caller(Op::TargetDelete);
    shop.world.app.target_delete(&delete, second.id).await?;
    shop.work().await?;
    let now = shop.get(&asked).await?;
    assert_eq!(now.subject_hash, asked.subject_hash);
    let gone = now.plan.targets.iter().find(|one| one.target_id == second.id).context("it is listed")?;
    assert_eq!(gone.skip, Some(SkipReason::Deleted));
    assert!(gone.components.iter().any(|one| one.change == PlannedChange::Removed), "{gone:?}");
    assert_eq!(shop.approve(&grace, &asked, asked.subject_hash).await?.status, Status::Approved);
    shop.work().await?;
    assert_eq!(shop.get(&asked).await?.status, Status::Deploying);
    Ok(())
}
