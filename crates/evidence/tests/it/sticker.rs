//! Version stickers.

use plimsoll_evidence::{Sticker, StickerEnvelope, verify_packet};
use serde_json::json;

use crate::common::{forge, json as read, key, sticker};

#[test]
fn a_sticker_verifies_with_the_public_key_alone() {
    let key = key();
    let file = StickerEnvelope::sign(&sticker(), &key).unwrap();
    assert_eq!(StickerEnvelope::verify(file.as_str().as_bytes(), key.public_key()).unwrap(), sticker());
    let other = crate::common::key();
    let refused = StickerEnvelope::verify(file.as_str().as_bytes(), other.public_key()).unwrap_err();
    assert_eq!(refused.code(), "key_mismatch");
}

#[test]
fn a_sticker_says_this() {
    let statement = sticker().statement().unwrap();
    assert_eq!(
        read(&statement.to_canonical().unwrap())["predicate"],
        json!({
            "targetId": "01890a5d-ac96-774b-bcce-b302099a8001",
            "targetName": "edge-01",
            "application": "shop",
            "release": {
                "id": "01890a5d-ac96-774b-bcce-b302099a8002",
                "version": "2026.11.1",
                "digest": "sha256:a4d451ec23463726f72c43d64c710968f6b602cd653b4de8adee1b556240a829",
            },
            "components": [
                {"name": "shop-api", "digest": plimsoll_core::Digest::of(b"api")},
                {"name": "shop-web", "digest": plimsoll_core::Digest::of(b"web")},
            ],
            "jobId": "01890a5d-ac96-774b-bcce-b302099a8003",
            "epoch": 42,
            "issuedAt": "2026-11-18T11:06:40.123456Z",
        })
    );
}

#[test]
fn a_sticker_is_a_packet_too_but_a_decision_is_no_sticker() {
    let key = key();
    let file = StickerEnvelope::sign(&sticker(), &key).unwrap();
    assert!(verify_packet(file.as_str().as_bytes(), key.public_key()).is_ok());
    let decision = key.sign_statement(&crate::common::decision()).unwrap();
    let refused = StickerEnvelope::verify(&decision, key.public_key()).unwrap_err();
    assert_eq!(refused.code(), "wrong_predicate_type");
}

#[test]
fn it_travels_inside_json_unchanged() {
    let key = key();
    let file = StickerEnvelope::sign(&sticker(), &key).unwrap();
    let wire = serde_json::to_string(&file).unwrap();
    let arrived: StickerEnvelope = serde_json::from_str(&wire).unwrap();
    assert_eq!(arrived, file);
}

/// Forged with the right key: a server that errs must not be believed either.
#[test]
fn a_sticker_that_contradicts_itself_is_refused() {
    let key = key();
    let good = String::from_utf8(sticker().statement().unwrap().to_canonical().unwrap()).unwrap();
    let api = plimsoll_core::Digest::of(b"api").to_string();
    let other = plimsoll_core::Digest::of(b"other").to_string();
    let cases = [
        (good.replace(&api, &other), "subject_mismatch"),
        (good.replace(r#""name":"shop-web"}],"epoch""#, r#""name":"shop-wex"}],"epoch""#), "subject_mismatch"),
        (good.replace(r#""epoch":42"#, r#""epoch":-1"#), "bad_predicate"),
        (good.replace(r#""epoch":42,"#, ""), "bad_predicate"),
        (good.replace(r#""epoch":42"#, r#""epoch":42,"extra":1"#), "bad_predicate"),
        (good.replace("01890a5d-ac96-774b-bcce-b302099a8003", "01890A5D-ac96-774b-bcce-b302099a8003"), "bad_predicate"),
        (good.replace("40.123456Z", "40.123456+00:00"), "bad_predicate"),
        (good.replace("sticker:v1", "deployment:v1"), "wrong_predicate_type"),
    ];
    for (statement, reason) in cases {
        assert_ne!(statement, good, "{reason}");
        let refused = StickerEnvelope::verify(&forge(&key, statement.as_bytes()), key.public_key()).unwrap_err();
        assert_eq!(refused.code(), reason, "{statement}");
    }
    let mut empty = sticker();
    empty.components.clear();
    assert!(StickerEnvelope::sign(&empty, &key).is_err());
    let huge = Sticker { epoch: u64::MAX, ..sticker() };
    assert!(StickerEnvelope::sign(&huge, &key).is_err());
}
