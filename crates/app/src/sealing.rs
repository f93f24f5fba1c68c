//! The sealers at hand: one per tenant and one for the installation, made on first use and kept.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use plimsoll_authority::{
    seal::{Aad, DataKey, KeyScope, RootKey, SealedBytes, Sealer, WrappedDataKey},
    secret::SecretBytes,
};
use plimsoll_core::Result;
use plimsoll_store::{
    Scope,
    sealing_key::{self, StoredKey},
};

use crate::App;

/// Tenants whose sealers are kept in memory.
const MOST: usize = 10_000;

/// The root key, and the sealers that it opened.
pub struct Sealing {
    root: RootKey,
    sealers: Mutex<HashMap<KeyScope, Arc<Sealer>>>,
}

impl Sealing {
    /// With the installation's root key.
    #[must_use]
    pub fn new(root: RootKey) -> Self {
        Self { root, sealers: Mutex::new(HashMap::new()) }
    }

    fn known(&self, scope: KeyScope) -> Option<Arc<Sealer>> {
        self.sealers.lock().unwrap_or_else(PoisonError::into_inner).get(&scope).cloned()
    }

    fn keep(&self, scope: KeyScope, sealer: Arc<Sealer>) {
        let mut sealers = self.sealers.lock().unwrap_or_else(PoisonError::into_inner);
        if sealers.len() >= MOST {
            sealers.clear();
        }
        sealers.insert(scope, sealer);
    }
}

impl fmt::Debug for Sealing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealing")
    }
}

impl App {
    /// The sealer of `scope`; its first data key is made with it. Ask before a transaction, and seal
    /// before it: a closure may run twice.
    pub async fn sealer(&self, scope: KeyScope) -> Result<Arc<Sealer>> {
        match self.sealing.known(scope) {
            Some(sealer) => Ok(sealer),
            None => self.load_sealer(scope).await,
        }
    }

    /// Opens a sealed value. One under a data key that another replica made meanwhile opens too.
    pub async fn open_sealed(&self, scope: KeyScope, aad: &Aad, sealed: &SealedBytes) -> Result<SecretBytes> {
        match self.sealer(scope).await?.open(aad, sealed) {
            Ok(opened) => Ok(opened),
            Err(_) => self.load_sealer(scope).await?.open(aad, sealed),
        }
    }

    async fn load_sealer(&self, scope: KeyScope) -> Result<Arc<Sealer>> {
        let of = rows_of(scope);
        let mut stored = self.store.read(of, "sealing_key_load", sealing_key::all).await?;
        if stored.is_empty() {
            let wrapped = self.sealing.root.wrap(&DataKey::generate(scope, 1, &self.context), &self.context)?;
            let (first, now) = (StoredKey { version: 1, wrapped: wrapped.as_bytes().to_vec() }, self.context.now());
            stored = self.store.write(of, "sealing_key_add", move |tx| sealing_key::add(tx, &first, now)).await?;
        }
        let keys = stored
            .into_iter()
            .map(|key| self.sealing.root.unwrap(scope, key.version, &WrappedDataKey::from_bytes(key.wrapped)))
            .collect::<Result<Vec<_>>>()?;
        let sealer = Arc::new(Sealer::new(keys, self.context.clone())?);
        self.sealing.keep(scope, Arc::clone(&sealer));
        Ok(sealer)
    }
}

fn rows_of(scope: KeyScope) -> Scope {
    match scope {
        KeyScope::Installation => sealing_key::installation(),
        KeyScope::Tenant(tenant) => Scope::Tenant(tenant),
    }
}
