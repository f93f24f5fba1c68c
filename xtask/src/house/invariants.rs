//! The numbered invariants of ARCHITECTURE.md: each names the tests that hold it, and they exist.

use crate::{Findings, repository::SourceFile};

const PATH: &str = "ARCHITECTURE.md";
/// Between an invariant and its tests.
const HELD_BY: &str = "Held by ";

/// Compares the page with the tests in `files`. A tree without the page has nothing to compare.
pub fn check(files: &[SourceFile]) -> Findings {
    let Some(page) = files.iter().find(|file| file.path == PATH) else {
        return Findings::new();
    };
    let mut findings = Findings::new();
    for (expected, (number, invariant)) in (1..).zip(invariants(&page.text)) {
        if number != expected {
            findings.push(format!("{PATH}: invariant {expected} is missing, or {number} stands at the wrong place"));
        }
        let Some((_, tests)) = invariant.split_once(HELD_BY) else {
            findings
                .push(format!("{PATH}: invariant {number} names no test: end it with \"{HELD_BY}`crate::test_name`\""));
            continue;
        };
        for test in tests.split('`').skip(1).step_by(2) {
            if !exists(test, files) {
                findings.push(format!("{PATH}: invariant {number}: there is no test {test}"));
            }
        }
    }
    findings
}

/// Lines like `7. Text`, each up to the next one.
fn invariants(page: &str) -> impl Iterator<Item = (usize, &str)> {
    page.lines().filter_map(|line| {
        let (number, text) = line.split_once(". ")?;
        Some((number.parse().ok()?, text))
    })
}

/// `crate::…::name`: a function of this name in the crate, or in the xtask.
fn exists(test: &str, files: &[SourceFile]) -> bool {
    let Some((first, name)) = test.split_once("::").and_then(|(first, _)| Some((first, test.rsplit("::").next()?)))
    else {
        return false;
    };
    let folder = if first == "xtask" { "xtask/".to_owned() } else { format!("crates/{first}/") };
    let function = format!("fn {name}(");
    files.iter().any(|file| file.path.starts_with(&folder) && file.text.contains(&function))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(page: &str) -> Findings {
        let file = |path: &str, text: &str| SourceFile { path: path.to_owned(), text: text.to_owned() };
        check(&[file(PATH, page), file("crates/store/src/seam.rs", "#[test]\nfn it_holds() {}\n")])
    }

    #[test]
    fn an_invariant_names_a_test_that_exists() {
        assert_eq!(findings("# Map\n\n1. It holds. Held by `store::seam::it_holds`.\n"), Findings::new());
        assert_eq!(findings("1. It holds.\n").len(), 1);
        assert_eq!(findings("1. It holds. Held by `store::it_fell`.\n").len(), 1);
        assert_eq!(findings("1. It holds. Held by `core::it_holds`.\n").len(), 1);
        assert_eq!(findings("1. It holds. Held by `store::it_holds`, `store::it_fell`.\n").len(), 1);
    }

    #[test]
    fn invariants_are_numbered_in_their_order() {
        assert_eq!(findings("1. A. Held by `store::it_holds`.\n3. B. Held by `store::it_holds`.\n").len(), 1);
    }
}
