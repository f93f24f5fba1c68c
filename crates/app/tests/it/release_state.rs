//! Where releases are, told from promotions, jobs and what runs.

use anyhow::Result;
use plimsoll_app::promotion;
use plimsoll_core::{
    deployment::{DeploymentJob, JobStatus, Progress},
    environment::Environment,
    id::JobId,
    promotion::{Promotion, PromotionStatus},
    release::{EnvironmentStateStatus as S, Release, ReleaseState},
};
use plimsoll_protocol::operation::OperationId as Op;
use plimsoll_store::{Scope, deployment as jobs, promotion::PromotionRow, resource};
use serde_json::{Value, json};

use crate::{
    fake_registry::FakeRegistry,
    on_both_databases,
    support::{World, answer, body, code},
};

on_both_databases!(
    a_release_goes_from_pending_to_superseded,
    a_rollback_is_told_from_a_newer_release,
    what_was_promoted_stays,
);

struct Shop {
    world: World,
    dev: Environment,
}

async fn shop(world: World) -> Result<Shop> {
    let world = world.with_registries(FakeRegistry::new(["1.0.0", "2.0.0"].map(str::to_owned)));
    let hub = world.registry("http://127.0.0.1:1").await?.id;
    let api = json!({"name": "api", "registryIntegrationId": hub, "repository": "shop/api"});
    let api = world.component(api).await?;
    world.sync(api.id).await?;
    let environment = async |json: Value| -> Result<Environment> {
        answer(&world.app.environment_create(&world.caller(Op::EnvironmentCreate), body(json)).await?)
    };
    environment(json!({"name": "prod", "orderIndex": 2})).await?;
    let dev = environment(json!({"name": "dev", "orderIndex": 1})).await?;
    let target = json!({"environmentId": dev.id, "name": "web-1", "type": "docker_host"});
    world.app.target_create(&world.caller(Op::TargetCreate), body(target)).await?;
    Ok(Shop { world, dev })
}

impl Shop {
    async fn release(&self, version: &str) -> Result<Release> {
        let json = json!({
            "name": "shop", "version": version, "finalize": true, "components": [{"component": "api", "tag": version}],
        });
        answer(&self.world.app.release_create(&self.world.caller(Op::ReleaseCreate), body(json)).await?)
    }

    async fn promote(&self, release: &Release) -> Result<Promotion> {
        let json = json!({"releaseId": release.id, "targetEnvironmentId": self.dev.id});
        answer(&self.world.app.promotion_create(&self.world.caller(Op::PromotionCreate), body(json)).await?)
    }

    async fn start(&self, promotion: &Promotion) -> Result<JobId> {
        self.world.clock.forward(6);
        promotion::decide::step(self.world.app.clone()).await?;
        let found = self.world.app.promotion_get(&self.world.caller(Op::PromotionGet), promotion.id).await?;
        Ok(found.deployment_job_id.expect("a job"))
    }

    /// The agent's part, done by hand.
    async fn finish(&self, job: JobId) -> Result<()> {
        self.world.clock.forward(6);
        let now = self.world.clock.now();
        let write = move |tx: &mut plimsoll_store::Tx<'_>| {
            let mut job: DeploymentJob = resource::get(tx, job)?;
            (job.status, job.finished_at) = (JobStatus::Succeeded, Some(now));
            job.progress = Progress { total: 1, succeeded: 1, ..Progress::default() };
            resource::update(tx, &mut job)?;
            let target = job.plan.targets[0].target_id;
            let kept = jobs::spec::find(tx, job.id, target)?.expect("a spec");
            jobs::running::put(tx, &kept.spec.expect("something"), job.id, now)?;
            if let Some(id) = job.promotion_id {
                let mut row: PromotionRow = resource::get(tx, id)?;
                row.promotion.status = PromotionStatus::Deployed;
                resource::update(tx, &mut row)?;
            }
            Ok(())
        };
        Ok(self.world.app.store.write(Scope::Tenant(self.world.tenant), "test", write).await?)
    }

    async fn state(&self, release: &Release) -> Result<ReleaseState> {
        Ok(self.world.app.release_state(&self.world.caller(Op::ReleaseState), release.id).await?)
    }

    async fn in_dev(&self, release: &Release) -> Result<S> {
        Ok(self.state(release).await?.environments[0].status)
    }
}

async fn a_release_goes_from_pending_to_superseded(world: World) -> Result<()> {
    let shop = shop(world).await?;
    let one = shop.release("1.0.0").await?;
    let before = shop.state(&one).await?;
    let found: Vec<_> = before.environments.iter().map(|one| (one.environment.as_str(), one.status)).collect();
    assert_eq!(found, [("dev", S::NotDeployed), ("prod", S::NotDeployed)]);
    let promotion = shop.promote(&one).await?;
    assert_eq!(shop.in_dev(&one).await?, S::Pending);
    let job = shop.start(&promotion).await?;
    assert_eq!(shop.in_dev(&one).await?, S::Deploying);
    shop.finish(job).await?;
    let after = shop.state(&one).await?.environments.remove(0);
    assert_eq!((after.status, after.job_id, after.promotion_id), (S::Deployed, Some(job), Some(promotion.id)));
    assert_eq!(after.since, Some(shop.world.clock.now()));
    assert_eq!(after.targets, [("succeeded".to_owned(), 1)].into());

    let two = shop.release("2.0.0").await?;
    let second = shop.start(&shop.promote(&two).await?).await?;
    assert_eq!((shop.in_dev(&one).await?, shop.in_dev(&two).await?), (S::Deployed, S::Deploying));
    shop.finish(second).await?;
    assert_eq!((shop.in_dev(&one).await?, shop.in_dev(&two).await?), (S::Superseded, S::Deployed));
    let stranger = shop.world.caller_of(shop.world.app.context.id(), Op::ReleaseState);
    assert_eq!(code(shop.world.app.release_state(&stranger, one.id).await), "NOT_FOUND");
    Ok(())
}

async fn a_rollback_is_told_from_a_newer_release(world: World) -> Result<()> {
    let shop = shop(world).await?;
    let (one, two) = (shop.release("1.0.0").await?, shop.release("2.0.0").await?);
    for release in [&one, &two] {
        let job = shop.start(&shop.promote(release).await?).await?;
        shop.finish(job).await?;
    }
    let json = json!({"environmentId": shop.dev.id, "application": "shop", "reason": "it loses orders"});
    shop.world.clock.forward(6);
    let reply = shop.world.app.rollback_create(&shop.world.caller(Op::RollbackCreate), body(json)).await?;
    let back: DeploymentJob = answer(&reply)?;
    shop.finish(back.id).await?;
    assert_eq!((shop.in_dev(&one).await?, shop.in_dev(&two).await?), (S::Deployed, S::RolledBack));
    Ok(())
}

async fn what_was_promoted_stays(world: World) -> Result<()> {
    let shop = shop(world).await?;
    let one = shop.release("1.0.0").await?;
    let promotion = shop.promote(&one).await?;
    let delete = shop.world.caller(Op::ReleaseDelete);
    let refusal = shop.world.app.release_delete(&delete, one.id).await.unwrap_err();
    assert_eq!(refusal.code().as_str(), "IN_USE");
    assert_eq!(refusal.public_details().unwrap()["references"][0]["id"], json!(promotion.id));
    Ok(())
}
