//! The signer: adds envelopes to sealed packets within a second.

use std::sync::Arc;

use plimsoll_core::Result;
use plimsoll_store::{Scope, SystemReason, evidence_packet};

use crate::{App, tasks::Progress};

/// Packets signed in one step.
const BATCH: u32 = 100;

/// One step. Two replicas may sign the same packet: the first envelope stays.
pub async fn step(app: Arc<App>) -> Result<Progress> {
    let waiting = app
        .store
        .read(Scope::System(SystemReason::Sweep), "evidence_unsigned", |tx| evidence_packet::unsigned(tx, BATCH))
        .await?;
    let found = !waiting.is_empty();
    for (tenant, id, statement) in waiting {
        let signer = app.signer(tenant).await?;
        let packet = signer.sign_canonical(&statement)?;
        let key_id = signer.key_id().to_owned();
        app.store
            .write(Scope::Tenant(tenant), "evidence_sign", move |tx| {
                evidence_packet::add_signature(tx, id, &key_id, &packet)
            })
            .await?;
    }
    Ok(if found { Progress::More } else { Progress::Idle })
}
