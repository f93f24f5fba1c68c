//! The peer's end of a stream.

use futures_util::{SinkExt as _, StreamExt as _};
use plimsoll_core::id::{AgentId, TenantId};
use plimsoll_testkit::PATIENCE;
use reqwest::{StatusCode, header};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{self, Message, client::IntoClientRequest as _, http::HeaderValue},
};

use crate::{hand, world::World};

/// What makes a request one for a WebSocket (RFC 6455, section 4.1).
pub fn upgrade(request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
    request
        .header(header::CONNECTION, "Upgrade")
        .header(header::UPGRADE, "websocket")
        .header(header::SEC_WEBSOCKET_VERSION, "13")
        .header(header::SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ==")
}

/// The peer's end of a stream.
pub struct Peer {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// The subprotocol that the server chose.
    pub protocol: Option<String>,
}

/// What came.
#[derive(Debug, PartialEq)]
pub enum Seen {
    Message(Value),
    Closed(u16),
}

impl Peer {
    /// Opens a stream as somebody; a refusal is the status.
    pub async fn open(world: &World, path: &str, token: Option<&str>) -> Result<Self, StatusCode> {
        let bearer = token.map(|token| (header::AUTHORIZATION, format!("Bearer {token}")));
        Self::with(world, path, bearer).await
    }

    pub async fn with(
        world: &World,
        path: &str,
        extra: Option<(header::HeaderName, String)>,
    ) -> Result<Self, StatusCode> {
        let url = format!("{}{path}", world.server.url).replacen("http", "ws", 1);
        let mut request = url.into_client_request().unwrap();
        if let Some((name, value)) = extra {
            request.headers_mut().insert(name, HeaderValue::from_str(&value).unwrap());
        }
        match tokio::time::timeout(PATIENCE, connect_async(request)).await.unwrap() {
            Ok((socket, answer)) => {
                let chosen = answer.headers().get(header::SEC_WEBSOCKET_PROTOCOL);
                let protocol = chosen.map(|one| one.to_str().unwrap().to_owned());
                Ok(Self { socket, protocol })
            }
            Err(tungstenite::Error::Http(refused)) => Err(refused.status()),
            Err(other) => panic!("{path}: {other}"),
        }
    }

    /// An agent's own stream.
    pub async fn agent(world: &World, tenant: TenantId, agent: AgentId) -> Self {
        let token = hand::token_in(world, tenant, agent, 600);
        Self::open(world, &format!("/api/v1/agents/{agent}/task-stream"), Some(&token)).await.unwrap()
    }

    /// The next message, or the code that the stream is closed with.
    pub async fn next(&mut self) -> Seen {
        loop {
            match tokio::time::timeout(PATIENCE, self.socket.next()).await.expect("a message in time") {
                Some(Ok(Message::Text(text))) => return Seen::Message(serde_json::from_str(&text).unwrap()),
                Some(Ok(Message::Close(frame))) => return Seen::Closed(frame.map_or(1005, |frame| frame.code.into())),
                Some(Ok(_)) => {}
                other => panic!("the stream broke off: {other:?}"),
            }
        }
    }

    /// The next message of this type.
    pub async fn until(&mut self, kind: &str) -> Value {
        self.up_to(kind).await.pop().unwrap()
    }

    /// All messages up to the first of this type.
    pub async fn up_to(&mut self, kind: &str) -> Vec<Value> {
        let mut seen = Vec::new();
        loop {
            let Seen::Message(message) = self.next().await else { panic!("closed before {kind}: {seen:?}") };
            seen.push(message);
            if seen.last().unwrap()["type"] == kind {
                return seen;
            }
        }
    }

    /// All messages up to the close, and its code.
    pub async fn rest(mut self) -> (Vec<Value>, u16) {
        let mut seen = Vec::new();
        loop {
            match self.next().await {
                Seen::Message(message) => seen.push(message),
                Seen::Closed(code) => return (seen, code),
            }
        }
    }

    /// Sends one message.
    pub async fn say(&mut self, kind: &str, data: &Value) {
        let at = plimsoll_core::context::Context::system().now();
        let text = json!({"type": kind, "at": at, "data": data}).to_string();
        self.socket.send(Message::Text(text.into())).await.unwrap();
    }
}
