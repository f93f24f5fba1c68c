//! Freeze windows as rows. When they are active is computed, not stored.

use plimsoll_core::{
    Error, ErrorCode, Result, Timestamp,
    environment::{FreezeWindow, When},
    id::{EnvironmentId, FreezeWindowId},
};

use crate::{
    IntoValue, Tx, Value, params,
    resource::{self, Field, FieldKind, Indexed, ListQuery, Resource, Table},
};

const ENVIRONMENT: Field =
    Field { api: "environmentId", column: "environment_id", kind: FieldKind::Id, sortable: false };
const NAME: Field = Field { api: "name", column: "name", kind: FieldKind::Text, sortable: true };
const STARTS: Field = Field { api: "startsAt", column: "starts_at", kind: FieldKind::Time, sortable: true };
const ENDS: Field = Field { api: "endsAt", column: "ends_at", kind: FieldKind::Time, sortable: false };
const RECURRING: Field = Field { api: "recurring", column: "recurring", kind: FieldKind::Bool, sortable: true };
/// Computed, so no columns: [`with_when`] puts what was computed in their place.
const ACTIVE: Field = Field { api: "active", column: "@active", kind: FieldKind::Bool, sortable: false };
const WHEN: Field = Field { api: "when", column: "@when", kind: FieldKind::Enum(When::WORDS), sortable: false };

/// What a list of windows can be filtered by: the columns, and what is computed.
pub const LISTED: Table =
    Table { fields: &[ENVIRONMENT, NAME, STARTS, ENDS, RECURRING, ACTIVE, WHEN], ..FreezeWindow::TABLE };

/// Windows of one environment that are active or coming, of which a list may be filtered by what is computed.
const COMPUTED: usize = 1_000;

impl Resource for FreezeWindow {
    type Id = FreezeWindowId;
    const TABLE: Table = Table {
        name: "freeze_window",
        noun: "freeze window",
        fields: &[ENVIRONMENT, NAME, STARTS, ENDS, RECURRING],
        indexed: &[Indexed::new(&["environmentId"], "startsAt")],
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

/// Whether a query made with [`LISTED`] asks for what is computed.
#[must_use]
pub fn asks_when(query: &ListQuery) -> bool {
    query.mentions(ACTIVE.column) || query.mentions(WHEN.column)
}

/// The query, told what [`relevant`] windows are computed to be; all others are past.
pub fn with_when(query: ListQuery, seen: &[FreezeWindow]) -> Result<ListQuery> {
    if seen.len() > COMPUTED {
        let message = format!(
            "the environment has more than {COMPUTED} windows that are active or coming; filter by startsAt, endsAt or recurring instead of when and active"
        );
        return Err(Error::new(ErrorCode::FilterTooBroad, message));
    }
    // Ids of ours in their one spelling: nothing of what people wrote comes into the text.
    let ids = |when: When| {
        let of: Vec<String> = seen.iter().filter(|one| one.when == when).map(|one| format!("'{}'", one.id)).collect();
        if of.is_empty() { "''".to_owned() } else { of.join(", ") }
    };
    let (active, coming) = (ids(When::Active), ids(When::Coming));
    let flag = format!("(CASE WHEN id IN ({active}) THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END)");
    let word =
        format!("(CASE WHEN id IN ({active}) THEN 'active' WHEN id IN ({coming}) THEN 'coming' ELSE 'past' END)");
    Ok(query.computed(ACTIVE.column, &flag).computed(WHEN.column, &word))
}
