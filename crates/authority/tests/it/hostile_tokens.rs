//! Hostile tokens: each row names what it tries, the source that warns of it, and why it is refused.
//! Every row differs from a good token in the one thing that it names.

use aws_lc_rs::{
    hmac,
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair},
};
use plimsoll_authority::{
    keys::SigningKey,
    secret::ExposeSecret,
    token::{Admission, MAX_TOKEN_BYTES, TicketGrant},
};
use plimsoll_core::{ErrorCode, error::ErrorKind, permission::Permission};
use serde_json::{Value, json};

use crate::support::{START, World, b64, pair, sign_text, world};

struct Row {
    attempt: &'static str,
    source: &'static str,
    make: fn(&World) -> String,
    because: &'static str,
}

macro_rules! rows {
    ($($attempt:literal, $source:literal, |$w:ident| $make:expr, $because:literal;)+) => {
        &[$(Row { attempt: $attempt, source: $source, make: |$w| $make, because: $because }),+]
    };
}

fn header(w: &World, change: Value) -> String {
    w.forge(&w.header_with(change), &w.claims())
}

fn claims(w: &World, change: Value) -> String {
    w.forge(&w.header(), &w.claims_with(change))
}

fn with_signature(w: &World, change: Value, signature: &[u8]) -> String {
    format!("{}.{}.{}", b64(w.header_with(change).to_string()), b64(w.claims().to_string()), b64(signature))
}

fn signed_by(w: &World, change: Value, sign: impl FnOnce(&[u8]) -> Vec<u8>) -> String {
    let message = format!("{}.{}", b64(w.header_with(change).to_string()), b64(w.claims().to_string()));
    let signature = sign(message.as_bytes());
    format!("{message}.{}", b64(signature))
}

fn hs256(w: &World, key: &[u8]) -> String {
    signed_by(w, json!({ "alg": "HS256" }), |message| {
        hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message).as_ref().to_vec()
    })
}

/// The point of the active key, as an attacker reads it from the JWKS document.
fn public_point(w: &World) -> Vec<u8> {
    use aws_lc_rs::signature::KeyPair;
    w.signer.public_key().as_ref().to_vec()
}

/// A good token whose part `index` is rewritten.
fn part(w: &World, index: usize, change: impl Fn(&str) -> String) -> String {
    let token = w.token();
    token
        .split('.')
        .enumerate()
        .map(|(at, p)| if at == index { change(p) } else { p.into() })
        .collect::<Vec<_>>()
        .join(".")
}

fn raw_claims(w: &World, from: &str, to: &str) -> String {
    let text = w.claims().to_string();
    assert!(text.contains(from), "{from} is not in {text}");
    w.forge_text(&w.header().to_string(), &text.replacen(from, to, 1))
}

fn exp_text(w: &World) -> String {
    format!("\"exp\":{}", w.claims()["exp"])
}

const ROWS: &[Row] = rows! {
    // The algorithm
    "alg none, no signature", "CVE-2018-1000531; RFC 8725 2.1", |w| with_signature(w, json!({"alg": "none"}), b""), "alg";
    "alg None", "RFC 8725 2.1", |w| with_signature(w, json!({"alg": "None"}), b""), "alg";
    "alg nOnE, signed", "RFC 8725 2.1", |w| header(w, json!({"alg": "nOnE"})), "alg";
    "alg empty", "RFC 8725 3.1", |w| header(w, json!({"alg": ""})), "alg";
    "alg missing", "RFC 7515 4.1.1", |w| header(w, json!({"alg": null})), "alg";
    "alg a number", "RFC 7515 4.1.1", |w| header(w, json!({"alg": 0})), "alg is not a string";
    "alg null", "RFC 7515 4.1.1", |w| w.forge_text(&format!(r#"{{"typ":"at+jwt","kid":"{}","alg":null}}"#, w.kid), &w.claims().to_string()), "alg is not a string";
    "alg a list", "RFC 7515 4.1.1", |w| header(w, json!({"alg": ["ES256"]})), "alg is not a string";
    "alg lower case", "RFC 7515 4.1.1 (case-sensitive)", |w| header(w, json!({"alg": "es256"})), "alg";
    "HS256 with the public point as secret", "CVE-2015-9235; CVE-2016-10555", |w| hs256(w, &public_point(w)), "alg";
    "HS256 with the JWKS entry as secret", "CVE-2022-29217", |w| hs256(w, serde_json::to_string(&w.issuer.keys().jwks().keys[0]).unwrap().as_bytes()), "alg";
    "HS256 with an empty secret", "CVE-2019-20933; RFC 8725 3.5", |w| hs256(w, b""), "alg";
    "RS256 named over an ECDSA signature", "RFC 8725 3.1", |w| header(w, json!({"alg": "RS256"})), "alg";
    "PS256 named over an ECDSA signature", "RFC 8725 3.1", |w| header(w, json!({"alg": "PS256"})), "alg";
    "ES256K named", "RFC 8812", |w| header(w, json!({"alg": "ES256K"})), "alg";
    "ES384 by a P-384 key under our kid", "RFC 8725 2.1", |w| signed_by(w, json!({"alg": "ES384"}), |m| {
        let key = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap();
        key.sign(&SystemRandom::new(), m).unwrap().as_ref().to_vec()
    }), "alg";
    "EdDSA by the attacker's key under our kid", "RFC 8725 2.1", |w| signed_by(w, json!({"alg": "EdDSA"}), |m| {
        Ed25519KeyPair::generate().unwrap().sign(m).as_ref().to_vec()
    }), "alg";
    // The signature
    "signature of zeros", "CVE-2022-21449", |w| with_signature(w, json!({}), &[0; 64]), "signature";
    "signature empty under ES256", "CVE-2020-28042; RFC 7515 5.2", |w| with_signature(w, json!({}), b""), "signature";
    "r and s of the curve's order", "CVE-2022-21449", |w| {
        let order = hex::decode("ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551").unwrap();
        with_signature(w, json!({}), &[order.clone(), order].concat())
    }, "signature";
    "signature in ASN.1", "RFC 7518 3.4", |w| signed_by(w, json!({}), |m| {
        let key = SigningKey::generate().unwrap();
        let der = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, key.pkcs8().expose_secret()).unwrap();
        der.sign(&SystemRandom::new(), m).unwrap().as_ref().to_vec()
    }), "signature";
    "signature cut short", "RFC 7518 3.4", |w| part(w, 2, |s| s[..80].to_owned()), "signature";
    "signature with bytes appended", "RFC 7518 3.4", |w| part(w, 2, |s| format!("{s}AAAA")), "signature";
    "signature of another token", "RFC 7515 5.2", |w| {
        let other = w.token();
        part(w, 2, |_| other.rsplit('.').next().unwrap().to_owned())
    }, "signature";
    "claims exchanged after signing", "RFC 7515 5.2", |w| {
        let claims = b64(w.claims_with(json!({"permissions": ["tenant:create"]})).to_string());
        part(w, 1, |_| claims.clone())
    }, "signature";
    "another key's signature under our kid", "RFC 7515 10.1", |w| {
        let other = pair(&SigningKey::generate().unwrap());
        sign_text(&other, &w.header().to_string(), &w.claims().to_string())
    }, "signature";
    // The key
    "kid unknown", "RFC 7515 4.1.4", |w| header(w, json!({"kid": "unknown"})), "kid";
    "kid missing", "RFC 7515 4.1.4; RFC 8725 3.10", |w| header(w, json!({"kid": null})), "kid is absent";
    "kid empty", "RFC 8725 3.10", |w| header(w, json!({"kid": ""})), "kid";
    "kid a path", "RFC 8725 3.10", |w| header(w, json!({"kid": "../../../../dev/null"})), "kid";
    "kid an SQL injection", "RFC 8725 3.10", |w| header(w, json!({"kid": "x' UNION SELECT 'k' --"})), "kid";
    "kid a shell command", "RFC 8725 3.10", |w| header(w, json!({"kid": "|/bin/true"})), "kid";
    "kid with a NUL appended", "RFC 8725 3.10", |w| { let kid = format!("{}\0", w.kid); header(w, json!({"kid": kid})) }, "kid";
    "kid a number", "RFC 7515 4.1.4", |w| header(w, json!({"kid": 1})), "kid is not a string";
    "kid of a key that was never published", "RFC 7517 4.5", |w| {
        let other = SigningKey::generate().unwrap();
        sign_text(&pair(&other), &w.header_with(json!({"kid": other.public().kid()})).to_string(), &w.claims().to_string())
    }, "kid";
    "jwk with the attacker's key", "CVE-2018-0114; RFC 8725 3.10", |w| {
        let own = SigningKey::generate().unwrap();
        let jwk = serde_json::to_value(own.public().to_jwk()).unwrap();
        sign_text(&pair(&own), &w.header_with(json!({"jwk": jwk})).to_string(), &w.claims().to_string())
    }, "jwk";
    "jku to the attacker's document", "RFC 8725 3.10", |w| header(w, json!({"jku": "https://evil.example/jwks.json"})), "jku";
    "x5u to the attacker's chain", "RFC 8725 3.10", |w| header(w, json!({"x5u": "https://evil.example/chain.pem"})), "x5u";
    "x5c with the attacker's chain", "RFC 7515 4.1.6", |w| header(w, json!({"x5c": ["MIIB"]})), "x5c";
    "x5t of a certificate", "RFC 7515 4.1.7", |w| header(w, json!({"x5t": "AAAA"})), "x5t";
    // Other header parameters
    "crit with an unknown extension", "RFC 7515 4.1.11; CVE-2025-59420", |w| header(w, json!({"crit": ["exp"]})), "crit";
    "crit empty", "RFC 7515 4.1.11", |w| header(w, json!({"crit": []})), "crit";
    "b64 false", "RFC 7797 6", |w| header(w, json!({"b64": false, "crit": ["b64"]})), "parameter";
    "zip (a bomb)", "CVE-2024-33664; RFC 8725 3.6", |w| header(w, json!({"zip": "DEF"})), "zip";
    "enc", "RFC 7516 4.1.2", |w| header(w, json!({"enc": "A256GCM"})), "enc";
    "cty JWT (nested)", "RFC 7519 5.2", |w| header(w, json!({"cty": "JWT"})), "cty";
    "unknown parameter", "RFC 7515 4", |w| header(w, json!({"x-admin": true})), "x-admin";
    "alg twice", "RFC 7515 4", |w| w.forge_text(&format!(r#"{{"typ":"at+jwt","kid":"{}","alg":"none","alg":"ES256"}}"#, w.kid), &w.claims().to_string()), "occurs twice";
    "header a list", "RFC 7515 4", |w| w.forge_text("[]", &w.claims().to_string()), "not a JSON object";
    "header nested deeply", "RFC 8259 9", |w| w.forge_text(&"[".repeat(4000), &w.claims().to_string()), "header";
    // The kind of token
    "typ JWT (an ID token or assertion)", "RFC 9068 4; RFC 8725 3.11", |w| header(w, json!({"typ": "JWT"})), "typ";
    "typ missing", "RFC 9068 2.1", |w| header(w, json!({"typ": null})), "typ";
    "typ of a logout token", "RFC 8725 3.11", |w| header(w, json!({"typ": "logout+jwt"})), "typ";
    "typ a number", "RFC 7515 4.1.9", |w| header(w, json!({"typ": 1})), "typ is not a string";
    "a stream ticket as access token", "RFC 8725 3.11", |w| {
        let Admission::Ready(token) = w.gate.admit(&w.token(), w.clock.now()).unwrap() else { unreachable!() };
        let grant = TicketGrant { token: &token, stream: "/s", permissions: &[Permission::ReleaseCreate] };
        w.issuer.issue_ticket(grant, &w.context).unwrap().token.expose_secret().to_owned()
    }, "typ";
    // Issuer and audience
    "iss of another installation", "RFC 8725 3.8", |w| claims(w, json!({"iss": "https://other.example"})), "iss";
    "iss with a slash appended", "RFC 9068 4", |w| claims(w, json!({"iss": "https://plimsoll.example/"})), "iss";
    "iss a part of ours", "CVE-2024-53861", |w| claims(w, json!({"iss": "https://plimsoll"})), "iss";
    "iss missing", "RFC 9068 2.2", |w| claims(w, json!({"iss": null})), "iss";
    "iss a list with ours in it", "CVE-2025-30144", |w| claims(w, json!({"iss": ["https://evil.example", "https://plimsoll.example"]})), "string";
    "aud of another service", "RFC 8725 3.9", |w| claims(w, json!({"aud": "https://other.example"})), "aud";
    "aud missing", "RFC 9068 2.2", |w| claims(w, json!({"aud": null})), "aud";
    "aud empty", "CVE-2020-26160", |w| claims(w, json!({"aud": ""})), "aud";
    "aud an empty list", "CVE-2020-26160", |w| claims(w, json!({"aud": []})), "string";
    "aud a list with ours in it", "RFC 9068 5 (cross-service replay)", |w| claims(w, json!({"aud": ["https://plimsoll.example/api/v1", "https://evil.example"]})), "string";
    "aud a prefix of ours", "RFC 8725 3.9", |w| claims(w, json!({"aud": "https://plimsoll.example"})), "aud";
    // Times
    "exp passed", "RFC 7519 4.1.4", |w| claims(w, json!({"exp": START.as_seconds() - 1})), "expired";
    "exp this very second", "RFC 7519 4.1.4 (on or after)", |w| claims(w, json!({"exp": START.as_seconds()})), "expired";
    "exp missing", "RFC 9068 2.2; RFC 8725 3.8", |w| claims(w, json!({"exp": null})), "exp";
    "exp a string", "CVE-2026-25537", |w| claims(w, json!({"exp": "1900000000"})), "string";
    "exp null", "RFC 7519 4.1.4", |w| raw_claims(w, &exp_text(w), "\"exp\":null"), "null";
    "exp a fraction", "RFC 7519 2", |w| claims(w, json!({"exp": 1_900_000_000.5})), "floating point";
    "exp beyond all integers", "RFC 8259 6", |w| raw_claims(w, &exp_text(w), "\"exp\":1e999"), "malformed";
    "exp of 2^64 - 1", "CWE-190", |w| claims(w, json!({"exp": u64::MAX})), "integer";
    "exp of 2^63 - 1", "CWE-190", |w| claims(w, json!({"exp": i64::MAX})), "not a time";
    "exp negative", "RFC 7519 2", |w| claims(w, json!({"exp": -1})), "not a time";
    "exp in milliseconds", "RFC 7519 2", |w| claims(w, json!({"exp": START.as_seconds() * 1000})), "not a time";
    "exp twice, the good one last", "RFC 7519 4 (as in CVE-2017-12635)", |w| raw_claims(w, &exp_text(w), &format!("\"exp\":1,{}", exp_text(w))), "occurs twice";
    "exp twice, one escaped", "RFC 7519 4; RFC 8259 8.3", |w| raw_claims(w, &exp_text(w), &format!("\"\\u0065xp\":1,{}", exp_text(w))), "occurs twice";
    "nbf in the future", "RFC 7519 4.1.5", |w| claims(w, json!({"nbf": START.as_seconds() + 60})), "not valid yet";
    "nbf a string", "CVE-2026-25537", |w| claims(w, json!({"nbf": "1700000000"})), "string";
    "nbf missing", "design: every token of ours has it", |w| claims(w, json!({"nbf": null})), "nbf";
    "iat in the future", "RFC 7519 4.1.6", |w| claims(w, json!({"iat": START.as_seconds() + 60})), "not valid yet";
    "iat missing", "RFC 9068 2.2", |w| claims(w, json!({"iat": null})), "iat";
    // Our own claims
    "tenant_id missing", "design: the tenant is from the token alone", |w| claims(w, json!({"tenant_id": null})), "tenant_id";
    "tenant_id twice", "RFC 7519 4", |w| raw_claims(w, "\"tenant_id\"", "\"tenant_id\":\"00000000-0000-0000-0000-000000000009\",\"tenant_id\""), "occurs twice";
    "tenant_id a list", "CWE-843", |w| claims(w, json!({"tenant_id": ["00000000-0000-0000-0000-000000000009"]})), "claim";
    "sub missing", "RFC 9068 2.2", |w| claims(w, json!({"sub": null})), "sub";
    "sub no id", "RFC 8725 3.8", |w| claims(w, json!({"sub": "admin"})), "claim";
    "jti missing (cannot be revoked)", "RFC 9068 2.2", |w| claims(w, json!({"jti": null})), "jti";
    "permissions a string", "CWE-843", |w| claims(w, json!({"permissions": "tenant:create"})), "sequence";
    "permissions an object", "CWE-843", |w| claims(w, json!({"permissions": {"0": "tenant:create"}})), "sequence";
    "authz_version a string", "CWE-843", |w| claims(w, json!({"authz_version": "7"})), "string";
    "authz_version missing (never stale)", "design: revocation within 5 s", |w| claims(w, json!({"authz_version": null})), "authz_version";
    "principal_type system", "design: the server has no token", |w| claims(w, json!({"principal_type": "system"})), "principal_type";
    "principal_type unknown", "RFC 8725 3.11", |w| claims(w, json!({"principal_type": "root"})), "root";
    "claims a string", "RFC 7519 7.2", |w| w.forge_text(&w.header().to_string(), "\"sub\""), "not a JSON object";
    "claims not UTF-8", "RFC 7519 7.2", |w| part(w, 1, |_| b64([b'{', b'"', 0xff, b'"', b':', b'1', b'}'])), "claims";
    "claims followed by more", "RFC 8259 2", |w| w.forge_text(&w.header().to_string(), &format!("{}{{}}", w.claims())), "claims";
    // The shape
    "empty", "RFC 7519 7.2", |_w| String::new(), "three parts";
    "two dots alone", "RFC 7515 3.1", |_w| "..".to_owned(), "malformed";
    "two parts", "RFC 7515 3.1", |w| w.token().rsplit_once('.').unwrap().0.to_owned(), "three parts";
    "four parts", "RFC 7515 3.1", |w| format!("{}.AAAA", w.token()), "three parts";
    "five parts (a JWE)", "CVE-2022-3102; RFC 8725 2.3", |w| format!("{}.AAAA.AAAA", w.token()), "three parts";
    "JWS in JSON form", "CVE-2022-39227", |w| {
        let token = w.token();
        let parts: Vec<&str> = token.split('.').collect();
        json!({"protected": parts[0], "payload": parts[1], "signature": parts[2]}).to_string()
    }, "malformed";
    "JSON hidden around a good token", "CVE-2022-39227", |w| format!("{{\"x\":\"{}\"}}", w.token()), "base64url";
    "base64 with padding", "RFC 7515 2", |w| part(w, 2, |s| format!("{s}==")), "base64url";
    "base64 of the other alphabet", "RFC 7515 2", |w| part(w, 2, |s| format!("+/{}", &s[2..])), "base64url";
    "line breaks inside", "RFC 7515 2", |w| part(w, 1, |s| format!("{}\n{}", &s[..4], &s[4..])), "base64url";
    "white space around", "RFC 7515 2", |w| format!(" {}", w.token()), "base64url";
    "unused bits that are not zero", "RFC 4648 3.5", |w| part(w, 2, |s| {
        // The last of 86 characters has four bits that carry nothing.
        let last = s.as_bytes()[85];
        let alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        let value = alphabet.iter().position(|byte| *byte == last).unwrap();
        format!("{}{}", &s[..85], char::from(alphabet[value | 1]))
    }), "base64url";
    "not ASCII", "RFC 7515 3.1", |w| format!("{}é", w.token()), "base64url";
    "64 KiB of claims", "CWE-400; design: 16 KiB", |w| claims(w, json!({"x": "a".repeat(64 * 1024)})), "larger";
    "64 KiB of dots", "CVE-2025-27144", |_w| ".".repeat(64 * 1024), "larger";
    "16 KiB of dots", "CVE-2025-27144", |_w| ".".repeat(MAX_TOKEN_BYTES), "three parts";
};

#[test]
fn every_hostile_token_is_refused_for_its_own_reason() {
    const { assert!(ROWS.len() >= 40) };
    for row in ROWS {
        let w = world();
        assert!(w.gate.admit(&w.forge(&w.header(), &w.claims()), START).is_ok(), "the forge makes good tokens");
        let token = (row.make)(&w);
        let error = w.gate.admit(&token, START).map(drop).expect_err(row.attempt);
        assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{} ({})", row.attempt, row.source);
        let why = error.internal_text().unwrap_or_default();
        assert!(why.contains(row.because), "{} ({}): refused because {why:?}", row.attempt, row.source);
        // The same token is refused a second time: a refusal leaves nothing in the cache.
        assert!(w.gate.admit(&token, START).is_err(), "{}", row.attempt);
    }
}

#[test]
fn hostile_tokens_of_state_are_refused() {
    // A key that was retired (RFC 7517 4.5).
    let (w, other) = (world(), world());
    let token = w.token();
    assert!(w.gate.admit(&token, START).is_ok());
    w.gate.replace_verifier(other.issuer.verifier());
    assert_eq!(w.gate.admit(&token, START).map(drop).unwrap_err().kind(), ErrorKind::Unauthenticated, "from the cache");
    assert_eq!(w.gate.admit(&w.token(), START).map(drop).unwrap_err().kind(), ErrorKind::Unauthenticated);

    // A revoked jti (RFC 7009), a deactivated principal, an older authz_version.
    let w = world();
    let token = w.token();
    let jti = w.claims()["jti"].clone();
    let replayed = w.forge(&w.header(), &w.claims_with(json!({ "jti": jti })));
    let mut state = (*w.gate.revocations()).clone();
    state.revoked_tokens.insert(jti.as_str().unwrap().to_owned());
    w.gate.renew_revocations(state.clone());
    assert_eq!(w.gate.admit(&replayed, START).map(drop).unwrap_err().code(), ErrorCode::Unauthenticated);
    assert!(w.gate.admit(&token, START).is_ok(), "another token of the same principal is good");

    // The ticket of one stream opens no other, and an access token is no ticket.
    let Admission::Ready(session) = w.gate.admit(&token, START).unwrap() else { unreachable!() };
    let grant = TicketGrant { token: &session, stream: "/a", permissions: &[Permission::ReleaseCreate] };
    let ticket = w.issuer.issue_ticket(grant, &w.context).unwrap().token;
    for (text, stream) in [(ticket.expose_secret(), "/b"), (token.as_str(), "/a")] {
        let error = w.gate.admit_ticket(text, stream, START).map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{stream}");
    }
}
