//! The OAuth endpoints, as clients, agents and people meet them.

pub mod agents;
mod browser;
mod clients;
mod devices;
pub mod keys;
mod stream;

use plimsoll_core::id::{ClientId, TypedId};
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::world::{Answer, World};

/// What somebody gets who is not known.
const INVALID_CLIENT: &str = "invalid_client";

impl Answer {
    /// The `error` of OAuth's own format.
    fn error(&self) -> &str {
        self.body["error"].as_str().unwrap_or_default()
    }

    fn text(&self, name: &str) -> String {
        self.body[name].as_str().unwrap_or_else(|| panic!("no {name}: {self:?}")).to_owned()
    }

    #[track_caller]
    fn refused(self, status: u16, error: &str) -> Self {
        assert_eq!((self.status.as_u16(), self.error()), (status, error), "{}", self.body);
        self
    }
}

impl World {
    /// Posts a form.
    async fn form(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        Self::read(self.request("POST", path, None).form(fields)).await
    }

    /// A person; their password is known.
    async fn person(&self, name: &str, password: &str) -> String {
        self.post("/api/v1/users", &json!({ "name": name, "password": password })).await.id()
    }

    async fn role(&self, name: &str) -> String {
        let filter = json!({ "name": name }).to_string();
        let found = self.get(&format!("/api/v1/roles?filter={filter}")).await;
        found.data()[0]["id"].as_str().unwrap().to_owned()
    }

    async fn bind(&self, role: &str, kind: &str, id: &str) -> Answer {
        let role = self.role(role).await;
        let body = json!({ "roleId": role, "principal": { "type": kind, "id": id }, "reason": "their work" });
        self.post("/api/v1/role-bindings", &body).await
    }

    /// A client with a role, owned by a person of its own.
    async fn machine(&self, name: &str, role: &str) -> Machine {
        let owner = self.person(&format!("{name}-owner"), "a quiet mill by the river").await;
        let made = self.post("/api/v1/clients", &json!({ "name": name, "ownerId": owner })).await;
        let secret = made.data()["clientSecret"].as_str().unwrap().to_owned();
        let id = made.id();
        let binding = self.bind(role, "client", &id).await.id();
        assert!(id.parse::<ClientId>().unwrap().uuid().get_version_num() == 7);
        Machine { id, secret, binding }
    }

    /// Asks with the client's secret in the body.
    async fn token_of(&self, machine: &Machine, extra: &[(&str, &str)]) -> Answer {
        let mut fields = vec![
            ("grant_type", "client_credentials"),
            ("client_id", machine.id.as_str()),
            ("client_secret", machine.secret.as_str()),
        ];
        fields.extend_from_slice(extra);
        self.form("/oauth/token", &fields).await
    }

    /// What `GET /api/v1/components` says to this token.
    async fn probe(&self, token: &str) -> (StatusCode, String) {
        let answer = self.call("GET", "/api/v1/components", Some(token), None).await;
        (answer.status, answer.code().to_owned())
    }

    /// Waits until the token is refused with this code: a change acts within seconds, without a restart.
    async fn refused_in_time(&self, token: &str, code: &str) {
        plimsoll_testkit::eventually_async(code, plimsoll_testkit::PATIENCE, async || {
            let (status, said) = self.probe(token).await;
            (status == StatusCode::UNAUTHORIZED && said == code).then_some(()).ok_or(format!("{status} {said}"))
        })
        .await
        .unwrap();
    }
}

struct Machine {
    id: String,
    secret: String,
    binding: String,
}

/// The trail's lines about this action.
async fn trail(world: &World, action: &str) -> Vec<Value> {
    world.audit().await.into_iter().filter(|event| event["action"] == action).collect()
}
