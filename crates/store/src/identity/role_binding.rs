//! Role bindings as rows.

use plimsoll_core::{
    Result, Timestamp,
    id::{RoleBindingId, UserId},
    identity::{PrincipalRef, RoleBinding},
    permission::BuiltInRole,
};

use crate::{
    IntoValue, Tx, Value, params,
    resource::{self, Field, FieldKind, Indexed, Resource, Table},
};

impl Resource for RoleBinding {
    type Id = RoleBindingId;
    const TABLE: Table = Table {
        name: "role_binding",
        noun: "role binding",
        fields: &[
            Field { api: "roleId", column: "role_id", kind: FieldKind::Id, sortable: false },
            Field {
                api: "principal.type",
                column: "principal_type",
                kind: FieldKind::Enum(&["user", "client"]),
                sortable: true,
            },
            Field { api: "principal.id", column: "principal_id", kind: FieldKind::Id, sortable: false },
            Field { api: "environmentId", column: "environment_id", kind: FieldKind::Id, sortable: false },
        ],
        indexed: &[
            Indexed::new(&[], "createdAt"),
            Indexed::new(&["principal.id"], ""),
            Indexed::new(&["roleId"], ""),
            Indexed::new(&["environmentId"], ""),
        ],
    };
    fn id(&self) -> RoleBindingId {
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
        vec![
            self.role_id.into_value(),
            self.principal.kind.as_str().into_value(),
            self.principal.id.into_value(),
            self.environment_id.into_value(),
        ]
    }
}

/// The bindings of a principal; at most 1000.
pub fn holders_of(tx: &mut Tx<'_>, principal: PrincipalRef) -> Result<Vec<RoleBinding>> {
    resource::find_where(
        tx,
        "principal_id = $2 AND principal_type = $3 ORDER BY created_at, id LIMIT 1000",
        params![principal.id, principal.kind.as_str()],
    )
}

/// The active people who hold the built-in role `admin` in the whole tenant; at most 1000.
pub fn administrators(tx: &mut Tx<'_>) -> Result<Vec<UserId>> {
    let tenant = tx.tenant()?;
    let rows = tx.query(
        "SELECT DISTINCT u.id FROM role_binding b
         JOIN role r ON r.tenant_id = b.tenant_id AND r.id = b.role_id AND r.built_in = 1 AND r.name = $2
         JOIN app_user u ON u.tenant_id = b.tenant_id AND u.id = b.principal_id
         WHERE b.tenant_id = $1 AND b.deleted_at IS NULL AND b.environment_id IS NULL AND b.principal_type = 'user'
           AND u.deleted_at IS NULL AND u.active = 1 LIMIT 1000",
        params![tenant, BuiltInRole::Admin.name()],
    )?;
    rows.into_iter().map(crate::Row::first).collect()
}
