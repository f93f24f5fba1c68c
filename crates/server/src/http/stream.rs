//! What all streams share: limits, pings, sequence numbers, closing codes.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use plimsoll_core::{Error, Result, Timestamp};
use serde_json::{Value, json};

/// Between two pings.
pub(crate) const PING: Duration = Duration::from_secs(20);
/// A peer silent for so long is dropped.
pub(crate) const SILENT: Duration = Duration::from_mins(1);
/// For one message to be taken by the peer.
const TAKE: Duration = Duration::from_secs(10);

/// The work is over.
pub(crate) const CLOSE_END: u16 = 1000;
/// The server drains; come back.
pub(crate) const CLOSE_AWAY: u16 = 1001;
/// The token ran out and no fresh one came.
pub(crate) const CLOSE_UNAUTHENTICATED: u16 = 4401;
/// The peer was too slow; it can resume.
pub(crate) const CLOSE_SLOW: u16 = 4408;

/// Takes the connection out of a call, with our limits.
pub(crate) fn upgrade(call: &mut super::call::Call) -> Result<WebSocketUpgrade> {
    let upgrade = call.upgrade.take().ok_or_else(|| Error::internal_defect("a stream's call has no connection"))?;
    Ok(limited(upgrade))
}

fn limited(upgrade: WebSocketUpgrade) -> WebSocketUpgrade {
    upgrade
        .read_buffer_size(4 * 1024)
        .write_buffer_size(16 * 1024)
        .max_write_buffer_size(4 * 1024 * 1024)
        .max_message_size(1024 * 1024)
        .max_frame_size(1024 * 1024)
        .protocols(["plimsoll.v1"])
}

/// Sends one text; a peer that doesn't take it in time is too slow.
pub(crate) async fn send(socket: &mut WebSocket, text: String) -> Result<(), u16> {
    within(TAKE, socket, Message::Text(text.into())).await
}

/// Sends a ping.
pub(crate) async fn ping(socket: &mut WebSocket) -> Result<(), u16> {
    within(TAKE, socket, Message::Ping(Vec::new().into())).await
}

async fn within(limit: Duration, socket: &mut WebSocket, message: Message) -> Result<(), u16> {
    match tokio::time::timeout(limit, socket.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(CLOSE_AWAY),
        Err(_) => Err(CLOSE_SLOW),
    }
}

/// Closes with a code.
pub(crate) async fn close(mut socket: WebSocket, code: u16, reason: &'static str) {
    let frame = CloseFrame { code, reason: reason.into() };
    // The peer may be gone already.
    drop(tokio::time::timeout(Duration::from_secs(2), socket.send(Message::Close(Some(frame)))).await);
}

/// One message of a stream that people follow.
pub(crate) fn message(seq: i64, kind: &str, at: Timestamp, data: &Value) -> String {
    json!({ "seq": seq, "type": kind, "at": at, "data": data }).to_string()
}

#[cfg(test)]
mod tests {
    use axum::{Router, extract::ws::WebSocketUpgrade, routing::get};
    use futures_util::StreamExt as _;
    use tokio::{
        net::{TcpListener, TcpSocket},
        sync::mpsc,
    };
    use tokio_tungstenite::{client_async, tungstenite};

    use super::*;

    /// A peer that takes nothing: what is kept for it is bounded, and it is let go with 4408.
    #[tokio::test]
    async fn a_stalled_peer_is_closed_with_4408_after_a_bounded_buffer() {
        let (told, mut ended) = mpsc::channel::<(u16, usize)>(1);
        let router = Router::new().route(
            "/",
            get(move |upgrade: WebSocketUpgrade| async move {
                limited(upgrade).on_upgrade(move |mut socket| async move {
                    let (text, mut sent) = ("x".repeat(64 * 1024), 0);
                    let code = loop {
                        match within(Duration::from_millis(100), &mut socket, Message::Text(text.clone().into())).await
                        {
                            Ok(()) => sent += text.len(),
                            Err(code) => break code,
                        }
                    };
                    told.send((code, sent)).await.unwrap();
                    close(socket, code, "too slow").await;
                })
            }),
        );
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move { axum::serve(listener, router).await });
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(64 * 1024).unwrap();
        let pipe = socket.connect(address).await.unwrap();
        let (mut peer, _) = client_async(format!("ws://{address}/"), pipe).await.unwrap();
        let (code, sent) = ended.recv().await.unwrap();
        assert_eq!(code, CLOSE_SLOW);
        // What the kernel keeps for a connection, and our own buffer.
        assert!(sent < 32 * 1024 * 1024, "{sent}");
        // It reads again: what was on its way comes, then the reason.
        let mut got = 0;
        let closed = loop {
            match peer.next().await.unwrap().unwrap() {
                tungstenite::Message::Text(text) => got += text.len(),
                tungstenite::Message::Close(frame) => break u16::from(frame.unwrap().code),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(closed, CLOSE_SLOW);
        assert!(got >= sent, "{got} of {sent}");
        server.abort();
    }
}
