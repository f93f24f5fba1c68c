//! Evidence packets and version stickers as people see them. How they are made is in the evidence crate.

pub mod predicate;
pub mod schema;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    Digest, Timestamp,
    id::{ComponentId, EnvironmentId, EvidencePacketId, JobId, PromotionId, ReleaseId, StickerId, TargetId},
    words::words,
};

/// A signed record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EvidencePacket {
    /// Its id.
    pub id: EvidencePacketId,
    /// Of what.
    #[serde(rename = "type")]
    pub kind: EvidenceType,
    /// Whether the signature is there yet.
    pub status: EvidenceStatus,
    /// What it speaks about.
    pub subject: Vec<EvidenceSubject>,
    /// The release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release_id: Option<ReleaseId>,
    /// The release's digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release_digest: Option<Digest>,
    /// Where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment_id: Option<EnvironmentId>,
    /// The promotion.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promotion_id: Option<PromotionId>,
    /// The job.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment_job_id: Option<JobId>,
    /// When it was sealed.
    pub created_at: Timestamp,
    /// The in-toto statement.
    pub statement: serde_json::Value,
    /// The DSSE envelope, once signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub envelope: Option<serde_json::Value>,
    /// The key that signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key_id: Option<String>,
    /// Its place in the log, once taken in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_index: Option<u64>,
    /// Why it can't be signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// The people whose names the statement holds as hashes. Lists leave them out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub people: Vec<EvidencePerson>,
}

/// The name of somebody whom a statement names by id and hash. It is kept beside the packet, so that it can
/// be erased and the signature still fits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EvidencePerson {
    /// The user, client or agent.
    #[schema(value_type = String, format = Uuid)]
    pub id: Uuid,
    /// The name at that time.
    pub name: String,
    /// What stands in the statement: SHA-256 of the salt and the name, in UTF-8, one after the other.
    pub name_hash: Digest,
    /// The salt, 32 bytes in hex.
    pub salt: String,
}

/// What a packet records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceType {
    /// A promotion left the door for good.
    PromotionDecision,
    /// A job ended.
    Deployment,
    /// A rollback ended.
    Rollback,
    /// A progressive rollout ended.
    AbRelease,
    /// A promotion left the door for good, and gates were overridden: in place of `promotion_decision`.
    Override,
    /// A rule was changed.
    GovernanceChange,
}

words!(EvidenceType, "type of evidence", {
    PromotionDecision = "promotion_decision",
    Deployment = "deployment",
    Rollback = "rollback",
    AbRelease = "ab_release",
    Override = "override",
    GovernanceChange = "governance_change",
});

/// How far a packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EvidenceStatus {
    /// Its bytes stand fast.
    Sealed,
    /// And they are signed.
    Signed,
    /// They can't be signed as they are; `problem` says why.
    Unsignable,
}

words!(EvidenceStatus, "status of evidence", {
    Sealed = "sealed",
    Signed = "signed",
    Unsignable = "unsignable",
});

/// One thing that a packet speaks about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EvidenceSubject {
    /// Its name, such as an image's repository.
    pub name: String,
    /// Its digest.
    pub digest: Digest,
}

/// The public half of a key that signs evidence, stickers and orders: all that offline verification needs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EvidenceKey {
    /// `SHA256:` and the fingerprint, as OpenSSH prints it.
    pub key_id: String,
    /// The key, SPKI in PEM.
    pub public_key_pem: String,
    /// Whether new evidence is signed with it; the others verify what is older.
    pub current: bool,
}

/// The record left on a target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct VersionSticker {
    /// Its id.
    pub id: StickerId,
    /// On which target.
    pub target_id: TargetId,
    /// Where.
    pub environment_id: EnvironmentId,
    /// Which application.
    pub application: String,
    /// In which release.
    pub release_id: ReleaseId,
    /// Its version, for people.
    pub release_version: String,
    /// What it is made of.
    pub components: Vec<StickerComponent>,
    /// The promotion that brought it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promotion_id: Option<PromotionId>,
    /// The job that brought it.
    pub deployment_job_id: JobId,
    /// The target's fence when it was signed.
    pub epoch: u64,
    /// When the agent placed it.
    pub written_at: Timestamp,
    /// The DSSE envelope.
    pub signature: serde_json::Value,
    /// When it was last read back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_at: Option<Timestamp>,
    /// What the last reading found.
    pub verification: StickerVerification,
    /// When another one took its place, or the application was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub superseded_at: Option<Timestamp>,
}

/// One component on a sticker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StickerComponent {
    /// Which component.
    pub component_id: ComponentId,
    /// Its name.
    pub name: String,
    /// What runs.
    pub digest: Digest,
}

/// What reading a sticker back found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StickerVerification {
    /// Not read back yet.
    Unverified,
    /// There, and its signature verifies.
    Verified,
    /// There, and its signature does not verify.
    BadSignature,
    /// Another one is there.
    Differs,
    /// Nothing is there.
    Missing,
}

words!(StickerVerification, "verification", {
    Unverified = "unverified",
    Verified = "verified",
    BadSignature = "bad_signature",
    Differs = "differs",
    Missing = "missing",
});
