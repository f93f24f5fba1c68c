//! Pages of resources.

use std::time::Duration;

use plimsoll_core::{Error, ErrorCode, Result, ValidationError};
use serde_json::json;

use super::{Filter, Resource, Stored, Table, count, filter::fixed, parse};
use crate::{IntoValue, Row, Store, Tx, Value, seam::scope::Scope};

/// The largest page.
pub const MAX_PAGE_SIZE: u32 = 100;

/// How far a list call may go.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// The time that it has.
    pub longest: Duration,
    /// Totals are counted up to here and estimated beyond.
    pub counted: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { longest: Duration::from_secs(2), counted: 10_000 }
    }
}

/// What a list call asks for, checked against the resource's declared fields.
#[derive(Clone, Debug)]
pub struct ListQuery {
    /// From 1.
    pub page: u32,
    /// 1 to 100.
    pub page_size: u32,
    /// SQL for ORDER BY, made of declared columns alone.
    order: String,
    /// What the client asked for.
    filter: Filter,
    /// What the path adds (a parent's id).
    parent: Option<Filter>,
    /// Deleted ones instead of living ones.
    deleted: bool,
    bounds: Bounds,
}

/// The raw query parameters of a list call.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// `?page=`.
    pub page: Option<u32>,
    /// `?pageSize=`.
    pub page_size: Option<u32>,
    /// `?sort=`.
    pub sort: Option<String>,
    /// `?filter=`.
    pub filter: Option<String>,
    /// `?deleted=`.
    pub deleted: bool,
}

impl ListQuery {
    /// Checks the parameters; every wrong one is named.
    pub fn new(table: &Table, raw: &Page, default_sort: &str) -> Result<Self> {
        let mut wrong = Vec::new();
        let (page, page_size) = (raw.page.unwrap_or(1), raw.page_size.unwrap_or(20));
        if page == 0 || page > 1_000_000 {
            wrong.push(ValidationError::new("page", "range", "pages are numbered from 1 to 1000000"));
        }
        if page_size == 0 || page_size > MAX_PAGE_SIZE {
            wrong.push(ValidationError::new("pageSize", "range", format!("a page holds 1 to {MAX_PAGE_SIZE} items")));
        }
        let order = order(table, raw.sort.as_deref().unwrap_or(default_sort), &mut wrong);
        let filter = match raw.filter.as_deref().map(|text| Filter::parse(table, text)).transpose() {
            Ok(filter) => filter.unwrap_or_default(),
            Err(error) => {
                wrong.extend(error.validation().iter().cloned());
                Filter::default()
            }
        };
        if !wrong.is_empty() {
            return Err(Error::invalid(wrong));
        }
        Ok(Self { page, page_size, order, filter, parent: None, deleted: raw.deleted, bounds: Bounds::default() })
    }

    /// The same with other bounds.
    #[must_use]
    pub const fn bounded(mut self, bounds: Bounds) -> Self {
        self.bounds = bounds;
        self
    }

    /// Limits the list to what belongs to a parent, by an API field name and value. It may name any number of values.
    pub fn within(mut self, table: &Table, condition: &serde_json::Value) -> Result<Self> {
        self.parent = Some(Filter::ours(table, condition)?);
        Ok(self)
    }

    /// Whether the filter names a column.
    pub(crate) fn mentions(&self, column: &str) -> bool {
        self.filter.mentions(column)
    }

    /// Puts SQL in the place of a column that is none.
    pub(crate) fn computed(mut self, column: &str, sql: &str) -> Self {
        self.filter = self.filter.computed(column, sql);
        self
    }

    fn where_clause(&self) -> (String, Vec<Value<'static>>) {
        let living = if self.deleted { "deleted_at IS NOT NULL" } else { "deleted_at IS NULL" };
        let (mut sql, mut values) = (format!("tenant_id = $1 AND {living}"), vec![Value::Null]);
        if let Some(parent) = &self.parent {
            parent.append(&mut sql, &mut values);
        }
        self.filter.append(&mut sql, &mut values);
        (sql, values)
    }

    pub(super) fn key(&self) -> String {
        let parent = self.parent.as_ref().map(Filter::key).unwrap_or_default();
        format!("{}|{parent}|{}", self.deleted, self.filter.key())
    }

    pub(super) const fn counted(&self) -> u64 {
        self.bounds.counted
    }

    /// Whether it asks for all living resources of the tenant.
    pub(super) fn is_everything(&self) -> bool {
        !self.deleted && self.filter.is_empty() && self.parent.is_none()
    }

    /// What to tell when the database ended the list. Without a filter there is nothing that the client could ask
    /// better: the database is in trouble.
    fn told(&self, table: &Table, error: Error) -> Error {
        if error.code() != ErrorCode::FilterTooBroad {
            return error;
        }
        let internal = error.internal_text().unwrap_or_default().to_owned();
        if self.filter.is_empty() {
            let text = "the database is too slow to answer this list now; repeat the call in a few seconds";
            return Error::new(ErrorCode::Unavailable, text).internal(internal);
        }
        let asked = self.filter.fields();
        let mut better: Vec<&str> = Vec::new();
        for name in table.indexed.iter().flat_map(|one| one.filter.iter().copied().chain([one.sort])) {
            if !name.is_empty() && !better.contains(&name) && !asked.iter().any(|known| known == name) {
                better.push(name);
            }
        }
        let seconds = self.bounds.longest.as_secs_f64();
        let advice = if better.is_empty() {
            "make its conditions narrower".to_owned()
        } else {
            format!("add a condition on an indexed field: {}", better.join(", "))
        };
        let text = format!("the filter on {} is too broad to be answered in {seconds} s; {advice}", asked.join(", "));
        Error::new(ErrorCode::FilterTooBroad, text)
            .details(json!({ "conditions": asked, "indexed": better }))
            .internal(internal)
    }
}

fn order(table: &Table, sort: &str, wrong: &mut Vec<ValidationError>) -> String {
    let mut parts = Vec::new();
    let mut descending_last = false;
    for one in sort.split(',').map(str::trim).filter(|one| !one.is_empty()) {
        let (name, direction) = one.strip_prefix('-').map_or((one, ""), |name| (name, " DESC"));
        // A field may be filtered by one column and sorted by another, under one name.
        let declared = table.fields.iter().find(|field| field.api == name && field.sortable).copied();
        match declared.or_else(|| fixed(name)).filter(|field| field.sortable) {
            Some(field) => parts.push(format!("{}{direction}", field.column)),
            None => {
                let known: Vec<&str> =
                    table.fields.iter().filter(|field| field.sortable).map(|field| field.api).collect();
                wrong.push(ValidationError::new(
                    "sort",
                    "unknown_field",
                    format!("{name:?} cannot be sorted by; choose among createdAt, {}", known.join(", ")),
                ));
            }
        }
        descending_last = !direction.is_empty();
    }
    // The id always breaks ties, in the direction of the last field so that one index serves both.
    parts.push(if descending_last { "id DESC".into() } else { "id".into() });
    parts.join(", ")
}

/// How many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Total {
    /// Counted, or known from a count at most 2 s old.
    Exact(u64),
    /// Too many to count each time.
    Estimated(u64),
}

impl Total {
    /// The number.
    #[must_use]
    pub const fn count(self) -> u64 {
        match self {
            Self::Exact(count) | Self::Estimated(count) => count,
        }
    }
}

/// A page and what is known of the rest.
#[derive(Clone, Debug)]
pub struct Listing<R> {
    /// The page's items.
    pub items: Vec<R>,
    /// The page's number.
    pub page: u32,
    /// Items a page.
    pub page_size: u32,
    /// How many there are in all.
    pub total: Total,
    /// Whether there is a next page: always right.
    pub has_next: bool,
}

impl<R> Listing<R> {
    /// The same page of other items.
    pub fn map<T>(self, convert: impl FnMut(R) -> T) -> Listing<T> {
        Listing {
            items: self.items.into_iter().map(convert).collect(),
            page: self.page,
            page_size: self.page_size,
            total: self.total,
            has_next: self.has_next,
        }
    }
}

pub(super) fn run<R: Resource>(tx: &mut Tx<'_>, query: &ListQuery) -> Result<Listing<R>> {
    page::<R, R>(tx, query, parse)
}

fn page<R: Resource, T>(tx: &mut Tx<'_>, query: &ListQuery, read: fn(Row) -> Result<T>) -> Result<Listing<T>> {
    let tenant = tx.tenant()?;
    let (clause, mut values) = query.where_clause();
    if let Some(first) = values.first_mut() {
        *first = tenant.into_value();
    }
    let offset = u64::from(query.page - 1) * u64::from(query.page_size);
    // The numbers are ours and checked; as literals they let the planner see how few rows are wanted.
    let sql = format!(
        "SELECT body, revision FROM {} WHERE {clause} ORDER BY {} LIMIT {} OFFSET {offset}",
        R::TABLE.name,
        query.order,
        query.page_size + 1,
    );
    let mut rows = tx.query(&sql, &values)?;
    let has_next = rows.len() > query.page_size as usize;
    rows.truncate(query.page_size as usize);
    let seen = offset + rows.len() as u64;
    let items = rows.into_iter().map(read).collect::<Result<Vec<T>>>()?;
    let known = (!has_next && (!items.is_empty() || offset == 0)).then_some(seen);
    let total = match known {
        Some(count) => Total::Exact(count),
        None => count::total::<R>(tx, query, &clause, &values)?,
    };
    Ok(Listing { items, page: query.page, page_size: query.page_size, total, has_next })
}

impl Store {
    /// Lists resources within the time that lists have.
    pub async fn list<R: Resource>(
        &self,
        scope: Scope,
        operation: &'static str,
        query: ListQuery,
    ) -> Result<Listing<R>> {
        self.list_by::<R, _>(scope, operation, query, run::<R>).await
    }

    /// [`Store::list`] of resources that are shown as they are stored.
    pub async fn list_stored<R: Resource>(
        &self,
        scope: Scope,
        operation: &'static str,
        query: ListQuery,
    ) -> Result<Listing<Stored>> {
        self.list_by::<R, _>(scope, operation, query, |tx, query| page::<R, _>(tx, query, Stored::read)).await
    }

    async fn list_by<R: Resource, T: Send + 'static>(
        &self,
        scope: Scope,
        operation: &'static str,
        query: ListQuery,
        run: fn(&mut Tx<'_>, &ListQuery) -> Result<Listing<T>>,
    ) -> Result<Listing<T>> {
        let (longest, asked) = (query.bounds.longest, query.clone());
        let outcome = self.read_bounded(scope, operation, longest, move |tx| run(tx, &query)).await;
        outcome.map_err(|error| asked.told(&R::TABLE, error))
    }
}
