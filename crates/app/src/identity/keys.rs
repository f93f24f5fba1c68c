//! The keys that sign tokens: loaded at start, rotated without an outage, reloaded when another replica
//! rotated them.

use std::sync::Arc;

use plimsoll_authority::{
    keys::{
        Jwk, PublicKey, SigningKey, SigningKeySet,
        rotation::{self, KeyCommand, KeyState, Plan, RotationPolicy},
    },
    seal::{Aad, KeyScope, SealedBytes},
    secret::ExposeSecret,
    token::{ACCESS_TOKEN_SECONDS, Issuer},
};
use plimsoll_core::{Error, ErrorCode, Result, id::KeyId};
use plimsoll_store::{
    Lock, Scope, SystemReason, Tx,
    identity::installation::{self, SigningKeyRow},
};

use super::authority::Keys;
use crate::App;

const SCOPE: Scope = Scope::System(SystemReason::Keys);

/// How often a change by another replica is met before giving up.
const TRIES: usize = 5;

const POLICY: RotationPolicy = RotationPolicy::for_tokens_of(ACCESS_TOKEN_SECONDS);

/// What tokens are for: the API of the installation that `issuer` names.
pub(super) fn audience(issuer: &str) -> String {
    format!("{issuer}{}", plimsoll_protocol::operation::BASE)
}

impl App {
    /// Begins a rotation, or withdraws a key that became known, and puts the keys in force here. Other
    /// replicas notice within seconds.
    pub async fn change_signing_keys(&self, command: KeyCommand) -> Result<()> {
        self.settle_keys(command).await?;
        self.reload_keys().await
    }

    /// Does what is due with the keys. At the first start it makes the first one.
    pub(super) async fn settle_keys(&self, command: KeyCommand) -> Result<()> {
        for _ in 0..TRIES {
            let rows = self.store.read(SCOPE, "signing_keys_read", installation::signing_keys).await?;
            let states = rows.iter().map(|row| Ok((row.id, state(row)?))).collect::<Result<Vec<_>>>()?;
            let plan = rotation::plan(&states, command, POLICY, self.context.now())?;
            if plan == Plan::default() || self.apply_plan(&rows, plan).await? {
                return Ok(());
            }
        }
        Err(Error::new(ErrorCode::Unavailable, "the signing keys are being changed by another replica; try again"))
    }

    /// `false` when another replica changed the keys meanwhile.
    async fn apply_plan(&self, rows: &[SigningKeyRow], plan: Plan) -> Result<bool> {
        let created = match plan.create {
            Some(state) => Some(self.fresh_key(state).await?),
            None => None,
        };
        let read = rows.to_vec();
        let changed = plan
            .changes
            .iter()
            .map(|(id, next)| moved(&read, *id, *next))
            .collect::<Result<Vec<(SigningKeyRow, String)>>>()?;
        let now = self.context.now();
        self.store
            .write(SCOPE, "signing_keys_change", move |tx| {
                tx.lock(&Lock::Named("installation", "signing keys"))?;
                if installation::signing_keys(tx)? != read {
                    return Ok(false);
                }
                for (next, before) in &changed {
                    installation::move_signing_key(tx, next, before)?;
                }
                if let Some(key) = &created {
                    installation::add_signing_key(tx, key, now)?;
                }
                Ok(true)
            })
            .await
    }

    async fn fresh_key(&self, state: KeyState) -> Result<SigningKeyRow> {
        let id: KeyId = self.context.id();
        let key = SigningKey::generate()?;
        let sealer = self.sealer(KeyScope::Installation).await?;
        let sealed = sealer.seal(&place(id), key.pkcs8().expose_secret())?;
        Ok(SigningKeyRow {
            id,
            public_key: json(&key.public().to_jwk())?,
            sealed: Some(sealed.as_bytes().to_vec()),
            state: json(&state)?,
        })
    }

    /// Reads the keys into what signs and checks.
    pub(super) async fn load_keys(&self, issuer: &str) -> Result<Keys> {
        let rows = self.store.read(SCOPE, "signing_keys_load", installation::signing_keys).await?;
        let (mut active, mut others) = (None, Vec::new());
        for row in &rows {
            match state(row)? {
                KeyState::Active { .. } => active = Some(self.open_key(row).await?),
                KeyState::Announced { .. } | KeyState::Retiring { .. } => others.push(public(row)?),
                KeyState::Retired { .. } => {}
            }
        }
        let active = active.ok_or_else(|| Error::internal_defect("no signing key is active"))?;
        let issuer = Issuer::new(issuer, audience(issuer), Arc::new(SigningKeySet::new(active, others)));
        Ok(Keys { issuer: Arc::new(issuer), states: states_of(&rows) })
    }

    /// Whether the key that this replica signs with is still one that the database has as active: else the tokens that
    /// it makes are refused elsewhere.
    pub async fn check_signing_key(&self) -> Result<()> {
        let issuer = self.authority()?.issuer();
        let signs = issuer.keys().active().public().kid();
        let rows = self.store.read(SCOPE, "signing_keys_check", installation::signing_keys).await?;
        for row in &rows {
            if state(row)?.is_published() && public(row)?.kid() == signs {
                return Ok(());
            }
        }
        Err(Error::new(
            ErrorCode::Unavailable,
            "no key that this server could sign tokens with is in force; see the server's log",
        ))
    }

    /// Puts the keys of the database in force on this replica.
    pub(super) async fn reload_keys(&self) -> Result<()> {
        let authority = self.authority()?;
        let keys = self.load_keys(authority.issuer().iss()).await?;
        authority.gate.replace_verifier(keys.issuer.verifier());
        *authority.keys.write().unwrap_or_else(std::sync::PoisonError::into_inner) = keys;
        Ok(())
    }

    async fn open_key(&self, row: &SigningKeyRow) -> Result<SigningKey> {
        let sealed = row.sealed.clone().ok_or_else(|| Error::internal_defect("the active signing key is gone"))?;
        let opened = self.open_sealed(KeyScope::Installation, &place(row.id), &SealedBytes::from_bytes(sealed)).await?;
        SigningKey::from_pkcs8(opened)
    }
}

/// What tells one set of keys from another.
pub(super) fn states(tx: &mut Tx<'_>) -> Result<Vec<(KeyId, String)>> {
    Ok(states_of(&installation::signing_keys(tx)?))
}

fn states_of(rows: &[SigningKeyRow]) -> Vec<(KeyId, String)> {
    rows.iter().map(|row| (row.id, row.state.clone())).collect()
}

fn place(id: KeyId) -> Aad {
    Aad::new("signing_key.sealed", id, 1)
}

fn state(row: &SigningKeyRow) -> Result<KeyState> {
    serde_json::from_str(&row.state)
        .map_err(|cause| Error::internal_defect(format!("the state of signing key {} does not fit: {cause}", row.id)))
}

fn public(row: &SigningKeyRow) -> Result<PublicKey> {
    let jwk: Jwk = serde_json::from_str(&row.public_key)
        .map_err(|cause| Error::internal_defect(format!("signing key {} is no JWK: {cause}", row.id)))?;
    PublicKey::from_jwk(&jwk)
}

/// The row in its next state, and the state that was read.
fn moved(rows: &[SigningKeyRow], id: KeyId, next: KeyState) -> Result<(SigningKeyRow, String)> {
    let row = rows.iter().find(|row| row.id == id).cloned();
    let row = row.ok_or_else(|| Error::internal_defect("a plan moves a signing key that is not there"))?;
    let sealed = if next.needs_private() { row.sealed.clone() } else { None };
    Ok((SigningKeyRow { sealed, state: json(&next)?, ..row.clone() }, row.state))
}

fn json<T: serde::Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|cause| Error::internal_defect(format!("a key is not JSON: {cause}")))
}
