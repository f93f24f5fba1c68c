//! Against the reference registry.

use plimsoll_core::{Digest, Error, ErrorCode, component::Platform, integration::Check};
use plimsoll_oci::{ManifestBody, ManifestType, RegistryError, Subject};
use serde_json::json;

use crate::{
    fake::{self, Fake},
    images::{DOCKER_LIST, Image, OCI_INDEX, OCI_MANIFEST, Push, index},
    registry::{Auth, PASSWORD, Storage},
    support::{client, client_of, config, reference, repository, user},
};

#[tokio::test]
async fn an_index_is_resolved_down_to_each_platform() {
    let storage = Storage::new();
    let registry = storage.serve(&Auth::None);
    let push = Push::to(&registry.url());
    let images = [Image::oci("amd64", None, b"one"), Image::oci("arm", Some("v7"), b"two two")];
    for image in &images {
        push.image("shop/api", None, image).await;
    }
    let all = index(
        OCI_INDEX,
        &[&images[0], &images[1]],
        json!({"org.opencontainers.image.revision": "feedface", "org.opencontainers.image.created": "2026-11-24T00:00:00Z"}),
    );
    push.manifest("shop/api", "2.4.1", OCI_INDEX, &all).await;

    let client = client(&registry.url());
    let found = client.resolve(&repository("shop/api"), &reference("2.4.1")).await.unwrap();
    assert_eq!((found.digest, found.media_type), (Digest::of(&all), ManifestType::OciIndex));
    assert_eq!(found.source_revision.as_deref(), Some("feedface"), "the index's annotation wins");
    assert_eq!(found.source_url.as_deref(), Some("https://scm.example/shop/api"), "else the label");
    assert_eq!(found.created_at.unwrap().to_string(), "2026-11-24T00:00:00.000000Z");
    assert_eq!(found.size_bytes, images[1].size(), "the largest");
    let platforms: Vec<_> = found
        .platforms
        .iter()
        .map(|one| {
            (
                one.platform.os.as_str(),
                one.platform.architecture.as_str(),
                one.platform.variant.as_deref(),
                one.manifest,
                one.config,
                one.size_bytes,
            )
        })
        .collect();
    let expected = |image: &Image| (image.digest(), Digest::of(&image.config), image.size());
    let (a, b) = (expected(&images[0]), expected(&images[1]));
    assert_eq!(platforms, [("linux", "amd64", None, a.0, a.1, a.2), ("linux", "arm", Some("v7"), b.0, b.1, b.2)]);

    // By digest it is the same image, and HEAD agrees.
    let by_digest = client.resolve(&repository("shop/api"), &found.digest.into()).await.unwrap();
    assert_eq!(by_digest, found);
    let head = client.head_manifest(&repository("shop/api"), &reference("2.4.1")).await.unwrap();
    assert_eq!((head.digest, head.media_type, head.size_bytes), (found.digest, found.media_type, all.len() as u64));
}

#[tokio::test]
async fn docker_media_types_are_read_too() {
    let storage = Storage::new();
    let registry = storage.serve(&Auth::None);
    let push = Push::to(&registry.url());
    let image = Image::docker("arm64", b"layer");
    push.image("shop/api", Some("one"), &image).await;
    let all = index(DOCKER_LIST, &[&image], json!(null));
    push.manifest("shop/api", "many", DOCKER_LIST, &all).await;

    let client = client(&registry.url());
    let one = client.resolve(&repository("shop/api"), &reference("one")).await.unwrap();
    let many = client.resolve(&repository("shop/api"), &reference("many")).await.unwrap();
    assert_eq!((one.digest, one.media_type), (image.digest(), ManifestType::DockerManifest));
    assert_eq!((many.digest, many.media_type), (Digest::of(&all), ManifestType::DockerList));
    assert_eq!(one.platforms, many.platforms);
    assert_eq!(one.created_at.unwrap().to_string(), "2026-11-23T10:00:00.123456Z");
    assert_eq!(one.source_revision.as_deref(), Some("0123456789abcdef"));
}

#[tokio::test]
async fn attestations_and_what_a_mirror_leaves_out_are_no_platforms() {
    let image = Image::oci("amd64", None, b"x");
    let absent = Image::oci("arm64", None, b"y");
    let mut all: serde_json::Value =
        serde_json::from_slice(&index(OCI_INDEX, &[&image, &absent], json!(null))).unwrap();
    let mut attestation = all["manifests"][0].clone();
    attestation["platform"] = json!({"os": "unknown", "architecture": "unknown"});
    attestation["annotations"] = json!({"vnd.docker.reference.type": "attestation-manifest"});
    all["manifests"].as_array_mut().unwrap().push(attestation);
    let (manifest, config, all) = (image.manifest.clone(), image.config.clone(), all.to_string());
    let own = image.digest().to_string();
    let partial = Fake::start(move |seen| match seen.path().rsplit('/').next().unwrap() {
        "1" => fake::answer(200, &[("content-type", OCI_INDEX)], all.clone()),
        digest if digest == own => fake::answer(200, &[("content-type", OCI_MANIFEST)], manifest.clone()),
        _ if seen.path().contains("/blobs/") => fake::answer(200, &[], config.clone()),
        _ => fake::refusal(404, "MANIFEST_UNKNOWN"),
    })
    .await;
    let client = client(&partial.url());
    let found = tokio::spawn(async move { client.resolve(&repository("a"), &reference("1")).await }).await.unwrap();
    let platforms: Vec<_> = found.unwrap().platforms.into_iter().map(|one| one.platform.architecture).collect();
    assert_eq!(platforms, ["amd64"]);
}

#[tokio::test]
async fn a_host_finds_its_image_and_pulls_its_layers() {
    let storage = Storage::new();
    let registry = storage.serve(&Auth::None);
    let push = Push::to(&registry.url());
    let content: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let image = Image::oci("amd64", None, &content);
    push.image("shop/api", None, &image).await;
    let all = index(OCI_INDEX, &[&image], json!(null));
    push.manifest("shop/api", "1", OCI_INDEX, &all).await;

    let (client, api) = (client(&registry.url()), repository("shop/api"));
    let ManifestBody::Index(index) = client.get_manifest(&api, &reference("1")).await.unwrap().body else {
        panic!("an index was pushed")
    };
    let host = Platform { os: "linux".to_owned(), architecture: "amd64".to_owned(), variant: None };
    let chosen = index.select(&host).unwrap();
    let ManifestBody::Image(manifest) = client.get_manifest(&api, &chosen.digest.into()).await.unwrap().body else {
        panic!("an image was pushed")
    };
    let config = client.image_config(&api, &manifest.config).await.unwrap();
    assert_eq!((config.process.entrypoint, config.process.env), (vec!["/app".to_owned()], vec!["A=1".to_owned()]));
    let layer = &manifest.layers[0];
    let mut sink = Vec::new();
    let size = client.blob_stream(&api, layer.digest, Some(layer.size), &mut sink).await.unwrap();
    assert_eq!(size, content.len() as u64);
    assert!(sink == content);
}

#[tokio::test]
async fn what_is_missing_is_told_apart() {
    let storage = Storage::new();
    let registry = storage.serve(&Auth::None);
    Push::to(&registry.url()).image("shop/api", Some("1"), &Image::oci("amd64", None, b"x")).await;
    let (client, api) = (client(&registry.url()), repository("shop/api"));
    let absent = Digest::of(b"absent");

    let tag = client.get_manifest(&api, &reference("2")).await.unwrap_err();
    assert!(matches!(&tag, RegistryError::NotFound { what: Subject::Manifest(..), .. }), "{tag:?}");
    assert!(tag.to_string().contains("shop/api:2 (MANIFEST_UNKNOWN"), "{tag}");
    assert_eq!(Error::from(tag).code(), ErrorCode::NotFound);
    let digest = client.head_manifest(&api, &absent.into()).await.unwrap_err();
    assert_eq!(Error::from(digest).code(), ErrorCode::DigestNotFound);
    let blob = client.blob_stream(&api, absent, None, &mut Vec::new()).await.unwrap_err();
    assert!(matches!(blob, RegistryError::NotFound { what: Subject::Blob(..), .. }), "{blob:?}");
    let repository = client.list_tags(&repository("shop/none")).await.unwrap_err();
    assert!(matches!(repository, RegistryError::NotFound { what: Subject::Tags(_), .. }), "{repository:?}");
}

#[tokio::test]
async fn tags_are_listed_once_each_and_sorted() {
    let storage = Storage::new();
    let registry = storage.serve(&Auth::None);
    let push = Push::to(&registry.url());
    let image = Image::oci("amd64", None, b"x");
    for tag in ["v2", "latest", "v10", "v1"] {
        push.image("shop/api", Some(tag), &image).await;
    }
    let tags = client(&registry.url()).list_tags(&repository("shop/api")).await.unwrap();
    assert_eq!(tags, ["latest", "v1", "v10", "v2"]);
}

#[tokio::test]
async fn the_catalog_is_read_page_by_page() {
    let storage = Storage::new();
    let registry = storage.serve(&Auth::None);
    let push = Push::to(&registry.url());
    let image = Image::oci("amd64", None, b"x");
    for name in ["shop/api", "shop/web", "tools/lint", "tools/web-check", "zoo"] {
        push.image(name, Some("1"), &image).await;
    }
    let client = client(&registry.url());
    // The registry refuses our size of page, so its own is taken.
    let refused = client.catalog(Some("n=500"), None).await.unwrap_err();
    assert!(matches!(refused, RegistryError::PageSize { .. }), "{refused:?}");
    let all = client.catalog(None, None).await.unwrap();
    assert_eq!(all.repositories, ["shop/api", "shop/web", "tools/lint", "tools/web-check", "zoo"]);
    assert_eq!(all.next, None);
    // Two names in each of the registry's pages; the last one has what is left.
    let found = client.catalog(Some("n=2"), Some("WEB")).await.unwrap();
    assert_eq!((found.repositories, found.next), (vec!["shop/web".to_owned(), "tools/web-check".to_owned()], None));
    let error = client.catalog(Some(&"x".repeat(5000)), None).await.unwrap_err();
    assert!(matches!(error, RegistryError::Configuration(_)));
}

#[tokio::test]
async fn user_and_password_open_a_registry_that_asks_for_them() {
    let storage = Storage::new();
    let image = Image::oci("amd64", None, b"x");
    Push::to(&storage.serve(&Auth::None).url()).image("shop/api", Some("1"), &image).await;
    let registry = storage.serve(&Auth::Htpasswd);
    let api = repository("shop/api");

    let mut known = config(&registry.url());
    known.credentials = user("robot", PASSWORD);
    let known = client_of(known);
    assert_eq!(known.head_manifest(&api, &reference("1")).await.unwrap().digest, image.digest());
    assert_eq!(known.list_tags(&api).await.unwrap(), ["1"]);
    assert_eq!(states(&known.ping(None).await), [true; 5]);

    let mut wrong = config(&registry.url());
    wrong.credentials = user("robot", "guess");
    let error = client_of(wrong).list_tags(&api).await.unwrap_err();
    assert!(matches!(error, RegistryError::Unauthorized { .. }), "{error:?}");
    assert!(!format!("{error:?}{error}").contains("guess"));

    let nobody = client(&registry.url());
    let error = nobody.head_manifest(&api, &reference("1")).await.unwrap_err();
    assert!(matches!(error, RegistryError::Unauthorized { .. }), "{error:?}");
    assert!(error.to_string().contains("it wants a user and a password; configure them"), "{error}");
    let checks = nobody.ping(None).await;
    assert_eq!(states(&checks), [true, true, true, false]);
    assert_eq!(checks[3].name, "authentication");
    assert_eq!(checks[3].hint.as_deref(), Some("configure them"));
}

#[tokio::test]
async fn skopeo_and_we_agree() {
    let storage = Storage::new();
    let registry = storage.serve(&Auth::None);
    Push::to(&registry.url()).image("shop/api", Some("1"), &Image::oci("amd64", None, b"x")).await;
    let host = registry.url().replace("http://", "");
    let output = std::process::Command::new("skopeo")
        .args(["inspect", "--tls-verify=false", "--format", "{{.Digest}}", &format!("docker://{host}/shop/api:1")])
        .output()
        .expect("skopeo must be installed for these tests");
    let theirs = String::from_utf8(output.stdout).unwrap();
    let ours = client(&registry.url()).head_manifest(&repository("shop/api"), &reference("1")).await.unwrap();
    assert_eq!(ours.digest.to_string(), theirs.trim());
}

fn states(checks: &[Check]) -> Vec<bool> {
    checks.iter().map(|check| check.ok).collect()
}
