//! The plimsoll binary.

use std::process::ExitCode;

/// Calls make and free many small pieces on several threads, which locks glibc's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    plimsoll_cli::main()
}
