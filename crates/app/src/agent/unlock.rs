//! Letting one of two copies of an agent in again.

use plimsoll_authority::oauth::join;
use plimsoll_core::{
    Error, Result,
    id::{AgentId, TypedId},
    inventory::Agent,
};
use plimsoll_protocol::inventory::UnlockAgent;
use plimsoll_store::{
    Lock,
    identity::{agent as identities, revocation},
    resource,
};
use serde_json::json;

use super::{join_state, shown};
use crate::{App, Caller, Change, Reply, identity::subject::end_tokens_of_agent};

impl App {
    /// Unlocks an agent whose identity two hosts used: the one to keep goes on where it was. Tokens of before are
    /// void, whichever host has them; the other host locks the agent again if it still runs.
    pub async fn agent_unlock(&self, caller: &Caller, id: AgentId, body: UnlockAgent) -> Result<Reply> {
        self.may_everywhere(caller).await?;
        let owned = caller.clone();
        self.mutate(caller, move |tx, notes| {
            tx.lock(&Lock::Agent(id))?;
            let agent: Agent = resource::get(tx, id)?;
            owned.check_revision(agent.revision)?;
            let mut identity = identities::find(tx, id)?.ok_or_else(|| Error::not_found(id))?;
            let before = shown(tx, agent.clone())?;
            let next = join::unlock(join_state(&identity)?, body.keep)?;
            identity.join_state = serde_json::to_string(&next)
                .map_err(|cause| Error::internal_defect(format!("a join state is not JSON: {cause}")))?;
            identities::update(tx, &identity)?;
            end_tokens_of_agent(tx, id, notes.now())?;
            if agent.enabled {
                revocation::restore(tx, id.uuid())?;
            }
            notes.event("agent", id, None, "agent.unlocked", json!({ "keep": body.keep, "reason": body.reason }));
            let patch = json!({ "keep": body.keep, "reason": body.reason, "lockedReason": null });
            let after = shown(tx, agent)?;
            Ok(Change::done("agent", id, &resource::as_json(&before)?, after)?.with_patch(Some(patch)))
        })
        .await
    }
}
