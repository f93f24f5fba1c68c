//! A job on one target, and the agent that has it played by hand over its own stream.

use plimsoll_authority::{secret::ExposeSecret as _, token::Subject};
use plimsoll_core::{
    Digest,
    audit::PrincipalType,
    id::{AgentId, ComponentId, ReleaseId, TenantId, TypedId as _, UserId, VersionId},
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
    pub release: String,
    pub promotion: String,
    pub environment: String,
    pub target: String,
    tenant: TenantId,
    hub: String,
    component: ComponentId,
    agent: AgentId,
    stream: Peer,
    offer: Value,
    chunk: u64,
}

impl Hand {
    /// A job of a release of one component; the agent has taken its one task.
    pub async fn with_a_job(world: &World) -> Self {
        Self::with_a_job_in(world, world.home).await
    }

    /// The same in any tenant.
    pub async fn with_a_job_in(world: &World, tenant: TenantId) -> Self {
        let agent = enrol(world, tenant).await;
        let hub =
            json!({"name": "hub", "typeId": "oci_registry", "config": {"url": "http://127.0.0.1:1", "insecure": true}});
        let hub = world.post_in(tenant, "/api/v1/integrations", &hub).await.id();
        let environment = world.post_in(tenant, "/api/v1/environments", &json!({"name": "dev"})).await.id();
        let target = json!({"environmentId": environment, "name": "web-1", "type": "docker_host", "agentId": agent});
        let target = world.post_in(tenant, "/api/v1/targets", &target).await.id();
        let stream = Peer::agent(world, tenant, agent).await;
        let none = String::new;
        let (job, release, promotion, component) = (none(), none(), none(), world.context.id());
        let offer = Value::Null;
        let mut hand = Self {
            job,
            release,
            promotion,
            environment,
            target,
            tenant,
            hub,
            component,
            agent,
            stream,
            offer,
            chunk: 0,
        };
        hand.bring(world, "1.0.0").await;
        hand
    }

    /// A job that brings another version; the agent has taken its one task.
    pub async fn bring(&mut self, world: &World, version: &str) {
        let release = sealed(world, self.tenant, &self.hub, "shop", version, self.component).await;
        let asked = json!({"releaseId": release, "targetEnvironmentId": self.environment});
        self.release = release.to_string();
        self.promotion = world.post_in(self.tenant, "/api/v1/promotions", &asked).await.id();
        self.offer = self.stream.until("task.offer").await["data"].clone();
        let promotion = format!("/api/v1/promotions/{}", self.promotion);
        let job = eventually_async("the promotion has a job", PATIENCE, async || {
            world.get_in(self.tenant, &promotion).await.data()["deploymentJobId"].as_str().map(str::to_owned)
        });
        self.job = job.await.unwrap();
        self.chunk = 0;
        self.say("task.ack", json!({})).await;
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
    token_in(world, world.home, agent, seconds)
}

/// The same for an agent of any tenant.
pub fn token_in(world: &World, tenant: TenantId, agent: AgentId, seconds: i64) -> String {
    let held = Grant { permission: Permission::AgentSession, environment: None };
    let subject = Subject {
        tenant,
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
async fn enrol(world: &World, tenant: TenantId) -> AgentId {
    let (id, now): (AgentId, _) = (world.context.id(), world.context.now());
    let agent: Agent = serde_json::from_value(json!({
        "id": id, "name": "hand", "hostname": "hand", "version": "1", "protocolVersion": 1, "os": "linux",
        "arch": "amd64", "capabilities": [], "labels": {}, "status": "online", "enabled": true,
        "publicKeyFingerprint": "", "runningTasks": [], "lastHeartbeatAt": now, "revision": 1, "createdAt": now,
        "updatedAt": now
    }))
    .unwrap();
    let insert = move |tx: &mut plimsoll_store::Tx<'_>| resource::insert(tx, &agent);
    world.app().store.write(Scope::Tenant(tenant), "test", insert).await.unwrap();
    id
}

/// A sealed release of an application, its images in no registry: nothing here pulls them.
pub async fn sealed(
    world: &World,
    tenant: TenantId,
    hub: &str,
    name: &str,
    version: &str,
    component: ComponentId,
) -> ReleaseId {
    let (id, now, digest): (ReleaseId, _, _) =
        (world.context.id(), world.context.now(), Digest::of(version.as_bytes()));
    let (version_id, maker): (VersionId, UserId) = (world.context.id(), world.context.id());
    let part = json!({
        "componentId": component, "component": format!("{name}-api"), "versionId": version_id, "tag": version, "version": version,
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
    let seal = json!({"name": name, "version": version, "variables": {}, "components": [whole]});
    let seal: SealedRelease = serde_json::from_value(seal).unwrap();
    let release: Release = serde_json::from_value(json!({
        "id": id, "name": name, "version": version, "status": "ready", "components": [part],
        "digest": seal.digest().unwrap(), "sealedAt": now, "createdBy": maker, "makers": [maker], "revision": 1,
        "createdAt": now, "updatedAt": now
    }))
    .unwrap();
    let insert = move |tx: &mut plimsoll_store::Tx<'_>| {
        resource::insert(tx, &release)?;
        releases::keep_seal(tx, release.id, seal.digest()?, &seal)
    };
    world.app().store.write(Scope::Tenant(tenant), "test", insert).await.unwrap();
    id
}
