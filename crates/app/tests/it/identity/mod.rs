//! Who there is and what they may do.

mod first_start;
pub mod world;
