//! Assertions with which agents and clients say who they are (RFC 7523), good and hostile.

use aws_lc_rs::signature::EcdsaKeyPair;
use plimsoll_authority::{
    keys::{PublicKey, SigningKey},
    oauth::{AssertionRules, ClientAssertion, VerifiedAssertion, join::Join},
    token::Refusal,
};
use serde_json::{Value, json};

use crate::support::{ISS, START, merge, pair, sign_text, world};

const AGENT: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

struct Agent {
    signer: EcdsaKeyPair,
    public: PublicKey,
}

fn agent() -> Agent {
    let key = SigningKey::generate().unwrap();
    Agent { signer: pair(&key), public: key.public().clone() }
}

fn rules() -> AssertionRules {
    AssertionRules { audiences: vec![ISS.to_owned(), format!("{ISS}/oauth/token")] }
}

fn claims(change: Value) -> Value {
    let now = START.as_seconds();
    let good = json!({
        "iss": AGENT, "sub": AGENT, "aud": ISS, "iat": now, "exp": now + 60, "jti": "j-1", "join_seq": 4,
    });
    merge(good, change)
}

fn header(change: Value) -> Value {
    merge(json!({ "alg": "ES256", "typ": "JWT" }), change)
}

impl Agent {
    fn sign(&self, header: &Value, claims: &Value) -> String {
        sign_text(&self.signer, &header.to_string(), &claims.to_string())
    }

    fn check(&self, assertion: &str) -> Result<VerifiedAssertion, Refusal> {
        ClientAssertion::parse(assertion)?.verify(&self.public, &rules(), START)
    }
}

#[test]
fn a_good_assertion_says_who_and_which_join() {
    let agent = agent();
    let kid = agent.public.kid().to_owned();
    for (header, claims) in [
        (header(json!({})), claims(json!({}))),
        (header(json!({ "typ": null })), claims(json!({ "aud": [ISS] }))),
        (header(json!({ "kid": kid })), claims(json!({ "aud": format!("{ISS}/oauth/token") }))),
        (header(json!({ "typ": "client-authentication+jwt" })), claims(json!({ "nbf": START.as_seconds() }))),
        (header(json!({})), claims(json!({ "exp": START.as_seconds() + 300 }))),
    ] {
        let text = agent.sign(&header, &claims);
        let read = ClientAssertion::parse(&text).unwrap();
        assert_eq!(read.claimed_subject(), Some(AGENT));
        let verified = agent.check(&text).unwrap();
        assert_eq!(verified.subject, AGENT);
        assert_eq!(verified.join().unwrap(), Join { seq: 4, jti: "j-1".to_owned() });
    }
}

#[test]
fn hostile_assertions_are_refused() {
    let (agent, stranger) = (agent(), agent());
    let now = START.as_seconds();
    let wrong_claims: &[(&str, Value, &str)] = &[
        ("RFC 7523 3: iss another's", json!({ "iss": "other" }), "iss"),
        ("RFC 7523 3: iss missing", json!({ "iss": null }), "iss"),
        ("RFC 7523 3: sub missing", json!({ "sub": null }), "sub"),
        ("CVE-2025-27370: aud another server's", json!({ "aud": "https://other.example" }), "aud"),
        ("CVE-2025-27370: aud ours and another's", json!({ "aud": [ISS, "https://other.example"] }), "aud"),
        ("RFC 7523 3: aud empty", json!({ "aud": [] }), "aud"),
        ("RFC 7523 3: aud missing", json!({ "aud": null }), "aud"),
        ("RFC 7523 3: aud a number", json!({ "aud": [1] }), "aud"),
        ("RFC 7523 3: exp missing", json!({ "exp": null }), "exp"),
        ("RFC 7519 4.1.4: exp passed", json!({ "exp": now, "iat": now - 60 }), "expired"),
        ("RFC 7523 3: exp unreasonably far", json!({ "exp": now + 301 }), "300"),
        ("CVE-2026-25537: exp a string", json!({ "exp": "1900000000" }), "string"),
        ("design: iat missing", json!({ "iat": null }), "iat"),
        ("RFC 7523 3: iat in the future", json!({ "iat": now + 60, "exp": now + 120 }), "not valid yet"),
        ("RFC 7523 3: nbf in the future", json!({ "nbf": now + 60 }), "not valid yet"),
        ("RFC 7523 3: jti missing", json!({ "jti": null }), "jti"),
        ("RFC 7523 3: jti empty", json!({ "jti": "" }), "jti"),
        ("design: jti endless", json!({ "jti": "x".repeat(129) }), "jti"),
        ("design: jti with white space", json!({ "jti": "a b" }), "jti"),
        ("design: seq a string", json!({ "join_seq": "4" }), "string"),
        ("design: seq negative", json!({ "join_seq": -1 }), "integer"),
    ];
    for (attempt, change, because) in wrong_claims {
        let refusal = agent.check(&agent.sign(&header(json!({})), &claims(change.clone()))).unwrap_err();
        assert!(refusal.to_string().contains(because), "{attempt}: {refusal}");
    }
    let wrong_headers: &[(&str, Value, &str)] = &[
        ("CVE-2015-9235: none", json!({ "alg": "none" }), "alg"),
        ("RFC 8725 3.11: an access token's typ", json!({ "typ": "at+jwt" }), "typ"),
        ("RFC 7515 4.1.4: another kid", json!({ "kid": stranger.public.kid() }), "kid"),
        ("CVE-2018-0114: jwk", json!({ "jwk": stranger.public.to_jwk() }), "jwk"),
        ("RFC 8725 3.10: jku", json!({ "jku": "https://evil.example" }), "jku"),
        ("RFC 7515 4.1.11: crit", json!({ "crit": ["join_seq"] }), "crit"),
    ];
    for (attempt, change, because) in wrong_headers {
        let refusal = agent.check(&agent.sign(&header(change.clone()), &claims(json!({})))).unwrap_err();
        assert!(refusal.to_string().contains(because), "{attempt}: {refusal}");
    }
    let forged = stranger.sign(&header(json!({})), &claims(json!({})));
    assert_eq!(agent.check(&forged).unwrap_err(), Refusal::Signature);
    let twice = claims(json!({})).to_string().replace("\"join_seq\":4", "\"join_seq\":4,\"join_seq\":5");
    let twice = sign_text(&agent.signer, &header(json!({})).to_string(), &twice);
    assert!(agent.check(&twice).unwrap_err().to_string().contains("occurs twice"));
    // An access token is no assertion, even if the same key had signed it.
    let w = world();
    assert!(matches!(ClientAssertion::parse(&w.token()), Err(Refusal::Header(_))));
}

#[test]
fn an_agent_must_say_its_join_and_a_client_need_not() {
    let agent = agent();
    for (change, good) in [
        (json!({ "join_seq": null }), false),
        (json!({ "join_seq": 0 }), false),
        (json!({ "join_seq": u64::MAX }), false),
        (json!({ "join_seq": 1 }), true),
    ] {
        let verified = agent.check(&agent.sign(&header(json!({})), &claims(change))).unwrap();
        assert_eq!(verified.join().is_ok(), good, "{:?}", verified.seq);
    }
}
