//! The container engine itself, asked directly: whether it can be used, what it runs, and to take all of it away.

use std::{collections::HashMap, path::Path, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use bollard::{
    API_DEFAULT_VERSION, Docker,
    errors::Error as EngineError,
    models::{ContainerCreateBody, HostConfig},
    query_parameters::{
        CreateContainerOptionsBuilder, CreateImageOptionsBuilder, ListContainersOptionsBuilder,
        ListImagesOptionsBuilder, RemoveContainerOptionsBuilder, RemoveImageOptionsBuilder,
    },
};
use futures_util::StreamExt as _;
use plimsoll_core::deployment::spec::label;

use super::targets::LEDGER_MOUNT;

const TIMEOUT_SECONDS: u64 = 60;
/// For the first answer: a socket may be there with nobody behind it.
const FIRST_ANSWER: Duration = Duration::from_secs(5);
/// For the probe's pull and its container's short life.
const PROBE: Duration = Duration::from_secs(30);

/// A connection to an engine.
pub(crate) struct Engine(Docker);

/// A container of ours as the engine tells of it.
pub(crate) struct Container {
    pub(crate) name: String,
    /// The reference that it was made by, with its digest.
    pub(crate) image: String,
}

impl Engine {
    pub(crate) fn at(socket: &str) -> Result<Self> {
        let docker = Docker::connect_with_unix(socket, TIMEOUT_SECONDS, API_DEFAULT_VERSION);
        Ok(Self(docker.with_context(|| format!("the engine at {socket} cannot be used"))?))
    }

    /// The engine's name and version, once it has shown that it can run the demo: it pulls `image` from the
    /// demo's registry, and a container of it can write into `ledgers`. What that left is removed.
    pub(crate) async fn probe(socket: &str, image: &str, ledgers: &Path) -> Result<String> {
        let engine = Self::at(socket)?;
        let version = tokio::time::timeout(FIRST_ANSWER, engine.0.version()).await.context("it does not answer")??;
        let name = format!("plimsoll-demo-probe-{}", std::process::id());
        let tried = tokio::time::timeout(PROBE, engine.try_out(&name, image, ledgers)).await;
        engine.remove_container(&name).await?;
        engine.remove_image(image).await?;
        tried.with_context(|| format!("it took longer than {} s to pull and run an image", PROBE.as_secs()))??;
        let parts = version.components.unwrap_or_default();
        let podman = parts.iter().any(|part| part.name.starts_with("Podman"));
        let name = if podman { "Podman" } else { "Docker Engine" };
        Ok(format!("{name} {}", version.version.unwrap_or_default()))
    }

    async fn try_out(&self, name: &str, image: &str, ledgers: &Path) -> Result<()> {
        let options = CreateImageOptionsBuilder::new().from_image(image).build();
        let mut pull = self.0.create_image(Some(options), None, None);
        while let Some(piece) = pull.next().await {
            piece.with_context(|| format!("it cannot pull {image} from the demo's registry"))?;
        }
        let body = ContainerCreateBody {
            image: Some(image.to_owned()),
            // It writes its ledger and ends.
            cmd: Some(vec!["--crash".to_owned(), "--ledger".to_owned(), format!("{LEDGER_MOUNT}/{name}")]),
            host_config: Some(HostConfig {
                binds: Some(vec![format!("{}:{LEDGER_MOUNT}", ledgers.display())]),
                ..HostConfig::default()
            }),
            ..ContainerCreateBody::default()
        };
        let options = CreateContainerOptionsBuilder::new().name(name).build();
        self.0.create_container(Some(options), body).await.context("it cannot make a container")?;
        self.0.start_container(name, None).await.context("it cannot start a container")?;
        let mut ended = self.0.wait_container(name, None);
        match ended.next().await {
            // The code that it was told to end with.
            Some(Ok(_) | Err(EngineError::DockerContainerWaitError { code: 3, .. })) => {}
            Some(Err(cause)) => return Err(cause).context("its container did not run"),
            None => bail!("its container did not run"),
        }
        let ledger = ledgers.join(name);
        ensure!(ledger.exists(), "its containers do not see this machine's files ({})", ledgers.display());
        std::fs::remove_file(&ledger).context("the probe's file cannot be removed")
    }

    /// The running container of a component on a target.
    pub(crate) async fn container_of(&self, target: &str, component: &str) -> Result<Container> {
        let labels = [format!("{}={target}", label::TARGET), format!("{}={component}", label::COMPONENT)];
        let found = self.containers(&labels, Which::Running).await?;
        match found.as_slice() {
            [name] => {
                let seen = self.0.inspect_container(name, None).await?;
                let image = seen.config.and_then(|config| config.image).context("the container has no image")?;
                Ok(Container { name: name.clone(), image })
            }
            others => bail!("the engine runs {} containers of {component} on that target", others.len()),
        }
    }

    /// Removes the containers of a target.
    pub(crate) async fn clear(&self, target: &str) -> Result<()> {
        for name in self.containers(&[format!("{}={target}", label::TARGET)], Which::All).await? {
            self.remove_container(&name).await?;
        }
        Ok(())
    }

    /// Removes the images that came from a registry.
    pub(crate) async fn forget_images(&self, registry: &str) -> Result<()> {
        let all = self.0.list_images(Some(ListImagesOptionsBuilder::new().all(false).build())).await?;
        let names = all.into_iter().flat_map(|image| image.repo_tags.into_iter().chain(image.repo_digests));
        for name in names.filter(|name| name.starts_with(&format!("{registry}/"))) {
            self.remove_image(&name).await?;
        }
        Ok(())
    }

    async fn containers(&self, labels: &[String], which: Which) -> Result<Vec<String>> {
        let filters = HashMap::from([("label".to_owned(), labels.to_vec())]);
        let options = ListContainersOptionsBuilder::new().all(which == Which::All).filters(&filters).build();
        let found = self.0.list_containers(Some(options)).await.context("the engine cannot list its containers")?;
        let name = |names: Option<Vec<String>>| Some(names?.first()?.trim_start_matches('/').to_owned());
        Ok(found.into_iter().filter_map(|one| name(one.names)).collect())
    }

    async fn remove_container(&self, name: &str) -> Result<()> {
        let options = RemoveContainerOptionsBuilder::new().force(true).v(true).build();
        gone(self.0.remove_container(name, Some(options)).await).with_context(|| format!("{name} cannot be removed"))
    }

    async fn remove_image(&self, reference: &str) -> Result<()> {
        let options = RemoveImageOptionsBuilder::new().force(true).build();
        let removed = self.0.remove_image(reference, Some(options), None).await.map(drop);
        gone(removed).with_context(|| format!("{reference} cannot be removed"))
    }
}

/// Which containers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Which {
    Running,
    All,
}

/// What was not there is gone.
fn gone(removed: Result<(), EngineError>) -> Result<(), EngineError> {
    match removed {
        Err(EngineError::DockerResponseServerError { status_code: 404, .. }) => Ok(()),
        other => other,
    }
}
