//! Totals of lists, cached per (tenant, table, filter) and dropped by any local write to that table.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use plimsoll_core::{Result, id::TenantId};

use crate::Tx;

/// How old a total may be: another replica's writes are not seen here.
const FRESH: Duration = Duration::from_secs(2);
/// Totals kept.
const MOST: usize = 4096;

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Key {
    pub(crate) tenant: TenantId,
    pub(crate) table: &'static str,
    pub(crate) filter: String,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    count: u64,
    counted: Instant,
}

/// The cache; shared by all handles on a store.
#[derive(Clone, Debug, Default)]
pub(crate) struct Totals(Arc<Mutex<HashMap<Key, Entry>>>);

impl Totals {
    pub(crate) fn get(&self, key: &Key) -> Option<u64> {
        let cache = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        cache.get(key).filter(|entry| entry.counted.elapsed() < FRESH).map(|entry| entry.count)
    }

    pub(crate) fn put(&self, key: Key, count: u64) {
        let mut cache = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if cache.len() >= MOST {
            cache.clear();
        }
        cache.insert(key, Entry { count, counted: Instant::now() });
    }

    pub(crate) fn drop_table(&self, tenant: TenantId, table: &'static str) {
        let mut cache = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        cache.retain(|key, _| !(key.tenant == tenant && key.table == table));
    }
}

/// Notes that `table` changes in this transaction.
pub(crate) fn touch(tx: &mut Tx<'_>, table: &'static str) -> Result<()> {
    let tenant = tx.tenant()?;
    tx.touched(tenant, table);
    Ok(())
}
