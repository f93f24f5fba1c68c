//! Statements, keys and packets for tests.

use plimsoll_core::{Digest, Timestamp, id::TypedId};
use plimsoll_evidence::{
    PredicateType, SigningKey, Statement, Sticker, StickerComponent, StickerRelease, Subject, pae,
};
use serde_json::{Value, json};

pub fn key() -> SigningKey {
    SigningKey::generate().unwrap()
}

/// A decision whose predicate holds what is hard to write canonically.
pub fn decision() -> Statement {
    let predicate = json!({
        "environment": {"name": "prod", "revision": 7},
        "gates": [{"type": "soak_time", "verdict": "pass", "inputs": {"seconds": 86_400, "ratio": 0.1}}],
        "numbers": [0, -1, 2.0, 0.5, 1e-7, 1.5e300, 1e21, 123_456_789.125, 9_007_199_254_740_991_u64, -0.0, 5e-324, 1e20],
        "texts": {"": "empty", "é": "ü\u{7f}", "😀": "\u{1}\n\t\"\\/", "\u{fb33}": "\u{2028}", "1": "\u{8}\u{c}\r", "a": null},
    });
    Statement::new(PredicateType::PromotionDecision, subjects(), predicate).unwrap()
}

pub fn subjects() -> Vec<Subject> {
    vec![Subject::new("shop-api", Digest::of(b"api")), Subject::new("shop-web", Digest::of(b"web"))]
}

pub fn sticker() -> Sticker {
    let component = |subject: Subject| StickerComponent { name: subject.name, digest: subject.digest };
    Sticker {
        target_id: id(1),
        target_name: "edge-01".to_owned(),
        application: "shop".to_owned(),
        release: StickerRelease { id: id(2), version: "2026.11.1".to_owned(), digest: Digest::of(b"release") },
        components: subjects().into_iter().map(component).collect(),
        job_id: id(3),
        epoch: 42,
        issued_at: Timestamp::from_micros(1_795_000_000_123_456),
    }
}

fn id<I: TypedId>(last: u8) -> I {
    format!("01890a5d-ac96-774b-bcce-b302099a80{last:02x}").parse().unwrap()
}

/// The canonical bytes of `value`.
pub fn canonical(value: &Value) -> Vec<u8> {
    plimsoll_core::canonical::to_vec(value).unwrap()
}

/// `bytes` as JSON.
pub fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

/// A rightly signed packet around any payload, as only the holder of the key could forge it.
pub fn forge(key: &SigningKey, payload: &[u8]) -> Vec<u8> {
    let mut packet = json(&key.sign_statement(&decision()).unwrap());
    let envelope = key.sign_payload("application/vnd.in-toto+json", payload).unwrap();
    packet["dsseEnvelope"] = serde_json::to_value(envelope).unwrap();
    canonical(&packet)
}

/// The envelope of a packet as a file of its own.
pub fn bare(packet: &[u8]) -> Vec<u8> {
    canonical(&json(packet)["dsseEnvelope"])
}

/// What is signed in-toto.
pub fn in_toto_pae(payload: &[u8]) -> Vec<u8> {
    pae("application/vnd.in-toto+json", payload)
}
