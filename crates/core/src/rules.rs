//! Rules on single fields, for `#[garde(custom(…))]` on the types of every noun. Each says what would be
//! right; lengths are in bytes.

use std::collections::BTreeMap;

use crate::{label::Labels, name};

/// The longest name for people.
pub const DISPLAY_NAME: usize = 200;
/// The longest description, reason or comment.
pub const DESCRIPTION: usize = 4_000;
/// The longest text: release notes.
pub const NOTES: usize = 100_000;
/// The longest URL or path.
pub const URL: usize = 2_048;
/// The longest regular expression.
pub const PATTERN: usize = 500;
/// The most labels on one resource.
pub const LABELS: usize = 64;
/// The most variables on one resource.
pub const VARIABLES: usize = 500;
/// The longest value of a variable.
pub const VARIABLE: usize = 32_768;

/// `holds`, or `message`.
pub fn ensure(holds: bool, message: &str) -> garde::Result {
    if holds { Ok(()) } else { Err(garde::Error::new(message)) }
}

/// `rule` on the value of an optional field.
pub fn if_set<T>(rule: impl FnOnce(&T, &()) -> garde::Result) -> impl FnOnce(&Option<T>, &()) -> garde::Result {
    move |value, context| value.as_ref().map_or(Ok(()), |value| rule(value, context))
}

/// A slug: see [`name::check_slug`].
pub fn slug<T: AsRef<str>>(text: &T, _: &()) -> garde::Result {
    ensure(
        name::check_slug("", text.as_ref()).is_ok(),
        "must be 1 to 63 lower-case letters, digits or '-', beginning and ending with a letter or digit",
    )
}

/// A port that exists.
pub fn port(port: &u16, _: &()) -> garde::Result {
    ensure(*port != 0, "must be 1 to 65535")
}

/// Text without control characters, so that logs and terminals show what it says.
pub fn plain<T: AsRef<str>>(text: &T, _: &()) -> garde::Result {
    ensure(!text.as_ref().chars().any(char::is_control), "must not hold control characters")
}

/// Text as [`plain`], but of several lines.
pub fn prose(text: &Option<String>, _: &()) -> garde::Result {
    let odd = |one: char| one.is_control() && !matches!(one, '\n' | '\r' | '\t');
    ensure(!text.as_deref().unwrap_or_default().chars().any(odd), "must not hold control characters")
}

/// A command: program and arguments.
pub fn command(command: &Option<Vec<String>>, _: &()) -> garde::Result {
    let Some(words) = command else { return Ok(()) };
    ensure(words.first().is_some_and(|program| !program.is_empty()), "must name a program")?;
    ensure(words.len() <= 256, "must have at most 256 words")?;
    ensure(
        words.iter().all(|word| word.len() <= 16_384 && !word.contains('\0')),
        "must have words of at most 16 KiB without NUL",
    )
}

/// Labels: keys of letters, digits, `.`, `_`, `-` and `/`; ours (`plimsoll.`) are taken.
pub fn labels(labels: &Labels, _: &()) -> garde::Result {
    ensure(labels.len() <= LABELS, "must be at most 64 labels")?;
    for (key, value) in labels {
        label_key(key)?;
        ensure(
            value.len() <= 256 && !value.chars().any(char::is_control),
            "must have values of at most 256 bytes without control characters",
        )?;
    }
    Ok(())
}

/// One label's key.
pub fn label_key(key: &str) -> garde::Result {
    let known = |one: u8| one.is_ascii_alphanumeric() || matches!(one, b'.' | b'_' | b'-' | b'/');
    if key.is_empty() || key.len() > 128 || !key.bytes().all(known) {
        return Err(garde::Error::new(format!(
            "{:?} is not a label's key: use 1 to 128 letters, digits, '.', '_', '-' or '/'",
            shortened(key)
        )));
    }
    ensure(
        !key.starts_with("plimsoll."),
        "must not have keys that begin with \"plimsoll.\": those are the product's own",
    )
}

/// Variables: names as a shell takes them (POSIX), values without NUL.
pub fn variables(variables: &BTreeMap<String, String>, _: &()) -> garde::Result {
    ensure(variables.len() <= VARIABLES, "must be at most 500 variables")?;
    for (name, value) in variables {
        if !is_variable_name(name) {
            return Err(garde::Error::new(format!(
                "{:?} is not a variable's name: use letters, digits and '_', not beginning with a digit, at most 128",
                shortened(name)
            )));
        }
        if value.len() > VARIABLE || value.contains('\0') {
            return Err(garde::Error::new(format!("the value of {name} must be at most 32 KiB without NUL")));
        }
    }
    Ok(())
}

/// Whether an environment variable can have this name.
#[must_use]
pub fn is_variable_name(name: &str) -> bool {
    let first = name.bytes().next().is_some_and(|one| one.is_ascii_alphabetic() || one == b'_');
    first && name.len() <= 128 && name.bytes().all(|one| one.is_ascii_alphanumeric() || one == b'_')
}

fn shortened(text: &str) -> String {
    text.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(key: &str, value: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(key.to_owned(), value.to_owned())])
    }

    #[test]
    fn labels_are_bounded_and_ours_are_taken() {
        for good in ["team", "app.kubernetes.io/name", "a_b-c"] {
            assert!(labels(&map(good, "x"), &()).is_ok(), "{good}");
        }
        for bad in ["", "a b", "plimsoll.task", "ä", &"x".repeat(129)] {
            assert!(labels(&map(bad, "x"), &()).is_err(), "{bad}");
        }
        assert!(labels(&map("a", &"x".repeat(257)), &()).is_err());
        assert!(labels(&map("a", "x\u{1b}[2J"), &()).is_err());
        let many: Labels = (0..65).map(|number| (format!("k{number}"), String::new())).collect();
        assert!(labels(&many, &()).is_err());
    }

    #[test]
    fn variables_have_names_that_a_shell_takes() {
        for good in ["PATH", "_x", "a1"] {
            assert!(variables(&map(good, "line\nline"), &()).is_ok(), "{good}");
        }
        for bad in ["", "1A", "A-B", "A=B", "Ä", &"x".repeat(129)] {
            assert!(variables(&map(bad, "x"), &()).is_err(), "{bad}");
        }
        assert!(variables(&map("A", "a\0b"), &()).is_err());
        assert!(variables(&map("A", &"x".repeat(32_769)), &()).is_err());
    }

    #[test]
    fn commands_name_a_program() {
        assert!(command(&None, &()).is_ok());
        assert!(command(&Some(vec!["serve".to_owned(), String::new()]), &()).is_ok());
        assert!(command(&Some(vec![]), &()).is_err());
        assert!(command(&Some(vec![String::new()]), &()).is_err());
        assert!(command(&Some(vec!["a\0".to_owned()]), &()).is_err());
    }

    #[test]
    fn text_has_no_control_characters() {
        assert!(plain(&"A name", &()).is_ok());
        assert!(plain(&"two\nlines", &()).is_err());
        assert!(prose(&Some("two\nlines".to_owned()), &()).is_ok());
        assert!(prose(&Some("bell\u{7}".to_owned()), &()).is_err());
    }
}
