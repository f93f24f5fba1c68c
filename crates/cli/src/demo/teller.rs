//! Tells the story in the terminal: what happened, and the command that does the same.

use std::{
    io::Write as _,
    sync::atomic::{AtomicU32, Ordering},
};

/// Numbers the steps.
#[derive(Debug, Default)]
pub(crate) struct Teller {
    step: AtomicU32,
}

impl Teller {
    /// A step begins.
    pub(crate) fn step(&self, title: &str) {
        let number = self.step.fetch_add(1, Ordering::Relaxed) + 1;
        say(&format!("\n{number}. {title}"));
    }

    /// What came of it, as read back.
    pub(crate) fn saw(&self, text: &str) {
        say(&format!("   {text}"));
    }

    /// The command that does the same.
    pub(crate) fn command(&self, text: &str) {
        say(&format!("   $ {text}"));
    }

    /// Something beside the story.
    pub(crate) fn note(&self, text: &str) {
        say(&format!("\n{text}"));
    }
}

fn say(text: &str) {
    // A closed terminal ends the story elsewhere.
    drop(writeln!(anstream::stdout(), "{text}"));
}
