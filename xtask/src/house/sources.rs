//! Rules on source files.

use super::exceptions::{Exceptions, PATH};
use crate::{Findings, repository::SourceFile};

/// The longest file in which someone still finds their way.
const MOST_LINES: usize = 500;

/// Words that say that something is not done. Written apart here, so that this file is not found.
const UNFINISHED: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("X", "XX"),
    concat!("to", "do!("),
    concat!("unimple", "mented!("),
];

/// Switches a test off.
const SWITCHED_OFF: &str = concat!("#[ign", "ore");

/// Lints that keep the process alive, or keep time and randomness out: a file that switches one off is listed.
const GUARDED: &[&str] =
    &["unwrap_used", "expect_used", "panic", "print_stdout", "print_stderr", "disallowed_methods", "unsafe_code"];

/// Rooms that decide. Those at the edge measure their own waiting with the monotonic clock, so clippy cannot refuse it
/// everywhere; these are given time as a value.
const WITHOUT_A_CLOCK: &[&str] =
    &["crates/core/src/", "crates/evidence/src/", "crates/protocol/src/", "crates/authority/src/", "crates/app/src/"];
/// The one file of them that reads clocks.
const CLOCK: &str = "crates/core/src/context.rs";
const MONOTONIC: &str = "Instant::now(";

/// All rules on one file.
pub fn check(file: &SourceFile, exceptions: &Exceptions) -> Findings {
    let mut findings = unfinished(file);
    if has_extension(file, &["rs", "ts", "tsx", "sh", "py"]) || !file.path.contains('.') {
        findings.extend(too_long(file, exceptions));
    }
    if has_extension(file, &["rs"]) {
        findings.extend(heading(file));
        findings.extend(tests(file));
        findings.extend(lints(file, exceptions));
        findings.extend(clocks(file));
    }
    findings.into_iter().map(|finding| format!("{}{finding}", file.path)).collect()
}

fn has_extension(file: &SourceFile, extensions: &[&str]) -> bool {
    file.path.rsplit_once('.').is_some_and(|(_, extension)| extensions.contains(&extension))
}

fn too_long(file: &SourceFile, exceptions: &Exceptions) -> Option<String> {
    let lines = file.text.lines().count();
    if lines <= MOST_LINES {
        return None;
    }
    let most = exceptions.lines(&file.path).unwrap_or(MOST_LINES);
    (lines > most).then(|| format!(": {lines} lines, {most} are allowed: divide it by what changes together"))
}

fn heading(file: &SourceFile) -> Option<String> {
    let says = file.text.lines().next().is_some_and(|line| line.starts_with("//! ") && line.len() > 8);
    (!says).then(|| ":1: the first line says in `//!` what the file is for".to_owned())
}

fn unfinished(file: &SourceFile) -> Findings {
    if !has_extension(file, &["rs", "md", "toml", "sh", "py", "ts", "tsx", "sql", "html", "css"]) {
        return Findings::new();
    }
    let found = |line: &str| UNFINISHED.iter().find(|word| line.contains(**word)).copied();
    numbered(file)
        .filter_map(|(number, line)| found(line).map(|word| format!(":{number}: {word}: finish it, or say what is so")))
        .collect()
}

fn tests(file: &SourceFile) -> Findings {
    let mut findings = Findings::new();
    if let Some((_, inside)) = file.path.split_once("/tests/")
        && !inside.starts_with("it/")
    {
        findings.push(": one integration test binary a crate: put it under tests/it/".to_owned());
    }
    for (number, line) in numbered(file) {
        if line.trim_start().starts_with(SWITCHED_OFF) {
            findings.push(format!(":{number}: a test that does not run shows nothing: mend it or remove it"));
        }
        if file.path.contains("/tests/") && line.contains("sleep(") {
            findings
                .push(format!(":{number}: tests do not sleep: wait for what should come, with `testkit::eventually`"));
        }
    }
    findings
}

fn lints(file: &SourceFile, exceptions: &Exceptions) -> Findings {
    let mut findings = Findings::new();
    if file.path.contains("/tests/") {
        return findings;
    }
    for (number, attribute) in attributes(&file.text) {
        if !attribute.contains("reason") {
            findings.push(format!(":{number}: say the `reason` why a lint is switched off"));
        }
        for lint in GUARDED.iter().filter(|lint| names(attribute).any(|name| name == **lint)) {
            if !exceptions.allows(&file.path, lint) {
                findings.push(format!(":{number}: {lint} may be switched off only by files that {PATH} lists"));
            }
        }
    }
    findings
}

fn clocks(file: &SourceFile) -> Findings {
    if file.path == CLOCK || !WITHOUT_A_CLOCK.iter().any(|room| file.path.starts_with(room)) {
        return Findings::new();
    }
    let reads = numbered(file).filter(|(_, line)| line.contains(MONOTONIC));
    reads.map(|(number, _)| format!(":{number}: time is passed in: core::context::Context::instant")).collect()
}

/// The attributes that switch lints off, each from its line on to its end.
fn attributes(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.match_indices('#').filter_map(|(at, _)| {
        let line_start = text[..at].rfind('\n').map_or(0, |newline| newline + 1);
        let rest = &text[at..];
        let inner = rest.trim_start_matches('#').trim_start_matches('!');
        let switches_off = inner.starts_with("[allow(") || inner.starts_with("[expect(");
        let alone = text[line_start..at].trim().is_empty();
        let end = rest.find(")]").unwrap_or(rest.len());
        (switches_off && alone).then(|| (text[..at].lines().count() + 1, &rest[..end]))
    })
}

fn names(attribute: &str) -> impl Iterator<Item = &str> {
    attribute.split(|c: char| !(c.is_alphanumeric() || c == '_'))
}

fn numbered(file: &SourceFile) -> impl Iterator<Item = (usize, &str)> {
    file.text.lines().enumerate().map(|(index, line)| (index + 1, line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> Findings {
        let exceptions = "[[lint]]\npath = 'crates/x/src/clock.rs'\nlint = 'disallowed_methods'";
        let exceptions = Exceptions::parse(exceptions).expect("well-formed");
        check(&SourceFile { path: path.to_owned(), text: text.to_owned() }, &exceptions)
    }

    #[track_caller]
    fn refused(path: &str, text: &str, why: &str) {
        let findings = findings(path, text);
        assert!(findings.len() == 1 && findings[0].contains(why), "{findings:?}");
    }

    #[track_caller]
    fn accepted(path: &str, text: &str) {
        assert_eq!(findings(path, text), Findings::new());
    }

    #[test]
    fn a_plain_file_is_fine() {
        accepted("crates/x/src/lib.rs", "//! What it is for.\n\n/// One.\npub const ONE: u8 = 1;\n");
    }

    #[test]
    fn a_file_has_a_heading() {
        refused("crates/x/src/lib.rs", "pub mod a;\n", ":1: the first line");
        refused("crates/x/src/lib.rs", "//!\npub mod a;\n", ":1: the first line");
    }

    #[test]
    fn a_long_file_is_refused() {
        accepted("crates/x/src/a.rs", &format!("//! A table.\n{}", "// row\n".repeat(MOST_LINES - 1)));
        refused("crates/x/src/a.rs", &format!("//! A table.\n{}", "// row\n".repeat(MOST_LINES)), "501 lines");
        refused("scripts/long", &"true\n".repeat(MOST_LINES + 1), "501 lines");
    }

    #[test]
    fn unfinished_work_is_found_with_its_line() {
        refused("docs/a.md", &format!("# Title\n{} later\n", UNFINISHED[0]), "docs/a.md:2: ");
        refused("crates/x/src/a.rs", &format!("//! What it is for.\nfn f() {{ {} }}\n", UNFINISHED[3]), ":2: ");
    }

    #[test]
    fn tests_run_and_do_not_sleep() {
        refused(
            "crates/x/src/a.rs",
            &format!("//! What it is for.\n  {SWITCHED_OFF}]\n"),
            ":2: a test that does not run",
        );
        refused("crates/x/tests/it/a.rs", "//! What it is for.\nfn f() { sleep(1); }\n", ":2: tests do not sleep");
        refused("crates/x/tests/more.rs", "//! What it is for.\n", "under tests/it/");
        accepted("crates/x/src/a.rs", "//! What it is for.\nfn f() { sleep(1); }\n");
    }

    #[test]
    fn rooms_that_decide_read_no_clock() {
        let reads = "//! What it is for.\nfn f() -> Instant { Instant::now() }\n";
        refused("crates/app/src/component/sync.rs", reads, ":2: time is passed in");
        accepted("crates/agent/src/lease.rs", reads);
        accepted(CLOCK, reads);
    }

    #[test]
    fn a_lint_is_switched_off_with_a_reason_and_a_guarded_one_by_listed_files_alone() {
        let clock = "//! The clock.\n#[expect(\n  clippy::disallowed_methods,\n  reason = \"here\"\n)]\nfn now() {}\n";
        accepted("crates/x/src/clock.rs", clock);
        refused("crates/x/src/other.rs", clock, ":2: disallowed_methods");
        refused("crates/x/src/a.rs", "//! What it is for.\n#![allow(clippy::pedantic)]\n", ":2: say the `reason`");
        accepted("crates/x/src/a.rs", "//! What it is for.\n#[expect(clippy::panic_in_result_fn, reason = \"\")]\n");
        accepted("crates/x/tests/it/main.rs", "//! What it is for.\n#![allow(clippy::panic)]\n");
    }
}
