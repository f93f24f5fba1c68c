//! Progress of long work: a bar that moves on a terminal, a line for each change elsewhere.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Printer, at_terminal, say};

/// What is shown while something is waited for.
#[derive(Debug)]
pub(crate) struct Live {
    /// On a terminal.
    bar: Option<ProgressBar>,
    progress: bool,
    told: String,
}

impl Live {
    pub(crate) fn new(printer: &Printer) -> Self {
        let bar = (printer.progress && at_terminal()).then(|| {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Self { bar, progress: printer.progress, told: String::new() }
    }

    /// How it stands, with the targets that are done of all.
    pub(crate) fn state(&mut self, text: &str, targets: Option<(u64, u64)>) {
        if let (Some(bar), Some((done, all))) = (&self.bar, targets) {
            bar.set_length(all);
            bar.set_position(done);
            if let Ok(style) = ProgressStyle::with_template("{spinner} [{bar:24}] {pos}/{len}  {wide_msg}") {
                bar.set_style(style.progress_chars("=> "));
            }
        }
        if self.told == text {
            return;
        }
        text.clone_into(&mut self.told);
        match &self.bar {
            Some(bar) => bar.set_message(text.to_owned()),
            None => self.line(text),
        }
    }

    /// A step: it passes by on a terminal.
    pub(crate) fn step(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(format!("{}  {text}", self.told)),
            None => self.line(text),
        }
    }

    /// What stays to be read.
    pub(crate) fn line(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| say(text)),
            None if self.progress => say(text),
            None => {}
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
            say(&self.told);
        }
    }
}
