//! What gates say, and what follows from it.

use serde::{Deserialize, Serialize};

use super::DecisionInputs;
use crate::{Digest, Timestamp, environment::GateType, words::words};

/// What one gate says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum GateVerdict {
    /// Yes.
    Pass,
    /// No.
    Deny,
    /// Not yet; time or people can change it.
    Pending,
    /// It would not pass, and people answered for going on.
    Overridden,
    /// It could not be told, which denies.
    Error,
}

words!(GateVerdict, "verdict", {
    Pass = "pass",
    Deny = "deny",
    Pending = "pending",
    Overridden = "overridden",
    Error = "error",
});

/// The verdict of one gate with what it was made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct GateResult {
    /// Which gate.
    pub gate: GateType,
    /// The version of the gate's code; a replay uses the same.
    pub version: u32,
    /// What it says.
    pub verdict: GateVerdict,
    /// Why, for a person.
    pub reason: String,
    /// What it looked at.
    pub data: serde_json::Value,
    /// When the verdict may change by itself, if that can be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
    /// How long it took, in microseconds.
    pub took_micros: u64,
}

/// Where a promotion stands after all gates were looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DecisionOutcome {
    /// A gate other than approval does not pass.
    Blocked,
    /// Only approvals are missing.
    AwaitingApproval,
    /// All pass, its time has not come.
    Scheduled,
    /// All pass.
    Approved,
}

words!(DecisionOutcome, "outcome", {
    Blocked = "blocked",
    AwaitingApproval = "awaiting_approval",
    Scheduled = "scheduled",
    Approved = "approved",
});

/// One evaluation of all gates.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Decision {
    /// What follows.
    pub outcome: DecisionOutcome,
    /// For which instant it was made.
    pub evaluated_at: Timestamp,
    /// Each gate in order.
    pub gates: Vec<GateResult>,
    /// The version of the code that decides.
    pub engine_version: u32,
    /// When the earliest gate that does not pass may change by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_at: Option<Timestamp>,
    /// In the history: what was to be approved changed after this evaluation, and approvals were void.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject_change: Option<SubjectChange>,
}

/// A change of what is to be approved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SubjectChange {
    /// When it was seen.
    pub at: Timestamp,
    /// The parts that changed: `release`, `environment`, `strategy`, `variables`, `secrets`, `rules`, `plan`,
    /// `override`.
    pub changed: Vec<String>,
    /// The `subjectHash` before.
    pub from: Digest,
    /// The `subjectHash` after.
    pub to: Digest,
}

/// A decision as `GET /promotions/{id}/decision` answers it, with all that it was made from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DecisionRecord {
    /// What follows.
    pub outcome: DecisionOutcome,
    /// For which instant it was made.
    pub evaluated_at: Timestamp,
    /// Each gate in order.
    pub gates: Vec<GateResult>,
    /// The version of the code that decides.
    pub engine_version: u32,
    /// What it was made from.
    pub inputs: DecisionInputs,
    /// SHA-256 of the canonical JSON of the inputs.
    pub inputs_hash: Digest,
    /// The evaluations before it whose verdicts were others, or after which what is to be approved changed,
    /// oldest first.
    pub history: Vec<Decision>,
}

impl DecisionRecord {
    /// The record of `decision`, made from `inputs`.
    pub fn new(decision: Decision, inputs: DecisionInputs, history: Vec<Decision>) -> crate::Result<Self> {
        let inputs_hash = inputs.hash()?;
        let Decision { outcome, evaluated_at, gates, engine_version, retry_at: _, subject_change: _ } = decision;
        Ok(Self { outcome, evaluated_at, gates, engine_version, inputs, inputs_hash, history })
    }
}
