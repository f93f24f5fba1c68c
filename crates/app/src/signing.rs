//! The tenants' signing keys at hand: for orders to agents, stickers and evidence.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use plimsoll_authority::{
    seal::{Aad, KeyScope, SealedBytes},
    secret::ExposeSecret as _,
};
use plimsoll_core::{Result, evidence_packet::EvidenceKey, id::TenantId};
use plimsoll_evidence::SigningKey;
use plimsoll_store::{
    Scope,
    evidence_key::{self, StoredEvidenceKey},
};
use uuid::Uuid;

use crate::{App, Caller};

/// Tenants whose keys are kept in memory.
const MOST: usize = 10_000;

/// Opened signing keys.
#[derive(Default)]
pub struct Signing(Mutex<HashMap<TenantId, Arc<SigningKey>>>);

impl fmt::Debug for Signing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signing")
    }
}

fn aad(row: Uuid) -> Aad {
    Aad::new("evidence_key", row, 1)
}

impl App {
    /// The tenant's signing key; made on first use.
    pub async fn signer(&self, tenant: TenantId) -> Result<Arc<SigningKey>> {
        let known = self.signing.0.lock().unwrap_or_else(PoisonError::into_inner).get(&tenant).cloned();
        if let Some(key) = known {
            return Ok(key);
        }
        let scope = Scope::Tenant(tenant);
        let stored = match self.store.read(scope, "evidence_key", evidence_key::current).await? {
            Some(stored) => stored,
            None => self.first_key(tenant).await?,
        };
        let sealed = SealedBytes::from_bytes(stored.sealed);
        let opened = self.open_sealed(KeyScope::Tenant(tenant), &aad(stored.row), &sealed).await?;
        let key = Arc::new(SigningKey::from_pkcs8_der(opened.expose_secret())?);
        let mut keys = self.signing.0.lock().unwrap_or_else(PoisonError::into_inner);
        if keys.len() >= MOST {
            keys.clear();
        }
        keys.insert(tenant, Arc::clone(&key));
        Ok(key)
    }

    /// The public halves of all the tenant's signing keys, the one in force first.
    pub async fn evidence_key_list(&self, caller: &Caller) -> Result<Vec<EvidenceKey>> {
        // A tenant that signed nothing yet gets its key now, so that it can be pinned before it is needed.
        let current = self.signer(caller.tenant()).await?;
        let stored = self.store.read(caller.scope(), "evidence_key_list", evidence_key::all).await?;
        let mut keys: Vec<EvidenceKey> = stored
            .into_iter()
            .map(|key| EvidenceKey {
                current: key.key_id == current.key_id(),
                key_id: key.key_id,
                public_key_pem: key.public_key,
            })
            .collect();
        keys.sort_by_key(|key| !key.current);
        Ok(keys)
    }

    async fn first_key(&self, tenant: TenantId) -> Result<StoredEvidenceKey> {
        let key = SigningKey::generate()?;
        let row = self.context.uuid();
        let sealer = self.sealer(KeyScope::Tenant(tenant)).await?;
        let sealed = sealer.seal(&aad(row), &key.to_pkcs8_der()?)?;
        let stored = StoredEvidenceKey {
            row,
            key_id: key.key_id().to_owned(),
            public_key: key.public_key().to_pem(),
            sealed: sealed.as_bytes().to_vec(),
        };
        let now = self.context.now();
        self.store
            .write(Scope::Tenant(tenant), "evidence_key_first", move |tx| evidence_key::insert_first(tx, &stored, now))
            .await
    }
}
