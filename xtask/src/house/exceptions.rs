//! `xtask/exceptions.toml`: what may break a rule, and why. It only shrinks: an entry that is not needed is a finding.

use std::cell::RefCell;

use anyhow::{Context, Result};
use serde::Deserialize;

use crate::{Findings, repository::Repository};

/// Where the list lies.
pub const PATH: &str = "xtask/exceptions.toml";

/// The list, and which of its entries were needed.
#[derive(Default)]
pub struct Exceptions {
    list: List,
    used: RefCell<Vec<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct List {
    #[serde(default)]
    long_file: Vec<LongFile>,
    #[serde(default)]
    lint: Vec<Lint>,
}

/// A file that may be longer than the others.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LongFile {
    path: String,
    lines: usize,
    #[allow(dead_code, reason = "the list must say why; people read it")]
    why: String,
}

/// A guarded lint that one file may switch off. The reason stands at the attribute.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Lint {
    path: String,
    lint: String,
}

impl Exceptions {
    /// The list of this tree.
    pub fn read(repository: &Repository) -> Result<Self> {
        Self::parse(&repository.read(PATH)?).with_context(|| format!("{PATH} is not well-formed"))
    }

    /// The list in `text`.
    pub fn parse(text: &str) -> Result<Self> {
        Ok(Self { list: toml::from_str(text)?, used: RefCell::default() })
    }

    /// How many lines a file may have beyond the bound for all, if it is listed.
    pub fn lines(&self, path: &str) -> Option<usize> {
        let entry = self.list.long_file.iter().find(|entry| entry.path == path)?;
        self.used.borrow_mut().push(long_file(entry));
        Some(entry.lines)
    }

    /// Whether a file may switch off a guarded lint.
    pub fn allows(&self, path: &str, lint: &str) -> bool {
        let Some(entry) = self.list.lint.iter().find(|entry| entry.path == path && entry.lint == lint) else {
            return false;
        };
        self.used.borrow_mut().push(lint_of(entry));
        true
    }

    /// Entries that nothing needed, asked after all files were looked at.
    pub fn unused(&self) -> Findings {
        let used = self.used.borrow();
        let all = self.list.long_file.iter().map(long_file).chain(self.list.lint.iter().map(lint_of));
        all.filter(|entry| !used.contains(entry))
            .map(|entry| format!("{PATH}: {entry} is not needed any more: remove it"))
            .collect()
    }
}

fn long_file(entry: &LongFile) -> String {
    format!("the length of {}", entry.path)
}

fn lint_of(entry: &Lint) -> String {
    format!("{} in {}", entry.lint, entry.path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_that_nothing_needs_is_a_finding() -> Result<()> {
        let text =
            "[[long-file]]\npath = 'a.rs'\nlines = 900\nwhy = 'one table'\n[[lint]]\npath = 'b.rs'\nlint = 'panic'";
        let exceptions = Exceptions::parse(text)?;
        assert_eq!(exceptions.unused().len(), 2);
        assert_eq!(exceptions.lines("a.rs"), Some(900));
        assert!(!exceptions.allows("b.rs", "unwrap_used"));
        assert_eq!(exceptions.unused().len(), 1);
        assert!(exceptions.allows("b.rs", "panic"));
        assert_eq!(exceptions.unused(), Findings::new());
        Ok(())
    }

    #[test]
    fn a_length_without_a_reason_is_refused() {
        assert!(Exceptions::parse("[[long-file]]\npath = 'a.rs'\nlines = 900").is_err());
    }
}
