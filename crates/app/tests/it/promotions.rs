//! Promotions from the request to the job and to the sealed decision.

use anyhow::Result;
use plimsoll_app::deployment;
use plimsoll_core::{
    Digest,
    audit::AuditOutcome,
    deployment::{DeploymentJob, JobStatus},
    evidence_packet::EvidenceType,
    id::EvidencePacketId,
    promotion::{DecisionOutcome, GateVerdict, PendingApproval, PromotionStatus, decide},
};
use plimsoll_protocol::operation::OperationId as Op;
use serde_json::{Value, json};

use crate::{
    on_both_databases,
    shop::Shop,
    support::{World, body, code, replace},
};

on_both_databases!(
    what_no_gate_holds_up_starts_one_job_with_one_sealed_decision,
    two_different_people_approve_what_they_were_shown,
    a_change_of_what_was_approved_voids_approvals,
    a_freeze_holds_it_up_and_its_end_lets_it_go,
    one_rejection_ends_it_with_its_decision_sealed,
    a_looser_policy_does_not_loosen_an_open_promotion,
);

fn two() -> Value {
    json!([{ "name": "leads", "minApprovals": 2, "approvers": { "roles": ["approver"] } }])
}

pub async fn what_no_gate_holds_up_starts_one_job_with_one_sealed_decision(world: World) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "dev"})).await?;
    let (asker, release) = (shop.world.caller(Op::PromotionCreate), shop.release("1.0.0").await?);
    let asked = shop.ask(&asker, &release, json!({"reason": "first"})).await?;
    assert_eq!(asked.status, PromotionStatus::Approved);
    assert_eq!(asked.plan.targets.len(), 1);
    assert_eq!(code(shop.ask(&asker, &release, json!({})).await), "PROMOTION_ALREADY_OPEN");
    shop.work().await?;
    let started = shop.get(&asked).await?;
    assert_eq!(started.status, PromotionStatus::Deploying);
    let job_id = started.deployment_job_id.expect("a job");
    assert_eq!(started.evidence_packet_ids.len(), 1);
    let evidence = shop.world.app.promotion_evidence(&asker, asked.id).await?;
    assert_eq!(evidence[0].kind, EvidenceType::PromotionDecision);
    let says = &evidence[0].statement["predicate"];
    assert_eq!(says["subjectHash"], json!(started.subject_hash));
    let record = shop.world.app.promotion_decision(&asker, asked.id).await?;
    assert_eq!(json!(record.inputs), says["inputs"]);
    let decision = started.decision.clone().expect("a decision");
    assert_eq!(decide::replay(&record.inputs, &decision)?, Vec::<String>::new());
    // The second waits behind the first, and is not looked at twice at once.
    let second = shop.ask(&asker, &shop.release("1.1.0").await?, json!({})).await?;
    shop.work().await?;
    assert_eq!(shop.get(&second).await?.status, PromotionStatus::Approved);
    assert_eq!(shop.world.count("SELECT count(*) FROM deployment_job").await?, 1);
    // A cancel while it deploys stops the job; its end ends the promotion and lets the second go.
    let cancel = shop.now(&asker, Op::PromotionCancel);
    shop.world.app.promotion_cancel(&cancel, asked.id, body(json!({"rollback": true}))).await?;
    deployment::advance::step(shop.world.app.clone()).await?;
    let ended = shop.get(&asked).await?;
    let job: DeploymentJob = shop.world.app.deployment_job_get(&asker, job_id).await?;
    assert!(matches!(job.status, JobStatus::Cancelled | JobStatus::RolledBack), "{:?}", job.status);
    assert!(matches!(ended.status, PromotionStatus::Failed | PromotionStatus::RolledBack), "{:?}", ended.status);
    let packets = shop.world.app.promotion_evidence(&asker, asked.id).await?;
    let kinds: Vec<EvidenceType> = packets.iter().map(|packet| packet.kind).collect();
    assert_eq!(kinds, [EvidenceType::PromotionDecision, EvidenceType::Deployment]);
    assert!(packets.iter().all(|packet| packet.deployment_job_id == Some(job_id)));
    shop.work().await?;
    assert_eq!(shop.get(&second).await?.status, PromotionStatus::Deploying);
    Ok(())
}

pub async fn two_different_people_approve_what_they_were_shown(world: World) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "prod"})).await?;
    shop.policy(two(), Some(shop.environment.id)).await?;
    let (asker, ada, grace) =
        (shop.approver("asker").await?, shop.approver("ada").await?, shop.approver("grace").await?);
    let asked = shop.ask(&asker, &shop.release("1.0.0").await?, json!({})).await?;
    assert_eq!(asked.status, PromotionStatus::AwaitingApproval);
    let hash = asked.subject_hash;
    assert_eq!(code(shop.approve(&asker, &asked, hash).await), "SEPARATION_OF_DUTIES");
    let stranger = shop.world.caller(Op::PromotionApprove);
    assert_eq!(code(shop.approve(&stranger, &asked, hash).await), "APPROVER_NOT_ELIGIBLE");
    assert_eq!(code(shop.approve(&ada, &asked, Digest::of(b"other")).await), "SUBJECT_CHANGED");
    let pending: Vec<PendingApproval> =
        shop.world.app.my_pending_approvals(&shop.now(&ada, Op::MyPendingApprovals)).await?;
    assert_eq!(pending.len(), 1);
    assert_eq!(pending[0].subject_hash, hash);
    assert!(shop.world.app.my_pending_approvals(&shop.now(&asker, Op::MyPendingApprovals)).await?.is_empty());
    assert_eq!(shop.approve(&ada, &asked, hash).await?.status, PromotionStatus::AwaitingApproval);
    assert_eq!(code(shop.approve(&ada, &asked, hash).await), "ALREADY_DECIDED");
    shop.work().await?;
    assert_eq!(shop.get(&asked).await?.status, PromotionStatus::AwaitingApproval);
    assert_eq!(shop.approve(&grace, &asked, hash).await?.status, PromotionStatus::Approved);
    shop.work().await?;
    assert_eq!(shop.get(&asked).await?.status, PromotionStatus::Deploying);
    let given = shop.world.app.promotion_approvals(&asker, asked.id).await?;
    assert_eq!(given.len(), 2);
    assert!(given.iter().all(|one| one.valid && one.roles == ["approver"]), "{given:?}");
    Ok(())
}

pub async fn a_change_of_what_was_approved_voids_approvals(world: World) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "prod"})).await?;
    shop.policy(two(), Some(shop.environment.id)).await?;
    let (asker, ada) = (shop.approver("asker").await?, shop.approver("ada").await?);
    let asked = shop.ask(&asker, &shop.release("1.0.0").await?, json!({})).await?;
    shop.approve(&ada, &asked, asked.subject_hash).await?;
    shop.set(json!({"name": "prod", "description": "says nothing about what runs"})).await?;
    shop.work().await?;
    assert_eq!(shop.get(&asked).await?.subject_hash, asked.subject_hash);
    shop.set(json!({"name": "prod", "variables": {"LEVEL": "debug"}})).await?;
    shop.work().await?;
    let changed = shop.get(&asked).await?;
    assert_ne!(changed.subject_hash, asked.subject_hash);
    assert_eq!(changed.status, PromotionStatus::AwaitingApproval);
    let given = shop.world.app.promotion_approvals(&asker, asked.id).await?;
    assert!(!given[0].valid && given[0].void_reason.is_some(), "{given:?}");
    let refused = shop.approve(&ada, &asked, asked.subject_hash).await.unwrap_err();
    assert_eq!(refused.code().as_str(), "SUBJECT_CHANGED");
    let told = json!({"subjectHash": changed.subject_hash, "changed": ["variables"]});
    assert_eq!(refused.public_details(), Some(&told));
    shop.approve(&ada, &asked, changed.subject_hash).await?;
    // The history tells it, also when no verdict did change, and goes into the packet.
    let history = shop.world.app.promotion_decision(&asker, asked.id).await?.history;
    let seen: Vec<_> = history.iter().filter_map(|one| one.subject_change.clone()).collect();
    assert_eq!(seen.len(), 1, "{history:?}");
    assert_eq!((seen[0].from, seen[0].to), (asked.subject_hash, changed.subject_hash));
    assert_eq!(seen[0].changed, ["variables"]);
    let cancel = shop.now(&asker, Op::PromotionCancel);
    shop.world.app.promotion_cancel(&cancel, asked.id, body(json!({}))).await?;
    let sealed = shop.world.app.promotion_evidence(&asker, asked.id).await?.remove(0);
    assert!(sealed.statement["predicate"]["history"].to_string().contains(&changed.subject_hash.to_string()));
    Ok(())
}

pub async fn a_freeze_holds_it_up_and_its_end_lets_it_go(world: World) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "prod"})).await?;
    let now = shop.world.clock.now();
    let window = json!({
        "name": "night", "reason": "sleep", "startsAt": now.plus_seconds(-60), "endsAt": now.plus_seconds(600)
    });
    let freeze = shop.world.caller(Op::FreezeWindowCreate);
    shop.world.app.freeze_window_create(&freeze, shop.environment.id, body(window)).await?;
    let (asker, release) = (shop.world.caller(Op::PromotionCreate), shop.release("1.0.0").await?);
    let refused = shop.ask(&asker, &release, json!({"failIfBlocked": true})).await.unwrap_err();
    assert_eq!(refused.code().as_str(), "PROMOTION_BLOCKED");
    assert!(refused.public_details().unwrap()["gates"].as_array().unwrap().len() >= 2);
    // Nothing is left of it but what was decided, and from what.
    assert_eq!(shop.world.count("SELECT count(*) FROM promotion").await?, 0);
    let packet: EvidencePacketId = body(refused.public_details().unwrap()["evidencePacketId"].clone());
    let sealed = shop.world.app.evidence_packet_get(&asker, packet).await?;
    assert_eq!((sealed.kind, sealed.promotion_id), (EvidenceType::PromotionDecision, None));
    let says = &sealed.statement["predicate"];
    assert_eq!((&says["failIfBlocked"], &says["decision"]["outcome"]), (&json!(true), &json!("blocked")));
    let (inputs, decision) = (body(says["inputs"].clone()), body(says["decision"].clone()));
    assert_eq!(decide::replay(&inputs, &decision)?, Vec::<String>::new());
    let trail = shop.world.trail().await?;
    let told: Vec<_> = trail.iter().filter(|event| event.action == "promotion_create").collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((told[0].outcome, told[0].error_code.as_deref()), (AuditOutcome::Refused, Some("PROMOTION_BLOCKED")));
    let asked = shop.ask(&asker, &release, json!({})).await?;
    assert_eq!(asked.status, PromotionStatus::Blocked);
    let gates = asked.decision.clone().expect("a decision").gates;
    assert!(gates.iter().any(|gate| matches!(gate.verdict, GateVerdict::Deny | GateVerdict::Pending)));
    shop.work().await?;
    assert_eq!(shop.get(&asked).await?.status, PromotionStatus::Blocked);
    let preview = json!({
        "releaseId": release.id, "targetEnvironmentId": shop.environment.id, "at": now.plus_seconds(700)
    });
    let seen = shop.world.app.promotion_preview_gates(&asker, body(preview)).await?;
    assert_eq!(seen.outcome, DecisionOutcome::Approved);
    assert_eq!(seen.changes.len(), 1);
    shop.world.clock.forward(700);
    shop.work().await?;
    assert_eq!(shop.get(&asked).await?.status, PromotionStatus::Deploying);
    Ok(())
}

pub async fn one_rejection_ends_it_with_its_decision_sealed(world: World) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "prod"})).await?;
    shop.policy(two(), Some(shop.environment.id)).await?;
    let (asker, ada) = (shop.approver("asker").await?, shop.approver("ada").await?);
    let release = shop.release("1.0.0").await?;
    let asked = shop.ask(&asker, &release, json!({})).await?;
    let reject = shop.now(&ada, Op::PromotionReject);
    shop.world.app.promotion_reject(&reject, asked.id, body(json!({"comment": "no"}))).await?;
    let ended = shop.get(&asked).await?;
    assert_eq!((ended.status, ended.evidence_packet_ids.len()), (PromotionStatus::Rejected, 1));
    assert_eq!(code(shop.approve(&ada, &asked, asked.subject_hash).await), "ALREADY_DECIDED");
    shop.work().await?;
    assert_eq!(shop.get(&asked).await?, ended);
    // The way is free for another one, which its requester takes back.
    let again = shop.ask(&asker, &release, json!({})).await?;
    let cancel = shop.now(&asker, Op::PromotionCancel);
    shop.world.app.promotion_cancel(&cancel, again.id, body(json!({}))).await?;
    let ended = shop.get(&again).await?;
    assert_eq!((ended.status, ended.evidence_packet_ids.len()), (PromotionStatus::Cancelled, 1));
    Ok(())
}

pub async fn a_looser_policy_does_not_loosen_an_open_promotion(world: World) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "prod"})).await?;
    let policy = shop.policy(two(), Some(shop.environment.id)).await?;
    let (asker, ada) = (shop.approver("asker").await?, shop.approver("ada").await?);
    let asked = shop.ask(&asker, &shop.release("1.0.0").await?, json!({})).await?;
    let one = json!([{ "name": "leads", "minApprovals": 1, "approvers": { "roles": ["approver"] } }]);
    let update = shop.world.caller(Op::ApprovalPolicyUpdate);
    let mut json = json!({"name": "prod", "environmentIds": [shop.environment.id], "rules": one});
    let without = shop.world.app.approval_policy_update(&update, policy.id, replace(json.clone())).await;
    assert_eq!(code(without), "VALIDATION_FAILED");
    json["reason"] = json!("too slow");
    shop.world.app.approval_policy_update(&update, policy.id, replace(json)).await?;
    shop.work().await?;
    let now = shop.get(&asked).await?;
    assert_eq!(shop.approve(&ada, &asked, now.subject_hash).await?.status, PromotionStatus::AwaitingApproval);
    let delete = shop.world.caller(Op::ApprovalPolicyDelete);
    assert_eq!(code(shop.world.app.approval_policy_delete(&delete, policy.id).await), "IN_USE");
    Ok(())
}
