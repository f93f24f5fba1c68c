//! What the calls of mutations act upon, and which call is made of each.

use plimsoll_core::id::UserId;
use plimsoll_protocol::operation::OperationId as Op;
use plimsoll_store::{Scope, Tx, promotion::PromotionRow, resource};
use plimsoll_testkit::{Image, Registry};
use serde_json::{Value, json};

use crate::{
    hand::{self, Hand},
    world::{World, all},
};

/// A call that succeeds.
pub(super) struct Case {
    pub(super) path: String,
    pub(super) body: Option<Value>,
    pub(super) token: String,
    /// Whose token it is.
    pub(super) caller: String,
    pub(super) kind: &'static str,
    pub(super) about: About,
}

/// Which resource a call is about.
pub(super) enum About {
    Known(String),
    /// The answer says it, at this place of its data.
    Made(&'static str),
}

/// What the calls act upon.
pub(super) struct Stage<'a> {
    pub(super) world: &'a World,
    registry: Registry,
    pub(super) hand: Hand,
    /// An environment in which promotions wait for an approval.
    pub(super) guarded: String,
    pub(super) approver: UserId,
    made: u32,
}

impl<'a> Stage<'a> {
    pub(super) async fn set(world: &'a World) -> Self {
        let registry = Registry::start().unwrap();
        Image::empty().file("version", b"1", 0o644).push(&registry, "shop/api", "1.0.0").await.unwrap();
        let mut hand = Hand::with_a_job(world).await;
        hand.succeed().await;
        let mut stage = Self { world, registry, hand, guarded: String::new(), approver: world.context.id(), made: 0 };
        stage.guarded = stage.environment().await;
        let target = json!({ "environmentId": stage.guarded, "name": "guarded-1", "type": "docker_host" });
        stage.make("targets", target).await;
        let rules = json!([{ "name": "leads", "minApprovals": 1, "approvers": { "roles": ["approver"] } }]);
        let policy =
            json!({ "name": "guard", "environmentIds": [stage.guarded], "rules": rules, "reason": "it matters" });
        stage.make("approval-policies", policy).await;
        let approver = stage.user().await;
        let roles = world.get_in(world.home, "/api/v1/roles?filter={\"name\":\"approver\"}").await;
        let role = roles.data()[0]["id"].clone();
        let principal = json!({ "type": "user", "id": approver });
        let binding = json!({ "roleId": role, "principal": principal, "reason": "their work" });
        stage.make("role-bindings", binding).await;
        stage.approver = approver.parse().unwrap();
        stage
    }

    /// The call of an operation. One without a case here fails the test.
    pub(super) async fn case(&mut self, id: Op) -> Case {
        match id {
            Op::IntegrationCreate
            | Op::IntegrationUpdate
            | Op::IntegrationDelete
            | Op::IntegrationTest
            | Op::IntegrationDiscover
            | Op::ComponentCreate
            | Op::ComponentUpdate
            | Op::ComponentDelete
            | Op::ComponentSyncVersions => self.of_the_hub(id).await,
            Op::EnvironmentCreate
            | Op::EnvironmentUpdate
            | Op::EnvironmentDelete
            | Op::FreezeWindowCreate
            | Op::FreezeWindowDelete
            | Op::TargetCreate
            | Op::TargetUpdate
            | Op::TargetDelete
            | Op::TargetHealthCheck => self.of_the_inventory(id).await,
            Op::AgentRegister | Op::AgentUpdate | Op::AgentDelete | Op::AgentUnlock => self.of_agents(id).await,
            Op::ReleaseCreate
            | Op::ReleaseUpdate
            | Op::ReleaseDelete
            | Op::ReleaseDeprecate
            | Op::ReleaseFromLatest => self.of_releases(id).await,
            Op::PromotionCreate
            | Op::PromotionApprove
            | Op::PromotionReject
            | Op::PromotionCancel
            | Op::PromotionResume => self.of_promotions(id).await,
            Op::ApprovalPolicyCreate | Op::ApprovalPolicyUpdate | Op::ApprovalPolicyDelete => {
                self.of_policies(id).await
            }
            Op::RollbackCreate | Op::DeploymentJobCancel => self.of_jobs(id).await,
            _ => self.of_the_authority(id).await,
        }
    }

    /// A call that makes something.
    pub(super) fn creates(&self, id: Op, body: Value) -> Case {
        self.call(id.operation().full_path(), Some(body), About::Made("/id"))
    }

    /// A call that does something to what the path names.
    pub(super) fn changes(&self, id: Op, resource: String, body: Option<Value>) -> Case {
        let path = id.operation().full_path().replace("{id}", &resource);
        self.call(path, body, About::Known(resource))
    }

    /// A call of somebody new.
    fn call(&self, path: String, body: Option<Value>, about: About) -> Case {
        let caller: UserId = self.world.context.id();
        let token = self.world.token(self.world.home, caller, all());
        Case { path, body, token, caller: caller.to_string(), kind: "user", about }
    }

    /// A name that nothing has.
    pub(super) fn name(&mut self) -> String {
        self.made += 1;
        format!("n-{}", self.made)
    }

    pub(super) async fn make_raw(&self, collection: &str, body: Value) -> Value {
        self.world.post_in(self.world.home, &format!("/api/v1/{collection}"), &body).await.data().clone()
    }

    pub(super) async fn make(&self, collection: &str, body: Value) -> String {
        self.make_raw(collection, body).await["id"].as_str().unwrap().to_owned()
    }

    pub(super) async fn environment(&mut self) -> String {
        let body = json!({ "name": self.name() });
        self.make("environments", body).await
    }

    pub(super) async fn user(&mut self) -> String {
        let body = json!({ "name": self.name() });
        self.make("users", body).await
    }

    pub(super) fn watcher(&mut self) -> Value {
        json!({ "name": self.name(), "permissions": ["release:read"] })
    }

    /// An integration with a registry that has one image.
    pub(super) async fn integration(&mut self) -> String {
        let config = json!({ "url": self.registry.url(), "insecure": true });
        let body = json!({ "name": self.name(), "typeId": "oci_registry", "config": config });
        self.make("integrations", body).await
    }

    /// A component over the image: its name and id.
    pub(super) async fn component(&mut self, hub: &str) -> (String, String) {
        let name = self.name();
        let body = json!({ "name": name, "registryIntegrationId": hub, "repository": "shop/api" });
        let id = self.make("components", body).await;
        (name, id)
    }

    /// A sealed release of an application of its own.
    pub(super) async fn sealed(&mut self) -> String {
        let (hub, name) = (self.integration().await, self.name());
        let world = self.world;
        hand::sealed(world, world.home, &hub, &name, "1.0.0", world.context.id()).await.to_string()
    }

    /// Holds a promotion, as a rollback does.
    pub(super) async fn hold(&self, promotion: &str) {
        let id = promotion.parse().unwrap();
        let hold = move |tx: &mut Tx<'_>| {
            let mut row: PromotionRow = resource::get(tx, id)?;
            row.promotion.held = true;
            resource::update(tx, &mut row)
        };
        self.world.app().store.write(Scope::Tenant(self.world.home), "test", hold).await.unwrap();
    }
}
