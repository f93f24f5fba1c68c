//! The signer: adds envelopes to sealed packets within a second.
//!
//! One packet never holds up another: bytes that can't be signed are marked so for good, and whatever else
//! fails is tried again later, a tenant whose key can't be had with all its packets.

use std::sync::Arc;

use plimsoll_core::{ErrorCode, Result, id::TenantId};
use plimsoll_evidence::SigningKey;
use plimsoll_store::{
    Scope, SystemReason,
    evidence_packet::{self, Unsigned},
};

use crate::{App, tasks::Progress};

/// Packets signed in one step.
const BATCH: u32 = 100;
/// Seconds after which signing that failed is tried again.
const AGAIN_SECONDS: i64 = 30;

/// One step. Two replicas may sign the same packet: the first envelope stays.
pub async fn step(app: Arc<App>) -> Result<Progress> {
    let now = app.context.now();
    let waiting = app
        .store
        .read(Scope::System(SystemReason::Sweep), "evidence_unsigned", move |tx| {
            evidence_packet::unsigned(tx, now, BATCH)
        })
        .await?;
    let found = !waiting.is_empty();
    let mut without_key: Vec<TenantId> = Vec::new();
    for one in waiting {
        if without_key.contains(&one.tenant) {
            continue;
        }
        match app.signer(one.tenant).await {
            Ok(signer) => sign(&app, &signer, one).await?,
            Err(error) => {
                tracing::error!(tenant = %one.tenant, error = ?error, "no evidence of this tenant can be signed: its key can't be had; it will be tried again");
                without_key.push(one.tenant);
                postpone(&app, one.tenant, None).await?;
            }
        }
    }
    Ok(if found { Progress::More } else { Progress::Idle })
}

async fn sign(app: &App, signer: &SigningKey, one: Unsigned) -> Result<()> {
    let Unsigned { tenant, id, statement } = one;
    match signer.sign_canonical(&statement) {
        Ok(packet) => {
            let key_id = signer.key_id().to_owned();
            let write = move |tx: &mut plimsoll_store::Tx<'_>| evidence_packet::add_signature(tx, id, &key_id, &packet);
            app.store.write(Scope::Tenant(tenant), "evidence_sign", write).await
        }
        // These bytes will be refused each time.
        Err(error) if error.code() == ErrorCode::RuleViolated => {
            tracing::error!(packet = %id, error = ?error, "an evidence packet can't be signed; its sealed statement stays");
            let problem = error.message().to_owned();
            let write = move |tx: &mut plimsoll_store::Tx<'_>| evidence_packet::refuse_to_sign(tx, id, &problem);
            app.store.write(Scope::Tenant(tenant), "evidence_unsignable", write).await
        }
        Err(error) => {
            tracing::error!(packet = %id, error = ?error, "an evidence packet could not be signed; it will be tried again");
            postpone(app, tenant, Some(id)).await
        }
    }
}

/// Lets a packet wait, or all of a tenant.
async fn postpone(app: &App, tenant: TenantId, id: Option<plimsoll_core::id::EvidencePacketId>) -> Result<()> {
    let until = app.context.now().plus_seconds(AGAIN_SECONDS);
    app.store
        .write(Scope::Tenant(tenant), "evidence_postpone", move |tx| evidence_packet::postpone(tx, id, until))
        .await
}
