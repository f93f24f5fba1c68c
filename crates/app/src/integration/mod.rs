//! Integrations: connections to the outside world, and their types.

pub mod oci_registry;
mod probe;
mod secrets;
mod types;

use std::collections::BTreeMap;

use plimsoll_core::{
    Error, ErrorCode, Result, ValidationError,
    component::Component,
    id::IntegrationId,
    in_use::{Reference, in_use},
    integration::{Integration, IntegrationStatus, IntegrationType, SecretState},
};
use plimsoll_protocol::integration::{CreateIntegration, SecretChange, UpdateIntegration};
use plimsoll_store::{
    Lock, Tx, integration as rows,
    resource::{self, ListQuery, Listing},
    target,
};

pub use types::Kind;

use crate::{App, Caller, Change, Reply, replace::Replace};

impl App {
    /// The types there are.
    #[must_use]
    pub fn integration_type_list(&self) -> Vec<IntegrationType> {
        Kind::ALL.iter().map(|kind| kind.describe()).collect()
    }

    /// One type.
    pub fn integration_type_get(&self, type_id: &str) -> Result<IntegrationType> {
        types::in_path(type_id).map(Kind::describe)
    }

    /// Makes an integration. Nothing is called yet: its status is unknown until it is tested.
    pub async fn integration_create(&self, caller: &Caller, body: CreateIntegration) -> Result<Reply> {
        let kind = types::known(&body.type_id)?;
        let names: Vec<&str> = body.secrets.keys().map(String::as_str).collect();
        refuse(kind.check(&body.config, &names)?)?;
        let (id, now) = (self.context.id::<IntegrationId>(), caller.now);
        let sealed = self.seal_secrets(caller.tenant(), id, now, &body.secrets).await?;
        let set = sealed.iter().map(|secret| (secret.name.clone(), secrets::shown(now))).collect();
        let integration = Integration {
            id,
            name: body.name,
            type_id: body.type_id,
            config: body.config,
            secrets: secrets::states(kind.secret_fields(), &set),
            enabled: body.enabled,
            via: None,
            status: IntegrationStatus::Unknown,
            last_tested_at: None,
            labels: body.labels,
            revision: 1,
            created_at: now,
            updated_at: now,
            deleted_at: None,
        };
        self.mutate_in_tenant(caller, move |tx, notes| {
            resource::insert(tx, &integration)?;
            for secret in &sealed {
                rows::set_secret(tx, id, secret)?;
            }
            notes.event("integration", id, None, "integration.created", resource::as_json(&integration)?);
            Change::created("integrations", "integration", id, integration.clone())
        })
        .await
    }

    /// A page of integrations.
    pub async fn integration_list(&self, caller: &Caller, query: ListQuery) -> Result<Listing<Integration>> {
        self.store.list(caller.scope(), "integration_list", query).await
    }

    /// One integration.
    pub async fn integration_get(&self, caller: &Caller, id: IntegrationId) -> Result<Integration> {
        self.store.read(caller.scope(), "integration_get", move |tx| resource::get(tx, id)).await
    }

    /// Replaces an integration's writable fields. Secrets stay unless they are sent.
    pub async fn integration_update(
        &self,
        caller: &Caller,
        id: IntegrationId,
        replace: Replace<UpdateIntegration>,
    ) -> Result<Reply> {
        let read = self.integration_get(caller, id).await?;
        let kind = types::known(&read.type_id)?;
        let names = names_after(&read, &replace.body);
        let known: Vec<&str> = names.iter().map(String::as_str).collect();
        refuse(kind.check(&replace.body.config, &known)?)?;
        let (owned, now) = (caller.clone(), caller.now);
        let values = replace.body.secrets.iter().filter_map(|(name, change)| match change {
            SecretChange::Set(value) => Some((name, value)),
            SecretChange::Keep(_) | SecretChange::Remove => None,
        });
        let sealed = self.seal_secrets(caller.tenant(), id, now, values).await?;
        self.mutate_in_tenant(caller, move |tx, notes| {
            lock(tx, id)?;
            let current: Integration = resource::get(tx, id)?;
            owned.check_revision(current.revision)?;
            replace.check_read_only(&current)?;
            check_kept(&current, &replace.body)?;
            if names_after(&current, &replace.body) != names {
                return Err(changed_meanwhile());
            }
            let set = apply_secrets(tx, &current, &replace.body, &sealed)?;
            let untouched = sealed.is_empty() && set == set_of(&current) && replace.body.config == current.config;
            let mut next = Integration {
                name: replace.body.name.clone(),
                config: replace.body.config.clone(),
                secrets: secrets::states(kind.secret_fields(), &set),
                enabled: replace.body.enabled,
                labels: replace.body.labels.clone(),
                status: if untouched { current.status } else { IntegrationStatus::Unknown },
                updated_at: now,
                ..current.clone()
            };
            resource::update(tx, &mut next)?;
            notes.event("integration", id, None, "integration.updated", resource::as_json(&next)?);
            Change::done("integration", id, &resource::as_json(&current)?, next)
        })
        .await
    }

    /// Removes an integration that nothing refers to, and its secrets for good.
    pub async fn integration_delete(&self, caller: &Caller, id: IntegrationId) -> Result<Reply> {
        let owned = caller.clone();
        self.mutate_in_tenant(caller, move |tx, notes| {
            lock(tx, id)?;
            let current: Integration = resource::get(tx, id)?;
            owned.check_revision(current.revision)?;
            let references = references(tx, id)?;
            if !references.is_empty() {
                return Err(in_use("integration", &references));
            }
            resource::soft_delete(tx, &current, notes.now())?;
            rows::remove_secrets(tx, id)?;
            notes.event("integration", id, None, "integration.deleted", serde_json::json!({}));
            Ok(Change::gone("integration", id))
        })
        .await
    }
}

/// Locks an integration that is changed or removed.
fn lock(tx: &mut Tx<'_>, id: IntegrationId) -> Result<()> {
    tx.lock(&Lock::Named("integration", &id.to_string()))
}

/// Nothing is changed or removed that begins to be referred to. Many may begin at once.
pub(crate) fn refer(tx: &mut Tx<'_>, id: IntegrationId) -> Result<()> {
    tx.lock_shared(&Lock::Named("integration", &id.to_string()))
}

fn refuse(wrong: Vec<ValidationError>) -> Result<()> {
    if wrong.is_empty() { Ok(()) } else { Err(Error::invalid(wrong)) }
}

fn changed_meanwhile() -> Error {
    let message = "the integration was changed by somebody else meanwhile; read it again and repeat";
    Error::new(ErrorCode::VersionMismatch, message)
}

/// The secrets that are set.
fn set_of(integration: &Integration) -> BTreeMap<String, SecretState> {
    integration
        .secrets
        .iter()
        .filter(|(_, state)| state.set)
        .map(|(name, state)| (name.clone(), state.clone()))
        .collect()
}

/// The names of the secrets that are set after a PUT; those that the type does not know among them.
fn names_after(current: &Integration, body: &UpdateIntegration) -> Vec<String> {
    let mut set = set_of(current);
    for (name, change) in &body.secrets {
        match change {
            SecretChange::Set(_) => drop(set.insert(name.clone(), secrets::shown(current.updated_at))),
            SecretChange::Keep(_) => {}
            SecretChange::Remove => drop(set.remove(name)),
        }
    }
    set.into_keys().collect()
}

/// What a GET showed can be sent back unchanged.
fn check_kept(current: &Integration, body: &UpdateIntegration) -> Result<()> {
    let wrong = body
        .secrets
        .iter()
        .filter_map(|(name, change)| match change {
            SecretChange::Keep(state) if current.secrets.get(name) != Some(state) => Some(name),
            SecretChange::Keep(_) | SecretChange::Set(_) | SecretChange::Remove => None,
        })
        .map(|name| {
            let message = "the state of a secret can only be read; send a value, null, or leave it out";
            ValidationError::new(format!("secrets.{name}"), "read_only", message)
        });
    refuse(wrong.collect())
}

/// Writes the secrets of a PUT; answers those that are set then.
fn apply_secrets(
    tx: &mut Tx<'_>,
    current: &Integration,
    body: &UpdateIntegration,
    sealed: &[rows::SealedSecret],
) -> Result<BTreeMap<String, SecretState>> {
    let mut set = set_of(current);
    for (name, _) in body.secrets.iter().filter(|(_, change)| **change == SecretChange::Remove) {
        rows::remove_secret(tx, current.id, name)?;
        set.remove(name);
    }
    for secret in sealed {
        rows::set_secret(tx, current.id, secret)?;
        set.insert(secret.name.clone(), secrets::shown(secret.updated_at));
    }
    Ok(set)
}

/// What uses an integration.
fn references(tx: &mut Tx<'_>, id: IntegrationId) -> Result<Vec<Reference>> {
    let condition = "(registry_integration_id = $2 OR source_integration_id = $2) ORDER BY name LIMIT 100";
    let components: Vec<Component> = resource::find_where(tx, condition, &[plimsoll_store::IntoValue::into_value(id)])?;
    let components = components.into_iter().map(|one| Reference::new("component", one.id, one.name));
    let targets = target::with_mirror_of(tx, id)?.into_iter();
    Ok(components.chain(targets.map(|one| Reference::new("target", one.id, one.name))).collect())
}
