//! The stickers of one target: as it holds them, and as we expect them.

use std::collections::BTreeSet;

use plimsoll_core::{
    Result,
    id::TargetId,
    inventory::{AgentStatus, StickerView, Target},
};
use plimsoll_protocol::agent::observe::ObserveKind;
use plimsoll_store::version_sticker as rows;
use serde_json::Value;

use super::seen::{is_genuine, is_same};
use crate::{App, Caller, agent::Agents};

/// How long the agent has to read them.
const DEADLINE_SECONDS: u32 = 10;

impl App {
    /// Reads the stickers through the target's agent now; the last copy with its age when it does not
    /// answer. One entry an application.
    pub async fn target_sticker(&self, caller: &Caller, id: TargetId) -> Result<Vec<StickerView>> {
        let target = self.target_get(caller, id).await?;
        if self.is_heard(caller, &target).await? {
            // What it answers is kept by whichever replica hears it.
            self.observe_target(caller.tenant(), &target, ObserveKind::Sticker, DEADLINE_SECONDS).await?;
        }
        let (reading, expected) = self
            .store
            .read(caller.scope(), "target_sticker", move |tx| Ok((rows::reading(tx, id)?, rows::in_force(tx, id)?)))
            .await?;
        let keys = self.verifying_keys(caller.scope()).await?;
        let names: BTreeSet<&String> = reading
            .iter()
            .flat_map(|one| one.held.keys())
            .chain(expected.iter().map(|row| &row.sticker.application))
            .collect();
        let now = self.context.now();
        let view = |name: &String| {
            let held = reading.as_ref().and_then(|one| one.held.get(name));
            let expected = expected.iter().find(|row| row.sticker.application == *name).map(|row| &row.sticker);
            StickerView {
                application: name.clone(),
                held: held.map(|text| serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone()))),
                observed_at: reading.as_ref().map(|one| one.at),
                age_seconds: reading.as_ref().map(|one| now.seconds_since(one.at).max(0)),
                expected: expected.cloned(),
                signature_valid: held.map(|text| is_genuine(text, &keys)),
                agrees: held.zip(expected).is_some_and(|(text, expected)| is_same(expected, text)),
            }
        };
        Ok(names.into_iter().map(view).collect())
    }

    async fn is_heard(&self, caller: &Caller, target: &Target) -> Result<bool> {
        let wanted = target.clone();
        let agent =
            self.store.read(caller.scope(), "target_agent", move |tx| Agents::default().of(tx, &wanted)).await?;
        Ok(agent.is_some_and(|agent| match agent.status {
            AgentStatus::Online | AgentStatus::Degraded => agent.enabled,
            AgentStatus::Offline | AgentStatus::Disabled => false,
        }))
    }
}
