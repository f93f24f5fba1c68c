//! An image's configuration blob: what it runs and where it came from.

use std::collections::BTreeMap;

use plimsoll_core::{Digest, Timestamp};
use serde::Deserialize;

use crate::manifest::or_default;

/// The configuration of an image (OCI image specification 1.1, "Image Configuration").
#[derive(Clone, Debug, Deserialize)]
pub struct ImageConfig {
    /// When it was made, as written there.
    #[serde(default)]
    pub created: Option<String>,
    /// Operating system.
    #[serde(default)]
    pub os: String,
    /// Processor architecture.
    #[serde(default)]
    pub architecture: String,
    /// Its variant.
    #[serde(default)]
    pub variant: Option<String>,
    /// How it runs.
    #[serde(default, rename = "config", deserialize_with = "or_default")]
    pub process: ImageProcess,
    /// Its layers.
    #[serde(default, deserialize_with = "or_default")]
    pub rootfs: RootFs,
}

/// The layers of an image.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct RootFs {
    /// Digest of each layer's tar, lowest first.
    #[serde(default)]
    pub diff_ids: Vec<Digest>,
}

/// What an image runs.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct ImageProcess {
    /// User, or user and group.
    #[serde(default, deserialize_with = "or_default")]
    pub user: String,
    /// Variables as `NAME=value`.
    #[serde(default, deserialize_with = "or_default")]
    pub env: Vec<String>,
    /// The program.
    #[serde(default, deserialize_with = "or_default")]
    pub entrypoint: Vec<String>,
    /// Its arguments, or the program where there is no entrypoint.
    #[serde(default, deserialize_with = "or_default")]
    pub cmd: Vec<String>,
    /// Where it starts.
    #[serde(default, deserialize_with = "or_default")]
    pub working_dir: String,
    /// Facts about the image.
    #[serde(default, deserialize_with = "or_default")]
    pub labels: BTreeMap<String, String>,
    /// Ports such as `8080/tcp`.
    #[serde(default, deserialize_with = "or_default")]
    pub exposed_ports: BTreeMap<String, serde_json::Value>,
    /// The signal that stops it.
    #[serde(default, deserialize_with = "or_default")]
    pub stop_signal: String,
}

impl ImageConfig {
    /// A label.
    #[must_use]
    pub fn label(&self, name: &str) -> Option<&str> {
        self.process.labels.get(name).map(String::as_str)
    }

    /// When it was made; none if it doesn't say so, or says Docker's zero time.
    #[must_use]
    pub fn created_at(&self) -> Option<Timestamp> {
        self.created.as_deref().and_then(instant)
    }
}

/// An RFC 3339 instant that isn't before 1970, which is how build tools write "unknown".
pub(crate) fn instant(text: &str) -> Option<Timestamp> {
    text.parse::<Timestamp>().ok().filter(|at| at.as_micros() >= 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_build_tools_write() {
        let config: ImageConfig = serde_json::from_str(
            r#"{"created":"2026-11-23T10:00:00.123456789Z","os":"linux","architecture":"arm","variant":"v7","author":"x",
                "config":{"Env":["A=1"],"Entrypoint":["/app"],"Cmd":null,"Labels":{"a":"b"},"ExposedPorts":{"80/tcp":{}}},
                "rootfs":{"type":"layers","diff_ids":[]},"history":[]}"#,
        )
        .unwrap();
        assert_eq!(config.created_at().unwrap().to_string(), "2026-11-23T10:00:00.123456Z");
        assert_eq!(config.process.entrypoint, ["/app"]);
        assert_eq!((config.label("a"), config.label("c")), (Some("b"), None));
    }

    #[test]
    fn nothing_is_fine_too() {
        let config: ImageConfig = serde_json::from_str(r#"{"created":"0001-01-01T00:00:00Z","config":null}"#).unwrap();
        assert_eq!(config.created_at(), None);
        assert_eq!(config.process.cmd, Vec::<String>::new());
    }
}
