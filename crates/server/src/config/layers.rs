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

    /// Adds the file that is named, or `plimsoll.toml` in the working directory if it is there.
    pub fn file_or_found(self, named: Option<&Path>) -> Result<Self> {
        match named {
            Some(path) => self.file(path),
            None => self.found_in(Path::new("")),
        }
    }

    fn found_in(self, folder: &Path) -> Result<Self> {
        let path = folder.join(FOUND);
        if path.is_file() { self.file(&path) } else { Ok(self) }
    }

    /// Adds `PLIMSOLL_*` variables: `PLIMSOLL_DATABASE_URL` is `databaseUrl`. Those of other parts of the
    /// product are passed over; one that nothing reads is refused, since it is most likely a slip.
    pub fn environment(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Result<Self> {
        let keys: BTreeMap<String, &str> = KEYS.iter().map(|key| (variable(key), *key)).collect();
        for (name, text) in variables {
            if let Some(key) = keys.get(&name) {
                self.set(key, self.read(key, &text), Source::Environment(name));
            } else if name.starts_with(PREFIX) && !is_of_others(&name) {
                let near = nearest(&name, keys.keys().map(String::as_str));
                let text = format!(
                    "nothing reads the environment variable {name}; did you mean {near}? Unset it, or correct its name"
                );
                return Err(Error::new(ErrorCode::ValidationFailed, text));
            }
        }
        Ok(self)
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

/// Read from the working directory when no file is named.
const FOUND: &str = "plimsoll.toml";

/// What our variables begin with.
const PREFIX: &str = "PLIMSOLL_";

/// Variables of other parts of the product, or with `_` at the end what theirs begin with: the client, the agent, the demo, tests, and
/// what deployed instances are given.
const OTHERS: &[&str] = &[
    "PLIMSOLL_AGENT_",
    "PLIMSOLL_APPLICATION",
    "PLIMSOLL_CLIENT_ID",
    "PLIMSOLL_CLIENT_SECRET",
    "PLIMSOLL_COMPLETE",
    "PLIMSOLL_COMPONENT",
    "PLIMSOLL_CONFIG",
    "PLIMSOLL_CONTEXT",
    "PLIMSOLL_DEMO_",
    "PLIMSOLL_FAILPOINT",
    "PLIMSOLL_IMAGE_DIGEST",
    "PLIMSOLL_REGISTRATION_TOKEN",
    "PLIMSOLL_TESTKIT_",
    "PLIMSOLL_TOKEN",
    "PLIMSOLL_URL",
];

fn is_of_others(name: &str) -> bool {
    OTHERS.iter().any(|other| if other.ends_with('_') { name.starts_with(other) } else { name == *other })
}

/// The known name that is reached from `name` by the fewest changed letters.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> &'a str {
    known.min_by_key(|one| distance(name, one)).unwrap_or_default()
}

/// How many letters must be put in, taken out or replaced to make one text of the other.
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (index, left) in one.bytes().enumerate() {
        let mut diagonal = index;
        let mut before = index + 1;
        for (cell, right) in row.iter_mut().skip(1).zip(other.bytes()) {
            let cost = (diagonal + usize::from(left != right)).min(before + 1).min(*cell + 1);
            (diagonal, *cell, before) = (*cell, cost, cost);
        }
        if let Some(first) = row.first_mut() {
            *first = index + 1;
        }
    }
    row.last().copied().unwrap_or_default()
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
    "keepLogsDays",
    "keepArtifactsDays",
    "keepEventsDays",
    "keepAnswersDays",
    "log",
    "logFormat",
];

fn variable(key: &str) -> String {
    let mut name = String::from(PREFIX);
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
                ("PLIMSOLL_AGENT_CONFIG".to_owned(), "agent.toml".to_owned()),
                ("PLIMSOLLE".to_owned(), "not ours".to_owned()),
            ])
            .unwrap()
            .flags([("leaseSeconds", "20".to_owned()), ("outboundAllow", "10.0.0.0/8, 127.0.0.0/8".to_owned())]);
        let config = layers.build().unwrap();
        assert_eq!((config.lease_seconds, config.outbound_allow.len()), (20, 2));
        let printed = layers.print();
        assert!(printed.contains("leaseSeconds = 20 # flag"), "{printed}");
        assert!(!printed.contains("secret"), "{printed}");
    }

    #[test]
    fn a_file_in_the_working_directory_is_read_and_named() {
        let folder = tempfile::tempdir().unwrap();
        let none = Layers::defaults().unwrap().found_in(folder.path()).unwrap();
        assert_eq!(none.build().unwrap(), Config::defaults());
        std::fs::write(folder.path().join(FOUND), "leaseSeconds = 25\nkeepLogsDays = 3\n").unwrap();
        let found = Layers::defaults().unwrap().found_in(folder.path()).unwrap();
        let config = found.build().unwrap();
        assert_eq!((config.lease_seconds, config.keep_logs_days), (25, 3));
        assert!(found.print().contains("plimsoll.toml"), "{}", found.print());
        let named = folder.path().join("other.toml");
        std::fs::write(&named, "leaseSeconds = 26\n").unwrap();
        let named = Layers::defaults().unwrap().file_or_found(Some(&named)).unwrap();
        assert_eq!(named.build().unwrap().lease_seconds, 26);
    }

    #[test]
    fn a_variable_that_nothing_reads_is_refused_with_the_likely_name() {
        for (slip, meant) in [
            ("PLIMSOLL_LISTN", "PLIMSOLL_LISTEN"),
            ("PLIMSOLL_DATABASEURL", "PLIMSOLL_DATABASE_URL"),
            ("PLIMSOLL_DATA_DIR", "PLIMSOLL_DATA_DIRECTORY"),
        ] {
            let layers = Layers::defaults().unwrap().environment([(slip.to_owned(), "x".to_owned())]);
            let error = layers.unwrap_err();
            assert!(error.message().contains(slip) && error.message().contains(&format!("mean {meant}?")), "{error}");
        }
        assert_eq!((distance("", "abc"), distance("abc", "abc"), distance("kitten", "sitting")), (3, 0, 3));
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
