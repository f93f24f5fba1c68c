//! Files that are written from the code, committed, and compared by `make check`.

use anyhow::{Context, Result};
use plimsoll_core::{error::ErrorCode, evidence_packet::schema, permission::Permission};

use crate::{Findings, repository::Repository};

/// A file that the code writes.
struct Generated {
    path: &'static str,
    make: fn(&Repository) -> Result<String>,
}

/// Every generated file. A further one is a further row.
const FILES: &[Generated] = &[
    Generated { path: "docs/reference/error-codes.md", make: error_codes },
    Generated { path: "docs/reference/permissions.md", make: permissions },
    Generated {
        path: "docs/reference/evidence/promotion-decision.v1.schema.json",
        make: |_| predicate("promotion-decision"),
    },
    Generated { path: "docs/reference/evidence/deployment.v1.schema.json", make: |_| predicate("deployment") },
    Generated { path: "docs/reference/evidence/rollback.v1.schema.json", make: |_| predicate("rollback") },
    Generated {
        path: "docs/reference/evidence/governance-change.v1.schema.json",
        make: |_| predicate("governance-change"),
    },
    Generated { path: "docs/reference/evidence/sticker.v1.schema.json", make: |_| predicate("sticker") },
    Generated { path: "docs/reference/openapi.json", make: openapi },
];

/// Says which files no longer say what the code says.
pub fn check(repository: &Repository) -> Result<Findings> {
    differing(repository, FILES)
}

/// Writes them all; returns the paths of those that changed.
pub fn write(repository: &Repository) -> Result<Vec<&'static str>> {
    bring_up(repository, FILES)
}

fn differing(repository: &Repository, files: &[Generated]) -> Result<Findings> {
    let mut findings = Findings::new();
    for file in files {
        if repository.read(file.path).unwrap_or_default() != (file.make)(repository)? {
            findings.push(format!("{} is out of date: run `cargo xtask generate` and commit it", file.path));
        }
    }
    Ok(findings)
}

fn bring_up(repository: &Repository, files: &[Generated]) -> Result<Vec<&'static str>> {
    let mut written = Vec::new();
    for file in files {
        let text = (file.make)(repository)?;
        if repository.read(file.path).unwrap_or_default() == text {
            continue;
        }
        let path = repository.path(file.path);
        std::fs::create_dir_all(path.parent().context("a generated file lies in a folder")?)?;
        std::fs::write(&path, text).with_context(|| format!("cannot write {}", file.path))?;
        written.push(file.path);
    }
    Ok(written)
}

fn error_codes(_: &Repository) -> Result<String> {
    let mut rows = Vec::new();
    for code in ErrorCode::ALL {
        let kind = serde_json::to_value(code.kind())?;
        let kind = kind.as_str().context("an error kind is written as a word")?;
        rows.push([format!("`{code}`"), kind.to_owned(), code.meaning().trim().to_owned()]);
    }
    Ok(page(
        "Error codes",
        "The `error.code` of an answer. Codes are stable; messages are for people and may change.",
        ["code", "kind", "meaning"],
        &rows,
    ))
}

#[expect(clippy::unnecessary_wraps, reason = "every file is made by a function of the same shape")]
fn permissions(_: &Repository) -> Result<String> {
    let rows: Vec<_> =
        Permission::ALL.iter().map(|one| [format!("`{}`", one.as_str()), one.meaning().to_owned()]).collect();
    Ok(page("Permissions", "Each operation needs exactly one of them.", ["permission", "allows to"], &rows))
}

/// The JSON Schema of a predicate type.
fn predicate(word: &str) -> Result<String> {
    let all = schema::all()?;
    let (_, schema) = all.iter().find(|(name, _)| *name == word).context("a schema of this name")?;
    Ok(serde_json::to_string_pretty(schema)? + "\n")
}

/// By a program that has the server in it; this one stays small.
fn openapi(repository: &Repository) -> Result<String> {
    let program = ["run", "--quiet", "--locked", "--profile", "test", "--package", "xtask", "--features", "server"];
    repository.cargo(&[&program[..], &["--", "openapi"]].concat())
}

fn page<const N: usize>(title: &str, intro: &str, heads: [&str; N], rows: &[[String; N]]) -> String {
    let line = |cells: Vec<&str>| format!("| {} |\n", cells.join(" | "));
    let mut text = format!("<!-- Written by `cargo xtask generate`. -->\n# {title}\n{intro}\n\n");
    text += &line(heads.to_vec());
    text += &line(vec!["---"; N]);
    for row in rows {
        text += &line(row.iter().map(String::as_str).collect());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_or_changed_file_is_found_and_writing_mends_it() -> Result<()> {
        let tree = tempfile::tempdir()?;
        let repository = Repository::at(tree.path());
        let files =
            [Generated { path: "docs/a.md", make: permissions }, Generated { path: "docs/b.md", make: error_codes }];
        assert_eq!(differing(&repository, &files)?.len(), 2);
        assert_eq!(bring_up(&repository, &files)?, ["docs/a.md", "docs/b.md"]);
        assert_eq!(differing(&repository, &files)?, Findings::new());

        std::fs::write(repository.path("docs/a.md"), "edited by hand")?;
        assert_eq!(differing(&repository, &files)?.len(), 1);
        assert_eq!(bring_up(&repository, &files)?, ["docs/a.md"]);
        Ok(())
    }

    #[test]
    fn every_code_and_permission_is_listed() -> Result<()> {
        let repository = Repository::at(std::path::Path::new("."));
        let (codes, permissions) = (error_codes(&repository)?, permissions(&repository)?);
        assert!(ErrorCode::ALL.iter().all(|code| codes.contains(&format!("| `{code}` |"))));
        assert!(Permission::ALL.iter().all(|one| permissions.contains(&format!("| `{}` |", one.as_str()))));
        Ok(())
    }
}
