//! What this replica knows of tokens: the keys that sign, the door that checks, the tiers of tenants.

use std::{
    collections::HashMap,
    fmt,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
};

use plimsoll_authority::{
    password::{PasswordCheck, Passwords},
    secret::SecretString,
    token::{Issuer, TokenGate},
};
use plimsoll_core::{
    Error, Result,
    audit::Principal,
    context::Context,
    id::{KeyId, TenantId, UserId},
    permission::Grant,
    rate::Tier,
};
use plimsoll_store::{Scope, identity::access};
use tokio::sync::Semaphore;

use super::{first_start, subject};
use crate::App;

/// Passwords that are hashed at once: each takes 19 MiB and some 20 ms of one core.
const HASHING: usize = 4;

/// The keys in force on this replica.
pub(super) struct Keys {
    pub(super) issuer: Arc<Issuer>,
    /// What was loaded, to notice a rotation by another replica.
    pub(super) states: Vec<(KeyId, String)>,
}

/// What this replica knows of tokens. It begins with [`super::start()`] and is renewed by
/// [`super::keep_current`].
pub struct Authority {
    pub(super) keys: RwLock<Keys>,
    pub(super) gate: Arc<TokenGate>,
    pub(super) tiers: RwLock<HashMap<TenantId, Tier>>,
    pub(super) passwords: Arc<Passwords>,
    pub(super) hashing: Semaphore,
    pub(super) home: TenantId,
    pub(super) first_administrator: UserId,
    pub(super) initial_password_file: PathBuf,
}

impl Authority {
    pub(super) fn new(
        keys: Keys,
        gate: TokenGate,
        passwords: Passwords,
        home: TenantId,
        first_administrator: UserId,
        initial_password_file: PathBuf,
    ) -> Self {
        Self {
            keys: RwLock::new(keys),
            gate: Arc::new(gate),
            tiers: RwLock::default(),
            passwords: Arc::new(passwords),
            hashing: Semaphore::new(HASHING),
            home,
            first_administrator,
            initial_password_file,
        }
    }

    /// What signs tokens now. After a rotation it is another one: don't keep it.
    #[must_use]
    pub fn issuer(&self) -> Arc<Issuer> {
        Arc::clone(&self.keys.read().unwrap_or_else(PoisonError::into_inner).issuer)
    }

    /// The door for tokens.
    #[must_use]
    pub const fn gate(&self) -> &Arc<TokenGate> {
        &self.gate
    }

    /// The tier of a tenant.
    #[must_use]
    pub fn tier(&self, tenant: TenantId) -> Tier {
        let tiers = self.tiers.read().unwrap_or_else(PoisonError::into_inner);
        tiers.get(&tenant).copied().unwrap_or(Tier::Standard)
    }

    /// The tenant `default`, to which the system administrators belong.
    #[must_use]
    pub const fn home(&self) -> TenantId {
        self.home
    }

    /// Removes the file with the one-time password, once the first administrator has signed in.
    pub(crate) fn forget_initial_password(&self, user: UserId) -> Result<()> {
        if user == self.first_administrator { first_start::remove(&self.initial_password_file) } else { Ok(()) }
    }

    /// The hash of a password, on a thread for such work.
    pub(crate) async fn hash_password(&self, password: SecretString, context: &Context) -> Result<String> {
        let (passwords, context) = (Arc::clone(&self.passwords), context.clone());
        self.on_a_thread(move || passwords.hash(&password, &context)).await
    }

    /// Checks a password against the stored hash, on a thread for such work; `None` takes as long.
    pub(crate) async fn check_password(&self, password: SecretString, stored: Option<String>) -> Result<PasswordCheck> {
        let passwords = Arc::clone(&self.passwords);
        self.on_a_thread(move || passwords.check(&password, stored.as_deref())).await
    }

    async fn on_a_thread<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
        let _place = self.hashing.acquire().await.map_err(|_| Error::internal_defect("the hashing places are gone"))?;
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(|cause| Error::internal_defect(format!("hashing a password ended early: {cause}")))?
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Authority({})", self.issuer().iss())
    }
}

impl App {
    /// What this replica knows of tokens; an app that was not made by [`super::start()`] knows nothing.
    pub fn authority(&self) -> Result<&Authority> {
        self.authority.get().ok_or_else(|| Error::internal_defect("the authority was not started"))
    }

    /// The grants in single environments that did not fit in a principal's token.
    pub async fn limited_grants(&self, principal: &Principal) -> Result<Vec<Grant>> {
        let Some(holder) = subject::holder(principal.kind, principal.id) else { return Ok(Vec::new()) };
        let scope = Scope::Tenant(principal.tenant);
        let held = self.store.read(scope, "limited_grants", move |tx| access::load(tx, holder)).await?;
        Ok(held.grants.iter().copied().filter(|grant| grant.environment.is_some()).collect())
    }
}
