//! Freeze windows as rows. When they are active is computed, not stored.

use plimsoll_core::{
    Result, Timestamp,
    environment::FreezeWindow,
    id::{EnvironmentId, FreezeWindowId},
};

use crate::{
    IntoValue, Tx, Value, params,
    resource::{self, Field, FieldKind, Resource, Table},
};

impl Resource for FreezeWindow {
    type Id = FreezeWindowId;
    const TABLE: Table = Table {
        name: "freeze_window",
        noun: "freeze window",
        fields: &[
            Field { api: "environmentId", column: "environment_id", kind: FieldKind::Id, sortable: false },
            Field { api: "name", column: "name", kind: FieldKind::Text, sortable: true },
            Field { api: "startsAt", column: "starts_at", kind: FieldKind::Time, sortable: true },
            Field { api: "endsAt", column: "ends_at", kind: FieldKind::Time, sortable: false },
            Field { api: "recurring", column: "recurring", kind: FieldKind::Bool, sortable: true },
        ],
    };
    fn id(&self) -> FreezeWindowId {
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
            self.environment_id.into_value(),
            self.name.as_str().into_value(),
            self.starts_at.into_value(),
            self.ends_at.into_value(),
            self.recurrence.is_some().into_value(),
        ]
    }
}

/// The windows of an environment that are active at `now` or may be later, soonest first: what the
/// freeze gate looks at.
pub fn relevant(tx: &mut Tx<'_>, environment: EnvironmentId, now: Timestamp) -> Result<Vec<FreezeWindow>> {
    resource::find_where(
        tx,
        "environment_id = $2 AND (recurring = 1 OR ends_at > $3) ORDER BY starts_at, id",
        params![environment, now],
    )
}

/// All windows of an environment.
pub fn of_environment(tx: &mut Tx<'_>, environment: EnvironmentId) -> Result<Vec<FreezeWindow>> {
    resource::find_where(tx, "environment_id = $2 ORDER BY starts_at, id", params![environment])
}
