//! A stream, as an agent holds it.

use futures_util::StreamExt as _;
use serde_json::Value;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{Message, client::IntoClientRequest as _},
};

use crate::world::World;

pub struct Stream(WebSocketStream<MaybeTlsStream<tokio::net::TcpStream>>);

impl Stream {
    pub async fn open(world: &World, path: &str, token: &str) -> Self {
        let url = format!("{}{path}", world.server.url.replacen("http", "ws", 1));
        let mut request = url.into_client_request().unwrap();
        request.headers_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        request.headers_mut().insert("sec-websocket-protocol", "plimsoll.v1".parse().unwrap());
        Self(tokio_tungstenite::connect_async(request).await.unwrap().0)
    }

    /// The next message.
    async fn next(&mut self) -> Message {
        tokio::time::timeout(plimsoll_testkit::PATIENCE, self.0.next()).await.unwrap().unwrap().unwrap()
    }

    /// The next frame that says something.
    pub async fn frame(&mut self) -> Value {
        loop {
            if let Message::Text(text) = self.next().await {
                return serde_json::from_str(&text).unwrap();
            }
        }
    }

    /// The code with which the server closes it.
    pub async fn closed(&mut self) -> u16 {
        loop {
            if let Message::Close(frame) = self.next().await {
                return frame.unwrap().code.into();
            }
        }
    }
}
