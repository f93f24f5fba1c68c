//! A small world for the tests of this folder: numbered ids, one release, one environment.

use uuid::Uuid;

use super::{
    ApprovalFacts, ApprovalRule, ApprovalVerdict, ApproverFacts, Approvers, DecisionInputs, EnvironmentFacts,
    GateInForce, Maker, MakerRole, PolicyFacts, PredecessorFacts, PromotionFacts, ReleaseFacts, decide::ENGINE_VERSION,
};
use crate::{
    Digest, Timestamp,
    audit::PrincipalType,
    environment::{GateDefinition, PromotesFrom},
    id::{TypedId, UserId},
    release::ReleaseStatus,
};

pub(crate) fn id<I: TypedId>(number: u128) -> I {
    I::from_uuid(Uuid::from_u128(number))
}

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn now() -> Timestamp {
    at("2026-11-23T12:00:00Z")
}

pub(crate) fn subject() -> Digest {
    Digest::of(b"what is to be approved")
}

pub(crate) fn user(number: u128) -> UserId {
    id(number)
}

/// A yes of user `number`, given an hour ago, with these roles.
pub(crate) fn yes(number: u128, roles: &[&str]) -> ApproverFacts {
    ApproverFacts {
        approval_id: id(1_000 + number),
        verdict: ApprovalVerdict::Approved,
        principal_type: PrincipalType::User,
        principal_id: Uuid::from_u128(number),
        user_id: user(number),
        owner: None,
        at: now().plus_seconds(-3600),
        subject_hash: subject(),
        commented: true,
        active: true,
        may_approve: true,
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
    }
}

/// A yes of a client with a service user, owned by a person.
pub(crate) fn client_yes(number: u128, owner: u128) -> ApproverFacts {
    ApproverFacts {
        principal_type: PrincipalType::Client,
        user_id: user(number + 500),
        owner: Some(user(owner)),
        ..yes(number, &["approver"])
    }
}

pub(crate) fn rule(name: &str, min_approvals: u32, roles: &[&str], users: &[u128]) -> ApprovalRule {
    let approvers = Approvers {
        roles: roles.iter().map(|role| (*role).to_owned()).collect(),
        users: users.iter().map(|one| user(*one)).collect(),
        clients: Vec::new(),
    };
    ApprovalRule { name: name.to_owned(), min_approvals, approvers }
}

pub(crate) fn policy(rules: Vec<ApprovalRule>) -> PolicyFacts {
    PolicyFacts {
        id: id(77),
        name: "prod".to_owned(),
        rules,
        separation_of_duties: true,
        expires_after_seconds: None,
        require_comment: false,
    }
}

pub(crate) fn maker(number: u128, because: MakerRole) -> Maker {
    Maker { user_id: user(number), because }
}

pub(crate) fn facts(policies: Vec<PolicyFacts>, given: Vec<ApproverFacts>, makers: Vec<Maker>) -> ApprovalFacts {
    ApprovalFacts { policies, given, makers }
}

/// User 1 asks for a ready release; staging came before and has soaked; nobody has to approve.
pub(crate) fn inputs() -> DecisionInputs {
    let gates = [
        GateDefinition::ReleaseStatus {},
        GateDefinition::FreezeWindow {},
        GateDefinition::PromotionPath {},
        GateDefinition::SoakTime {},
        GateDefinition::Approval {},
    ];
    DecisionInputs {
        engine_version: ENGINE_VERSION,
        at: now(),
        promotion: PromotionFacts {
            id: Some(id(10)),
            subject_hash: subject(),
            requested_by: user(1),
            requester_roles: vec!["deployer".to_owned()],
            requested_at: now().plus_seconds(-7200),
            scheduled_for: None,
            override_request: None,
        },
        release: ReleaseFacts {
            id: id(20),
            application: "shop".to_owned(),
            version: "2.4.1".to_owned(),
            digest: Some(Digest::of(b"release")),
            status: ReleaseStatus::Ready,
            deprecation_reason: None,
            blocked: false,
        },
        environment: EnvironmentFacts {
            id: id(32),
            name: "prod".to_owned(),
            revision: 3,
            promotes_from: PromotesFrom { environment_ids: vec![id(31)], minimum: None },
            soak_seconds: 3600,
        },
        gates: gates.into_iter().map(GateInForce::current).collect(),
        freeze_windows: Vec::new(),
        predecessors: vec![predecessor(31, "staging")],
        approval: facts(vec![], vec![], vec![maker(1, MakerRole::Requested)]),
        unprepared: None,
    }
}

/// Deployed and running since three hours.
pub(crate) fn predecessor(number: u128, name: &str) -> PredecessorFacts {
    let since = now().plus_seconds(-3 * 3600);
    PredecessorFacts {
        environment_id: id(number),
        name: name.to_owned(),
        deployed_by: Some(id(900 + number)),
        deployed_at: Some(since),
        rolled_back_at: None,
        in_progress: None,
        running_since: Some(since),
        interrupted_by: None,
    }
}
