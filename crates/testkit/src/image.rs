//! Small OCI images, made here and pushed to a test registry. The same image always has the same digest.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use flate2::{Compression, write::GzEncoder};
use plimsoll_core::Digest;
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};

use crate::Registry;

/// The media type of an image's manifest.
pub const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// The media type of an index over several platforms.
pub const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";

/// What busybox is called in the image.
const APPLETS: &[&str] = &[
    "cat", "cp", "date", "echo", "false", "httpd", "ls", "mkdir", "nc", "rm", "sh", "sleep", "test", "touch", "true",
    "wget",
];

/// An image of one layer, as it is to be.
#[derive(Clone, Debug)]
pub struct Image {
    architecture: String,
    files: Vec<Entry>,
    config: serde_json::Map<String, Value>,
}

#[derive(Clone, Debug)]
struct Entry {
    path: String,
    content: Content,
}

#[derive(Clone, Debug)]
enum Content {
    File { bytes: Vec<u8>, mode: u32 },
    Link { to: String },
}

/// Images for several platforms under one tag.
#[derive(Clone, Debug, Default)]
pub struct Index(Vec<Image>);

/// What was pushed, with the chain of its digests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pushed {
    /// What the tag points to: the digest of the manifest, or of the index.
    pub digest: Digest,
    /// Each platform's manifest and config.
    pub platforms: Vec<PushedPlatform>,
}

/// One platform's part of what was pushed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PushedPlatform {
    /// As in `linux/amd64`.
    pub architecture: String,
    /// The digest of its manifest.
    pub manifest: Digest,
    /// The digest of its config, which Docker calls the image's id.
    pub config: Digest,
}

impl Image {
    /// An image with nothing in it, for the platform of this machine.
    #[must_use]
    pub fn empty() -> Self {
        let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
        Self { architecture: architecture.to_owned(), files: Vec::new(), config: serde_json::Map::new() }
    }

    /// Busybox under its common names in `/bin`, with a shell as the command.
    pub fn busybox() -> Result<Self> {
        let mut image = Self::of_binary(Path::new("/bin/busybox"))?.entrypoint(&[]).command(&["/bin/sh"]);
        for applet in APPLETS {
            image = image.link(&format!("bin/{applet}"), "/bin/busybox");
        }
        Ok(image)
    }

    /// One static binary in `/bin`, which is the entrypoint.
    pub fn of_binary(binary: &Path) -> Result<Self> {
        let bytes = std::fs::read(binary).with_context(|| {
            format!("cannot read {}; scripts/install-test-parts installs busybox", binary.display())
        })?;
        let name = binary.file_name().and_then(|name| name.to_str()).context("a binary has a name")?;
        let path = format!("bin/{name}");
        Ok(Self::empty().file(&path, &bytes, 0o755).entrypoint(&[&format!("/{path}")]))
    }

    /// With a file; `path` is below the root, without a slash at its beginning.
    #[must_use]
    pub fn file(mut self, path: &str, bytes: &[u8], mode: u32) -> Self {
        self.files.push(Entry { path: path.to_owned(), content: Content::File { bytes: bytes.to_owned(), mode } });
        self
    }

    /// With a symbolic link.
    #[must_use]
    pub fn link(mut self, path: &str, to: &str) -> Self {
        self.files.push(Entry { path: path.to_owned(), content: Content::Link { to: to.to_owned() } });
        self
    }

    /// What is run; the command's words follow it.
    #[must_use]
    pub fn entrypoint(self, words: &[&str]) -> Self {
        self.config("Entrypoint", json!(words))
    }

    /// What is run, or the entrypoint's arguments.
    #[must_use]
    pub fn command(self, words: &[&str]) -> Self {
        self.config("Cmd", json!(words))
    }

    /// With environment variables, each as `NAME=value`.
    #[must_use]
    pub fn environment(self, variables: &[&str]) -> Self {
        self.config("Env", json!(variables))
    }

    /// With a label.
    #[must_use]
    pub fn label(mut self, name: &str, value: &str) -> Self {
        let labels = self.config.entry("Labels").or_insert_with(|| json!({}));
        labels[name] = json!(value);
        self
    }

    /// With a port that it says it listens on.
    #[must_use]
    pub fn exposes(mut self, port: u16) -> Self {
        let ports = self.config.entry("ExposedPorts").or_insert_with(|| json!({}));
        ports[format!("{port}/tcp")] = json!({});
        self
    }

    /// With a HEALTHCHECK that runs `words` each second.
    #[must_use]
    pub fn health_check(self, words: &[&str]) -> Self {
        let test: Vec<&str> = std::iter::once("CMD").chain(words.iter().copied()).collect();
        let second = 1_000_000_000_u64;
        self.config("Healthcheck", json!({ "Test": test, "Interval": second, "Timeout": second, "Retries": 2 }))
    }

    /// Any other key of the image's `config`, such as `User` or `WorkingDir`.
    #[must_use]
    pub fn config(mut self, key: &str, value: Value) -> Self {
        self.config.insert(key.to_owned(), value);
        self
    }

    /// For another platform: `amd64`, `arm64`, …, on Linux.
    #[must_use]
    pub fn architecture(mut self, architecture: &str) -> Self {
        architecture.clone_into(&mut self.architecture);
        self
    }

    /// Pushes it and makes `tag` point to it.
    pub async fn push(&self, registry: &Registry, repository: &str, tag: &str) -> Result<Pushed> {
        let (platform, manifest) = self.push_blobs(registry, repository).await?;
        put_manifest(registry, repository, tag, MANIFEST, &manifest).await?;
        Ok(Pushed { digest: platform.manifest, platforms: vec![platform] })
    }

    async fn push_blobs(&self, registry: &Registry, repository: &str) -> Result<(PushedPlatform, Vec<u8>)> {
        let tar = self.layer()?;
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        std::io::Write::write_all(&mut gzip, &tar)?;
        let layer = gzip.finish()?;
        let config = serde_json::to_vec(&json!({
            "created": "1970-01-01T00:00:00Z",
            "architecture": self.architecture,
            "os": "linux",
            "config": self.config,
            "rootfs": { "type": "layers", "diff_ids": [Digest::of(&tar)] },
            "history": [{ "created": "1970-01-01T00:00:00Z", "created_by": "plimsoll-testkit" }],
        }))?;
        let manifest = serde_json::to_vec(&json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": descriptor(CONFIG, &config),
            "layers": [descriptor(LAYER, &layer)],
        }))?;
        put_blob(registry, repository, &layer).await?;
        put_blob(registry, repository, &config).await?;
        let platform = PushedPlatform {
            architecture: self.architecture.clone(),
            manifest: Digest::of(&manifest),
            config: Digest::of(&config),
        };
        Ok((platform, manifest))
    }

    /// The one layer. Nothing in it depends on when or where it is made.
    fn layer(&self) -> Result<Vec<u8>> {
        let mut tar = tar::Builder::new(Vec::new());
        for Entry { path, content } in &self.files {
            let mut header = tar::Header::new_ustar();
            header.set_mtime(0);
            match content {
                Content::File { bytes, mode } => {
                    header.set_mode(*mode);
                    header.set_size(bytes.len() as u64);
                    tar.append_data(&mut header, path, bytes.as_slice())?;
                }
                Content::Link { to } => {
                    header.set_entry_type(tar::EntryType::Symlink);
                    header.set_mode(0o777);
                    header.set_size(0);
                    tar.append_link(&mut header, path, to)?;
                }
            }
        }
        Ok(tar.into_inner()?)
    }
}

impl Index {
    /// With one more platform.
    #[must_use]
    pub fn with(mut self, image: Image) -> Self {
        self.0.push(image);
        self
    }

    /// Pushes all of it and makes `tag` point to the index.
    pub async fn push(&self, registry: &Registry, repository: &str, tag: &str) -> Result<Pushed> {
        let (mut platforms, mut manifests) = (Vec::new(), Vec::new());
        for image in &self.0 {
            let (platform, manifest) = image.push_blobs(registry, repository).await?;
            put_manifest(registry, repository, &platform.manifest.to_string(), MANIFEST, &manifest).await?;
            let mut entry = descriptor(MANIFEST, &manifest);
            entry["platform"] = json!({ "os": "linux", "architecture": image.architecture });
            manifests.push(entry);
            platforms.push(platform);
        }
        let index = serde_json::to_vec(&json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests }))?;
        put_manifest(registry, repository, tag, INDEX, &index).await?;
        Ok(Pushed { digest: Digest::of(&index), platforms })
    }
}

fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    json!({ "mediaType": media_type, "digest": Digest::of(bytes), "size": bytes.len() })
}

async fn put_blob(registry: &Registry, repository: &str, bytes: &[u8]) -> Result<()> {
    let digest = Digest::of(bytes);
    let blob = format!("/v2/{repository}/blobs/{digest}");
    if registry.request(Method::HEAD, &blob).send().await?.status() == StatusCode::OK {
        return Ok(());
    }
    let begun = registry.request(Method::POST, &format!("/v2/{repository}/blobs/uploads/")).send().await?;
    let begun = begun.error_for_status()?;
    let place = begun.headers().get(header::LOCATION).context("a registry says where to upload")?.to_str()?;
    let separator = if place.contains('?') { '&' } else { '?' };
    let stored = registry
        .request(Method::PUT, &format!("{place}{separator}digest={digest}"))
        .body(bytes.to_owned())
        .send()
        .await?;
    ensure!(stored.status() == StatusCode::CREATED, "the registry did not store a blob: {}", stored.text().await?);
    Ok(())
}

async fn put_manifest(registry: &Registry, repository: &str, reference: &str, kind: &str, bytes: &[u8]) -> Result<()> {
    let path = format!("/v2/{repository}/manifests/{reference}");
    let request = registry.request(Method::PUT, &path).header(header::CONTENT_TYPE, kind).body(bytes.to_owned());
    let stored = request.send().await?;
    ensure!(stored.status() == StatusCode::CREATED, "the registry did not store a manifest: {}", stored.text().await?);
    Ok(())
}
