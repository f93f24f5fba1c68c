//! What decides about an environment is guarded in each of its forms, and whoever changes it is a maker there.

use anyhow::Result;
use plimsoll_app::Caller;
use plimsoll_core::{
    environment::Environment,
    evidence_packet::EvidenceType,
    id::{RoleId, TypedId as _},
    identity::{Role, RoleBinding},
    permission::{Grant, Grants, Permission},
    promotion::{ApprovalPolicy, PromotionStatus as Status},
};
use plimsoll_protocol::operation::OperationId as Op;
use plimsoll_store::{Scope, resource};
use serde_json::{Value, json};

use crate::{
    gates::packets,
    on_both_databases,
    shop::Shop,
    support::{World, answer, body, code, fields, replace},
};

on_both_databases!(
    labels_that_choose_policies_are_guarded,
    whoever_takes_a_policy_away_is_a_maker,
    a_role_that_decides_everywhere_is_guarded,
    no_policy_is_one_too_many,
);

fn one() -> Value {
    json!([{ "name": "leads", "minApprovals": 1, "approvers": { "roles": ["approver"] } }])
}

/// The same person without one permission.
fn without(caller: &Caller, permission: Permission) -> Caller {
    let mut caller = caller.clone();
    let kept = Permission::ALL.iter().filter(|one| **one != permission);
    caller.principal.grants = Grants::new(kept.map(|&permission| Grant { permission, environment: None }));
    caller
}

pub async fn labels_that_choose_policies_are_guarded(world: World) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "prod", "labels": {"tier": "gold"}})).await?;
    let create = shop.world.caller(Op::ApprovalPolicyCreate);
    let policy = json!({
        "name": "gold", "environmentSelector": {"matchLabels": {"tier": "gold"}}, "rules": one(), "reason": "it matters"
    });
    let policy: ApprovalPolicy = answer(&shop.world.app.approval_policy_create(&create, body(policy)).await?)?;
    let before = packets(&shop, EvidenceType::GovernanceChange).await?.len();
    shop.world.clock.forward(1);
    let (app, id) = (&shop.world.app, shop.environment.id);
    let boss = shop.world.caller(Op::EnvironmentUpdate);
    let operator = without(&boss, Permission::GovernanceChange);
    // Labels that decide nothing are anybody's.
    let more = json!({"name": "prod", "labels": {"tier": "gold", "team": "web"}});
    app.environment_update(&operator, id, replace(more)).await?;
    assert_eq!(packets(&shop, EvidenceType::GovernanceChange).await?.len(), before);
    let mut none = json!({"name": "prod", "labels": {}});
    let refused = app.environment_update(&operator, id, replace(none.clone())).await.unwrap_err();
    assert_eq!(refused.code().as_str(), "PERMISSION_DENIED");
    assert_eq!(refused.public_details().unwrap()["fields"], json!(["labels"]));
    assert_eq!(fields(app.environment_update(&boss, id, replace(none.clone())).await), ["reason"]);
    none["reason"] = json!("no longer gold");
    app.environment_update(&boss, id, replace(none)).await?;
    let told = packets(&shop, EvidenceType::GovernanceChange).await?;
    assert_eq!(told.len(), before + 1);
    let says = &told[before].statement["predicate"];
    assert_eq!(says["before"]["labels"]["approvalPolicies"][0]["id"], json!(policy.id));
    assert_eq!(says["after"]["labels"]["approvalPolicies"], json!([]));
    Ok(())
}

pub async fn whoever_takes_a_policy_away_is_a_maker(world: World) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "prod"})).await?;
    let place = shop.environment.id;
    let create = shop.world.caller(Op::ApprovalPolicyCreate);
    shop.policy(one(), Some(place)).await?;
    let second = json!({"name": "second", "environmentIds": [place], "rules": one(), "reason": "twice is better"});
    let second: ApprovalPolicy = answer(&shop.world.app.approval_policy_create(&create, body(second)).await?)?;
    let (asker, ada, grace) =
        (shop.approver("asker").await?, shop.approver("ada").await?, shop.approver("grace").await?);
    let away = json!({"name": "second", "environmentIds": [], "rules": one(), "reason": "once is enough"});
    let update = shop.now(&ada, Op::ApprovalPolicyUpdate);
    shop.world.app.approval_policy_update(&update, second.id, replace(away)).await?;
    let asked = shop.ask(&asker, &shop.release("1.0.0").await?, json!({})).await?;
    assert_eq!(asked.status, Status::AwaitingApproval);
    assert_eq!(code(shop.approve(&ada, &asked, asked.subject_hash).await), "SEPARATION_OF_DUTIES");
    assert_eq!(shop.approve(&grace, &asked, asked.subject_hash).await?.status, Status::Approved);
    // A week later she is no maker any more.
    shop.world.clock.forward(8 * 86_400);
    let later = shop.ask(&asker, &shop.release("2.0.0").await?, json!({})).await?;
    assert_eq!(shop.approve(&ada, &later, later.subject_hash).await?.status, Status::Approved);
    Ok(())
}

pub async fn a_role_that_decides_everywhere_is_guarded(world: World) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "prod"})).await?;
    shop.policy(one(), Some(shop.environment.id)).await?;
    let (app, now) = (&shop.world.app, shop.world.clock.now());
    let (asker, boss, friend) =
        (shop.approver("asker").await?, shop.approver("boss").await?, shop.person("friend").await?);
    let viewer: Role = serde_json::from_value(json!({
        "id": app.context.id::<RoleId>(), "name": "viewer", "permissions": ["release:read"], "builtIn": false,
        "revision": 1, "createdAt": now, "updatedAt": now
    }))?;
    let viewer_id = viewer.id;
    app.store.write(Scope::Tenant(shop.world.tenant), "test", move |tx| resource::insert(tx, &viewer)).await?;
    let told = packets(&shop, EvidenceType::GovernanceChange).await?.len();
    shop.world.clock.forward(1);
    let give = shop.now(&boss, Op::RoleBindingCreate);
    let to = json!({"type": "user", "id": friend.principal.user});
    app.role_binding_create(&give, body(json!({"roleId": viewer_id, "principal": to}))).await?;
    assert_eq!(packets(&shop, EvidenceType::GovernanceChange).await?.len(), told);
    let mut wish = json!({"roleId": shop.approver_role, "principal": to});
    assert_eq!(fields(app.role_binding_create(&give, body(wish.clone())).await), ["reason"]);
    wish["reason"] = json!("she leads the team");
    let weak = without(&give, Permission::GovernanceChange);
    assert_eq!(code(app.role_binding_create(&weak, body(wish.clone())).await), "PERMISSION_DENIED");
    let made: RoleBinding = answer(&app.role_binding_create(&give, body(wish)).await?)?;
    let new = packets(&shop, EvidenceType::GovernanceChange).await?.split_off(told);
    assert_eq!(new.iter().map(|one| one.environment_id).collect::<Vec<_>>(), [Some(shop.environment.id)]);
    assert_eq!(new[0].statement["predicate"]["resourceId"], json!(made.id.uuid()));
    // Who gave it is a maker, and who got it is not.
    let asked = shop.ask(&asker, &shop.release("1.0.0").await?, json!({})).await?;
    assert_eq!(code(shop.approve(&boss, &asked, asked.subject_hash).await), "SEPARATION_OF_DUTIES");
    assert_eq!(shop.approve(&friend, &asked, asked.subject_hash).await?.status, Status::Approved);
    let take = shop.now(&boss, Op::RoleBindingDelete);
    assert_eq!(fields(app.role_binding_delete(&take, made.id, None).await), ["reason"]);
    app.role_binding_delete(&take, made.id, Some("left".to_owned())).await?;
    assert_eq!(packets(&shop, EvidenceType::GovernanceChange).await?.len(), told + 2);
    Ok(())
}

pub async fn no_policy_is_one_too_many(world: World) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "prod"})).await?;
    let elsewhere = json!({"name": "dev"});
    let elsewhere: Environment =
        answer(&shop.world.app.environment_create(&shop.world.caller(Op::EnvironmentCreate), body(elsewhere)).await?)?;
    let pattern = shop.policy(one(), Some(elsewhere.id)).await?;
    let context = shop.world.app.context.clone();
    let many: Vec<ApprovalPolicy> = (0..1000)
        .map(|number| ApprovalPolicy { id: context.id(), name: format!("policy {number}"), ..pattern.clone() })
        .collect();
    shop.world
        .app
        .store
        .write(Scope::Tenant(shop.world.tenant), "test", move |tx| {
            many.iter().try_for_each(|policy| resource::insert(tx, policy))
        })
        .await?;
    shop.world.clock.forward(1);
    let create = shop.world.caller(Op::ApprovalPolicyCreate);
    let last = json!({"name": "last", "environmentIds": [shop.environment.id], "rules": one(), "reason": "it matters"});
    shop.world.app.approval_policy_create(&create, body(last)).await?;
    let asker = shop.world.caller(Op::PromotionCreate);
    let asked = shop.ask(&asker, &shop.release("1.0.0").await?, json!({})).await?;
    assert_eq!(asked.status, Status::AwaitingApproval);
    Ok(())
}
