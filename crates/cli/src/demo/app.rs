//! The application that the demo releases: a static program, carried in this one, in images of one layer.

use anyhow::{Result, ensure};
use bytes::Bytes;
use serde_json::{Value, json};

use super::{
    parts::registry::Health,
    registry::ImageSpec,
    targets::{Kind, LEDGER_MOUNT},
};

/// Empty where it could not be built; then [`PROBLEM`] says why.
static PROGRAM: &[u8] = include_bytes!(env!("PLIMSOLL_DEMO_APP"));
const PROBLEM: &str = env!("PLIMSOLL_DEMO_APP_PROBLEM");
/// Where it listens in a container.
const PORT: u16 = 8080;

/// An error that says what is missing when this program carries no application.
pub(crate) fn ensure_there() -> Result<()> {
    ensure!(!PROGRAM.is_empty(), "this build of plimsoll carries no demo application: {PROBLEM}");
    Ok(())
}

/// Where a component's images lie in the demo's registry.
pub(crate) fn repository(component: &str) -> String {
    format!("shop/{component}")
}

/// A component's image, whose application shows `version`.
pub(crate) fn image(component: &str, version: &str, health: Health) -> Result<ImageSpec> {
    ensure_there()?;
    let mut spec = ImageSpec::of_program("demo-app", Bytes::from_static(PROGRAM));
    spec.cmd = vec!["--version".to_owned(), version.to_owned()];
    match health {
        Health::Good => {}
        Health::Bad => spec.cmd.push("--unhealthy".to_owned()),
    }
    spec.labels.insert("org.opencontainers.image.title".to_owned(), component.to_owned());
    spec.labels.insert("org.opencontainers.image.version".to_owned(), version.to_owned());
    Ok(spec)
}

/// How a component runs: a free port of the host, a health check whose first good answer is enough, a ledger of
/// its starts on the host.
pub(crate) fn runtime(kind: &Kind, ledgers: &std::path::Path) -> Value {
    let mut runtime = json!({
        "ports": [{ "container": PORT, "publish": "auto" }],
        "health": {
            "type": "http", "port": PORT, "path": "/health", "startPeriodSeconds": 2, "intervalSeconds": 1,
            "timeoutSeconds": 2, "retries": 2, "healthyForSeconds": 0, "deadlineSeconds": 30,
        },
        "stopGraceSeconds": 1,
    });
    let place = match kind {
        Kind::Processes => ledgers.display().to_string(),
        Kind::Containers { .. } => {
            runtime["volumes"] = json!([{ "source": ledgers.display().to_string(), "target": LEDGER_MOUNT }]);
            LEDGER_MOUNT.to_owned()
        }
    };
    runtime["environment"] = json!({ "LEDGER": format!("{place}/${{{{ target.name }}}}") });
    runtime
}
