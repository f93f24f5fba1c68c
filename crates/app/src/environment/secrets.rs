//! The secrets of environments: sealed before the transaction, shown as references alone.

use plimsoll_authority::{
    seal::{Aad, KeyScope, SealedBytes},
    secret::{ExposeSecret, SecretString},
};
use plimsoll_core::{
    Error, ErrorCode, Result, Timestamp, ValidationError,
    environment::SecretRef,
    id::{EnvironmentId, TargetId, TenantId, TypedId},
    inventory::Target,
    label::Labels,
};
use plimsoll_protocol::environment::SecretInput;
use plimsoll_store::{
    Scope,
    environment::{self as rows, SealedSecret},
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
        let one = best(stored, name, &target.labels).ok_or_else(|| {
            let message = format!("the environment has no secret {name:?} for target {:?}; set it there", target.name);
            Error::new(ErrorCode::UnknownReference, message)
        })?;
        let place = place(id, &one.name, &one.target_labels, one.set_at)?;
        let opened = self.open_sealed(KeyScope::Tenant(tenant), &place, &SealedBytes::from_bytes(one.sealed)).await?;
        let text = std::str::from_utf8(opened.expose_secret())
            .map_err(|_| Error::internal_defect("a sealed secret of an environment is not text"))?;
        Ok(SecretString::from(text))
    }
}

fn best(stored: Vec<SealedSecret>, name: &str, target: &Labels) -> Option<SealedSecret> {
    let fits = |one: &SealedSecret| one.target_labels.iter().all(|(key, value)| target.get(key) == Some(value));
    stored.into_iter().filter(|one| one.name == name && fits(one)).max_by_key(|one| one.target_labels.len())
}

/// The references after a request: given values raise the version, those without a value stay.
pub(super) fn refs_after(current: &[SecretRef], inputs: &[SecretInput], now: Timestamp) -> Result<Vec<SecretRef>> {
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
                version: known.map_or(1, |one| one.version + 1),
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
        let first = refs_after(&[], &inputs(serde_json::json!([{"name": "A", "value": "x"}])), then).unwrap();
        assert_eq!((first[0].version, first[0].updated_at), (1, then));
        let read_back = inputs(serde_json::to_value(&first).unwrap());
        assert_eq!(refs_after(&first, &read_back, now).unwrap(), first);
        let again = refs_after(&first, &inputs(serde_json::json!([{"name": "A", "value": "y"}])), now).unwrap();
        assert_eq!((again[0].version, again[0].updated_at), (2, now));
        assert_eq!(removed(&first, &[]).count(), 1);
        assert_eq!(removed(&first, &again).count(), 0);
    }

    #[test]
    fn a_new_secret_without_a_value_and_an_invented_version_are_refused() {
        let now = Timestamp::from_seconds(2);
        let error = refs_after(&[], &inputs(serde_json::json!([{"name": "A"}])), now).unwrap_err();
        assert_eq!(error.validation()[0].field, "secretRefs[0].value");
        let first = refs_after(&[], &inputs(serde_json::json!([{"name": "A", "value": "x"}])), now).unwrap();
        let error = refs_after(&first, &inputs(serde_json::json!([{"name": "A", "version": 7}])), now).unwrap_err();
        assert_eq!(error.validation()[0].field, "secretRefs[0]");
    }

    #[test]
    fn the_secret_with_most_labels_wins() {
        let labels = |json| serde_json::from_value::<Labels>(json).unwrap();
        let one = |target_labels: Labels, byte| SealedSecret {
            name: "A".to_owned(),
            target_labels,
            sealed: vec![byte],
            set_at: Timestamp::from_seconds(1),
        };
        let stored = vec![one(Labels::new(), 0), one(labels(serde_json::json!({"zone": "a"})), 1)];
        let chosen = |zone| best(stored.clone(), "A", &labels(serde_json::json!({ "zone": zone }))).unwrap().sealed;
        assert_eq!((chosen("a"), chosen("b")), (vec![1], vec![0]));
        assert!(best(stored, "B", &Labels::new()).is_none());
    }
}
