//! Registries, and the images that are pushed to them.

use std::{fs, process::Command};

use plimsoll_testkit::{Image, Index, Registry, RegistryAccess, RegistryOptions, RegistryTls, program};
use reqwest::{Method, StatusCode, header};

/// What skopeo, which is not ours, reads from the registry.
fn skopeo_digest(registry: &Registry, reference: &str, more: &[&str]) -> anyhow::Result<String> {
    program::output(
        Command::new("skopeo")
            .args(["inspect", "--no-tags", "--format={{.Digest}}", "--tls-verify=false"])
            .args(more)
            .arg(format!("docker://{}/{reference}", registry.host())),
    )
}

#[tokio::test]
async fn an_image_is_pushed_and_read_by_another_tool() {
    let registry = Registry::start().unwrap();
    let pushed = Image::busybox().unwrap().label("team", "hull").push(&registry, "shop/api", "1.0.0").await.unwrap();
    assert_eq!(skopeo_digest(&registry, "shop/api:1.0.0", &[]).unwrap(), pushed.digest.to_string());
}

#[tokio::test]
async fn the_same_image_has_the_same_digest_and_another_has_another() {
    let registry = Registry::start().unwrap();
    let image = |text: &str| Image::empty().file("version", text.as_bytes(), 0o644);
    let first = image("1").push(&registry, "shop/api", "1").await.unwrap();
    let again = image("1").push(&registry, "shop/api", "again").await.unwrap();
    let second = image("2").push(&registry, "shop/api", "2").await.unwrap();
    assert_eq!(first, again);
    assert_ne!(first.digest, second.digest);
}

#[tokio::test]
async fn an_index_has_a_manifest_for_each_platform() {
    let registry = Registry::start().unwrap();
    let image =
        |architecture: &str| Image::empty().file("arch", architecture.as_bytes(), 0o644).architecture(architecture);
    let index = Index::default().with(image("amd64")).with(image("arm64"));
    let pushed = index.push(&registry, "shop/api", "1").await.unwrap();
    for platform in &pushed.platforms {
        let read = skopeo_digest(&registry, "shop/api:1", &["--override-arch", &platform.architecture]).unwrap();
        // For an index skopeo prints the digest of what the tag points to; that it finds the platform is the point.
        assert_eq!(read, pushed.digest.to_string());
        let manifest = format!("/v2/shop/api/manifests/{}", platform.manifest);
        let answer =
            registry.request(Method::HEAD, &manifest).header(header::ACCEPT, plimsoll_testkit::image::MANIFEST);
        assert_eq!(answer.send().await.unwrap().status(), StatusCode::OK);
    }
    assert!(skopeo_digest(&registry, "shop/api:1", &["--override-arch", "s390x"]).is_err());
}

#[tokio::test]
async fn a_registry_with_basic_authentication_refuses_strangers() {
    let options = RegistryOptions { access: RegistryAccess::Basic, ..RegistryOptions::default() };
    let registry = Registry::start_with(options).unwrap();
    let pushed = Image::busybox().unwrap().push(&registry, "shop/api", "1").await.unwrap();
    assert!(skopeo_digest(&registry, "shop/api:1", &[]).is_err());
    let credentials = format!("--creds={}:{}", Registry::USER, Registry::PASSWORD);
    assert_eq!(skopeo_digest(&registry, "shop/api:1", &[&credentials]).unwrap(), pushed.digest.to_string());
}

#[tokio::test]
async fn a_registry_serves_tls_with_a_certificate_of_ones_own() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let (certificate, key) = (folder.path().join("certificate.pem"), folder.path().join("key.pem"));
    fs::write(&certificate, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let tls = RegistryTls { authority: certificate.clone(), certificate, key };
    let registry = Registry::start_with(RegistryOptions { tls: Some(tls), ..RegistryOptions::default() }).unwrap();
    assert!(registry.url().starts_with("https://127.0.0.1:"));
    Image::empty().push(&registry, "shop/api", "1").await.unwrap();
    let stranger = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    let error = stranger.get(format!("{}/v2/", registry.url())).send().await.unwrap_err();
    assert!(format!("{error:?}").contains("UnknownIssuer"), "{error:?}");
}

#[tokio::test]
async fn a_registry_that_was_away_has_its_images_still() {
    let mut registry = Registry::start().unwrap();
    let pushed = Image::empty().push(&registry, "shop/api", "1").await.unwrap();
    registry.stop().unwrap();
    assert!(registry.request(Method::GET, "/v2/").send().await.is_err());
    registry.start_again().unwrap();
    assert_eq!(skopeo_digest(&registry, "shop/api:1", &[]).unwrap(), pushed.digest.to_string());
}
