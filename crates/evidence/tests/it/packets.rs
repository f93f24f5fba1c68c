//! What is accepted, and what the caller learns from it.

use plimsoll_core::Digest;
use plimsoll_evidence::{BUNDLE_MEDIA_TYPE, MAX_STATEMENT_BYTES, Packet, PredicateType, Statement, verify_packet};
use serde_json::json;

use crate::common::{bare, canonical, decision, forge, json as read, key, subjects};

#[test]
fn a_packet_verifies_and_gives_its_statement_back() {
    let key = key();
    let statement = decision();
    let packet = key.sign_statement(&statement).unwrap();
    let verified = verify_packet(&packet, key.public_key()).unwrap();
    assert_eq!(verified.canonical(), statement.to_canonical().unwrap());
    assert_eq!(verified.statement().subjects(), statement.subjects());
    assert_eq!(verified.statement().predicate_type(), PredicateType::PromotionDecision);
    assert_eq!(verified.statement().predicate()["environment"], json!({"name": "prod", "revision": 7}));
    assert_eq!(verified.key_id(), key.key_id());
}

#[test]
fn the_packet_has_the_form_of_a_sigstore_bundle() {
    let key = key();
    let packet = read(&key.sign_statement(&decision()).unwrap());
    assert_eq!(packet["mediaType"], BUNDLE_MEDIA_TYPE);
    assert_eq!(packet["verificationMaterial"], json!({"publicKey": {"hint": key.key_id()}}));
    assert_eq!(packet["dsseEnvelope"]["payloadType"], "application/vnd.in-toto+json");
    assert_eq!(packet["dsseEnvelope"]["signatures"].as_array().unwrap().len(), 1);
    assert_eq!(packet["dsseEnvelope"]["signatures"][0]["keyid"], key.key_id());
}

#[test]
fn stored_bytes_are_signed_as_they_are() {
    let key = key();
    let stored = decision().to_canonical().unwrap();
    let packet = key.sign_canonical(&stored).unwrap();
    assert_eq!(verify_packet(&packet, key.public_key()).unwrap().canonical(), stored);
}

#[test]
fn a_bare_envelope_and_one_without_keyid_verify_too() {
    let key = key();
    let packet = key.sign_statement(&decision()).unwrap();
    let envelope = bare(&packet);
    assert!(verify_packet(&envelope, key.public_key()).is_ok());
    let mut anonymous = read(&envelope);
    anonymous["signatures"][0].as_object_mut().unwrap().remove("keyid");
    assert!(verify_packet(&canonical(&anonymous), key.public_key()).is_ok());
    let parsed = Packet::parse(&packet).unwrap();
    assert_eq!(parsed.to_canonical().unwrap(), packet);
    assert_eq!(Packet::Envelope(parsed.envelope().clone()).to_canonical().unwrap(), envelope);
}

#[test]
fn every_predicate_type_has_its_name() {
    let key = key();
    for kind in [PredicateType::PromotionDecision, PredicateType::Deployment, PredicateType::Rollback] {
        let statement = Statement::new(kind, subjects(), json!({})).unwrap();
        let verified = verify_packet(&key.sign_statement(&statement).unwrap(), key.public_key()).unwrap();
        verified.require_type(kind).unwrap();
        let other = verified.require_type(PredicateType::Sticker).unwrap_err();
        assert_eq!(other.code(), "wrong_predicate_type");
    }
}

#[test]
fn a_statement_about_something_else_is_told_apart() {
    let key = key();
    let verified = verify_packet(&key.sign_statement(&decision()).unwrap(), key.public_key()).unwrap();
    verified.require_subject(&Digest::of(b"web")).unwrap();
    let other = Digest::of(b"other");
    assert_eq!(verified.require_subject(&other).unwrap_err().code(), "other_subject");
}

/// The signer holds to the verifier's rules, so that no packet is sealed that nobody can verify.
#[test]
fn what_would_not_verify_is_not_signed() {
    let key = key();
    let good = String::from_utf8(decision().to_canonical().unwrap()).unwrap();
    let cases = [
        String::new(),
        "{}".to_owned(),
        format!("{good}\n"),
        good.replace("promotion-decision:v1", "promotion-decision:v2"),
        good.replace("Statement/v1", "Statement/v0.1"),
        good.replace("promotion-decision", "sticker"),
    ];
    for statement in cases {
        assert!(key.sign_canonical(statement.as_bytes()).is_err(), "{statement}");
        assert!(verify_packet(&forge(&key, statement.as_bytes()), key.public_key()).is_err(), "{statement}");
    }
}

#[test]
fn the_largest_statement_fits_and_a_larger_one_is_refused() {
    let key = key();
    let filled = |bytes: usize| {
        let statement = Statement::new(PredicateType::Deployment, subjects(), json!({"log": "x".repeat(bytes)}));
        statement.unwrap().to_canonical().unwrap()
    };
    let room = MAX_STATEMENT_BYTES - filled(0).len();
    let largest = key.sign_canonical(&filled(room)).unwrap();
    assert!(verify_packet(&largest, key.public_key()).is_ok());
    assert!(key.sign_canonical(&filled(room + 1)).is_err());
}
