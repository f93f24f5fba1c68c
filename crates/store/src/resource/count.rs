//! How many there are: counted up to a bound, estimated beyond it.

use plimsoll_core::Result;

use super::{
    Resource,
    list::{ListQuery, Total},
    totals::Key,
};
use crate::{Dialect, Row, Tx, Value, params};

/// The total of a list that has more than the page at hand shows.
pub(super) fn total<R: Resource>(
    tx: &mut Tx<'_>,
    query: &ListQuery,
    clause: &str,
    values: &[Value<'static>],
) -> Result<Total> {
    let (tenant, bound) = (tx.tenant()?, query.counted());
    let key = Key { tenant, table: R::TABLE.name, filter: query.key() };
    if let Some(known) = tx.totals().get(&key) {
        return Ok(told(known, bound));
    }
    let table = R::TABLE.name;
    let sql = format!("SELECT count(*) FROM (SELECT 1 FROM {table} WHERE {clause} LIMIT {}) AS bounded", bound + 1);
    let counted = tx.query_one(&sql, values)?.first::<i64>()? as u64;
    let count = if counted > bound { estimated::<R>(tx, query, clause, values)?.max(counted) } else { counted };
    tx.keep_total(key, count);
    Ok(told(count, bound))
}

/// More than the bound is told as an estimate, and never as less than what was counted.
const fn told(count: u64, bound: u64) -> Total {
    if count > bound { Total::Estimated(count) } else { Total::Exact(count) }
}

/// How many there may be, without counting them. 0: it is not known.
fn estimated<R: Resource>(tx: &mut Tx<'_>, query: &ListQuery, clause: &str, values: &[Value<'static>]) -> Result<u64> {
    let table = R::TABLE.name;
    match tx.dialect() {
        Dialect::Postgres => {
            let plan = tx.query_one(&format!("EXPLAIN (FORMAT JSON) SELECT 1 FROM {table} WHERE {clause}"), values)?;
            let plan: serde_json::Value = plan.reader().next_json()?;
            Ok(plan.pointer("/0/Plan/Plan Rows").and_then(serde_json::Value::as_u64).unwrap_or(0))
        }
        Dialect::Sqlite if query.is_everything() => {
            let tenant = tx.tenant()?;
            let living = "SELECT living FROM living_count WHERE tenant_id = $1 AND kind = $2";
            let found = tx.query_opt(living, params![tenant, table])?.map(Row::first::<i64>).transpose()?;
            Ok(found.and_then(|count| u64::try_from(count).ok()).unwrap_or(0))
        }
        Dialect::Sqlite => Ok(0),
    }
}

/// On SQLite: has triggers keep the count of each tenant's living resources of every kind. PostgreSQL's planner knows
/// about how many there are; SQLite would have to read them all.
pub(crate) fn count_living(tx: &mut Tx<'_>) -> Result<()> {
    let tables = tx.query(
        "SELECT t.name FROM sqlite_schema t WHERE t.type = 'table'
           AND EXISTS (SELECT 1 FROM pragma_table_info(t.name) c WHERE c.name = 'deleted_at')
           AND EXISTS (SELECT 1 FROM pragma_table_info(t.name) c WHERE c.name = 'tenant_id') ORDER BY t.name",
        params![],
    )?;
    for table in tables {
        let table = table.first::<String>()?;
        tx.batch(&triggers(&table))?;
    }
    Ok(())
}

fn triggers(table: &str) -> String {
    let more = |row: &str, by: i64| {
        format!(
            "INSERT INTO living_count (tenant_id, kind, living) VALUES ({row}.tenant_id, '{table}', {by})
             ON CONFLICT (tenant_id, kind) DO UPDATE SET living = living + {by}"
        )
    };
    let (born, died, back) = (more("new", 1), more("old", -1), more("new", 1));
    format!(
        "DROP TRIGGER IF EXISTS {table}_living_insert;
         CREATE TRIGGER {table}_living_insert AFTER INSERT ON {table} WHEN new.deleted_at IS NULL BEGIN {born}; END;
         DROP TRIGGER IF EXISTS {table}_living_delete;
         CREATE TRIGGER {table}_living_delete AFTER DELETE ON {table} WHEN old.deleted_at IS NULL BEGIN {died}; END;
         DROP TRIGGER IF EXISTS {table}_living_end;
         CREATE TRIGGER {table}_living_end AFTER UPDATE OF deleted_at ON {table}
           WHEN old.deleted_at IS NULL AND new.deleted_at IS NOT NULL BEGIN {died}; END;
         DROP TRIGGER IF EXISTS {table}_living_again;
         CREATE TRIGGER {table}_living_again AFTER UPDATE OF deleted_at ON {table}
           WHEN old.deleted_at IS NOT NULL AND new.deleted_at IS NULL BEGIN {back}; END;"
    )
}
