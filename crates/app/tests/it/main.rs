//! The use cases on both databases, and on a real registry.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests")]

mod components;
mod fake_registry;
mod gates;
mod hand;
mod identity;
mod integrations;
mod inventory;
mod jobs;
mod makers;
mod mirrors;
mod owners;
mod promotions;
mod races;
mod release_state;
mod releases;
mod rollbacks;
mod shop;
mod stickers;
mod support;
mod sync;
mod upkeep;
