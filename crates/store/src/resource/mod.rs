//! Resources as rows: declared columns and a JSON body, written and read by the same few functions.

mod count;
mod filter;
mod list;
mod stored;
pub(crate) mod totals;

use std::collections::BTreeMap;

use plimsoll_core::{Error, ErrorCode, Result, Timestamp, id::TypedId};
use serde::{Serialize, de::DeserializeOwned};

pub(crate) use count::count_living;
pub use filter::Filter;
pub use list::{Bounds, ListQuery, Listing, Page, Total};
pub use stored::{Stored, get_stored};
pub(crate) use totals::{Key, Mark, Totals};

use crate::{IntoValue, Row, Tx, Value, params};

/// A declared column that clients may filter or sort by.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The name in the API, such as `createdAt`.
    pub api: &'static str,
    /// The column.
    pub column: &'static str,
    /// Its type.
    pub kind: FieldKind,
    /// Whether it may be sorted by (it is never NULL then).
    pub sortable: bool,
}

/// The type of a declared column.
#[derive(Clone, Copy, Debug)]
pub enum FieldKind {
    /// Text, compared by bytes; `$contains` and `$startsWith` ignore case.
    Text,
    /// An instant.
    Time,
    /// A whole number.
    Int,
    /// 0 or 1.
    Bool,
    /// A UUID.
    Id,
    /// One of these words.
    Enum(&'static [&'static str]),
    /// One of several digests, kept in a table beside. Such a field has no column in the resource's own table
    /// and no value in [`Resource::declared`].
    Among(Among),
}

/// A table with several values for each row of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Among {
    /// In SQL.
    pub table: &'static str,
    /// The column that holds the id of the row that the values belong to.
    pub owner: &'static str,
}

/// A resource's table.
#[derive(Clone, Copy, Debug)]
pub struct Table {
    /// In SQL.
    pub name: &'static str,
    /// For people.
    pub noun: &'static str,
    /// Declared columns in the order of [`Resource::declared`].
    pub fields: &'static [Field],
    /// What an index serves: lists that ask for this stay fast however many rows there are.
    pub indexed: &'static [Indexed],
}

/// A filter and a sort that one index serves together.
#[derive(Clone, Copy, Debug)]
pub struct Indexed {
    /// The fields that are filtered by one value each, by their names in the API.
    pub filter: &'static [&'static str],
    /// The field that is sorted by, either way. Empty: any, for the filter leaves a few rows.
    pub sort: &'static str,
}

impl Indexed {
    /// Filter and sort.
    #[must_use]
    pub const fn new(filter: &'static [&'static str], sort: &'static str) -> Self {
        Self { filter, sort }
    }
}

impl Table {
    /// The fields that are columns of this table.
    fn columns(&self) -> impl Iterator<Item = &'static Field> + use<> {
        self.fields.iter().filter(|field| !matches!(field.kind, FieldKind::Among(_)))
    }
}

/// Something that is kept as one row. Every table has `tenant_id, id, revision, created_at, deleted_at,
/// body` and the declared columns.
pub trait Resource: Serialize + DeserializeOwned + Clone + Send + Sync + 'static {
    /// Its identifier's type.
    type Id: TypedId + for<'a> IntoValue<'a>;
    /// Its table.
    const TABLE: Table;
    /// Its identifier.
    fn id(&self) -> Self::Id;
    /// When it was made.
    fn created_at(&self) -> Timestamp;
    /// Its revision.
    fn revision(&self) -> i64;
    /// Sets the revision before it is written.
    fn set_revision(&mut self, revision: i64);
    /// Values of the declared columns.
    fn declared(&self) -> Vec<Value<'_>>;
    /// Labels, which are filtered through a side table.
    fn labels(&self) -> Option<&BTreeMap<String, String>> {
        None
    }
}

/// A resource as the column `body` holds it.
pub(crate) fn body<R: Resource>(resource: &R) -> Result<String> {
    serde_json::to_string(resource)
        .map_err(|cause| Error::internal_defect(format!("a {} is not JSON: {cause}", R::TABLE.noun)))
}

/// Reads a resource out of the one column `body`.
pub(crate) fn parse<R: Resource>(row: Row) -> Result<R> {
    row.reader().next_json()
}

/// Inserts a new resource; something that holds its name already is 409 `ALREADY_EXISTS`.
pub fn insert<R: Resource>(tx: &mut Tx<'_>, resource: &R) -> Result<()> {
    if try_insert(tx, resource)? {
        return Ok(());
    }
    Err(Error::new(
        ErrorCode::AlreadyExists,
        format!("another {} has this name already; choose another name, or change the existing one", R::TABLE.noun),
    ))
}

/// Inserts a new resource unless a unique index refuses it; answers whether it was inserted.
pub fn try_insert<R: Resource>(tx: &mut Tx<'_>, resource: &R) -> Result<bool> {
    let tenant = tx.tenant()?;
    let table = R::TABLE;
    let mut sql = format!("INSERT INTO {} (tenant_id, id, revision, created_at, body", table.name);
    for field in table.columns() {
        sql.push_str(", ");
        sql.push_str(field.column);
    }
    sql.push_str(") VALUES ($1, $2, $3, $4, $5");
    for index in 0..table.columns().count() {
        sql.push_str(&format!(", ${}", index + 6));
    }
    sql.push_str(") ON CONFLICT DO NOTHING");
    let mut values = vec![
        tenant.into_value(),
        resource.id().into_value(),
        resource.revision().into_value(),
        resource.created_at().into_value(),
        body(resource)?.into_value(),
    ];
    values.extend(resource.declared());
    if tx.execute(&sql, &values)? == 0 {
        return Ok(false);
    }
    if let Some(labels) = resource.labels() {
        insert_labels::<R>(tx, resource.id(), labels)?;
    }
    totals::touch(tx, table.name)?;
    Ok(true)
}

/// The resource with this id, deleted ones included: history keeps naming them.
pub fn find_any<R: Resource>(tx: &mut Tx<'_>, id: R::Id) -> Result<Option<R>> {
    let tenant = tx.tenant()?;
    let sql = format!("SELECT body FROM {} WHERE tenant_id = $1 AND id = $2", R::TABLE.name);
    tx.query_opt(&sql, params![tenant, id])?.map(parse).transpose()
}

/// The living resource with this id.
pub fn find<R: Resource>(tx: &mut Tx<'_>, id: R::Id) -> Result<Option<R>> {
    let tenant = tx.tenant()?;
    let sql = format!("SELECT body FROM {} WHERE tenant_id = $1 AND id = $2 AND deleted_at IS NULL", R::TABLE.name);
    tx.query_opt(&sql, params![tenant, id])?.map(parse).transpose()
}

/// The living resource with this id, or 404.
pub fn get<R: Resource>(tx: &mut Tx<'_>, id: R::Id) -> Result<R> {
    find(tx, id)?.ok_or_else(|| Error::not_found(id))
}

/// Living resources whose declared column has this value, oldest first, at most 1000.
pub fn find_by<R: Resource>(tx: &mut Tx<'_>, column: &'static str, value: Value<'_>) -> Result<Vec<R>> {
    let tenant = tx.tenant()?;
    let sql = format!(
        "SELECT body FROM {} WHERE tenant_id = $1 AND {column} = $2 AND deleted_at IS NULL ORDER BY created_at, id LIMIT 1000",
        R::TABLE.name
    );
    tx.query(&sql, &[tenant.into_value(), value])?.into_iter().map(parse).collect()
}

/// Living resources that satisfy `condition` (SQL over declared columns, parameters from `$2` on).
pub fn find_where<R: Resource>(tx: &mut Tx<'_>, condition: &str, values: &[Value<'_>]) -> Result<Vec<R>> {
    let tenant = tx.tenant()?;
    let sql = format!("SELECT body FROM {} WHERE tenant_id = $1 AND deleted_at IS NULL AND {condition}", R::TABLE.name);
    let mut all = vec![tenant.into_value()];
    all.extend_from_slice(values);
    tx.query(&sql, &all)?.into_iter().map(parse).collect()
}

/// Writes a changed resource over the revision that was read and raises its revision. Somebody else's
/// change meanwhile is 409 `VERSION_MISMATCH`.
pub fn update<R: Resource>(tx: &mut Tx<'_>, resource: &mut R) -> Result<()> {
    let tenant = tx.tenant()?;
    let table = R::TABLE;
    let read = resource.revision();
    resource.set_revision(read + 1);
    let mut sql = format!("UPDATE {} SET revision = $4, body = $5", table.name);
    for (index, field) in table.columns().enumerate() {
        sql.push_str(&format!(", {} = ${}", field.column, index + 6));
    }
    sql.push_str(" WHERE tenant_id = $1 AND id = $2 AND revision = $3 AND deleted_at IS NULL");
    let mut values = vec![
        tenant.into_value(),
        resource.id().into_value(),
        read.into_value(),
        (read + 1).into_value(),
        body(resource)?.into_value(),
    ];
    values.extend(resource.declared());
    tx.execute_guarded(table.noun, &sql, &values)?;
    if let Some(labels) = resource.labels() {
        delete_labels::<R>(tx, resource.id())?;
        insert_labels::<R>(tx, resource.id(), labels)?;
    }
    totals::touch(tx, table.name)
}

/// Writes what the server itself observed of a resource over the revision that was read. The revision stays:
/// nobody who holds it loses an edit by this. `false` when somebody changed the resource meanwhile. Labels
/// are not written.
pub fn update_observed<R: Resource>(tx: &mut Tx<'_>, resource: &R) -> Result<bool> {
    let tenant = tx.tenant()?;
    let table = R::TABLE;
    let mut sql = format!("UPDATE {} SET body = $4", table.name);
    for (index, field) in table.columns().enumerate() {
        sql.push_str(&format!(", {} = ${}", field.column, index + 5));
    }
    sql.push_str(" WHERE tenant_id = $1 AND id = $2 AND revision = $3 AND deleted_at IS NULL");
    let mut values = vec![
        tenant.into_value(),
        resource.id().into_value(),
        resource.revision().into_value(),
        body(resource)?.into_value(),
    ];
    values.extend(resource.declared());
    let written = tx.execute(&sql, &values)?;
    totals::touch(tx, table.name)?;
    Ok(written == 1)
}

/// Marks a resource as deleted; its name becomes free, its row stays for history.
pub fn soft_delete<R: Resource>(tx: &mut Tx<'_>, resource: &R, at: Timestamp) -> Result<()> {
    let tenant = tx.tenant()?;
    let table = R::TABLE;
    let sql = format!(
        "UPDATE {} SET deleted_at = $4, revision = revision + 1 WHERE tenant_id = $1 AND id = $2 AND revision = $3 AND deleted_at IS NULL",
        table.name
    );
    tx.execute_guarded(table.noun, &sql, params![tenant, resource.id(), resource.revision(), at])?;
    delete_labels::<R>(tx, resource.id())?;
    totals::touch(tx, table.name)
}

/// A page of resources.
pub fn list<R: Resource>(tx: &mut Tx<'_>, query: &ListQuery) -> Result<Listing<R>> {
    list::run(tx, query)
}

fn insert_labels<R: Resource>(tx: &mut Tx<'_>, id: R::Id, labels: &BTreeMap<String, String>) -> Result<()> {
    let tenant = tx.tenant()?;
    for (key, value) in labels {
        tx.execute(
            "INSERT INTO label (tenant_id, kind, resource_id, name, value) VALUES ($1, $2, $3, $4, $5)",
            params![tenant, R::TABLE.name, id, key, value],
        )?;
    }
    Ok(())
}

fn delete_labels<R: Resource>(tx: &mut Tx<'_>, id: R::Id) -> Result<()> {
    let tenant = tx.tenant()?;
    tx.execute(
        "DELETE FROM label WHERE tenant_id = $1 AND kind = $2 AND resource_id = $3",
        params![tenant, R::TABLE.name, id],
    )
    .map(drop)
}

/// A resource as one change of it appears in the audit trail and in events.
pub fn as_json<R: Resource>(resource: &R) -> Result<serde_json::Value> {
    serde_json::to_value(resource)
        .map_err(|cause| Error::internal_defect(format!("a {} is not JSON: {cause}", R::TABLE.noun)))
}
