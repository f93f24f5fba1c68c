//! Labels of resources, and the selectors that choose by them.

use std::collections::BTreeMap;

use garde::Validate;
use serde::{Deserialize, Serialize};

/// Labels of one resource.
pub type Labels = BTreeMap<String, String>;

/// Chooses resources by their labels. Everything in it must hold; an empty one chooses all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct LabelSelector {
    /// Labels that must have exactly these values.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[garde(custom(crate::rules::labels))]
    pub match_labels: Labels,
    /// Further conditions.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[garde(length(max = 32), dive)]
    pub match_expressions: Vec<LabelExpression>,
}

/// One condition on one label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LabelExpression {
    /// The label.
    #[garde(custom(|key: &String, (): &()| crate::rules::label_key(key)))]
    pub key: String,
    /// What must hold.
    #[garde(skip)]
    pub operator: LabelOperator,
    /// The values for `in` and `not_in`; empty for the others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[garde(length(max = 64), inner(length(max = 256)), custom(values_fit(self.operator)))]
    pub values: Vec<String>,
}

/// `in` and `not_in` need values; the others take none.
fn values_fit(operator: LabelOperator) -> impl FnOnce(&Vec<String>, &()) -> garde::Result {
    move |values, ()| match (operator, values.is_empty()) {
        (LabelOperator::In | LabelOperator::NotIn, true) => {
            Err(garde::Error::new("must hold at least one value for this operator"))
        }
        (LabelOperator::Exists | LabelOperator::DoesNotExist, false) => {
            Err(garde::Error::new("must be empty for this operator"))
        }
        (LabelOperator::In | LabelOperator::NotIn, false)
        | (LabelOperator::Exists | LabelOperator::DoesNotExist, true) => Ok(()),
    }
}

/// What a [`LabelExpression`] asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LabelOperator {
    /// The label has one of the values.
    In,
    /// The label is absent or has none of the values.
    NotIn,
    /// The label is present.
    Exists,
    /// The label is absent.
    DoesNotExist,
}

impl LabelSelector {
    /// Whether it chooses everything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.match_labels.is_empty() && self.match_expressions.is_empty()
    }

    /// Whether something with these labels is chosen.
    #[must_use]
    pub fn matches(&self, labels: &Labels) -> bool {
        self.match_labels.iter().all(|(key, value)| labels.get(key) == Some(value))
            && self.match_expressions.iter().all(|one| one.holds(labels))
    }
}

impl LabelExpression {
    fn holds(&self, labels: &Labels) -> bool {
        let value = labels.get(&self.key);
        match self.operator {
            LabelOperator::In => value.is_some_and(|value| self.values.contains(value)),
            LabelOperator::NotIn => value.is_none_or(|value| !self.values.contains(value)),
            LabelOperator::Exists => value.is_some(),
            LabelOperator::DoesNotExist => value.is_none(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn selectors_choose_as_written() {
        let target = labels(&[("zone", "a"), ("disk", "ssd")]);
        let cases = [
            (r"{}", true),
            (r#"{"matchLabels":{"zone":"a"}}"#, true),
            (r#"{"matchLabels":{"zone":"b"}}"#, false),
            (r#"{"matchLabels":{"zone":"a","rack":"1"}}"#, false),
            (r#"{"matchExpressions":[{"key":"zone","operator":"in","values":["a","b"]}]}"#, true),
            (r#"{"matchExpressions":[{"key":"rack","operator":"in","values":["1"]}]}"#, false),
            (r#"{"matchExpressions":[{"key":"rack","operator":"not_in","values":["1"]}]}"#, true),
            (r#"{"matchExpressions":[{"key":"zone","operator":"not_in","values":["a"]}]}"#, false),
            (r#"{"matchExpressions":[{"key":"disk","operator":"exists"}]}"#, true),
            (r#"{"matchExpressions":[{"key":"disk","operator":"does_not_exist"}]}"#, false),
            (
                r#"{"matchLabels":{"zone":"a"},"matchExpressions":[{"key":"disk","operator":"in","values":["hdd"]}]}"#,
                false,
            ),
        ];
        for (text, expected) in cases {
            let selector: LabelSelector = serde_json::from_str(text).unwrap();
            assert_eq!(selector.matches(&target), expected, "{text}");
        }
    }
}
