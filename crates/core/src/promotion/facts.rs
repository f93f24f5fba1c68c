//! What a decision is made from: rows as they were read, and nothing else. Sealed with the decision, so
//! that anyone can evaluate it again and reach the same verdicts.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{ApprovalPolicy, ApprovalRule, ApprovalVerdict, Maker, Override};
use crate::{
    Digest, Timestamp,
    audit::PrincipalType,
    environment::{Exemptions, FreezeWindow, GateDefinition, Occurrence, PromotesFrom, freeze::Schedule},
    id::{ApprovalId, ApprovalPolicyId, EnvironmentId, FreezeWindowId, JobId, PromotionId, ReleaseId, UserId},
    release::ReleaseStatus,
};

/// All inputs of one decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DecisionInputs {
    /// The version of the code that decides.
    pub engine_version: u32,
    /// The instant that the decision is made for.
    pub at: Timestamp,
    /// What is asked.
    pub promotion: PromotionFacts,
    /// What is promoted.
    pub release: ReleaseFacts,
    /// Whereto.
    pub environment: EnvironmentFacts,
    /// The gates in force, in order, each with the version of its code.
    pub gates: Vec<GateInForce>,
    /// The environment's freeze windows that are active or come next.
    pub freeze_windows: Vec<FreezeFacts>,
    /// How the release fares in the environments before.
    pub predecessors: Vec<PredecessorFacts>,
    /// Who must agree, and who did.
    pub approval: ApprovalFacts,
    /// Why what would be deployed can't be put together, if it can't.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unprepared: Option<Unprepared>,
}

/// Why what would be deployed can't be put together any more: a value names what is not there, a secret is
/// gone. The release can't be brought as long as that is so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Unprepared {
    /// The code of the error.
    pub code: String,
    /// What is wrong, for people.
    pub message: String,
}

impl DecisionInputs {
    /// SHA-256 of their canonical JSON.
    pub fn hash(&self) -> crate::Result<Digest> {
        crate::canonical::digest(self)
    }
}

/// The promotion's own part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PromotionFacts {
    /// Which; absent in a preview.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<PromotionId>,
    /// What approvals are given for.
    pub subject_hash: Digest,
    /// Who asked.
    pub requested_by: UserId,
    /// The roles that they hold in the environment.
    #[serde(default)]
    pub requester_roles: Vec<String>,
    /// When.
    pub requested_at: Timestamp,
    /// Not before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scheduled_for: Option<Timestamp>,
    /// Gates that shall not hold it up.
    #[serde(default, rename = "override", skip_serializing_if = "Option::is_none")]
    pub override_request: Option<Override>,
}

/// The release's part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReleaseFacts {
    /// Which.
    pub id: ReleaseId,
    /// The application.
    pub application: String,
    /// The version.
    pub version: String,
    /// The sealed digest; absent for a draft.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// How far it is.
    pub status: ReleaseStatus,
    /// Why it should not be used any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deprecation_reason: Option<String>,
    /// Whether its deprecation refuses new promotions.
    #[serde(default)]
    pub blocked: bool,
}

/// The environment's part.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EnvironmentFacts {
    /// Which.
    pub id: EnvironmentId,
    /// Its name.
    pub name: String,
    /// Its revision when it was read.
    pub revision: i64,
    /// Where a release must have been first.
    pub promotes_from: PromotesFrom,
    /// How long it must have run there.
    pub soak_seconds: u32,
}

/// A gate with the version of its code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GateInForce {
    /// Which gate, and how it is set.
    pub definition: GateDefinition,
    /// The version of its code.
    pub version: u32,
}

/// One freeze window around the decision's instant. The occurrences are sealed as counted, so that a replay
/// does not hang on the zone data of another day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FreezeFacts {
    /// Which.
    pub id: FreezeWindowId,
    /// Its name.
    pub name: String,
    /// Why nothing may be promoted.
    pub reason: String,
    /// Who may ask for an override.
    #[serde(default)]
    pub exemptions: Exemptions,
    /// The occurrence that covers the instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active: Option<Occurrence>,
    /// The next one after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<Occurrence>,
    /// Why its times could not be counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl FreezeFacts {
    /// What of `window` matters at `at`.
    #[must_use]
    pub fn of(window: &FreezeWindow, at: Timestamp) -> Self {
        let seen = Schedule::of(window).and_then(|schedule| schedule.around(at, 1));
        let problem = seen.as_ref().err().map(|error| error.message().to_owned());
        let seen = seen.unwrap_or_default();
        Self {
            id: window.id,
            name: window.name.clone(),
            reason: window.reason.clone(),
            exemptions: window.exemptions.clone(),
            active: seen.active,
            next: seen.next.first().copied(),
            problem,
        }
    }
}

/// The longest reason of a window that is kept with a decision, in characters; the window itself has all of it.
const REASON: usize = 240;

impl FreezeFacts {
    /// What of `windows` decides at `at`: those that are active, those whose times can't be counted, and the
    /// one that comes next. The others say nothing about this instant, and there may be hundreds.
    #[must_use]
    pub fn deciding(windows: &[FreezeWindow], at: Timestamp) -> Vec<Self> {
        let all: Vec<Self> = windows.iter().map(|window| Self::of(window, at)).collect();
        let soonest = all
            .iter()
            .filter(|one| one.active.is_none() && one.problem.is_none())
            .filter_map(|one| Some((one.next?.starts_at, one.id)))
            .min()
            .map(|(_, id)| id);
        let counts = |one: &Self| one.active.is_some() || one.problem.is_some() || Some(one.id) == soonest;
        all.into_iter().filter(counts).map(Self::shortened).collect()
    }

    fn shortened(mut self) -> Self {
        if let Some((end, _)) = self.reason.char_indices().nth(REASON) {
            self.reason.truncate(end);
            self.reason.push('…');
        }
        self
    }
}

/// How the release fares in one environment before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PredecessorFacts {
    /// Where.
    pub environment_id: EnvironmentId,
    /// Its name.
    pub name: String,
    /// The last job that brought the release there and succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployed_by: Option<JobId>,
    /// When that job succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployed_at: Option<Timestamp>,
    /// When it was rolled back there since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolled_back_at: Option<Timestamp>,
    /// A job that is bringing it there now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_progress: Option<JobId>,
    /// Since when it runs there without interruption (rollback, another release, drift); absent when it
    /// does not run there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub running_since: Option<Timestamp>,
    /// What interrupted it last, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interrupted_by: Option<String>,
}

/// Who must agree, and who did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApprovalFacts {
    /// The policies in force; all must be met.
    pub policies: Vec<PolicyFacts>,
    /// Every approval and rejection given, oldest first.
    pub given: Vec<ApproverFacts>,
    /// Who took part in making what is to be approved.
    pub makers: Vec<Maker>,
}

/// What of an approval policy decides.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PolicyFacts {
    /// Which.
    pub id: ApprovalPolicyId,
    /// Its name.
    pub name: String,
    /// All of these must be met.
    pub rules: Vec<ApprovalRule>,
    /// Whether no maker may approve.
    pub separation_of_duties: bool,
    /// How long an approval counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_after_seconds: Option<u32>,
    /// Whether each approval needs a comment.
    pub require_comment: bool,
}

impl From<&ApprovalPolicy> for PolicyFacts {
    fn from(policy: &ApprovalPolicy) -> Self {
        Self {
            id: policy.id,
            name: policy.name.clone(),
            rules: policy.rules.clone(),
            separation_of_duties: policy.separation_of_duties,
            expires_after_seconds: policy.expires_after_seconds,
            require_comment: policy.require_comment,
        }
    }
}

/// One yes or no, with what its giver is now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApproverFacts {
    /// Which.
    pub approval_id: ApprovalId,
    /// Yes or no.
    pub verdict: ApprovalVerdict,
    /// What kind of caller gave it.
    pub principal_type: PrincipalType,
    /// The user or client itself.
    #[schema(value_type = String, format = Uuid)]
    pub principal_id: Uuid,
    /// The user; of a client, its service user.
    pub user_id: UserId,
    /// Of a client, its owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<UserId>,
    /// When it was given.
    pub at: Timestamp,
    /// What for.
    pub subject_hash: Digest,
    /// Whether it came with a comment.
    pub commented: bool,
    /// Whether the giver may still sign in.
    pub active: bool,
    /// Whether they may still approve in the environment.
    pub may_approve: bool,
    /// The roles that they hold there now.
    #[serde(default)]
    pub roles: Vec<String>,
}

impl ApproverFacts {
    /// The person behind it: of a client, its owner.
    #[must_use]
    pub fn person(&self) -> UserId {
        self.owner.unwrap_or(self.user_id)
    }
}
