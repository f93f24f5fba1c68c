//! `plimsoll agent`: the agent in this process, with this program's exit codes.

use std::process::ExitCode;

use plimsoll_agent::command::{AgentCommand, execute};
use plimsoll_core::Error;

use crate::{exit::Exit, failure::Failure, output::Printer};

/// It has a runtime of its own.
pub(super) fn run(command: AgentCommand, printer: &Printer) -> ExitCode {
    match execute(command, Vec::new()) {
        Ok(code) => code,
        Err(error) => {
            let failure = failure(error);
            printer.failure(&failure);
            failure.exit.into()
        }
    }
}

fn failure(error: anyhow::Error) -> Failure {
    match error.downcast::<Error>() {
        Ok(known) => {
            let mut failure = Failure::from(known);
            // The others are for people.
            failure.hint = hint(failure.exit).map(str::to_owned);
            failure
        }
        Err(other) => Failure::system(format!("{other:#}"))
            .hint("see `plimsoll agent --help`, and the rights on the agent's files"),
    }
}

/// An agent signs in by its own key: other things help than for people.
const fn hint(exit: Exit) -> Option<&'static str> {
    match exit {
        Exit::Usage => Some("see `plimsoll agent --help`"),
        Exit::Forbidden => Some(
            "enrol this host: plimsoll agent enrol --server URL --token-file FILE; an administrator gets the token by \
             plimsoll api POST /api/v1/registration-tokens --data '{}'",
        ),
        Exit::Conflict => Some(
            "see which agent it is with `plimsoll agents list`; a locked one is let in again by \
             plimsoll api POST /api/v1/agents/ID/unlock",
        ),
        Exit::Unreachable => Some("check that the server runs, and that this host reaches the address in --server"),
        Exit::Unexpected => Some("look at the agent's data directory, and at the server's log"),
        Exit::Ok
        | Exit::Denied
        | Exit::WorkFailed
        | Exit::TimedOut
        | Exit::Differs
        | Exit::AwaitsApproval
        | Exit::Interrupted => None,
    }
}

#[cfg(test)]
mod tests {
    use plimsoll_core::ErrorCode;

    use super::*;

    #[test]
    fn an_agent_fails_with_the_codes_of_the_command_line_and_says_what_to_do() {
        for (code, exit) in [
            (ErrorCode::Unavailable, Exit::Unreachable),
            (ErrorCode::Unauthenticated, Exit::Forbidden),
            (ErrorCode::TokenAlreadyUsed, Exit::Conflict),
            (ErrorCode::ValidationFailed, Exit::Usage),
            (ErrorCode::Internal, Exit::Unexpected),
        ] {
            let failure = failure(Error::new(code, "so it is").into());
            assert_eq!((failure.exit, &*failure.code), (exit, code.as_str()));
            assert_eq!(failure.message, "so it is");
            let hint = failure.hint.unwrap();
            assert!(!hint.contains("plimsoll login"), "{hint}");
        }
        let other = failure(anyhow::anyhow!("something else"));
        assert_eq!(other.exit, Exit::Unexpected);
        assert!(other.hint.is_some());
    }
}
