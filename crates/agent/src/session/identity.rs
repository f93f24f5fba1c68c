//! Who the agent is: its key, made on this host, what the server told it at enrolment, and its join sequence.

use std::{
    io,
    path::{Path, PathBuf},
};

use secrecy::zeroize::Zeroizing;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use url::Url;

use plimsoll_core::{Error, ErrorCode, Result, context::Context, id::AgentId};
use plimsoll_evidence::SigningKey;
use plimsoll_protocol::agent::order::{ServerKey, TargetInfo};

use crate::fs::{self as files, Access};

/// What an enrolled agent keeps about itself and its server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Identity {
    /// The server's address.
    pub server: Url,
    /// Who the agent is there.
    pub agent_id: AgentId,
    /// Its name there.
    pub name: String,
    /// Where it gets tokens.
    pub token_endpoint: Url,
    /// Whom its assertions name.
    pub assertion_audience: String,
    /// The keys that orders are signed with.
    pub server_keys: Vec<ServerKey>,
    /// The certificate that the first contact was pinned to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_sha256: Option<String>,
    /// CA certificates in PEM to be trusted instead of the system's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ca_pem: Vec<String>,
}

/// One token request, on disk before it is sent and until it is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Join {
    /// Counts from 1.
    pub seq: u64,
    /// Unique to the request.
    pub jti: String,
    /// Whether an answer came: then the next request takes the next number.
    pub answered: bool,
}

/// The agent's own files.
#[derive(Clone, Debug)]
pub struct Home {
    directory: PathBuf,
}

const MAX_BYTES: u64 = 4 * 1024 * 1024;

impl Home {
    /// In the agent's data directory, which is made when absent.
    pub fn open(directory: &Path) -> Result<Self> {
        files::make_directory(directory, Access::Public).map_err(|cause| unusable(directory, &cause))?;
        Ok(Self { directory: directory.to_owned() })
    }

    /// Who the agent is; `None` before it is enrolled.
    pub fn identity(&self) -> Result<Option<Identity>> {
        self.read("identity.json")
    }

    /// Keeps who the agent is.
    pub fn keep_identity(&self, identity: &Identity) -> Result<()> {
        self.write("identity.json", identity)
    }

    /// The agent's key; made at the first call, never to leave this host.
    pub fn key(&self) -> Result<SigningKey> {
        let path = self.directory.join("agent.key");
        let content = files::read(&path, MAX_BYTES).map_err(|cause| unusable(&path, &cause))?;
        if let Some(content) = content {
            let pem = Zeroizing::new(String::from_utf8_lossy(&content).into_owned());
            return SigningKey::from_pkcs8_pem(&pem);
        }
        let key = SigningKey::generate()?;
        files::replace(&path, key.to_pkcs8_pem()?.as_bytes(), Access::Private)
            .map_err(|cause| unusable(&path, &cause))?;
        Ok(key)
    }

    /// The join to be sent now: the one that was never answered, or the next. It is on disk when this returns.
    pub fn next_join(&self, context: &Context) -> Result<Join> {
        let last: Option<Join> = self.read("join.json")?;
        let join = match last {
            Some(open) if !open.answered => return Ok(open),
            Some(done) => Join { seq: done.seq + 1, jti: context.uuid().to_string(), answered: false },
            None => Join { seq: 1, jti: context.uuid().to_string(), answered: false },
        };
        self.write("join.json", &join)?;
        Ok(join)
    }

    /// The join was answered.
    pub fn join_answered(&self, join: Join) -> Result<()> {
        self.write("join.json", &Join { answered: true, ..join })
    }

    /// Begins the joins anew, for a new enrolment.
    pub fn forget_joins(&self) -> Result<()> {
        let path = self.directory.join("join.json");
        files::remove(&path).map_err(|cause| unusable(&path, &cause))
    }

    /// The targets that the agent served when it last heard of them.
    pub fn targets(&self) -> Result<Vec<TargetInfo>> {
        Ok(self.read("targets.json")?.unwrap_or_default())
    }

    /// Keeps them.
    pub fn keep_targets(&self, targets: &[TargetInfo]) -> Result<()> {
        self.write("targets.json", &targets)
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        let path = self.directory.join(name);
        let content = files::read(&path, MAX_BYTES).map_err(|cause| unusable(&path, &cause))?;
        content
            .map(|content| {
                serde_json::from_slice(&content)
                    .map_err(|cause| unusable(&path, &io::Error::new(io::ErrorKind::InvalidData, cause)))
            })
            .transpose()
    }

    fn write<T: Serialize>(&self, name: &str, value: &T) -> Result<()> {
        let path = self.directory.join(name);
        let text = serde_json::to_vec_pretty(value)
            .map_err(|cause| Error::internal_defect(format!("{name} can't be written: {cause}")))?;
        files::replace(&path, &text, Access::Private).map_err(|cause| unusable(&path, &cause))
    }
}

fn unusable(path: &Path, cause: &io::Error) -> Error {
    let message = format!("{} can't be used: {cause}; look at the disk's space and the file's owner", path.display());
    // Not `Unavailable`: it is this host's disk that fails, and no server.
    Error::new(ErrorCode::Internal, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_join_is_repeated_until_it_is_answered() {
        let dir = tempfile::tempdir().unwrap();
        let (home, context) = (Home::open(dir.path()).unwrap(), Context::system());
        let first = home.next_join(&context).unwrap();
        assert_eq!((first.seq, home.next_join(&context).unwrap()), (1, first.clone()));
        let after_a_kill = Home::open(dir.path()).unwrap();
        assert_eq!(after_a_kill.next_join(&context).unwrap(), first);
        after_a_kill.join_answered(first.clone()).unwrap();
        let second = home.next_join(&context).unwrap();
        assert_eq!(second.seq, 2);
        assert_ne!(second.jti, first.jti);
    }

    #[test]
    fn the_key_stays_the_same() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::open(dir.path()).unwrap();
        assert_eq!(home.key().unwrap().key_id(), home.key().unwrap().key_id());
    }
}
