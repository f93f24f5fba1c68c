//! Promotions and the approvals given to them, as rows.

use plimsoll_core::{
    Digest, Error, Result, Timestamp,
    actor::Actor,
    id::{EnvironmentId, PromotionId, ReleaseId, TypedId as _, UserId},
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
    /// Evaluations before the last one whose verdicts were others, or after which what is to be approved changed,
    /// oldest first.
    pub history: Vec<Decision>,
    /// What was to be approved before, oldest first: who looked at one of these is told what changed since.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<EarlierSubject>,
    /// When all gates passed first since they did not: its place in the queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_at: Option<Timestamp>,
    /// Who changed it after the request.
    #[serde(default)]
    pub changed_by: Vec<Actor>,
}

/// What was to be approved once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EarlierSubject {
    /// Its `subjectHash`.
    pub hash: Digest,
    /// Part by part.
    pub subject: Subject,
}

impl PromotionRow {
    /// The parts in which what is to be approved differs from what it was under `seen`; none if that was never
    /// its hash, or too long ago.
    #[must_use]
    pub fn changed_since(&self, seen: &Digest) -> Vec<&'static str> {
        let earlier = self.subjects.iter().rev().find(|one| one.hash == *seen);
        earlier.map(|one| one.subject.changed(&self.subject)).unwrap_or_default()
    }
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

/// All open promotions of an application into an environment, oldest first.
pub fn waiting(tx: &mut Tx<'_>, environment: EnvironmentId, application: &str) -> Result<Vec<PromotionRow>> {
    let condition = format!("environment_id = $2 AND application = $3 AND {OPEN} ORDER BY created_at, id");
    resource::find_where(tx, &condition, params![environment, application])
}

/// Promotions into an environment whose gates all pass and that wait for their turn: of one application, or of
/// all, in the order in which they were approved.
pub fn queue(tx: &mut Tx<'_>, environment: EnvironmentId, application: Option<&str>) -> Result<Vec<PromotionRow>> {
    let approved = "environment_id = $2 AND status = 'approved'";
    let mut queue: Vec<PromotionRow> = match application {
        None => resource::find_where(tx, approved, params![environment])?,
        Some(name) => {
            resource::find_where(tx, &format!("{approved} AND application = $3"), params![environment, name])?
        }
    };
    queue.sort_by_key(|one| (one.approved_at, one.promotion.requested_at, one.promotion.id));
    Ok(queue)
}

/// Ids of all open promotions into an environment, oldest first.
pub fn open_into(tx: &mut Tx<'_>, environment: EnvironmentId) -> Result<Vec<PromotionId>> {
    let tenant = tx.tenant()?;
    let sql = format!(
        "SELECT id FROM promotion WHERE tenant_id = $1 AND environment_id = $2 AND {OPEN} ORDER BY created_at, id"
    );
    tx.query(&sql, params![tenant, environment])?.into_iter().map(crate::Row::first).collect()
}

/// Open promotions of other applications into an environment, each with its application and its release,
/// oldest first.
pub fn open_of_others(
    tx: &mut Tx<'_>,
    environment: EnvironmentId,
    application: &str,
) -> Result<Vec<(PromotionId, String, ReleaseId)>> {
    let tenant = tx.tenant()?;
    let sql = format!(
        "SELECT id, application, release_id FROM promotion
         WHERE tenant_id = $1 AND environment_id = $2 AND application <> $3 AND {OPEN} ORDER BY created_at, id"
    );
    tx.query(&sql, params![tenant, environment, application])?
        .into_iter()
        .map(|row| {
            let mut row = row.reader();
            Ok((row.next()?, row.next()?, row.next()?))
        })
        .collect()
}

/// Promotions that may wait for an approval, oldest first: the first `most` after `after`.
pub fn undecided(tx: &mut Tx<'_>, after: Option<(Timestamp, PromotionId)>, most: usize) -> Result<Vec<PromotionRow>> {
    let (at, id) = after.unwrap_or((Timestamp::from_micros(i64::MIN), PromotionId::from_uuid(Uuid::nil())));
    resource::find_where(
        tx,
        "status IN ('evaluating', 'blocked', 'awaiting_approval')
         AND (created_at > $2 OR (created_at = $2 AND id > $3)) ORDER BY created_at, id LIMIT $4",
        params![at, id, most as i64],
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
        "SELECT body FROM approval WHERE tenant_id = $1 AND promotion_id = $2 ORDER BY at, id",
        params![tenant, promotion],
    )?;
    rows.into_iter().map(|row| row.reader().next_json()).collect()
}

/// Notes that somebody changed what decides about an environment.
pub fn note_rule_change(
    tx: &mut Tx<'_>,
    id: Uuid,
    environment: EnvironmentId,
    by: UserId,
    at: Timestamp,
) -> Result<()> {
    let tenant = tx.tenant()?;
    tx.execute(
        "INSERT INTO rule_change (tenant_id, id, environment_id, user_id, at) VALUES ($1, $2, $3, $4, $5)",
        params![tenant, id, environment, by, at],
    )
    .map(drop)
}

/// Who changed what decides about an environment since `since`, each once with their last change.
pub fn rule_changes(tx: &mut Tx<'_>, environment: EnvironmentId, since: Timestamp) -> Result<Vec<(UserId, Timestamp)>> {
    let tenant = tx.tenant()?;
    let rows = tx.query(
        "SELECT user_id, max(at) FROM rule_change WHERE tenant_id = $1 AND environment_id = $2 AND at >= $3
         GROUP BY user_id ORDER BY user_id",
        params![tenant, environment, since],
    )?;
    rows.into_iter()
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
