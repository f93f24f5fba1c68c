//! The use cases on both databases, and on a real registry.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "helpers of tests")]

mod components;
mod evidence;
mod fake_registry;
mod gates;
mod governance;
mod hand;
mod identity;
mod integrations;
mod inventory;
mod jobs;
mod lost_tasks;
mod makers;
mod mirrors;
mod owners;
mod promotions;
mod queue;
mod races;
mod release_state;
mod releases;
mod rollbacks;
mod shop;
mod stickers;
mod subjects;
mod support;
mod sync;
mod upkeep;
