//! Generation and house checks: what `make check` asks beyond what the compiler and clippy see.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a tool for the terminal")]

mod databases;
mod directions;
mod generated;
mod house;
mod repository;

use std::process::ExitCode;

use anyhow::Result;
use repository::Repository;

/// A rule that was broken: where, and what to do about it.
type Findings = Vec<String>;

/// One check: its name on the command line, what it is about, and what does it.
struct Check {
    name: &'static str,
    about: &'static str,
    run: fn(&Repository) -> Result<Findings>,
}

/// All checks, in the order in which `cargo xtask check` runs them.
const CHECKS: &[Check] = &[
    Check { name: "house", about: "sizes, headings, words and lints of the source files", run: house::check },
    Check { name: "directions", about: "which crate may use which", run: directions::check },
    Check { name: "generated", about: "generated files say what the code says", run: generated::check },
];

fn main() -> Result<ExitCode> {
    let repository = Repository::open()?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["check"] => run(&repository, CHECKS.iter()),
        #[cfg(feature = "server")]
        ["openapi"] => {
            println!("{}", plimsoll_server::openapi_document()?);
            Ok(ExitCode::SUCCESS)
        }
        ["generate"] => {
            for path in generated::write(&repository)? {
                println!("wrote {path}");
            }
            Ok(ExitCode::SUCCESS)
        }
        ["databases"] => Ok(report(&databases::listed(&repository)?.alone)),
        ["databases", "ran", profile, which @ ("all" | "some")] => {
            let pairs = databases::ran(&repository, profile)?;
            println!("tests that ran on both databases: {} on SQLite, {} on PostgreSQL", pairs.sqlite, pairs.postgres);
            // Who asks for some tests may ask for those of one database.
            Ok(if *which == "all" { report(&pairs.alone) } else { ExitCode::SUCCESS })
        }
        [name] if CHECKS.iter().any(|check| check.name == *name) => {
            run(&repository, CHECKS.iter().filter(|check| check.name == *name))
        }
        _ => {
            eprintln!("usage: cargo xtask <command>\n\n  check       all of the checks below");
            for check in CHECKS {
                eprintln!("  {:<11} {}", check.name, check.about);
            }
            eprintln!("  databases   each test on SQLite has its twin on PostgreSQL (builds the tests)");
            eprintln!("  databases ran <profile> <all|some>   how many of each the last run with this profile ran");
            eprintln!("  generate    writes the generated files anew");
            Ok(ExitCode::from(2))
        }
    }
}

fn run<'a>(repository: &Repository, checks: impl Iterator<Item = &'a Check>) -> Result<ExitCode> {
    let mut all = Findings::new();
    for check in checks {
        let findings = (check.run)(repository)?;
        println!("{:<11} {}", check.name, if findings.is_empty() { "ok" } else { "BROKEN" });
        all.extend(findings.into_iter().map(|finding| format!("{}: {finding}", check.name)));
    }
    Ok(report(&all))
}

fn report(findings: &Findings) -> ExitCode {
    for finding in findings {
        eprintln!("{finding}");
    }
    if findings.is_empty() {
        return ExitCode::SUCCESS;
    }
    eprintln!("{} to mend", findings.len());
    ExitCode::FAILURE
}
