//! Jobs while agents come and go: cancels with an end, targets that are settled by what runs there.

use anyhow::{Context as _, Result};
use plimsoll_core::{
    Digest,
    deployment::{Artifact, CancelMode, JobStatus, Plan, Remains, TaskStatus, spec::DeploymentSpec},
    id::JobId,
    promotion::PromotionStatus,
};
use plimsoll_protocol::{agent::ServerFrame, operation::OperationId as Op};
use plimsoll_store::{Scope, artifact::ArtifactRow, deployment::fence, resource::Resource as _};
use serde_json::{Value, json};

use crate::{
    hand::{Hand, seen},
    on_both_databases,
    shop::{Shop, digest_of},
    support::{World, answer, body, code, everything},
};

on_both_databases!(
    a_cancel_without_a_link_ends_unknown_and_the_target_is_settled_when_it_is_back,
    a_cancel_with_the_agent_there_ends_with_its_word,
    a_cancel_puts_back_what_was_done_when_asked_to,
    a_job_that_has_ended_or_is_elsewhere_is_not_cancelled,
    a_target_is_served_by_an_agent_that_its_labels_choose,
    a_job_leaves_its_plan_specs_reports_and_stickers,
    a_job_goes_on_when_another_lets_go_of_its_target,
    a_job_that_waits_for_an_offline_target_goes_on_when_it_is_back,
    an_agent_that_speaks_another_version_gets_no_tasks,
);

pub async fn cancel(shop: &Shop, job: JobId, json: Value) -> plimsoll_core::Result<plimsoll_app::Reply> {
    let caller = shop.world.caller(Op::DeploymentJobCancel);
    shop.world.app.deployment_job_cancel(&caller, job, body(json)).await
}

pub async fn a_cancel_without_a_link_ends_unknown_and_the_target_is_settled_when_it_is_back(
    world: World,
) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "dev"})).await?;
    let (hand, target) = shop.staffed().await?;
    assert_eq!(shop.bring(&hand, "1.0.0").await?.status, JobStatus::Succeeded);
    let job = shop.start("2.0.0").await?;
    let offer = hand.take(&shop.world).await?;
    shop.world.clock.forward(30);
    let held = json!({"taskId": offer.task_id, "epoch": offer.epoch});
    hand.say(&shop.world, "lease.renew", json!({"nonce": 1, "tasks": [held]})).await?;
    // The link is down from here on.
    cancel(&shop, job.id, json!({"reason": "wrong release"})).await?;
    shop.advance().await?;
    // The lease is 60 s; what is promised is an end within 70 s, with a second or two for the sweeper.
    shop.world.clock.forward(67);
    shop.sweep().await?;
    assert_eq!(shop.tasks(job.id).await?[0].status, TaskStatus::Running);
    shop.world.clock.forward(1);
    shop.sweep().await?;
    shop.advance().await?;
    let (ended, task) = (shop.job(job.id).await?, shop.tasks(job.id).await?.remove(0));
    assert_eq!((ended.status, task.status), (JobStatus::Cancelled, TaskStatus::Unknown));
    assert_eq!(ended.cancellation.context("a cancellation")?.reason.as_deref(), Some("wrong release"));
    assert_eq!(task.error.context("an error")?.code, "CANCEL_UNANSWERED");
    assert_eq!(ended.evidence_packet_ids.len(), 1);
    let fence_now = shop
        .world
        .app
        .store
        .write(Scope::Tenant(shop.world.tenant), "test", move |tx| fence::current(tx, target))
        .await?;
    assert!(fence_now > offer.epoch);
    assert!(shop.targets().await?[0].reconciliation_pending);
    // Back again: a late word of it changes nothing, half a change settles nothing.
    assert_eq!(hand.end(&shop.world, &offer, "succeeded", json!({})).await?, json!("stale"));
    hand.see(&shop.world, target, &[]).await?;
    assert!(shop.targets().await?[0].reconciliation_pending);
    shop.sweep().await?;
    let asked = hand.pending(&shop.world).await?;
    let [ServerFrame::Observe(question)] = asked.as_slice() else { anyhow::bail!("{asked:?}") };
    let report =
        json!({"requestId": question.request_id, "seen": seen(&shop.world, target, &[("api", digest_of("2.0.0"))])});
    hand.say(&shop.world, "observe.report", report).await?;
    let settled = shop.targets().await?.remove(0);
    assert!(!settled.reconciliation_pending);
    assert_eq!(settled.running[0].deployment_job_id, job.id);
    let task = shop.tasks(job.id).await?.remove(0);
    assert_eq!((task.status, task.remains), (TaskStatus::Unknown, Some(Remains::Changed)));
    // Word of its end comes once more: what is seen then holds.
    hand.end(&shop.world, &offer, "cancelled", json!({"remains": "restored"})).await?;
    assert!(shop.targets().await?[0].reconciliation_pending);
    hand.see(&shop.world, target, &[("api", digest_of("1.0.0"))]).await?;
    let settled = shop.targets().await?.remove(0);
    assert!(!settled.reconciliation_pending);
    assert_eq!(shop.tasks(job.id).await?[0].remains, Some(Remains::Restored));
    let brought = shop.job(settled.running[0].deployment_job_id).await?;
    assert_eq!(settled.running[0].release_id, ended.from_release_id.context("what ran")?);
    assert!(brought.id == job.id || brought.release_version == "1.0.0");
    Ok(())
}

pub async fn a_cancel_with_the_agent_there_ends_with_its_word(world: World) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "dev"})).await?;
    let (hand, _) = shop.staffed().await?;
    shop.bring(&hand, "1.0.0").await?;
    let job = shop.start("2.0.0").await?;
    let offer = hand.take(&shop.world).await?;
    let reply: Value = answer(&cancel(&shop, job.id, json!({})).await?)?;
    assert_eq!(reply["status"], "cancelling");
    shop.advance().await?;
    let told = hand.pending(&shop.world).await?;
    assert!(matches!(told.as_slice(), [ServerFrame::Cancel(cancel)] if cancel.task_id == offer.task_id), "{told:?}");
    // Cancelled once more, with other wishes: nothing has ended yet.
    cancel(&shop, job.id, json!({"rollback": true, "reason": "all of it"})).await?;
    assert_eq!(shop.job(job.id).await?.cancellation.context("asked")?.mode, CancelMode::Rollback);
    let verdict = hand.end(&shop.world, &offer, "cancelled", json!({"remains": "restored"})).await?;
    assert_eq!(verdict, json!("recorded"));
    shop.advance().await?;
    assert_eq!(shop.job(job.id).await?.status, JobStatus::Cancelled);
    let target = shop.targets().await?.remove(0);
    assert!(!target.reconciliation_pending);
    assert_ne!(target.running[0].deployment_job_id, job.id);
    assert_eq!(code(cancel(&shop, job.id, json!({})).await), "STATE_CONFLICT");
    Ok(())
}

pub async fn a_cancel_puts_back_what_was_done_when_asked_to(world: World) -> Result<()> {
    let strategy = json!({"type": "rolling", "batchSize": 1, "watchSeconds": 30});
    let shop = Shop::open(world, json!({"name": "dev", "strategy": strategy})).await?;
    let (hand, first) = shop.staffed().await?;
    shop.target("web-2", json!({"agentId": hand.id})).await?;
    let bring_all = async |version: &str| -> Result<()> {
        shop.start(version).await?;
        for _ in 0..2 {
            let offer = hand.take(&shop.world).await?;
            hand.end(&shop.world, &offer, "succeeded", json!({})).await?;
            shop.advance().await?;
        }
        Ok(())
    };
    bring_all("1.0.0").await?;
    let job = shop.start("2.0.0").await?;
    let offer = hand.take(&shop.world).await?;
    hand.end(&shop.world, &offer, "succeeded", json!({})).await?;
    shop.advance().await?;
    let second = hand.take(&shop.world).await?;
    assert_eq!(second.order()?.hints.watch_seconds, 30);
    cancel(&shop, job.id, json!({"rollback": true})).await?;
    shop.advance().await?;
    hand.end(&shop.world, &second, "cancelled", json!({"remains": "restored"})).await?;
    shop.advance().await?;
    let back = hand.take(&shop.world).await?;
    let order = back.order()?;
    assert_eq!(order.target.id, first);
    assert_eq!(order.hints.watch_seconds, 0, "what is put back is not watched");
    assert_eq!(order.spec.context("a spec")?.components[0].image.digest, digest_of("1.0.0"));
    hand.end(&shop.world, &back, "succeeded", json!({})).await?;
    shop.advance().await?;
    let ended = shop.job(job.id).await?;
    assert_eq!(ended.status, JobStatus::RolledBack);
    let by_target =
        |tasks: Vec<plimsoll_core::deployment::Task>| tasks.into_iter().map(|one| one.status).collect::<Vec<_>>();
    let statuses = by_target(shop.tasks(job.id).await?);
    assert!(statuses.contains(&TaskStatus::RolledBack) && statuses.contains(&TaskStatus::Cancelled), "{statuses:?}");
    let promotion = ended.promotion_id.context("a promotion")?;
    let promotion = shop.world.app.promotion_get(&shop.world.caller(Op::PromotionGet), promotion).await?;
    assert_eq!(promotion.status, PromotionStatus::RolledBack);
    for target in shop.targets().await? {
        let release = target.running[0].release_id;
        assert_eq!(Some(release), ended.from_release_id, "{}", target.name);
    }
    Ok(())
}

pub async fn a_job_that_has_ended_or_is_elsewhere_is_not_cancelled(world: World) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "dev"})).await?;
    let (hand, _) = shop.staffed().await?;
    let done = shop.bring(&hand, "1.0.0").await?;
    assert_eq!(code(cancel(&shop, done.id, json!({})).await), "STATE_CONFLICT");
    let nobody: JobId = shop.world.app.context.id();
    assert_eq!(code(cancel(&shop, nobody, json!({})).await), "NOT_FOUND");
    let job = shop.start("2.0.0").await?;
    let mut caller = shop.world.caller(Op::DeploymentJobCancel);
    caller.if_match = Some(job.revision + 7);
    assert_eq!(code(shop.world.app.deployment_job_cancel(&caller, job.id, body(json!({}))).await), "VERSION_MISMATCH");
    let grant = plimsoll_core::permission::Grant {
        permission: plimsoll_core::permission::Permission::DeploymentControl,
        environment: Some(shop.world.app.context.id()),
    };
    caller.principal.grants = plimsoll_core::permission::Grants::new([grant]);
    caller.if_match = None;
    assert_eq!(code(shop.world.app.deployment_job_cancel(&caller, job.id, body(json!({}))).await), "PERMISSION_DENIED");
    assert_eq!(shop.job(job.id).await?.status, JobStatus::Running);
    Ok(())
}

pub async fn a_target_is_served_by_an_agent_that_its_labels_choose(world: World) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "dev"})).await?;
    let east = Hand::enrol(&shop.world, "east", json!({"zone": "east"})).await?;
    let west = Hand::enrol(&shop.world, "west", json!({"zone": "west"})).await?;
    let target = shop.targets().await?.remove(0);
    shop.assign(&target, json!({"agentSelector": {"matchLabels": {"zone": "east"}}})).await?;
    let ServerFrame::Hello(hello) = shop.world.app.agent_hello(&east.caller).await? else { anyhow::bail!("no hello") };
    assert_eq!(hello.targets.iter().map(|one| one.id).collect::<Vec<_>>(), [target.id]);
    shop.start("1.0.0").await?;
    assert!(west.pending(&shop.world).await?.is_empty());
    let offer = east.take(&shop.world).await?;
    assert_eq!(offer.order()?.agent_id, east.id);
    east.end(&shop.world, &offer, "succeeded", json!({})).await?;
    shop.advance().await?;
    // Another one takes over when the first is not heard any more.
    let other = Hand::enrol(&shop.world, "east-2", json!({"zone": "east"})).await?;
    east.silence(&shop.world).await?;
    shop.start("2.0.0").await?;
    assert_eq!(other.take(&shop.world).await?.order()?.agent_id, other.id);
    Ok(())
}

pub async fn a_job_goes_on_when_another_lets_go_of_its_target(world: World) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "dev"})).await?;
    let (hand, _) = shop.staffed().await?;
    let first = shop.start("1.0.0").await?;
    let offer = hand.take(&shop.world).await?;
    let other = shop.release_of("blog", shop.world.app.context.id(), "1.0.0").await?;
    let asked = shop.ask(&shop.world.caller(Op::PromotionCreate), &other, json!({})).await?;
    shop.work().await?;
    shop.advance().await?;
    let second = shop.get(&asked).await?.deployment_job_id.context("a job")?;
    assert_eq!(shop.tasks(second).await?[0].status, TaskStatus::Pending);
    hand.end(&shop.world, &offer, "succeeded", json!({})).await?;
    shop.advance().await?;
    assert_eq!(shop.job(first.id).await?.status, JobStatus::Succeeded);
    assert_eq!(hand.take(&shop.world).await?.order()?.application, "blog");
    Ok(())
}

/// The agent is heard, and speaks this version of the protocol.
async fn beat(shop: &Shop, hand: &Hand, version: u32) -> Result<()> {
    let mut caller = shop.world.caller(Op::AgentHeartbeat);
    caller.principal = hand.caller.principal.clone();
    let beat = json!({
        "status": "online", "version": "9.1.0", "protocolVersion": version, "capabilities": [], "runningTasks": [],
        "resources": {"cpus": 1, "memoryBytes": 1, "memoryAvailableBytes": 1, "diskBytes": 1, "diskFreeBytes": 1, "loadMillis": 1}
    });
    shop.world.app.agent_heartbeat(&caller, hand.id, body(beat)).await?;
    Ok(())
}

pub async fn an_agent_that_speaks_another_version_gets_no_tasks(world: World) -> Result<()> {
    let strategy = |policy: Value| json!({"type": "all_at_once", "offlineTargets": policy});
    let shop = Shop::open(world, json!({"name": "dev", "strategy": strategy(json!({"policy": "fail"}))})).await?;
    let (hand, _) = shop.staffed().await?;
    beat(&shop, &hand, 99).await?;
    for (policy, status) in [("fail", TaskStatus::Failed), ("skip", TaskStatus::Skipped)] {
        shop.set(json!({"name": "dev", "strategy": strategy(json!({"policy": policy}))})).await?;
        let job = shop.start(&format!("1.0.0-{policy}")).await?;
        assert!(hand.take_all(&shop.world, 0).await?.is_empty());
        let task = shop.tasks(job.id).await?.remove(0);
        let error = task.error.context("an error")?;
        assert_eq!((task.status, error.code.as_str()), (status, "TARGET_OFFLINE"));
        assert!(error.message.contains("speaks protocol version 99"), "{error:?}");
        assert!(error.hint.is_some_and(|hint| hint.contains("server's version")));
    }
    // One that waits goes on when the agent speaks as the server does.
    shop.set(json!({"name": "dev", "strategy": strategy(json!({"policy": "wait", "waitSeconds": 3600}))})).await?;
    let job = shop.start("1.1.0").await?;
    assert_eq!(shop.tasks(job.id).await?[0].status, TaskStatus::Pending);
    shop.world.clock.forward(1);
    beat(&shop, &hand, 1).await?;
    shop.advance().await?;
    hand.take(&shop.world).await?;
    Ok(())
}

pub async fn a_job_that_waits_for_an_offline_target_goes_on_when_it_is_back(world: World) -> Result<()> {
    let strategy = json!({"type": "all_at_once", "offlineTargets": {"policy": "wait", "waitSeconds": 3600}});
    let shop = Shop::open(world, json!({"name": "dev", "strategy": strategy})).await?;
    let (hand, _) = shop.staffed().await?;
    hand.silence(&shop.world).await?;
    let job = shop.start("1.0.0").await?;
    assert_eq!(shop.tasks(job.id).await?[0].status, TaskStatus::Pending);
    beat(&shop, &hand, 1).await?;
    shop.advance().await?;
    hand.take(&shop.world).await?;
    Ok(())
}

pub async fn a_job_leaves_its_plan_specs_reports_and_stickers(world: World) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "dev"})).await?;
    let (hand, _) = shop.staffed().await?;
    shop.bring(&hand, "1.0.0").await?;
    let job = shop.start("2.0.0").await?;
    let caller = shop.world.caller(Op::DeploymentJobArtifacts);
    let listed = async || -> Result<Vec<Artifact>> {
        let query = everything::<ArtifactRow>("name")?.within(&ArtifactRow::TABLE, &json!({"jobId": job.id}))?;
        Ok(shop.world.app.deployment_job_artifacts(&caller, job.id, query).await?.items)
    };
    let names = |all: &[Artifact]| all.iter().map(|one| one.name.clone()).collect::<Vec<_>>();
    assert_eq!(names(&listed().await?), ["deployment-spec-web-1.json", "plan.json"]);
    let offer = hand.take(&shop.world).await?;
    let sticker = offer.order()?.sticker.context("a sticker")?;
    hand.end(&shop.world, &offer, "succeeded", json!({})).await?;
    let all = listed().await?;
    assert_eq!(
        names(&all),
        ["deployment-spec-web-1.json", "health-report-web-1.json", "plan.json", "sticker-web-1.json"]
    );
    let mut contents = Vec::new();
    for one in &all {
        let (told, content) = shop.world.app.deployment_job_artifact(&caller, job.id, one.id).await?;
        assert_eq!((&told, told.size_bytes, told.digest), (one, content.len() as u64, Digest::of(&content)));
        contents.push(content);
    }
    assert_eq!(contents[3], sticker.into_bytes());
    let plan: Plan = serde_json::from_slice(&contents[2])?;
    assert_eq!(plan, job.plan);
    let spec: DeploymentSpec = serde_json::from_slice(&contents[0])?;
    assert_eq!(spec.components[0].image.digest, digest_of("2.0.0"));
    let report: Value = serde_json::from_slice(&contents[1])?;
    assert_eq!((&report["outcome"], &report["targetName"]), (&json!("succeeded"), &json!("web-1")));
    // Another job's artifact is not found under this one.
    shop.advance().await?;
    let other = shop.start("3.0.0").await?;
    assert_eq!(code(shop.world.app.deployment_job_artifact(&caller, other.id, all[0].id).await), "NOT_FOUND");
    Ok(())
}

/// The job's own task, whatever was made to undo it.
pub fn forward(mut tasks: Vec<plimsoll_core::deployment::Task>) -> plimsoll_core::deployment::Task {
    tasks.retain(|task| task.undoes.is_none());
    tasks.remove(0)
}
