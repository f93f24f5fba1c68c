//! Tokens that are not good: expired ones, forged ones, and another's.

use aws_lc_rs::rand;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use plimsoll_core::{
    Timestamp,
    context::{Ambient, Context},
};
use serde_json::{Value, json};

use super::Before;
use crate::{
    examples,
    oauth::keys::Key,
    on_both,
    world::{World, all},
};

on_both! {
    tokens_that_are_expired_or_forged;
}

/// A clock that is late: what is signed by it has a life that is over.
struct Late(i64);

impl Ambient for Late {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(Context::system().now().as_seconds() - self.0)
    }

    fn fill(&self, out: &mut [u8]) {
        rand::fill(out).unwrap();
    }
}

async fn tokens_that_are_expired_or_forged(world: &World) {
    let good = world.token(world.home, world.admin_id, all());
    let (header, claims) = (part(&good, 0), part(&good, 1));
    let signature = good.rsplit('.').next().unwrap();
    let (key, other) = (Key::generate(), Key::generate());
    let with = |value: &Value, name: &str, to: Value| {
        let mut changed = value.clone();
        changed[name] = to;
        changed
    };
    let unsigned = |header: &Value, claims: &Value| format!("{}.{}", encoded(header), encoded(claims));
    let none = with(&header, "alg", json!("none"));
    let elsewhere = json!(world.stranger_tenant);
    let rows = [
        // Signed by the server's own key: its life of ten minutes ended long ago, and a second ago.
        (
            "expired an hour ago",
            world.token_by(&Context::new(Late(4_200)), world.home, world.admin_id, all()),
            "expired",
        ),
        ("expired just now", world.token_by(&Context::new(Late(601)), world.home, world.admin_id, all()), "expired"),
        ("from the future", world.token_by(&Context::new(Late(-3_600)), world.home, world.admin_id, all()), "clocks"),
        ("another key under our kid", key.sign_as(&header, &claims), "token"),
        ("another key under its own kid", other.sign_as(&with(&header, "kid", json!("mine")), &claims), "token"),
        ("alg none, no signature", format!("{}.", unsigned(&none, &claims)), "token"),
        ("alg none, our signature", format!("{}.{signature}", unsigned(&none, &claims)), "token"),
        (
            "a longer life",
            format!("{}.{signature}", unsigned(&header, &with(&claims, "exp", json!(4_000_000_000_i64)))),
            "token",
        ),
        (
            "another tenant",
            format!("{}.{signature}", unsigned(&header, &with(&claims, "tenant_id", elsewhere))),
            "token",
        ),
        ("a byte more", format!("{good}A"), "token"),
        ("rubbish", "rubbish".to_owned(), "token"),
        ("three words", "a.b.c".to_owned(), "token"),
    ];
    let before = Before::of(world).await;
    let body = examples::body(plimsoll_protocol::operation::OperationId::EnvironmentCreate).unwrap();
    for (what, token, says) in rows {
        let answer = world.call("POST", "/api/v1/environments", Some(&token), Some(&body)).await;
        let answer = before.refused(what, answer, 401, "UNAUTHENTICATED", says).await;
        assert!(answer.header("www-authenticate").contains("invalid_token"), "{what}: {:?}", answer.headers);
    }
    let answer = world.call("POST", "/api/v1/environments", Some(&good), Some(&body)).await;
    assert_eq!(answer.status, 201, "the token that they were made of is good: {answer:?}");
}

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

fn part(token: &str, index: usize) -> Value {
    let text = token.split('.').nth(index).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap()
}
