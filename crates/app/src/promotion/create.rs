//! Asking for a promotion.

use plimsoll_core::{
    Error, ErrorCode, Result,
    actor::Actor,
    environment::Environment,
    id::EvidencePacketId,
    permission::{Permission, denied},
    promotion::{DecisionOutcome, Promotion, PromotionCommand, PromotionStatus},
    release::{self, Release},
};
use plimsoll_protocol::promotion::CreatePromotion;
use plimsoll_store::{
    Lock, Tx,
    promotion::{self as rows, PromotionRow},
    resource,
};
use serde_json::json;

use super::{
    decide::{decide, settle},
    facts::Scene,
    note,
    owner::{self, Claims},
    prepare::{Prepared, Wish, prepare},
    seal::seal_refusal,
    wake,
};
use crate::{App, Caller, Change, Notes, Reply};

impl App {
    /// Asks for a release to be brought into an environment. What can be told at once is told at once.
    pub async fn promotion_create(&self, caller: &Caller, body: CreatePromotion) -> Result<Reply> {
        check_times(caller, &body)?;
        let (owned, context) = (caller.clone(), self.context.clone());
        self.mutate(caller, move |tx, notes| {
            let release: Release = resource::get(tx, body.release_id)?;
            let environment: Environment = resource::get(tx, body.target_environment_id)?;
            owned.may_in(environment.id)?;
            check_body(tx, &owned, &body)?;
            // Who may have a component is decided among all applications there.
            tx.lock(&Lock::Environment(environment.id))?;
            tx.lock(&Lock::Application(environment.id, &release.name))?;
            let release: Release = resource::get(tx, release.id)?;
            release::promotable(&release)?;
            if let Some(open) = rows::open_of(tx, release.id, environment.id)? {
                return Err(already_open(&open));
            }
            let prepared = prepare(
                tx,
                Wish {
                    release: release.id,
                    environment: environment.id,
                    strategy: body.strategy.as_ref(),
                    variables: &body.variables,
                    override_request: body.override_request.as_ref(),
                    rules: None,
                    planned: None,
                },
            )?;
            owner::check(tx, &environment, &release.name, &owner::of_release(&release), Claims::Asked)?;
            if !body.redeploy && prepared.is_there() {
                return Err(already_deployed(&prepared));
            }
            let mut row = fresh(&owned, &body, &prepared, notes)?;
            decide(tx, &mut row, Scene::of(&prepared), notes.now(), &context)?;
            if body.fail_if_blocked && row.promotion.status == PromotionStatus::Blocked {
                return turned_away(tx, notes, row);
            }
            if !resource::try_insert(tx, &row)? {
                return Err(Error::new(
                    ErrorCode::PromotionAlreadyOpen,
                    "a promotion of this release is open there already",
                ));
            }
            supersede(tx, notes, &row, &prepared)?;
            note(notes, &row, "promotion.created")?;
            wake(tx, row.promotion.id, notes.now())?;
            Change::created("promotions", "promotion", row.promotion.id, row.promotion)
        })
        .await
    }
}

fn check_times(caller: &Caller, body: &CreatePromotion) -> Result<()> {
    if body.expires_at.is_some_and(|end| end <= caller.now) {
        return Err(Error::field("expiresAt", "range", "must lie in the future"));
    }
    if body.expires_at.zip(body.scheduled_for).is_some_and(|(end, begin)| end <= begin) {
        return Err(Error::field("expiresAt", "range", "must be after scheduledFor"));
    }
    Ok(())
}

fn check_body(tx: &mut Tx<'_>, caller: &Caller, body: &CreatePromotion) -> Result<()> {
    if let Some(source) = body.source_environment_id
        && resource::find::<Environment>(tx, source)?.is_none()
    {
        let message = format!("there is no environment with id {source}");
        return Err(Error::field("sourceEnvironmentId", "unknown_reference", message));
    }
    let place = body.target_environment_id;
    let permission = Permission::PromotionOverride;
    if body.override_request.is_some() && !caller.principal.grants.in_environment(permission, place) {
        return Err(denied(permission, Some(place)));
    }
    Ok(())
}

fn fresh(caller: &Caller, body: &CreatePromotion, prepared: &Prepared, notes: &Notes) -> Result<PromotionRow> {
    let body = body.clone();
    let promotion = Promotion {
        id: notes.id(),
        release_id: prepared.release.id,
        application: prepared.release.name.clone(),
        release_version: prepared.release.version.clone(),
        target_environment_id: prepared.environment.id,
        source_environment_id: body.source_environment_id,
        status: PromotionStatus::Evaluating,
        reason: body.reason,
        requested_by: Actor::from(&caller.principal),
        requested_at: notes.now(),
        scheduled_for: body.scheduled_for,
        expires_at: body.expires_at,
        strategy: prepared.strategy.clone(),
        variables: body.variables,
        override_request: body.override_request,
        redeploy: body.redeploy,
        plan: prepared.plan.clone(),
        subject_hash: prepared.subject.hash()?,
        decision: None,
        deployment_job_id: None,
        evidence_packet_ids: Vec::new(),
        superseded_by: None,
        held: false,
        revision: 1,
        updated_at: notes.now(),
    };
    Ok(PromotionRow {
        promotion,
        subject: prepared.subject.clone(),
        rules: prepared.rules.clone(),
        inputs: None,
        history: Vec::new(),
        subjects: Vec::new(),
        approved_at: None,
        changed_by: Vec::new(),
    })
}

/// Seals the decision that `failIfBlocked` ends the request with. The promotion itself is not kept: nothing of it
/// is left open, and the packet tells all of it.
fn turned_away(tx: &mut Tx<'_>, notes: &mut Notes, row: PromotionRow) -> Result<Change<Promotion>> {
    let packet = seal_refusal(tx, notes, &row)?;
    let error = blocked(&row, packet);
    let patch = json!({ "evidencePacketId": packet, "reason": row.promotion.reason });
    let change = Change::created("promotions", "promotion", row.promotion.id, row.promotion)?;
    Ok(change.with_patch(Some(patch)).refused(error))
}

/// In an environment that says so, a newer release takes the place of older ones that still wait.
fn supersede(tx: &mut Tx<'_>, notes: &mut Notes, row: &PromotionRow, prepared: &Prepared) -> Result<()> {
    if !prepared.environment.supersede_waiting {
        return Ok(());
    }
    for mut older in rows::waiting(tx, prepared.environment.id, &row.promotion.application)? {
        tx.lock(&Lock::Promotion(older.promotion.id))?;
        let Some(release) = resource::find_any::<Release>(tx, older.promotion.release_id)? else { continue };
        if older.promotion.id == row.promotion.id || release.sealed_at >= prepared.release.sealed_at {
            continue;
        }
        older.promotion.superseded_by = Some(row.promotion.id);
        settle(tx, notes, &mut older, PromotionCommand::Supersede)?;
    }
    Ok(())
}

fn already_open(open: &PromotionRow) -> Error {
    let one = &open.promotion;
    Error::new(
        ErrorCode::PromotionAlreadyOpen,
        format!(
            "promotion {} of this release into this environment is {}; wait for it, or cancel it first",
            one.id, one.status
        ),
    )
    .details(json!({ "promotionId": one.id, "status": one.status }))
}

fn already_deployed(prepared: &Prepared) -> Error {
    Error::new(
        ErrorCode::AlreadyDeployed,
        format!(
            "{} is what runs in {}; ask with redeploy to bring it anew",
            prepared.release.reference(),
            prepared.environment.name
        ),
    )
}

fn blocked(row: &PromotionRow, packet: EvidencePacketId) -> Error {
    let decision = row.promotion.decision.as_ref();
    let gates = decision.map(|decision| decision.gates.as_slice()).unwrap_or_default();
    let outcome = decision.map_or(DecisionOutcome::Blocked, |decision| decision.outcome);
    Error::new(
        ErrorCode::PromotionBlocked,
        "gates hold this promotion up, and it was asked for with failIfBlocked; nothing was started",
    )
    .details(json!({ "outcome": outcome, "gates": gates, "evidencePacketId": packet }))
}
