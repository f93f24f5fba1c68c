//! The lease of a connected agent: its tasks hang on it.

use plimsoll_core::{
    Result,
    deployment::TaskStatus,
    id::{TargetId, TaskId},
};
use plimsoll_protocol::agent::{
    ServerFrame,
    observe::Status,
    order::LeaseRenewed,
    report::{HeldTask, LeaseRenew},
};
use plimsoll_store::{
    deployment::{TaskRow, order},
    resource,
};

use super::{AgentCaller, LEASE_MARGIN_SECONDS};
use crate::App;

impl App {
    /// Renews the lease: the deadlines move of the tasks that the agent names, and of offers that it cannot name
    /// yet; those it holds no more are named. What it does not name it has lost, and it runs out.
    pub(super) async fn agent_lease(&self, agent: &AgentCaller, renew: LeaseRenew) -> Result<Vec<ServerFrame>> {
        let (id, now, seconds) = (agent.id, self.context.now(), self.settings.lease_seconds);
        let nonce = renew.nonce;
        let revoked = self
            .store
            .write(agent.scope(), "agent_lease", move |tx| {
                let deadline = now.plus_seconds(i64::from(seconds) + LEASE_MARGIN_SECONDS);
                order::extend_unacked(tx, id, deadline)?;
                let mut revoked = Vec::new();
                for held in renew.tasks.iter().take(1000) {
                    let row: Option<TaskRow> = resource::find(tx, held.task_id)?;
                    let still = row.is_some_and(|row| {
                        row.task.agent_id == Some(id) && row.task.epoch == held.epoch && may_act(row.task.status)
                    });
                    if still {
                        order::extend(tx, held.task_id, held.epoch, deadline)?;
                    } else {
                        revoked.push(HeldTask { task_id: held.task_id, epoch: held.epoch });
                    }
                }
                Ok(revoked)
            })
            .await?;
        Ok(vec![ServerFrame::LeaseRenewed(LeaseRenewed { nonce, lease_seconds: seconds, revoked })])
    }

    /// What the agent reports of itself when it connects and when something changed.
    pub(super) async fn agent_status(&self, agent: &AgentCaller, status: Status) -> Result<Vec<ServerFrame>> {
        for seen in status.targets {
            if self.is_in_hand(agent, seen.target_id, &status.tasks).await? {
                // What is seen there is on its way to something else.
                continue;
            }
            self.settle_by_observation(agent, seen.clone()).await?;
            self.stickers_seen(agent, &seen).await?;
        }
        Ok(Vec::new())
    }
}

impl App {
    /// Whether one of the tasks that the agent holds is about this target.
    async fn is_in_hand(&self, agent: &AgentCaller, target: TargetId, held: &[HeldTask]) -> Result<bool> {
        let ids: Vec<TaskId> = held.iter().take(1000).map(|one| one.task_id).collect();
        if ids.is_empty() {
            return Ok(false);
        }
        self.store
            .read(agent.scope(), "agent_status", move |tx| {
                for id in &ids {
                    if resource::find::<TaskRow>(tx, *id)?.is_some_and(|row| row.task.target_id == target) {
                        return Ok(true);
                    }
                }
                Ok(false)
            })
            .await
    }
}

const fn may_act(status: TaskStatus) -> bool {
    status.is_in_hand()
}
