//! Bad envelopes, each with the reason for which it is refused.

use base64::{Engine, engine::general_purpose::STANDARD};
use plimsoll_evidence::{MAX_PACKET_BYTES, SigningKey, verify_packet};
use serde_json::{Value, json};

use crate::common::{bare, canonical, decision, forge, in_toto_pae, json as read, key};

/// What is wrong, the packet, the reason's code.
pub type Case = (&'static str, Vec<u8>, &'static str);

/// Packets whose wrapping is wrong. Whoever verifies must refuse each, whatever tool it is.
pub fn wrappings(key: &SigningKey) -> Vec<Case> {
    let packet = longest_signed(key);
    let text = String::from_utf8(packet.clone()).unwrap();
    let envelope = String::from_utf8(bare(&packet)).unwrap();
    let stranger = SigningKey::generate().unwrap();
    let edit = |change: &dyn Fn(&mut Value)| {
        let mut value = read(&packet);
        change(&mut value);
        canonical(&value)
    };
    let envelope_of = |change: &dyn Fn(&mut Value)| edit(&|value| change(&mut value["dsseEnvelope"]));
    let signature_of = |change: &dyn Fn(&mut Value)| envelope_of(&|value| change(&mut value["signatures"][0]));
    let sig = |value: &Value| value["sig"].as_str().unwrap().to_owned();
    let raw = STANDARD.decode(sig(&read(envelope.as_bytes())["signatures"][0])).unwrap();
    let with_sig = |bytes: Vec<u8>| signature_of(&|value| value["sig"] = json!(STANDARD.encode(&bytes)));
    let payload = decision().to_canonical().unwrap();
    let swapped = String::from_utf8(payload.clone()).unwrap().replace("promotion-decision", "rollback");
    let digest_swapped = String::from_utf8(payload.clone()).unwrap();
    let hex = plimsoll_core::Digest::of(b"api").hex();
    let digest_swapped = digest_swapped.replace(&hex, &plimsoll_core::Digest::of(b"evil").hex());
    let with_payload = |bytes: &[u8]| envelope_of(&|value| value["payload"] = json!(STANDARD.encode(bytes)));
    let by_stranger = stranger.sign_payload("application/vnd.in-toto+json", &payload).unwrap();
    let by_stranger = serde_json::to_value(by_stranger).unwrap();
    let other_type = serde_json::to_value(key.sign_payload("application/vnd.other+json", &payload).unwrap()).unwrap();
    let unwrapped = serde_json::to_value(key.sign_payload("text/plain", &in_toto_pae(&payload)).unwrap()).unwrap();
    let mut not_utf8 = packet.clone();
    not_utf8[2] = 0xff;
    vec![
        // Not JSON, or not JSON alone
        ("nothing", vec![], "unparsable"),
        ("a text", b"evidence".to_vec(), "unparsable"),
        ("cut short", packet[..packet.len() - 1].to_vec(), "unparsable"),
        ("something behind it", format!("{text}{{}}").into_bytes(), "unparsable"),
        ("a NUL behind it", format!("{text}\0").into_bytes(), "unparsable"),
        ("a byte order mark", format!("\u{feff}{text}").into_bytes(), "unparsable"),
        ("not UTF-8", not_utf8, "unparsable"),
        ("nested too deeply", "[".repeat(5_000).into_bytes(), "unparsable"),
        ("too large", vec![b' '; MAX_PACKET_BYTES + 1], "too_large"),
        // The same key twice
        ("two payloads", envelope.replacen('{', r#"{"payload":"e30=","#, 1).into_bytes(), "duplicate_key"),
        ("two escaped payloads", envelope.replacen('{', r#"{"p\u0061yload":"e30=","#, 1).into_bytes(), "duplicate_key"),
        ("two sigs", text.replacen(r#""sig":"#, r#""sig":"","sig":"#, 1).into_bytes(), "duplicate_key"),
        ("two envelopes", text.replacen('{', r#"{"dsseEnvelope":{},"#, 1).into_bytes(), "duplicate_key"),
        // Another form
        ("a list", b"[]".to_vec(), "malformed"),
        ("an empty object", b"{}".to_vec(), "malformed"),
        ("null", b"null".to_vec(), "malformed"),
        (
            "a bundle without material",
            edit(&|v| drop(v.as_object_mut().unwrap().remove("verificationMaterial"))),
            "malformed",
        ),
        (
            "a bundle without an envelope",
            edit(&|v| drop(v.as_object_mut().unwrap().remove("dsseEnvelope"))),
            "malformed",
        ),
        ("a certificate beside the key", edit(&|v| v["verificationMaterial"]["certificate"] = json!({})), "malformed"),
        ("an unknown field in the bundle", edit(&|v| v["note"] = json!("trust me")), "malformed"),
        ("an unknown field in the envelope", envelope_of(&|v| v["note"] = json!("trust me")), "malformed"),
        ("an unknown field in the signature", signature_of(&|v| v["note"] = json!("trust me")), "malformed"),
        ("no payload", envelope_of(&|v| drop(v.as_object_mut().unwrap().remove("payload"))), "malformed"),
        ("no signatures field", envelope_of(&|v| drop(v.as_object_mut().unwrap().remove("signatures"))), "malformed"),
        ("the payload as an object", envelope_of(&|v| v["payload"] = json!({})), "malformed"),
        ("the signatures as an object", envelope_of(&|v| v["signatures"] = v["signatures"][0].clone()), "malformed"),
        ("a numeric keyid", signature_of(&|v| v["keyid"] = json!(1)), "malformed"),
        (
            "an older bundle",
            edit(&|v| v["mediaType"] = json!("application/vnd.dev.sigstore.bundle.v0.2+json")),
            "wrong_media_type",
        ),
        // Another spelling
        ("a line break behind it", format!("{text}\n").into_bytes(), "not_canonical"),
        ("a space in front", format!(" {text}").into_bytes(), "not_canonical"),
        ("indented", serde_json::to_vec_pretty(&read(&packet)).unwrap(), "not_canonical"),
        ("an escaped letter", text.replacen("payload", r"p\u0061yload", 1).into_bytes(), "not_canonical"),
        ("an escaped slash", text.replacen("application/", r"application\/", 1).into_bytes(), "not_canonical"),
        ("a null keyid", signature_of(&|v| v["keyid"] = Value::Null), "not_canonical"),
        // Signatures
        ("no signature", envelope_of(&|v| v["signatures"] = json!([])), "signature_count"),
        (
            "two signatures",
            envelope_of(&|v| v["signatures"] = json!([v["signatures"][0], v["signatures"][0]])),
            "signature_count",
        ),
        (
            "a stranger's beside ours",
            envelope_of(&|v| v["signatures"] = json!([v["signatures"][0], by_stranger["signatures"][0]])),
            "signature_count",
        ),
        // Keys
        ("a stranger's signature", edit(&|v| v["dsseEnvelope"] = by_stranger.clone()), "key_mismatch"),
        (
            "a stranger's signature under our keyid",
            signature_of(&|v| v["sig"] = by_stranger["signatures"][0]["sig"].clone()),
            "bad_signature",
        ),
        ("an empty keyid", signature_of(&|v| v["keyid"] = json!("")), "key_mismatch"),
        ("a keyid in hexadecimal", signature_of(&|v| v["keyid"] = json!("66301bbf")), "key_mismatch"),
        (
            "a foreign hint",
            edit(&|v| v["verificationMaterial"]["publicKey"]["hint"] = json!(stranger.key_id())),
            "key_mismatch",
        ),
        // Payload and type
        ("another payloadType", envelope_of(&|v| v["payloadType"] = json!("application/json")), "wrong_payload_type"),
        ("an empty payloadType", envelope_of(&|v| v["payloadType"] = json!("")), "wrong_payload_type"),
        (
            "another payloadType, rightly signed",
            edit(&|v| v["dsseEnvelope"] = other_type.clone()),
            "wrong_payload_type",
        ),
        ("the encoding as payload", edit(&|v| v["dsseEnvelope"] = unwrapped.clone()), "wrong_payload_type"),
        ("a swapped predicate", with_payload(swapped.as_bytes()), "bad_signature"),
        ("a swapped subject", with_payload(digest_swapped.as_bytes()), "bad_signature"),
        ("an empty payload", with_payload(b""), "bad_signature"),
        // Base64
        ("no padding", envelope_of(&|v| v["payload"] = json!("e30")), "bad_base64"),
        ("a line break in base64", signature_of(&|v| v["sig"] = json!(sig(v) + "\n")), "bad_base64"),
        ("the URL alphabet", envelope_of(&|v| v["payload"] = json!("-_-_")), "bad_base64"),
        ("spare bits", envelope_of(&|v| v["payload"] = json!("e31=")), "bad_base64"),
        // Encodings of the signature
        ("no signature bytes", with_sig(vec![]), "bad_signature"),
        ("r and s in 64 bytes", with_sig(vec![1; 64]), "bad_signature"),
        ("bytes behind the signature", with_sig([raw.as_slice(), &[0]].concat()), "bad_signature"),
        ("a long form of the length", with_sig([&[0x30, 0x81], &raw[1..]].concat()), "bad_signature"),
        ("r and s zero", with_sig(vec![0x30, 6, 2, 1, 0, 2, 1, 0]), "bad_signature"),
        ("r and s one", with_sig(vec![0x30, 6, 2, 1, 1, 2, 1, 1]), "bad_signature"),
    ]
}

/// A packet whose signature has the 72 bytes that are the most for P-256: `openssl dgst` reads no further.
fn longest_signed(key: &SigningKey) -> Vec<u8> {
    let signature = |packet: &[u8]| read(packet)["dsseEnvelope"]["signatures"][0]["sig"].as_str().unwrap().to_owned();
    let mut packets = std::iter::repeat_with(|| key.sign_statement(&decision()).unwrap());
    packets.find(|packet| STANDARD.decode(signature(packet)).unwrap().len() == 72).unwrap()
}

/// Rightly signed packets whose statement is wrong.
pub fn statements(key: &SigningKey) -> Vec<Case> {
    let good = decision().to_canonical().unwrap();
    let text = String::from_utf8(good.clone()).unwrap();
    let edit = |change: &dyn Fn(&mut Value)| {
        let mut value = read(&good);
        change(&mut value);
        forge(key, &canonical(&value))
    };
    vec![
        ("an empty statement", forge(key, b""), "unparsable"),
        ("a text", forge(key, b"evidence"), "unparsable"),
        ("two predicates", forge(key, text.replacen('{', r#"{"predicate":{},"#, 1).as_bytes()), "duplicate_key"),
        (
            "two keys deep inside",
            forge(key, text.replacen(r#""name":"prod""#, r#""name":"prod","name":"dev""#, 1).as_bytes()),
            "duplicate_key",
        ),
        ("a list", forge(key, b"[]"), "malformed"),
        ("an unknown field", edit(&|v| v["note"] = json!(1)), "malformed"),
        ("a predicate that is a list", edit(&|v| v["predicate"] = json!([])), "malformed"),
        ("no predicate", edit(&|v| drop(v.as_object_mut().unwrap().remove("predicate"))), "malformed"),
        ("a subject without a name", edit(&|v| v["subject"][0]["name"] = json!("")), "malformed"),
        ("a subject without a digest", edit(&|v| v["subject"][0]["digest"] = json!({})), "malformed"),
        ("a subject with another digest", edit(&|v| v["subject"][0]["digest"]["sha1"] = json!("00")), "malformed"),
        ("a short digest", edit(&|v| v["subject"][0]["digest"]["sha256"] = json!("00")), "malformed"),
        ("an upper-case digest", edit(&|v| v["subject"][0]["digest"]["sha256"] = json!("A".repeat(64))), "malformed"),
        ("a line break behind it", forge(key, format!("{text}\n").as_bytes()), "not_canonical"),
        (
            "a number with a tail",
            forge(key, text.replace(r#""revision":7"#, r#""revision":7.0"#).as_bytes()),
            "not_canonical",
        ),
        (
            "an integer that can't be kept",
            forge(key, text.replace(r#""revision":7"#, r#""revision":9007199254740993"#).as_bytes()),
            "not_canonical",
        ),
        (
            "another kind of statement",
            edit(&|v| v["_type"] = json!("https://in-toto.io/Statement/v0.1")),
            "wrong_statement_type",
        ),
        (
            "an unknown predicate type",
            edit(&|v| v["predicateType"] = json!("https://slsa.dev/provenance/v1")),
            "unknown_predicate_type",
        ),
        (
            "a later predicate type",
            edit(&|v| v["predicateType"] = json!("urn:plimsoll:attestation:deployment:v2")),
            "unknown_predicate_type",
        ),
        ("no subject", edit(&|v| v["subject"] = json!([])), "no_subject"),
    ]
}

#[test]
fn each_is_refused_for_its_reason() {
    let key = key();
    let cases = [wrappings(&key), statements(&key)].concat();
    assert!(cases.len() >= 40, "{}", cases.len());
    for (what, packet, reason) in cases {
        let refused = verify_packet(&packet, key.public_key()).expect_err(what);
        assert_eq!(refused.code(), reason, "{what}: {refused}");
        assert!(!refused.to_string().is_empty());
    }
    let wrong_type = forge(&key, &decision().to_canonical().unwrap());
    assert!(verify_packet(&wrong_type, key.public_key()).is_ok(), "what forges must itself be sound");
}

/// Also where no bundle is around it.
#[test]
fn bare_envelopes_are_held_to_the_same_rules() {
    let key = key();
    let envelope = bare(&key.sign_statement(&decision()).unwrap());
    let mut two = read(&envelope);
    two["signatures"] = json!([two["signatures"][0], two["signatures"][0]]);
    let mut typed = read(&envelope);
    typed["payloadType"] = json!("text/plain");
    let mut noted = read(&envelope);
    noted["note"] = json!(1);
    for (value, reason) in [(two, "signature_count"), (typed, "wrong_payload_type"), (noted, "malformed")] {
        assert_eq!(verify_packet(&canonical(&value), key.public_key()).unwrap_err().code(), reason);
    }
}
