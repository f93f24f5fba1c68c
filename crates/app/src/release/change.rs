//! Changing a release: a draft in everything, a sealed one in notes and labels alone; and sealing it.

use plimsoll_core::{
    Error, ErrorCode, Result,
    id::ReleaseId,
    release::{Release, ReleaseCommand, state},
};
use plimsoll_protocol::release::UpdateRelease;
use plimsoll_store::{Lock, Tx, release as rows, resource};
use serde_json::json;

use super::{
    apply_seal,
    parts::Parts,
    prepare::{Prepared, lock_components},
    store_fresh,
};
use crate::{App, Caller, Change, Notes, Reply, replace::Replace};

/// A decided change, and what it was decided on.
#[derive(Clone, Debug)]
struct Decided {
    /// As it was read.
    before: Release,
    /// As it will be, its status aside.
    after: Release,
    /// Whether its content changes, or only what is said of it.
    command: ReleaseCommand,
    parts: Parts,
    /// Present when it is sealed.
    prepared: Option<Prepared>,
}

impl App {
    /// Replaces what a draft is, changes notes and labels, seals.
    pub async fn release_update(
        &self,
        caller: &Caller,
        id: ReleaseId,
        replace: Replace<UpdateRelease>,
    ) -> Result<Reply> {
        let owned = caller.clone();
        let ask = async {
            let before = self.release_get(caller, id).await?;
            caller.check_revision(before.revision)?;
            replace.check_read_only(&before)?;
            self.decide(caller, before, &replace.body).await
        };
        let changed = self.outside(caller, ask, move |decided, tx, notes| {
            let Decided { before, after, command, parts, prepared } = decided;
            lock_components(tx, after)?;
            tx.lock(&Lock::Release(id))?;
            let current: Release = resource::get(tx, id)?;
            if current.revision != before.revision {
                return Err(changed_meanwhile(&current));
            }
            let mut next = after.clone();
            next.updated_at = notes.now();
            let by = owned.principal.user;
            let makes = *command == ReleaseCommand::Edit || prepared.is_some();
            if makes && !next.makers.contains(&by) {
                next.makers.push(by);
            }
            write(tx, notes, &mut next, parts, prepared.as_ref())?;
            Change::done("release", id, &resource::as_json(before)?, next)
        });
        Box::pin(changed).await
    }

    async fn decide(&self, caller: &Caller, before: Release, body: &UpdateRelease) -> Result<Decided> {
        let mut parts = Parts::default();
        let mut after = before.clone();
        if body.has_content() {
            let asked = body.components.clone().unwrap_or_default();
            parts = self.find_parts(caller.tenant(), asked, before.components.clone()).await?;
            after = replaced(&before, body, &parts);
        } else {
            if body.notes.is_some() {
                after.notes.clone_from(&body.notes);
            }
            if let Some(labels) = &body.labels {
                after.labels.clone_from(labels);
            }
        }
        let command = state::command_of_change(&before, &after)?;
        state::next(before.status, command)?;
        let seals = match body.status {
            Some(wanted) => state::command_for(before.status, wanted)?.is_some(),
            None => false,
        };
        let prepared = if seals { Some(self.prepare_seal(caller.tenant(), &after, &parts.fresh).await?) } else { None };
        Ok(Decided { before, after, command, parts, prepared })
    }
}

/// All writable fields as sent; what was omitted is at its default.
fn replaced(before: &Release, body: &UpdateRelease, parts: &Parts) -> Release {
    Release {
        name: body.name.clone().unwrap_or_default(),
        version: body.version.clone().unwrap_or_default(),
        components: parts.components.clone(),
        variables: body.variables.clone().unwrap_or_default(),
        notes: body.notes.clone(),
        source: body.source.clone(),
        channel: body.channel.clone(),
        labels: body.labels.clone().unwrap_or_default(),
        ..before.clone()
    }
}

fn write(
    tx: &mut Tx<'_>,
    notes: &mut Notes,
    next: &mut Release,
    parts: &Parts,
    prepared: Option<&Prepared>,
) -> Result<()> {
    store_fresh(tx, next, &parts.fresh)?;
    if let Some(prepared) = prepared {
        prepared.check(tx)?;
        apply_seal(next, prepared, notes)?;
    }
    resource::update(tx, next)?;
    rows::set_components(tx, next)?;
    notes.event("release", next.id, None, "release.updated", resource::as_json(next)?);
    if let Some(prepared) = prepared {
        rows::keep_seal(tx, next.id, prepared.digest, &prepared.sealed)?;
        notes.event("release", next.id, None, "release.sealed", json!({ "digest": prepared.digest }));
    }
    Ok(())
}

fn changed_meanwhile(current: &Release) -> Error {
    let message = format!("{} was changed by somebody else meanwhile; read it again and repeat", current.reference());
    Error::new(ErrorCode::VersionMismatch, message).details(json!({ "revision": current.revision }))
}
