//! Secrets for a task in hand, given to the agent that holds it, audited, never stored by it.

use plimsoll_authority::secret::ExposeSecret as _;
use plimsoll_core::{Error, Result, deployment::Task, id::IntegrationId};
use plimsoll_protocol::agent::{
    ServerFrame,
    secret::{SecretAnswer, SecretRef, SecretRequest, SecretValue},
};
use plimsoll_store::{
    deployment::{TaskRow, spec},
    resource,
};
use serde_json::json;

use super::{AgentCaller, report::held};
use crate::App;

/// Secrets in one request.
const MOST: usize = 200;

impl App {
    /// Answers the values that the task's spec refers to, and no others.
    pub(super) async fn task_secrets(&self, agent: &AgentCaller, request: SecretRequest) -> Result<Vec<ServerFrame>> {
        let (id, task_id, epoch) = (agent.id, request.task_id, request.epoch);
        let asked: Vec<SecretRef> = request.secrets.iter().take(MOST).cloned().collect();
        let names = asked.clone();
        let held = self
            .act(&agent.principal, "task_secrets", move |tx, notes| {
                let Some(row) = held(resource::find::<TaskRow>(tx, task_id)?, id, epoch) else { return Ok(None) };
                let kept = spec::find(tx, row.task.job_id, row.task.target_id)?;
                notes.audit("task_secrets_read", "task", task_id, Some(json!({ "secrets": names, "epoch": epoch })));
                Ok(kept.map(|kept| (row.task, kept)))
            })
            .await?;
        let mut values = Vec::with_capacity(asked.len());
        for wanted in asked {
            values.push(match &held {
                None => {
                    SecretAnswer::Unavailable { reason: "the task is not in this agent's hand at this epoch".into() }
                }
                Some((task, kept)) => self.secret_for(agent, task, kept, &wanted).await,
            });
        }
        Ok(vec![ServerFrame::SecretValue(SecretValue { request_id: request.request_id, task_id, epoch, values })])
    }

    async fn secret_for(
        &self,
        agent: &AgentCaller,
        task: &Task,
        kept: &spec::JobSpec,
        wanted: &SecretRef,
    ) -> SecretAnswer {
        let specs = || kept.spec.iter().chain(kept.previous.iter());
        let found = match wanted {
            SecretRef::Registry { integration_id, host } => {
                let named = specs().flat_map(|spec| &spec.components).any(|one| {
                    let image = &one.image;
                    image.authenticated && image.integration_id == *integration_id && image.registry == *host
                });
                if named { self.registry_secret(agent, *integration_id, host).await } else { Err(not_named()) }
            }
            SecretRef::Environment { name } => {
                let named = specs()
                    .flat_map(|spec| &spec.components)
                    .any(|one| one.runtime.secrets.iter().any(|secret| secret.name == *name));
                match (named, specs().next()) {
                    (true, Some(spec)) => self
                        .environment_secret_value(agent.principal.tenant, spec.environment_id, task.target_id, name)
                        .await
                        .map(|value| SecretAnswer::Text { value: value.expose_secret().to_owned() }),
                    _ => Err(not_named()),
                }
            }
        };
        match found {
            Ok(answer) => answer,
            Err(error) => {
                tracing::warn!(task = %task.id, error = ?error, "a secret could not be given");
                SecretAnswer::Unavailable { reason: error.message().to_owned() }
            }
        }
    }

    /// What was trusted when the spec was made need not be any more: the integration decides, now.
    async fn registry_secret(&self, agent: &AgentCaller, id: IntegrationId, host: &str) -> Result<SecretAnswer> {
        let Some(known) = self.registry_credentials(agent.principal.tenant, id, host).await? else {
            return Ok(SecretAnswer::Unavailable { reason: "the registry is used without credentials".into() });
        };
        Ok(SecretAnswer::Basic { username: known.username, password: known.password.expose_secret().to_owned() })
    }
}

fn not_named() -> Error {
    Error::new(plimsoll_core::ErrorCode::PermissionDenied, "the task's spec does not name this secret")
}
