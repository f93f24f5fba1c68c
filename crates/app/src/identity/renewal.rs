//! What each replica renews: revocations and tiers every two seconds and after changes, keys when another
//! replica rotated them; and what it sweeps.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use plimsoll_authority::{
    keys::rotation::KeyCommand,
    token::{ACCESS_TOKEN_SECONDS, RevocationState},
};
use plimsoll_core::{Result, Timestamp};
use plimsoll_store::{
    Scope, SystemReason,
    identity::{revocation, revocation::Snapshot, tiers},
};
use tokio_util::sync::CancellationToken;

use super::keys;
use crate::App;

/// The longest time between two renewals.
const EVERY: Duration = Duration::from_secs(2);
/// The shortest: every commit wakes, and there may be thousands a second.
const PAUSE: Duration = Duration::from_millis(200);
/// Between two looks at what is due with the keys and what can be deleted.
const HOUSEKEEPING_SECONDS: i64 = 60;
/// How much longer than a token's life a change is remembered: clocks of replicas differ.
const MARGIN_SECONDS: i64 = 60;

/// Until when something must stay revoked that is revoked at `now`.
pub(crate) const fn outlives_tokens(now: Timestamp) -> Timestamp {
    now.plus_seconds(ACCESS_TOKEN_SECONDS + MARGIN_SECONDS)
}

/// Renews until `stop`. One such task runs on each replica.
pub async fn keep_current(app: Arc<App>, stop: CancellationToken) {
    let mut waiter = app.store.wake().waiter();
    let mut housekeeping = app.context.now();
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            () = waiter.wait(EVERY) => {}
        }
        if let Err(error) = app.renew_authority().await {
            tracing::warn!(?error, "revocations could not be renewed");
        }
        let now = app.context.now();
        if now >= housekeeping {
            housekeeping = now.plus_seconds(HOUSEKEEPING_SECONDS);
            if let Err(error) = app.keep_house(now).await {
                tracing::warn!(?error, "keys and expired rows could not be settled");
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
}

impl App {
    /// Reads revocations, tiers and the states of the keys, and puts them in force here.
    pub async fn renew_authority(&self) -> Result<()> {
        let authority = self.authority()?;
        let now = self.context.now();
        let since = now.plus_seconds(-(ACCESS_TOKEN_SECONDS + MARGIN_SECONDS));
        let scope = Scope::System(SystemReason::Revocation);
        let (snapshot, tiers, states) = self
            .store
            .read(scope, "authority_renew", move |tx| {
                Ok((revocation::snapshot(tx, now, since)?, tiers(tx)?, keys::states(tx)?))
            })
            .await?;
        authority.gate.renew_revocations(in_force(snapshot, now));
        *authority.tiers.write().unwrap_or_else(PoisonError::into_inner) = tiers.into_iter().collect();
        let rotated = authority.keys.read().unwrap_or_else(PoisonError::into_inner).states != states;
        if rotated { self.reload_keys().await } else { Ok(()) }
    }

    async fn keep_house(&self, now: Timestamp) -> Result<()> {
        self.settle_keys(KeyCommand::Settle).await?;
        let scope = Scope::System(SystemReason::Sweep);
        self.store.write(scope, "authority_sweep", move |tx| revocation::sweep(tx, now)).await.map(drop)
    }
}

fn in_force(snapshot: Snapshot, read_at: Timestamp) -> RevocationState {
    RevocationState {
        renewed_at: read_at,
        revoked_tokens: snapshot.tokens.into_iter().collect(),
        ended_sessions: snapshot.sessions.into_iter().collect(),
        deactivated: snapshot.principals.into_iter().collect(),
        principal_versions: snapshot.principal_versions.into_iter().collect(),
        tenant_versions: snapshot.tenant_versions.into_iter().collect(),
    }
}
