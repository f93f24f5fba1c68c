//! `${{ target.name }}` in values: small expressions, strict and bounded.

use minijinja::{Environment, ErrorKind, UndefinedBehavior, Value, filters};
use serde::Serialize;

use crate::{
    error::{Error, ErrorCode, Result},
    label::Labels,
    rules,
};

/// The work that one expression may cost: some thousand steps, about 600 KiB of text.
const FUEL: u64 = 10_000;
/// The longest expression in bytes.
const LONGEST: usize = 1_024;

/// The names that values may refer to.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Names<'a> {
    /// The target.
    pub target: TargetNames<'a>,
    /// The environment.
    pub environment: Name<'a>,
    /// The release.
    pub release: VersionName<'a>,
    /// The component.
    pub component: Name<'a>,
}

/// What is known of the target.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct TargetNames<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its labels.
    pub labels: &'a Labels,
}

/// Something that has a name.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Name<'a> {
    /// The name.
    pub name: &'a str,
}

/// Something that has a version.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct VersionName<'a> {
    /// The version.
    pub version: &'a str,
}

/// Resolves the references in the values of one component on one target.
pub struct Resolver {
    engine: Environment<'static>,
    context: Value,
    known: String,
}

impl Resolver {
    /// A resolver for `names`.
    #[must_use]
    pub fn new(names: &Names<'_>) -> Self {
        let mut engine = Environment::empty();
        engine.set_undefined_behavior(UndefinedBehavior::Strict);
        engine.set_fuel(Some(FUEL));
        engine.add_filter("default", filters::default);
        engine.add_filter("lower", filters::lower);
        engine.add_filter("upper", filters::upper);
        engine.add_filter("replace", filters::replace);
        engine.add_filter("trim", filters::trim);
        let fixed = ["target.name", "environment.name", "release.version", "component.name"].map(str::to_owned);
        let labels = names.target.labels.keys().map(|key| label_reference(key));
        Self {
            engine,
            context: Value::from(minijinja::value::Serde(names)),
            known: fixed.into_iter().chain(labels).collect::<Vec<_>>().join(", "),
        }
    }

    /// `text` with every `${{ … }}` replaced; `$${{` stands for a literal `${{`. `place` says where the
    /// text stands, such as `variable HOST of component api on target web-1`. What is put in is not looked
    /// at again.
    pub fn resolve(&self, place: &str, text: &str) -> Result<String> {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(start) = rest.find("${{") {
            let (before, from) = rest.split_at(start);
            let after = &from[3..];
            if let Some(escaped) = before.strip_suffix('$') {
                out.push_str(escaped);
                out.push_str("${{");
                rest = after;
                continue;
            }
            let end = after.find("}}").ok_or_else(|| {
                unreadable(place, &shown(after), "it has no closing \"}}\"; write $${{ where a literal ${{ is meant")
            })?;
            out.push_str(before);
            out.push_str(&self.evaluate(place, after[..end].trim())?);
            rest = &after[end + 2..];
            if out.len() > rules::VARIABLE {
                return Err(unreadable(place, &shown(text), "the result is longer than 32 KiB"));
            }
        }
        out.push_str(rest);
        Ok(out)
    }

    fn evaluate(&self, place: &str, expression: &str) -> Result<String> {
        if expression.is_empty() || expression.len() > LONGEST {
            return Err(unreadable(place, &shown(expression), "an expression has 1 to 1024 bytes"));
        }
        let value = self
            .engine
            .compile_expression(expression)
            .and_then(|compiled| compiled.eval(self.context.clone()))
            .map_err(|cause| self.explain(place, expression, &cause))?;
        if value.is_undefined() {
            return Err(self.unknown(place, expression));
        }
        match value.kind() {
            minijinja::value::ValueKind::String
            | minijinja::value::ValueKind::Number
            | minijinja::value::ValueKind::Bool => Ok(value.to_string()),
            other => Err(unreadable(place, expression, &format!("it gives a {other}, and only text can be put in"))),
        }
    }

    fn explain(&self, place: &str, expression: &str, cause: &minijinja::Error) -> Error {
        match cause.kind() {
            ErrorKind::UndefinedError => self.unknown(place, expression),
            ErrorKind::OutOfFuel => unreadable(place, expression, "it costs too much to compute"),
            ErrorKind::UnknownFilter => {
                unreadable(place, expression, "the filters are default, lower, upper, replace and trim")
            }
            kind => unreadable(place, expression, cause.detail().unwrap_or(&kind.to_string())),
        }
    }

    fn unknown(&self, place: &str, expression: &str) -> Error {
        Error::new(
            ErrorCode::UnknownReference,
            format!("{place} refers to {expression:?}, which does not exist there; known are: {}", self.known),
        )
        .details(serde_json::json!({ "place": place, "expression": expression }))
    }
}

/// How an expression names a label: keys that are no plain names stand in brackets.
fn label_reference(key: &str) -> String {
    if rules::is_variable_name(key) { format!("target.labels.{key}") } else { format!("target.labels[{key:?}]") }
}

fn unreadable(place: &str, expression: &str, why: &str) -> Error {
    Error::new(
        ErrorCode::RuleViolated,
        format!("{place} holds an expression that cannot be used, {expression:?}: {why}"),
    )
    .details(serde_json::json!({ "place": place, "expression": expression }))
}

fn shown(text: &str) -> String {
    text.chars().take(60).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::release::testing::labels;

    fn resolve(text: &str) -> Result<String> {
        let labels = labels(&[("zone", "eu"), ("app.kubernetes.io/name", "x"), ("tricky", "${{ target.name }}")]);
        let names = Names {
            target: TargetNames { name: "web-1", labels: &labels },
            environment: Name { name: "prod" },
            release: VersionName { version: "2.4.1" },
            component: Name { name: "api" },
        };
        Resolver::new(&names).resolve("variable A", text)
    }

    #[test]
    fn references_are_replaced() {
        for (text, expected) in [
            ("", ""),
            ("plain $HOME ${X} {{ y }}", "plain $HOME ${X} {{ y }}"),
            ("${{ target.name }}", "web-1"),
            ("${{target.name}}:${{ environment.name }}", "web-1:prod"),
            ("${{ release.version }}/${{ component.name }}", "2.4.1/api"),
            ("${{ target.labels.zone }}", "eu"),
            (r#"${{ target.labels["app.kubernetes.io/name"] }}"#, "x"),
            ("${{ target.labels.rack | default('none') }}", "none"),
            ("${{ target.name | upper }}", "WEB-1"),
            ("${{ 'a' if target.labels.zone == 'eu' else 'b' }}", "a"),
            ("$${{ target.name }}", "${{ target.name }}"),
            ("a$${{b}} ${{ target.name }}", "a${{b}} web-1"),
            ("${{ target.labels.tricky }}", "${{ target.name }}"),
        ] {
            assert_eq!(resolve(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn what_is_unknown_is_named_with_what_is_known() {
        for text in
            ["${{ target.labels.rack }}", "${{ target.nam }}", "${{ region }}", "${{ secrets.TOKEN }}", "${{ a.b.c }}"]
        {
            let error = resolve(text).unwrap_err();
            assert_eq!(error.code(), ErrorCode::UnknownReference, "{text}");
            assert!(
                error.message().contains("variable A") && error.message().contains("target.labels.zone"),
                "{error:?}"
            );
        }
    }

    #[test]
    fn what_cannot_be_computed_is_refused() {
        for text in [
            "${{ target.name",
            "${{ }}",
            "${{ target. }}",
            "${{ target.labels }}",
            "${{ none }}",
            "${{ ('x' * 1000000000) }}",
            "${{ range(10) }}",
            "${{ target.name | shell }}",
            "${{ target.name.format() }}",
            &format!("${{{{ {} }}}}", "(".repeat(900)),
            &format!("${{{{ {} }}}}", "[".repeat(900)),
            &format!("${{{{ {}x }}}}", "-".repeat(900)),
            &format!("${{{{ {}x.y }}}}", "not ".repeat(240)),
            &format!("${{{{ {}x }}}}", "x if x else ".repeat(80)),
            &format!("${{{{ {}x }}}}", "{'a':".repeat(180)),
            &format!("${{{{ x{} }}}}", ".x".repeat(400)),
            &format!("${{{{ {} }}}}", "x".repeat(2000)),
        ] {
            let error = resolve(text).unwrap_err();
            assert!(matches!(error.code(), ErrorCode::RuleViolated | ErrorCode::UnknownReference), "{text}: {error:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_gives_an_answer(text in "([$]{0,2}[{]{0,3}[a-z.'()*|\\[\\] ]{0,8}[}]{0,3}){0,6}") {
            match resolve(&text) {
                Ok(_) => {}
                Err(error) => prop_assert!(matches!(error.code(), ErrorCode::RuleViolated | ErrorCode::UnknownReference)),
            }
        }

        #[test]
        fn text_without_references_stays_as_it_is(text in "[^$]{0,60}") {
            prop_assert_eq!(resolve(&text).unwrap(), text);
        }
    }
}
