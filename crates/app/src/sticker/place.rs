//! Recording what was placed, in the transaction that learns of it.

use plimsoll_core::{
    Error, Result, Timestamp,
    deployment::{DeploymentJob, JobKind, Task, TaskKind, spec::DeploymentSpec},
    evidence_packet::{StickerComponent, StickerVerification, VersionSticker},
};
use plimsoll_protocol::agent::{observe::PlacedSticker, order::TaskOrder};
use plimsoll_store::{Tx, deployment::order, resource, version_sticker as rows};
use serde_json::Value;

use crate::Notes;

/// A task succeeded: its sticker is in force, or none is.
pub(crate) fn after_success(
    tx: &mut Tx<'_>,
    notes: &mut Notes,
    task: &Task,
    application: &str,
    brought: Option<&DeploymentSpec>,
    written_at: Option<Timestamp>,
) -> Result<()> {
    rows::supersede(tx, task.target_id, application, notes.now())?;
    let (Some(spec), Some(at)) = (brought, written_at) else { return Ok(()) };
    let Some((order, envelope)) = ordered(tx, task)? else { return Ok(()) };
    put(tx, notes, task, spec, &order, envelope, at)
}

/// A target was settled by what runs there: the sticker that lies there, if it is one of ours, is in force.
pub(crate) fn after_settling(
    tx: &mut Tx<'_>,
    notes: &mut Notes,
    task: &Task,
    brought: Option<&DeploymentSpec>,
    held: Option<&PlacedSticker>,
) -> Result<()> {
    let Some(held) = held else { return Ok(()) };
    let Ok(text) = serde_json::from_str::<Value>(&held.envelope) else { return Ok(()) };
    let known = rows::latest(tx, task.target_id, &held.application)?;
    if let Some(row) = known.into_iter().find(|row| row.sticker.signature == text) {
        return if row.sticker.superseded_at.is_some() { rows::revive(tx, row, notes.now()) } else { Ok(()) };
    }
    match (brought, ordered(tx, task)?) {
        (Some(spec), Some((order, envelope))) if envelope == text => {
            put(tx, notes, task, spec, &order, envelope, notes.now())
        }
        _ => Ok(()),
    }
}

/// The sticker's text that came with the task's last order.
pub(crate) fn ordered_text(tx: &mut Tx<'_>, task: &Task) -> Result<Option<String>> {
    Ok(last_order(tx, task)?.and_then(|order| order.sticker))
}

/// The task's last order and the sticker that came with it.
fn ordered(tx: &mut Tx<'_>, task: &Task) -> Result<Option<(TaskOrder, Value)>> {
    let Some(order) = last_order(tx, task)? else { return Ok(None) };
    let Some(sticker) = &order.sticker else { return Ok(None) };
    let envelope = serde_json::from_str(sticker).map_err(|cause| unfit(&cause))?;
    Ok(Some((order, envelope)))
}

fn last_order(tx: &mut Tx<'_>, task: &Task) -> Result<Option<TaskOrder>> {
    let text = order::last_text(tx, task.id)?;
    text.map(|text| serde_json::from_str(&text).map_err(|cause| unfit(&cause))).transpose()
}

fn unfit(cause: &serde_json::Error) -> Error {
    Error::internal_defect(format!("a kept order does not fit: {cause}"))
}

fn put(
    tx: &mut Tx<'_>,
    notes: &mut Notes,
    task: &Task,
    spec: &DeploymentSpec,
    order: &TaskOrder,
    envelope: Value,
    at: Timestamp,
) -> Result<()> {
    let job: DeploymentJob = resource::get(tx, task.job_id)?;
    // What is put back was brought by an earlier promotion, and a rollback's job names the one that it undoes.
    let brought = match (job.kind, task.kind) {
        (JobKind::Deploy | JobKind::Redeploy, TaskKind::Forward) => job.promotion_id,
        (JobKind::Deploy | JobKind::Redeploy | JobKind::Rollback, TaskKind::Forward | TaskKind::Rollback) => None,
    };
    let sticker = VersionSticker {
        id: notes.id(),
        target_id: task.target_id,
        environment_id: spec.environment_id,
        application: spec.application.clone(),
        release_id: spec.release_id,
        release_version: spec.release_version.clone(),
        components: spec
            .components
            .iter()
            .map(|one| StickerComponent {
                component_id: one.component_id,
                name: one.name.clone(),
                digest: one.image.digest,
            })
            .collect(),
        promotion_id: brought,
        deployment_job_id: task.job_id,
        epoch: order.epoch,
        written_at: at,
        signature: envelope,
        observed_at: None,
        verification: StickerVerification::Unverified,
        superseded_at: None,
    };
    notes.event("version_sticker", sticker.id, None, "sticker.placed", serde_json::json!(&sticker));
    rows::place(tx, sticker, notes.now())
}
