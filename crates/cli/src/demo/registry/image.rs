//! Images made of files, byte for byte the same each time (OCI image specification 1.1).

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use plimsoll_core::{
    Digest, Timestamp,
    component::{Platform, PlatformImage},
};
use serde_json::{Value, json};

use super::store::{Content, Made};

pub(super) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// Layers are not compressed: they travel within the machine.
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

/// What an image is to hold and to run.
#[derive(Clone, Debug)]
pub struct ImageSpec {
    /// What it runs on.
    pub platform: Platform,
    /// Its layers, lowest first. Images with an equal layer share it.
    pub layers: Vec<Vec<File>>,
    /// The program.
    pub entrypoint: Vec<String>,
    /// Its arguments.
    pub cmd: Vec<String>,
    /// Variables.
    pub env: BTreeMap<String, String>,
    /// Labels, such as `org.opencontainers.image.revision`.
    pub labels: BTreeMap<String, String>,
    /// Where the program starts.
    pub working_dir: Option<String>,
    /// When it says it was made.
    pub created_at: Option<Timestamp>,
}

/// A file of a layer.
#[derive(Clone, Debug)]
pub struct File {
    /// Where it lies, from the root of the image.
    pub path: String,
    /// Permission bits, such as `0o755`.
    pub mode: u32,
    /// What is in it.
    pub content: Bytes,
}

/// What was put into the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutImage {
    /// What the tag names: the manifest or the index.
    pub digest: Digest,
    /// Each platform's digests.
    pub platforms: Vec<PlatformImage>,
}

impl ImageSpec {
    /// An image for this machine that holds `program` as `/<name>` and runs it.
    #[must_use]
    pub fn of_program(name: &str, program: Bytes) -> Self {
        Self {
            platform: this_machine(),
            layers: vec![vec![File { path: name.to_owned(), mode: 0o755, content: program }]],
            entrypoint: vec![format!("/{name}")],
            cmd: Vec::new(),
            env: BTreeMap::new(),
            labels: BTreeMap::new(),
            working_dir: None,
            created_at: None,
        }
    }
}

/// Linux on the processor that this program was built for.
fn this_machine() -> Platform {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    Platform { os: "linux".to_owned(), architecture: architecture.to_owned(), variant: None }
}

/// An image's manifest and blobs.
pub(super) fn make(spec: &ImageSpec) -> Result<Made> {
    let layers = spec.layers.iter().map(|files| layer(files)).collect::<Result<Vec<_>>>()?;
    let config = Content::json(CONFIG, &config(spec, &layers))?;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config.descriptor(),
        "layers": layers.iter().map(Content::descriptor).collect::<Vec<_>>(),
    });
    let manifest = Content::json(MANIFEST, &manifest)?;
    let platform = PlatformImage {
        platform: spec.platform.clone(),
        manifest: manifest.digest,
        config: config.digest,
        size_bytes: layers.iter().map(|layer| layer.bytes.len() as u64).sum(),
    };
    let blobs = layers.into_iter().chain([config]).collect();
    Ok(Made { root: manifest, children: Vec::new(), blobs, platforms: vec![platform] })
}

/// An index over an image for each of `specs`.
pub(super) fn make_index(specs: &[ImageSpec]) -> Result<Made> {
    ensure!(!specs.is_empty(), "an index needs an image");
    let (mut children, mut blobs, mut platforms, mut entries) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for spec in specs {
        let made = make(spec)?;
        let mut entry = made.root.descriptor();
        entry["platform"] = serde_json::to_value(&spec.platform)?;
        entries.push(entry);
        children.push(made.root);
        blobs.extend(made.blobs);
        platforms.extend(made.platforms);
    }
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": entries });
    Ok(Made { root: Content::json(INDEX, &index)?, children, blobs, platforms })
}

fn config(spec: &ImageSpec, layers: &[Content]) -> Value {
    let env: Vec<String> = spec.env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut process = json!({ "Env": env, "Entrypoint": spec.entrypoint, "Cmd": spec.cmd, "Labels": spec.labels });
    if let Some(place) = &spec.working_dir {
        process["WorkingDir"] = place.as_str().into();
    }
    let diff_ids: Vec<Digest> = layers.iter().map(|layer| layer.digest).collect();
    let mut config = json!({
        "os": spec.platform.os,
        "architecture": spec.platform.architecture,
        "config": process,
        "rootfs": { "type": "layers", "diff_ids": diff_ids },
    });
    if let Some(variant) = &spec.platform.variant {
        config["variant"] = variant.as_str().into();
    }
    if let Some(at) = spec.created_at {
        config["created"] = at.to_string().into();
    }
    config
}

/// A tar of `files` in the order of their paths, with the folders above them.
fn layer(files: &[File]) -> Result<Content> {
    let mut sorted: BTreeMap<String, &File> = BTreeMap::new();
    for file in files {
        let path = inside(&file.path)?;
        ensure!(sorted.insert(path, file).is_none(), "{} is in the layer twice", file.path);
    }
    let folders: std::collections::BTreeSet<&str> = sorted.keys().flat_map(|path| above(path)).collect();
    let mut tar = tar::Builder::new(Vec::new());
    for folder in folders {
        let mut header = header(tar::EntryType::Directory, 0o755, 0);
        tar.append_data(&mut header, format!("{folder}/"), std::io::empty())?;
    }
    for (path, file) in &sorted {
        let mut header = header(tar::EntryType::Regular, file.mode, file.content.len() as u64);
        tar.append_data(&mut header, path, file.content.as_ref()).with_context(|| format!("{path} does not fit"))?;
    }
    Ok(Content::new(LAYER, tar.into_inner()?.into()))
}

fn header(kind: tar::EntryType, mode: u32, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}

/// The path from the image's root, without a leading slash.
fn inside(path: &str) -> Result<String> {
    let relative = path.trim_start_matches('/');
    let sound = !relative.is_empty() && relative.split('/').all(|part| !matches!(part, "" | "." | ".."));
    ensure!(sound, "{path:?} is no path of a file in an image");
    Ok(relative.to_owned())
}

/// The folders above `path`, outermost first.
fn above(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at])
}
