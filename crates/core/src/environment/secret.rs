//! Which of an environment's secrets of one name a target is given.

use crate::{
    error::{Error, ErrorCode, Result},
    label::Labels,
};

/// The one of `all` that a target gets as `name`: of those whose labels fit, the one that asks for most.
/// `of` tells the name and the labels of each. None is 422 `UNKNOWN_REFERENCE`; two that ask for equally much
/// are 422 `AMBIGUOUS_VARIABLE`, as with variables.
pub fn secret_for<'a, T>(
    all: &'a [T],
    name: &str,
    target: (&str, &Labels),
    of: impl Fn(&'a T) -> (&'a str, &'a Labels),
) -> Result<&'a T> {
    let (target, labels) = target;
    let fits = |wanted: &Labels| wanted.iter().all(|(key, value)| labels.get(key) == Some(value));
    let mut fitting: Vec<(&Labels, &T)> = all
        .iter()
        .filter_map(|one| {
            let (known, wanted) = of(one);
            (known == name && fits(wanted)).then_some((wanted, one))
        })
        .collect();
    fitting.sort_by_key(|(wanted, _)| std::cmp::Reverse(wanted.len()));
    match fitting.as_slice() {
        [] => Err(Error::new(
            ErrorCode::UnknownReference,
            format!("the environment has no secret {name:?} for target {target:?}; set it there"),
        )),
        [(one, _), (other, _), ..] if one.len() == other.len() => Err(Error::new(
            ErrorCode::AmbiguousVariable,
            format!(
                "secret {name} is set twice for target {target}, for {} and for {}, which are equally specific; \
                 add a label to one of them, or remove one",
                describe(one),
                describe(other)
            ),
        )
        .details(serde_json::json!({ "secret": name, "target": target, "scopes": [describe(one), describe(other)] }))),
        [(_, one), ..] => Ok(one),
    }
}

/// Labels such as `[disk=ssd, zone=a]`.
fn describe(labels: &Labels) -> String {
    let pairs: Vec<_> = labels.iter().map(|(key, value)| format!("{key}={value}")).collect();
    format!("[{}]", pairs.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(json: serde_json::Value) -> Labels {
        serde_json::from_value(json).unwrap()
    }

    fn chosen(all: &[(&'static str, Labels)], name: &str, target: serde_json::Value) -> Result<Labels> {
        let here = labels(target);
        secret_for(all, name, ("web-1", &here), |one| (one.0, &one.1)).map(|one| one.1.clone())
    }

    #[test]
    fn the_one_with_most_labels_wins_and_two_alike_are_refused() {
        let (all, a) = (labels(serde_json::json!({})), labels(serde_json::json!({"zone": "a"})));
        let ssd = labels(serde_json::json!({"disk": "ssd"}));
        let stored = [("A", all.clone()), ("A", a.clone()), ("A", ssd)];
        assert_eq!(chosen(&stored, "A", serde_json::json!({"zone": "a"})).unwrap(), a);
        assert_eq!(chosen(&stored, "A", serde_json::json!({"zone": "b"})).unwrap(), all);
        let both = chosen(&stored, "A", serde_json::json!({"zone": "a", "disk": "ssd"})).unwrap_err();
        assert_eq!(both.code(), ErrorCode::AmbiguousVariable);
        assert!(both.message().contains("[disk=ssd]") && both.message().contains("[zone=a]"), "{}", both.message());
        let none = chosen(&stored, "B", serde_json::json!({})).unwrap_err();
        assert_eq!(none.code(), ErrorCode::UnknownReference);
    }
}
