//! Contexts: servers and sign-ins under a name, in a file that its owner alone can read.

use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder, File, OpenOptions},
    io::Write as _,
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use plimsoll_core::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{args::Connect, failure::Failure};

/// Where a server listens when nobody says so.
const DEFAULT_URL: &str = "http://127.0.0.1:8400";

/// The file `contexts.toml`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Contexts {
    /// The one in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) current: Option<String>,
    /// All of them.
    #[serde(default)]
    pub(crate) contexts: BTreeMap<String, One>,
}

/// One server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct One {
    /// Without a slash at the end.
    pub(crate) url: String,
    /// Whether changes want `--yes` in scripts.
    #[serde(default)]
    pub(crate) protected: bool,
    /// Who is signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) login: Option<Login>,
}

/// A sign-in.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Login {
    pub(crate) access_token: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) refresh_token: Option<String>,
    pub(crate) expires_at: Timestamp,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Login(until {})", self.expires_at)
    }
}

/// Which server, and as whom.
#[derive(Clone, Debug)]
pub(crate) struct Reach {
    pub(crate) url: String,
    pub(crate) credential: Credential,
    /// The context's name when it is protected and nobody said `--yes`.
    pub(crate) protected: Option<String>,
}

/// As whom.
#[derive(Clone)]
pub(crate) enum Credential {
    /// Without a token.
    Nobody,
    /// With this one.
    Token(String),
    /// As a client with a secret.
    Client { id: String, secret: String },
    /// As the person of this context.
    SignedIn { context: String },
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Nobody => "nobody",
            Self::Token(_) => "token",
            Self::Client { .. } => "client",
            Self::SignedIn { .. } => "signed in",
        })
    }
}

impl Reach {
    /// Flags and environment win over the context.
    pub(crate) fn find(connect: &Connect) -> Result<Self, Failure> {
        let contexts = Contexts::load()?;
        let name = connect.context.clone().or_else(|| contexts.current.clone());
        let one = name.as_ref().and_then(|name| contexts.contexts.get(name));
        if let (Some(asked), None) = (&connect.context, one) {
            return Err(Failure::usage(format!("there is no context {asked:?}"))
                .hint("see `plimsoll context list`, or make it with `plimsoll context set`"));
        }
        let url = connect.url.clone().or_else(|| one.map(|one| one.url.clone()));
        let url = clean(&url.unwrap_or_else(|| DEFAULT_URL.to_owned()))?;
        let same = one.is_some_and(|one| one.url == url);
        let credential =
            match (variable("PLIMSOLL_TOKEN"), variable("PLIMSOLL_CLIENT_ID"), variable("PLIMSOLL_CLIENT_SECRET")) {
                (Some(token), _, _) => Credential::Token(token),
                (None, Some(id), Some(secret)) => Credential::Client { id, secret },
                // A token goes only to the server that it was given by.
                _ => match name {
                    Some(context) if same && one.is_some_and(|one| one.login.is_some()) => {
                        Credential::SignedIn { context }
                    }
                    _ => Credential::Nobody,
                },
            };
        let protected =
            one.filter(|one| same && one.protected && !connect.yes).and(connect.context.clone().or(contexts.current));
        Ok(Self { url, credential, protected })
    }

    /// Whether another token can be had without a person.
    pub(crate) const fn renewable(&self) -> bool {
        match self.credential {
            Credential::Nobody | Credential::Token(_) => false,
            Credential::Client { .. } | Credential::SignedIn { .. } => true,
        }
    }
}

/// A URL without a slash at its end; plain HTTP beyond loopback is the person's own choice.
pub(crate) fn clean(text: &str) -> Result<String, Failure> {
    let url = url::Url::parse(text).map_err(|cause| Failure::usage(format!("{text:?} is not a URL: {cause}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host().is_none() || url.query().is_some() {
        return Err(Failure::usage(format!("{text:?} is not a server's URL, such as https://plimsoll.example.com")));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Where the file is.
pub(crate) fn path() -> Result<PathBuf, Failure> {
    let home = variable("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| variable("HOME").map(|home| Path::new(&home).join(".config")))
        .ok_or_else(|| Failure::usage("neither HOME nor XDG_CONFIG_HOME is set, so contexts have no place"))?;
    Ok(home.join("plimsoll").join("contexts.toml"))
}

/// Held while the file is read and written again; freed when dropped.
pub(crate) fn lock() -> Result<File, Failure> {
    let path = path()?.with_extension("lock");
    make_parent(&path)?;
    let told = |cause: std::io::Error| Failure::system(format!("{} cannot be locked: {cause}", path.display()));
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path).map_err(told)?;
    file.lock().map_err(told)?;
    Ok(file)
}

impl Contexts {
    /// What is there; nothing when there is no file.
    pub(crate) fn load() -> Result<Self, Failure> {
        let Ok(path) = path() else { return Ok(Self::default()) };
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(cause) => return Err(Failure::system(format!("{} cannot be read: {cause}", path.display()))),
        };
        toml::from_str(&text)
            .map_err(|cause| Failure::usage(format!("{} cannot be understood: {}", path.display(), cause.message())))
    }

    /// Replaces the file in one step.
    pub(crate) fn save(&self) -> Result<(), Failure> {
        let path = path()?;
        make_parent(&path)?;
        let told =
            |cause: &dyn std::fmt::Display| Failure::system(format!("{} cannot be written: {cause}", path.display()));
        let text = toml::to_string_pretty(self).map_err(|cause| told(&cause))?;
        let beside = path.with_extension(format!("{}.new", std::process::id()));
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&beside)
            .map_err(|cause| told(&cause))?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(|cause| told(&cause))?;
        fs::rename(&beside, &path).map_err(|cause| told(&cause))
    }
}

fn make_parent(path: &Path) -> Result<(), Failure> {
    let Some(parent) = path.parent() else { return Ok(()) };
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(parent)
        .map_err(|cause| Failure::system(format!("{} cannot be made: {cause}", parent.display())))
}
