//! Registries that fail: what is tried again, what is given up, what is never believed.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use plimsoll_core::{Digest, Error, ErrorCode};
use plimsoll_oci::{ManifestType, RegistryError, RetryPolicy};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use crate::{
    fake::{self, Fake},
    images::{Image, OCI_MANIFEST},
    support::{client, client_of, config, reference, repository},
};

/// Answers `then` after `count` times `first`.
fn after(
    count: usize,
    first: impl Fn() -> axum::response::Response + Send + Sync + 'static,
    then: impl Fn() -> axum::response::Response + Send + Sync + 'static,
) -> impl Fn(&fake::Seen) -> axum::response::Response + Send + Sync + 'static {
    let calls = AtomicUsize::new(0);
    move |_| if calls.fetch_add(1, Ordering::SeqCst) < count { first() } else { then() }
}

fn one_tag() -> axum::response::Response {
    fake::json(&json!({"tags": ["1"]}))
}

#[tokio::test]
async fn faults_of_the_registry_are_tried_again() {
    for status in [500, 502, 503, 504, 429] {
        let fake = Fake::start(after(3, move || fake::refusal(status, "UNKNOWN"), one_tag)).await;
        assert_eq!(client(&fake.url()).list_tags(&repository("shop/api")).await.unwrap(), ["1"], "{status}");
        assert_eq!(fake.seen().len(), 4);
    }
}

#[tokio::test]
async fn it_gives_up_in_the_end_and_says_what_the_registry_said() {
    let fake = Fake::start(|_| fake::refusal(503, "UNAVAILABLE")).await;
    let error = client(&fake.url()).list_tags(&repository("shop/api")).await.unwrap_err();
    assert!(matches!(&error, RegistryError::Unavailable { status: 503, .. }), "{error:?}");
    assert!(error.to_string().contains("(UNAVAILABLE: unavailable)"), "{error}");
    assert_eq!(fake.seen().len(), 4);
    assert_eq!(Error::from(error).code(), ErrorCode::UpstreamFailed);
}

#[tokio::test]
async fn mistakes_of_ours_are_not_repeated() {
    for status in [400, 401, 403, 404, 405, 410, 451] {
        let fake = Fake::start(move |_| fake::refusal(status, "DENIED")).await;
        client(&fake.url()).list_tags(&repository("shop/api")).await.unwrap_err();
        assert_eq!(fake.seen().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn retry_after_within_the_budget_is_waited_for() {
    let fake = Fake::start(after(1, || fake::answer(429, &[("retry-after", "1")], ""), one_tag)).await;
    let started = std::time::Instant::now();
    assert_eq!(client(&fake.url()).list_tags(&repository("shop/api")).await.unwrap(), ["1"]);
    assert!(started.elapsed() >= Duration::from_secs(1), "the registry asked for a second");
    assert_eq!(fake.seen().len(), 2);
}

#[tokio::test]
async fn a_longer_pause_is_told_and_kept_by_every_call() {
    let fake = Fake::start(|_| fake::answer(429, &[("retry-after", "120")], "")).await;
    let client = client(&fake.url());
    let first = client.list_tags(&repository("shop/api")).await.unwrap_err();
    assert!(matches!(first, RegistryError::RateLimited { retry_after_seconds: Some(120), .. }), "{first:?}");
    let second = client.list_tags(&repository("shop/web")).await.unwrap_err();
    assert!(
        matches!(second, RegistryError::RateLimited { retry_after_seconds: Some(seconds), .. } if seconds > 100),
        "{second:?}"
    );
    assert_eq!(fake.seen().len(), 1, "the second call was not made");
    assert!(client.paused_for() > Duration::from_secs(100));
}

#[tokio::test]
async fn nobody_listening_is_unreachable() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let client = client(&format!("http://127.0.0.1:{port}"));
    let error = client.list_tags(&repository("shop/api")).await.unwrap_err();
    assert!(matches!(error, RegistryError::Unreachable { .. }), "{error:?}");
    let checks = client.ping(None).await;
    assert_eq!(checks.iter().map(|check| check.ok).collect::<Vec<_>>(), [true, false]);
    assert!(checks[1].hint.is_some());
}

#[tokio::test]
async fn a_silent_registry_is_left() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = config(&format!("http://{}", listener.local_addr().unwrap()));
    config.timeouts.call = Duration::from_millis(50);
    config.retry = RetryPolicy::once();
    let error = client_of(config).list_tags(&repository("shop/api")).await.unwrap_err();
    assert!(matches!(error, RegistryError::TimedOut { .. }), "{error:?}");
}

#[tokio::test]
async fn content_that_is_not_what_its_digest_says_is_never_given_out() {
    let image = Image::oci("amd64", None, b"good");
    let (digest, manifest) = (image.digest(), image.manifest.clone());
    let fake = Fake::start(move |seen| match seen.path().rsplit('/').next().unwrap() {
        // By tag the header lies, by digest the body does.
        "lying" => {
            let other = Digest::of(b"other").to_string();
            fake::answer(200, &[("content-type", OCI_MANIFEST), ("docker-content-digest", &other)], manifest.clone())
        }
        _ if seen.path().contains("/blobs/") => fake::answer(200, &[], "evil"),
        _ => fake::answer(200, &[("content-type", OCI_MANIFEST)], [manifest.as_slice(), b" "].concat()),
    })
    .await;
    let (client, api) = (client(&fake.url()), repository("shop/api"));
    for asked in [reference("lying"), digest.into()] {
        let error = client.get_manifest(&api, &asked).await.unwrap_err();
        assert!(matches!(error, RegistryError::Mismatch(_)), "{error:?}");
    }
    let mut sink = Vec::new();
    let error = client.blob_stream(&api, Digest::of(b"good"), Some(4), &mut sink).await.unwrap_err();
    let RegistryError::Mismatch(mismatch) = error else { panic!("{error:?}") };
    assert_eq!((mismatch.expected, mismatch.found), (Digest::of(b"good"), Digest::of(b"evil")));
    assert_eq!(fake.seen().len(), 3, "a lie is not asked for again");
}

#[tokio::test]
async fn a_configuration_that_is_not_what_its_digest_says_is_not_read() {
    let image = Image::oci("amd64", None, b"x");
    let (manifest, mut config) = (image.manifest.clone(), image.config.clone());
    let arch = config.windows(5).position(|bytes| bytes == b"amd64").unwrap();
    config[arch..arch + 5].copy_from_slice(b"arm64");
    let fake = Fake::start(move |seen| {
        let body = if seen.path().contains("/blobs/") { config.clone() } else { manifest.clone() };
        fake::answer(200, &[("content-type", OCI_MANIFEST)], body)
    })
    .await;
    let error = client(&fake.url()).resolve(&repository("shop/api"), &reference("1")).await.unwrap_err();
    assert!(matches!(error, RegistryError::Mismatch(_)), "{error:?}");
}

#[tokio::test]
async fn head_of_a_digest_must_be_that_digest() {
    let fake = Fake::start(|_| {
        let other = Digest::of(b"other").to_string();
        let headers = [("content-type", OCI_MANIFEST), ("docker-content-digest", &other), ("content-length", "7")];
        fake::answer(200, &headers, "")
    })
    .await;
    let asked = Digest::of(b"asked").into();
    let error = client(&fake.url()).head_manifest(&repository("shop/api"), &asked).await.unwrap_err();
    assert!(matches!(error, RegistryError::Mismatch(_)), "{error:?}");
}

#[tokio::test]
async fn without_a_digest_in_the_header_the_manifest_is_read_and_hashed() {
    for refuses_head in [false, true] {
        let image = Image::oci("amd64", None, b"x");
        let (digest, manifest) = (image.digest(), image.manifest.clone());
        let size = manifest.len() as u64;
        let fake = Fake::start(move |seen| {
            if refuses_head && seen.method == "HEAD" {
                return fake::answer(405, &[], "");
            }
            fake::answer(200, &[("content-type", OCI_MANIFEST)], manifest.clone())
        })
        .await;
        let head = client(&fake.url()).head_manifest(&repository("shop/api"), &reference("1")).await.unwrap();
        assert_eq!((head.digest, head.media_type, head.size_bytes), (digest, ManifestType::OciManifest, size));
        let methods: Vec<_> = fake.seen().iter().map(|seen| seen.method.to_string()).collect();
        assert_eq!(methods, ["HEAD", "GET"]);
    }
}

#[tokio::test]
async fn answers_longer_than_allowed_are_cut_off() {
    // Said in advance, or only found out while it arrives.
    for announced in [true, false] {
        let fake = Fake::start(move |_| {
            let body = vec![b' '; 200_000];
            if announced {
                return fake::answer(200, &[], body);
            }
            let pieces = (0..20).map(|_| Ok::<_, std::io::Error>(vec![b' '; 10_000]));
            fake::answer(200, &[], axum::body::Body::from_stream(futures_util::stream::iter(pieces)))
        })
        .await;
        let mut config = config(&fake.url());
        (config.limits.page_bytes, config.limits.manifest_bytes) = (100_000, 100_000);
        let (client, api) = (client_of(config), repository("shop/api"));
        for error in [
            client.list_tags(&api).await.unwrap_err(),
            client.get_manifest(&api, &reference("1")).await.unwrap_err(),
            client.blob_stream(&api, Digest::of(b""), Some(100_000), &mut Vec::new()).await.unwrap_err(),
        ] {
            assert!(matches!(error, RegistryError::TooLarge { limit_bytes: 100_000, .. }), "{error:?}");
        }
        assert_eq!(fake.seen().len(), 3);
    }
}

#[tokio::test]
async fn a_layer_that_ends_early_is_no_layer() {
    let fake = Fake::start(|_| fake::answer(200, &[], "short")).await;
    let client = client(&fake.url());
    let error =
        client.blob_stream(&repository("shop/api"), Digest::of(b"short"), Some(6), &mut Vec::new()).await.unwrap_err();
    assert!(error.to_string().contains("5 bytes instead of 6"), "{error}");
}

#[tokio::test]
async fn a_connection_that_breaks_in_the_body_is_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        for whole in [false, false, true] {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut head = [0; 4096];
            let _ = socket.read(&mut head).await.unwrap();
            let body = if whole { r#"{"tags":["1"]}"# } else { r#"{"tags"# };
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: 14\r\nconnection: close\r\n\r\n{body}");
            socket.write_all(answer.as_bytes()).await.unwrap();
        }
    });
    assert_eq!(client(&url).list_tags(&repository("shop/api")).await.unwrap(), ["1"]);
    server.await.unwrap();
}

#[tokio::test]
async fn what_is_no_registry_is_said_to_be_none() {
    let fake = Fake::start(|_| fake::answer(200, &[("content-type", "text/html")], "<html>hello</html>")).await;
    let (client, api) = (client(&fake.url()), repository("shop/api"));
    for error in [
        client.list_tags(&api).await.unwrap_err(),
        client.get_manifest(&api, &reference("1")).await.unwrap_err(),
        client.catalog(None, None).await.unwrap_err(),
    ] {
        assert!(matches!(error, RegistryError::BadAnswer { .. }), "{error:?}");
    }
    let nothing = Fake::start(|_| fake::answer(404, &[], "no")).await;
    let checks = crate::support::client(&nothing.url()).ping(None).await;
    assert_eq!(checks.iter().map(|check| check.ok).collect::<Vec<_>>(), [true, true, false]);
    assert_eq!(checks[2].hint.as_deref(), Some("check that the address is a registry's"));
}

#[tokio::test]
async fn ambiguous_and_obsolete_manifests_are_refused() {
    let descriptor =
        json!({"mediaType": "application/vnd.oci.image.config.v1+json", "digest": Digest::of(b""), "size": 0});
    let table = [
        // CVE-2021-41190: one content, two readings.
        (
            OCI_MANIFEST,
            json!({"schemaVersion": 2, "config": descriptor, "layers": [], "manifests": []}),
            "also an index",
        ),
        (OCI_MANIFEST, json!({"schemaVersion": 2, "manifests": []}), "does not fit"),
        (
            OCI_MANIFEST,
            json!({"mediaType": crate::images::OCI_INDEX, "config": descriptor, "layers": []}),
            "not the one in the header",
        ),
        ("application/json", json!({"mediaType": "text/x", "config": descriptor, "layers": []}), "not supported"),
        (
            "application/vnd.docker.distribution.manifest.v1+prettyjws",
            json!({"schemaVersion": 1, "fsLayers": []}),
            "schema 1",
        ),
        (OCI_MANIFEST, json!({"schemaVersion": 2}), "no manifest"),
        (
            OCI_MANIFEST,
            json!({"layers": [], "config": {"mediaType": "x", "digest": "sha512:00", "size": 1}}),
            "malformed",
        ),
        (OCI_MANIFEST, json!([]), "no manifest"),
    ];
    for (media_type, body, problem) in table {
        let text = body.to_string();
        let fake = Fake::start(move |_| fake::answer(200, &[("content-type", media_type)], text.clone())).await;
        let error = client(&fake.url()).get_manifest(&repository("shop/api"), &reference("1")).await.unwrap_err();
        assert!(error.to_string().contains(problem), "{body}: {error}");
    }
}
