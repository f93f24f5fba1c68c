//! Who there is and what they may do.

mod first_start;
mod host;
mod tokens;
pub mod world;
