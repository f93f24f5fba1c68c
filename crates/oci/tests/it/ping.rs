//! What the test of a connection makes of a registry that shows no list of repositories.

use axum::response::Response;
use plimsoll_core::integration::Check;
use serde_json::json;

use crate::{
    fake::{self, Fake, Seen},
    support::{client_of, config, user},
};

fn challenge(value: &str) -> Response {
    fake::answer(401, &[("www-authenticate", value)], "")
}

/// The last check of a registry whose `/v2/` is open and whose list is as given.
async fn listing(list: impl Fn(&Seen) -> Response + Send + Sync + 'static) -> Check {
    tested(move |seen| if seen.path() == "/v2/" { fake::json(&json!({})) } else { list(seen) }).await
}

async fn tested(answer: impl Fn(&Seen) -> Response + Send + Sync + 'static) -> Check {
    let registry = Fake::start(answer).await;
    let mut config = config(&registry.url());
    config.credentials = user("robot", "word");
    client_of(config).ping(None).await.pop().unwrap()
}

#[tokio::test]
async fn a_registry_that_says_so_lists_nothing_and_can_be_used() {
    for status in [403, 404] {
        let check = listing(move |_| fake::refusal(status, "UNSUPPORTED")).await;
        assert!(check.ok && check.message.contains("does not list"), "{status}: {check:?}");
    }
    for scheme in ["Basic realm=r", "Negotiate"] {
        let check = listing(move |_| challenge(scheme)).await;
        assert!(check.ok && check.message.contains("does not list"), "{scheme}: {check:?}");
    }
    // A token server that knows us, and gives no token for the list.
    let tokens = Fake::start(|seen| match seen.query("scope") {
        None => fake::json(&json!({"token": "t"})),
        Some(_) => fake::refusal(403, "DENIED"),
    })
    .await;
    let realm = format!("Bearer realm=\"{}/token\",service=s", tokens.url());
    let check = tested(move |seen| match (seen.path(), &seen.authorization) {
        ("/v2/", Some(_)) => fake::json(&json!({})),
        (_, _) => challenge(&realm),
    })
    .await;
    assert!(check.ok && check.message.contains("does not list"), "{check:?}");
}

#[tokio::test]
async fn a_registry_that_can_not_be_used_is_no_registry_without_a_list() {
    let elsewhere = Fake::start(|_| fake::refusal(404, "NOT_FOUND")).await;
    let refusing = Fake::start(|_| fake::refusal(401, "UNAUTHORIZED")).await;
    let failing = Fake::start(|_| fake::answer(500, &[], "")).await;
    let talking = Fake::start(|_| fake::answer(200, &[], "<html>")).await;
    let bearer = |server: &Fake| format!("Bearer realm=\"{}/token\",service=s", server.url());
    let mut cases: Vec<(&str, Check)> = Vec::new();
    cases.push(("HTML", listing(|_| fake::answer(200, &[("content-type", "text/html")], "<html></html>")).await));
    cases.push(("no list", listing(|_| fake::json(&json!(["shop/api"]))).await));
    cases.push(("an endless redirect", listing(|_| fake::answer(302, &[("location", "/v2/_catalog")], "")).await));
    let url = elsewhere.url();
    cases.push(("a redirect away", listing(move |_| fake::answer(302, &[("location", &url)], "")).await));
    cases.push(("a status of its own", listing(|_| fake::answer(418, &[], "")).await));
    cases.push(("a fault", listing(|_| fake::answer(503, &[], "")).await));
    let plain = "Bearer realm=\"http://tokens.example/token\",service=s";
    cases.push(("a realm in plain HTTP", listing(move |_| challenge(plain)).await));
    cases.push(("a realm that is none", listing(|_| challenge("Bearer realm=\"there\"")).await));
    cases.push((
        "a realm at a refused address",
        listing(|_| challenge("Bearer realm=\"https://169.254.169.254/\"")).await,
    ));
    for (name, server) in [
        ("a token server that never knew us", &refusing),
        ("a token server with a fault", &failing),
        ("a token server that is none", &talking),
    ] {
        let realm = bearer(server);
        cases.push((name, listing(move |_| challenge(&realm)).await));
    }
    for (name, check) in cases {
        assert!(!check.ok && check.name == "listing", "{name}: {check:?}");
        assert!(check.hint.is_some_and(|hint| !hint.is_empty()), "{name}: {}", check.message);
    }
}
