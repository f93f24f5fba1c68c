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
    Ok(upgrade
        .read_buffer_size(4 * 1024)
        .write_buffer_size(16 * 1024)
        .max_write_buffer_size(4 * 1024 * 1024)
        .max_message_size(1024 * 1024)
        .max_frame_size(1024 * 1024)
        .protocols(["plimsoll.v1"]))
}

/// Sends one text; a peer that doesn't take it in time is too slow.
pub(crate) async fn send(socket: &mut WebSocket, text: String) -> Result<(), u16> {
    match tokio::time::timeout(TAKE, socket.send(Message::Text(text.into()))).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(CLOSE_AWAY),
        Err(_) => Err(CLOSE_SLOW),
    }
}

/// Sends a ping.
pub(crate) async fn ping(socket: &mut WebSocket) -> Result<(), u16> {
    match tokio::time::timeout(TAKE, socket.send(Message::Ping(Vec::new().into()))).await {
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
