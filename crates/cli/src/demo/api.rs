//! The demo's own calls of the public API, with a token of an administrator.

use anyhow::{Context as _, Result, anyhow, bail};
use plimsoll_authority::{secret::ExposeSecret as _, token::Subject};
use plimsoll_core::{
    audit::PrincipalType,
    context::Context,
    id::{TypedId as _, UserId},
    permission::{Grant, Grants, Permission},
};
use plimsoll_server::Running;
use serde_json::Value;

/// The API as one person sees it.
pub(crate) struct Api {
    client: reqwest::Client,
    url: String,
    token: String,
}

impl Api {
    /// Signs in the demo's administrator: the server runs in this process, so access to its keys is the proof.
    pub(crate) fn new(server: &Running) -> Result<Self> {
        let context = Context::system();
        let authority = server.app().authority()?;
        let user: UserId = context.id();
        let held = Permission::ALL.iter().map(|permission| Grant { permission: *permission, environment: None });
        let subject = Subject {
            tenant: authority.home(),
            kind: PrincipalType::User,
            id: user.uuid(),
            user,
            name: "ada".to_owned(),
            roles: vec!["admin".to_owned()],
            grants: Grants::new(held),
            client_id: "demo".to_owned(),
            scope: None,
            authz_version: u64::from(u32::MAX),
        };
        let issued = authority.issuer().issue(&subject, 600, &context)?;
        let client =
            reqwest::Client::builder().timeout(std::time::Duration::from_mins(1)).build().context("no HTTP client")?;
        Ok(Self { client, url: server.url.clone(), token: issued.token.expose_secret().to_owned() })
    }

    /// The token, for whoever wants to go on by hand.
    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    /// A GET's data.
    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        self.call(reqwest::Method::GET, path, None).await
    }

    /// A POST's data.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.call(reqwest::Method::POST, path, Some(body)).await
    }

    async fn call(&self, method: reqwest::Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let mut request =
            self.client.request(method.clone(), format!("{}/api/v1{path}", self.url)).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer: Value =
            request.send().await?.json().await.with_context(|| format!("{method} {path} gave no JSON"))?;
        if answer["success"] == true {
            return Ok(answer["data"].clone());
        }
        let (code, message) = (answer["error"]["code"].as_str(), answer["error"]["message"].as_str());
        let (Some(code), Some(message)) = (code, message) else { bail!("{method} {path}: {answer}") };
        Err(anyhow!("{method} {path}: {code}: {message} (requestId {})", answer["meta"]["requestId"]))
    }
}

/// A field of an answer as text.
pub(crate) fn text<'a>(value: &'a Value, field: &str) -> Result<&'a str> {
    value[field].as_str().ok_or_else(|| anyhow!("the answer has no {field}: {value}"))
}
