//! Images without an engine: fetched by digest, unpacked once, kept by configuration digest.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
    str::FromStr,
};

use flate2::read::MultiGzDecoder;
use serde::{Deserialize, Serialize};

use plimsoll_core::{
    Digest,
    component::Platform,
    deployment::spec::{ComponentSpec, ImageSource},
};
use plimsoll_oci::{
    Credentials, Descriptor, ImageManifest, LayerFormat, ManifestBody, NetworkPolicy, Reference, RegistryClient,
    RegistryConfig, RegistryError, Repository,
};
use plimsoll_protocol::agent::{
    report::{TaskError, TaskErrorCode},
    secret::SecretRef,
};

use super::unpack::{Limits, UnpackError, Unpacker};
use crate::{
    drivers::{Outcome, Scope},
    fs::{self as files, Access},
    resources,
};

/// The images of one target.
#[derive(Clone, Debug)]
pub struct Images {
    directory: PathBuf,
    limits: Limits,
}

/// What of an image's configuration a process needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UnpackedImage {
    /// Of the configuration.
    pub config: Digest,
    /// By which it was pulled.
    pub digest: Digest,
    /// Where it lies.
    pub root: PathBuf,
    /// The program and its first arguments.
    pub entrypoint: Vec<String>,
    /// Further arguments.
    pub command: Vec<String>,
    /// `NAME=value`.
    pub environment: Vec<String>,
    /// Where the program starts.
    pub working_directory: String,
}

/// Room for an image: it is there twice while it is unpacked, and files grow over their packed size.
const ROOM: u64 = 4;
const MAX_RECORD: u64 = 4 * 1024 * 1024;

impl Images {
    /// Below a target's directory.
    #[must_use]
    pub fn below(target: &Path) -> Self {
        let limits = Limits { bytes: 2 * 1024 * 1024 * 1024, entries: 100_000 };
        Self { directory: target.join("images"), limits }
    }

    /// The image that a component runs, if it is there.
    pub fn find(&self, component: &ComponentSpec) -> Outcome<Option<UnpackedImage>> {
        let path = self.place(&component.expected.config).join("image.json");
        let content = files::read(&path, MAX_RECORD).map_err(|cause| unusable(&path, &cause))?;
        Ok(content.and_then(|content| serde_json::from_slice(&content).ok()))
    }

    /// The root of the image with this configuration.
    #[must_use]
    pub fn root(&self, config: &Digest) -> PathBuf {
        self.place(config).join("rootfs")
    }

    /// Fetches and unpacks it unless it is there.
    pub async fn pull(&self, scope: Scope<'_>, component: &ComponentSpec) -> Outcome<()> {
        if self.find(component)?.is_some() {
            scope.log.say(Some(&component.name), format!("{} is here already", component.image.digest));
            return Ok(());
        }
        let source = &component.image;
        scope.log.say(Some(&component.name), format!("pulls {}", source.reference()));
        let client = client(scope, source).await?;
        let repository = Repository::from_str(&source.repository)
            .map_err(|cause| TaskError::new(TaskErrorCode::PullFailed, cause.to_string()))?;
        let manifest = manifest(&client, &repository, component).await?;
        let config = client.image_config(&repository, &manifest.config).await.map_err(failed)?;
        let layers: Vec<&Descriptor> = manifest.layers.iter().collect();
        self.room(&layers)?;
        let work = self.fresh()?;
        let root = work.join("rootfs");
        files::make_directory(&root, Access::Public).map_err(|cause| unusable(&root, &cause))?;
        let mut unpacker = Unpacker::new(root, self.limits);
        for layer in layers {
            let Some(format) = layer.layer_format() else {
                let message = format!("a layer of type {:?} can't be unpacked", layer.media_type);
                return Err(TaskError::new(TaskErrorCode::ImageRefused, message));
            };
            let blob = work.join("layer");
            fetch(&client, &repository, layer, &blob).await?;
            unpacker = unpack(unpacker, blob, format).await?;
        }
        let place = self.place(&component.expected.config);
        let image = UnpackedImage {
            config: component.expected.config,
            digest: source.digest,
            root: self.root(&component.expected.config),
            entrypoint: config.process.entrypoint,
            command: config.process.cmd,
            environment: config.process.env,
            working_directory: config.process.working_dir,
        };
        finish(unpacker, work, place, image).await
    }

    /// Removes an image by what it was pulled as; `false` when it is not there.
    pub fn remove(&self, digest: &Digest) -> Outcome<bool> {
        let Some(place) = self.all().into_iter().find(|(_, image)| image.digest == *digest).map(|(place, _)| place)
        else {
            return Ok(false);
        };
        fs::remove_dir_all(&place).map_err(|cause| unusable(&place, &cause))?;
        Ok(true)
    }

    fn all(&self) -> Vec<(PathBuf, UnpackedImage)> {
        let entries = fs::read_dir(&self.directory).into_iter().flatten();
        entries
            .filter_map(|entry| {
                let place = entry.ok()?.path();
                let content = files::read(&place.join("image.json"), MAX_RECORD).ok()??;
                Some((place, serde_json::from_slice(&content).ok()?))
            })
            .collect()
    }

    fn place(&self, config: &Digest) -> PathBuf {
        self.directory.join(config.hex())
    }

    /// An empty directory beside the images; what an earlier, killed pull left there goes.
    fn fresh(&self) -> Outcome<PathBuf> {
        let work = self.directory.join(".pull");
        let made = || -> io::Result<()> {
            if work.exists() {
                fs::remove_dir_all(&work)?;
            }
            files::make_directory(&work, Access::Public)
        };
        made().map_err(|cause| unusable(&work, &cause))?;
        Ok(work)
    }

    fn room(&self, layers: &[&Descriptor]) -> Outcome<()> {
        let packed: u64 = layers.iter().map(|layer| layer.size).fold(0, u64::saturating_add);
        let (_, free) = resources::disk(&self.directory);
        let needed = packed.saturating_mul(ROOM);
        if free < needed {
            let mib = |bytes: u64| bytes / (1024 * 1024);
            return Err(TaskError::new(
                TaskErrorCode::DiskLow,
                format!(
                    "{} MiB are free at {}, the image needs about {} MiB",
                    mib(free),
                    self.directory.display(),
                    mib(needed)
                ),
            )
            .hint("make room on the disk, then deploy again"));
        }
        Ok(())
    }
}

async fn client(scope: Scope<'_>, source: &ImageSource) -> Outcome<RegistryClient> {
    let mut config = RegistryConfig::of_image(source).map_err(failed)?;
    // The order is signed, and a registry on this very host is usual.
    config.outbound.network = NetworkPolicy::with_loopback();
    if source.authenticated {
        let wanted = SecretRef::Registry { integration_id: source.integration_id, host: source.registry.clone() };
        let (user, password) = scope.secrets.basic(&wanted).await?;
        config.credentials = Credentials::Basic { user, password };
    }
    RegistryClient::new(config, scope.log.context().clone()).map_err(failed)
}

/// The manifest for this machine, verified to be the one that was promoted.
async fn manifest(
    client: &RegistryClient,
    repository: &Repository,
    component: &ComponentSpec,
) -> Outcome<ImageManifest> {
    let get = async |digest: Digest| client.get_manifest(repository, &Reference::Digest(digest)).await.map_err(failed);
    let pulled = get(component.image.digest).await?;
    let image = match pulled.body {
        ManifestBody::Image(image) => image,
        ManifestBody::Index(index) => {
            let host = host_platform();
            let Some(entry) = index.select(&host) else {
                let message =
                    format!("{} has no image for {}/{}", component.image.reference(), host.os, host.architecture);
                return Err(TaskError::new(TaskErrorCode::ImageMismatch, message));
            };
            match get(entry.digest).await?.body {
                ManifestBody::Image(image) => image,
                ManifestBody::Index(_) => {
                    return Err(TaskError::new(TaskErrorCode::ImageMismatch, "an index lists another index"));
                }
            }
        }
    };
    if image.config.digest != component.expected.config {
        let (found, expected) = (image.config.digest, component.expected.config);
        let message = format!("the image for this machine is {found}; promoted was {expected}");
        return Err(TaskError::new(TaskErrorCode::ImageMismatch, message)
            .hint("look whether the target's platform is what the server thinks, then sync the component"));
    }
    Ok(image)
}

fn host_platform() -> Platform {
    let architecture = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    Platform { os: "linux".to_owned(), architecture: architecture.to_owned(), variant: None }
}

async fn fetch(client: &RegistryClient, repository: &Repository, layer: &Descriptor, into: &Path) -> Outcome<()> {
    const ATTEMPTS: u32 = 3;
    let mut attempt = 1;
    loop {
        let mut file = tokio::fs::File::create(into).await.map_err(|cause| unusable(into, &cause))?;
        match client.blob_stream(repository, layer.digest, Some(layer.size), &mut file).await {
            Ok(_) => return Ok(()),
            Err(cause) if cause.is_transient() && attempt < ATTEMPTS => attempt += 1,
            Err(cause) => return Err(failed(cause)),
        }
    }
}

async fn unpack(mut unpacker: Unpacker, blob: PathBuf, format: LayerFormat) -> Outcome<Unpacker> {
    blocking(move || {
        let file = File::open(&blob).map_err(|cause| unusable(&blob, &cause))?;
        let tar: Box<dyn Read> = match format {
            LayerFormat::Tar => Box::new(file),
            LayerFormat::TarGzip => Box::new(MultiGzDecoder::new(io::BufReader::new(file))),
            LayerFormat::TarZstd => {
                return Err(TaskError::new(
                    TaskErrorCode::ImageRefused,
                    "layers packed with zstd can't be unpacked here",
                )
                .hint("push the image with gzip layers"));
            }
        };
        unpacker.layer(tar).map_err(|cause| refused(&cause))?;
        Ok(unpacker)
    })
    .await
}

/// Puts the unpacked image in its place, whole.
async fn finish(unpacker: Unpacker, work: PathBuf, place: PathBuf, image: UnpackedImage) -> Outcome<()> {
    blocking(move || {
        unpacker.finish().map_err(|cause| refused(&cause))?;
        let put = || -> io::Result<()> {
            files::remove(&work.join("layer"))?;
            files::replace(&work.join("image.json"), &serde_json::to_vec_pretty(&image)?, Access::Public)?;
            fs::rename(&work, &place)?;
            files::sync_parent(&place)
        };
        put().map_err(|cause| unusable(&place, &cause))
    })
    .await
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Outcome<T> + Send + 'static) -> Outcome<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|cause| TaskError::new(TaskErrorCode::AgentDefect, format!("unpacking ended: {cause}")))?
}

fn refused(cause: &UnpackError) -> TaskError {
    match cause {
        UnpackError::Refused(_) => {
            TaskError::new(TaskErrorCode::ImageRefused, format!("the image is refused: {cause}"))
                .hint("process_host takes regular files, directories and symlinks; use docker_host for other images")
        }
        UnpackError::Io(_) => {
            TaskError::new(TaskErrorCode::PullFailed, format!("the image can't be unpacked: {cause}"))
                .hint("look at the disk's space")
        }
    }
}

fn failed(cause: RegistryError) -> TaskError {
    let code = match &cause {
        RegistryError::Mismatch(_) => TaskErrorCode::ImageMismatch,
        _ => TaskErrorCode::PullFailed,
    };
    TaskError::new(code, cause.to_string())
}

fn unusable(path: &Path, cause: &io::Error) -> TaskError {
    let code =
        if cause.kind() == io::ErrorKind::StorageFull { TaskErrorCode::DiskLow } else { TaskErrorCode::PullFailed };
    TaskError::new(code, format!("{} can't be used: {cause}", path.display()))
        .hint("look at the disk's space and owner")
}
