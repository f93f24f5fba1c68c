//! The rules of the house that neither the compiler nor clippy sees.

mod exceptions;
mod invariants;
mod manifests;
mod sources;

use anyhow::Result;
use plimsoll_core::Digest;

use crate::{Findings, repository::Repository};

/// The contract is not ours to change: this is the digest of the list that binds us.
const CONTRACT: (&str, &str) =
    ("contract/endpoints.txt", "sha256:fb8524e1b70a549cd7a0e9da2da5915a19fec19764afa3112398359e06ccf773");

/// All rules on all files.
pub fn check(repository: &Repository) -> Result<Findings> {
    let exceptions = exceptions::Exceptions::read(repository)?;
    let mut findings = Findings::new();
    let files = repository.text_files()?;
    for file in &files {
        findings.extend(sources::check(file, &exceptions));
        findings.extend(manifests::check(file)?);
    }
    findings.extend(invariants::check(&files));
    findings.extend(exceptions.unused());
    findings.extend(contract(repository)?);
    Ok(findings)
}

fn contract(repository: &Repository) -> Result<Findings> {
    let (path, expected) = CONTRACT;
    let digest = Digest::of(repository.read(path)?.as_bytes()).to_string();
    Ok(if digest == expected {
        Findings::new()
    } else {
        vec![format!("{path} is the contract and does not change; operations of ours go into contract/additions.txt")]
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_contract_in_the_tree_is_the_one_that_binds() -> Result<()> {
        assert_eq!(contract(&Repository::open()?)?, Findings::new());
        Ok(())
    }

    #[test]
    fn a_changed_contract_is_found() -> Result<()> {
        let tree = tempfile::tempdir()?;
        std::fs::create_dir(tree.path().join("contract"))?;
        std::fs::write(tree.path().join(CONTRACT.0), "GET /api/v1/nothing\n")?;
        assert_eq!(contract(&Repository::at(tree.path()))?.len(), 1);
        Ok(())
    }
}
