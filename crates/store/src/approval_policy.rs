//! Approval policies as rows.

use plimsoll_core::{Result, Timestamp, environment::Environment, id::ApprovalPolicyId, promotion::ApprovalPolicy};

use crate::{
    IntoValue, Tx, Value, params,
    resource::{self, Field, FieldKind, Indexed, Resource, Table},
};

impl Resource for ApprovalPolicy {
    type Id = ApprovalPolicyId;
    const TABLE: Table = Table {
        name: "approval_policy",
        noun: "approval policy",
        fields: &[
            Field { api: "name", column: "name", kind: FieldKind::Text, sortable: true },
            Field { api: "updatedAt", column: "updated_at", kind: FieldKind::Time, sortable: true },
        ],
        indexed: &[Indexed::new(&[], "createdAt"), Indexed::new(&["name"], "")],
    };
    fn id(&self) -> ApprovalPolicyId {
        self.id
    }
    fn created_at(&self) -> Timestamp {
        self.created_at
    }
    fn revision(&self) -> i64 {
        self.revision
    }
    fn set_revision(&mut self, revision: i64) {
        self.revision = revision;
    }
    fn declared(&self) -> Vec<Value<'_>> {
        vec![self.name.as_str().into_value(), self.updated_at.into_value()]
    }
}

/// Whether a policy holds in an environment: one names the other, or the labels do.
#[must_use]
pub fn holds_in(policy: &ApprovalPolicy, environment: &Environment) -> bool {
    environment.approval_policy_id == Some(policy.id)
        || policy.environment_ids.contains(&environment.id)
        || policy.environment_selector.as_ref().is_some_and(|selector| selector.matches(&environment.labels))
}

/// The policies in force in an environment, oldest first.
pub fn in_force(tx: &mut Tx<'_>, environment: &Environment) -> Result<Vec<ApprovalPolicy>> {
    // All of them, without a bound: one that is left out would be a gate that is not there.
    let all: Vec<ApprovalPolicy> = resource::find_where(tx, "1 = 1 ORDER BY created_at, id", params![])?;
    Ok(all.into_iter().filter(|policy| holds_in(policy, environment)).collect())
}
