//! The public API as one person of the demo sees it.

use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use plimsoll_core::error::ErrorCode;
use reqwest::{Method, StatusCode};
use serde_json::Value;

/// Somebody who signed in.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) id: String,
    token: String,
    http: reqwest::Client,
    server: String,
}

/// An answer that is a refusal.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) code: String,
    pub(crate) message: String,
}

/// A client for this machine alone: no proxy, no redirects, every call bounded.
pub(crate) fn http() -> Result<reqwest::Client> {
    // One provider for the whole process; a second call changes nothing.
    drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
    reqwest::Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .timeout(Duration::from_secs(30))
        .build()
        .context("the HTTP client cannot be built")
}

impl Person {
    /// Who they are is told later, by who made them.
    pub(crate) fn new(token: String, server: &str, http: reqwest::Client) -> Self {
        Self { id: String::new(), token, http, server: server.to_owned() }
    }

    /// A GET's data.
    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        self.call(Method::GET, path, None).await?.map_err(|refusal| refused(path, &refusal))
    }

    /// A POST's data.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.call(Method::POST, path, Some(body)).await?.map_err(|refusal| refused(path, &refusal))
    }

    /// A PUT's data.
    pub(crate) async fn put(&self, path: &str, body: &Value) -> Result<Value> {
        self.call(Method::PUT, path, Some(body)).await?.map_err(|refusal| refused(path, &refusal))
    }

    /// A DELETE.
    pub(crate) async fn delete(&self, path: &str) -> Result<()> {
        self.call(Method::DELETE, path, None).await?.map_err(|refusal| refused(path, &refusal))?;
        Ok(())
    }

    /// A call that must be refused with `code`; gives what the server said.
    pub(crate) async fn refused(&self, method: Method, path: &str, body: &Value, code: ErrorCode) -> Result<Refusal> {
        match self.call(method.clone(), path, Some(body)).await? {
            Ok(data) => bail!("{method} {path} should have been refused with {code}, and was not: {data}"),
            Err(refusal) => {
                let expected = refusal.code == code.to_string();
                ensure!(expected, "{method} {path} should have been refused with {code}, and was with {refusal:?}");
                Ok(refusal)
            }
        }
    }

    /// The bytes of an answer that is no envelope.
    pub(crate) async fn bytes(&self, path: &str) -> Result<Vec<u8>> {
        let answer = self.http.get(format!("{}/api/v1{path}", self.server)).bearer_auth(&self.token).send().await?;
        let status = answer.status();
        ensure!(status.is_success(), "GET {path}: {status}: {}", answer.text().await?);
        Ok(answer.bytes().await?.to_vec())
    }

    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Result<Value, Refusal>> {
        let url = format!("{}/api/v1{path}", self.server);
        let mut request = self.http.request(method.clone(), url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.with_context(|| format!("{method} {path}"))?;
        let status = answer.status();
        if status == StatusCode::NO_CONTENT {
            return Ok(Ok(Value::Null));
        }
        let answer: Value = answer.json().await.with_context(|| format!("{method} {path} gave no JSON"))?;
        if status.is_success() {
            return Ok(Ok(answer["data"].clone()));
        }
        let error = &answer["error"];
        let field = |name: &str| error[name].as_str().map(str::to_owned);
        match (field("code"), field("message")) {
            (Some(code), Some(message)) => Ok(Err(Refusal { status, code, message })),
            _ => bail!("{method} {path}: {status}: {answer}"),
        }
    }
}

fn refused(path: &str, refusal: &Refusal) -> anyhow::Error {
    anyhow!("{path}: {} {}: {}", refusal.status.as_u16(), refusal.code, refusal.message)
}

/// A field of an answer as text.
pub(crate) fn text<'a>(value: &'a Value, field: &str) -> Result<&'a str> {
    value[field].as_str().ok_or_else(|| anyhow!("the answer has no {field}: {value}"))
}

/// The items of an answer that is a list.
pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
