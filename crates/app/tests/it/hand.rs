//! An agent played by hand: it says what a test wants it to say.

use anyhow::{Context as _, Result};
use plimsoll_app::agent_session::AgentCaller;
use plimsoll_core::{
    Digest,
    audit::{Principal, PrincipalType},
    deployment::{DeploymentJob, Task},
    id::{AgentId, JobId, TargetId, TypedId as _, UserId},
    inventory::{Agent, AgentStatus, Target},
    permission::Grants,
};
use plimsoll_protocol::{
    agent::{AgentFrame, ServerFrame, order::TaskOffer},
    operation::OperationId as Op,
};
use plimsoll_store::{Scope, Tx, deployment::TaskRow, resource};
use serde_json::{Value, json};

use crate::{
    shop::Shop,
    support::{World, answer, body, everything, replace},
};

/// An agent of the world's tenant.
pub struct Hand {
    pub caller: AgentCaller,
    pub id: AgentId,
}

impl Hand {
    /// An agent that is online.
    pub async fn enrol(world: &World, name: &str, labels: Value) -> Result<Self> {
        let id: AgentId = world.app.context.id();
        let agent: Agent = serde_json::from_value(json!({
            "id": id, "name": name, "hostname": name, "version": "1", "protocolVersion": 1, "os": "linux",
            "arch": "amd64", "capabilities": [], "labels": labels, "status": "online", "enabled": true,
            "publicKeyFingerprint": "", "runningTasks": [], "revision": 1, "createdAt": world.clock.now(),
            "updatedAt": world.clock.now()
        }))?;
        world.app.store.write(Scope::Tenant(world.tenant), "test", move |tx| resource::insert(tx, &agent)).await?;
        let principal = Principal {
            tenant: world.tenant,
            kind: PrincipalType::Agent,
            id: id.uuid(),
            user: UserId::from_uuid(id.uuid()),
            name: name.to_owned(),
            roles: Vec::new(),
            grants: Grants::default(),
            token_id: String::new(),
        };
        Ok(Self { caller: AgentCaller::new(principal), id })
    }

    /// It is not heard any more.
    pub async fn silence(&self, world: &World) -> Result<()> {
        let id = self.id;
        let silence = move |tx: &mut Tx<'_>| {
            let mut agent: Agent = resource::get(tx, id)?;
            agent.status = AgentStatus::Offline;
            resource::update(tx, &mut agent)
        };
        Ok(world.app.store.write(Scope::Tenant(world.tenant), "test", silence).await?)
    }

    /// What the server wants of it now.
    pub async fn pending(&self, world: &World) -> Result<Vec<ServerFrame>> {
        Ok(world.app.agent_pending(&self.caller).await?)
    }

    /// Says something.
    pub async fn say(&self, world: &World, kind: &str, data: Value) -> Result<Vec<ServerFrame>> {
        let frame: AgentFrame = serde_json::from_value(json!({ "type": kind, "data": data }))?;
        Ok(world.app.agent_frame(&self.caller, frame).await?)
    }

    /// Takes the one task that is offered.
    pub async fn take(&self, world: &World) -> Result<TaskOffer> {
        self.take_all(world, 1).await?.pop().context("an offer")
    }

    /// Takes as many tasks as are offered, which must be so many.
    pub async fn take_all(&self, world: &World, count: usize) -> Result<Vec<TaskOffer>> {
        let mut offers: Vec<TaskOffer> = Vec::new();
        for frame in self.pending(world).await? {
            if let ServerFrame::Offer(offer) = frame {
                offers.push(offer);
            }
        }
        anyhow::ensure!(offers.len() == count, "{} offers", offers.len());
        for offer in &offers {
            self.say(world, "task.ack", json!({ "taskId": offer.task_id, "epoch": offer.epoch })).await?;
        }
        Ok(offers)
    }

    /// Tells how a task ended.
    pub async fn end(&self, world: &World, offer: &TaskOffer, outcome: &str, more: Value) -> Result<Value> {
        let now = world.clock.now();
        let mut data = json!({
            "taskId": offer.task_id, "epoch": offer.epoch, "outcome": outcome, "startedAt": now, "finishedAt": now,
            "components": [], "stickerPlaced": outcome == "succeeded"
        });
        data.as_object_mut().context("an object")?.extend(more.as_object().context("an object")?.clone());
        let answers = self.say(world, "task.result", data).await?;
        Ok(serde_json::to_value(&answers)?[0]["data"]["verdict"].clone())
    }

    /// Tells what it sees on a target: the components that run, each with its digest.
    pub async fn see(&self, world: &World, target: TargetId, running: &[(&str, Digest)]) -> Result<()> {
        let seen = seen(world, target, running);
        self.say(world, "status", json!({ "resources": {}, "tasks": [], "targets": [seen] })).await?;
        Ok(())
    }
}

/// What runs on a target.
pub fn seen(world: &World, target: TargetId, running: &[(&str, Digest)]) -> Value {
    let running: Vec<Value> = running
        .iter()
        .map(|(component, digest)| {
            json!({
                "application": "shop", "component": component, "instance": 0, "name": component, "epoch": 1,
                "state": "running", "imageId": digest, "health": "healthy", "restarts": 0
            })
        })
        .collect();
    json!({ "targetId": target, "at": world.clock.now(), "resources": {}, "epoch": 1, "running": running, "stickers": [] })
}

impl Shop {
    /// The targets, by name.
    pub async fn targets(&self) -> Result<Vec<Target>> {
        let caller = self.world.caller(Op::TargetList);
        Ok(self.world.app.target_list(&caller, everything::<Target>("name")?).await?.items)
    }

    /// Gives the first target an agent.
    pub async fn staffed(&self) -> Result<(Hand, TargetId)> {
        let hand = Hand::enrol(&self.world, "hand-1", json!({})).await?;
        let target = self.targets().await?.remove(0);
        self.assign(&target, json!({ "agentId": hand.id })).await?;
        Ok((hand, target.id))
    }

    /// Says which agent acts on a target.
    pub async fn assign(&self, target: &Target, more: Value) -> Result<Target> {
        let mut json = json!({ "environmentId": target.environment_id, "name": target.name, "type": target.kind });
        json.as_object_mut().context("an object")?.extend(more.as_object().context("an object")?.clone());
        let caller = self.world.caller(Op::TargetUpdate);
        answer(&self.world.app.target_update(&caller, target.id, replace(json)).await?)
    }

    /// A further target.
    pub async fn target(&self, name: &str, more: Value) -> Result<Target> {
        let mut json = json!({ "environmentId": self.environment.id, "name": name, "type": "docker_host" });
        json.as_object_mut().context("an object")?.extend(more.as_object().context("an object")?.clone());
        answer(&self.world.app.target_create(&self.world.caller(Op::TargetCreate), body(json)).await?)
    }

    /// A job as it stands.
    pub async fn job(&self, id: JobId) -> Result<DeploymentJob> {
        Ok(self.world.app.deployment_job_get(&self.world.caller(Op::DeploymentJobGet), id).await?)
    }

    /// Its tasks.
    pub async fn tasks(&self, id: JobId) -> Result<Vec<Task>> {
        let caller = self.world.caller(Op::DeploymentJobTasks);
        let query = everything::<TaskRow>("batch")?;
        let all = self.world.app.deployment_job_tasks(&caller, id, query).await?.items;
        Ok(all.into_iter().filter(|task| task.job_id == id).collect())
    }

    /// Asks for a release and lets the background start its job.
    pub async fn start(&self, version: &str) -> Result<DeploymentJob> {
        let release = self.release(version).await?;
        let asked = self.ask(&self.world.caller(Op::PromotionCreate), &release, json!({})).await?;
        self.work().await?;
        let job = self.get(&asked).await?.deployment_job_id.context("a job")?;
        self.advance().await?;
        self.job(job).await
    }

    /// Lets the background look at jobs.
    pub async fn advance(&self) -> Result<()> {
        plimsoll_app::deployment::advance::step(self.world.app.clone()).await?;
        Ok(())
    }

    /// Lets the background look for tasks that nobody answers for.
    pub async fn sweep(&self) -> Result<()> {
        plimsoll_app::deployment::lost::sweep(self.world.app.clone()).await?;
        Ok(())
    }

    /// Brings a release to the one target.
    pub async fn bring(&self, hand: &Hand, version: &str) -> Result<DeploymentJob> {
        let job = self.start(version).await?;
        let offer = hand.take(&self.world).await?;
        hand.end(&self.world, &offer, "succeeded", json!({})).await?;
        self.advance().await?;
        self.job(job.id).await
    }
}
