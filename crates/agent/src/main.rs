//! The plimsoll-agent binary.
fn main() {}
