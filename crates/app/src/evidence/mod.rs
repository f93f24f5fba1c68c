//! Evidence: sealed in the deciding transaction, signed a moment later, read and downloaded.

pub mod sign;

use std::collections::BTreeMap;

use plimsoll_core::{
    Digest, Error, ErrorCode, Result, canonical,
    deployment::{DeploymentJob, JobKind},
    evidence_packet::{EvidencePacket, EvidenceStatus, EvidenceSubject, EvidenceType},
    id::EvidencePacketId,
};
use plimsoll_evidence::{Packet, PredicateType, Statement, Subject};
use plimsoll_store::{
    Tx,
    deployment::{self as rows, spec},
    evidence_packet::{self, PacketRow},
    resource::{self, ListQuery, Listing, Resource as _},
    rollback::RollbackRow,
    version_sticker,
};
use serde_json::{Value, json};

use crate::{App, Caller, Notes};

/// In which form a packet is downloaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketFormat {
    /// The Sigstore bundle, as it was signed.
    Bundle,
    /// The bare DSSE envelope.
    Dsse,
}

impl App {
    /// A page of packets about environments that the caller may see.
    pub async fn evidence_packet_list(&self, caller: &Caller, query: ListQuery) -> Result<Listing<EvidencePacket>> {
        let query = match caller.environments() {
            None => query,
            Some(ids) => query.within(&PacketRow::TABLE, &json!({ "environmentId": { "$in": ids } }))?,
        };
        let page = self.store.list::<PacketRow>(caller.scope(), "evidence_packet_list", query).await?;
        Ok(page.map(|row| row.packet))
    }

    /// One packet.
    pub async fn evidence_packet_get(&self, caller: &Caller, id: EvidencePacketId) -> Result<EvidencePacket> {
        let owned = caller.clone();
        self.store.read(caller.scope(), "evidence_packet_get", move |tx| visible(tx, &owned, id)).await
    }

    /// A signed packet's exact bytes.
    pub async fn evidence_packet_download(
        &self,
        caller: &Caller,
        id: EvidencePacketId,
        format: PacketFormat,
    ) -> Result<Vec<u8>> {
        let owned = caller.clone();
        let bytes = self
            .store
            .read(caller.scope(), "evidence_packet_download", move |tx| {
                visible(tx, &owned, id)?;
                evidence_packet::bytes(tx, id)
            })
            .await?
            .ok_or_else(|| {
                Error::new(ErrorCode::StateConflict, "the packet is sealed but not signed yet; ask again in a second")
            })?;
        match format {
            PacketFormat::Bundle => Ok(bytes),
            PacketFormat::Dsse => {
                let packet = Packet::parse(&bytes)?;
                Ok(Packet::Envelope(packet.envelope().clone()).to_canonical()?)
            }
        }
    }
}

/// A packet about an environment that the caller may see; one that is about none belongs to the whole tenant.
fn visible(tx: &mut Tx<'_>, caller: &Caller, id: EvidencePacketId) -> Result<EvidencePacket> {
    let packet = resource::get::<PacketRow>(tx, id)?.packet;
    match packet.environment_id {
        Some(environment) => caller.may_in(environment)?,
        None => caller.may_everywhere()?,
    }
    Ok(packet)
}

/// A packet before it has a number: what it is about and what it says.
pub(crate) struct Draft {
    pub(crate) kind: EvidenceType,
    pub(crate) predicate: PredicateType,
    pub(crate) subjects: BTreeMap<String, Digest>,
    pub(crate) says: Value,
}

/// Seals a packet in the running transaction; `fill` sets what it belongs to.
pub(crate) fn seal(
    tx: &mut Tx<'_>,
    notes: &mut Notes,
    draft: Draft,
    fill: impl FnOnce(&mut EvidencePacket),
) -> Result<EvidencePacketId> {
    let subjects = draft.subjects.iter().map(|(name, digest)| Subject::new(name.clone(), *digest)).collect();
    let statement = Statement::new(draft.predicate, subjects, &draft.says)?;
    let canonical = statement.to_canonical()?;
    let mut packet = EvidencePacket {
        id: notes.id(),
        kind: draft.kind,
        status: EvidenceStatus::Sealed,
        subject: draft.subjects.into_iter().map(|(name, digest)| EvidenceSubject { name, digest }).collect(),
        release_id: None,
        release_digest: None,
        environment_id: None,
        promotion_id: None,
        deployment_job_id: None,
        created_at: notes.now(),
        statement: serde_json::from_slice(&canonical)
            .map_err(|cause| Error::internal_defect(format!("a statement is not JSON: {cause}")))?,
        envelope: None,
        key_id: None,
        log_index: None,
    };
    fill(&mut packet);
    evidence_packet::seal(tx, &packet, &canonical)?;
    crate::failpoint::hit("server::evidence_sealed");
    Ok(packet.id)
}

/// Seals what a job did: its plan, and what each target ran before and after.
pub(crate) fn seal_job(tx: &mut Tx<'_>, notes: &mut Notes, job: &mut DeploymentJob) -> Result<()> {
    let mut subjects = BTreeMap::new();
    let mut targets = Vec::new();
    let mut release_digest = None;
    let stickers = version_sticker::of_job(tx, job.id)?;
    for row in rows::tasks_of(tx, job.id)? {
        let placed = stickers.get(&(row.task.target_id, row.task.epoch));
        let kept = spec::find(tx, job.id, row.task.target_id)?;
        if let Some(spec) = kept.as_ref().and_then(|kept| kept.spec.as_ref()) {
            release_digest = Some(spec.release_digest);
            subjects.extend(spec.components.iter().map(|one| (one.name.clone(), one.image.digest)));
        }
        targets.push(json!({
            "taskId": row.task.id, "targetId": row.task.target_id, "targetName": row.task.target_name,
            "kind": row.task.kind, "status": row.task.status, "epoch": row.task.epoch.to_string(),
            "components": row.task.components, "error": row.task.error,
            "specDigest": kept.map(|kept| kept.digest),
            "stickerDigest": placed.map(|one| canonical::digest(&one.signature)).transpose()?,
            "startedAt": row.task.started_at, "finishedAt": row.task.finished_at,
        }));
    }
    if subjects.is_empty() {
        // Nothing of the application is left anywhere: the plan itself is what the packet is about.
        subjects.insert("plan".to_owned(), job.plan.hash);
    }
    let (kind, predicate) = match job.kind {
        JobKind::Rollback => (EvidenceType::Rollback, PredicateType::Rollback),
        JobKind::Deploy | JobKind::Redeploy => (EvidenceType::Deployment, PredicateType::Deployment),
    };
    let says = json!({
        "jobId": job.id, "kind": job.kind, "status": job.status, "application": job.application,
        "environmentId": job.environment_id, "releaseId": job.release_id, "releaseVersion": job.release_version,
        "releaseDigest": release_digest, "fromReleaseId": job.from_release_id, "promotionId": job.promotion_id,
        "requestedBy": job.requested_by, "strategy": job.strategy, "plan": job.plan, "failure": job.failure,
        "createdAt": job.created_at, "startedAt": job.started_at, "finishedAt": job.finished_at, "targets": targets,
        "secretsReadAnew": job.kind == JobKind::Rollback, "cancellation": job.cancellation,
        "rollback": resource::find::<RollbackRow>(tx, job.id)?.map(|row| json!({
            "reason": row.rollback.reason, "undoesPromotionId": row.rollback.undoes_promotion_id,
            "heldPromotionIds": row.rollback.held_promotion_ids, "stoppedJobIds": row.rollback.stopped_job_ids,
            "uncheckedImages": row.rollback.unchecked_images,
        })),
    });
    let known = job.clone();
    let id = seal(tx, notes, Draft { kind, predicate, subjects, says }, |packet| {
        packet.release_id = Some(known.release_id);
        packet.release_digest = release_digest;
        packet.environment_id = Some(known.environment_id);
        // A decision's packet is found by its promotion; a job's by its job.
        packet.deployment_job_id = Some(known.id);
    })?;
    job.evidence_packet_ids.push(id);
    Ok(())
}
