//! What a promotion would do, without doing it.

use std::collections::BTreeMap;

use plimsoll_core::{
    Result,
    actor::Actor,
    deployment::spec::ComponentSpec,
    environment::Environment,
    id::{ComponentId, EnvironmentId},
    promotion::{ComponentChange, ComponentChangeKind, GatePreview, approval::standing, decide::evaluate},
    release::{Release, SealedRelease},
};
use plimsoll_protocol::promotion::PreviewGates;
use plimsoll_store::{Tx, deployment::running, resource};

use super::{
    facts::{self, Asked, Scene},
    owner::{self, Claims},
    prepare::{Wish, prepare},
};
use crate::{App, Caller};

impl App {
    /// The verdicts, the plan, the values and the differences, for now or for a moment to come.
    pub async fn promotion_preview_gates(&self, caller: &Caller, body: PreviewGates) -> Result<GatePreview> {
        let owned = caller.clone();
        self.store
            .read(caller.scope(), "promotion_preview_gates", move |tx| {
                let release: Release = resource::get(tx, body.release_id)?;
                let environment: Environment = resource::get(tx, body.target_environment_id)?;
                owned.may_in(environment.id)?;
                preview(tx, &owned, &body, &release)
            })
            .await
    }
}

fn preview(tx: &mut Tx<'_>, caller: &Caller, body: &PreviewGates, release: &Release) -> Result<GatePreview> {
    let wish = Wish {
        release: release.id,
        environment: body.target_environment_id,
        strategy: body.strategy.as_ref(),
        variables: &body.variables,
        override_request: None,
        rules: None,
        planned: None,
    };
    let prepared = prepare(tx, wish)?;
    owner::check(tx, &prepared.environment, &release.name, &owner::of_release(release), Claims::Asked)?;
    let at = body.at.unwrap_or(caller.now);
    let subject_hash = prepared.subject.hash()?;
    let by = Actor::from(&caller.principal);
    let asked = Asked {
        id: None,
        by: &by,
        at: caller.now,
        scheduled_for: None,
        override_request: None,
        changed_by: &[],
        subject_hash,
    };
    let inputs = facts::inputs(tx, Scene::of(&prepared), asked, at)?;
    let decision = evaluate(&inputs);
    let missing = inputs
        .approval
        .policies
        .iter()
        .flat_map(|policy| standing(policy, &inputs.approval, &subject_hash, at).rules)
        .filter(|rule| rule.given_by.len() < rule.needed as usize)
        .collect();
    let (sealed, _) = plimsoll_store::release::seal(tx, release.id)?;
    Ok(GatePreview {
        release_id: release.id,
        target_environment_id: body.target_environment_id,
        at,
        outcome: decision.outcome,
        gates: decision.gates,
        changes: changes(tx, &sealed, body.target_environment_id)?,
        plan: prepared.plan,
        subject_hash,
        variables: prepared.values,
        missing_approvals: missing,
    })
}

/// The difference between a release and what runs of its application. Where targets differ, the newest
/// that came speaks for the component.
pub(super) fn changes(
    tx: &mut Tx<'_>,
    sealed: &SealedRelease,
    environment: EnvironmentId,
) -> Result<Vec<ComponentChange>> {
    let mut runs: BTreeMap<ComponentId, ComponentSpec> = BTreeMap::new();
    let mut rows = running::of_application(tx, environment, &sealed.name)?;
    rows.sort_by_key(|one| one.since);
    for row in rows {
        runs.extend(row.spec.components.into_iter().map(|one| (one.component_id, one)));
    }
    let mut found: Vec<ComponentChange> = sealed
        .components
        .iter()
        .map(|new| {
            let old = runs.remove(&new.component_id);
            ComponentChange {
                component_id: new.component_id,
                name: new.component.clone(),
                change: match &old {
                    None => ComponentChangeKind::Added,
                    Some(old) if old.image.digest == new.digest => ComponentChangeKind::Unchanged,
                    Some(_) => ComponentChangeKind::Changed,
                },
                from_tag: old.as_ref().map(|old| old.tag.clone()),
                from_digest: old.as_ref().map(|old| old.image.digest),
                to_tag: Some(new.tag.clone()),
                to_digest: Some(new.digest),
            }
        })
        .collect();
    found.extend(runs.into_values().map(|old| ComponentChange {
        component_id: old.component_id,
        name: old.name,
        change: ComponentChangeKind::Removed,
        from_tag: Some(old.tag),
        from_digest: Some(old.image.digest),
        to_tag: None,
        to_digest: None,
    }));
    Ok(found)
}
