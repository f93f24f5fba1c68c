//! Going back: along the history, with the whole set, past what is under way.

use anyhow::{Context as _, Result};
use plimsoll_core::{
    deployment::{DeploymentJob, JobStatus, PlannedChange, Rollback, TaskStatus},
    id::ComponentId,
    promotion::PromotionStatus,
};
use plimsoll_protocol::operation::OperationId as Op;
use plimsoll_store::{Scope, Tx, resource, rollback::RollbackRow};
use serde_json::{Value, json};

use crate::{
    fake_registry::FakeRegistry,
    hand::Hand,
    on_both_databases,
    shop::{Shop, digest_of},
    support::{World, answer, body, code, everything},
};

on_both_databases!(
    it_goes_back_along_the_history_and_holds_what_waits,
    it_stops_what_is_under_way_and_waits_for_its_end,
    an_image_that_is_gone_refuses_it_before_anything_changes,
    the_whole_set_comes_back_on_all_targets,
    the_last_of_several_is_carried_out,
    in_an_exclusive_environment_it_waits_for_the_others,
    the_way_back_is_as_long_as_the_history,
    an_image_that_runs_where_it_stays_need_not_be_in_the_registry,
);

const VERSIONS: [&str; 4] = ["1.0.0", "2.0.0", "3.0.0", "4.0.0"];

/// A shop whose registry has all versions.
async fn stocked(world: World, environment: Value) -> Result<(Shop, FakeRegistry)> {
    let registry = FakeRegistry::new(VERSIONS.map(str::to_owned));
    let shop = Shop::open(world.with_registries(registry.clone()), environment).await?;
    Ok((shop, registry))
}

async fn back(shop: &Shop, more: Value) -> plimsoll_core::Result<DeploymentJob> {
    let mut json = json!({"environmentId": shop.environment.id, "reason": "it loses orders"});
    json.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    let caller = shop.world.caller(Op::RollbackCreate);
    let reply = shop.world.app.rollback_create(&caller, body(json)).await?;
    Ok(answer(&reply).expect("a job"))
}

async fn listed(shop: &Shop) -> Result<Vec<Rollback>> {
    let caller = shop.world.caller(Op::RollbackList);
    Ok(shop.world.app.rollback_list(&caller, everything::<RollbackRow>("-createdAt")?).await?.items)
}

pub async fn it_goes_back_along_the_history_and_holds_what_waits(world: World) -> Result<()> {
    let (shop, _) = stocked(world, json!({"name": "dev"})).await?;
    let (hand, _) = shop.staffed().await?;
    let good = shop.bring(&hand, "1.0.0").await?;
    assert_eq!(code(back(&shop, json!({})).await), "NOTHING_TO_ROLL_BACK_TO");
    let bad = shop.bring(&hand, "2.0.0").await?;
    let never = shop.release("3.0.0").await?;
    assert_eq!(code(back(&shop, json!({"toReleaseId": never.id})).await), "NEVER_DEPLOYED_HERE");
    let asker = shop.world.caller(Op::PromotionCreate);
    let waiting = shop.ask(&asker, &never, json!({})).await?;
    let job = back(&shop, json!({})).await?;
    assert_eq!((job.release_id, job.from_release_id), (good.release_id, Some(bad.release_id)));
    assert_eq!(job.promotion_id, bad.promotion_id);
    let told = listed(&shop).await?.remove(0);
    assert_eq!((told.id, told.held_promotion_ids.clone()), (job.id, vec![waiting.id]));
    assert!(told.stopped_job_ids.is_empty() && told.unchecked_images.is_empty());
    shop.work().await?;
    assert!(shop.get(&waiting).await?.held);
    assert_eq!(shop.get(&waiting).await?.status, PromotionStatus::Approved);
    shop.advance().await?;
    let offer = hand.take(&shop.world).await?;
    assert_eq!(offer.order()?.spec.context("a spec")?.components[0].image.digest, digest_of("1.0.0"));
    hand.end(&shop.world, &offer, "succeeded", json!({})).await?;
    shop.advance().await?;
    assert_eq!(shop.job(job.id).await?.status, JobStatus::Succeeded);
    let get = shop.world.caller(Op::PromotionGet);
    let undone = shop.world.app.promotion_get(&get, bad.promotion_id.context("a promotion")?).await?;
    assert_eq!(undone.status, PromotionStatus::RolledBack);
    let packets = shop.job(job.id).await?.evidence_packet_ids;
    let packet = shop.world.app.evidence_packet_get(&shop.world.caller(Op::EvidencePacketGet), packets[0]).await?;
    crate::evidence::fits(&packet);
    assert_eq!(packet.statement["predicate"]["rollback"]["reason"], "it loses orders");
    // Held until a person lets it go.
    shop.work().await?;
    assert!(shop.get(&waiting).await?.deployment_job_id.is_none());
    let resume = shop.world.caller(Op::PromotionResume);
    shop.world.app.promotion_resume(&resume, waiting.id, body(json!({"reason": "looked at"}))).await?;
    assert_eq!(code(shop.world.app.promotion_resume(&resume, waiting.id, body(json!({}))).await), "STATE_CONFLICT");
    shop.work().await?;
    assert_eq!(shop.get(&waiting).await?.status, PromotionStatus::Deploying);
    Ok(())
}

pub async fn it_stops_what_is_under_way_and_waits_for_its_end(world: World) -> Result<()> {
    let (shop, _) = stocked(world, json!({"name": "dev"})).await?;
    let (hand, _) = shop.staffed().await?;
    let good = shop.bring(&hand, "1.0.0").await?;
    let bad = shop.start("2.0.0").await?;
    let offer = hand.take(&shop.world).await?;
    let job = back(&shop, json!({})).await?;
    assert_eq!(
        (job.status, job.release_id, job.from_release_id),
        (JobStatus::Queued, good.release_id, Some(bad.release_id))
    );
    let stopped = shop.job(bad.id).await?;
    assert_eq!(stopped.status, JobStatus::Cancelling);
    assert_eq!(listed(&shop).await?[0].stopped_job_ids, [bad.id]);
    shop.advance().await?;
    assert_eq!(shop.job(job.id).await?.status, JobStatus::Queued);
    // It was too late for the agent: the new one runs. The rollback knows that when its turn comes.
    hand.end(&shop.world, &offer, "succeeded", json!({})).await?;
    shop.advance().await?;
    shop.advance().await?;
    assert_eq!(shop.job(bad.id).await?.status, JobStatus::Cancelled);
    assert_eq!(shop.job(job.id).await?.status, JobStatus::Running);
    let task = shop.tasks(job.id).await?.remove(0);
    assert_eq!(task.components[0].from_digest, Some(digest_of("2.0.0")));
    let offer = hand.take(&shop.world).await?;
    let order = offer.order()?;
    assert_eq!(order.spec.context("a spec")?.components[0].image.digest, digest_of("1.0.0"));
    assert_eq!(order.previous.context("what runs")?.components[0].image.digest, digest_of("2.0.0"));
    hand.end(&shop.world, &offer, "succeeded", json!({})).await?;
    shop.advance().await?;
    assert_eq!(shop.job(job.id).await?.status, JobStatus::Succeeded);
    let get = shop.world.caller(Op::PromotionGet);
    let undone = shop.world.app.promotion_get(&get, bad.promotion_id.context("a promotion")?).await?;
    assert_eq!(undone.status, PromotionStatus::RolledBack);
    assert_eq!(shop.targets().await?[0].running[0].release_id, good.release_id);
    // Without a link the one under way ends in its bounded way, and the rollback goes on.
    let third = shop.start("3.0.0").await?;
    hand.take(&shop.world).await?;
    let job = back(&shop, json!({})).await?;
    shop.advance().await?;
    shop.world.clock.forward(71);
    shop.sweep().await?;
    shop.advance().await?;
    shop.advance().await?;
    assert_eq!(shop.job(third.id).await?.status, JobStatus::Cancelled);
    assert_eq!(shop.job(job.id).await?.status, JobStatus::Running);
    let offer = hand.take(&shop.world).await?;
    assert_eq!(offer.order()?.spec.context("a spec")?.components[0].image.digest, digest_of("1.0.0"));
    Ok(())
}

pub async fn an_image_that_is_gone_refuses_it_before_anything_changes(world: World) -> Result<()> {
    let (shop, registry) = stocked(world, json!({"name": "dev"})).await?;
    let (hand, _) = shop.staffed().await?;
    shop.bring(&hand, "1.0.0").await?;
    let bad = shop.start("2.0.0").await?;
    hand.take(&shop.world).await?;
    registry.forget("1.0.0");
    let refused = back(&shop, json!({})).await.unwrap_err();
    assert_eq!(refused.code().as_str(), "ROLLBACK_IMAGE_MISSING");
    let image = format!("shop/api@{}", digest_of("1.0.0"));
    assert_eq!(refused.public_details().context("details")?["images"], json!([image]));
    assert_eq!(shop.job(bad.id).await?.status, JobStatus::Running);
    assert_eq!(shop.world.count("SELECT count(*) FROM rollback").await?, 0);
    // A registry that can't tell holds nothing up, and it is said that it could not.
    registry.limit_to(0);
    back(&shop, json!({})).await?;
    assert_eq!(listed(&shop).await?[0].unchecked_images, [image]);
    Ok(())
}

pub async fn the_whole_set_comes_back_on_all_targets(world: World) -> Result<()> {
    let set = |level: &str| json!({"name": "dev", "strategy": {"type": "all_at_once"}, "variables": {"LEVEL": level}});
    let (shop, _) = stocked(world, set("info")).await?;
    let (hand, _) = shop.staffed().await?;
    let (api, web): (ComponentId, ComponentId) = (shop.component, shop.world.app.context.id());
    let asker = shop.world.caller(Op::PromotionCreate);
    let bring = async |version: &str, parts: &[(ComponentId, &str)], targets: usize| -> Result<()> {
        let release = shop.release_with("shop", version, parts).await?;
        shop.ask(&asker, &release, json!({})).await?;
        shop.work().await?;
        shop.advance().await?;
        for offer in hand.take_all(&shop.world, targets).await? {
            hand.end(&shop.world, &offer, "succeeded", json!({})).await?;
        }
        shop.advance().await
    };
    bring("1.0.0", &[(api, "api"), (web, "web")], 1).await?;
    // Since then a component went, a target came, and a variable changed.
    shop.set(set("debug")).await?;
    let second = shop.target("web-2", json!({"agentId": hand.id})).await?;
    bring("2.0.0", &[(api, "api")], 2).await?;
    let job = back(&shop, json!({})).await?;
    assert_eq!(job.plan.targets.len(), 2);
    let changes = |index: usize| job.plan.targets[index].components.iter().map(|one| one.change).collect::<Vec<_>>();
    assert_eq!(changes(0), [PlannedChange::Replaced, PlannedChange::Added]);
    shop.advance().await?;
    for offer in hand.take_all(&shop.world, 2).await? {
        let spec = offer.order()?.spec.context("a spec")?;
        let digests: Vec<_> = spec.components.iter().map(|one| (one.name.as_str(), one.image.digest)).collect();
        assert_eq!(digests, [("api", digest_of("1.0.0")), ("web", digest_of("1.0.0"))]);
        let level = &spec.components[0].runtime.environment["LEVEL"];
        // What was sealed then is put back; a target that is newer gets what holds now.
        let expected = if spec.target_id == second.id { "debug" } else { "info" };
        assert_eq!(level, expected);
        hand.end(&shop.world, &offer, "succeeded", json!({})).await?;
    }
    shop.advance().await?;
    assert_eq!(shop.job(job.id).await?.status, JobStatus::Succeeded);
    // About one target alone.
    bring("3.0.0", &[(api, "api")], 2).await?;
    let job = back(&shop, json!({"targetIds": [second.id]})).await?;
    assert_eq!(job.plan.targets.iter().map(|one| one.target_id).collect::<Vec<_>>(), [second.id]);
    assert_eq!(job.promotion_id, None);
    Ok(())
}

pub async fn the_last_of_several_is_carried_out(world: World) -> Result<()> {
    let (shop, _) = stocked(world, json!({"name": "dev"})).await?;
    let (hand, _) = shop.staffed().await?;
    let first = shop.bring(&hand, "1.0.0").await?;
    shop.bring(&hand, "2.0.0").await?;
    let third = shop.start("3.0.0").await?;
    let offer = hand.take(&shop.world).await?;
    let one = back(&shop, json!({})).await?;
    let two = back(&shop, json!({"toReleaseId": first.release_id})).await?;
    let stopped = shop.job(one.id).await?;
    assert_eq!((stopped.status, shop.tasks(one.id).await?[0].status), (JobStatus::Cancelled, TaskStatus::Cancelled));
    assert_eq!(stopped.evidence_packet_ids.len(), 1);
    shop.advance().await?;
    hand.end(&shop.world, &offer, "cancelled", json!({"remains": "restored"})).await?;
    shop.advance().await?;
    shop.advance().await?;
    assert_eq!(shop.job(third.id).await?.status, JobStatus::Cancelled);
    let offer = hand.take(&shop.world).await?;
    assert_eq!(offer.order()?.job_id, two.id);
    assert_eq!(offer.order()?.spec.context("a spec")?.components[0].image.digest, digest_of("1.0.0"));
    Ok(())
}

pub async fn in_an_exclusive_environment_it_waits_for_the_others(world: World) -> Result<()> {
    let (shop, _) = stocked(world, json!({"name": "dev", "exclusive": true})).await?;
    let hand: Hand = shop.staffed().await?.0;
    shop.bring(&hand, "1.0.0").await?;
    shop.bring(&hand, "2.0.0").await?;
    let blog = shop.release_of("blog", shop.world.app.context.id(), "3.0.0").await?;
    let asked = shop.ask(&shop.world.caller(Op::PromotionCreate), &blog, json!({})).await?;
    shop.work().await?;
    shop.advance().await?;
    let other = shop.get(&asked).await?.deployment_job_id.context("a job")?;
    let job = back(&shop, json!({"application": "shop"})).await?;
    shop.advance().await?;
    assert_eq!(shop.job(job.id).await?.status, JobStatus::Queued);
    assert_eq!(shop.job(other).await?.status, JobStatus::Running);
    let offer = hand.take(&shop.world).await?;
    hand.end(&shop.world, &offer, "succeeded", json!({})).await?;
    shop.advance().await?;
    shop.advance().await?;
    assert_eq!(shop.job(job.id).await?.status, JobStatus::Running);
    Ok(())
}

pub async fn the_way_back_is_as_long_as_the_history(world: World) -> Result<()> {
    let (shop, _) = stocked(world, json!({"name": "dev"})).await?;
    let hand: Hand = shop.staffed().await?.0;
    let oldest = shop.bring(&hand, "1.0.0").await?;
    let older = shop.bring(&hand, "2.0.0").await?;
    let last = shop.bring(&hand, "3.0.0").await?;
    // Attempts that put themselves back, more of them than any page holds.
    let scope = Scope::Tenant(shop.world.tenant);
    let many: Vec<DeploymentJob> = (1..=250)
        .map(|number| DeploymentJob {
            id: shop.world.app.context.id(),
            status: JobStatus::RolledBack,
            created_at: last.created_at.plus_seconds(number),
            ..last.clone()
        })
        .collect();
    let insert = move |tx: &mut Tx<'_>| many.iter().try_for_each(|job| resource::insert(tx, job));
    shop.world.app.store.write(scope, "test", insert).await?;
    let asked = back(&shop, json!({})).await?;
    assert_eq!((asked.release_id, asked.from_release_id), (older.release_id, Some(last.release_id)));
    let asked = back(&shop, json!({"toReleaseId": oldest.release_id})).await?;
    assert_eq!(asked.release_id, oldest.release_id);
    Ok(())
}

pub async fn an_image_that_runs_where_it_stays_need_not_be_in_the_registry(world: World) -> Result<()> {
    let strategy = json!({"type": "all_at_once", "failurePolicy": "stop"});
    let (shop, registry) = stocked(world, json!({"name": "dev", "strategy": strategy})).await?;
    let (hand, first) = shop.staffed().await?;
    let second = shop.target("web-2", json!({"agentId": hand.id})).await?;
    for version in ["1.0.0", "2.0.0"] {
        shop.start(version).await?;
        for offer in hand.take_all(&shop.world, 2).await? {
            let stays = version == "2.0.0" && offer.order()?.target.id == second.id;
            let (outcome, more) =
                if stays { ("rolled_back", json!({"remains": "restored"})) } else { ("succeeded", json!({})) };
            hand.end(&shop.world, &offer, outcome, more).await?;
        }
        shop.advance().await?;
    }
    registry.forget("1.0.0");
    let refused = back(&shop, json!({"targetIds": [first]})).await.unwrap_err();
    assert_eq!(refused.code().as_str(), "ROLLBACK_IMAGE_MISSING");
    let asked = back(&shop, json!({"targetIds": [second.id]})).await?;
    assert_eq!(asked.release_version, "1.0.0");
    Ok(())
}
