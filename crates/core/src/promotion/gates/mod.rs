//! The gates: one file each, a pure function of the decision's inputs. Each has a version; code of an old
//! version stays here, so that what was decided with it can be evaluated again.

mod approval;
mod freeze_window;
mod promotion_path;
mod release_status;
mod soak_time;

use super::{DecisionInputs, GateInForce, GateResult, GateVerdict};
use crate::{
    Timestamp,
    environment::{GateDefinition, GateType},
};

/// What a gate's code answers.
pub(super) struct Finding {
    pub verdict: GateVerdict,
    pub reason: String,
    pub data: serde_json::Value,
    pub retry_at: Option<Timestamp>,
}

impl Finding {
    fn new(verdict: GateVerdict, reason: impl Into<String>, data: serde_json::Value) -> Self {
        Self { verdict, reason: reason.into(), data, retry_at: None }
    }

    fn retry_at(mut self, at: Option<Timestamp>) -> Self {
        self.retry_at = at;
        self
    }
}

/// The version of each gate's code that new decisions are made with.
#[must_use]
pub const fn current_version(gate: GateType) -> u32 {
    match gate {
        GateType::FreezeWindow => 2,
        GateType::PromotionPath | GateType::SoakTime | GateType::ReleaseStatus | GateType::Approval => 1,
    }
}

impl GateInForce {
    /// `definition` with the version of today.
    #[must_use]
    pub fn current(definition: GateDefinition) -> Self {
        let version = current_version(definition.kind());
        Self { definition, version }
    }
}

/// Looks at one gate.
pub(super) fn look(gate: &GateInForce, inputs: &DecisionInputs) -> GateResult {
    let kind = gate.definition.kind();
    let finding = run(gate, inputs).unwrap_or_else(|| {
        Finding::new(
            GateVerdict::Error,
            format!(
                "version {} of this gate is not known here (newest: {}); a newer program is needed",
                gate.version,
                current_version(kind)
            ),
            serde_json::json!({ "version": gate.version }),
        )
    });
    GateResult {
        gate: kind,
        version: gate.version,
        verdict: finding.verdict,
        reason: finding.reason,
        data: finding.data,
        retry_at: finding.retry_at,
        took_micros: 0,
    }
}

fn run(gate: &GateInForce, inputs: &DecisionInputs) -> Option<Finding> {
    match (&gate.definition, gate.version) {
        (GateDefinition::FreezeWindow {}, 1) => Some(freeze_window::v1(inputs)),
        (GateDefinition::FreezeWindow {}, 2) => Some(freeze_window::v2(inputs)),
        (GateDefinition::PromotionPath {}, 1) => Some(promotion_path::v1(inputs)),
        (GateDefinition::SoakTime {}, 1) => Some(soak_time::v1(inputs)),
        (GateDefinition::ReleaseStatus {}, 1) => Some(release_status::v1(inputs)),
        (GateDefinition::Approval {}, 1) => Some(approval::v1(inputs)),
        (
            GateDefinition::FreezeWindow {}
            | GateDefinition::PromotionPath {}
            | GateDefinition::SoakTime {}
            | GateDefinition::ReleaseStatus {}
            | GateDefinition::Approval {},
            _,
        ) => None,
    }
}

/// `a`, `a and b`, `a, b and c`.
fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [many @ .., last] => format!("{} and {last}", many.join(", ")),
    }
}
