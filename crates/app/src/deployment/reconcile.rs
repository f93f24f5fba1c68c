//! Settling what nobody could tell: by the digests that run.

use plimsoll_core::{Result, deployment::spec::DeploymentSpec, inventory::Target};
use plimsoll_protocol::agent::observe::{RunState, TargetObservation};
use plimsoll_store::{
    Tx,
    deployment::{self as rows, TaskRow, running, spec},
    resource,
};

use super::note_task;
use crate::Notes;

/// For each task of the target that ended `unknown`: whichever of the two sets runs whole is what the
/// target runs. The task stays `unknown`; what is known of the target becomes true.
pub(crate) fn settle(tx: &mut Tx<'_>, notes: &mut Notes, target: &mut Target, seen: &TargetObservation) -> Result<()> {
    let unsettled: Vec<TaskRow> = resource::find_where(
        tx,
        "target_id = $2 AND status = 'unknown' ORDER BY created_at DESC, id DESC LIMIT 20",
        plimsoll_store::params![target.id],
    )?;
    for row in unsettled {
        let Some(kept) = spec::find(tx, row.task.job_id, target.id)? else { continue };
        let newer = rows::newer_task(tx, target.id, &row)?;
        if newer {
            continue;
        }
        let set = [kept.spec.as_ref(), kept.previous.as_ref()].into_iter().flatten().find(|spec| runs(spec, seen));
        if let Some(spec) = set {
            running::put(tx, spec, row.task.job_id, notes.now())?;
        }
        note_task(notes, &row.task)?;
    }
    Ok(())
}

/// Whether every component of `spec` runs there by one of its digests.
fn runs(spec: &DeploymentSpec, seen: &TargetObservation) -> bool {
    spec.components.iter().all(|wanted| {
        seen.running.iter().any(|one| {
            one.application == spec.application
                && one.component == wanted.name
                && one.state == RunState::Running
                && one.image_id.as_ref().or(one.made_by_digest.as_ref()).is_some_and(|id| wanted.expected.contains(id))
        })
    })
}
