//! Totals of lists, cached per (tenant, table, filter) and dropped by any local write to that table.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use plimsoll_core::{Result, id::TenantId};

use crate::Tx;

/// How old a total may be where other replicas write, whose writes are not seen here.
const AMONG_REPLICAS: Duration = Duration::from_secs(2);
/// The same where this process is the only server. Commands of an operator may still write beside it.
const ALONE: Duration = Duration::from_mins(1);
/// Totals kept of one table of one tenant.
const MOST: usize = 512;
/// Tables of tenants of which totals are kept.
const MOST_TABLES: usize = 8192;

/// What was counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) tenant: TenantId,
    pub(crate) table: &'static str,
    pub(crate) filter: String,
}

/// A moment before a transaction's first look: what it counts is worth nothing once the table was written since.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mark(u64);

#[derive(Clone, Copy, Debug)]
struct Entry {
    count: u64,
    counted: Instant,
}

#[derive(Debug, Default)]
struct Table {
    /// The number of the last write to it.
    written: u64,
    totals: HashMap<String, Entry>,
}

#[derive(Debug, Default)]
struct Tables {
    known: HashMap<(TenantId, &'static str), Table>,
    /// Up to this write it is not known any more which tables were written.
    forgotten: u64,
}

/// The cache; shared by all handles on a store.
#[derive(Clone, Debug)]
pub(crate) struct Totals {
    longest: Duration,
    writes: Arc<AtomicU64>,
    tables: Arc<Mutex<Tables>>,
}

impl Totals {
    /// For a database that this process alone serves.
    pub(crate) fn alone() -> Self {
        Self { longest: ALONE, writes: Arc::default(), tables: Arc::default() }
    }

    /// For a database that other replicas serve too.
    pub(crate) fn among_replicas() -> Self {
        Self { longest: AMONG_REPLICAS, ..Self::alone() }
    }

    /// To be taken before a transaction looks at anything.
    pub(crate) fn mark(&self) -> Mark {
        Mark(self.writes.load(Ordering::Acquire))
    }

    pub(crate) fn get(&self, key: &Key) -> Option<u64> {
        let tables = self.tables();
        let entry = tables.known.get(&(key.tenant, key.table))?.totals.get(&key.filter)?;
        (entry.counted.elapsed() < self.longest).then_some(entry.count)
    }

    /// Keeps what a transaction counted that began after `mark`, unless the table was written since: it may have
    /// counted what was there before.
    pub(crate) fn put(&self, key: Key, count: u64, mark: Mark) {
        let mut tables = self.tables();
        let table = tables.table(key.tenant, key.table);
        if table.written > mark.0 {
            return;
        }
        if table.totals.len() >= MOST {
            table.totals.clear();
        }
        table.totals.insert(key.filter, Entry { count, counted: Instant::now() });
    }

    /// To be called after the commit of a write, before its caller is told.
    pub(crate) fn drop_table(&self, tenant: TenantId, table: &'static str) {
        let mut tables = self.tables();
        let write = self.writes.fetch_add(1, Ordering::AcqRel) + 1;
        let table = tables.table(tenant, table);
        table.written = write;
        table.totals.clear();
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    fn table(&mut self, tenant: TenantId, name: &'static str) -> &mut Table {
        if self.known.len() >= MOST_TABLES && !self.known.contains_key(&(tenant, name)) {
            self.forgotten = self.known.values().map(|table| table.written).max().unwrap_or(0).max(self.forgotten);
            self.known.clear();
        }
        let forgotten = self.forgotten;
        self.known.entry((tenant, name)).or_insert_with(|| Table { written: forgotten, totals: HashMap::new() })
    }
}

/// Notes that `table` changes in this transaction.
pub(crate) fn touch(tx: &mut Tx<'_>, table: &'static str) -> Result<()> {
    let tenant = tx.tenant()?;
    tx.touched(tenant, table);
    Ok(())
}

#[cfg(test)]
mod tests {
    use plimsoll_core::{context::Context, id::TypedId as _};

    use super::*;

    fn key(tenant: TenantId, table: &'static str) -> Key {
        Key { tenant, table, filter: "all".to_owned() }
    }

    fn tenant() -> TenantId {
        TenantId::from_uuid(Context::system().uuid())
    }

    #[test]
    fn a_write_drops_its_own_table_alone() {
        let (totals, one, other) = (Totals::alone(), tenant(), tenant());
        for key in [key(one, "release"), key(one, "component"), key(other, "release")] {
            totals.put(key, 7, totals.mark());
        }
        totals.drop_table(one, "release");
        assert_eq!(totals.get(&key(one, "release")), None);
        assert_eq!(totals.get(&key(one, "component")), Some(7));
        assert_eq!(totals.get(&key(other, "release")), Some(7));
    }

    #[test]
    fn what_was_counted_before_a_write_is_not_kept_after_it() {
        let (totals, tenant) = (Totals::alone(), tenant());
        let before = totals.mark();
        totals.drop_table(tenant, "release");
        totals.put(key(tenant, "release"), 7, before);
        assert_eq!(totals.get(&key(tenant, "release")), None);
        totals.put(key(tenant, "component"), 7, before);
        assert_eq!(totals.get(&key(tenant, "component")), Some(7), "it was not written");
        totals.put(key(tenant, "release"), 8, totals.mark());
        assert_eq!(totals.get(&key(tenant, "release")), Some(8));
    }

    #[test]
    fn it_is_bounded_and_forgets_no_write() {
        let (totals, first) = (Totals::alone(), tenant());
        let before = totals.mark();
        totals.drop_table(first, "release");
        for _ in 0..=MOST_TABLES {
            totals.put(key(tenant(), "release"), 1, totals.mark());
        }
        assert!(totals.tables().known.len() <= MOST_TABLES);
        totals.put(key(first, "release"), 7, before);
        assert_eq!(totals.get(&key(first, "release")), None);
    }
}
