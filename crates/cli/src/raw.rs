//! The command line as it stands, for when it is not parsed: it cannot be, or a shell asks what may come next.

use std::ffi::OsString;

use clap::{ValueEnum as _, error::ErrorKind};

use crate::{args::Form, failure::Failure};

/// Short flags without a value, which may stand before `-o` in one word.
const FLAGS: [char; 2] = ['q', 'y'];

/// The value of `--<long>`, or of `-<short>`, wherever it stands; the last one when it stands there twice.
pub(crate) fn value(words: &[OsString], long: &str, short: Option<char>) -> Option<String> {
    let words: Vec<&str> = words.iter().take_while(|word| *word != "--").filter_map(|word| word.to_str()).collect();
    let next = |at: usize| words.get(at + 1).map(|word| (*word).to_owned());
    words.iter().enumerate().rev().find_map(|(at, word)| {
        if let Some(rest) = word.strip_prefix("--").and_then(|word| word.strip_prefix(long)) {
            return if rest.is_empty() { next(at) } else { rest.strip_prefix('=').map(str::to_owned) };
        }
        let bundle = word.strip_prefix('-').filter(|bundle| !bundle.starts_with('-'))?;
        let rest = bundle.trim_start_matches(FLAGS).strip_prefix(short?)?;
        if rest.is_empty() { next(at) } else { Some(rest.strip_prefix('=').unwrap_or(rest).to_owned()) }
    })
}

/// Whether errors shall be told in JSON.
pub(crate) fn wants_json(words: &[OsString]) -> bool {
    let form = value(words, "output", Some('o')).and_then(|form| Form::from_str(&form, false).ok());
    form.is_some_and(Form::is_for_programs)
}

/// What clap says of arguments that it cannot read.
pub(crate) fn failure(error: &clap::Error) -> Failure {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return Failure::usage("a command is missing").hint("add --help to see which there are");
    }
    let text = error.render().to_string();
    let mut parts = text.split("\n\n").map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "));
    let message = parts.next().unwrap_or_default();
    let hint: Vec<String> = parts.filter(|part| !part.is_empty()).collect();
    Failure::usage(message.trim_start_matches("error: ")).hint(hint.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn the_form_is_found_wherever_and_however_it_is_written() {
        for line in [
            "plimsoll env lst -o json",
            "plimsoll -ojson env",
            "plimsoll -o=yaml env",
            "plimsoll env --output=ndjson",
            "plimsoll env --output json",
            "plimsoll -qo json",
            "plimsoll -yqojson",
            "plimsoll -o table env -o json",
        ] {
            assert!(wants_json(&words(line)), "{line}");
        }
        for line in
            ["plimsoll env", "plimsoll -o table", "plimsoll env -o", "plimsoll env -- -o json", "plimsoll -n json"]
        {
            assert!(!wants_json(&words(line)), "{line}");
        }
        assert_eq!(value(&words("plimsoll --context grace env"), "context", None).as_deref(), Some("grace"));
        assert_eq!(value(&words("plimsoll --contexts grace"), "context", None), None);
    }
}
