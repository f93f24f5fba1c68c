//! How a container's health is judged.

use serde::{Deserialize, Serialize};

use crate::rules;

/// How health is judged, by the agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "HealthForm", into = "HealthForm")]
pub struct Health {
    /// What is asked.
    pub check: HealthCheck,
    /// Failures before this many seconds do not count.
    pub start_period_seconds: u32,
    /// Between two checks.
    pub interval_seconds: u32,
    /// For one check.
    pub timeout_seconds: u32,
    /// Failures in a row that make it unhealthy.
    pub retries: u32,
    /// How long it must stay healthy.
    pub healthy_for_seconds: u32,
    /// Not healthy by then is failed.
    pub deadline_seconds: u32,
}

/// What a health check asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HealthCheck {
    /// The engine's own verdict of the image's HEALTHCHECK.
    Docker,
    /// A GET answered with 200-399.
    Http {
        /// The container's port.
        port: u16,
        /// The path, beginning with `/`.
        path: String,
    },
    /// A connection that is accepted.
    Tcp {
        /// The container's port.
        port: u16,
    },
    /// A command in the container that exits with 0.
    Command {
        /// Program and arguments.
        command: Vec<String>,
    },
}

impl Health {
    /// A check with the usual times.
    #[must_use]
    pub const fn new(check: HealthCheck) -> Self {
        Self {
            check,
            start_period_seconds: 0,
            interval_seconds: five(),
            timeout_seconds: five(),
            retries: three(),
            healthy_for_seconds: ten(),
            deadline_seconds: three_hundred(),
        }
    }
}

/// [`Health`] on the wire: one flat object. (serde cannot refuse unknown fields beside a flattened enum.)
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(as = Health)]
struct HealthForm {
    /// What is asked.
    #[serde(rename = "type")]
    kind: HealthKind,
    /// The container's port, for `http` and `tcp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    /// For `http`: the path, beginning with `/`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    /// For `command`: program and arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    command: Option<Vec<String>>,
    /// Failures before this many seconds do not count.
    #[serde(default)]
    start_period_seconds: u32,
    /// Between two checks.
    #[serde(default = "five")]
    interval_seconds: u32,
    /// For one check.
    #[serde(default = "five")]
    timeout_seconds: u32,
    /// Failures in a row that make it unhealthy.
    #[serde(default = "three")]
    retries: u32,
    /// How long it must stay healthy.
    #[serde(default = "ten")]
    healthy_for_seconds: u32,
    /// Not healthy by then is failed.
    #[serde(default = "three_hundred")]
    deadline_seconds: u32,
}

/// The kinds of [`HealthCheck`].
#[derive(Clone, Copy, Debug, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
enum HealthKind {
    /// The engine's own verdict of the image's HEALTHCHECK.
    Docker,
    /// A GET answered with 200-399.
    Http,
    /// A connection that is accepted.
    Tcp,
    /// A command in the container that exits with 0.
    Command,
}

const fn five() -> u32 {
    5
}
const fn three() -> u32 {
    3
}
const fn ten() -> u32 {
    10
}
const fn three_hundred() -> u32 {
    300
}

impl TryFrom<HealthForm> for Health {
    type Error = &'static str;

    fn try_from(form: HealthForm) -> Result<Self, Self::Error> {
        let check = match (form.kind, form.port, form.path, form.command) {
            (HealthKind::Docker, None, None, None) => HealthCheck::Docker,
            (HealthKind::Http, Some(port), Some(path), None) => HealthCheck::Http { port, path },
            (HealthKind::Tcp, Some(port), None, None) => HealthCheck::Tcp { port },
            (HealthKind::Command, None, None, Some(command)) => HealthCheck::Command { command },
            (HealthKind::Docker, ..) => return Err("a health check of type docker has no port, path or command"),
            (HealthKind::Http, ..) => return Err("a health check of type http needs port and path, and nothing else"),
            (HealthKind::Tcp, ..) => return Err("a health check of type tcp needs port, and nothing else"),
            (HealthKind::Command, ..) => return Err("a health check of type command needs command, and nothing else"),
        };
        Ok(Self {
            check,
            start_period_seconds: form.start_period_seconds,
            interval_seconds: form.interval_seconds,
            timeout_seconds: form.timeout_seconds,
            retries: form.retries,
            healthy_for_seconds: form.healthy_for_seconds,
            deadline_seconds: form.deadline_seconds,
        })
    }
}

impl From<Health> for HealthForm {
    fn from(health: Health) -> Self {
        let (kind, port, path, command) = match health.check {
            HealthCheck::Docker => (HealthKind::Docker, None, None, None),
            HealthCheck::Http { port, path } => (HealthKind::Http, Some(port), Some(path), None),
            HealthCheck::Tcp { port } => (HealthKind::Tcp, Some(port), None, None),
            HealthCheck::Command { command } => (HealthKind::Command, None, None, Some(command)),
        };
        Self {
            kind,
            port,
            path,
            command,
            start_period_seconds: health.start_period_seconds,
            interval_seconds: health.interval_seconds,
            timeout_seconds: health.timeout_seconds,
            retries: health.retries,
            healthy_for_seconds: health.healthy_for_seconds,
            deadline_seconds: health.deadline_seconds,
        }
    }
}

impl utoipa::PartialSchema for Health {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        HealthForm::schema()
    }
}

impl utoipa::ToSchema for Health {
    fn name() -> std::borrow::Cow<'static, str> {
        "Health".into()
    }

    fn schemas(schemas: &mut Vec<(String, utoipa::openapi::RefOr<utoipa::openapi::schema::Schema>)>) {
        HealthForm::schemas(schemas);
    }
}

/// The longest times allowed, in seconds: an hour between checks, a day to become healthy.
const LONGEST: u32 = 3_600;
const LONGEST_DEADLINE: u32 = 86_400;

/// The rules on a declared health check.
pub(super) fn check(health: &Option<Health>, context: &()) -> garde::Result {
    let Some(health) = health else { return Ok(()) };
    match &health.check {
        HealthCheck::Docker => {}
        HealthCheck::Http { port, path } => {
            rules::port(port, context)?;
            rules::ensure(
                path.starts_with('/') && path.len() <= 1024 && !path.chars().any(|one| one.is_control() || one == ' '),
                "path must begin with '/', hold no spaces and be at most 1024 bytes long",
            )?;
        }
        HealthCheck::Tcp { port } => rules::port(port, context)?,
        HealthCheck::Command { command } => rules::command(&Some(command.clone()), context)?,
    }
    let positive = |seconds: u32, most: u32| (1..=most).contains(&seconds);
    rules::ensure(positive(health.interval_seconds, LONGEST), "intervalSeconds must be 1 to 3600")?;
    rules::ensure(positive(health.timeout_seconds, LONGEST), "timeoutSeconds must be 1 to 3600")?;
    rules::ensure(positive(health.retries, 1000), "retries must be 1 to 1000")?;
    rules::ensure(health.start_period_seconds <= LONGEST_DEADLINE, "startPeriodSeconds must be at most 86400")?;
    rules::ensure(health.healthy_for_seconds <= LONGEST, "healthyForSeconds must be at most 3600")?;
    rules::ensure(positive(health.deadline_seconds, LONGEST_DEADLINE), "deadlineSeconds must be 1 to 86400")?;
    rules::ensure(
        health.deadline_seconds > health.healthy_for_seconds,
        "deadlineSeconds must be more than healthyForSeconds, else it can never be met",
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_health_check_reads_back_as_written_and_refuses_what_it_does_not_know() {
        for check in [
            json!({"type": "docker"}),
            json!({"type": "http", "port": 80, "path": "/healthz"}),
            json!({"type": "tcp", "port": 80, "retries": 5}),
            json!({"type": "command", "command": ["true"], "deadlineSeconds": 60}),
        ] {
            let health: Health = serde_json::from_value(check.clone()).unwrap();
            let back = serde_json::to_value(&health).unwrap();
            for (key, value) in check.as_object().unwrap() {
                assert_eq!(&back[key], value);
            }
            assert_eq!(serde_json::from_value::<Health>(back).unwrap(), health);
        }
        for bad in [
            json!({"type": "http", "port": 80}),
            json!({"type": "tcp", "port": 80, "colour": "red"}),
            json!({"type": "ping"}),
            json!({"type": "tcp", "port": 80, "path": "/"}),
            json!({}),
        ] {
            assert!(serde_json::from_value::<Health>(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn times_that_cannot_be_met_are_refused() {
        let good = Health::new(HealthCheck::Tcp { port: 80 });
        assert!(check(&Some(good.clone()), &()).is_ok());
        assert!(check(&None, &()).is_ok());
        for bad in [
            Health { interval_seconds: 0, ..good.clone() },
            Health { retries: 0, ..good.clone() },
            Health { deadline_seconds: 10, healthy_for_seconds: 10, ..good.clone() },
            Health { check: HealthCheck::Tcp { port: 0 }, ..good.clone() },
            Health { check: HealthCheck::Http { port: 80, path: "healthz".to_owned() }, ..good.clone() },
            Health { check: HealthCheck::Command { command: vec![] }, ..good.clone() },
        ] {
            assert!(check(&Some(bad.clone()), &()).is_err(), "{bad:?}");
        }
    }
}
