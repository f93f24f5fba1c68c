//! What callers spent of their rate limits, exchanged between the replicas over one PostgreSQL.
//!
//! One row a bucket: the theoretical arrival time (see `core::rate`) after all that any replica allowed. The table is
//! not logged: after a crash of the database everybody has a full bucket again.

use plimsoll_core::Result;

use crate::{Dialect, Tx, params};

/// The start of the transaction by the database's clock, in microseconds: replicas' own clocks may differ.
const NOW: &str = "CAST(extract(epoch FROM now()) * 1000000 AS BIGINT)";

/// What this replica allowed since it last told, of one bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spent {
    /// Whose bucket; without a comma.
    pub payer: String,
    /// The sum of the calls' intervals, in microseconds.
    pub cost: i64,
}

/// Adds what was spent here and answers each bucket's debt with what others spent: how far its arrival time lies ahead
/// of the database's clock, in microseconds. Nothing on SQLite, which one process has alone. In a transaction across
/// tenants.
pub fn exchange(tx: &mut Tx<'_>, spent: &[Spent]) -> Result<Vec<(String, i64)>> {
    if tx.dialect() == Dialect::Sqlite || spent.is_empty() {
        return Ok(Vec::new());
    }
    let payers = spent.iter().map(|one| one.payer.as_str()).collect::<Vec<_>>().join(",");
    let costs = spent.iter().map(|one| one.cost.to_string()).collect::<Vec<_>>().join(",");
    // Ordered, so that two replicas never wait for each other in a circle.
    let rows = tx.query(
        &format!(
            "INSERT INTO rate_spent AS held (payer, arrival)
             SELECT one.payer, {NOW} + one.cost
             FROM unnest(string_to_array($1, ','), CAST(string_to_array($2, ',') AS BIGINT[])) AS one (payer, cost)
             ORDER BY one.payer
             ON CONFLICT (payer) DO UPDATE SET arrival = GREATEST(held.arrival, {NOW}) + excluded.arrival - {NOW}
             RETURNING payer, arrival - {NOW}"
        ),
        params![payers, costs],
    )?;
    rows.into_iter()
        .map(|row| {
            let mut row = row.reader();
            Ok((row.next()?, row.next()?))
        })
        .collect()
}

/// Drops buckets that are full again.
pub fn forget(tx: &mut Tx<'_>) -> Result<()> {
    match tx.dialect() {
        Dialect::Sqlite => Ok(()),
        Dialect::Postgres => tx.execute(&format!("DELETE FROM rate_spent WHERE arrival <= {NOW}"), params![]).map(drop),
    }
}
