//! The secrets of environments: sealed before the transaction, shown as references alone.

use plimsoll_authority::{
    seal::{Aad, KeyScope, SealedBytes},
    secret::{ExposeSecret, SecretString},
};
use plimsoll_core::{
    Error, Result, Timestamp, ValidationError,
    environment::{SecretRef, secret_for},
    id::{EnvironmentId, TargetId, TenantId, TypedId},
    inventory::Target,
    label::Labels,
};
use plimsoll_protocol::environment::SecretInput;
use plimsoll_store::{
    Scope,
    environment::{self as rows, SealedSecret, SpentSecrets},
    resource,
};

use crate::{App, Caller};

/// The place of one value; the instant of its setting keeps an earlier one from being brought back.
fn place(id: EnvironmentId, name: &str, labels: &Labels, set_at: Timestamp) -> Result<Aad> {
    let row = format!("{}/{name}/{}", id.uuid(), rows::labels_text(labels)?);
    Ok(Aad::new("environment_secret.sealed", row, set_at.as_micros().unsigned_abs()))
}

impl App {
    /// Seals the values that a request carries.
    pub(super) async fn seal_environment_secrets(
        &self,
        caller: &Caller,
        id: EnvironmentId,
        inputs: Option<&[SecretInput]>,
    ) -> Result<Vec<SealedSecret>> {
        let given: Vec<_> =
            inputs.unwrap_or_default().iter().filter_map(|one| Some((one, one.value.as_ref()?))).collect();
        if given.is_empty() {
            return Ok(Vec::new());
        }
        let sealer = self.sealer(KeyScope::Tenant(caller.tenant())).await?;
        given
            .into_iter()
            .map(|(input, value)| {
                let place = place(id, &input.name, &input.target_labels, caller.now)?;
                Ok(SealedSecret {
                    name: input.name.clone(),
                    target_labels: input.target_labels.clone(),
                    sealed: sealer.seal(&place, value.expose().as_bytes())?.as_bytes().to_vec(),
                    set_at: caller.now,
                })
            })
            .collect()
    }

    /// The value of an environment's secret for one of its targets: of those whose labels fit, the one that
    /// asks for most.
    pub async fn environment_secret_value(
        &self,
        tenant: TenantId,
        id: EnvironmentId,
        target: TargetId,
        name: &str,
    ) -> Result<SecretString> {
        let scope = Scope::Tenant(tenant);
        let (stored, target) = self
            .store
            .read(scope, "environment_secret", move |tx| {
                Ok((rows::secrets(tx, id)?, resource::get::<Target>(tx, target)?))
            })
            .await?;
        let here = (target.name.as_str(), &target.labels);
        let one = secret_for(&stored, name, here, |one| (one.name.as_str(), &one.target_labels))?;
        let place = place(id, &one.name, &one.target_labels, one.set_at)?;
        let opened =
            self.open_sealed(KeyScope::Tenant(tenant), &place, &SealedBytes::from_bytes(one.sealed.clone())).await?;
        let text = std::str::from_utf8(opened.expose_secret())
            .map_err(|_| Error::internal_defect("a sealed secret of an environment is not text"))?;
        Ok(SecretString::from(text))
    }
}

/// The references after a request: given values raise the version, those without a value stay. A secret that
/// was removed and comes again goes on from its last version, for approvals are given for versions.
pub(super) fn refs_after(
    current: &[SecretRef],
    spent: &SpentSecrets,
    inputs: &[SecretInput],
    now: Timestamp,
) -> Result<Vec<SecretRef>> {
    let (mut refs, mut wrong) = (Vec::new(), Vec::new());
    for (index, input) in inputs.iter().enumerate() {
        let known = current.iter().find(|one| same(one, &input.name, &input.target_labels));
        let stale = input.version.is_some_and(|sent| known.map(|one| one.version) != Some(sent))
            || input.updated_at.is_some_and(|sent| known.map(|one| one.updated_at) != Some(sent));
        if stale {
            let message = "version and updatedAt can only be read; leave them out or unchanged";
            wrong.push(ValidationError::new(format!("secretRefs[{index}]"), "read_only", message));
        }
        match (known, &input.value) {
            (_, Some(_)) => refs.push(SecretRef {
                name: input.name.clone(),
                target_labels: input.target_labels.clone(),
                version: 1 + known.map_or_else(|| last(spent, input), |one| one.version),
                updated_at: now,
            }),
            (Some(one), None) => refs.push(one.clone()),
            (None, None) => {
                let message = "a new secret needs its value";
                wrong.push(ValidationError::new(format!("secretRefs[{index}].value"), "required", message));
            }
        }
    }
    if wrong.is_empty() { Ok(refs) } else { Err(Error::invalid(wrong)) }
}

fn last(spent: &SpentSecrets, input: &SecretInput) -> i64 {
    spent.get(&(input.name.clone(), input.target_labels.clone())).copied().unwrap_or_default()
}

/// The references that are no longer there.
pub(super) fn removed<'a>(before: &'a [SecretRef], after: &'a [SecretRef]) -> impl Iterator<Item = &'a SecretRef> {
    before.iter().filter(|one| !after.iter().any(|other| same(other, &one.name, &one.target_labels)))
}

fn same(one: &SecretRef, name: &str, labels: &Labels) -> bool {
    one.name == name && one.target_labels == *labels
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inputs(json: serde_json::Value) -> Vec<SecretInput> {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_value_raises_the_version_and_its_absence_keeps_the_secret() {
        let (then, now) = (Timestamp::from_seconds(1), Timestamp::from_seconds(2));
        let first =
            refs_after(&[], &SpentSecrets::new(), &inputs(serde_json::json!([{"name": "A", "value": "x"}])), then)
                .unwrap();
        assert_eq!((first[0].version, first[0].updated_at), (1, then));
        let read_back = inputs(serde_json::to_value(&first).unwrap());
        assert_eq!(refs_after(&first, &SpentSecrets::new(), &read_back, now).unwrap(), first);
        let again =
            refs_after(&first, &SpentSecrets::new(), &inputs(serde_json::json!([{"name": "A", "value": "y"}])), now)
                .unwrap();
        assert_eq!((again[0].version, again[0].updated_at), (2, now));
        assert_eq!(removed(&first, &[]).count(), 1);
        assert_eq!(removed(&first, &again).count(), 0);
    }

    #[test]
    fn a_new_secret_without_a_value_and_an_invented_version_are_refused() {
        let now = Timestamp::from_seconds(2);
        let error =
            refs_after(&[], &SpentSecrets::new(), &inputs(serde_json::json!([{"name": "A"}])), now).unwrap_err();
        assert_eq!(error.validation()[0].field, "secretRefs[0].value");
        let first =
            refs_after(&[], &SpentSecrets::new(), &inputs(serde_json::json!([{"name": "A", "value": "x"}])), now)
                .unwrap();
        let error =
            refs_after(&first, &SpentSecrets::new(), &inputs(serde_json::json!([{"name": "A", "version": 7}])), now)
                .unwrap_err();
        assert_eq!(error.validation()[0].field, "secretRefs[0]");
    }
}
