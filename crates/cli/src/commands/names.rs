//! Ids of other resources in tables: people are shown the names.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{
    nouns::called,
    resource::{List, Noun},
};
use crate::{
    client::Client,
    failure::Failure,
    output::{Column, Printer, Table},
};

/// Ids that are asked for at once.
const AT_ONCE: usize = 50;

/// Prints one resource.
pub(super) async fn one(client: &Client, printer: &Printer, item: &Value, table: Table) -> Result<(), Failure> {
    let items = named(client, printer, std::slice::from_ref(item), table.columns).await;
    printer.one(items.first().unwrap_or(item), table)
}

/// Prints several resources.
pub(super) async fn list(client: &Client, printer: &Printer, items: &[Value], table: Table) -> Result<(), Failure> {
    printer.list(&named(client, printer, items, table.columns).await, table)
}

/// The items with names for ids where a table has them; programs get what the API said.
async fn named(client: &Client, printer: &Printer, items: &[Value], columns: &[Column]) -> Vec<Value> {
    let mut shown = items.to_vec();
    if !printer.is_table() {
        return shown;
    }
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    for column in columns {
        let Some(path) = column.refers() else { continue };
        let ids = |item: &Value| item.pointer(column.pointer()).and_then(Value::as_str).map(str::to_owned);
        let mut wanted: Vec<String> = items.iter().filter_map(ids).filter(|id| !known.contains_key(id)).collect();
        wanted.sort_unstable();
        wanted.dedup();
        for some in wanted.chunks(AT_ONCE) {
            known.extend(names_of(client, path, some).await);
        }
        for item in &mut shown {
            if let Some(value) = item.pointer_mut(column.pointer())
                && let Some(name) = value.as_str().and_then(|id| known.get(id))
            {
                *value = json!(name);
            }
        }
    }
    shown
}

/// What is not found, or not ours to see, stays an id.
async fn names_of(client: &Client, path: &'static str, ids: &[String]) -> Vec<(String, String)> {
    let noun = Noun { name: "", path, table: Table::new(called(path), &[]) };
    let which = List { filter: Some(json!({"id": {"$in": ids}}).to_string()), sort: None, limit: 0 };
    let found = noun.list(client, path, &which).await.unwrap_or_default();
    found.iter().filter_map(|one| Some((one.get("id")?.as_str()?.to_owned(), noun.table.called.of(one)?))).collect()
}
