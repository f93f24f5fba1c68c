//! Approval policies. They decide about promotions, so a change of one in force needs a reason and leaves
//! a packet.

use plimsoll_core::{
    Error, Result, ValidationError,
    environment::Environment,
    id::{ApprovalPolicyId, EnvironmentId, TypedId as _},
    in_use::{Reference, in_use},
    promotion::ApprovalPolicy,
};
use plimsoll_protocol::promotion::{CreateApprovalPolicy, UpdateApprovalPolicy};
use plimsoll_store::{
    Lock, Tx,
    approval_policy::holds_in,
    environment as environments,
    resource::{self, ListQuery, Listing},
};
use serde_json::{Value, json};

use crate::{
    App, Caller, Change, Notes, Reply,
    environment::{RuleChange, reason_needed, seal_change},
    replace::Replace,
};

impl App {
    /// Makes a policy.
    pub async fn approval_policy_create(&self, caller: &Caller, body: CreateApprovalPolicy) -> Result<Reply> {
        self.may_everywhere(caller).await?;
        let owned = caller.clone();
        self.mutate(caller, move |tx, notes| {
            tx.lock(&Lock::Tenant(owned.tenant()))?;
            let policy = fresh(notes.id(), &body, notes);
            check(tx, &policy)?;
            resource::insert(tx, &policy)?;
            let (id, shown) = (policy.id, resource::as_json(&policy)?);
            let places = environments_of(tx, &policy)?;
            let change = Changed { id, name: &policy.name, before: &Value::Null, after: &shown };
            mark(tx, notes, &owned, &places, body.reason.as_deref(), change)?;
            notes.event("approval_policy", id, None, "approval_policy.created", shown);
            Change::created("approval-policies", "approval_policy", id, policy)
        })
        .await
    }

    /// A page of policies.
    pub async fn approval_policy_list(&self, caller: &Caller, query: ListQuery) -> Result<Listing<ApprovalPolicy>> {
        self.store.list(caller.scope(), "approval_policy_list", query).await
    }

    /// One policy.
    pub async fn approval_policy_get(&self, caller: &Caller, id: ApprovalPolicyId) -> Result<ApprovalPolicy> {
        self.store.read(caller.scope(), "approval_policy_get", move |tx| resource::get(tx, id)).await
    }

    /// Replaces a policy's writable fields. Open promotions keep the stricter of both.
    pub async fn approval_policy_update(
        &self,
        caller: &Caller,
        id: ApprovalPolicyId,
        replace: Replace<UpdateApprovalPolicy>,
    ) -> Result<Reply> {
        self.may_everywhere(caller).await?;
        let owned = caller.clone();
        self.mutate(caller, move |tx, notes| {
            tx.lock(&Lock::Tenant(owned.tenant()))?;
            let current: ApprovalPolicy = resource::get(tx, id)?;
            owned.check_revision(current.revision)?;
            replace.check_read_only(&current)?;
            let mut next = ApprovalPolicy {
                revision: current.revision,
                created_at: current.created_at,
                ..fresh(id, &replace.body, notes)
            };
            check(tx, &next)?;
            resource::update(tx, &mut next)?;
            let (before, after) = (resource::as_json(&current)?, resource::as_json(&next)?);
            let mut places = environments_of(tx, &current)?;
            for place in environments_of(tx, &next)? {
                if !places.iter().any(|known| known.id == place.id) {
                    places.push(place);
                }
            }
            let change = Changed { id, name: &next.name, before: &before, after: &after };
            mark(tx, notes, &owned, &places, replace.body.reason.as_deref(), change)?;
            notes.event("approval_policy", id, None, "approval_policy.updated", after);
            Change::done("approval_policy", id, &before, next)
        })
        .await
    }

    /// Removes a policy that no environment names.
    pub async fn approval_policy_delete(&self, caller: &Caller, id: ApprovalPolicyId) -> Result<Reply> {
        self.may_everywhere(caller).await?;
        let owned = caller.clone();
        self.mutate(caller, move |tx, notes| {
            tx.lock(&Lock::Tenant(owned.tenant()))?;
            let current: ApprovalPolicy = resource::get(tx, id)?;
            owned.check_revision(current.revision)?;
            let held: Vec<Reference> = environments_of(tx, &current)?
                .into_iter()
                .take(100)
                .map(|one| Reference::new("environment", one.id, one.name))
                .collect();
            if !held.is_empty() {
                return Err(in_use("approval policy", &held));
            }
            resource::soft_delete(tx, &current, notes.now())?;
            notes.event("approval_policy", id, None, "approval_policy.deleted", json!({}));
            Ok(Change::gone("approval_policy", id))
        })
        .await
    }
}

fn fresh(id: ApprovalPolicyId, body: &CreateApprovalPolicy, notes: &Notes) -> ApprovalPolicy {
    let body = body.clone();
    ApprovalPolicy {
        id,
        name: body.name,
        environment_ids: body.environment_ids,
        environment_selector: body.environment_selector,
        rules: body.rules,
        separation_of_duties: body.separation_of_duties,
        expires_after_seconds: body.expires_after_seconds,
        require_comment: body.require_comment,
        revision: 1,
        created_at: notes.now(),
        updated_at: notes.now(),
        deleted_at: None,
    }
}

fn check(tx: &mut Tx<'_>, policy: &ApprovalPolicy) -> Result<()> {
    let mut wrong = Vec::new();
    for (index, id) in policy.environment_ids.iter().enumerate() {
        if resource::find::<Environment>(tx, *id)?.is_none() {
            let message = format!("there is no environment with id {id}");
            wrong.push(ValidationError::new(format!("environmentIds[{index}]"), "unknown_reference", message));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(Error::invalid(wrong)) }
}

/// Where the policy is in force.
fn environments_of(tx: &mut Tx<'_>, policy: &ApprovalPolicy) -> Result<Vec<Environment>> {
    Ok(environments::all(tx)?.into_iter().filter(|one| holds_in(policy, one)).collect())
}

/// A policy before and after.
struct Changed<'a> {
    id: ApprovalPolicyId,
    name: &'a str,
    before: &'a Value,
    after: &'a Value,
}

/// Notes who changed what decides in these environments, from what to what, and why. Where the policy is in
/// force nowhere, nothing is to be noted.
fn mark(
    tx: &mut Tx<'_>,
    notes: &mut Notes,
    caller: &Caller,
    places: &[Environment],
    reason: Option<&str>,
    changed: Changed<'_>,
) -> Result<()> {
    if places.is_empty() {
        return Ok(());
    }
    let Changed { id, name, before, after } = changed;
    let reason = reason.ok_or_else(|| reason_needed("reason"))?;
    let change = json!({ "reason": reason, "before": before, "after": after });
    notes.audit("governance_change", "approval_policy", id, Some(change));
    let environments: Vec<EnvironmentId> = places.iter().map(|one| one.id).collect();
    let sealed = RuleChange { noun: "approval_policy", id: id.uuid(), name, reason, before, after };
    seal_change(tx, notes, caller, &environments, &sealed)
}
