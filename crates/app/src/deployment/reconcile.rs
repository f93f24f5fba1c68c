//! Settling what nobody could tell: by the digests that run.

use plimsoll_core::{
    Result,
    deployment::{Remains, Task, TaskKind, TaskStatus, spec::DeploymentSpec},
    inventory::Target,
};
use plimsoll_protocol::agent::observe::{RunState, RunningComponent, TargetObservation};
use plimsoll_store::{
    Tx,
    deployment::{
        self as rows, TaskRow, running,
        spec::{self, JobSpec},
    },
    resource,
};

use super::{brought_by, note_task};
use crate::{Notes, sticker};

/// Whether it is known again what a target runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    /// Of every application.
    Yes,
    /// Neither the old nor the new set runs whole: somebody still works on it, or has to.
    NotYet,
}

/// For each application whose last task there ended `unknown`: whichever of the two sets runs whole is what
/// the target runs. The task stays `unknown`; what it left behind is known from now on.
pub(crate) fn settle(
    tx: &mut Tx<'_>,
    notes: &mut Notes,
    target: &mut Target,
    seen: &TargetObservation,
) -> Result<Settled> {
    let mut settled = Settled::Yes;
    for (application, row) in rows::last_tasks(tx, target.id)? {
        if row.task.status != TaskStatus::Unknown {
            continue;
        }
        let Some(kept) = spec::find(tx, row.task.job_id, target.id)? else { continue };
        let found: Vec<&RunningComponent> = seen
            .running
            .iter()
            .filter(|one| one.application == application && one.state == RunState::Running)
            .collect();
        match whole(&kept, &found) {
            None => settled = Settled::NotYet,
            Some(set) => {
                let held = seen.stickers.iter().find(|one| one.application == application);
                let brought = brought_by(&row.task, &kept).filter(|_| is_brought(&row.task, set));
                sticker::place::after_settling(tx, notes, &row.task, brought, held)?;
                note_set(tx, notes, target, row, &kept, set, &found)?;
            }
        }
    }
    Ok(settled)
}

/// One of the two sets of a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    New,
    Old,
}

/// Whether `set` is what the task was to bring.
const fn is_brought(task: &Task, set: Set) -> bool {
    match (task.kind, set) {
        (TaskKind::Forward, Set::New) | (TaskKind::Rollback, Set::Old) => true,
        (TaskKind::Forward, Set::Old) | (TaskKind::Rollback, Set::New) => false,
    }
}

/// The set that runs whole, with nothing of the other beside it.
fn whole(kept: &JobSpec, found: &[&RunningComponent]) -> Option<Set> {
    if runs(kept.spec.as_ref(), found) {
        Some(Set::New)
    } else if runs(kept.previous.as_ref(), found) {
        Some(Set::Old)
    } else {
        None
    }
}

fn runs(spec: Option<&DeploymentSpec>, found: &[&RunningComponent]) -> bool {
    let wanted = spec.map(|spec| spec.components.as_slice()).unwrap_or_default();
    let nothing_else = found.iter().all(|one| wanted.iter().any(|component| component.name == one.component));
    nothing_else
        && wanted.iter().all(|component| {
            let mut instances = found.iter().filter(|one| one.component == component.name).peekable();
            instances.peek().is_some()
                && instances.all(|one| {
                    let id = one.image_id.as_ref().or(one.made_by_digest.as_ref());
                    id.is_some_and(|id| component.expected.contains(id))
                })
        })
}

fn note_set(
    tx: &mut Tx<'_>,
    notes: &mut Notes,
    target: &mut Target,
    mut row: TaskRow,
    kept: &JobSpec,
    set: Set,
    found: &[&RunningComponent],
) -> Result<()> {
    let (here, other) = match set {
        Set::New => (kept.spec.as_ref(), kept.previous.as_ref()),
        Set::Old => (kept.previous.as_ref(), kept.spec.as_ref()),
    };
    let now = running::on_target(tx, target.id)?;
    match (here, other) {
        (Some(spec), _) if now.iter().any(|one| one.spec == *spec) => {}
        (Some(spec), _) => running::put(tx, spec, row.task.job_id, notes.now())?,
        (None, Some(gone)) => running::remove(tx, target.id, &gone.application)?,
        (None, None) => {}
    }
    let names = |spec: Option<&DeploymentSpec>, name: &str| {
        spec.is_some_and(|spec| spec.components.iter().any(|one| one.name == name))
    };
    target.endpoints.retain(|one| !names(here, &one.component) && !names(other, &one.component));
    target.endpoints.extend(found.iter().flat_map(|one| one.endpoints.iter().cloned()));
    let remains = if is_brought(&row.task, set) { Remains::Changed } else { Remains::Restored };
    if row.task.remains == Some(remains) {
        return Ok(());
    }
    row.task.remains = Some(remains);
    resource::update(tx, &mut row)?;
    note_task(notes, &row.task)
}

#[cfg(test)]
mod tests {
    use plimsoll_core::{Digest, id::TypedId as _};
    use serde_json::json;

    use super::*;

    const ID: &str = "01890a5d-ac96-774b-bcce-b302099a8057";

    /// Components with their contents.
    type Running<'a> = &'a [(&'a str, &'a str)];

    fn spec(components: &[(&str, &str)]) -> DeploymentSpec {
        let components: Vec<_> = components
            .iter()
            .map(|(name, content)| {
                let digest = Digest::of(content.as_bytes());
                json!({
                    "componentId": ID, "name": name, "versionId": ID, "tag": content, "runtime": {}, "instances": 1,
                    "image": { "integrationId": ID, "registry": "r", "repository": "x", "digest": digest },
                    "expected": { "index": digest, "manifest": digest, "config": digest }
                })
            })
            .collect();
        serde_json::from_value(json!({
            "tenantId": ID, "environmentId": ID, "targetId": ID, "application": "shop", "releaseId": ID,
            "releaseVersion": "1", "releaseDigest": Digest::of(b"r"), "components": components
        }))
        .unwrap()
    }

    fn seen(component: &str, content: &str) -> RunningComponent {
        serde_json::from_value(json!({
            "application": "shop", "component": component, "instance": 0, "name": component, "epoch": 1,
            "state": "running", "imageId": Digest::of(content.as_bytes()), "health": "healthy", "restarts": 0
        }))
        .unwrap()
    }

    #[test]
    fn only_a_whole_set_settles() {
        let kept = JobSpec {
            target: plimsoll_core::id::TargetId::from_uuid(uuid::Uuid::nil()),
            spec: Some(spec(&[("api", "a2"), ("web", "w2")])),
            previous: Some(spec(&[("api", "a1"), ("old", "o1")])),
            digest: Digest::of(b""),
        };
        let cases: &[(Running<'_>, Option<Set>)] = &[
            (&[("api", "a2"), ("web", "w2")], Some(Set::New)),
            (&[("api", "a1"), ("old", "o1")], Some(Set::Old)),
            (&[("api", "a2")], None),
            (&[("api", "a2"), ("web", "w2"), ("old", "o1")], None),
            (&[("api", "a2"), ("api", "a1"), ("web", "w2")], None),
            (&[("api", "a3"), ("web", "w2")], None),
            (&[], None),
        ];
        for (running, expected) in cases {
            let found: Vec<RunningComponent> = running.iter().map(|(name, content)| seen(name, content)).collect();
            assert_eq!(whole(&kept, &found.iter().collect::<Vec<_>>()), *expected, "{running:?}");
        }
        let first = JobSpec { previous: None, ..kept };
        assert_eq!(whole(&first, &[]), Some(Set::Old));
    }
}
