//! An environment with targets, sealed releases of one application, people, and agents played by hand.

use anyhow::Result;
use plimsoll_app::{Caller, promotion};
use plimsoll_core::{
    Digest,
    environment::Environment,
    id::{ComponentId, EnvironmentId, RoleId, TypedId, UserId},
    identity::{Role, RoleBinding, User},
    promotion::{ApprovalPolicy, Promotion},
    release::{Release, SealedRelease},
};
use plimsoll_protocol::operation::OperationId as Op;
use plimsoll_store::{Scope, release as releases, resource};
use serde_json::{Value, json};

use crate::support::{World, answer, body, replace};

/// The digest of a version of the one component.
pub fn digest_of(version: &str) -> Digest {
    Digest::of(version.as_bytes())
}

/// An environment with a target, and sealed releases of one component.
pub struct Shop {
    pub world: World,
    pub environment: Environment,
    pub integration: String,
    pub approver_role: RoleId,
    pub component: ComponentId,
}

impl Shop {
    pub async fn open(world: World, environment: Value) -> Result<Self> {
        let integration = world.registry("http://127.0.0.1:5000").await?.id.to_string();
        let made = world.app.environment_create(&world.caller(Op::EnvironmentCreate), body(environment)).await?;
        let environment: Environment = answer(&made)?;
        let target = json!({"environmentId": environment.id, "name": "web-1", "type": "docker_host"});
        world.app.target_create(&world.caller(Op::TargetCreate), body(target)).await?;
        let role: Role = serde_json::from_value(json!({
            "id": world.app.context.id::<RoleId>(), "name": "approver", "permissions": ["promotion:approve"],
            "builtIn": false, "revision": 1, "createdAt": world.clock.now(), "updatedAt": world.clock.now()
        }))?;
        let approver_role = role.id;
        world.app.store.write(Scope::Tenant(world.tenant), "test", move |tx| resource::insert(tx, &role)).await?;
        let component = world.app.context.id();
        Ok(Self { world, environment, integration, approver_role, component })
    }

    /// A sealed release of the application `shop`, its digest made of the version.
    pub async fn release(&self, version: &str) -> Result<Release> {
        self.release_of("shop", self.component, version).await
    }

    /// A sealed release of any application of one component.
    pub async fn release_of(&self, application: &str, component: ComponentId, version: &str) -> Result<Release> {
        self.release_with(application, version, &[(component, "api")]).await
    }

    /// A sealed release of several components, all at one version.
    pub async fn release_with(
        &self,
        application: &str,
        version: &str,
        components: &[(ComponentId, &str)],
    ) -> Result<Release> {
        self.release_running(application, version, components, json!({})).await
    }

    /// The same, each component with this runtime.
    pub async fn release_running(
        &self,
        application: &str,
        version: &str,
        components: &[(ComponentId, &str)],
        runtime: Value,
    ) -> Result<Release> {
        let (world, now, digest) = (&self.world, self.world.clock.now(), digest_of(version));
        let parts: Vec<Value> = components
            .iter()
            .map(|(id, name)| {
                json!({
                    "componentId": id, "component": name, "versionId": id.uuid(), "tag": version,
                    "version": version, "digest": digest
                })
            })
            .collect();
        let whole: Vec<Value> = parts
            .iter()
            .map(|part| {
                let mut part = part.clone();
                let more = json!({
                    "registryIntegrationId": self.integration, "repository": "shop/api", "runtime": runtime,
                    "configured": [], "dependsOn": [], "placement": {}, "instances": 1,
                    "platforms": [{
                        "os": "linux", "architecture": "amd64", "manifest": digest, "config": digest, "sizeBytes": 1
                    }]
                });
                part.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
                part
            })
            .collect();
        let sealed: SealedRelease = serde_json::from_value(json!({
            "name": application, "version": version, "variables": {}, "components": whole
        }))?;
        let maker: UserId = world.app.context.id();
        let release: Release = serde_json::from_value(json!({
            "id": world.app.context.id::<plimsoll_core::id::ReleaseId>(), "name": application, "version": version,
            "status": "ready", "components": parts, "digest": sealed.digest()?, "sealedAt": now,
            "createdBy": maker, "makers": [maker], "revision": 1, "createdAt": now, "updatedAt": now
        }))?;
        let kept = release.clone();
        world
            .app
            .store
            .write(Scope::Tenant(world.tenant), "test", move |tx| {
                resource::insert(tx, &kept)?;
                releases::keep_seal(tx, kept.id, sealed.digest()?, &sealed)
            })
            .await?;
        Ok(release)
    }

    /// Somebody who may sign in.
    pub async fn person(&self, name: &str) -> Result<Caller> {
        let (world, now) = (&self.world, self.world.clock.now());
        let mut caller = world.caller(Op::PromotionApprove);
        let user: User = serde_json::from_value(json!({
            "id": caller.principal.user, "name": name, "active": true, "mustChangePassword": false,
            "revision": 1, "createdAt": now, "updatedAt": now
        }))?;
        world.app.store.write(Scope::Tenant(world.tenant), "test", move |tx| resource::insert(tx, &user)).await?;
        caller.principal.name = name.to_owned();
        Ok(caller)
    }

    /// Somebody who may sign in and approve here.
    pub async fn approver(&self, name: &str) -> Result<Caller> {
        let (world, now) = (&self.world, self.world.clock.now());
        let caller = self.person(name).await?;
        let user = caller.principal.user;
        let binding: RoleBinding = serde_json::from_value(json!({
            "id": world.app.context.id::<plimsoll_core::id::RoleBindingId>(), "roleId": self.approver_role,
            "role": "approver", "principal": { "type": "user", "id": user.uuid() }, "createdBy": user,
            "createdAt": now, "revision": 1
        }))?;
        world.app.store.write(Scope::Tenant(world.tenant), "test", move |tx| resource::insert(tx, &binding)).await?;
        Ok(caller)
    }

    /// The same person, now.
    pub fn now(&self, caller: &Caller, operation: Op) -> Caller {
        Caller { now: self.world.clock.now(), operation, ..caller.clone() }
    }

    pub async fn ask(&self, caller: &Caller, release: &Release, more: Value) -> plimsoll_core::Result<Promotion> {
        let mut json = json!({"releaseId": release.id, "targetEnvironmentId": self.environment.id});
        json.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        let caller = self.now(caller, Op::PromotionCreate);
        let reply = self.world.app.promotion_create(&caller, body(json)).await?;
        Ok(answer(&reply).expect("a promotion"))
    }

    pub async fn approve(&self, caller: &Caller, of: &Promotion, hash: Digest) -> plimsoll_core::Result<Promotion> {
        let json = json!({"subjectHash": hash, "comment": "fine"});
        let caller = self.now(caller, Op::PromotionApprove);
        let reply = self.world.app.promotion_approve(&caller, of.id, body(json)).await?;
        Ok(answer(&reply).expect("a promotion"))
    }

    pub async fn get(&self, of: &Promotion) -> Result<Promotion> {
        Ok(self.world.app.promotion_get(&self.world.caller(Op::PromotionGet), of.id).await?)
    }

    /// Lets the background look at whatever is due a while later.
    pub async fn work(&self) -> Result<()> {
        self.world.clock.forward(6);
        promotion::decide::step(self.world.app.clone()).await?;
        Ok(())
    }

    pub async fn policy(&self, rules: Value, id: Option<EnvironmentId>) -> Result<ApprovalPolicy> {
        let caller = self.world.caller(Op::ApprovalPolicyCreate);
        let ids: Vec<EnvironmentId> = id.into_iter().collect();
        let json = json!({"name": "prod", "environmentIds": ids, "rules": rules, "reason": "it matters"});
        answer(&self.world.app.approval_policy_create(&caller, body(json)).await?)
    }

    pub async fn set(&self, json: Value) -> Result<()> {
        let caller = self.world.caller(Op::EnvironmentUpdate);
        self.world.app.environment_update(&caller, self.environment.id, replace(json)).await?;
        Ok(())
    }
}
