//! Tells the story in the terminal: what happened, and the command that does the same. The story goes to
//! standard output, progress to standard error.

use std::{
    io::Write as _,
    sync::atomic::{AtomicU32, Ordering},
};

use anyhow::{Context as _, Result};

use crate::output::Printer;

/// Numbers the steps.
#[derive(Debug)]
pub(crate) struct Teller {
    steps: AtomicU32,
    printer: Printer,
}

impl Teller {
    pub(crate) const fn new(printer: Printer) -> Self {
        Self { steps: AtomicU32::new(0), printer }
    }

    /// One step of the story; its failure names it.
    pub(crate) async fn step<T>(&self, title: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
        let number = self.steps.fetch_add(1, Ordering::Relaxed) + 1;
        say(&format!("\n{number}. {title}"));
        work.await.with_context(|| format!("step {number} failed ({title})"))
    }

    /// What came of it, as read back.
    pub(crate) fn saw(&self, text: &str) {
        say(&format!("   {text}"));
    }

    /// The command that does the same.
    pub(crate) fn command(&self, text: &str) {
        say(&format!("   $ {text}"));
    }

    /// The same, of the command line as that person: each has a context of their own name.
    pub(crate) fn command_as(&self, who: &str, words: &str) {
        self.command(&format!("plimsoll --context {who} {words}"));
    }

    /// Something beside the story.
    pub(crate) fn note(&self, text: &str) {
        say(&format!("\n{text}"));
    }

    /// That something takes its time.
    pub(crate) fn progress(&self, text: &str) {
        self.printer.progress(&format!("   ... {text}"));
    }
}

fn say(text: &str) {
    // A closed terminal ends the story elsewhere.
    drop(writeln!(anstream::stdout(), "{text}"));
}
