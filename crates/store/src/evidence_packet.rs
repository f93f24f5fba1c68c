//! Evidence packets as rows: the statement's exact bytes from the deciding transaction, the envelope from
//! the signer.

use std::collections::BTreeSet;

use plimsoll_core::{
    Digest, Error, Result, Timestamp,
    evidence_packet::{EvidencePacket, EvidencePerson, EvidenceStatus},
    id::{EvidencePacketId, JobId, PromotionId, TenantId},
};

use crate::{
    IntoValue, Tx, Value, params,
    resource::{self, Among, Field, FieldKind, Indexed, Resource, Table},
};

/// The digests that a packet is about: of its images, its release, its plan or its rule.
const SUBJECTS: Among = Among { table: "evidence_subject", owner: "packet_id" };

/// A packet with what guards its row.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PacketRow {
    /// The packet as people see it.
    #[serde(flatten)]
    pub packet: EvidencePacket,
    /// Rises when the envelope comes.
    pub revision: i64,
}

impl Resource for PacketRow {
    type Id = EvidencePacketId;
    const TABLE: Table = Table {
        name: "evidence_packet",
        noun: "evidence packet",
        fields: &[
            Field {
                api: "type",
                column: "type",
                kind: FieldKind::Enum(&[
                    "promotion_decision",
                    "deployment",
                    "rollback",
                    "ab_release",
                    "override",
                    "governance_change",
                ]),
                sortable: true,
            },
            Field { api: "environmentId", column: "environment_id", kind: FieldKind::Id, sortable: false },
            Field { api: "releaseId", column: "release_id", kind: FieldKind::Id, sortable: false },
            Field { api: "releaseDigest", column: "release_digest", kind: FieldKind::Text, sortable: false },
            Field { api: "promotionId", column: "promotion_id", kind: FieldKind::Id, sortable: false },
            Field { api: "deploymentJobId", column: "job_id", kind: FieldKind::Id, sortable: false },
            Field { api: "keyId", column: "key_id", kind: FieldKind::Text, sortable: false },
            Field { api: "signed", column: "signed", kind: FieldKind::Bool, sortable: false },
            Field { api: "digest", column: "digest", kind: FieldKind::Among(SUBJECTS), sortable: false },
        ],
        indexed: &[
            Indexed::new(&[], "createdAt"),
            Indexed::new(&["promotionId"], ""),
            Indexed::new(&["deploymentJobId"], ""),
        ],
    };
    fn id(&self) -> EvidencePacketId {
        self.packet.id
    }
    fn created_at(&self) -> Timestamp {
        self.packet.created_at
    }
    fn revision(&self) -> i64 {
        self.revision
    }
    fn set_revision(&mut self, revision: i64) {
        self.revision = revision;
    }
    fn declared(&self) -> Vec<Value<'_>> {
        vec![
            self.packet.kind.as_str().into_value(),
            self.packet.environment_id.into_value(),
            self.packet.release_id.into_value(),
            self.packet.release_digest.into_value(),
            self.packet.promotion_id.into_value(),
            self.packet.deployment_job_id.into_value(),
            self.packet.key_id.as_deref().into_value(),
            (self.packet.status == EvidenceStatus::Signed).into_value(),
        ]
    }
}

/// Seals a packet: its row, the statement's exact canonical bytes, the digests that it is about, and the names
/// of people that the statement holds as hashes. A second packet for the same decision or job is a defect, and
/// undoes the transaction that would seal it.
pub fn seal(tx: &mut Tx<'_>, packet: &EvidencePacket, statement: &[u8], people: &[EvidencePerson]) -> Result<()> {
    let tenant = tx.tenant()?;
    let row = PacketRow { packet: packet.clone(), revision: 1 };
    let body = resource::body(&row)?;
    let new = tx.execute(
        "INSERT INTO evidence_packet (tenant_id, id, revision, created_at, body, type, environment_id, release_id,
           release_digest, promotion_id, job_id, key_id, signed, statement, statement_digest)
         VALUES ($1, $2, 1, $3, $4, $5, $6, $7, $8, $9, $10, NULL, 0, $11, $12) ON CONFLICT DO NOTHING",
        params![
            tenant,
            packet.id,
            packet.created_at,
            body,
            packet.kind.as_str(),
            packet.environment_id,
            packet.release_id,
            packet.release_digest,
            packet.promotion_id,
            packet.deployment_job_id,
            statement,
            Digest::of(statement)
        ],
    )?;
    if new != 1 {
        return Err(Error::internal_defect(format!("there is a {} packet of this already", packet.kind)));
    }
    let digests: BTreeSet<Digest> = packet.subject.iter().map(|one| one.digest).chain(packet.release_digest).collect();
    for digest in digests {
        tx.execute(
            "INSERT INTO evidence_subject (tenant_id, digest, packet_id) VALUES ($1, $2, $3)",
            params![tenant, digest, packet.id],
        )?;
    }
    for person in people {
        tx.execute(
            "INSERT INTO evidence_person (tenant_id, packet_id, name_hash, person_id, name, salt)
             VALUES ($1, $2, $3, $4, $5, $6)",
            params![tenant, packet.id, person.name_hash, person.id, &person.name, &person.salt],
        )?;
    }
    tx.wake_after_commit();
    Ok(())
}

/// The people whose names a packet's statement holds as hashes, as far as they were not erased.
pub fn people(tx: &mut Tx<'_>, packet: EvidencePacketId) -> Result<Vec<EvidencePerson>> {
    let tenant = tx.tenant()?;
    let rows = tx.query(
        "SELECT person_id, name, name_hash, salt FROM evidence_person WHERE tenant_id = $1 AND packet_id = $2
         ORDER BY name, name_hash",
        params![tenant, packet],
    )?;
    rows.into_iter()
        .map(|row| {
            let mut row = row.reader();
            Ok(EvidencePerson { id: row.next()?, name: row.next()?, name_hash: row.next()?, salt: row.next()? })
        })
        .collect()
}

/// A sealed packet that waits for its envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsigned {
    /// Whose.
    pub tenant: TenantId,
    /// Which.
    pub id: EvidencePacketId,
    /// What is to be signed, byte for byte.
    pub statement: Vec<u8>,
}

/// Sealed packets that wait for their envelope now, of any tenant, oldest first; in a system transaction.
pub fn unsigned(tx: &mut Tx<'_>, now: Timestamp, limit: u32) -> Result<Vec<Unsigned>> {
    let rows = tx.query(
        "SELECT tenant_id, id, statement FROM evidence_packet
         WHERE signed = 0 AND unsignable = 0 AND (sign_after IS NULL OR sign_after <= $1)
         ORDER BY created_at LIMIT $2",
        params![now, limit],
    )?;
    rows.into_iter()
        .map(|row| {
            let mut row = row.reader();
            Ok(Unsigned { tenant: row.next()?, id: row.next()?, statement: row.next()? })
        })
        .collect()
}

/// Lets a packet, or all unsigned ones of the tenant, wait until `until`.
pub fn postpone(tx: &mut Tx<'_>, id: Option<EvidencePacketId>, until: Timestamp) -> Result<()> {
    let tenant = tx.tenant()?;
    let waiting = "UPDATE evidence_packet SET sign_after = $2 WHERE tenant_id = $1 AND signed = 0";
    match id {
        None => tx.execute(waiting, params![tenant, until]),
        Some(id) => tx.execute(&format!("{waiting} AND id = $3"), params![tenant, until, id]),
    }
    .map(drop)
}

/// Marks a packet whose bytes can't be signed: nobody tries again, and it says why.
pub fn refuse_to_sign(tx: &mut Tx<'_>, id: EvidencePacketId, problem: &str) -> Result<()> {
    let tenant = tx.tenant()?;
    let Some(mut row) = resource::find::<PacketRow>(tx, id)? else { return Ok(()) };
    match row.packet.status {
        EvidenceStatus::Signed | EvidenceStatus::Unsignable => return Ok(()),
        EvidenceStatus::Sealed => {}
    }
    row.packet.status = EvidenceStatus::Unsignable;
    row.packet.problem = Some(problem.to_owned());
    resource::update(tx, &mut row)?;
    tx.execute("UPDATE evidence_packet SET unsignable = 1 WHERE tenant_id = $1 AND id = $2", params![tenant, id])
        .map(drop)
}

/// Adds the signed packet. One that is signed already stays as it is.
pub fn add_signature(tx: &mut Tx<'_>, id: EvidencePacketId, key_id: &str, packet: &[u8]) -> Result<()> {
    let tenant = tx.tenant()?;
    let Some(mut row) = resource::find::<PacketRow>(tx, id)? else { return Ok(()) };
    if row.packet.status == EvidenceStatus::Signed {
        return Ok(());
    }
    row.packet.status = EvidenceStatus::Signed;
    row.packet.key_id = Some(key_id.to_owned());
    let text: serde_json::Value = serde_json::from_slice(packet)
        .map_err(|cause| Error::internal_defect(format!("a signed packet is not JSON: {cause}")))?;
    row.packet.envelope = text.get("dsseEnvelope").cloned();
    resource::update(tx, &mut row)?;
    tx.execute("UPDATE evidence_packet SET packet = $3 WHERE tenant_id = $1 AND id = $2", params![tenant, id, packet])
        .map(drop)
}

/// The signed packet's exact bytes.
pub fn bytes(tx: &mut Tx<'_>, id: EvidencePacketId) -> Result<Option<Vec<u8>>> {
    let tenant = tx.tenant()?;
    let row =
        tx.query_opt("SELECT packet FROM evidence_packet WHERE tenant_id = $1 AND id = $2", params![tenant, id])?;
    Ok(row.map(crate::Row::first::<Option<Vec<u8>>>).transpose()?.flatten())
}

/// The packets of a promotion and of its jobs, oldest first.
pub fn of_promotion(tx: &mut Tx<'_>, promotion: PromotionId, jobs: &[JobId]) -> Result<Vec<PacketRow>> {
    let mut found: Vec<PacketRow> = resource::find_by(tx, "promotion_id", promotion.into_value())?;
    for job in jobs {
        for row in resource::find_by::<PacketRow>(tx, "job_id", (*job).into_value())? {
            if !found.iter().any(|known| known.packet.id == row.packet.id) {
                found.push(row);
            }
        }
    }
    found.sort_by_key(|row| (row.packet.created_at, row.packet.id));
    Ok(found)
}
