//! The filter of lists: a JSON object in the manner of MongoDB, compiled to bound parameters.

mod label;
mod scalar;

use plimsoll_core::{Error, Result, ValidationError, json::parse_strict};
use serde_json::{Map, Value as Json};

use self::scalar::scalar;
use super::{Among, Field, FieldKind, Table};
use crate::{IntoValue, Value, seam::fold};

/// Deepest nesting.
const DEPTH: usize = 8;
/// Deepest nesting of its JSON: each level may be an object, a list in it, and an operator with a list of values.
const JSON_DEPTH: usize = 2 * DEPTH + 4;
/// Most conditions.
const CONDITIONS: usize = 64;
/// Longest text.
const LENGTH: usize = 8 * 1024;

/// A checked filter: SQL over declared columns with its parameters.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// SQL whose parameters are written `{}` in order.
    sql: String,
    values: Vec<Value<'static>>,
    /// The fields that it looks at, by their names in the API.
    fields: Vec<String>,
}

impl Filter {
    /// Reads and checks the text of `?filter=` for the resource kept in `table`.
    pub fn parse(table: &Table, text: &str) -> Result<Self> {
        if text.len() > LENGTH {
            return Err(wrong("too_long", format!("the filter is longer than {LENGTH} bytes")));
        }
        let json = parse_strict(text.as_bytes(), JSON_DEPTH).map_err(|cause| {
            wrong("malformed", format!("{}; write for example {{\"name\":\"api\"}}", cause.message()))
        })?;
        Self::compiled(table, &json, CONDITIONS)
    }

    /// Compiles a condition of our own. What bounds clients' filters does not bound it: somebody may be bound in any
    /// number of environments.
    pub(super) fn ours(table: &Table, json: &Json) -> Result<Self> {
        Self::compiled(table, json, usize::MAX)
    }

    fn compiled(table: &Table, json: &Json, most: usize) -> Result<Self> {
        let mut compiler = Compiler { table, filter: Self::default(), conditions: 0, most };
        compiler.object(json, 0)?;
        Ok(compiler.filter)
    }

    /// The fields that it looks at, by their names in the API.
    pub(super) fn fields(&self) -> &[String] {
        &self.fields
    }

    /// Whether it lets everything through.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sql.is_empty()
    }

    /// Whether it names a column. Only columns stand in the text: values are bound.
    pub(crate) fn mentions(&self, column: &str) -> bool {
        self.sql.contains(column)
    }

    /// Puts SQL in the place of a column that is none.
    pub(crate) fn computed(mut self, column: &str, sql: &str) -> Self {
        self.sql = self.sql.replace(column, sql);
        self
    }

    /// One string that is the same for the same filter: the key of cached totals.
    pub(crate) fn key(&self) -> String {
        format!("{}|{:?}", self.sql, self.values)
    }

    /// Appends ` AND …` to `sql`, numbering parameters after those in `values`.
    pub(crate) fn append(&self, sql: &mut String, values: &mut Vec<Value<'static>>) {
        if self.is_empty() {
            return;
        }
        sql.push_str(" AND ");
        let mut given = self.values.iter();
        for (index, piece) in self.sql.split("{}").enumerate() {
            if index > 0 {
                values.extend(given.next().cloned());
                sql.push_str(&format!("${}", values.len()));
            }
            sql.push_str(piece);
        }
    }
}

fn wrong(code: &str, message: String) -> Error {
    Error::invalid(vec![ValidationError::new("filter", code, message)])
}

struct Compiler<'t> {
    table: &'t Table,
    filter: Filter,
    conditions: usize,
    /// Most conditions.
    most: usize,
}

impl Compiler<'_> {
    fn push(&mut self, text: &str) {
        self.filter.sql.push_str(text);
    }

    fn bind(&mut self, value: Value<'static>) {
        self.filter.values.push(value);
    }

    /// Counts further conditions.
    fn count(&mut self, more: usize) -> Result<()> {
        self.conditions = self.conditions.saturating_add(more);
        if self.conditions <= self.most {
            return Ok(());
        }
        Err(wrong(
            "too_many",
            format!("the filter has more than {} conditions, each value of a list counted", self.most),
        ))
    }

    /// Notes that the filter looks at a field.
    fn looks_at(&mut self, name: &str) {
        if !self.filter.fields.iter().any(|known| known == name) {
            self.filter.fields.push(name.to_owned());
        }
    }

    fn object(&mut self, json: &Json, depth: usize) -> Result<()> {
        if depth > DEPTH {
            return Err(wrong("too_deep", format!("the filter nests deeper than {DEPTH}")));
        }
        let Json::Object(map) = json else {
            return Err(wrong("type", "each part of a filter is an object, such as {\"status\":\"ready\"}".into()));
        };
        if map.is_empty() {
            if depth > 0 {
                self.push("(1 = 1)");
            }
            return Ok(());
        }
        self.push("(");
        for (index, (key, value)) in map.iter().enumerate() {
            if index > 0 {
                self.push(" AND ");
            }
            match key.as_str() {
                "$and" => self.joined(value, " AND ", depth)?,
                "$or" => self.joined(value, " OR ", depth)?,
                "$not" => {
                    // A row without a value does not satisfy the condition, so it satisfies its contrary.
                    self.push("NOT coalesce(");
                    self.object(value, depth + 1)?;
                    self.push(", (1 = 0))");
                }
                name => self.condition(name, value)?,
            }
        }
        self.push(")");
        Ok(())
    }

    fn joined(&mut self, json: &Json, by: &str, depth: usize) -> Result<()> {
        let Json::Array(parts) = json else {
            return Err(wrong("type", "$and and $or take a list of filters".into()));
        };
        if parts.is_empty() {
            return Err(wrong("empty", "$and and $or need at least one filter".into()));
        }
        self.push("(");
        for (index, part) in parts.iter().enumerate() {
            if index > 0 {
                self.push(by);
            }
            self.object(part, depth + 1)?;
        }
        self.push(")");
        Ok(())
    }

    fn condition(&mut self, name: &str, json: &Json) -> Result<()> {
        self.looks_at(name);
        if let Some(label) = name.strip_prefix("labels.") {
            return self.label(label, json);
        }
        let Some(field) = self.table.fields.iter().find(|field| field.api == name).copied().or_else(|| fixed(name))
        else {
            let known: Vec<&str> = self.table.fields.iter().map(|field| field.api).collect();
            let message =
                format!("{name:?} cannot be filtered by; choose among {}, createdAt, labels.<key>", known.join(", "));
            return Err(Error::invalid(vec![ValidationError::new(format!("filter.{name}"), "unknown_field", message)]));
        };
        if let FieldKind::Among(beside) = field.kind {
            return self.among(field, beside, json);
        }
        match json {
            Json::Object(operators) => self.operators(field, operators),
            plain => self.operator(field, "$eq", plain),
        }
    }

    fn operators(&mut self, field: Field, operators: &Map<String, Json>) -> Result<()> {
        if operators.is_empty() {
            return Err(wrong("empty", format!("{}: give a value or an operator such as $eq", field.api)));
        }
        for (index, (operator, operand)) in operators.iter().enumerate() {
            if index > 0 {
                self.push(" AND ");
            }
            self.operator(field, operator, operand)?;
        }
        Ok(())
    }

    fn operator(&mut self, field: Field, operator: &str, operand: &Json) -> Result<()> {
        self.count(1)?;
        let column = field.column;
        match operator {
            "$eq" if operand.is_null() => self.push(&format!("{column} IS NULL")),
            "$ne" if operand.is_null() => self.push(&format!("{column} IS NOT NULL")),
            "$ne" => {
                let value = scalar(field, operand)?;
                self.push(&format!("({column} IS NULL OR {column} <> {{}})"));
                self.bind(value);
            }
            "$eq" | "$gt" | "$gte" | "$lt" | "$lte" => {
                let sign = match operator {
                    "$gt" => ">",
                    "$gte" => ">=",
                    "$lt" => "<",
                    "$lte" => "<=",
                    _ => "=",
                };
                let value = scalar(field, operand)?;
                self.push(&format!("{column} {sign} {{}}"));
                self.bind(value);
            }
            "$in" | "$nin" => self.members(field, operator, operand)?,
            "$contains" | "$startsWith" => self.pattern(field, operator, operand)?,
            "$exists" => match operand {
                Json::Bool(true) => self.push(&format!("{column} IS NOT NULL")),
                Json::Bool(false) => self.push(&format!("{column} IS NULL")),
                _ => return Err(wrong("type", format!("{}: $exists takes true or false", field.api))),
            },
            other => {
                return Err(wrong(
                    "unknown_operator",
                    format!(
                        "{other:?} is no operator; there are $eq $ne $gt $gte $lt $lte $in $nin $contains $startsWith $exists"
                    ),
                ));
            }
        }
        Ok(())
    }

    fn members(&mut self, field: Field, operator: &str, operand: &Json) -> Result<()> {
        let Json::Array(list) = operand else {
            return Err(wrong("type", format!("{}: {operator} takes a list", field.api)));
        };
        if list.is_empty() {
            return Err(wrong("empty", format!("{}: {operator} takes at least one value", field.api)));
        }
        // The operator itself is counted already.
        self.count(list.len() - 1)?;
        let column = field.column;
        self.push(&match operator {
            "$in" => format!("{column} IN ("),
            // As with `$ne`: a row without a value is none of them.
            _ => format!("({column} IS NULL OR {column} NOT IN ("),
        });
        for (index, one) in list.iter().enumerate() {
            let value = scalar(field, one)?;
            self.push(if index > 0 { ", {}" } else { "{}" });
            self.bind(value);
        }
        self.push(if operator == "$in" { ")" } else { "))" });
        Ok(())
    }

    fn pattern(&mut self, field: Field, operator: &str, operand: &Json) -> Result<()> {
        let (FieldKind::Text, Json::String(text)) = (field.kind, operand) else {
            return Err(wrong("type", format!("{}: {operator} takes text and a field that is text", field.api)));
        };
        let escaped = fold(text).replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
        let pattern = if operator == "$contains" { format!("%{escaped}%") } else { format!("{escaped}%") };
        self.push(&format!("fold({}) LIKE {{}} ESCAPE '\\'", field.column));
        self.bind(pattern.into_value());
        Ok(())
    }

    /// Whether one of the values in the table beside is the one wanted, or one of those.
    fn among(&mut self, field: Field, beside: Among, json: &Json) -> Result<()> {
        let refused = || wrong("type", format!("{}: use a digest, $eq or $in with a list of digests", field.api));
        let wanted = match json {
            Json::Object(map) if map.len() == 1 => match map.iter().next() {
                Some((operator, Json::Array(list))) if operator == "$in" && !list.is_empty() => list.as_slice(),
                Some((operator, one)) if operator == "$eq" => std::slice::from_ref(one),
                _ => return Err(refused()),
            },
            Json::String(_) => std::slice::from_ref(json),
            _ => return Err(refused()),
        };
        self.count(wanted.len())?;
        let (own, Among { table, owner }, column) = (self.table.name, beside, field.column);
        // As a list of ids, which the index on the digest gives, not as a look at each row.
        self.push(&format!(
            "{own}.id IN (SELECT m.{owner} FROM {table} m WHERE m.tenant_id = {own}.tenant_id AND m.{column} IN ("
        ));
        for (index, one) in wanted.iter().enumerate() {
            let value = scalar(field, one)?;
            self.push(if index > 0 { ", {}" } else { "{}" });
            self.bind(value);
        }
        self.push("))");
        Ok(())
    }
}

/// Columns that every table has.
pub(super) fn fixed(name: &str) -> Option<Field> {
    match name {
        "createdAt" => Some(Field { api: "createdAt", column: "created_at", kind: FieldKind::Time, sortable: true }),
        "id" => Some(Field { api: "id", column: "id", kind: FieldKind::Id, sortable: true }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: Table = Table {
        name: "thing",
        noun: "thing",
        fields: &[
            Field { api: "name", column: "name", kind: FieldKind::Text, sortable: true },
            Field { api: "status", column: "status", kind: FieldKind::Enum(&["draft", "ready"]), sortable: true },
            Field { api: "size", column: "size", kind: FieldKind::Int, sortable: true },
        ],
        indexed: &[],
    };

    fn compiled(text: &str) -> String {
        let filter = Filter::parse(&TABLE, text).unwrap();
        let (mut sql, mut values) = (String::new(), vec![Value::Null]);
        filter.append(&mut sql, &mut values);
        assert_eq!(sql.matches('$').count(), values.len() - 1);
        sql
    }

    #[test]
    fn what_it_compiles_to() {
        assert_eq!(compiled("{}"), "");
        assert_eq!(compiled(r#"{"name":"a"}"#), " AND (name = $2)");
        assert_eq!(compiled(r#"{"size":{"$gte":1,"$lt":9}}"#), " AND (size >= $2 AND size < $3)");
        assert_eq!(compiled(r#"{"status":{"$in":["draft","ready"]}}"#), " AND (status IN ($2, $3))");
        assert_eq!(compiled(r#"{"$or":[{"name":"a"},{"size":1}]}"#), " AND (((name = $2) OR (size = $3)))");
        assert_eq!(compiled(r#"{"$not":{"name":"a"}}"#), " AND (NOT coalesce((name = $2), (1 = 0)))");
        assert_eq!(compiled(r#"{"name":{"$contains":"%x"}}"#), " AND (fold(name) LIKE $2 ESCAPE '\\')");
    }

    #[test]
    fn our_own_conditions_are_not_bounded() {
        let many: Vec<i64> = (0..200).collect();
        assert!(Filter::ours(&TABLE, &serde_json::json!({ "size": { "$in": many } })).is_ok());
    }

    #[test]
    fn labels_are_compiled_as_columns_are() {
        let exists = "EXISTS (SELECT 1 FROM label l WHERE l.tenant_id = thing.tenant_id AND l.kind = 'thing' AND l.resource_id = thing.id AND l.name = $2";
        assert_eq!(compiled(r#"{"labels.a":"b"}"#), format!(" AND ({exists} AND l.value = $3))"));
        assert_eq!(
            compiled(r#"{"labels.a":{"$nin":["b","c"]}}"#),
            format!(" AND (NOT {exists} AND l.value IN ($3, $4)))")
        );
        assert_eq!(compiled(r#"{"labels.a":{"$exists":false}}"#), format!(" AND (NOT {exists}))"));
    }

    #[test]
    fn what_is_refused() {
        let deep = format!("{}{{}}{}", r#"{"$not":"#.repeat(12), "}".repeat(12));
        let many = format!(r#"{{"size":{{"$in":[{}]}}}}"#, vec!["1"; 65].join(","));
        let labels: Vec<String> = (0..65).map(|number| format!(r#""labels.l{number}":"x""#)).collect();
        let labels = format!("{{{}}}", labels.join(","));
        for bad in [
            r#"{"size":1,"size":2}"#,
            r#"{"size":{"$gt":1,"$gt":2}}"#,
            r#"{"labels.a":{}}"#,
            r#"{"labels.a":{"$in":[]}}"#,
            r#"{"labels.a":1}"#,
            r#"{"labels.a":{"$exists":1}}"#,
            &labels,
            "x",
            "[]",
            r#"{"colour":"red"}"#,
            r#"{"status":"gone"}"#,
            r#"{"size":"1"}"#,
            r#"{"size":1.5}"#,
            r#"{"name":{"$regex":"x"}}"#,
            r#"{"$or":[]}"#,
            r#"{"name":{}}"#,
            r#"{"name; DROP TABLE thing":1}"#,
            &deep,
            &many,
        ] {
            assert!(Filter::parse(&TABLE, bad).is_err(), "{bad}");
        }
    }
}
