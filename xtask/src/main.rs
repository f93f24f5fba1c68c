//! Generation and house checks.
fn main() {}
