//! Merging the sources of configuration, weakest first: defaults, file, environment, flags.

use std::{collections::BTreeMap, fmt, path::Path};

use plimsoll_core::{Error, ErrorCode, Result};
use toml::{Table, Value};

use super::{Config, SECRET};

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Nobody set it.
    Default,
    /// The file of this name.
    File(String),
    /// The environment variable of this name.
    Environment(String),
    /// A flag.
    Flag,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "file {path}"),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag => f.write_str("flag"),
        }
    }
}

/// The merged values and their sources.
#[derive(Clone, Debug)]
pub struct Layers {
    values: Table,
    sources: BTreeMap<String, Source>,
}

impl Layers {
    /// The defaults alone.
    pub fn defaults() -> Result<Self> {
        let values = Table::try_from(Config::defaults())
            .map_err(|cause| Error::internal_defect(format!("the default configuration is not TOML: {cause}")))?;
        Ok(Self { values, sources: BTreeMap::new() })
    }

    /// Adds a file.
    pub fn file(mut self, path: &Path) -> Result<Self> {
        let refuse = |text: String| Error::new(ErrorCode::ValidationFailed, text);
        let text = std::fs::read_to_string(path)
            .map_err(|cause| refuse(format!("the configuration {} cannot be read: {cause}", path.display())))?;
        let table: Table = text
            .parse()
            .map_err(|cause| refuse(format!("the configuration {} is not TOML: {cause}", path.display())))?;
        for (key, value) in table {
            self.set(&key, value, Source::File(path.display().to_string()));
        }
        Ok(self)
    }

    /// Adds `PLIMSOLL_*` variables: `PLIMSOLL_DATABASE_URL` is `databaseUrl`. Those of other parts of the
    /// product are passed over.
    pub fn environment(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let keys: BTreeMap<String, &str> = KEYS.iter().map(|key| (variable(key), *key)).collect();
        for (name, text) in variables {
            if let Some(key) = keys.get(&name) {
                self.set(key, self.read(key, &text), Source::Environment(name));
            }
        }
        self
    }

    /// Adds flags, by key.
    pub fn flags(mut self, flags: impl IntoIterator<Item = (&'static str, String)>) -> Self {
        for (key, text) in flags {
            self.set(key, self.read(key, &text), Source::Flag);
        }
        self
    }

    /// The configuration, checked.
    pub fn build(&self) -> Result<Config> {
        let config: Config = self.values.clone().try_into().map_err(|cause: toml::de::Error| {
            Error::new(ErrorCode::ValidationFailed, format!("the configuration is wrong: {}", cause.message()))
        })?;
        config.check()?;
        Ok(config)
    }

    /// The merged configuration as TOML, each value with its source, secrets hidden.
    #[must_use]
    pub fn print(&self) -> String {
        let mut out = String::new();
        for key in KEYS {
            let source = self.sources.get(*key).unwrap_or(&Source::Default);
            match self.values.get(*key) {
                Some(_) if SECRET.contains(key) => out.push_str(&format!("{key} = \"(hidden)\" # {source}\n")),
                Some(value) => out.push_str(&format!("{key} = {value} # {source}\n")),
                None => out.push_str(&format!("# {key} is not set\n")),
            }
        }
        out
    }

    fn set(&mut self, key: &str, value: Value, source: Source) {
        self.values.insert(key.to_owned(), value);
        self.sources.insert(key.to_owned(), source);
    }

    /// Text as the type that the key has by default.
    fn read(&self, key: &str, text: &str) -> Value {
        match self.values.get(key) {
            Some(Value::Integer(_)) => text.parse().map_or_else(|_| Value::String(text.to_owned()), Value::Integer),
            Some(Value::Boolean(_)) => text.parse().map_or_else(|_| Value::String(text.to_owned()), Value::Boolean),
            Some(Value::Array(_)) => Value::Array(
                text.split(',')
                    .map(|one| Value::String(one.trim().to_owned()))
                    .filter(|one| one.as_str() != Some(""))
                    .collect(),
            ),
            _ => Value::String(text.to_owned()),
        }
    }
}

/// Every key.
const KEYS: &[&str] = &[
    "listen",
    "operatorListen",
    "allowInsecureListen",
    "publicUrl",
    "dataDirectory",
    "databaseUrl",
    "databaseConnections",
    "rootKeyFile",
    "adminPasswordFile",
    "tlsCertificate",
    "tlsKey",
    "outboundAllow",
    "allowProcessHosts",
    "heartbeatSeconds",
    "leaseSeconds",
    "otlpEndpoint",
    "log",
    "logFormat",
];

fn variable(key: &str) -> String {
    let mut name = String::from("PLIMSOLL_");
    for one in key.chars() {
        if one.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(one.to_ascii_uppercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_later_source_wins_and_is_named() {
        let layers = Layers::defaults()
            .unwrap()
            .environment([
                ("PLIMSOLL_LEASE_SECONDS".to_owned(), "30".to_owned()),
                ("PLIMSOLL_DATABASE_URL".to_owned(), "postgres://u:secret@h/d".to_owned()),
            ])
            .flags([("leaseSeconds", "20".to_owned()), ("outboundAllow", "10.0.0.0/8, 127.0.0.0/8".to_owned())]);
        let config = layers.build().unwrap();
        assert_eq!((config.lease_seconds, config.outbound_allow.len()), (20, 2));
        let printed = layers.print();
        assert!(printed.contains("leaseSeconds = 20 # flag"), "{printed}");
        assert!(!printed.contains("secret"), "{printed}");
    }

    #[test]
    fn unknown_keys_and_unsafe_listening_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plimsoll.toml");
        std::fs::write(&path, "lisen = \"127.0.0.1:1\"\n").unwrap();
        let error = Layers::defaults().unwrap().file(&path).unwrap().build().unwrap_err();
        assert!(error.message().contains("lisen"), "{error}");
        let beyond = Layers::defaults().unwrap().flags([("listen", "0.0.0.0:8400".to_owned())]);
        assert!(beyond.build().unwrap_err().message().contains("loopback"));
    }

    #[test]
    fn every_field_has_a_key() {
        let defaults = Table::try_from(Config::defaults()).unwrap();
        assert!(defaults.keys().all(|key| KEYS.contains(&key.as_str())));
    }
}
