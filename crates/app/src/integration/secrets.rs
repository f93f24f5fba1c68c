//! Secrets of integrations: sealed before the transaction that stores them, opened at use.

use std::collections::BTreeMap;

use plimsoll_authority::{
    seal::{Aad, KeyScope, SealedBytes},
    secret::{ExposeSecret, SecretString},
};
use plimsoll_core::{
    Error, Result, Timestamp, ValidationError,
    id::{IntegrationId, TenantId},
    integration::SecretState,
};
use plimsoll_protocol::secret::SecretText;
use plimsoll_store::integration::SealedSecret;

use crate::App;

/// How a value that stands in a vault is written.
const REFERENCE: &str = "vault:";

impl App {
    /// Seals new values for their places.
    pub(super) async fn seal_secrets(
        &self,
        tenant: TenantId,
        id: IntegrationId,
        now: Timestamp,
        values: impl IntoIterator<Item = (&String, &SecretText)>,
    ) -> Result<Vec<SealedSecret>> {
        let values: Vec<(&String, &SecretText)> = values.into_iter().collect();
        if values.is_empty() {
            return Ok(Vec::new());
        }
        refuse_references(&values)?;
        let sealer = self.sealer(KeyScope::Tenant(tenant)).await?;
        values
            .into_iter()
            .map(|(name, value)| {
                let sealed = sealer.seal(&place(id, name, now), value.expose().as_bytes())?;
                Ok(SealedSecret { name: name.clone(), sealed: sealed.as_bytes().to_vec(), updated_at: now })
            })
            .collect()
    }

    /// Opens a stored secret.
    pub(crate) async fn open_secret(
        &self,
        tenant: TenantId,
        id: IntegrationId,
        secret: &SealedSecret,
    ) -> Result<SecretString> {
        let sealed = SealedBytes::from_bytes(secret.sealed.clone());
        let place = place(id, &secret.name, secret.updated_at);
        let opened = self.open_sealed(KeyScope::Tenant(tenant), &place, &sealed).await?;
        std::str::from_utf8(opened.expose_secret())
            .map(SecretString::from)
            .map_err(|_| Error::internal_defect(format!("the secret {:?} of integration {id} is no text", secret.name)))
    }
}

/// The instant makes an older value of the same secret useless.
fn place(id: IntegrationId, name: &str, at: Timestamp) -> Aad {
    Aad::new("integration_secret.sealed", format!("{id}/{name}"), at.as_micros() as u64)
}

fn refuse_references(values: &[(&String, &SecretText)]) -> Result<()> {
    let wrong: Vec<ValidationError> = values
        .iter()
        .filter(|(_, value)| value.expose().starts_with(REFERENCE))
        .map(|(name, _)| {
            let message = "references to a vault are not supported yet; give the value itself";
            ValidationError::new(format!("secrets.{name}"), "unsupported", message)
        })
        .collect();
    if wrong.is_empty() { Ok(()) } else { Err(Error::invalid(wrong)) }
}

/// What a read shows of a secret that is set.
pub(super) const fn shown(updated_at: Timestamp) -> SecretState {
    SecretState { set: true, updated_at: Some(updated_at), reference: None }
}

/// What a read shows of each secret that a type has.
pub(super) fn states(fields: &[&str], set: &BTreeMap<String, SecretState>) -> BTreeMap<String, SecretState> {
    let unset = || SecretState { set: false, updated_at: None, reference: None };
    fields.iter().map(|&name| (name.to_owned(), set.get(name).cloned().unwrap_or_else(unset))).collect()
}
