//! The commands of `plimsoll`.

pub mod demo;
