//! Whether people are there, and what they say.

use std::io::IsTerminal as _;

use super::say;

/// Whether a person sits at the other end of standard error.
pub(crate) fn at_terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// Whether a person reads standard output.
pub(crate) fn shown_to_a_person() -> bool {
    std::io::stdout().is_terminal()
}

/// Asks a person; `None` where there is none.
pub(crate) fn ask(question: &str) -> Option<bool> {
    if !std::io::stdin().is_terminal() || !at_terminal() {
        return None;
    }
    say(&format!("{question} [y/N]"));
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).ok()?;
    Some(matches!(answer.trim(), "y" | "Y" | "yes"))
}
