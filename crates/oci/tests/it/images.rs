//! Images made of a few bytes, and pushing them the way the Distribution specification says.

use plimsoll_core::Digest;
use reqwest::{Client, StatusCode, header::LOCATION};
use serde_json::{Value, json};

pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
pub const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// An image's manifest with its blobs.
pub struct Image {
    pub manifest: Vec<u8>,
    pub media_type: &'static str,
    pub config: Vec<u8>,
    pub layer: Vec<u8>,
    platform: Value,
}

impl Image {
    /// An OCI image whose only layer is `content`.
    pub fn oci(architecture: &str, variant: Option<&str>, content: &[u8]) -> Self {
        let types =
            [OCI_MANIFEST, "application/vnd.oci.image.config.v1+json", "application/vnd.oci.image.layer.v1.tar+gzip"];
        Self::of(types, architecture, variant, content)
    }

    /// The same in Docker's media types.
    pub fn docker(architecture: &str, content: &[u8]) -> Self {
        let types = [
            DOCKER_MANIFEST,
            "application/vnd.docker.container.image.v1+json",
            "application/vnd.docker.image.rootfs.diff.tar.gzip",
        ];
        Self::of(types, architecture, None, content)
    }

    fn of(types: [&'static str; 3], architecture: &str, variant: Option<&str>, content: &[u8]) -> Self {
        let mut config = json!({
            "created": "2026-11-23T10:00:00.123456789Z", "os": "linux", "architecture": architecture,
            "config": {"Entrypoint": ["/app"], "Env": ["A=1"], "Labels": {
                "org.opencontainers.image.revision": "0123456789abcdef", "org.opencontainers.image.source": "https://scm.example/shop/api"}},
            "rootfs": {"type": "layers", "diff_ids": [Digest::of(content)]},
        });
        let mut platform = json!({"os": "linux", "architecture": architecture});
        if let Some(variant) = variant {
            config["variant"] = variant.into();
            platform["variant"] = variant.into();
        }
        let config = config.to_string().into_bytes();
        let manifest = json!({
            "schemaVersion": 2, "mediaType": types[0],
            "config": {"mediaType": types[1], "digest": Digest::of(&config), "size": config.len()},
            "layers": [{"mediaType": types[2], "digest": Digest::of(content), "size": content.len()}],
        });
        Self {
            manifest: manifest.to_string().into_bytes(),
            media_type: types[0],
            config,
            layer: content.to_vec(),
            platform,
        }
    }

    pub fn digest(&self) -> Digest {
        Digest::of(&self.manifest)
    }

    pub fn size(&self) -> u64 {
        self.layer.len() as u64
    }

    fn descriptor(&self) -> Value {
        json!({"mediaType": self.media_type, "digest": self.digest(), "size": self.manifest.len(), "platform": self.platform})
    }
}

/// An index over `images` with `annotations`.
pub fn index(media_type: &str, images: &[&Image], annotations: Value) -> Vec<u8> {
    let manifests: Vec<Value> = images.iter().map(|image| image.descriptor()).collect();
    let mut index = json!({"schemaVersion": 2, "mediaType": media_type, "manifests": manifests});
    if !annotations.is_null() {
        index["annotations"] = annotations;
    }
    index.to_string().into_bytes()
}

/// Pushes to a registry that asks for nothing.
pub struct Push {
    client: Client,
    url: String,
}

impl Push {
    pub fn to(url: &str) -> Self {
        let client = Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
        Self { client, url: url.to_owned() }
    }

    /// Pushes `image` with its blobs, under `tag` or its digest.
    pub async fn image(&self, repository: &str, tag: Option<&str>, image: &Image) {
        self.blob(repository, &image.config).await;
        self.blob(repository, &image.layer).await;
        let name = tag.map_or_else(|| image.digest().to_string(), str::to_owned);
        self.manifest(repository, &name, image.media_type, &image.manifest).await;
    }

    pub async fn manifest(&self, repository: &str, name: &str, media_type: &str, bytes: &[u8]) {
        let url = format!("{}/v2/{repository}/manifests/{name}", self.url);
        let request = self.client.put(url).header("content-type", media_type).body(bytes.to_vec());
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::CREATED, "{}", response.text().await.unwrap());
    }

    pub async fn blob(&self, repository: &str, bytes: &[u8]) {
        let started = self.client.post(format!("{}/v2/{repository}/blobs/uploads/", self.url)).send().await.unwrap();
        let location = started.headers()[LOCATION].to_str().unwrap();
        let mut url = reqwest::Url::parse(&self.url).unwrap().join(location).unwrap();
        url.query_pairs_mut().append_pair("digest", &Digest::of(bytes).to_string());
        let put = self.client.put(url).body(bytes.to_vec()).send().await.unwrap();
        assert_eq!(put.status(), StatusCode::CREATED);
    }
}
