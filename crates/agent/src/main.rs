//! The plimsoll-agent binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("supervise") => plimsoll_agent::supervise::main(arguments),
        _ => ExitCode::from(2),
    }
}
