//! The type `oci_registry`: its configuration and what must hold of it.

use plimsoll_core::{Error, Result, ValidationError, release::Registry};
use plimsoll_oci::RegistryConfig;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// The one secret: a password, or an access token in its place.
pub const PASSWORD: &str = "password";

/// Docker Hub's registry, as clients of the API reach it.
const DOCKER_HUB_API: &str = "registry-1.docker.io";
/// Docker Hub, as engines name it.
const DOCKER_HUB: &str = "docker.io";

/// `host[:port]`, as targets name their mirrors.
const MIRROR: &str = "^([A-Za-z0-9.-]+|\\[[0-9A-Fa-f:.]+\\])(:[0-9]{1,5})?$";

/// The configuration of an `oci_registry`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OciRegistryConfig {
    /// `https://host[:port]`: how the server reaches it.
    pub url: String,
    /// Who we are there; nobody when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Whether `url` may be plain HTTP.
    #[serde(default)]
    pub insecure: bool,
    /// Certificates in PEM that are trusted beside the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_pem: Option<String>,
    /// Mirrors (`host[:port]`) that agents may send user and password to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trusted_mirrors: Vec<String>,
}

impl OciRegistryConfig {
    /// Out of a stored configuration.
    pub fn read(config: &Map<String, Value>) -> Result<Self> {
        serde_json::from_value(Value::Object(config.clone()))
            .map_err(|cause| Error::internal_defect(format!("a stored oci_registry does not fit its type: {cause}")))
    }

    /// Whether it is reached over plain HTTP.
    #[must_use]
    pub fn is_plain_http(&self) -> bool {
        self.insecure && RegistryConfig::new(&self.url).is_ok_and(|parsed| parsed.url.scheme() == "http")
    }

    /// Whether it wants credentials.
    #[must_use]
    pub const fn is_authenticated(&self) -> bool {
        self.username.is_some()
    }

    /// `host[:port]` as an engine names the registry in a reference.
    pub fn engine_host(&self) -> Result<String> {
        let url = RegistryConfig::new(&self.url)?.url;
        let host = url.host_str().unwrap_or_default();
        Ok(match (host, url.port()) {
            (DOCKER_HUB_API, _) => DOCKER_HUB.to_owned(),
            (host, Some(port)) => format!("{host}:{port}"),
            (host, None) => host.to_owned(),
        })
    }

    /// The registry as the specs of targets name it.
    pub fn as_engines_see_it(&self) -> Result<Registry> {
        Ok(Registry {
            host: self.engine_host()?,
            insecure: self.is_plain_http(),
            authenticated: self.is_authenticated(),
            trusted_mirrors: self.trusted_mirrors.clone(),
        })
    }

    /// `repository` as an engine names it there: Docker Hub's own images stand below `library`.
    pub fn engine_repository(&self, repository: &str) -> Result<String> {
        let official = self.engine_host()? == DOCKER_HUB && !repository.contains('/');
        Ok(if official { format!("library/{repository}") } else { repository.to_owned() })
    }
}

/// The JSON Schema of the configuration.
pub(super) fn schema() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "OCI registry",
        "type": "object",
        "additionalProperties": false,
        "required": ["url"],
        "properties": {
            "url": {
                "type": "string", "minLength": 1, "maxLength": 2048,
                "title": "Address",
                "description": "https://host[:port], as this server reaches the registry. Targets may name mirrors.",
                "examples": ["https://registry.example.com", "https://ghcr.io", "docker.io"]
            },
            "username": {
                "type": "string", "minLength": 1, "maxLength": 256, "pattern": "^[^\\u0000-\\u001f\\u007f:]+$",
                "title": "User",
                "description": "A user or robot account. Without one, calls are anonymous. Needs the secret \"password\"."
            },
            "insecure": {
                "type": "boolean", "default": false,
                "title": "Plain HTTP",
                "description": "Allows an http:// address. Anyone on the way can then read and change what is sent."
            },
            "caPem": {
                "type": "string", "minLength": 1, "maxLength": 65536,
                "title": "Private CA",
                "description": "Certificates in PEM that are trusted beside the system's."
            },
            "trustedMirrors": {
                "type": "array", "maxItems": 64, "uniqueItems": true,
                "items": { "type": "string", "minLength": 1, "maxLength": 255, "pattern": MIRROR },
                "title": "Trusted mirrors",
                "description": "host[:port] of mirrors that agents may send user and password to. A target may name any mirror; from one that is not listed here its engine pulls anonymously.",
                "examples": [["mirror.local:5000"]]
            }
        }
    })
}

/// What the schema cannot say, as far as the fields are of the right type.
pub(super) fn check(config: &Map<String, Value>, secrets: &[&str]) -> Vec<ValidationError> {
    let text = |name: &str| config.get(name).and_then(Value::as_str);
    let insecure = config.get("insecure").and_then(Value::as_bool).unwrap_or_default();
    let mut wrong = Vec::new();
    match text("url").map(RegistryConfig::new) {
        Some(Err(cause)) => wrong.push(ValidationError::new("config.url", "format", cause.to_string())),
        Some(Ok(parsed)) if parsed.url.scheme() == "http" && !insecure => wrong.push(ValidationError::new(
            "config.url",
            "plain_http",
            "plain HTTP can be read and changed on the way; use https, or set insecure to true if that is meant",
        )),
        Some(Ok(_)) | None => {}
    }
    let (username, password) = (config.contains_key("username"), secrets.contains(&PASSWORD));
    if username && !password {
        let message = "a user needs a password or token; set it, or leave out username for anonymous access";
        wrong.push(ValidationError::new("secrets.password", "required", message));
    }
    if password && !username {
        let message = "a password needs its user; for a token give the account's name (or what the registry asks for)";
        wrong.push(ValidationError::new("config.username", "required", message));
    }
    if let Some(problem) = text("caPem").and_then(bad_certificates) {
        wrong.push(ValidationError::new("config.caPem", "format", problem));
    }
    wrong
}

/// Whether a text holds no certificate that can be used.
fn bad_certificates(pem: &str) -> Option<String> {
    let outbound = plimsoll_oci::OutboundConfig { ca_pem: Some(pem.to_owned()), ..Default::default() };
    plimsoll_oci::Outbound::new(outbound).err().map(|cause| cause.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::integration::types::Kind;

    fn wrong(config: Value, secrets: &[&str]) -> Vec<String> {
        let Value::Object(config) = config else { panic!("an object") };
        let mut fields: Vec<String> =
            Kind::OciRegistry.check(&config, secrets).unwrap().into_iter().map(|one| one.field).collect();
        fields.sort();
        fields
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (config, secrets, expected) in [
            (json!({"url": "https://r.example"}), vec![], vec![]),
            (json!({"url": "https://r.example", "username": "u"}), vec!["password"], vec![]),
            (json!({"url": "http://r.example", "insecure": true}), vec![], vec![]),
            (json!({}), vec![], vec!["config.url"]),
            (json!({"url": 1, "usrname": "u"}), vec!["token"], vec!["config.url", "config.usrname", "secrets.token"]),
            (json!({"url": "ftp://r.example", "colour": 1}), vec![], vec!["config.colour", "config.url"]),
            (json!({"url": ""}), vec![], vec!["config.url"]),
            (json!({"url": "http://r.example"}), vec![], vec!["config.url"]),
            (json!({"url": "https://u:p@r.example"}), vec![], vec!["config.url"]),
            (json!({"url": "https://r.example/shop"}), vec![], vec!["config.url"]),
            (json!({"url": "https://r.example", "username": "u"}), vec![], vec!["secrets.password"]),
            (json!({"url": "https://r.example"}), vec!["password"], vec!["config.username"]),
            (json!({"url": "https://r.example", "username": "a:b"}), vec!["password"], vec!["config.username"]),
            (json!({"url": "https://r.example", "caPem": "x"}), vec![], vec!["config.caPem"]),
            (
                json!({"url": "https://r.example", "trustedMirrors": ["m.local:5000", "[::1]:5000", "M"]}),
                vec![],
                vec![],
            ),
            (json!({"url": "https://r.example", "trustedMirrors": "m"}), vec![], vec!["config.trustedMirrors"]),
            (
                json!({"url": "https://r.example", "trustedMirrors": ["m", "https://m"]}),
                vec![],
                vec!["config.trustedMirrors[1]"],
            ),
            (
                json!({"url": "https://r.example", "trustedMirrors": ["m/hub"]}),
                vec![],
                vec!["config.trustedMirrors[0]"],
            ),
        ] {
            assert_eq!(wrong(config.clone(), &secrets), expected, "{config}");
        }
    }

    #[test]
    fn engines_name_docker_hub_differently() {
        for (url, repository, expected) in [
            ("https://r.example:5000", "shop/api", "r.example:5000/shop/api"),
            ("docker.io", "nginx", "docker.io/library/nginx"),
            ("https://index.docker.io/v1/", "shop/api", "docker.io/shop/api"),
            ("https://ghcr.io", "api", "ghcr.io/api"),
        ] {
            let config = OciRegistryConfig::read(json!({ "url": url }).as_object().unwrap()).unwrap();
            let named = format!("{}/{}", config.engine_host().unwrap(), config.engine_repository(repository).unwrap());
            assert_eq!(named, expected);
        }
    }
}
