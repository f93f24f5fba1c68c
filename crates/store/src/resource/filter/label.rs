//! Conditions on labels, which lie in a table of their own.

use plimsoll_core::Result;
use serde_json::Value as Json;

use super::{Compiler, Field, FieldKind, wrong};
use crate::IntoValue;

impl Compiler<'_> {
    pub(super) fn label(&mut self, label: &str, json: &Json) -> Result<()> {
        let Json::Object(operators) = json else {
            return self.label_operator(label, "$eq", json);
        };
        if operators.is_empty() {
            return Err(wrong("empty", format!("labels.{label}: give a value or an operator such as $eq")));
        }
        for (index, (operator, operand)) in operators.iter().enumerate() {
            if index > 0 {
                self.push(" AND ");
            }
            self.label_operator(label, operator, operand)?;
        }
        Ok(())
    }

    /// A label that is not set has no value: it equals nothing and differs from everything, as a column without a
    /// value does.
    fn label_operator(&mut self, label: &str, operator: &str, operand: &Json) -> Result<()> {
        const VALUE: Field = Field { api: "labels", column: "l.value", kind: FieldKind::Text, sortable: false };
        let (there, condition) = match (operator, operand) {
            ("$exists", Json::Bool(there)) => (*there, None),
            ("$eq", Json::Null) => (false, None),
            ("$ne", Json::Null) => (true, None),
            ("$ne", _) => (false, Some("$eq")),
            ("$nin", _) => (false, Some("$in")),
            (other, _) => (true, Some(other)),
        };
        let kind = self.table.name;
        self.push(if there { "" } else { "NOT " });
        self.push(&format!(
            "EXISTS (SELECT 1 FROM label l WHERE l.tenant_id = {kind}.tenant_id AND l.kind = '{kind}' AND l.resource_id = {kind}.id AND l.name = {{}}"
        ));
        self.bind(label.to_owned().into_value());
        match condition {
            Some(condition) => {
                self.push(" AND ");
                self.operator(VALUE, condition, operand)?;
            }
            None => self.count(1)?,
        }
        self.push(")");
        Ok(())
    }
}
