//! Freeze windows of an environment.

use plimsoll_core::{
    Error, Result, ValidationError,
    actor::Actor,
    environment::{Exemptions, FreezeWindow, When, freeze::SHOWN},
    id::{EnvironmentId, FreezeWindowId, TypedId},
    identity::{Role, User},
};
use plimsoll_protocol::freeze_window::CreateFreezeWindow;
use plimsoll_store::{
    Lock, Tx, freeze_window as rows,
    resource::{self, ListQuery, Listing, Resource},
};
use serde_json::{Value, json};

use crate::{
    App, Caller, Change, Reply,
    environment::{RuleChange, governance_allowed, reason_needed, seal_change},
};

/// A window that begins within this time is guarded like an active one.
const IMMINENT_SECONDS: i64 = 24 * 3600;
/// The longest reason for a removal, in bytes.
const REASON: usize = 2000;

impl App {
    /// Makes a freeze window.
    pub async fn freeze_window_create(
        &self,
        caller: &Caller,
        environment: EnvironmentId,
        body: CreateFreezeWindow,
    ) -> Result<Reply> {
        let owned = caller.clone();
        self.mutate(caller, move |tx, notes| {
            tx.lock(&Lock::Environment(environment))?;
            let place: plimsoll_core::environment::Environment = resource::get(tx, environment)?;
            owned.may_in(environment)?;
            // A window that cannot be computed would freeze for ever.
            body.schedule(&place.timezone)?.around(notes.now(), SHOWN)?;
            check_exemptions(tx, &body.exemptions)?;
            let body = body.clone();
            let window = FreezeWindow {
                id: notes.id(),
                environment_id: environment,
                name: body.name,
                reason: body.reason,
                starts_at: body.starts_at,
                ends_at: body.ends_at,
                recurrence: body.recurrence,
                duration_minutes: body.duration_minutes,
                timezone: body.timezone.unwrap_or(place.timezone),
                exemptions: body.exemptions,
                active: false,
                when: When::Past,
                next_occurrences: Vec::new(),
                created_by: Actor::from(&owned.principal),
                revision: 1,
                created_at: notes.now(),
                deleted_at: None,
            };
            resource::insert(tx, &window)?;
            let window = window.seen_at(notes.now());
            let (id, seen) = (window.id, resource::as_json(&window)?);
            notes.event("freeze_window", id, Some(environment.uuid()), "freeze_window.created", seen);
            let path = format!("environments/{}/freeze-windows", environment.uuid());
            Change::created(&path, "freeze_window", id, window)
        })
        .await
    }

    /// A page of the environment's windows: past, active and coming ones.
    pub async fn freeze_window_list(
        &self,
        caller: &Caller,
        environment: EnvironmentId,
        query: ListQuery,
    ) -> Result<Listing<FreezeWindow>> {
        self.environment_get(caller, environment).await?;
        let query = query.within(&FreezeWindow::TABLE, &json!({ "environmentId": environment }))?;
        let now = caller.now;
        let query = if rows::asks_when(&query) {
            let relevant = move |tx: &mut Tx<'_>| rows::relevant(tx, environment, now);
            let windows = self.store.read(caller.scope(), "freeze_window_when", relevant).await?;
            let seen: Vec<FreezeWindow> = windows.into_iter().map(|window| window.seen_at(now)).collect();
            rows::with_when(query, &seen)?
        } else {
            query
        };
        let found: Listing<FreezeWindow> = self.store.list(caller.scope(), "freeze_window_list", query).await?;
        Ok(found.map(|window| window.seen_at(now)))
    }

    /// Removes a window. One that is active or begins within a day decides about promotions: that needs
    /// `governance:change` and a reason.
    pub async fn freeze_window_delete(
        &self,
        caller: &Caller,
        environment: EnvironmentId,
        id: FreezeWindowId,
        reason: Option<String>,
    ) -> Result<Reply> {
        if reason.as_deref().is_some_and(|text| text.len() > REASON) {
            return Err(Error::field("reason", "too_long", format!("must be at most {REASON} bytes")));
        }
        let reason = reason.filter(|text| !text.trim().is_empty());
        let owned = caller.clone();
        self.mutate(caller, move |tx, notes| {
            tx.lock(&Lock::Environment(environment))?;
            let window: FreezeWindow = resource::get(tx, id)?;
            if window.environment_id != environment {
                return Err(Error::not_found(id));
            }
            owned.may_in(environment)?;
            owned.check_revision(window.revision)?;
            // A window that can't be computed counts as active, as everywhere.
            let guarded = window.is_imminent(notes.now(), IMMINENT_SECONDS).unwrap_or(true);
            if guarded {
                governance_allowed(&owned, environment, "a freeze window that is active or begins within 24 hours")?;
                let reason = reason.as_deref().ok_or_else(|| reason_needed("reason"))?;
                let before = resource::as_json(&window)?;
                let change = json!({ "reason": reason, "before": before, "after": null });
                notes.audit("governance_change", "freeze_window", id, Some(change.clone()));
                notes.event("environment", environment, None, "environment.rules_changed", change);
                let sealed = RuleChange {
                    noun: "freeze_window",
                    id: id.uuid(),
                    name: &window.name,
                    reason,
                    before: &before,
                    after: &Value::Null,
                };
                seal_change(tx, notes, &owned, &[environment], &sealed)?;
            }
            resource::soft_delete(tx, &window, notes.now())?;
            let data = json!({ "reason": reason });
            notes.event("freeze_window", id, Some(environment.uuid()), "freeze_window.deleted", data);
            Ok(Change::gone("freeze_window", id))
        })
        .await
    }
}

/// Whoever is exempt must exist. All that is wrong is listed at once.
fn check_exemptions(tx: &mut Tx<'_>, exemptions: &Exemptions) -> Result<()> {
    let mut wrong = Vec::new();
    let absent = |field: String, what: String| ValidationError::new(field, "unknown_reference", what);
    for (index, name) in exemptions.roles.iter().enumerate() {
        let found: Vec<Role> = resource::find_where(tx, "name = $2", plimsoll_store::params![name.as_str()])?;
        if found.is_empty() {
            wrong.push(absent(format!("exemptions.roles[{index}]"), format!("there is no role {name:?}")));
        }
    }
    for (index, id) in exemptions.users.iter().enumerate() {
        if resource::find::<User>(tx, *id)?.is_none() {
            wrong.push(absent(format!("exemptions.users[{index}]"), format!("there is no user with id {id}")));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(Error::invalid(wrong)) }
}
