//! The demo: a whole estate on one machine, with images from a registry of its own.

pub mod registry;
