//! Orders for tasks that were given to an agent: made and signed outside any transaction, kept under the
//! epoch that the assignment raised. A crash in between leaves an assigned task without an order, which
//! the next step signs.

use plimsoll_core::{
    Error, ErrorCode, Result,
    audit::Principal,
    deployment::{DeploymentJob, Task, TaskKind, TaskStatus},
    id::JobId,
    inventory::Target,
};
use plimsoll_evidence::{SigningKey, Sticker, StickerComponent, StickerEnvelope, StickerRelease};
use plimsoll_protocol::agent::order::{ORDER_PAYLOAD_TYPE, OrderHints, OrderKind, TaskOrder};
use plimsoll_store::{
    Scope,
    deployment::{
        self as rows, TaskRow,
        order::{self, KeptOrder},
        spec::{self, JobSpec},
    },
    resource,
};

use super::{
    artifact::{self, Of},
    brought_by,
};
use crate::{App, agent_session::target_info};

impl App {
    /// Signs the orders of a job's assigned tasks that have none yet.
    pub(super) async fn sign_orders(&self, system: &Principal, job: JobId) -> Result<()> {
        let scope = Scope::Tenant(system.tenant);
        let waiting = self
            .store
            .read(scope, "orders_to_sign", move |tx| {
                let known: DeploymentJob = resource::get(tx, job)?;
                let mut out = Vec::new();
                for row in rows::tasks_of(tx, job)? {
                    if row.task.status != TaskStatus::Assigned || order::has_order(tx, row.task.id, row.task.epoch)? {
                        continue;
                    }
                    // A target that was deleted meanwhile gets no order; its task is given up at its deadline.
                    let Some(target) = resource::find::<Target>(tx, row.task.target_id)? else { continue };
                    if let Some(kept) = spec::find(tx, job, row.task.target_id)? {
                        out.push((row, target, kept));
                    }
                }
                Ok((known, out))
            })
            .await?;
        let (known, waiting) = waiting;
        if waiting.is_empty() {
            return Ok(());
        }
        let signer = self.signer(system.tenant).await?;
        for (row, target, kept) in waiting {
            let order = self.order(&signer, &known, &row.task, &target, &kept)?;
            let deadline = self.answer_due();
            let (id, now) = (self.context.id(), self.context.now());
            let brought = brought_by(&row.task, &kept).cloned();
            crate::failpoint::hit("server::offer_signed");
            self.store
                .write(scope, "order_keep", move |tx| {
                    let current: TaskRow = resource::get(tx, row.task.id)?;
                    if current.task.epoch != row.task.epoch || current.task.status != TaskStatus::Assigned {
                        return Ok(());
                    }
                    if let Some(spec) = &brought {
                        artifact::keep(tx, id, Of::Task(&row.task), "deployment-spec", spec, now)?;
                    }
                    tx.wake_after_commit();
                    order::keep(tx, &order, deadline)
                })
                .await?;
            crate::failpoint::hit("server::offer_written");
        }
        Ok(())
    }

    fn order(
        &self,
        signer: &SigningKey,
        job: &DeploymentJob,
        task: &Task,
        target: &Target,
        kept: &JobSpec,
    ) -> Result<KeptOrder> {
        let agent_id = task.agent_id.ok_or_else(|| {
            Error::new(ErrorCode::StateConflict, format!("the target {} has no agent; give it one", target.name))
        })?;
        let spec = brought_by(task, kept).cloned();
        let previous = match task.kind {
            TaskKind::Forward => kept.previous.clone(),
            TaskKind::Rollback => kept.spec.clone(),
        };
        let sticker = spec
            .as_ref()
            .map(|spec| StickerEnvelope::sign(&sticker(spec, job, task, target, self.context.now()), signer))
            .transpose()?
            .map(|envelope| envelope.as_str().to_owned());
        let order = TaskOrder {
            task_id: task.id,
            job_id: job.id,
            agent_id,
            epoch: task.epoch,
            issued_at: self.context.now(),
            kind: match (task.kind, &spec) {
                (_, None) => OrderKind::Teardown,
                (TaskKind::Forward, Some(_)) => OrderKind::Deploy,
                (TaskKind::Rollback, Some(_)) => OrderKind::Rollback,
            },
            target: target_info(target)?,
            application: job.application.clone(),
            spec,
            previous,
            hints: self.hints(job, task),
            sticker,
        };
        let text = serde_json::to_string(&order)
            .map_err(|cause| Error::internal_defect(format!("an order is not JSON: {cause}")))?;
        let signed = signer.sign_payload(ORDER_PAYLOAD_TYPE, text.as_bytes())?;
        let signature = signed
            .signatures
            .into_iter()
            .next()
            .map(|one| one.sig)
            .ok_or_else(|| Error::internal_defect("an order was signed without a signature"))?;
        Ok(KeptOrder { task: task.id, epoch: task.epoch, text, signature, key_id: signer.key_id().to_owned() })
    }
}

impl App {
    /// What is put back is not watched: it ran before. The time of the watch comes on top of a task's own.
    fn hints(&self, job: &DeploymentJob, task: &Task) -> OrderHints {
        let usual = OrderHints::default();
        let watch_seconds = match task.kind {
            TaskKind::Forward => job.strategy.watch_seconds(),
            TaskKind::Rollback => 0,
        };
        OrderHints {
            watch_seconds,
            deadline_seconds: usual.deadline_seconds.saturating_add(watch_seconds),
            allow_process_host: self.settings.allow_process_hosts,
            ..usual
        }
    }
}

fn sticker(
    spec: &plimsoll_core::deployment::spec::DeploymentSpec,
    job: &DeploymentJob,
    task: &Task,
    target: &Target,
    now: plimsoll_core::Timestamp,
) -> Sticker {
    Sticker {
        target_id: target.id,
        target_name: target.name.clone(),
        application: spec.application.clone(),
        release: StickerRelease {
            id: spec.release_id,
            version: spec.release_version.clone(),
            digest: spec.release_digest,
        },
        components: spec
            .components
            .iter()
            .map(|one| StickerComponent { name: one.name.clone(), digest: one.image.digest })
            .collect(),
        job_id: job.id,
        epoch: task.epoch,
        issued_at: now,
    }
}
