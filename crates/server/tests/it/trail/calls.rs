//! A call of each mutation that succeeds, by what it is about.

use plimsoll_protocol::operation::OperationId as Op;
use plimsoll_testkit::{PATIENCE, eventually_async};
use serde_json::{Value, json};

use super::stage::{About, Case, Stage};
use crate::{
    examples,
    oauth::{agents, keys::Key},
    world::all,
};

impl Stage<'_> {
    pub(super) async fn of_the_hub(&mut self, id: Op) -> Case {
        let mut body = examples::body(id).unwrap_or_default();
        if matches!(id, Op::IntegrationCreate | Op::IntegrationUpdate) {
            body["name"] = json!(self.name());
        }
        if id == Op::IntegrationCreate {
            return self.creates(id, body);
        }
        let hub = self.integration().await;
        match id {
            Op::IntegrationUpdate => self.changes(id, hub, Some(body)),
            Op::IntegrationDelete | Op::IntegrationTest => self.changes(id, hub, None),
            Op::IntegrationDiscover => self.changes(id, hub, Some(body)),
            Op::ComponentCreate => {
                body = json!({ "name": self.name(), "registryIntegrationId": hub, "repository": "shop/api" });
                self.creates(id, body)
            }
            _ => {
                let component = self.component(&hub).await;
                let kept = json!({ "name": component.0, "registryIntegrationId": hub, "repository": "shop/web" });
                self.changes(id, component.1, (id == Op::ComponentUpdate).then_some(kept))
            }
        }
    }

    pub(super) async fn of_the_inventory(&mut self, id: Op) -> Case {
        if id == Op::EnvironmentCreate {
            let body = json!({ "name": self.name() });
            return self.creates(id, body);
        }
        let environment = self.environment().await;
        let in_it = |mut body: Value, name: String| {
            (body["environmentId"], body["name"]) = (json!(environment), json!(name));
            body
        };
        match id {
            Op::EnvironmentUpdate => {
                let body = json!({ "name": self.name() });
                self.changes(id, environment, Some(body))
            }
            Op::EnvironmentDelete => self.changes(id, environment, None),
            Op::FreezeWindowCreate => {
                let path = format!("/api/v1/environments/{environment}/freeze-windows");
                Case { path, ..self.creates(id, examples::body(id).unwrap()) }
            }
            Op::FreezeWindowDelete => {
                let windows = format!("environments/{environment}/freeze-windows");
                let window = self.make(&windows, examples::body(Op::FreezeWindowCreate).unwrap()).await;
                Case { path: format!("/api/v1/{windows}/{window}"), ..self.changes(id, window, None) }
            }
            Op::TargetCreate => {
                let body = in_it(examples::body(id).unwrap(), self.name());
                self.creates(id, body)
            }
            _ => {
                let made = in_it(examples::body(Op::TargetCreate).unwrap(), self.name());
                let target = self.make("targets", made).await;
                let body = (id == Op::TargetUpdate).then(|| in_it(examples::body(id).unwrap(), format!("{target}-2")));
                self.changes(id, target, body)
            }
        }
    }

    pub(super) async fn of_agents(&mut self, id: Op) -> Case {
        if id == Op::AgentUnlock {
            let (agent, ..) = agents::copied(self.world).await;
            return self.changes(id, agent["agentId"].as_str().unwrap().to_owned(), examples::body(id));
        }
        let token = agents::registration_token_made(self.world).await;
        let mut body = examples::body(Op::AgentRegister).unwrap();
        body["publicKeyPem"] = json!(Key::generate().pem());
        let bearer = token.data()["token"].as_str().unwrap().to_owned();
        if id == Op::AgentRegister {
            let (about, caller) = (About::Made("/agentId"), token.id());
            return Case { token: bearer, caller, kind: "client", about, ..self.creates(id, body) };
        }
        let made = self.world.call("POST", "/api/v1/agents/register", Some(&bearer), Some(&body)).await;
        let agent = made.data()["agentId"].as_str().unwrap().to_owned();
        let body = json!({ "name": self.name() });
        self.changes(id, agent, (id == Op::AgentUpdate).then_some(body))
    }

    pub(super) async fn of_releases(&mut self, id: Op) -> Case {
        let draft = json!({ "name": self.name(), "version": "1.0.0" });
        match id {
            Op::ReleaseCreate => self.creates(id, draft),
            Op::ReleaseFromLatest => {
                let hub = self.integration().await;
                let (name, component) = self.component(&hub).await;
                self.make_raw(&format!("components/{component}/sync-versions"), json!({})).await;
                let body = json!({ "name": self.name(), "version": "1.0.0", "components": { name: "*" } });
                Case { about: About::Made("/release/id"), ..self.creates(id, body) }
            }
            Op::ReleaseDeprecate => {
                let release = self.sealed().await;
                self.changes(id, release, examples::body(id))
            }
            _ => {
                let release = self.make("releases", draft).await;
                let body = json!({ "notes": "what is new" });
                self.changes(id, release, (id == Op::ReleaseUpdate).then_some(body))
            }
        }
    }

    pub(super) async fn of_promotions(&mut self, id: Op) -> Case {
        let asked = json!({ "releaseId": self.sealed().await, "targetEnvironmentId": self.guarded });
        if id == Op::PromotionCreate {
            return self.creates(id, asked);
        }
        let made = self.make_raw("promotions", asked).await;
        let promotion = made["id"].as_str().unwrap().to_owned();
        let body = match id {
            Op::PromotionApprove => Some(json!({ "subjectHash": made["subjectHash"] })),
            _ => examples::body(id),
        };
        if id == Op::PromotionResume {
            self.hold(&promotion).await;
        }
        let case = self.changes(id, promotion, body);
        let token = self.world.token(self.world.home, self.approver, all());
        Case { token, caller: self.approver.to_string(), ..case }
    }

    pub(super) async fn of_policies(&mut self, id: Op) -> Case {
        let mut body = examples::body(Op::ApprovalPolicyCreate).unwrap();
        body["name"] = json!(self.name());
        if id == Op::ApprovalPolicyCreate {
            return self.creates(id, body);
        }
        let policy = self.make("approval-policies", body.clone()).await;
        body["name"] = json!(self.name());
        self.changes(id, policy, (id == Op::ApprovalPolicyUpdate).then_some(body))
    }

    pub(super) async fn of_jobs(&mut self, id: Op) -> Case {
        if id == Op::DeploymentJobCancel {
            // The rollback that a case before this one began: the agent has not answered its offer.
            let rollbacks = self.world.get_in(self.world.home, "/api/v1/rollbacks?sort=-createdAt").await;
            let job = rollbacks.data()[0]["id"].as_str().expect("a rollback is under way").to_owned();
            return self.changes(id, job, examples::body(id));
        }
        self.hand.bring(self.world, "2.0.0").await;
        self.hand.succeed().await;
        // Until the job has ended there is only one to go back from.
        let job = format!("/api/v1/deployment-jobs/{}", self.hand.job);
        let ended = eventually_async("the second version is there", PATIENCE, async || {
            plimsoll_testkit::breath().await;
            let seen = self.world.get_in(self.world.home, &job).await.data()["status"].clone();
            if seen == "succeeded" { Ok(()) } else { Err(seen.to_string()) }
        });
        ended.await.unwrap();
        let body = json!({ "environmentId": self.hand.environment, "reason": "it loses orders" });
        self.creates(id, body)
    }

    pub(super) async fn of_the_authority(&mut self, id: Op) -> Case {
        let named = json!({ "name": self.name() });
        match id {
            Op::TenantCreate | Op::UserCreate => self.creates(id, named),
            Op::UserUpdate | Op::UserDelete => {
                let user = self.user().await;
                self.changes(id, user, (id == Op::UserUpdate).then_some(named))
            }
            Op::ClientCreate | Op::ClientUpdate | Op::ClientDelete => {
                let body = json!({ "name": self.name(), "ownerId": self.user().await });
                if id == Op::ClientCreate {
                    return self.creates(id, body);
                }
                let client = self.make("clients", body.clone()).await;
                let renamed = json!({ "name": self.name(), "ownerId": body["ownerId"] });
                self.changes(id, client, (id == Op::ClientUpdate).then_some(renamed))
            }
            Op::RoleCreate => {
                let body = self.watcher();
                self.creates(id, body)
            }
            Op::RoleUpdate | Op::RoleDelete => {
                let (body, renamed) = (self.watcher(), self.watcher());
                let role = self.make("roles", body).await;
                self.changes(id, role, (id == Op::RoleUpdate).then_some(renamed))
            }
            Op::RoleBindingCreate | Op::RoleBindingDelete => {
                let role = self.watcher();
                let (role, user) = (self.make("roles", role).await, self.user().await);
                let body = json!({ "roleId": role, "principal": { "type": "user", "id": user } });
                if id == Op::RoleBindingCreate {
                    return self.creates(id, body);
                }
                let binding = self.make("role-bindings", body).await;
                self.changes(id, binding, None)
            }
            Op::RegistrationTokenCreate => self.creates(id, json!({})),
            Op::RegistrationTokenDelete => {
                let token = self.make("registration-tokens", json!({})).await;
                self.changes(id, token, None)
            }
            other => panic!("no case for {other:?}: the tests need a call of it that succeeds"),
        }
    }
}
