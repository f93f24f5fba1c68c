//! The connection to an engine: made when first needed, at the API version that both speak.

use std::{path::Path, sync::Arc, time::Duration};

use bollard::{
    API_DEFAULT_VERSION, Docker,
    errors::Error as EngineError,
    models::{ContainerInspectResponse, ContainerSummary},
    query_parameters::ListContainersOptions,
};
use tokio::sync::OnceCell;

use plimsoll_protocol::agent::{
    observe::EngineInfo,
    report::{TaskError, TaskErrorCode},
};

use crate::drivers::Outcome;

/// A connection; clones are the same one.
#[derive(Clone)]
pub struct Client {
    socket: String,
    connected: Arc<OnceCell<Docker>>,
}

const SOCKET: &str = "/var/run/docker.sock";
/// For one call; pulls and stops have their own.
const TIMEOUT_SECONDS: u64 = 60;
const ATTEMPTS: u32 = 25;
const PAUSE: Duration = Duration::from_millis(200);

impl Client {
    /// To the engine behind `socket`, or behind Docker's usual one.
    pub fn new(socket: Option<&str>) -> Self {
        let socket = socket.unwrap_or(SOCKET).trim_start_matches("unix://").to_owned();
        Self { socket, connected: Arc::default() }
    }

    /// The connection. An engine that is away is an error; the next call tries again.
    pub async fn get(&self) -> Outcome<Docker> {
        let connected = self.connected.get_or_try_init(|| self.connect()).await?;
        Ok(connected.clone())
    }

    /// What the engine is.
    pub async fn describe(&self) -> Outcome<EngineInfo> {
        let docker = self.get().await?;
        let version =
            docker.version().await.map_err(|cause| failed("the engine can't be asked for its version", &cause))?;
        let components = version.components.unwrap_or_default();
        let podman = components.iter().find(|component| component.name.starts_with("Podman"));
        Ok(EngineInfo {
            name: if podman.is_some() { "podman" } else { "docker" }.to_owned(),
            version: podman.map(|podman| podman.version.clone()).or(version.version).unwrap_or_default(),
            api_version: docker.client_version().to_string(),
        })
    }

    /// The containers that `options` choose.
    pub async fn list(&self, options: ListContainersOptions) -> Outcome<Vec<ContainerSummary>> {
        let docker = self.get().await?;
        let mut attempt = 1;
        loop {
            match docker.list_containers(Some(options.clone())).await {
                Ok(found) => return Ok(found),
                Err(cause) if is_passing(&cause) && attempt < ATTEMPTS => attempt += 1,
                Err(cause) => return Err(failed("the containers can't be listed", &cause)),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// One container by name or id.
    pub async fn inspect(&self, name: &str) -> Outcome<Option<ContainerInspectResponse>> {
        let docker = self.get().await?;
        let mut attempt = 1;
        loop {
            match docker.inspect_container(name, None).await {
                Ok(found) => return Ok(Some(found)),
                Err(cause) if is_absent(&cause) => return Ok(None),
                Err(cause) if is_passing(&cause) && attempt < ATTEMPTS => attempt += 1,
                Err(cause) => return Err(failed(&format!("{name} can't be looked at"), &cause)),
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Whether the engine changes the restart policy of a container that is made: Podman does since 5.1.
    pub async fn changes_restart_policies(&self) -> Outcome<bool> {
        let engine = self.describe().await?;
        Ok(engine.name != "podman" || at_least(&engine.version, (5, 1)))
    }

    async fn connect(&self) -> Outcome<Docker> {
        let away = |cause: &EngineError| {
            TaskError::new(
                TaskErrorCode::EngineUnavailable,
                format!("the engine at {} can't be used: {cause}", self.socket),
            )
            .hint("look whether it runs and whether the agent's user may use its socket")
        };
        if !Path::new(&self.socket).exists() {
            return Err(TaskError::new(
                TaskErrorCode::EngineUnavailable,
                format!("there is no engine at {}", self.socket),
            )
            .hint("start it, or name the right socket in the target's connection"));
        }
        let docker = Docker::connect_with_unix(&self.socket, TIMEOUT_SECONDS, API_DEFAULT_VERSION)
            .map_err(|cause| away(&cause))?;
        let docker = docker.with_timeout(Duration::from_secs(TIMEOUT_SECONDS));
        docker.negotiate_version().await.map_err(|cause| away(&cause))
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Client({})", self.socket)
    }
}

/// Whether a version such as `4.3.1` is the given one or a later one; one that can't be read is.
fn at_least(version: &str, wanted: (u32, u32)) -> bool {
    let mut numbers = version.split(['.', '-']).map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= wanted,
        _ => true,
    }
}

/// An engine's refusal or failure, in words.
pub fn failed(what: &str, cause: &EngineError) -> TaskError {
    let code = TaskErrorCode::EngineUnavailable;
    match cause {
        EngineError::DockerResponseServerError { message, .. } => TaskError::new(code, format!("{what}: {message}")),
        EngineError::RequestTimeoutError => {
            TaskError::new(code, format!("{what}: the engine did not answer in time")).hint("look at the engine's load")
        }
        other => TaskError::new(code, format!("{what}: {other}")).hint("look whether the engine runs"),
    }
}

/// What the engine says in its own words.
pub fn said(cause: &EngineError) -> String {
    match cause {
        EngineError::DockerResponseServerError { message, .. } => message.clone(),
        other => other.to_string(),
    }
}

/// Podman says `stopped` of a container that ended a moment ago, a word that Docker's API does not have; it
/// is `exited` when Podman has cleaned up.
const fn is_passing(cause: &EngineError) -> bool {
    matches!(cause, EngineError::JsonDataError { .. })
}

/// 404.
pub fn is_absent(cause: &EngineError) -> bool {
    status(cause) == Some(404)
}

/// 304: it is so already.
pub fn is_unchanged(cause: &EngineError) -> bool {
    status(cause) == Some(304)
}

/// 409: it is in use, or the name is taken.
pub fn is_conflict(cause: &EngineError) -> bool {
    status(cause) == Some(409)
}

fn status(cause: &EngineError) -> Option<u16> {
    match cause {
        EngineError::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        assert!(!at_least("4.3.1", (5, 1)) && !at_least("5.0.3", (5, 1)));
        assert!(at_least("5.1.0", (5, 1)) && at_least("5.10", (5, 1)) && at_least("10.0.0-rc1", (5, 1)));
        assert!(at_least("newest", (5, 1)));
    }
}
