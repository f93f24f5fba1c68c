//! The agents of targets, in one transaction.

use std::collections::BTreeMap;

use plimsoll_core::{
    Result,
    id::AgentId,
    inventory::{Agent, Target, agent_of},
};
use plimsoll_store::{Tx, resource, target as targets};

/// Finds the agents of several targets, reading each but once.
#[derive(Debug, Default)]
pub(crate) struct Agents {
    named: BTreeMap<AgentId, Option<Agent>>,
    /// All that could be chosen by labels, once somebody asked.
    all: Option<Vec<Agent>>,
}

impl Agents {
    /// The agent that acts on `target` now.
    pub(crate) fn of(&mut self, tx: &mut Tx<'_>, target: &Target) -> Result<Option<Agent>> {
        let Some(named) = target.agent_id else {
            if target.agent_selector.is_none() {
                return Ok(None);
            }
            let all = match self.all.take() {
                Some(all) => all,
                None => resource::find_where(tx, "enabled = $2 ORDER BY id", plimsoll_store::params![true])?,
            };
            let found = agent_of(target, &all).cloned();
            self.all = Some(all);
            return Ok(found);
        };
        if let Some(known) = self.named.get(&named) {
            return Ok(known.clone());
        }
        let found: Option<Agent> = resource::find(tx, named)?;
        self.named.insert(named, found.clone());
        Ok(found)
    }
}

/// The targets that this agent acts on now.
pub(crate) fn targets_of(tx: &mut Tx<'_>, agent: AgentId) -> Result<Vec<Target>> {
    let mut agents = Agents::default();
    let mut found = targets::of_agent(tx, agent)?;
    for target in targets::by_selector(tx)? {
        if agents.of(tx, &target)?.is_some_and(|chosen| chosen.id == agent) {
            found.push(target);
        }
    }
    Ok(found)
}
