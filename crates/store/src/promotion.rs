//! Promotions and the approvals given to them, as rows.

use plimsoll_core::{
    Error, Result, Timestamp,
    actor::Actor,
    id::{EnvironmentId, PromotionId, ReleaseId, UserId},
    promotion::{Approval, Decision, DecisionInputs, Promotion, PromotionStatus, RulesInForce, Subject},
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    IntoValue, Tx, Value, params,
    resource::{self, Field, FieldKind, Indexed, Resource, Table},
};

/// The statuses in which nothing was started and nothing decided for good.
const OPEN: &str = "status IN ('evaluating', 'blocked', 'awaiting_approval', 'scheduled', 'approved')";

/// A promotion, and what storage keeps beside it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PromotionRow {
    /// As the API shows it.
    pub promotion: Promotion,
    /// What approvals are given for, part by part.
    pub subject: Subject,
    /// The rules of the request: later changes only make them stricter.
    pub rules: RulesInForce,
    /// What the last decision was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inputs: Option<DecisionInputs>,
    /// Evaluations before the last one whose verdicts were others, oldest first.
    pub history: Vec<Decision>,
    /// When all gates passed first since they did not: its place in the queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_at: Option<Timestamp>,
    /// Who changed it after the request.
    #[serde(default)]
    pub changed_by: Vec<Actor>,
}

impl Resource for PromotionRow {
    type Id = PromotionId;
    const TABLE: Table = Table {
        name: "promotion",
        noun: "promotion",
        fields: &[
            Field { api: "releaseId", column: "release_id", kind: FieldKind::Id, sortable: false },
            Field { api: "application", column: "application", kind: FieldKind::Text, sortable: true },
            Field { api: "targetEnvironmentId", column: "environment_id", kind: FieldKind::Id, sortable: false },
            Field { api: "status", column: "status", kind: FieldKind::Enum(PromotionStatus::WORDS), sortable: true },
            Field { api: "requestedBy.userId", column: "requested_by", kind: FieldKind::Id, sortable: false },
            Field { api: "updatedAt", column: "updated_at", kind: FieldKind::Time, sortable: true },
        ],
        indexed: &[
            Indexed::new(&[], "createdAt"),
            Indexed::new(&["status"], "createdAt"),
            Indexed::new(&["releaseId"], "createdAt"),
            Indexed::new(&["targetEnvironmentId", "application"], "createdAt"),
        ],
    };
    fn id(&self) -> PromotionId {
        self.promotion.id
    }
    fn created_at(&self) -> Timestamp {
        self.promotion.requested_at
    }
    fn revision(&self) -> i64 {
        self.promotion.revision
    }
    fn set_revision(&mut self, revision: i64) {
        self.promotion.revision = revision;
    }
    fn declared(&self) -> Vec<Value<'_>> {
        let one = &self.promotion;
        vec![
            one.release_id.into_value(),
            one.application.as_str().into_value(),
            one.target_environment_id.into_value(),
            one.status.as_str().into_value(),
            one.requested_by.user_id.into_value(),
            one.updated_at.into_value(),
        ]
    }
}

/// The promotion of a release into an environment that is open or under way.
pub fn open_of(tx: &mut Tx<'_>, release: ReleaseId, environment: EnvironmentId) -> Result<Option<PromotionRow>> {
    let condition = format!("release_id = $2 AND environment_id = $3 AND ({OPEN} OR status = 'deploying')");
    Ok(resource::find_where(tx, &condition, params![release, environment])?.into_iter().next())
}

/// Open promotions of an application into an environment, oldest first; at most 200.
pub fn waiting(tx: &mut Tx<'_>, environment: EnvironmentId, application: &str) -> Result<Vec<PromotionRow>> {
    let condition = format!("environment_id = $2 AND application = $3 AND {OPEN} ORDER BY created_at, id LIMIT 200");
    resource::find_where(tx, &condition, params![environment, application])
}

/// Ids of all open promotions into an environment, oldest first; at most 1000.
pub fn open_into(tx: &mut Tx<'_>, environment: EnvironmentId) -> Result<Vec<PromotionId>> {
    let tenant = tx.tenant()?;
    let sql = format!(
        "SELECT id FROM promotion WHERE tenant_id = $1 AND environment_id = $2 AND {OPEN} ORDER BY created_at, id LIMIT 1000"
    );
    tx.query(&sql, params![tenant, environment])?.into_iter().map(crate::Row::first).collect()
}

/// Open promotions of other applications into an environment, each with its application and its release,
/// oldest first; at most 1000.
pub fn open_of_others(
    tx: &mut Tx<'_>,
    environment: EnvironmentId,
    application: &str,
) -> Result<Vec<(PromotionId, String, ReleaseId)>> {
    let tenant = tx.tenant()?;
    let sql = format!(
        "SELECT id, application, release_id FROM promotion
         WHERE tenant_id = $1 AND environment_id = $2 AND application <> $3 AND {OPEN} ORDER BY created_at, id LIMIT 1000"
    );
    tx.query(&sql, params![tenant, environment, application])?
        .into_iter()
        .map(|row| {
            let mut row = row.reader();
            Ok((row.next()?, row.next()?, row.next()?))
        })
        .collect()
}

/// Promotions that may wait for an approval, oldest first; at most 500.
pub fn undecided(tx: &mut Tx<'_>) -> Result<Vec<PromotionRow>> {
    resource::find_where(
        tx,
        "status IN ('evaluating', 'blocked', 'awaiting_approval') ORDER BY created_at, id LIMIT 500",
        params![],
    )
}

/// Keeps a yes or no.
pub fn give(tx: &mut Tx<'_>, approval: &Approval) -> Result<()> {
    let tenant = tx.tenant()?;
    let body = serde_json::to_string(approval)
        .map_err(|cause| Error::internal_defect(format!("an approval is not JSON: {cause}")))?;
    tx.execute(
        "INSERT INTO approval (tenant_id, id, promotion_id, at, body) VALUES ($1, $2, $3, $4, $5)",
        params![tenant, approval.id, approval.promotion_id, approval.at, body],
    )
    .map(drop)
}

/// Everything that was given to a promotion, oldest first.
pub fn given(tx: &mut Tx<'_>, promotion: PromotionId) -> Result<Vec<Approval>> {
    let tenant = tx.tenant()?;
    let rows = tx.query(
        "SELECT body FROM approval WHERE tenant_id = $1 AND promotion_id = $2 ORDER BY at, id LIMIT 1000",
        params![tenant, promotion],
    )?;
    rows.into_iter().map(|row| row.reader().next_json()).collect()
}

/// Who changed what decides about an environment since `since`, and when last, as the trail tells: the environment
/// itself, its freeze windows, and these policies. A client is its service user.
pub fn rule_changes(
    tx: &mut Tx<'_>,
    environment: EnvironmentId,
    policies: &[Uuid],
    since: Timestamp,
) -> Result<Vec<(UserId, Timestamp)>> {
    let tenant = tx.tenant()?;
    let mut values = vec![tenant.into_value(), environment.into_value(), since.into_value()];
    let mut wanted = String::new();
    for policy in policies {
        values.push((*policy).into_value());
        wanted.push_str(&format!(", ${}", values.len()));
    }
    let sql = format!(
        "SELECT coalesce((SELECT min(h.service_user_id) FROM client_hand h
             WHERE h.tenant_id = $1 AND h.client_id = e.principal_id), e.principal_id), max(e.created_at)
         FROM audit_event e
         WHERE e.tenant_id = $1 AND e.action = 'governance_change' AND e.outcome = 'succeeded' AND e.created_at >= $3
           AND (e.resource_id IN ($2{wanted})
             OR e.resource_id IN (SELECT id FROM freeze_window WHERE tenant_id = $1 AND environment_id = $2))
         GROUP BY e.principal_id ORDER BY e.principal_id"
    );
    tx.query(&sql, &values)?
        .into_iter()
        .map(|row| {
            let mut row = row.reader();
            Ok((row.next()?, row.next()?))
        })
        .collect()
}

/// The names of the roles that a principal holds in an environment, each once.
pub fn roles_in(
    tx: &mut Tx<'_>,
    principal: plimsoll_core::identity::PrincipalRef,
    environment: EnvironmentId,
) -> Result<Vec<String>> {
    let bindings = crate::identity::holders_of(tx, principal)?;
    let mut names: Vec<String> = bindings
        .into_iter()
        .filter(|one| one.environment_id.is_none_or(|place| place == environment))
        .map(|one| one.role)
        .collect();
    names.sort();
    names.dedup();
    Ok(names)
}

/// Whether this user exists and may sign in.
pub fn is_active(tx: &mut Tx<'_>, user: UserId) -> Result<bool> {
    Ok(resource::find::<plimsoll_core::identity::User>(tx, user)?.is_some_and(|user| user.active))
}
