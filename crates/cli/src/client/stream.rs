//! A job's stream, followed across broken connections: resumed by the sequence number of its last message.

use std::time::Duration;

use futures_util::StreamExt as _;
use reqwest::{Method, StatusCode, header};
use serde::Deserialize;
use serde_json::Value;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message as Frame,
        handshake::{client::generate_key, derive_accept_key},
        protocol::{Role, WebSocketConfig},
    },
};

use super::{CONNECT_TIMEOUT, Call, Client, PAUSES, Renewal};
use crate::failure::Failure;

/// For the answer to an upgrade.
const OPEN_TIMEOUT: Duration = Duration::from_secs(15);
/// The server pings every 20 s: a connection that is silent for so long is dead.
const SILENT: Duration = Duration::from_mins(1);
/// The largest message: a chunk of a log is far smaller.
const MAX_MESSAGE: usize = 4 << 20;
/// Connections in a row that bring nothing. After that no other is tried: a proxy may not pass streams.
const TRIES: usize = 3;

/// One message of a stream (conventions.md, WebSockets).
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Message {
    pub(crate) seq: i64,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) data: Value,
}

/// What comes next.
#[derive(Debug)]
pub(crate) enum Next {
    /// A message, each once and in order.
    Message(Message),
    /// The job has ended, and everything about it has come.
    End,
    /// The stream cannot be had now: ask for the job instead, then try again.
    Lost,
}

/// A job's stream.
pub(crate) struct JobStream<'a> {
    client: &'a Client,
    path: String,
    after: i64,
    socket: Option<WebSocketStream<reqwest::Upgraded>>,
    failed: usize,
}

/// Why a connection is over.
enum Break {
    End,
    Again,
}

impl<'a> JobStream<'a> {
    /// From the job's beginning.
    pub(crate) fn new(client: &'a Client, job: &str) -> Self {
        Self { client, path: format!("/api/v1/deployment-jobs/{job}/stream"), after: 0, socket: None, failed: 0 }
    }

    const fn hopeful(&self) -> bool {
        self.failed < TRIES
    }

    /// Waits for what comes next. Safe to be dropped while it waits.
    pub(crate) async fn next(&mut self) -> Next {
        loop {
            if self.socket.is_none() {
                if !self.hopeful() {
                    return Next::Lost;
                }
                match self.client.open_stream(&self.path, self.after).await {
                    Ok(socket) => self.socket = Some(socket),
                    // Why, the question that follows will tell.
                    Err(_) => {
                        self.failed += 1;
                        return Next::Lost;
                    }
                }
            }
            let Some(socket) = self.socket.as_mut() else { continue };
            match message(socket).await {
                Ok(message) => {
                    self.failed = 0;
                    self.after = message.seq;
                    if message.kind == "end" {
                        self.socket = None;
                        return Next::End;
                    }
                    return Next::Message(message);
                }
                Err(Break::End) => return Next::End,
                Err(Break::Again) => {
                    self.socket = None;
                    self.failed += 1;
                    tokio::time::sleep(PAUSES[0]).await;
                }
            }
        }
    }
}

/// The next message. A stream that ends in another way than it should is opened again: the token ran out
/// (4401), we were too slow (4408), the server is going away (1001), the connection broke.
async fn message(socket: &mut WebSocketStream<reqwest::Upgraded>) -> Result<Message, Break> {
    loop {
        let received = tokio::time::timeout(SILENT, socket.next()).await.map_err(|_| Break::Again)?;
        match received {
            Some(Ok(Frame::Text(text))) => {
                // A newer server may send what we don't know.
                if let Ok(message) = serde_json::from_str(&text) {
                    return Ok(message);
                }
            }
            Some(Ok(Frame::Close(Some(frame)))) if u16::from(frame.code) == 1000 => return Err(Break::End),
            Some(Ok(Frame::Close(_)) | Err(_)) | None => return Err(Break::Again),
            // Pings are answered while we read.
            Some(Ok(Frame::Binary(_) | Frame::Ping(_) | Frame::Pong(_) | Frame::Frame(_))) => {}
        }
    }
}

impl Client {
    /// Opens a stream with the same proxies and roots as any call. A token that is refused is renewed once.
    async fn open_stream(&self, path: &str, after: i64) -> Result<WebSocketStream<reqwest::Upgraded>, Failure> {
        let bearer = self.bearer(Renewal::IfNeeded).await?;
        match self.upgrade(path, after, bearer.as_deref()).await? {
            Ok(socket) => Ok(socket),
            Err(refused) if refused.status == StatusCode::UNAUTHORIZED && self.reach.renewable() => {
                let bearer = self.bearer(Renewal::Now).await?;
                self.upgrade(path, after, bearer.as_deref()).await?.map_err(|refused| refused.failure())
            }
            Err(refused) => Err(refused.failure()),
        }
    }

    async fn upgrade(
        &self,
        path: &str,
        after: i64,
        bearer: Option<&str>,
    ) -> Result<Result<WebSocketStream<reqwest::Upgraded>, super::Answer>, Failure> {
        let key = generate_key();
        // No limit of time for the whole answer: it lasts as long as the job.
        let http = reqwest::Client::builder()
            .user_agent(super::AGENT)
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .http1_only()
            .build()
            .map_err(|cause| Failure::system(format!("the HTTP client cannot be built: {cause}")))?;
        let call = Call::new(Method::GET, path);
        let mut request = http
            .request(call.method, format!("{}{}", self.reach.url, call.path))
            .query(&[("after", after)])
            .header(header::CONNECTION, "Upgrade")
            .header(header::UPGRADE, "websocket")
            .header(header::SEC_WEBSOCKET_VERSION, "13")
            .header(header::SEC_WEBSOCKET_KEY, &key);
        if let Some(token) = bearer {
            request = request.bearer_auth(token);
        }
        let late = || Failure::system(format!("no answer within {} s", OPEN_TIMEOUT.as_secs()));
        let sent = tokio::time::timeout(OPEN_TIMEOUT, request.send()).await.map_err(|_| late())?;
        let response = sent.map_err(|cause| self.unreachable(&cause))?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            let read = tokio::time::timeout(OPEN_TIMEOUT, self.read(response)).await.map_err(|_| late())?;
            return read.map(Err);
        }
        let accepted = response.headers().get(header::SEC_WEBSOCKET_ACCEPT).and_then(|value| value.to_str().ok());
        if accepted != Some(derive_accept_key(key.as_bytes()).as_str()) {
            return Err(Failure::system("what answers there does not speak the WebSocket protocol"));
        }
        let pipe = response.upgrade().await.map_err(|cause| self.unreachable(&cause))?;
        let limits = WebSocketConfig::default().max_message_size(Some(MAX_MESSAGE)).max_frame_size(Some(MAX_MESSAGE));
        Ok(Ok(WebSocketStream::from_raw_socket(pipe, Role::Client, Some(limits)).await))
    }
}
