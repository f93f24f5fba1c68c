//! The API's client: one connection pool, the envelope, a token that is renewed, errors with exit codes.

pub(crate) mod context;
mod oauth;
pub(crate) mod stream;

use std::time::Duration;

use plimsoll_core::context::Context;
use plimsoll_protocol::envelope::{Failure as ApiFailure, Success};
use reqwest::{Method, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::{
    exit::Exit,
    failure::Failure,
    output::{self, Printer},
};
use context::{Credential, Reach};

const AGENT: &str = concat!("plimsoll/", env!("CARGO_PKG_VERSION"));
/// For one answer.
const TIMEOUT: Duration = Duration::from_mins(1);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Larger answers are refused.
const MAX_ANSWER: usize = 64 << 20;
/// Ours, unless the caller gave one.
const IDEMPOTENCY_KEY: &str = "Idempotency-Key";
/// Between attempts when the server is away for a moment; a POST carries an Idempotency-Key.
const PAUSES: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(1)];

/// A signed-in (or anonymous) client of one server.
#[derive(Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    reach: Reach,
    bearer: Mutex<Option<String>>,
    context: Context,
}

/// An answer with its body, whatever its status.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) request_id: Option<String>,
    pub(crate) bytes: Vec<u8>,
}

/// One call.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) body: Option<Value>,
    pub(crate) headers: Vec<(String, String)>,
}

impl Call {
    /// Below `/api/v1`.
    pub(crate) fn new(method: Method, path: &str) -> Self {
        let path = if path.starts_with("/api/") { path.to_owned() } else { format!("/api/v1{path}") };
        Self { method, path, query: Vec::new(), body: None, headers: Vec::new() }
    }

    #[must_use]
    pub(crate) fn query(mut self, name: &str, value: impl Into<String>) -> Self {
        self.query.push((name.to_owned(), value.into()));
        self
    }

    #[must_use]
    pub(crate) fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }
}

impl Client {
    pub(crate) fn new(reach: Reach) -> Result<Self, Failure> {
        Self::within(reach, CONNECT_TIMEOUT)
    }

    /// For whoever gives up soon: it has its token already, so that no renewal is broken off. The answer to one
    /// that was would be lost, and with it the sign-in.
    pub(crate) async fn hurried(reach: Reach, connect: Duration) -> Result<Self, Failure> {
        let mut client = Self::within(reach, connect)?;
        if let Some(token) = client.bearer(Renewal::IfNeeded).await? {
            client.reach.credential = Credential::Token(token);
        }
        Ok(client)
    }

    fn within(reach: Reach, connect: Duration) -> Result<Self, Failure> {
        // One provider for the whole process; a second call changes nothing.
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let http = reqwest::Client::builder()
            .user_agent(AGENT)
            .connect_timeout(connect)
            .timeout(TIMEOUT)
            // A redirect would carry the token elsewhere.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|cause| Failure::system(format!("the HTTP client cannot be built: {cause}")))?;
        Ok(Self { http, reach, bearer: Mutex::new(None), context: Context::system() })
    }

    /// Called before each change: a protected context wants a person's yes, or `--yes`.
    pub(crate) fn guard(&self, printer: &Printer) -> Result<(), Failure> {
        let Some(name) = &self.reach.protected else { return Ok(()) };
        match output::ask(&format!("The context {name:?} is protected. Change it?")) {
            Some(true) => Ok(()),
            Some(false) => {
                printer.progress("nothing was changed");
                Err(Failure::new(Exit::Interrupted, "NOT_CONFIRMED", "you said no"))
            }
            None => Err(Failure::usage(format!("the context {name:?} is protected"))
                .hint("say --yes to change it from a script")),
        }
    }

    /// Sends a call and gives the envelope's data.
    pub(crate) async fn data<T: DeserializeOwned>(&self, call: Call) -> Result<T, Failure> {
        self.success(call).await.map(|success| success.data)
    }

    /// Sends a call and gives the envelope. An answer without a body has the data `null`.
    pub(crate) async fn success<T: DeserializeOwned>(&self, call: Call) -> Result<Success<T>, Failure> {
        let answer = self.send(&call).await?;
        if !answer.status.is_success() {
            return Err(answer.failure());
        }
        serde_json::from_slice(&answer.bytes).map_err(|cause| {
            let mut failure = Failure::system(format!("the answer of {} is not as expected: {cause}", call.path));
            failure.request_id = answer.request_id;
            failure.hint("is this the URL of a Plimsoll server, and of the same version?")
        })
    }

    /// Sends a call whose success has no body.
    pub(crate) async fn done(&self, call: Call) -> Result<(), Failure> {
        let answer = self.send(&call).await?;
        if answer.status.is_success() { Ok(()) } else { Err(answer.failure()) }
    }

    /// Sends a call and gives the answer as it is. A token that is refused is renewed once.
    pub(crate) async fn send(&self, call: &Call) -> Result<Answer, Failure> {
        let key = self.context.uuid().to_string();
        let bearer = self.bearer(Renewal::IfNeeded).await?;
        let answer = self.try_thrice(call, bearer.as_deref(), &key).await?;
        if answer.status == StatusCode::UNAUTHORIZED && self.reach.renewable() {
            let bearer = self.bearer(Renewal::Now).await?;
            return self.try_thrice(call, bearer.as_deref(), &key).await;
        }
        Ok(answer)
    }

    async fn try_thrice(&self, call: &Call, bearer: Option<&str>, key: &str) -> Result<Answer, Failure> {
        for pause in PAUSES {
            match self.once(call, bearer, key).await {
                Ok(answer) if answer.status != StatusCode::SERVICE_UNAVAILABLE => return Ok(answer),
                Ok(_) | Err(_) => tokio::time::sleep(pause).await,
            }
        }
        self.once(call, bearer, key).await
    }

    async fn once(&self, call: &Call, bearer: Option<&str>, key: &str) -> Result<Answer, Failure> {
        let url = format!("{}{}", self.reach.url, call.path);
        let mut request = self.http.request(call.method.clone(), url).query(&call.query);
        if let Some(token) = bearer {
            request = request.bearer_auth(token);
        }
        let own = call.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(IDEMPOTENCY_KEY));
        if call.method == Method::POST && !own {
            request = request.header(IDEMPOTENCY_KEY, key);
        }
        for (name, value) in &call.headers {
            request = request.header(name, value);
        }
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(|cause| self.unreachable(&cause))?;
        self.read(response).await
    }

    async fn read(&self, mut response: reqwest::Response) -> Result<Answer, Failure> {
        let status = response.status();
        let request_id = text_of(response.headers().get("x-request-id"));
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|cause| self.unreachable(&cause))? {
            if bytes.len() + chunk.len() > MAX_ANSWER {
                return Err(Failure::system(format!("the answer has more than {MAX_ANSWER} bytes")));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Answer { status, request_id, bytes })
    }

    fn unreachable(&self, cause: &reqwest::Error) -> Failure {
        let mut why = cause.to_string();
        let mut next = std::error::Error::source(cause);
        while let Some(one) = next {
            why = format!("{why}: {one}");
            next = one.source();
        }
        Failure::new(Exit::Unreachable, "UNREACHABLE", format!("{} cannot be reached: {why}", self.reach.url))
            .hint("check the URL (--url, PLIMSOLL_URL or `plimsoll context list`) and that the server runs")
    }
}

/// When a token is fetched anew.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Renewal {
    IfNeeded,
    Now,
}

impl Client {
    async fn bearer(&self, renewal: Renewal) -> Result<Option<String>, Failure> {
        let mut held = self.bearer.lock().await;
        if held.is_none() || renewal == Renewal::Now {
            *held = match &self.reach.credential {
                Credential::Nobody => None,
                Credential::Token(token) => Some(token.clone()),
                Credential::Client { id, secret } => Some(self.client_credentials(id, secret).await?.access_token),
                Credential::SignedIn { context } => Some(self.signed_in(context, renewal).await?),
            };
        }
        Ok(held.clone())
    }

    /// The context's token, renewed when it is about to run out. Only one process renews at a time: a
    /// refresh token is good for once.
    async fn signed_in(&self, name: &str, renewal: Renewal) -> Result<String, Failure> {
        let lock = context::lock()?;
        let mut contexts = context::Contexts::load()?;
        let Some(login) = contexts.contexts.get(name).and_then(|one| one.login.clone()) else {
            return Err(Failure::new(
                Exit::Forbidden,
                "NOT_SIGNED_IN",
                format!("nobody is signed in in the context {name:?}"),
            )
            .hint("sign in with `plimsoll login`"));
        };
        let now = self.context.now();
        if renewal == Renewal::IfNeeded && login.expires_at > now.plus_seconds(30) {
            return Ok(login.access_token);
        }
        let Some(refresh) = &login.refresh_token else { return Ok(login.access_token) };
        let tokens = self.refresh(refresh).await?;
        let access = tokens.access_token.clone();
        if let Some(one) = contexts.contexts.get_mut(name) {
            one.login = Some(tokens.login(now, login.refresh_token.clone()));
        }
        contexts.save()?;
        drop(lock);
        Ok(access)
    }
}

impl Answer {
    /// What the server said was wrong.
    pub(crate) fn failure(&self) -> Failure {
        match serde_json::from_slice::<ApiFailure>(&self.bytes) {
            Ok(told) => Failure::api(told.error, Some(told.meta.request_id)),
            Err(_) => {
                let exit = match self.status {
                    StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Exit::Forbidden,
                    StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT => {
                        Exit::Unreachable
                    }
                    _ => Exit::Unexpected,
                };
                let mut failure = Failure::new(exit, "HTTP", format!("the answer is {}, not one of ours", self.status))
                    .hint("is this the URL of a Plimsoll server? A proxy may stand in between");
                failure.request_id.clone_from(&self.request_id);
                failure
            }
        }
    }
}

fn text_of(value: Option<&header::HeaderValue>) -> Option<String> {
    value.and_then(|value| value.to_str().ok()).map(str::to_owned)
}
