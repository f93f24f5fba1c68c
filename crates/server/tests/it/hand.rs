//! A job on one target, and the agent that has it played by hand over its own stream.

use plimsoll_authority::{secret::ExposeSecret as _, token::Subject};
use plimsoll_core::{
    Digest,
    audit::PrincipalType,
    id::{AgentId, ComponentId, ReleaseId, TypedId as _, UserId, VersionId},
    inventory::Agent,
    permission::{Grant, Grants, Permission},
    release::{Release, SealedRelease},
};
use plimsoll_store::{Scope, release as releases, resource};
use plimsoll_testkit::{PATIENCE, eventually_async};
use serde_json::{Value, json};

use crate::{
    peer::{Peer, Seen},
    world::World,
};

/// One job, and the agent of its target.
pub struct Hand {
    pub job: String,
    agent: AgentId,
    stream: Peer,
    offer: Value,
    chunk: u64,
}

impl Hand {
    /// A job of a release of one component; the agent has taken its one task.
    pub async fn with_a_job(world: &World) -> Self {
        let agent = enrol(world).await;
        let hub =
            json!({"name": "hub", "typeId": "oci_registry", "config": {"url": "http://127.0.0.1:1", "insecure": true}});
        let hub = world.post("/api/v1/integrations", &hub).await.id();
        let environment = world.post("/api/v1/environments", &json!({"name": "dev"})).await.id();
        let target = json!({"environmentId": environment, "name": "web-1", "type": "docker_host", "agentId": agent});
        world.post("/api/v1/targets", &target).await.id();
        let release = sealed(world, &hub).await;
        let mut stream = Peer::agent(world, agent).await;
        let asked = json!({"releaseId": release, "targetEnvironmentId": environment});
        let promotion = format!("/api/v1/promotions/{}", world.post("/api/v1/promotions", &asked).await.id());
        let offer = stream.until("task.offer").await["data"].clone();
        let job = eventually_async("the promotion has a job", PATIENCE, async || {
            world.get(&promotion).await.data()["deploymentJobId"].as_str().map(str::to_owned)
        });
        let job = job.await.unwrap();
        let mut hand = Self { job, agent, stream, offer, chunk: 0 };
        hand.say("task.ack", json!({})).await;
        hand
    }

    pub fn path(&self) -> String {
        format!("/api/v1/deployment-jobs/{}/stream", self.job)
    }

    pub fn task(&self) -> &str {
        self.offer["taskId"].as_str().unwrap()
    }

    pub const fn agent(&self) -> AgentId {
        self.agent
    }

    /// Says something about its task.
    pub async fn say(&mut self, kind: &str, mut data: Value) {
        data["taskId"] = self.offer["taskId"].clone();
        data["epoch"] = self.offer["epoch"].clone();
        self.stream.say(kind, &data).await;
    }

    /// One line of the task's log.
    pub async fn log(&mut self, text: &str) {
        self.chunk += 1;
        let at = plimsoll_core::context::Context::system().now();
        let line = json!({"at": at, "source": "stdout", "component": "api", "text": text});
        self.say("task.log", json!({"chunk": self.chunk, "lines": [line]})).await;
    }

    /// A step of the task begins.
    pub async fn step(&mut self, step: &str) {
        let at = plimsoll_core::context::Context::system().now();
        self.say("task.progress", json!({"step": step, "status": "started", "at": at})).await;
    }

    /// The task has worked; the server has stored that.
    pub async fn succeed(&mut self) {
        let at = plimsoll_core::context::Context::system().now();
        let data = json!({
            "outcome": "succeeded", "startedAt": at, "finishedAt": at, "components": [], "stickerPlaced": true
        });
        self.say("task.result", data).await;
        assert_eq!(self.stream.until("result.ack").await["data"]["verdict"], "recorded");
    }

    /// How the agent's own stream is closed.
    pub async fn closed(&mut self) -> u16 {
        loop {
            if let Seen::Closed(code) = self.stream.next().await {
                return code;
            }
        }
    }
}

/// An agent's token that is good for so many seconds.
pub fn token(world: &World, agent: AgentId, seconds: i64) -> String {
    let held = Grant { permission: Permission::AgentSession, environment: None };
    let subject = Subject {
        tenant: world.home,
        kind: PrincipalType::Agent,
        id: agent.uuid(),
        user: UserId::from_uuid(agent.uuid()),
        name: "hand".into(),
        roles: Vec::new(),
        grants: Grants::new([held]),
        client_id: agent.to_string(),
        scope: None,
        authz_version: 1_000_000,
    };
    let issued = world.app().authority().unwrap().issuer().issue(&subject, seconds, &world.context).unwrap();
    issued.token.expose_secret().to_owned()
}

/// An agent that is online.
async fn enrol(world: &World) -> AgentId {
    let (id, now): (AgentId, _) = (world.context.id(), world.context.now());
    let agent: Agent = serde_json::from_value(json!({
        "id": id, "name": "hand", "hostname": "hand", "version": "1", "protocolVersion": 1, "os": "linux",
        "arch": "amd64", "capabilities": [], "labels": {}, "status": "online", "enabled": true,
        "publicKeyFingerprint": "", "runningTasks": [], "lastHeartbeatAt": now, "revision": 1, "createdAt": now,
        "updatedAt": now
    }))
    .unwrap();
    let insert = move |tx: &mut plimsoll_store::Tx<'_>| resource::insert(tx, &agent);
    world.app().store.write(Scope::Tenant(world.home), "test", insert).await.unwrap();
    id
}

/// A sealed release, its images in no registry: nothing here pulls them.
async fn sealed(world: &World, hub: &str) -> ReleaseId {
    let (id, now, digest): (ReleaseId, _, _) = (world.context.id(), world.context.now(), Digest::of(b"1.0.0"));
    let (component, version, maker): (ComponentId, VersionId, UserId) =
        (world.context.id(), world.context.id(), world.context.id());
    let part = json!({
        "componentId": component, "component": "api", "versionId": version, "tag": "1.0.0", "version": "1.0.0",
        "digest": digest
    });
    let mut whole = part.clone();
    let more = json!({
        "registryIntegrationId": hub, "repository": "shop/api", "runtime": {}, "configured": [], "dependsOn": [],
        "placement": {}, "instances": 1,
        "platforms": [{
            "os": "linux", "architecture": "amd64", "manifest": digest, "config": digest, "sizeBytes": 1
        }]
    });
    whole.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let seal = json!({"name": "shop", "version": "1.0.0", "variables": {}, "components": [whole]});
    let seal: SealedRelease = serde_json::from_value(seal).unwrap();
    let release: Release = serde_json::from_value(json!({
        "id": id, "name": "shop", "version": "1.0.0", "status": "ready", "components": [part],
        "digest": seal.digest().unwrap(), "sealedAt": now, "createdBy": maker, "makers": [maker], "revision": 1,
        "createdAt": now, "updatedAt": now
    }))
    .unwrap();
    let insert = move |tx: &mut plimsoll_store::Tx<'_>| {
        resource::insert(tx, &release)?;
        releases::keep_seal(tx, release.id, seal.digest()?, &seal)
    };
    world.app().store.write(Scope::Tenant(world.home), "test", insert).await.unwrap();
    id
}
