//! Reading stickers back: what lies on a target is kept, and compared with what should lie there.

use std::collections::BTreeMap;

use plimsoll_core::{
    Error, Result,
    evidence_packet::{StickerVerification, VersionSticker},
    inventory::Target,
};
use plimsoll_evidence::{PublicKey, StickerEnvelope};
use plimsoll_protocol::agent::observe::TargetObservation;
use plimsoll_store::{
    evidence_key, observation, resource,
    version_sticker::{self as rows, Reading},
};
use serde_json::{Value, json};

use crate::{App, agent::Agents, agent_session::AgentCaller};

/// Stickers of one target that are kept; more than any host has of ours.
const MOST: usize = 1_000;

impl App {
    /// Keeps what an agent saw of a target, its stickers compared with what should lie there.
    pub(crate) async fn stickers_seen(&self, agent: &AgentCaller, seen: &TargetObservation) -> Result<()> {
        if seen.error.is_some() {
            return Ok(());
        }
        let (id, target) = (agent.id, seen.target_id);
        let held: BTreeMap<String, String> =
            seen.stickers.iter().take(MOST).map(|one| (one.application.clone(), one.envelope.clone())).collect();
        // The stickers are kept by themselves.
        let rest = TargetObservation { stickers: Vec::new(), ..seen.clone() };
        let rest = serde_json::to_string(&rest)
            .map_err(|cause| Error::internal_defect(format!("an observation is not JSON: {cause}")))?;
        let keys = self.verifying_keys(agent.scope()).await?;
        let judged: BTreeMap<String, bool> =
            held.iter().map(|(name, text)| (name.clone(), is_genuine(text, &keys))).collect();
        self.act(&agent.principal, "stickers_seen", move |tx, notes| {
            let Some(known) = resource::find::<Target>(tx, target)? else { return Ok(()) };
            if Agents::default().of(tx, &known)?.is_none_or(|chosen| chosen.id != id) {
                return Ok(());
            }
            observation::keep_sight(tx, target, notes.now(), &rest)?;
            rows::put_reading(tx, target, &Reading { at: notes.now(), held: held.clone() })?;
            for mut row in rows::in_force(tx, target)? {
                let name = row.sticker.application.clone();
                let found = found(&row.sticker, held.get(&name).map(String::as_str), judged.get(&name).copied());
                if found != row.sticker.verification {
                    let data = json!({ "from": row.sticker.verification, "to": found, "targetId": target });
                    notes.event("version_sticker", row.sticker.id, None, "sticker.verification_changed", data);
                }
                row.sticker.verification = found;
                row.sticker.observed_at = Some(notes.now());
                resource::update_observed(tx, &row)?;
            }
            Ok(())
        })
        .await
    }

    /// The keys that the tenant's stickers were ever signed with.
    pub(super) async fn verifying_keys(&self, scope: plimsoll_store::Scope) -> Result<Vec<PublicKey>> {
        let keys = self.store.read(scope, "sticker_keys", evidence_key::all).await?;
        keys.iter().map(|key| PublicKey::from_pem(&key.public_key)).collect()
    }
}

/// Whether one of our keys signed this text.
pub(super) fn is_genuine(text: &str, keys: &[PublicKey]) -> bool {
    keys.iter().any(|key| StickerEnvelope::verify(text.as_bytes(), key).is_ok())
}

/// Whether a file's text is this sticker.
pub(super) fn is_same(expected: &VersionSticker, text: &str) -> bool {
    serde_json::from_str::<Value>(text).is_ok_and(|held| held == expected.signature)
}

fn found(expected: &VersionSticker, held: Option<&str>, genuine: Option<bool>) -> StickerVerification {
    match (held, genuine) {
        (None, _) => StickerVerification::Missing,
        (Some(_), None | Some(false)) => StickerVerification::BadSignature,
        (Some(text), Some(true)) if is_same(expected, text) => StickerVerification::Verified,
        (Some(_), Some(true)) => StickerVerification::Differs,
    }
}
