//! Deciding: rows are read anew, every gate is looked at, and what may start is started, all in one
//! transaction.

use std::sync::Arc;

use plimsoll_core::{
    Error, Result, Timestamp,
    context::Context,
    deployment::JobKind,
    environment::Environment,
    error::ErrorKind,
    id::PromotionId,
    promotion::{
        Decision, DecisionOutcome, PromotionCommand, PromotionStatus, SubjectChange, Unprepared, decide::evaluate_timed,
    },
    release::Release,
};
use plimsoll_store::{
    Lock, Scope, SystemReason, Tx,
    promotion::{EarlierSubject, PromotionRow},
    resource, work,
};

use super::{
    PROMOTION_WORK,
    facts::{self, Asked, Scene},
    owner::{self, Claims},
    prepare::{Prepared, Wish, prepare, rules_now},
    save,
    seal::seal_decision,
    turn::is_its_turn,
};
use crate::{
    App, Notes,
    deployment::{
        advance::system,
        create::{NewJob, create_job},
    },
    tasks::Progress,
};

/// Seconds for which a replica holds a promotion while it looks at it.
const CLAIM_SECONDS: i64 = 10;
/// Promotions claimed at once.
const CLAIMED: u32 = 16;
/// An open promotion is looked at this often: whatever its gates look at may have changed.
const AGAIN_SECONDS: i64 = 5;
/// Evaluations with other verdicts that are kept.
const HISTORY: usize = 100;
/// Things that were to be approved that are kept.
const SUBJECTS: usize = 16;

/// One step of the background loop: whatever promotions are due.
pub async fn step(app: Arc<App>) -> Result<Progress> {
    let (owner, now) = (app.replica.clone(), app.context.now());
    let mut due = app
        .store
        .write(Scope::System(SystemReason::Claim), "promotion_claim", move |tx| {
            work::claim(tx, PROMOTION_WORK, &owner, now, CLAIM_SECONDS, CLAIMED)
        })
        .await?;
    let found = !due.is_empty();
    // Ids rise with time: of two that may start at the same instant, the one that was asked for first does.
    due.sort_by(|a, b| a.subject.cmp(&b.subject));
    for claimed in due {
        let id: PromotionId = claimed.subject.parse()?;
        let context = app.context.clone();
        let looked =
            app.act(&system(claimed.tenant), "promotion_decide", move |tx, notes| look(tx, notes, id, &context)).await;
        let again = app.context.now().plus_seconds(AGAIN_SECONDS);
        let later = match looked {
            Ok(Look::Again) => Some(again),
            Ok(Look::Done) => None,
            Err(error) => {
                tracing::warn!(promotion = %id, error = ?error, "a promotion could not be decided; it will be tried again");
                Some(again)
            }
        };
        let (subject, epoch) = (claimed.subject.clone(), claimed.epoch);
        app.store
            .write(Scope::Tenant(claimed.tenant), "promotion_release", move |tx| match later {
                None => work::finish(tx, PROMOTION_WORK, &subject, epoch),
                Some(at) => work::postpone(tx, PROMOTION_WORK, &subject, epoch, at),
            })
            .await?;
    }
    Ok(if found { Progress::More } else { Progress::Idle })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    Again,
    Done,
}

/// Decides about one promotion and starts it when it may.
fn look(tx: &mut Tx<'_>, notes: &mut Notes, id: PromotionId, context: &Context) -> Result<Look> {
    let Some(known) = resource::find::<PromotionRow>(tx, id)? else { return Ok(Look::Done) };
    let environment = known.promotion.target_environment_id;
    // An exclusive environment is one queue for all applications.
    tx.lock(&Lock::Environment(environment))?;
    tx.lock(&Lock::Application(environment, &known.promotion.application))?;
    tx.lock(&Lock::Promotion(id))?;
    let Some(mut row) = resource::find::<PromotionRow>(tx, id)? else { return Ok(Look::Done) };
    if !row.promotion.status.is_open() {
        return Ok(Look::Done);
    }
    if row.promotion.expires_at.is_some_and(|at| at <= notes.now()) {
        settle(tx, notes, &mut row, PromotionCommand::Expire)?;
        return Ok(Look::Done);
    }
    let Some(prepared) = evaluate(tx, notes, &mut row, context)? else { return Ok(Look::Again) };
    if row.promotion.status != PromotionStatus::Approved
        || row.promotion.held
        || !is_its_turn(tx, &row, &prepared.environment)?
    {
        return Ok(Look::Again);
    }
    start(tx, notes, &mut row, prepared)?;
    Ok(Look::Done)
}

/// Looks at every gate anew and writes what became of it. `None`: it could not even be prepared, which
/// blocks it.
pub(super) fn evaluate(
    tx: &mut Tx<'_>,
    notes: &mut Notes,
    row: &mut PromotionRow,
    context: &Context,
) -> Result<Option<Prepared>> {
    let before = row.clone();
    let one = &row.promotion;
    let wish = Wish {
        release: one.release_id,
        environment: one.target_environment_id,
        strategy: Some(&one.strategy),
        variables: &one.variables,
        override_request: one.override_request.as_ref(),
        rules: Some(&row.rules),
        planned: Some(&one.plan),
    };
    match possible(tx, wish) {
        Ok(prepared) => {
            renew(row, &prepared, notes.now())?;
            // The same targets with the same components; who is away by now is seen.
            row.promotion.plan = prepared.plan.clone();
            decide(tx, row, Scene::of(&prepared), notes.now(), context)?;
            write(tx, notes, &before, row)?;
            Ok(Some(prepared))
        }
        Err(error) if is_content(&error) => {
            unprepared(tx, row, &error, notes.now(), context)?;
            write(tx, notes, &before, row)?;
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Looks at every gate and takes the decision over, with all that it was made from.
pub(super) fn decide(
    tx: &mut Tx<'_>,
    row: &mut PromotionRow,
    scene: Scene<'_>,
    now: Timestamp,
    context: &Context,
) -> Result<()> {
    let inputs = facts::inputs(tx, scene, Asked::of(row), now)?;
    let decision = evaluate_timed(&inputs, || context.now());
    row.inputs = Some(inputs);
    take(row, decision, now)
}

/// Decides about something that can't be put together any more: why not is an input like all others, and denies.
fn unprepared(tx: &mut Tx<'_>, row: &mut PromotionRow, error: &Error, now: Timestamp, context: &Context) -> Result<()> {
    let one = &row.promotion;
    let release: Release = resource::find_any(tx, one.release_id)?.ok_or_else(|| Error::not_found(one.release_id))?;
    let environment: Environment = resource::find_any(tx, one.target_environment_id)?
        .ok_or_else(|| Error::not_found(one.target_environment_id))?;
    let rules = row.rules.stricter(&rules_now(tx, &environment)?);
    let why = Unprepared { code: error.code().as_str().to_owned(), message: error.message().to_owned() };
    let scene = Scene { release: &release, environment: &environment, rules: &rules, unprepared: Some(&why) };
    decide(tx, row, scene, now, context)
}

/// What would be done, if nothing but gates can hold it up.
fn possible(tx: &mut Tx<'_>, wish: Wish<'_>) -> Result<Prepared> {
    let prepared = prepare(tx, wish)?;
    let release = &prepared.release;
    owner::check(tx, &prepared.environment, &release.name, &owner::of_release(release), Claims::AtWork)?;
    Ok(prepared)
}

/// What approvals are given for, as it is now. Approvals of something else no longer count, by the hash.
/// The history tells when, and what changed.
fn renew(row: &mut PromotionRow, prepared: &Prepared, now: Timestamp) -> Result<()> {
    let hash = prepared.subject.hash()?;
    if hash == row.promotion.subject_hash {
        return Ok(());
    }
    row.promotion.status = row.promotion.status.after(PromotionCommand::Reopen)?;
    let from = std::mem::replace(&mut row.promotion.subject_hash, hash);
    let subject = std::mem::replace(&mut row.subject, prepared.subject.clone());
    let changed = subject.changed(&row.subject).into_iter().map(str::to_owned).collect();
    if let Some(last) = row.promotion.decision.take() {
        remember(row, Decision { subject_change: Some(SubjectChange { at: now, changed, from, to: hash }), ..last });
    }
    row.subjects.push(EarlierSubject { hash: from, subject });
    keep_last(&mut row.subjects, SUBJECTS);
    row.rules = prepared.rules.clone();
    Ok(())
}

/// Takes a decision over: the status, the history, the place in the queue.
fn take(row: &mut PromotionRow, decision: Decision, now: Timestamp) -> Result<()> {
    row.promotion.status = row.promotion.status.after(PromotionCommand::Evaluate(decision.outcome))?;
    if let Some(last) = row.promotion.decision.take()
        && !same_verdicts(&last, &decision)
    {
        remember(row, last);
    }
    row.approved_at = match decision.outcome {
        DecisionOutcome::Approved => row.approved_at.or(Some(now)),
        DecisionOutcome::Blocked | DecisionOutcome::AwaitingApproval | DecisionOutcome::Scheduled => None,
    };
    row.promotion.decision = Some(decision);
    Ok(())
}

fn remember(row: &mut PromotionRow, last: Decision) {
    row.history.push(last);
    keep_last(&mut row.history, HISTORY);
}

fn keep_last<T>(all: &mut Vec<T>, most: usize) {
    let surplus = all.len().saturating_sub(most);
    all.drain(..surplus);
}

fn same_verdicts(a: &Decision, b: &Decision) -> bool {
    let verdicts = |one: &Decision| one.gates.iter().map(|gate| (gate.gate, gate.verdict)).collect::<Vec<_>>();
    a.outcome == b.outcome && verdicts(a) == verdicts(b)
}

/// Writes the row. Where nothing a person would follow changed, its revision stays.
fn write(tx: &mut Tx<'_>, notes: &mut Notes, before: &PromotionRow, row: &mut PromotionRow) -> Result<()> {
    let (old, new) = (&before.promotion, &row.promotion);
    let verdicts = match (&old.decision, &new.decision) {
        (Some(old), Some(new)) => same_verdicts(old, new),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    if verdicts && old.status == new.status && old.subject_hash == new.subject_hash {
        resource::update_observed(tx, row)?;
        return Ok(());
    }
    save(tx, notes, row)
}

/// Whether an error tells something about what is promoted, not about us.
fn is_content(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Unprocessable | ErrorKind::NotFound | ErrorKind::Invalid => true,
        _ => false,
    }
}

/// Makes the job and seals the decision.
fn start(tx: &mut Tx<'_>, notes: &mut Notes, row: &mut PromotionRow, prepared: Prepared) -> Result<()> {
    let from_release_id = prepared.runs_now();
    let one = &row.promotion;
    let new = NewJob {
        kind: if one.redeploy { JobKind::Redeploy } else { JobKind::Deploy },
        promotion_id: Some(one.id),
        release_id: one.release_id,
        release_version: one.release_version.clone(),
        from_release_id,
        application: one.application.clone(),
        environment_id: one.target_environment_id,
        strategy: prepared.strategy,
        plan: prepared.plan.clone(),
        specs: prepared.specs,
        requested_by: one.requested_by.clone(),
    };
    let job = create_job(tx, notes, new)?;
    row.promotion.plan = prepared.plan;
    row.promotion.deployment_job_id = Some(job.id);
    row.promotion.status = row.promotion.status.after(PromotionCommand::Start)?;
    seal_decision(tx, notes, row)?;
    save(tx, notes, row)
}

/// Ends a promotion before its door: the decision is sealed as it last was.
pub(super) fn settle(
    tx: &mut Tx<'_>,
    notes: &mut Notes,
    row: &mut PromotionRow,
    command: PromotionCommand,
) -> Result<()> {
    row.promotion.status = row.promotion.status.after(command)?;
    seal_decision(tx, notes, row)?;
    save(tx, notes, row)
}
