//! The few HTTP calls that an agent makes: bounded in time and size, with the server's errors in words.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use reqwest::{Client, RequestBuilder, Response, header};
use serde::{Deserialize, de::DeserializeOwned};

use plimsoll_core::{Error, ErrorCode, Result, Timestamp, context::Context};

use super::tls::{self, Trust};

/// The HTTP client with the server's clock.
#[derive(Clone, Debug)]
pub struct Api {
    client: Client,
    clock: ServerClock,
}

/// The server's clock as seen from here: tokens are judged by it.
#[derive(Clone, Debug)]
pub struct ServerClock {
    context: Context,
    ahead_micros: Arc<AtomicI64>,
}

/// An answer that isn't a success.
#[derive(Debug)]
pub struct Refused {
    /// The HTTP status; 0 when there was no answer.
    pub status: u16,
    /// What it says.
    pub error: Error,
}

const CONNECT: Duration = Duration::from_secs(10);
const CALL: Duration = Duration::from_secs(30);
const MAX_BODY: usize = 1024 * 1024;
/// A clock that is off by more is told.
const WORTH_TELLING: i64 = 60;

#[derive(Deserialize)]
struct Envelope<T> {
    data: T,
}

#[derive(Deserialize)]
struct Failure {
    error: FailureBody,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum FailureBody {
    /// Of the API.
    Envelope { code: serde_json::Value, message: String },
    /// Of OAuth.
    Word(String),
}

#[derive(Default, Deserialize)]
struct OAuthFailure {
    #[serde(default)]
    error_description: String,
    /// The catalogue's code, where there is one.
    #[serde(default)]
    code: Option<serde_json::Value>,
}

impl Api {
    /// A client that trusts `trust`.
    pub fn new(trust: &Trust, context: Context) -> Result<Self> {
        let client = Client::builder()
            .tls_backend_preconfigured(tls::config(trust)?)
            .connect_timeout(CONNECT)
            .timeout(CALL)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("plimsoll-agent/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|cause| Error::new(ErrorCode::Internal, "the HTTP client can't be built").caused_by(cause))?;
        Ok(Self { client, clock: ServerClock { context, ahead_micros: Arc::default() } })
    }

    /// The client, for making requests.
    #[must_use]
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// The server's clock.
    #[must_use]
    pub const fn clock(&self) -> &ServerClock {
        &self.clock
    }

    /// The data of an answer in the API's envelope.
    pub async fn data<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Refused> {
        let body: Envelope<T> = self.body(request).await?;
        Ok(body.data)
    }

    /// The body of an answer.
    pub async fn body<T: DeserializeOwned>(&self, request: RequestBuilder) -> Result<T, Refused> {
        let answer = request.send().await.map_err(|cause| unreachable(&cause))?;
        self.clock.learn(&answer);
        let status = answer.status();
        let body = bounded(answer).await?;
        if !status.is_success() {
            return Err(Refused { status: status.as_u16(), error: failure(status.as_u16(), &body) });
        }
        serde_json::from_slice(&body).map_err(|cause| Refused {
            status: status.as_u16(),
            error: Error::new(ErrorCode::UpstreamFailed, format!("the server's answer can't be read: {cause}")),
        })
    }
}

impl ServerClock {
    /// The server's time.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let here = self.context.now();
        Timestamp::from_micros(here.as_micros().saturating_add(self.ahead_micros.load(Ordering::Relaxed)))
    }

    /// This host's clock minus the server's.
    #[must_use]
    pub fn skew_ms(&self) -> i64 {
        -self.ahead_micros.load(Ordering::Relaxed) / 1000
    }

    /// The server said what time it is.
    pub fn set(&self, server: Timestamp) {
        let ahead = server.micros_since(self.context.now());
        let before = self.ahead_micros.swap(ahead, Ordering::Relaxed);
        let telling = |micros: i64| micros.unsigned_abs() > WORTH_TELLING.unsigned_abs() * 1_000_000;
        if telling(ahead) && !telling(before) {
            tracing::warn!(seconds = -ahead / 1_000_000, "this host's clock differs from the server's; set it right");
        }
    }

    /// From the `Date` header, which has whole seconds: kept only where it is off by more than that.
    fn learn(&self, answer: &Response) {
        const ROUNDING: i64 = 2_000_000;
        let date = answer.headers().get(header::DATE).and_then(|date| date.to_str().ok());
        let Some(server) = date.and_then(Timestamp::from_http_date) else { return };
        if server.micros_since(self.now()).abs() > ROUNDING {
            self.set(server);
        }
    }
}

async fn bounded(mut answer: Response) -> Result<Vec<u8>, Refused> {
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(|cause| unreachable(&cause))? {
        if body.len() + piece.len() > MAX_BODY {
            let error = Error::new(ErrorCode::UpstreamFailed, format!("the server sent more than {MAX_BODY} bytes"));
            return Err(Refused { status: 0, error });
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

fn failure(status: u16, body: &[u8]) -> Error {
    match serde_json::from_slice::<Failure>(body).map(|failure| failure.error) {
        // A newer server may have codes that we don't know.
        Ok(FailureBody::Envelope { code, message }) => {
            Error::new(serde_json::from_value(code).unwrap_or(ErrorCode::UpstreamFailed), message)
        }
        Ok(FailureBody::Word(word)) => {
            let more: OAuthFailure = serde_json::from_slice(body).unwrap_or_default();
            let code = more.code.and_then(|code| serde_json::from_value(code).ok());
            Error::new(code.unwrap_or(ErrorCode::Unauthenticated), format!("{word}: {}", more.error_description))
        }
        Err(_) => Error::new(ErrorCode::UpstreamFailed, format!("the server answered with status {status}")),
    }
}

fn unreachable(cause: &reqwest::Error) -> Refused {
    let mut text = String::new();
    let mut deepest: &dyn std::error::Error = cause;
    while let Some(next) = deepest.source() {
        deepest = next;
        text = next.to_string();
    }
    let error =
        Error::new(ErrorCode::Unavailable, format!("the server can't be reached: {text}")).internal(cause.to_string());
    Refused { status: 0, error }
}
