//! The registry as our own client, skopeo and a Docker engine's storage see it.

use std::time::Duration;

use plimsoll_core::{ErrorCode, context::Context};
use plimsoll_oci::{
    ManifestBody, NetworkPolicy, PlainHttp, ProxyUse, RegistryClient, RegistryConfig, RegistryError, RetryPolicy,
};

use super::*;

fn spec(architecture: &str, version: &str) -> ImageSpec {
    let mut spec = ImageSpec::of_program("app", bytes::Bytes::from_static(b"\x7fELF program"));
    spec.platform.architecture = architecture.to_owned();
    let file =
        |path: &str, content: &str| File { path: path.to_owned(), mode: 0o644, content: content.to_owned().into() };
    spec.layers.push(vec![file("/etc/app/version", version), file("etc/app/name", "shop")]);
    spec.env.insert("VERSION".to_owned(), version.to_owned());
    spec.labels.insert("org.opencontainers.image.revision".to_owned(), format!("rev-{version}"));
    spec.created_at = Some("2026-11-23T10:00:00Z".parse().unwrap());
    spec
}

async fn serve(registry: &Registry) -> (SocketAddr, Serving) {
    registry.serve(TcpListener::bind("127.0.0.1:0").await.unwrap()).unwrap()
}

fn client(address: SocketAddr) -> RegistryClient {
    let mut config = RegistryConfig::new(&format!("http://{address}")).unwrap();
    config.outbound.network = NetworkPolicy::with_loopback();
    config.outbound.plain_http = PlainHttp::Allowed;
    config.outbound.proxy = ProxyUse::Direct;
    config.retry = RetryPolicy::once();
    RegistryClient::new(config, Context::system()).unwrap()
}

#[test]
fn the_same_description_gives_the_same_digests() {
    let put = |version| Registry::new().put_image("shop/api", "1", &spec("amd64", version)).unwrap();
    assert_eq!(put("1"), put("1"));
    assert_ne!(put("1").digest, put("2").digest);
}

#[tokio::test]
async fn an_image_is_resolved_and_its_layers_are_pulled() {
    let registry = Registry::new();
    let put = registry.put_image("shop/api", "1.0", &spec("amd64", "1.0")).unwrap();
    let (address, serving) = serve(&registry).await;
    let (client, api) = (client(address), "shop/api".parse().unwrap());

    let found = client.resolve(&api, &"1.0".parse().unwrap()).await.unwrap();
    assert_eq!((found.digest, &found.platforms), (put.digest, &put.platforms));
    assert_eq!(found.source_revision.as_deref(), Some("rev-1.0"));
    assert_eq!(found.created_at, spec("amd64", "1.0").created_at);
    let head = client.head_manifest(&api, &put.digest.into()).await.unwrap();
    assert_eq!(head.digest, put.digest);
    assert!(client.ping(None).await.iter().all(|check| check.ok));

    let ManifestBody::Image(manifest) = client.get_manifest(&api, &put.digest.into()).await.unwrap().body else {
        panic!("an image was put")
    };
    let mut files = Vec::new();
    for layer in &manifest.layers {
        let mut tar = Vec::new();
        client.blob_stream(&api, layer.digest, Some(layer.size), &mut tar).await.unwrap();
        for entry in tar::Archive::new(tar.as_slice()).entries().unwrap() {
            let entry = entry.unwrap();
            files.push((entry.path().unwrap().display().to_string(), entry.header().mode().unwrap()));
        }
    }
    let expected =
        [("app", 0o755), ("etc/", 0o755), ("etc/app/", 0o755), ("etc/app/name", 0o644), ("etc/app/version", 0o644)];
    assert_eq!(files, expected.map(|(path, mode)| (path.to_owned(), mode)));
    serving.stop().await.unwrap();
    assert!(matches!(client.list_tags(&api).await, Err(RegistryError::Unreachable { .. })));
}

#[tokio::test]
async fn an_index_has_an_image_for_each_platform() {
    let registry = Registry::new();
    let put = registry.put_index("shop/api", "1", &[spec("amd64", "1"), spec("arm64", "1")]).unwrap();
    let (address, _serving) = serve(&registry).await;
    let found = client(address).resolve(&"shop/api".parse().unwrap(), &"1".parse().unwrap()).await.unwrap();
    assert_eq!((found.digest, found.platforms), (put.digest, put.platforms));
}

#[tokio::test]
async fn a_tag_moves_and_the_old_digest_stays() {
    let registry = Registry::new();
    let old = registry.put_image("shop/api", "1", &spec("amd64", "1")).unwrap().digest;
    let new = registry.put_image("shop/api", "2", &spec("amd64", "2")).unwrap().digest;
    let (address, _serving) = serve(&registry).await;
    let (client, api) = (client(address), "shop/api".parse().unwrap());
    registry.move_tag("shop/api", "1", new).unwrap();
    assert_eq!(client.head_manifest(&api, &"1".parse().unwrap()).await.unwrap().digest, new);
    assert_eq!(client.head_manifest(&api, &old.into()).await.unwrap().digest, old);
    assert!(registry.move_tag("shop/api", "1", Digest::of(b"absent")).is_err());
    assert!(registry.move_tag("shop/none", "1", new).is_err());
    let error = client.head_manifest(&api, &Digest::of(b"absent").into()).await.unwrap_err();
    assert_eq!(plimsoll_core::Error::from(error).code(), ErrorCode::DigestNotFound);
}

#[tokio::test]
async fn lists_come_in_pages() {
    let registry = Registry::new();
    for tag in 0..25 {
        registry.put_image("shop/api", &format!("t{tag:02}"), &spec("amd64", "1")).unwrap();
    }
    let (address, _serving) = serve(&registry).await;
    let (client, api) = (client(address), "shop/api".parse().unwrap());
    let (mut all, mut cursor, mut pages) = (Vec::new(), Some("n=10".to_owned()), 0);
    while let Some(query) = cursor {
        let page = client.tags_page(&api, Some(&query)).await.unwrap();
        all.extend(page.tags);
        (cursor, pages) = (page.next, pages + 1);
    }
    assert_eq!(all, (0..25).map(|tag| format!("t{tag:02}")).collect::<Vec<_>>());
    assert_eq!(pages, 3);
}

#[tokio::test]
async fn it_misbehaves_when_told_to() {
    let registry = Registry::new();
    registry.put_image("shop/api", "1", &spec("amd64", "1")).unwrap();
    let (address, _serving) = serve(&registry).await;
    let api = "shop/api".parse().unwrap();
    registry.misbehave(Fault::RateLimited { retry_after_seconds: 9 });
    let limited = client(address).list_tags(&api).await.unwrap_err();
    assert!(matches!(limited, RegistryError::RateLimited { retry_after_seconds: Some(9), .. }), "{limited:?}");
    registry.misbehave(Fault::Failing);
    let failing = client(address).list_tags(&api).await.unwrap_err();
    assert!(matches!(failing, RegistryError::Unavailable { status: 500, .. }), "{failing:?}");
    registry.misbehave(Fault::Slow(Duration::from_millis(1)));
    assert_eq!(client(address).list_tags(&api).await.unwrap(), ["1"]);
}

#[test]
fn files_outside_the_image_are_refused() {
    for path in ["", "/", "../x", "a/../../x", "a//b", "./a"] {
        let mut bad = spec("amd64", "1");
        bad.layers[0][0].path = path.to_owned();
        assert!(Registry::new().put_image("shop/api", "1", &bad).is_err(), "{path}");
    }
    assert!(Registry::new().put_image("Shop", "1", &spec("amd64", "1")).is_err());
}

/// skopeo reads index, manifests, configurations and layers, and verifies every digest.
#[tokio::test]
async fn skopeo_copies_an_image() {
    let registry = Registry::new();
    let specs = [spec("amd64", "1"), spec("arm64", "1")];
    let put = registry.put_index("shop/api", "1", &specs).unwrap();
    let (address, _serving) = serve(&registry).await;
    let folder = tempfile::tempdir().unwrap();
    let source = format!("docker://{address}/shop/api@{}", put.digest);
    let target = format!("oci:{}:copy", folder.path().join("copy").display());
    let output = tokio::process::Command::new("skopeo")
        .args(["copy", "--all", "--preserve-digests", "--src-tls-verify=false", "--insecure-policy", &source, &target])
        .output()
        .await
        .expect("skopeo must be installed for this test");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let index = std::fs::read_to_string(folder.path().join("copy/index.json")).unwrap();
    assert!(index.contains(&put.digest.to_string()), "{index}");
}
