//! The agent's settings. Flags win over the environment, the environment over the file.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use url::{Host, Url};

use plimsoll_core::{Error, ErrorCode, Result};

/// What an agent needs to know to run.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AgentConfig {
    /// Identity, journal and what else is the agent's own.
    #[serde(default = "default_data_directory")]
    pub data_directory: PathBuf,
    /// Where targets without a `deploymentDirectory` have theirs; `deployments` in the data directory when
    /// absent. Agents of one host that may serve the same targets share it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment_directory: Option<PathBuf>,
    /// The program that has the subcommand `supervise`, and the words before it. This program when absent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub supervisor: Vec<String>,
    /// The user that processes of `process_host` run as, when the target names none and the agent is root.
    #[serde(default = "nobody")]
    pub process_uid: u32,
    /// Their group.
    #[serde(default = "nobody")]
    pub process_gid: u32,
    /// Whether a server beyond loopback may be spoken to without TLS; only for closed test networks.
    #[serde(default)]
    pub allow_plain_http: bool,
}

/// How a server is reached for the first time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnrolSettings {
    /// `https://host[:port]`.
    pub server: Url,
    /// The registration token.
    pub token: String,
    /// SHA-256 of the server's certificate or of a CA that it sends, in hexadecimal: pins the first contact.
    pub ca_sha256: Option<String>,
    /// CA certificates in PEM to be trusted instead of the system's.
    pub ca_pem: Option<String>,
    /// The name that people see; the host's when absent.
    pub name: Option<String>,
}

fn default_data_directory() -> PathBuf {
    PathBuf::from("/var/lib/plimsoll-agent")
}

const fn nobody() -> u32 {
    65534
}

impl AgentConfig {
    /// The usual settings with this data directory.
    #[must_use]
    pub fn new(data_directory: PathBuf) -> Self {
        Self {
            data_directory,
            deployment_directory: None,
            supervisor: Vec::new(),
            process_uid: nobody(),
            process_gid: nobody(),
            allow_plain_http: false,
        }
    }

    /// The usual settings for a whole host.
    #[must_use]
    pub fn usual() -> Self {
        Self::new(default_data_directory())
    }

    /// From a TOML file; unknown keys are refused.
    pub fn read(path: &Path) -> Result<Self> {
        let refuse = |what: String| Error::new(ErrorCode::ValidationFailed, format!("{}: {what}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|cause| refuse(cause.to_string()))?;
        toml::from_str(&text).map_err(|cause| refuse(cause.to_string()))
    }

    /// Where targets have their directories.
    #[must_use]
    pub fn deployments(&self) -> PathBuf {
        self.deployment_directory.clone().unwrap_or_else(|| self.data_directory.join("deployments"))
    }

    /// Refuses an address that would send tokens in the clear.
    pub fn check_server(&self, server: &Url) -> Result<()> {
        let local = match server.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        match server.scheme() {
            "https" => Ok(()),
            "http" if local || self.allow_plain_http => Ok(()),
            "http" => Err(Error::new(
                ErrorCode::ValidationFailed,
                format!("{server} is not this machine, so it must be reached by https"),
            )),
            other => {
                Err(Error::new(ErrorCode::ValidationFailed, format!("{other}: is no scheme of a server; use https")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_do_not_travel_in_the_clear() {
        let config = AgentConfig::new("/x".into());
        let check = |text: &str| config.check_server(&Url::parse(text).unwrap()).is_ok();
        assert!(check("https://plimsoll.example") && check("http://127.0.0.1:8080") && check("http://[::1]:1"));
        assert!(!check("http://plimsoll.example") && !check("http://10.0.0.1") && !check("ftp://localhost"));
    }

    #[test]
    fn an_unknown_key_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("agent.toml");
        std::fs::write(&path, "dataDirectory = \"/srv/agent\"\n").unwrap();
        assert_eq!(AgentConfig::read(&path).unwrap().deployments(), PathBuf::from("/srv/agent/deployments"));
        std::fs::write(&path, "datadir = \"/srv/agent\"\n").unwrap();
        assert!(AgentConfig::read(&path).is_err());
    }
}
