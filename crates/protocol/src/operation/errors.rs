//! Which errors an operation can answer. Most follow from its row; the rules of its noun stand here.

use plimsoll_core::ErrorCode as Code;

use super::{Effect, Idempotency, Method, Operation, OperationId as Op};

/// Of releases: what their parts and values can be refused for when they are sealed.
const SEALING: &[Code] = &[
    Code::StateConflict,
    Code::RuleViolated,
    Code::UpstreamFailed,
    Code::DigestNotFound,
    Code::UnknownReference,
    Code::PlatformNotAvailable,
    Code::NoMatchingVersion,
];
/// Of plans: what can stand in the way between a release and an environment's targets.
const PLANNING: &[Code] = &[
    Code::ReleaseNotReady,
    Code::ReleaseDeprecated,
    Code::NoTargetForComponent,
    Code::PlatformNotAvailable,
    Code::StartFirstNeedsFreePort,
    Code::ComponentInOtherApplication,
    Code::AmbiguousVariable,
    Code::UnknownReference,
    Code::RuleViolated,
];
/// Of an approver's word.
const DECIDING: &[Code] = &[
    Code::StateConflict,
    Code::ApproverNotEligible,
    Code::SeparationOfDuties,
    Code::AlreadyDecided,
    Code::SubjectChanged,
];
/// Of calls to an integration's system.
const OUTSIDE: &[Code] = &[Code::StateConflict, Code::RuleViolated, Code::UpstreamFailed];

impl Operation {
    /// The codes of its errors, each once, in the catalogue's order.
    #[must_use]
    pub fn errors(&self) -> Vec<Code> {
        let mut codes = vec![
            Code::ValidationFailed,
            Code::Unauthenticated,
            Code::TokenStale,
            Code::PermissionDenied,
            Code::RateLimited,
            Code::Unavailable,
            Code::Internal,
        ];
        if self.parameters().next().is_some() {
            codes.push(Code::NotFound);
        }
        if matches!(self.method, Method::Post | Method::Put) {
            codes.extend([Code::MalformedJson, Code::BodyTooLarge, Code::UnsupportedMediaType]);
        }
        if self.effect == Effect::Mutation && self.parameters().next().is_some() {
            codes.push(Code::VersionMismatch);
        }
        match self.idempotency {
            Idempotency::None => {}
            Idempotency::InTransaction => codes.push(Code::IdempotencyKeyReused),
            Idempotency::Reserved => codes.extend([Code::IdempotencyKeyReused, Code::RequestInProgress]),
        }
        if is_page(self.id) {
            codes.push(Code::FilterTooBroad);
        }
        codes.extend(own(self.id));
        codes.sort_unstable();
        codes.dedup();
        codes
    }
}

/// Whether it answers a page of a list that can be filtered.
fn is_page(id: Op) -> bool {
    let whole = [Op::IntegrationTypeList, Op::EvidenceKeyList];
    let parts = [Op::ComponentVersions, Op::DeploymentJobTasks, Op::DeploymentJobArtifacts];
    parts.contains(&id) || (id.as_str().ends_with("_list") && !whole.contains(&id))
}

/// What does not follow from the row.
fn own(id: Op) -> Vec<Code> {
    let lists: &[&[Code]] = match id {
        Op::ReleaseCreate => &[SEALING, &[Code::AlreadyExists, Code::VersionMismatch, Code::ReleaseSealed]],
        Op::ReleaseUpdate => &[SEALING, &[Code::AlreadyExists, Code::ReleaseSealed]],
        Op::ReleaseFromLatest => &[SEALING, &[Code::AlreadyExists, Code::VersionMismatch]],
        Op::ReleaseCompare => &[SEALING, &[Code::VersionMismatch]],
        Op::ReleaseDeprecate => &[&[Code::StateConflict]],
        Op::ReleaseDelete => &[&[Code::StateConflict, Code::InUse]],
        Op::PromotionCreate => {
            &[PLANNING, &[Code::NotFound, Code::PromotionAlreadyOpen, Code::AlreadyDeployed, Code::PromotionBlocked]]
        }
        Op::PromotionPreviewGates => &[PLANNING, &[Code::NotFound]],
        Op::PromotionApprove | Op::PromotionReject => &[DECIDING, PLANNING],
        Op::PromotionCancel => &[&[Code::StateConflict]],
        Op::PromotionResume => &[PLANNING, &[Code::StateConflict]],
        Op::PromotionDecision | Op::EvidencePacketDownload => &[&[Code::StateConflict]],
        Op::RollbackCreate => &[
            PLANNING,
            OUTSIDE,
            &[
                Code::NotFound,
                Code::VersionMismatch,
                Code::ApplicationRequired,
                Code::AlreadyDeployed,
                Code::NeverDeployedHere,
                Code::NothingToRollBackTo,
                Code::RollbackImageMissing,
            ],
        ],
        Op::DeploymentJobCancel | Op::AgentUnlock => &[&[Code::StateConflict]],
        Op::IntegrationCreate | Op::IntegrationUpdate => &[&[Code::AlreadyExists]],
        Op::IntegrationTest | Op::IntegrationDiscover => &[OUTSIDE],
        Op::ComponentCreate | Op::ComponentUpdate => &[OUTSIDE, &[Code::AlreadyExists, Code::VersionMismatch]],
        Op::ComponentSyncVersions => &[OUTSIDE],
        Op::EnvironmentCreate | Op::EnvironmentUpdate => {
            &[&[Code::AlreadyExists, Code::PromotionPathCycle, Code::UnknownReference, Code::RuleViolated]]
        }
        Op::TargetCreate | Op::TargetUpdate => &[&[Code::NotFound, Code::AlreadyExists, Code::RuleViolated]],
        Op::AgentUpdate | Op::RoleCreate | Op::RoleUpdate | Op::ApprovalPolicyCreate | Op::ApprovalPolicyUpdate => {
            &[&[Code::AlreadyExists, Code::RuleViolated]]
        }
        Op::TenantCreate
        | Op::UserCreate
        | Op::UserUpdate
        | Op::ClientCreate
        | Op::ClientUpdate
        | Op::RoleBindingCreate => &[&[Code::NotFound, Code::AlreadyExists, Code::RuleViolated]],
        Op::UserDelete | Op::RoleDelete | Op::RoleBindingDelete => &[&[Code::InUse, Code::RuleViolated]],
        Op::IntegrationDelete
        | Op::EnvironmentDelete
        | Op::TargetDelete
        | Op::AgentDelete
        | Op::ComponentDelete
        | Op::ApprovalPolicyDelete => &[&[Code::InUse]],
        Op::RegistrationTokenDelete => &[&[Code::StateConflict]],
        Op::AgentRegister => &[&[Code::TokenAlreadyUsed, Code::AlreadyExists]],
        Op::StreamTicketCreate => &[&[Code::NotFound]],
        // The rest has no rules of its own, or is not built yet.
        _ => &[],
    };
    lists.concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_follow_from_the_row_and_from_the_nouns_rules() {
        let has = |id: Op, code: Code| id.operation().errors().contains(&code);
        assert!(has(Op::PromotionCreate, Code::PromotionBlocked) && !has(Op::PromotionList, Code::PromotionBlocked));
        assert!(has(Op::ComponentGet, Code::NotFound) && !has(Op::ComponentList, Code::NotFound));
        assert!(has(Op::ComponentUpdate, Code::VersionMismatch) && !has(Op::ComponentGet, Code::VersionMismatch));
        assert!(has(Op::ComponentList, Code::FilterTooBroad) && !has(Op::ComponentList, Code::BodyTooLarge));
        assert!(has(Op::ReleaseCreate, Code::RequestInProgress) && !has(Op::RoleCreate, Code::RequestInProgress));
    }
}
