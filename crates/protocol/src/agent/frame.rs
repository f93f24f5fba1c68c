//! The frames themselves: one JSON object `{"seq"?,"type","at","data"}` a message.

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use plimsoll_core::{Error, ErrorCode, Result, Timestamp};

use super::{
    MAX_FRAME_BYTES,
    observe::{ObserveReport, ObserveRequest, Status},
    order::{LeaseRenewed, ServerHello, TaskCancel, TaskOffer},
    report::{LeaseRenew, ResultAck, TaskAck, TaskLog, TaskProgress, TaskResult},
    secret::{SecretRequest, SecretValue},
};

/// What the server sends to an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum ServerFrame {
    /// The first frame of a connection.
    #[serde(rename = "server.hello")]
    Hello(ServerHello),
    /// Work. Delivered at least once; the same task and epoch is acked again and done once.
    #[serde(rename = "task.offer")]
    Offer(TaskOffer),
    /// Stop a task in its bounded way.
    #[serde(rename = "task.cancel")]
    Cancel(TaskCancel),
    /// The answer to `secret.request`.
    #[serde(rename = "secret.value")]
    SecretValue(SecretValue),
    /// The answer to `lease.renew`.
    #[serde(rename = "lease.renewed")]
    LeaseRenewed(LeaseRenewed),
    /// A result is stored (or refused as stale): the agent may forget it.
    #[serde(rename = "result.ack")]
    ResultAck(ResultAck),
    /// Look at a target now.
    #[serde(rename = "observe.request")]
    Observe(ObserveRequest),
}

/// What an agent sends to the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
pub enum AgentFrame {
    /// The offer is on the agent's disk, or refused.
    #[serde(rename = "task.ack")]
    Ack(TaskAck),
    /// A step began or ended.
    #[serde(rename = "task.progress")]
    Progress(TaskProgress),
    /// Lines of a task's log, masked.
    #[serde(rename = "task.log")]
    Log(TaskLog),
    /// How a task ended; sent until `result.ack`.
    #[serde(rename = "task.result")]
    Result(TaskResult),
    /// Ask for secrets that a step needs.
    #[serde(rename = "secret.request")]
    SecretRequest(SecretRequest),
    /// Ask to keep the lease.
    #[serde(rename = "lease.renew")]
    LeaseRenew(LeaseRenew),
    /// What a target looks like.
    #[serde(rename = "observe.report")]
    Observation(ObserveReport),
    /// The host and all that runs on it, unasked: after connecting and when it changed.
    #[serde(rename = "status")]
    Status(Status),
    /// A fresh token of the same agent, before the old one expires.
    #[serde(rename = "auth")]
    Auth(Auth),
}

/// The body of `auth` (conventions.md, WebSockets).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Auth {
    /// The new access token.
    pub token: String,
}

impl std::fmt::Debug for Auth {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Auth(…)")
    }
}

/// A frame with its time and, from the server, its position.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope<F> {
    /// The position in the agent's stream; only frames that are kept for resuming have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u64>,
    /// When the sender made it, by its own clock.
    pub at: Timestamp,
    /// What it says.
    #[serde(flatten)]
    pub frame: F,
}

/// A received message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decoded<F> {
    /// One that this build knows.
    Known(Envelope<F>),
    /// One of a newer peer; to be logged and ignored.
    Unknown {
        /// Its `type`.
        kind: String,
    },
}

/// The frames of one direction.
pub trait Frame: Serialize + DeserializeOwned {
    /// The value of `type` of each.
    const TYPES: &'static [&'static str];
}

impl Frame for ServerFrame {
    const TYPES: &'static [&'static str] = &[
        "server.hello",
        "task.offer",
        "task.cancel",
        "secret.value",
        "lease.renewed",
        "result.ack",
        "observe.request",
    ];
}

impl Frame for AgentFrame {
    const TYPES: &'static [&'static str] = &[
        "task.ack",
        "task.progress",
        "task.log",
        "task.result",
        "secret.request",
        "lease.renew",
        "observe.report",
        "status",
        "auth",
    ];
}

impl<F: Frame> Envelope<F> {
    /// A frame without a position.
    pub const fn new(at: Timestamp, frame: F) -> Self {
        Self { seq: None, at, frame }
    }

    /// The message's text.
    pub fn encode(&self) -> Result<String> {
        serde_json::to_string(self)
            .map_err(|cause| Error::internal_defect(format!("a frame can't be written: {cause}")))
    }

    /// Reads a message. Malformed ones and bodies that don't fit their `type` are errors; a type that this
    /// build doesn't know is not.
    pub fn decode(text: &str) -> Result<Decoded<F>> {
        if text.len() > MAX_FRAME_BYTES {
            let message = format!("the frame has {} bytes; at most {MAX_FRAME_BYTES} are accepted", text.len());
            return Err(Error::new(ErrorCode::BodyTooLarge, message));
        }
        let raw: Value = serde_json::from_str(text).map_err(|cause| malformed(&cause))?;
        let Some(kind) = raw.get("type").and_then(Value::as_str) else {
            return Err(Error::field("type", "required", "a frame needs its type as a string"));
        };
        if !F::TYPES.contains(&kind) {
            return Ok(Decoded::Unknown { kind: kind.chars().take(64).collect() });
        }
        serde_json::from_value(raw).map(Decoded::Known).map_err(|cause| malformed(&cause))
    }
}

fn malformed(cause: &serde_json::Error) -> Error {
    Error::new(ErrorCode::MalformedJson, format!("the frame can't be read: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at() -> Timestamp {
        Timestamp::from_seconds(1_795_000_000)
    }

    #[test]
    fn a_frame_survives_the_wire() {
        let frame = Envelope {
            seq: Some(7),
            at: at(),
            frame: ServerFrame::LeaseRenewed(LeaseRenewed { nonce: u64::MAX, lease_seconds: 60, revoked: Vec::new() }),
        };
        let text = frame.encode().unwrap();
        assert!(text.contains(r#""type":"lease.renewed""#), "{text}");
        assert_eq!(Envelope::<ServerFrame>::decode(&text).unwrap(), Decoded::Known(frame));
    }

    #[test]
    fn a_newer_peer_is_tolerated_and_rubbish_is_not() {
        let newer = r#"{"type":"task.dance","at":"2026-11-23T22:00:00Z","data":{}}"#;
        let known = Envelope::<AgentFrame>::decode(newer).unwrap();
        assert_eq!(known, Decoded::Unknown { kind: "task.dance".into() });
        let more = r#"{"type":"lease.renew","at":"2026-11-23T22:00:00Z","data":{"nonce":1,"tasks":[],"mood":"good"}}"#;
        assert!(matches!(Envelope::<AgentFrame>::decode(more), Ok(Decoded::Known(_))));
        for bad in ["", "[]", "{}", r#"{"type":7}"#, r#"{"type":"task.ack","at":"2026-11-23T22:00:00Z","data":{}}"#] {
            assert!(Envelope::<AgentFrame>::decode(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_type_that_is_listed_is_known() {
        for kind in ServerFrame::TYPES {
            let text = format!(r#"{{"type":"{kind}","at":"2026-11-23T22:00:00Z","data":null}}"#);
            let error = Envelope::<ServerFrame>::decode(&text).unwrap_err().to_string();
            assert!(!error.contains("unknown variant"), "{error}");
        }
        for kind in AgentFrame::TYPES {
            let text = format!(r#"{{"type":"{kind}","at":"2026-11-23T22:00:00Z","data":null}}"#);
            let error = Envelope::<AgentFrame>::decode(&text).unwrap_err().to_string();
            assert!(!error.contains("unknown variant"), "{error}");
        }
    }
}
