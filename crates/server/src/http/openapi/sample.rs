//! Example answers, made from their schemas: every field that an answer always has, with a value that fits.

use serde_json::{Map, Value, json};

use super::ID;

/// Nothing of ours nests deeper; references count too.
const DEPTH: usize = 40;

/// Samples values of the schemas in `components`.
pub(super) struct Sampler<'a> {
    /// `#/components/schemas`.
    pub(super) components: &'a Map<String, Value>,
}

impl Sampler<'_> {
    /// A value that fits `schema`; `name` is that of its field.
    pub(super) fn of(&self, schema: &Value, name: &str) -> Value {
        self.sample(schema, name, DEPTH)
    }

    fn sample(&self, schema: &Value, name: &str, depth: usize) -> Value {
        let Some(depth) = depth.checked_sub(1) else { return Value::Null };
        if let Some(reference) = schema["$ref"].as_str() {
            let target = reference.rsplit('/').next().unwrap_or_default();
            return self.components.get(target).map_or(Value::Null, |found| self.sample(found, name, depth));
        }
        for fixed in [&schema["const"], &schema["example"], &schema["examples"][0], &schema["enum"][0]] {
            if !fixed.is_null() {
                return fixed.clone();
            }
        }
        if let Some(forms) = ["oneOf", "anyOf"].into_iter().find_map(|key| schema[key].as_array()) {
            let form = forms.iter().find(|form| form["type"] != "null");
            return form.map_or(Value::Null, |form| self.sample(form, name, depth));
        }
        if let Some(parts) = schema["allOf"].as_array() {
            let parts = parts.iter().filter_map(|part| self.sample(part, name, depth).as_object().cloned());
            return Value::Object(parts.flatten().collect());
        }
        match first_type(&schema["type"]) {
            Some("object") => self.object(schema, depth),
            Some("array") => json!([self.sample(&schema["items"], name, depth)]),
            Some("string") => string(schema, name),
            Some("integer" | "number") => json!(schema["minimum"].as_i64().unwrap_or(1).max(1)),
            Some("boolean") => json!(true),
            Some("null") => Value::Null,
            _ => json!({}),
        }
    }

    fn object(&self, schema: &Value, depth: usize) -> Value {
        let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let fields = required.map(|name| (name.to_owned(), self.sample(&schema["properties"][name], name, depth)));
        Value::Object(fields.collect())
    }
}

fn first_type(kind: &Value) -> Option<&str> {
    match kind {
        Value::Array(all) => all.iter().filter_map(Value::as_str).find(|one| *one != "null"),
        other => other.as_str(),
    }
}

fn string(schema: &Value, name: &str) -> Value {
    if let Some(pattern) = schema["pattern"].as_str()
        && pattern.contains("sha256")
    {
        return json!(format!("sha256:{}", "9f86d081884c7d65".repeat(4)));
    }
    json!(match (schema["format"].as_str(), name) {
        (Some("uuid"), _) => ID,
        (Some("date-time"), _) => "2026-01-31T22:00:00.000000Z",
        (Some("password"), _) => "a-long-random-secret",
        (_, "name") => "shop",
        (_, "version" | "releaseVersion" | "tag") => "1.4.0",
        (_, "application") => "shop",
        (_, "component") => "api",
        (_, "repository") => "shop/api",
        (_, "environment" | "environmentName") => "prod",
        (_, "target" | "targetName") => "web-1",
        (_, "timezone") => "Europe/Berlin",
        (_, "requestId") => ID,
        (_, "typeId") => "oci_registry",
        (_, "os") => "linux",
        (_, "arch" | "architecture") => "amd64",
        (_, "hostname") => "web-1.example.com",
        (_, "email") => "ada@example.com",
        (_, "address") => "10.0.0.7",
        (_, "url" | "buildUrl" | "sourceUrl") => "https://registry.example.com",
        (_, "stream") => "/api/v1/deployment-jobs/01890a5d-ac96-774b-bcce-b302099a8057/stream",
        (_, "keyId" | "publicKeyFingerprint") => "SHA256:2jmj7l5rSw0yVb/vlWAYkK/YBwk",
        (_, "publicKeyPem") => "-----BEGIN PUBLIC KEY-----\nMFkwEwYH…\n-----END PUBLIC KEY-----\n",
        (_, "action") => "release_create",
        (_, "resourceType") => "release",
        (_, "reason" | "comment" | "message" | "description" | "notes") => "why, in a sentence",
        (_, "provider") => "builtin",
        (_, "mediaType") => "application/vnd.oci.image.manifest.v1+json",
        _ => "text",
    })
}
