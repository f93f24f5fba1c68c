//! One call on its way to a handler.

use std::sync::Arc;

use plimsoll_app::{Caller, replace::Replace};
use plimsoll_authority::token::VerifiedToken;
use plimsoll_core::{Error, ErrorCode, Result, ValidationError, id::TypedId};
use plimsoll_store::resource::{ListQuery, Page, Resource, Table};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::state::Server;

/// What a handler works with: everything is checked but what needs the database.
pub(crate) struct Call {
    /// The server.
    pub(crate) server: Arc<Server>,
    /// Who calls.
    pub(crate) caller: Caller,
    /// The token that says so.
    pub(crate) token: Arc<VerifiedToken>,
    /// Path parameters by name.
    pub(crate) path: Vec<(String, String)>,
    /// The raw query.
    pub(crate) query: Vec<(String, String)>,
    /// The body, checked against its schema; `Null` without one.
    pub(crate) body: Value,
    /// Read-only fields that a PUT sent along.
    pub(crate) read_only: Map<String, Value>,
    /// The request's headers.
    pub(crate) headers: http::HeaderMap,
    /// For streams: the connection to upgrade.
    pub(crate) upgrade: Option<axum::extract::ws::WebSocketUpgrade>,
}

impl Call {
    /// The id in the path. A malformed one names nothing: 404, as for one that is absent.
    pub(crate) fn id<I: TypedId>(&self, name: &str) -> Result<I> {
        let text = self.segment(name)?;
        text.parse().map_err(|_| Error::new(ErrorCode::NotFound, format!("there is no {} with id {text:?}", I::NOUN)))
    }

    /// A path parameter that is no id.
    pub(crate) fn segment(&self, name: &str) -> Result<&str> {
        self.path
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
            .ok_or_else(|| Error::internal_defect(format!("the path has no {{{name}}}")))
    }

    /// A query parameter.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// A query parameter of another type than text.
    pub(crate) fn parsed<T: std::str::FromStr>(&self, name: &str, wanted: &str) -> Result<Option<T>> {
        self.parameter(name)
            .map(|text| {
                text.parse()
                    .map_err(|_| Error::field(name, "type", format!("{text:?} does not fit: expected {wanted}")))
            })
            .transpose()
    }

    /// The body, with the rules of its type.
    pub(crate) fn body<T: DeserializeOwned + garde::Validate<Context = ()>>(&mut self) -> Result<T> {
        let body: T = serde_json::from_value(self.body.take())
            .map_err(|cause| Error::field("", "type", format!("the body does not fit: {cause}")))?;
        check(&body)?;
        Ok(body)
    }

    /// The body, or its defaults where it may be left out.
    pub(crate) fn body_or_default<T>(&mut self) -> Result<T>
    where
        T: DeserializeOwned + garde::Validate<Context = ()> + Default,
    {
        if self.body.is_null() { Ok(T::default()) } else { self.body() }
    }

    /// The body of a PUT.
    pub(crate) fn replace<T: DeserializeOwned + garde::Validate<Context = ()>>(&mut self) -> Result<Replace<T>> {
        Ok(Replace { body: self.body()?, read_only: std::mem::take(&mut self.read_only) })
    }

    /// The parameters of a list of `R`.
    pub(crate) fn list<R: Resource>(&self, default_sort: &str) -> Result<ListQuery> {
        ListQuery::new(&R::TABLE, &self.page()?, default_sort)
    }

    /// The same for a list that can be filtered by more than the resource's columns.
    pub(crate) fn list_by(&self, table: &Table, default_sort: &str) -> Result<ListQuery> {
        ListQuery::new(table, &self.page()?, default_sort)
    }

    /// The raw parameters of a list. Unknown ones are refused: a misspelt filter must not list everything.
    fn page(&self) -> Result<Page> {
        let wrong: Vec<ValidationError> = self
            .query
            .iter()
            .filter(|(name, _)| !["page", "pageSize", "sort", "filter", "deleted"].contains(&name.as_str()))
            .map(|(name, _)| {
                ValidationError::new(name, "unknown_parameter", "lists take page, pageSize, sort, filter and deleted")
            })
            .collect();
        if !wrong.is_empty() {
            return Err(Error::invalid(wrong));
        }
        Ok(Page {
            page: self.parsed("page", "a whole number")?,
            page_size: self.parsed("pageSize", "a whole number")?,
            sort: self.parameter("sort").map(str::to_owned),
            filter: self.parameter("filter").map(str::to_owned),
            deleted: self.parsed("deleted", "true or false")?.unwrap_or(false),
        })
    }
}

/// Runs garde's rules; every wrong field is named.
pub(crate) fn check<T: garde::Validate<Context = ()>>(body: &T) -> Result<()> {
    let wrong = broken(body);
    if wrong.is_empty() { Ok(()) } else { Err(Error::invalid(wrong)) }
}

fn broken<T: garde::Validate<Context = ()>>(body: &T) -> Vec<ValidationError> {
    let Err(report) = body.validate() else { return Vec::new() };
    report.iter().map(|(path, error)| ValidationError::new(camel(&path.to_string()), "rule", error.message())).collect()
}

/// The rules that a body of this type breaks beside fields that are already known to be wrong, so that one answer names
/// them all. What cannot be read without those fields has no rules to be asked about.
pub(crate) fn broken_besides<T: DeserializeOwned + garde::Validate<Context = ()>>(
    body: &Value,
    known: &[ValidationError],
) -> Vec<ValidationError> {
    let top = |field: &str| field.split(['.', '[']).next().unwrap_or_default().to_owned();
    let mut rest = body.clone();
    if let Value::Object(fields) = &mut rest {
        for wrong in known {
            fields.remove(&top(&wrong.field));
        }
    }
    let Ok(body) = serde_json::from_value::<T>(rest) else { return Vec::new() };
    let named: Vec<String> = known.iter().map(|wrong| top(&wrong.field)).collect();
    broken(&body).into_iter().filter(|wrong| !named.contains(&top(&wrong.field))).collect()
}

/// garde speaks of Rust's fields (`display_name`), the API of its own (`displayName`).
fn camel(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut raise = false;
    for one in path.chars() {
        match one {
            '_' => raise = true,
            other if raise => {
                out.extend(other.to_uppercase());
                raise = false;
            }
            other => out.push(other),
        }
    }
    out
}
