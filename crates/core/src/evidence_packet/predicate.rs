//! What the statements of packets say, predicate by predicate. The JSON Schemas under
//! `docs/reference/evidence` are made of these types.
//!
//! Two things differ in the sealed JSON: wherever an [`Actor`] stands, the name is replaced by `nameHash`;
//! and a statement that would be too large leaves out its largest fields and names them in `omitted`.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    Digest, Timestamp,
    actor::Actor,
    deployment::{
        Cancellation, JobFailure, JobKind, JobStatus, Plan, Rollback, TaskComponent, TaskError, TaskKind, TaskStatus,
    },
    environment::{GateType, Strategy},
    id::{EnvironmentId, JobId, PromotionId, ReleaseId, TargetId, TaskId},
    promotion::{
        Approval, Decision, DecisionInputs, DecisionOutcome, GateVerdict, Override, PromotionStatus, SubjectChange,
    },
};

/// Why a release might or might not enter an environment.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DecisionPredicate {
    /// The promotion.
    pub promotion_id: PromotionId,
    /// How it left the door.
    pub status: PromotionStatus,
    /// The application.
    pub application: String,
    /// What.
    pub release_id: ReleaseId,
    /// Its version.
    pub release_version: String,
    /// The digest that it was sealed with.
    pub release_digest: Digest,
    /// Whereto.
    pub environment_id: EnvironmentId,
    /// Who asked.
    pub requested_by: Actor,
    /// When.
    pub requested_at: Timestamp,
    /// Why.
    pub reason: Option<String>,
    /// Not before.
    pub scheduled_for: Option<Timestamp>,
    /// How the targets are gone over.
    pub strategy: Strategy,
    /// Gates that should not hold it up, and why.
    #[serde(rename = "override")]
    pub override_request: Option<Override>,
    /// What is done where.
    pub plan: Plan,
    /// What approvals are given for.
    pub subject_hash: Digest,
    /// The promotion that took its place.
    pub superseded_by: Option<PromotionId>,
    /// The job that carries it out.
    pub deployment_job_id: Option<JobId>,
    /// What the decision was made from: enough to make it again.
    pub inputs: DecisionInputs,
    /// SHA-256 of the canonical JSON of the inputs.
    pub inputs_hash: Digest,
    /// The decision.
    pub decision: Decision,
    /// The evaluations before it whose verdicts were others, oldest first.
    pub history: Vec<PastDecision>,
    /// Who agreed and who did not.
    pub approvals: Vec<Approval>,
    /// Whether it was asked for on condition that nothing blocks it; then a blocked one starts nothing and is not kept.
    pub fail_if_blocked: bool,
}

/// An evaluation before the last one: its verdicts, without the data that they were made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PastDecision {
    /// What followed.
    pub outcome: DecisionOutcome,
    /// For which instant it was made.
    pub evaluated_at: Timestamp,
    /// Each gate in order.
    pub gates: Vec<PastVerdict>,
    /// The version of the code that decided.
    pub engine_version: u32,
    /// What was to be approved changed after this evaluation, and approvals were void.
    pub subject_change: Option<SubjectChange>,
}

/// The verdict of one gate in an earlier evaluation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PastVerdict {
    /// Which gate.
    pub gate: GateType,
    /// The version of its code.
    pub version: u32,
    /// What it said.
    pub verdict: GateVerdict,
    /// Why.
    pub reason: String,
}

impl From<&Decision> for PastDecision {
    fn from(one: &Decision) -> Self {
        let gates = one.gates.iter().map(|gate| PastVerdict {
            gate: gate.gate,
            version: gate.version,
            verdict: gate.verdict,
            reason: gate.reason.clone(),
        });
        Self {
            outcome: one.outcome,
            evaluated_at: one.evaluated_at,
            gates: gates.collect(),
            engine_version: one.engine_version,
            subject_change: one.subject_change.clone(),
        }
    }
}

/// What a deployment or a rollback did on each target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct JobPredicate {
    /// The job.
    pub job_id: JobId,
    /// What for.
    pub kind: JobKind,
    /// How it ended.
    pub status: JobStatus,
    /// The application.
    pub application: String,
    /// Where.
    pub environment_id: EnvironmentId,
    /// The release that came.
    pub release_id: ReleaseId,
    /// Its version.
    pub release_version: String,
    /// The digest that it was sealed with.
    pub release_digest: Option<Digest>,
    /// The release that ran before.
    pub from_release_id: Option<ReleaseId>,
    /// The promotion that it carried out.
    pub promotion_id: Option<PromotionId>,
    /// Who was behind it.
    pub requested_by: Actor,
    /// How the targets were gone over.
    pub strategy: Strategy,
    /// What was to be done where.
    pub plan: Plan,
    /// Why it failed.
    pub failure: Option<JobFailure>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When the first task was offered.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// What was done on each target, and what ran there before and after.
    pub targets: Vec<TargetOutcome>,
    /// Whether secrets were read anew, not as they were with the release.
    pub secrets_read_anew: bool,
    /// Who stopped it.
    pub cancellation: Option<Cancellation>,
    /// Of a rollback: why, and what it meant for others.
    pub rollback: Option<RollbackFacts>,
}

/// What became of one task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetOutcome {
    /// The task.
    pub task_id: TaskId,
    /// Where.
    pub target_id: TargetId,
    /// Its name.
    pub target_name: String,
    /// Whether it brought something or put it back.
    pub kind: TaskKind,
    /// How it ended.
    pub status: TaskStatus,
    /// The target's fence, as text: it may be beyond what JSON's numbers keep.
    pub epoch: String,
    /// What became of each component.
    pub components: Vec<TaskComponent>,
    /// Why it did not succeed.
    pub error: Option<TargetError>,
    /// What it was to run with.
    pub spec_digest: Option<Digest>,
    /// SHA-256 of the canonical JSON of the sticker that was left there.
    pub sticker_digest: Option<Digest>,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

/// Why a task did not succeed. The last lines of the log stand in the job's artifact `health-report`; here
/// is their digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetError {
    /// A stable word.
    pub code: String,
    /// What was wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Which component it was about.
    pub component: Option<String>,
    /// How many lines of its log were kept.
    pub log_lines: u64,
    /// SHA-256 of the canonical JSON of the list of these lines.
    pub log_digest: Option<Digest>,
    /// The exit code of a container that ended.
    pub exit_code: Option<i64>,
    /// Whether the kernel killed it for its memory.
    pub oom_killed: bool,
}

impl TargetError {
    /// What of `error` is sealed.
    pub fn of(error: &TaskError) -> crate::Result<Self> {
        let lines = Some(&error.log_tail).filter(|lines| !lines.is_empty());
        Ok(Self {
            code: error.code.clone(),
            message: error.message.clone(),
            hint: error.hint.clone(),
            component: error.component.clone(),
            log_lines: error.log_tail.len() as u64,
            log_digest: lines.map(crate::canonical::digest).transpose()?,
            exit_code: error.exit_code,
            oom_killed: error.oom_killed,
        })
    }
}

/// Why something was put back, and what it meant for others.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RollbackFacts {
    /// Why.
    pub reason: String,
    /// The promotion that was undone.
    pub undoes_promotion_id: Option<PromotionId>,
    /// Promotions that it holds back.
    pub held_promotion_ids: Vec<PromotionId>,
    /// Jobs that it stopped.
    pub stopped_job_ids: Vec<JobId>,
    /// Images whose registry could not be asked whether they are still there.
    pub unchecked_images: Vec<String>,
}

impl From<&Rollback> for RollbackFacts {
    fn from(one: &Rollback) -> Self {
        Self {
            reason: one.reason.clone(),
            undoes_promotion_id: one.undoes_promotion_id,
            held_promotion_ids: one.held_promotion_ids.clone(),
            stopped_job_ids: one.stopped_job_ids.clone(),
            unchecked_images: one.unchecked_images.clone(),
        }
    }
}

/// Who changed what decides about an environment, from what to what, and why.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GovernancePredicate {
    /// The environment.
    pub environment_id: EnvironmentId,
    /// What kind of thing was changed.
    pub resource: String,
    /// Which one.
    #[schema(value_type = String, format = Uuid)]
    pub resource_id: Uuid,
    /// Its name.
    pub name: String,
    /// Why.
    pub reason: String,
    /// What was; `null` when it is new.
    pub before: Value,
    /// What is; `null` when it was removed.
    pub after: Value,
    /// By whom.
    pub changed_by: Actor,
    /// When.
    pub changed_at: Timestamp,
    /// The request.
    pub request_id: String,
    /// The operation.
    pub operation: String,
}

/// A field that a statement leaves out because it would be too large with it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OmittedField {
    /// Which field of the predicate.
    pub field: String,
    /// SHA-256 of its canonical JSON.
    pub digest: Digest,
    /// How large that is.
    pub bytes: u64,
}

/// What was put on one target: the predicate of a version sticker, for its schema. The evidence crate writes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StickerPredicate {
    /// The target.
    pub target_id: TargetId,
    /// Its name.
    pub target_name: String,
    /// The application.
    pub application: String,
    /// The release.
    pub release: StickerReleaseFacts,
    /// The components of the release on this target, which are the statement's subjects too.
    pub components: Vec<StickerComponentFacts>,
    /// The job.
    pub job_id: JobId,
    /// The target's fence; of two stickers the higher one is the later.
    pub epoch: u64,
    /// When the server signed it.
    pub issued_at: Timestamp,
}

/// The release that a sticker names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StickerReleaseFacts {
    /// Its id.
    pub id: ReleaseId,
    /// Its version.
    pub version: String,
    /// The digest that it was sealed with.
    pub digest: Digest,
}

/// A component that a sticker names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StickerComponentFacts {
    /// Its name.
    pub name: String,
    /// The image's digest.
    pub digest: Digest,
}
