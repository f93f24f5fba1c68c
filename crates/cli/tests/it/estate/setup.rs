//! What lies in the estate: images, components, environments, targets, releases.

use plimsoll_core::Digest;
use plimsoll_testkit::Image;
use serde_json::{Value, json};

use super::{Estate, Person};

impl Estate {
    /// Pushes the demo application as `shop/<component>:<version>`, with more arguments.
    pub async fn push(&self, component: &str, version: &str, more: &[&str]) -> Digest {
        let mut words = vec!["--version", version];
        words.extend(more);
        let image = Image::of_binary(&plimsoll_demo_app::build_static().unwrap())
            .unwrap()
            .command(&words)
            .config("StopSignal", json!("SIGKILL"))
            .exposes(8080);
        image.push(&self.registry, &format!("shop/{component}"), version).await.unwrap().digest
    }

    /// The registry as an integration.
    pub async fn hub(&self, admin: &Person) -> String {
        let config = json!({ "url": self.registry.url(), "insecure": true });
        let body = json!({ "name": "hub", "typeId": "oci_registry", "config": config });
        id(&admin.post("/integrations", &body).await)
    }

    /// A component with its versions read from the registry.
    pub async fn component(&self, admin: &Person, hub: &str, name: &str, runtime: Value) -> String {
        let body = json!({
            "name": name, "registryIntegrationId": hub, "repository": format!("shop/{name}"), "runtime": runtime,
        });
        let id = id(&admin.post("/components", &body).await);
        admin.post(&format!("/components/{id}/sync-versions"), &json!({})).await;
        id
    }

    /// A sealed release of one version of each component.
    pub async fn release(&self, person: &Person, name: &str, version: &str, components: &[(&str, &str)]) -> String {
        let components: Vec<Value> =
            components.iter().map(|(name, tag)| json!({ "component": name, "tag": tag })).collect();
        let body = json!({ "name": name, "version": version, "components": components, "finalize": true });
        let made = person.post("/releases", &body).await;
        assert_eq!(made["status"], "ready", "{made}");
        id(&made)
    }

    pub async fn environment(&self, admin: &Person, mut body: Value, name: &str, before: Option<&str>) -> String {
        body["name"] = json!(name);
        body["promotesFrom"] = json!({ "environmentIds": before.into_iter().collect::<Vec<_>>() });
        id(&admin.post("/environments", &body).await)
    }

    /// A target of an agent; its agent is asked how it is.
    pub async fn target(
        &self,
        admin: &Person,
        environment: &str,
        name: &str,
        agent: &str,
        connection: Value,
    ) -> String {
        let kind = if connection.get("socket").is_some() { "docker_host" } else { "process_host" };
        let body = json!({
            "environmentId": environment, "name": name, "type": kind, "agentId": agent, "connection": connection,
        });
        let id = id(&admin.post("/targets", &body).await);
        let report = admin.post(&format!("/targets/{id}/health-check"), &json!({})).await;
        assert_eq!(report["status"], "healthy", "{report}");
        id
    }

    /// Starts of the application as (digest, pid), from the file on its host.
    pub fn starts(&self, ledger: &str) -> Vec<(String, u32)> {
        let text = std::fs::read_to_string(self.ledger(ledger)).unwrap();
        let read = |line: &str| {
            let words: Vec<&str> = line.split(' ').collect();
            assert_eq!((words.len(), words[0]), (4, "start"), "{line}");
            (words[1].to_owned(), words[3].parse().unwrap())
        };
        text.lines().map(read).collect()
    }
}

/// How the demo application runs as a process or a container: an `auto` port, a quick health check.
pub fn web(ledger: &str) -> Value {
    json!({
        "ports": [{ "container": 8080, "publish": "auto" }],
        "environment": { "LEDGER": ledger },
        "health": {
            "type": "http", "port": 8080, "path": "/health", "startPeriodSeconds": 2, "intervalSeconds": 1,
            "timeoutSeconds": 2, "retries": 2, "healthyForSeconds": 1, "deadlineSeconds": 20,
        },
        "stopGraceSeconds": 1,
    })
}

pub fn id(made: &Value) -> String {
    made["id"].as_str().unwrap_or_else(|| panic!("no id: {made}")).to_owned()
}
