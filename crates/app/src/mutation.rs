//! How every change is made: one transaction holds the change, its audit event, its events and the
//! answer under its Idempotency-Key. A refusal leaves an audit event and nothing else, unless the closure
//! says that it must leave a record of its own ([`Change::refused`]).

use std::sync::Arc;

use plimsoll_authority::{
    seal::{Aad, KeyScope, SealedBytes, Sealer},
    secret::ExposeSecret as _,
};
use plimsoll_core::{
    Error, Result,
    audit::{AuditOutcome, Origin, Principal},
    error::ErrorKind,
    id::AuditEventId,
};
use plimsoll_protocol::operation::Effect;
use plimsoll_store::{
    Scope, SystemReason, Tx,
    audit::{self, AuditEntry},
    idempotency::{self, IdempotencyKey, Reserved, StoredAnswer},
};
use serde::Serialize;

use crate::{App, Caller, notes::Seed, replay};
pub use crate::{
    change::{Change, Outcome, Reply},
    notes::Notes,
};

impl App {
    /// Makes a change. `decide` loads, decides and writes; it may run more than once.
    pub async fn mutate<T: Serialize + 'static>(
        &self,
        caller: &Caller,
        decide: impl Fn(&mut Tx<'_>, &mut Notes) -> Result<Change<T>> + Send + 'static,
    ) -> Result<Reply> {
        self.carry_out(caller, Way::within(caller), decide).await
    }

    /// Like [`App::mutate`], for an operation that reserved its key with [`App::reserve`] before it called
    /// outside.
    pub async fn mutate_reserved<T: Serialize + 'static>(
        &self,
        caller: &Caller,
        reserved: Option<IdempotencyKey>,
        decide: impl Fn(&mut Tx<'_>, &mut Notes) -> Result<Change<T>> + Send + 'static,
    ) -> Result<Reply> {
        self.carry_out(caller, Way { reserved, ..Way::within(caller) }, decide).await
    }

    /// Like [`App::mutate`], for an operation whose answer shows a secret once: the answer is kept sealed
    /// under its Idempotency-Key. The change needs a patch of its own ([`Change::with_patch`]).
    pub async fn mutate_secret<T: Serialize + 'static>(
        &self,
        caller: &Caller,
        decide: impl Fn(&mut Tx<'_>, &mut Notes) -> Result<Change<T>> + Send + 'static,
    ) -> Result<Reply> {
        let sealer = self.keeper(caller).await?;
        self.carry_out(caller, Way { sealer, ..Way::within(caller) }, decide).await
    }

    /// Like [`App::mutate_secret`], for a change that also writes rows of another tenant: `decide` does it
    /// in [`Tx::within`].
    pub async fn mutate_across<T: Serialize + 'static>(
        &self,
        caller: &Caller,
        reason: SystemReason,
        decide: impl Fn(&mut Tx<'_>, &mut Notes) -> Result<Change<T>> + Send + 'static,
    ) -> Result<Reply> {
        let sealer = self.keeper(caller).await?;
        self.carry_out(caller, Way { sealer, scope: Scope::System(reason), reserved: None }, decide).await
    }

    /// What seals the kept answer. Without an Idempotency-Key none is kept, and no key is made for it.
    async fn keeper(&self, caller: &Caller) -> Result<Option<Arc<Sealer>>> {
        match &caller.idempotency {
            Some(_) => self.sealer(KeyScope::Tenant(caller.tenant())).await.map(Some),
            None => Ok(None),
        }
    }

    async fn carry_out<T: Serialize + 'static>(
        &self,
        caller: &Caller,
        way: Way,
        decide: impl Fn(&mut Tx<'_>, &mut Notes) -> Result<Change<T>> + Send + 'static,
    ) -> Result<Reply> {
        let (seed, tenant) = (Seed::draw(&self.context), caller.tenant());
        let Way { scope, reserved, sealer } = way;
        let (owned, reserved_too, sealed) = (caller.clone(), reserved.clone(), sealer.is_some());
        let result = self
            .store
            .write(scope, caller.operation.as_str(), move |tx| {
                tx.within(tenant, |tx| attempt(tx, &owned, seed, reserved.as_ref(), sealer.as_deref(), &decide))
            })
            .await;
        if result.is_ok() {
            crate::failpoint::committed(caller.operation.as_str());
        }
        match result {
            Ok(Committed::Done(reply)) if reply.replayed && sealed => self.open_answer(caller, reply).await,
            Ok(Committed::Done(reply)) => self.shown(caller, reply).await,
            Ok(Committed::Refused(error)) => Err(error),
            Err(error) => {
                self.after_refusal(caller, &error, reserved_too).await?;
                Err(error)
            }
        }
    }

    /// Opens the stored answer of an operation that shows a secret once.
    async fn open_answer(&self, caller: &Caller, mut reply: Reply) -> Result<Reply> {
        let Some(key) = &caller.idempotency else { return Ok(reply) };
        let sealed = SealedBytes::from_bytes(std::mem::take(&mut reply.answer.answer));
        let opened = self.open_sealed(KeyScope::Tenant(caller.tenant()), &place(key), &sealed).await?;
        reply.answer.answer = opened.expose_secret().to_vec();
        Ok(reply)
    }

    /// Reserves the call's Idempotency-Key before it calls outside. `Some(reply)` is the stored answer of
    /// an earlier call.
    pub async fn reserve(&self, caller: &Caller, lease_seconds: i64) -> Result<Option<Reply>> {
        let Some(key) = caller.idempotency.clone() else { return Ok(None) };
        let now = caller.now;
        let found = self
            .store
            .write(caller.scope(), "idempotency_reserve", move |tx| {
                idempotency::reserve(tx, &key, now, Some(now.plus_seconds(lease_seconds)))
            })
            .await?;
        match found {
            Reserved::New => Ok(None),
            Reserved::Answered(answer) => self.shown(caller, Reply { answer, replayed: true }).await.map(Some),
        }
    }

    /// Makes a change on the server's own behalf: a reconciler, a sweeper, first start.
    pub async fn act<T: Send + 'static>(
        &self,
        principal: &Principal,
        operation: &'static str,
        decide: impl Fn(&mut Tx<'_>, &mut Notes) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (seed, now) = (Seed::draw(&self.context), self.context.now());
        let owned = principal.clone();
        self.store
            .write(Scope::Tenant(principal.tenant), operation, move |tx| {
                let mut notes = Notes::new(seed, now);
                let value = decide(tx, &mut notes)?;
                notes.write(tx, &owned, &Origin::default())?;
                Ok(value)
            })
            .await
    }

    /// Writes the audit event of a refused attempt, and frees a reserved key.
    pub async fn after_refusal(&self, caller: &Caller, error: &Error, reserved: Option<IdempotencyKey>) -> Result<()> {
        let audited = is_audited(error.kind()) && caller.operation.operation().effect == Effect::Mutation;
        if !audited && reserved.is_none() {
            return Ok(());
        }
        let entry = audited.then(|| refusal(self.context.id(), caller, error));
        let (principal, origin) = (caller.principal.clone(), caller.origin.clone());
        self.store
            .write(caller.scope(), "audit_refusal", move |tx| {
                if let Some(entry) = &entry {
                    audit::append(tx, &principal, &origin, entry.clone())?;
                }
                if let Some(key) = &reserved {
                    idempotency::release(tx, key)?;
                }
                Ok(())
            })
            .await
    }
}

/// A refused attempt, for the trail.
fn refusal(id: AuditEventId, caller: &Caller, error: &Error) -> AuditEntry {
    AuditEntry {
        id,
        at: caller.now,
        action: caller.operation.as_str(),
        resource_type: caller.operation.operation().subject().noun,
        resource_id: caller.subject.map(|id| id.to_string()),
        outcome: AuditOutcome::Refused,
        error_code: Some(error.code().as_str().to_owned()),
        change: None,
    }
}

const fn is_audited(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Forbidden | ErrorKind::Conflict | ErrorKind::Unprocessable)
}

/// How a change is carried out.
struct Way {
    scope: Scope,
    reserved: Option<IdempotencyKey>,
    /// Seals the kept answer.
    sealer: Option<Arc<Sealer>>,
}

impl Way {
    const fn within(caller: &Caller) -> Self {
        Self { scope: caller.scope(), reserved: None, sealer: None }
    }
}

/// What a transaction that is committed came to.
enum Committed {
    Done(Reply),
    Refused(Error),
}

/// One run of a change's transaction.
fn attempt<T: Serialize>(
    tx: &mut Tx<'_>,
    caller: &Caller,
    seed: Seed,
    reserved: Option<&IdempotencyKey>,
    sealer: Option<&Sealer>,
    decide: &impl Fn(&mut Tx<'_>, &mut Notes) -> Result<Change<T>>,
) -> Result<Committed> {
    let fresh = caller.idempotency.as_ref().filter(|_| reserved.is_none());
    if let Some(key) = fresh
        && let Reserved::Answered(answer) = idempotency::reserve(tx, key, caller.now, None)?
    {
        return Ok(Committed::Done(Reply { answer, replayed: true }));
    }
    let mut notes = Notes::new(seed, caller.now);
    let mut change = decide(tx, &mut notes)?;
    if let Some(error) = change.refusal.take() {
        let entry = AuditEntry { change: change.patch, ..refusal(notes.id(), caller, &error) };
        audit::append(tx, &caller.principal, &caller.origin, entry)?;
        notes.write(tx, &caller.principal, &caller.origin)?;
        if let Some(key) = fresh.or(reserved) {
            idempotency::release(tx, key)?;
        }
        return Ok(Committed::Refused(error));
    }
    let (kind, id) = (change.resource_type, change.resource_id.clone());
    let reply = commit(tx, caller, notes, change)?;
    if let Some(key) = fresh.or(reserved) {
        let kept = match sealer {
            Some(sealer) => {
                let sealed = sealer.seal(&place(key), &reply.answer.answer)?.as_bytes().to_vec();
                StoredAnswer { answer: sealed, ..reply.answer.clone() }
            }
            None => replay::kept(&reply.answer, kind, &id),
        };
        idempotency::store(tx, key, &kept)?;
    }
    Ok(Committed::Done(reply))
}

/// Where a sealed answer belongs.
fn place(key: &IdempotencyKey) -> Aad {
    let row = format!("{} {} {} {}", key.principal, key.method, key.path, key.key);
    Aad::new("idempotency.answer", row, 1)
}

fn commit<T: Serialize>(tx: &mut Tx<'_>, caller: &Caller, notes: Notes, change: Change<T>) -> Result<Reply> {
    let entry = AuditEntry {
        id: notes.id(),
        at: notes.now(),
        action: caller.operation.as_str(),
        resource_type: change.resource_type,
        resource_id: Some(change.resource_id),
        outcome: AuditOutcome::Succeeded,
        error_code: None,
        change: change.patch,
    };
    audit::append(tx, &caller.principal, &caller.origin, entry)?;
    notes.write(tx, &caller.principal, &caller.origin)?;
    let (status, location, body) = match change.outcome {
        Outcome::Done => (200, None, true),
        Outcome::Created(location) => (201, Some(location), true),
        Outcome::Gone => (204, None, false),
    };
    let answer = if body {
        serde_json::to_vec(&change.value)
            .map_err(|cause| Error::internal_defect(format!("an answer is not JSON: {cause}")))?
    } else {
        Vec::new()
    };
    let answer = StoredAnswer { status, answer, location, reference: None, revision: change.revision };
    Ok(Reply { answer, replayed: false })
}
