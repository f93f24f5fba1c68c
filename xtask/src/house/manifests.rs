//! Rules on the crates' manifests.

use anyhow::Result;
use toml::Table;

use crate::{Findings, repository::SourceFile};

/// Lints and versions come from the workspace, so that every crate is built alike.
pub fn check(file: &SourceFile) -> Result<Findings> {
    if file.path == "Cargo.toml" || !file.path.ends_with("/Cargo.toml") {
        return Ok(Findings::new());
    }
    let manifest: Table = file.text.parse()?;
    let mut findings = Findings::new();
    if !from_workspace(manifest.get("lints")) {
        findings.push(format!("{}: add `[lints] workspace = true`", file.path));
    }
    for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
        for (name, value) in manifest.get(section).and_then(toml::Value::as_table).into_iter().flatten() {
            if !from_workspace(Some(value)) {
                findings.push(format!(
                    "{}: {name} is not taken from [workspace.dependencies]: one version of a library in the whole house",
                    file.path
                ));
            }
        }
    }
    Ok(findings)
}

fn from_workspace(value: Option<&toml::Value>) -> bool {
    value.and_then(|value| value.get("workspace")).and_then(toml::Value::as_bool) == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(text: &str) -> Result<usize> {
        Ok(check(&SourceFile { path: "crates/x/Cargo.toml".to_owned(), text: text.to_owned() })?.len())
    }

    #[test]
    fn a_manifest_takes_lints_and_versions_from_the_workspace() -> Result<()> {
        assert_eq!(findings("[lints]\nworkspace = true\n[dependencies]\nserde.workspace = true")?, 0);
        assert_eq!(
            findings("[lints]\nworkspace = true\n[dependencies]\nserde = { workspace = true, optional = true }")?,
            0
        );
        assert_eq!(findings("[dependencies]\nserde.workspace = true")?, 1);
        assert_eq!(findings("[lints]\nworkspace = true\n[dev-dependencies]\nserde = '1'")?, 1);
        Ok(())
    }
}
