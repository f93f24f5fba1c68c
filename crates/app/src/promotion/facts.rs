//! From rows to what a decision is made from.

use plimsoll_core::{
    Digest, Result, Timestamp,
    actor::Actor,
    audit::PrincipalType,
    environment::Environment,
    id::{ClientId, EnvironmentId, PromotionId, TypedId as _, UserId},
    identity::{Client, PrincipalRef},
    permission::Permission,
    promotion::{
        Approval, ApprovalFacts, ApproverFacts, DecisionInputs, EnvironmentFacts, FreezeFacts, Override,
        PromotionFacts, ReleaseFacts, RulesInForce, Unprepared,
        decide::{ENGINE_VERSION, Policies, gates_in_force},
    },
    release::{Release, ReleaseStatus},
};
use plimsoll_store::{
    Tx, freeze_window,
    identity::access,
    promotion::{self as rows, PromotionRow},
    resource,
};

use super::{makers, predecessors, prepare::Prepared};
use crate::identity::subject::holder;

/// The promotion's own part of the inputs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    /// Which; absent in a preview.
    pub(super) id: Option<PromotionId>,
    pub(super) by: &'a Actor,
    pub(super) at: Timestamp,
    pub(super) scheduled_for: Option<Timestamp>,
    pub(super) override_request: Option<&'a Override>,
    pub(super) changed_by: &'a [Actor],
    pub(super) subject_hash: Digest,
}

impl<'a> Asked<'a> {
    /// Of a promotion's row.
    pub(super) fn of(row: &'a PromotionRow) -> Self {
        let one = &row.promotion;
        Self {
            id: Some(one.id),
            by: &one.requested_by,
            at: one.requested_at,
            scheduled_for: one.scheduled_for,
            override_request: one.override_request.as_ref(),
            changed_by: &row.changed_by,
            subject_hash: one.subject_hash,
        }
    }
}

/// What is to be brought where, under which rules.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene<'a> {
    pub(super) release: &'a Release,
    pub(super) environment: &'a Environment,
    pub(super) rules: &'a RulesInForce,
    /// Why it can't be put together.
    pub(super) unprepared: Option<&'a Unprepared>,
}

impl<'a> Scene<'a> {
    pub(super) const fn of(prepared: &'a Prepared) -> Self {
        let Prepared { release, environment, rules, .. } = prepared;
        Self { release, environment, rules, unprepared: None }
    }
}

/// All inputs of a decision for `at`.
pub(super) fn inputs(tx: &mut Tx<'_>, scene: Scene<'_>, asked: Asked<'_>, at: Timestamp) -> Result<DecisionInputs> {
    let Scene { release, environment, rules, unprepared } = scene;
    let windows = freeze_window::relevant(tx, environment.id, at)?;
    let predecessors = predecessors::predecessors(tx, release, &rules.promotes_from.environment_ids)?;
    let approval = approval(tx, scene, asked, at)?;
    Ok(DecisionInputs {
        engine_version: ENGINE_VERSION,
        at,
        promotion: PromotionFacts {
            id: asked.id,
            subject_hash: asked.subject_hash,
            requested_by: asked.by.user_id,
            requester_roles: roles(tx, asked.by, environment.id)?,
            requested_at: asked.at,
            scheduled_for: asked.scheduled_for,
            override_request: asked.override_request.cloned(),
        },
        release: release_facts(release),
        environment: EnvironmentFacts {
            id: environment.id,
            name: environment.name.clone(),
            revision: environment.revision,
            promotes_from: rules.promotes_from.clone(),
            soak_seconds: rules.soak_seconds,
        },
        gates: gates(environment, rules),
        freeze_windows: FreezeFacts::deciding(&windows, at),
        predecessors,
        approval,
        unprepared: unprepared.cloned(),
    })
}

fn gates(environment: &Environment, rules: &RulesInForce) -> Vec<plimsoll_core::promotion::GateInForce> {
    let strict = Environment {
        gates: rules.gates.clone(),
        promotes_from: rules.promotes_from.clone(),
        soak_seconds: rules.soak_seconds,
        ..environment.clone()
    };
    gates_in_force(&strict, if rules.policies.is_empty() { Policies::None } else { Policies::Some })
}

fn release_facts(release: &Release) -> ReleaseFacts {
    ReleaseFacts {
        id: release.id,
        application: release.name.clone(),
        version: release.version.clone(),
        digest: release.digest,
        status: if release.deleted_at.is_some() { ReleaseStatus::Deprecated } else { release.status },
        deprecation_reason: match (&release.deprecation, release.deleted_at) {
            (Some(why), _) => Some(why.reason.clone()),
            (None, Some(_)) => Some("it was deleted".to_owned()),
            (None, None) => None,
        },
        blocked: release.deleted_at.is_some() || release.deprecation.as_ref().is_some_and(|why| why.block),
    }
}

fn approval(tx: &mut Tx<'_>, scene: Scene<'_>, asked: Asked<'_>, at: Timestamp) -> Result<ApprovalFacts> {
    let people = makers::People { requested: Some(asked.by), changed: asked.changed_by };
    let environment = scene.environment.id;
    let makers = makers::makers(tx, scene.release, environment, people, at)?;
    let mut given = Vec::new();
    if let Some(id) = asked.id {
        for one in rows::given(tx, id)? {
            given.push(approver(tx, &one, environment)?);
        }
    }
    Ok(ApprovalFacts { policies: scene.rules.policies.clone(), given, makers })
}

/// A yes or no with what its giver is now.
pub(super) fn approver(tx: &mut Tx<'_>, approval: &Approval, environment: EnvironmentId) -> Result<ApproverFacts> {
    let by = &approval.by;
    let standing = standing(tx, by, environment)?;
    Ok(ApproverFacts {
        approval_id: approval.id,
        verdict: approval.verdict,
        principal_type: by.kind,
        principal_id: by.id,
        user_id: by.user_id,
        owner: standing.owner,
        at: approval.at,
        subject_hash: approval.subject_hash,
        commented: approval.comment.as_ref().is_some_and(|text| !text.trim().is_empty()),
        active: standing.active,
        may_approve: standing.may_approve,
        roles: standing.roles,
    })
}

struct Standing {
    owner: Option<UserId>,
    active: bool,
    may_approve: bool,
    roles: Vec<String>,
}

fn standing(tx: &mut Tx<'_>, by: &Actor, environment: EnvironmentId) -> Result<Standing> {
    let (active, owner) = match by.kind {
        PrincipalType::User => (rows::is_active(tx, by.user_id)?, None),
        PrincipalType::Client => {
            let client = resource::find::<Client>(tx, ClientId::from_uuid(by.id))?;
            (client.as_ref().is_some_and(|one| one.active), client.map(|one| one.owner_id))
        }
        PrincipalType::Agent | PrincipalType::System => (false, None),
    };
    let may_approve = match holder(by.kind, by.id) {
        Some(principal) => {
            access::load(tx, principal)?.grants.in_environment(Permission::PromotionApprove, environment)
        }
        None => false,
    };
    Ok(Standing { owner, active, may_approve, roles: roles(tx, by, environment)? })
}

/// The roles that somebody holds in an environment now.
pub(super) fn roles(tx: &mut Tx<'_>, by: &Actor, environment: EnvironmentId) -> Result<Vec<String>> {
    let principal: Option<PrincipalRef> = holder(by.kind, by.id);
    principal.map_or_else(|| Ok(Vec::new()), |principal| rows::roles_in(tx, principal, environment))
}
