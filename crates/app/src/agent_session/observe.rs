//! Asking an agent about a target, and settling targets by what it sees.

use std::time::Duration;

use plimsoll_core::{Error, ErrorCode, Result, id::TenantId, inventory::Target};
use plimsoll_protocol::agent::{
    ServerFrame,
    observe::{ObserveKind, ObserveReport, TargetObservation},
};
use plimsoll_store::{
    Lock, Scope,
    deployment::fence,
    observation::{self, Question},
    resource,
};

use super::{AgentCaller, parse_uuid};
use crate::{
    App,
    agent::Agents,
    deployment::{self, reconcile::Settled},
};

impl App {
    /// Asks the target's agent, wherever it hangs, and waits up to `seconds`. `None` when it did not
    /// answer in time.
    pub async fn observe_target(
        &self,
        tenant: TenantId,
        target: &Target,
        kind: ObserveKind,
        seconds: u32,
    ) -> Result<Option<TargetObservation>> {
        let scope = Scope::Tenant(tenant);
        let wanted = target.clone();
        let acts = self.store.read(scope, "observe_agent", move |tx| Agents::default().of(tx, &wanted)).await?;
        let Some(agent) = acts.map(|agent| agent.id) else { return Ok(None) };
        let word = serde_json::to_value(kind)
            .ok()
            .and_then(|word| word.as_str().map(str::to_owned))
            .ok_or_else(|| Error::internal_defect("a kind of observation has no word"))?;
        let now = self.context.now();
        let (id, deadline) = (self.context.uuid(), now.plus_seconds(i64::from(seconds)));
        let question = Question { id, target: target.id, kind: word, deadline };
        let mut waiter = self.store.wake().waiter();
        self.store.write(scope, "observe_ask", move |tx| observation::ask(tx, agent, &question, now)).await?;
        loop {
            let report = self.store.read(scope, "observe_report", move |tx| observation::report(tx, id)).await?;
            if let Some(report) = report {
                let report: TargetObservation = serde_json::from_str(&report)
                    .map_err(|cause| Error::internal_defect(format!("a stored report does not fit: {cause}")))?;
                return Ok(Some(report));
            }
            let left = deadline.micros_since(self.context.now());
            if left <= 0 {
                return Ok(None);
            }
            waiter.wait(Duration::from_micros(left.unsigned_abs()).min(Duration::from_millis(500))).await;
        }
    }

    /// Keeps an agent's answer for whoever asked.
    pub(super) async fn target_observed(&self, agent: &AgentCaller, report: ObserveReport) -> Result<Vec<ServerFrame>> {
        let id = parse_uuid(&report.request_id)
            .ok_or_else(|| Error::new(ErrorCode::ValidationFailed, "the report answers no question of ours"))?;
        let text = serde_json::to_string(&report.seen)
            .map_err(|cause| Error::internal_defect(format!("a report is not JSON: {cause}")))?;
        // Kept before the answer: whoever asked then finds it.
        self.stickers_seen(agent, &report.seen).await?;
        let asked = agent.id;
        self.store.write(agent.scope(), "observe_answer", move |tx| observation::answer(tx, asked, id, &text)).await?;
        self.settle_by_observation(agent, report.seen).await?;
        Ok(Vec::new())
    }

    /// A target that waits for reconciliation is settled by what runs there, unless its agent still works
    /// on it.
    pub(super) async fn settle_by_observation(&self, agent: &AgentCaller, seen: TargetObservation) -> Result<()> {
        let id = agent.id;
        self.act(&agent.principal, "target_settle", move |tx, notes| {
            tx.lock(&Lock::Target(seen.target_id))?;
            let Some(mut target) = resource::find::<Target>(tx, seen.target_id)? else { return Ok(()) };
            let theirs = Agents::default().of(tx, &target)?.is_some_and(|chosen| chosen.id == id);
            if theirs && fence::lift(tx, seen.target_id, seen.epoch)? {
                tracing::warn!(target = %seen.target_id, epoch = seen.epoch, "a target knows a higher epoch than the database");
            }
            if !theirs || !target.reconciliation_pending || seen.error.is_some() {
                return Ok(());
            }
            match deployment::reconcile::settle(tx, notes, &mut target, &seen)? {
                Settled::NotYet => return Ok(()),
                Settled::Yes => target.reconciliation_pending = false,
            }
            target.updated_at = notes.now();
            resource::update_observed(tx, &target)?;
            let data = resource::as_json(&target)?;
            notes.event("target", target.id, None, "target.settled", data);
            Ok(())
        })
        .await
    }
}
