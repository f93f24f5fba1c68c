//! Log lines of tasks: one row a chunk, as it arrived.

use plimsoll_core::{Error, Result, deployment::LogLine, id::TaskId};

use crate::{Tx, params};

/// Appends an agent's chunk; one that is there already (a resend) changes nothing. Answers the number of
/// the first line, or `None` for a resend.
pub fn append(tx: &mut Tx<'_>, task: TaskId, chunk: u64, mut lines: Vec<LogLine>) -> Result<Option<u64>> {
    let tenant = tx.tenant()?;
    let next = tx
        .query_one(
            "SELECT coalesce(max(first_seq + lines), 1) FROM task_log WHERE tenant_id = $1 AND task_id = $2",
            params![tenant, task],
        )?
        .first::<i64>()?;
    for (index, line) in lines.iter_mut().enumerate() {
        line.seq = next as u64 + index as u64;
    }
    let body = serde_json::to_string(&lines)
        .map_err(|cause| Error::internal_defect(format!("log lines are not JSON: {cause}")))?;
    let new = tx.execute(
        "INSERT INTO task_log (tenant_id, task_id, first_seq, lines, chunk, body) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT DO NOTHING",
        params![tenant, task, next, lines.len() as i64, chunk as i64, body],
    )?;
    Ok((new == 1).then_some(next as u64))
}

/// Lines after `after`, at most `limit`.
pub fn read(tx: &mut Tx<'_>, task: TaskId, after: u64, limit: usize) -> Result<Vec<LogLine>> {
    let tenant = tx.tenant()?;
    let rows = tx.query(
        "SELECT body FROM task_log WHERE tenant_id = $1 AND task_id = $2 AND first_seq + lines > $3
         ORDER BY first_seq LIMIT $4",
        params![tenant, task, after as i64 + 1, limit as i64],
    )?;
    let mut out = Vec::new();
    for row in rows {
        let lines: Vec<LogLine> = row.reader().next_json()?;
        out.extend(lines.into_iter().filter(|line| line.seq > after));
        if out.len() >= limit {
            out.truncate(limit);
            break;
        }
    }
    Ok(out)
}
