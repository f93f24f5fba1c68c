//! Redirects, such as registries use for blobs: followed, checked again, and without credentials.

use plimsoll_core::Digest;
use plimsoll_oci::{PlainHttp, RegistryError};
use serde_json::json;

use crate::{
    fake::{self, Fake},
    support::{NINTH, client, client_of, config, only_ninth, repository, user},
    tls,
};

#[tokio::test]
async fn a_blob_host_gets_no_credentials() {
    let store = Fake::start(|_| fake::answer(200, &[], "layer")).await;
    let target = format!("{}/bucket/1?signature=abc", store.url());
    let registry = Fake::start(move |seen| match &seen.authorization {
        None => fake::answer(401, &[("www-authenticate", "Basic realm=r")], ""),
        Some(_) if seen.path() == "/v2/moved" => fake::answer(200, &[], "layer"),
        Some(_) => fake::answer(307, &[("location", &target)], ""),
    })
    .await;
    let mut config = config(&registry.url());
    config.credentials = user("robot", "word");
    let mut sink = Vec::new();
    let size = client_of(config).blob_stream(&repository("shop/api"), Digest::of(b"layer"), Some(5), &mut sink).await;
    assert_eq!((size.unwrap(), sink.as_slice()), (5, &b"layer"[..]));
    let seen = store.seen();
    assert_eq!((seen.len(), seen[0].target.as_str()), (1, "/bucket/1?signature=abc"));
    assert_eq!(seen[0].authorization, None, "another port is another origin");
}

#[tokio::test]
async fn the_same_origin_keeps_them() {
    let registry = Fake::start(|seen| match (&seen.authorization, seen.path()) {
        (None, _) => fake::answer(401, &[("www-authenticate", "Basic realm=r")], ""),
        (Some(_), "/moved") => fake::answer(200, &[], "layer"),
        (Some(_), _) => fake::answer(302, &[("location", "/moved")], ""),
    })
    .await;
    let mut config = config(&registry.url());
    config.credentials = user("robot", "word");
    let mut sink = Vec::new();
    client_of(config).blob_stream(&repository("shop/api"), Digest::of(b"layer"), None, &mut sink).await.unwrap();
    assert_eq!(sink, b"layer");
}

#[tokio::test]
async fn a_challenge_of_the_blob_host_is_not_answered() {
    let store = Fake::start(|_| fake::answer(401, &[("www-authenticate", "Basic realm=mine")], "")).await;
    let target = store.url();
    let registry = Fake::start(move |_| fake::answer(307, &[("location", &target)], "")).await;
    let mut config = config(&registry.url());
    config.credentials = user("robot", "word");
    let blob = client_of(config).blob_stream(&repository("shop/api"), Digest::of(b"x"), None, &mut Vec::new()).await;
    assert!(matches!(blob, Err(RegistryError::Unauthorized { .. })), "{blob:?}");
    assert!(store.seen().iter().all(|seen| seen.authorization.is_none()));
    assert_eq!((store.seen().len(), registry.seen().len()), (1, 1));
}

#[tokio::test]
async fn circles_and_nonsense_end() {
    for (location, calls) in
        [("/v2/again", 6), ("http://[", 1), ("javascript:alert(1)", 1), ("http://u:p@127.0.0.1/", 1)]
    {
        let registry = Fake::start(move |_| fake::answer(302, &[("location", location)], "")).await;
        let error = client(&registry.url()).list_tags(&repository("shop/api")).await.unwrap_err();
        assert!(matches!(error, RegistryError::BadAnswer { .. } | RegistryError::Configuration(_)), "{error:?}");
        assert_eq!(registry.seen().len(), calls, "{location}");
    }
}

#[tokio::test]
async fn a_redirect_leads_to_no_address_that_the_policy_refuses() {
    let canary = Fake::start(|_| fake::json(&json!({"tags": ["secret"]}))).await;
    let port = canary.address.port();
    for host in ["127.0.0.1", "localhost", "0x7f.1", "2130706433", "[::ffff:127.0.0.1]", "0.0.0.0", "[::ffff:7f00:1]"] {
        let target = format!("http://{host}:{port}/v2/");
        let at = format!("{NINTH}:0").parse().unwrap();
        let registry = Fake::start_at(at, move |_| fake::answer(301, &[("location", &target)], "")).await;
        let mut config = config(&registry.url());
        config.outbound.network = only_ninth();
        let error = client_of(config).list_tags(&repository("shop/api")).await.unwrap_err();
        assert!(matches!(error, RegistryError::Refused(_)), "{host}: {error:?}");
        assert_eq!(registry.seen().len(), 1);
    }
    assert_eq!(canary.targets(), Vec::<String>::new());
}

#[tokio::test]
async fn a_redirect_does_not_leave_https() {
    let store = Fake::start(|_| fake::answer(200, &[], "layer")).await;
    let target = store.url();
    let (registry, ca) = tls::start(move |_| fake::answer(307, &[("location", &target)], "")).await;
    let mut config = config(&format!("https://{}", registry.address));
    (config.outbound.ca_pem, config.outbound.plain_http) = (Some(ca), PlainHttp::Refused);
    let blob = client_of(config).blob_stream(&repository("a"), Digest::of(b"layer"), None, &mut Vec::new()).await;
    assert!(matches!(blob, Err(RegistryError::Configuration(_))), "{blob:?}");
    assert_eq!((registry.seen().len(), store.seen().len()), (1, 0));
}
