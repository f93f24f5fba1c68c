//! Progress of long work: a bar that moves on a terminal, a line for each change elsewhere.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Printer, at_terminal, say};

/// Until something is counted.
const WAITS: &str = "{spinner} {wide_msg}";
/// Targets that are done, of all.
const COUNTS: &str = "{spinner} [{bar:24}] {pos}/{len}  {wide_msg}";

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
        let bar = (printer.progress && at_terminal()).then(|| bar(ProgressDrawTarget::stderr()));
        if let Some(bar) = &bar {
            bar.enable_steady_tick(Duration::from_millis(120));
        }
        Self { bar, progress: printer.progress, told: String::new() }
    }

    /// How it stands, with the targets that are done of all.
    pub(crate) fn state(&mut self, text: &str, targets: Option<(u64, u64)>) {
        if let (Some(bar), Some((done, all))) = (&self.bar, targets) {
            bar.set_length(all);
            bar.set_position(done);
            set_style(bar, COUNTS);
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

fn bar(target: ProgressDrawTarget) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, target);
    set_style(&bar, WAITS);
    bar
}

fn set_style(bar: &ProgressBar, template: &str) {
    // The templates are ours and parse.
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("=> "));
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

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use indicatif::TermLike;

    use super::*;

    /// A terminal that keeps what was written to it.
    #[derive(Clone, Debug, Default)]
    struct Screen(Arc<Mutex<String>>);

    impl Screen {
        fn add(&self, text: &str) {
            self.0.lock().unwrap().push_str(text);
        }
    }

    impl TermLike for Screen {
        fn width(&self) -> u16 {
            80
        }
        fn move_cursor_up(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_down(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_right(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn move_cursor_left(&self, _: usize) -> io::Result<()> {
            Ok(())
        }
        fn write_line(&self, text: &str) -> io::Result<()> {
            self.add(text);
            Ok(())
        }
        fn write_str(&self, text: &str) -> io::Result<()> {
            self.add(text);
            Ok(())
        }
        fn clear_line(&self) -> io::Result<()> {
            Ok(())
        }
        fn flush(&self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn how_it_stands_is_seen_before_anything_is_counted() {
        let screen = Screen::default();
        let shown = || std::mem::take(&mut *screen.0.lock().unwrap());
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(screen.clone()), 255);
        let mut live = Live { bar: Some(bar(target)), progress: true, told: String::new() };
        let draw = |live: &Live| live.bar.as_ref().unwrap().force_draw();
        live.state("promotion awaiting_approval", None);
        draw(&live);
        let seen = shown();
        assert!(seen.contains("promotion awaiting_approval") && !seen.contains("0/0"), "{seen}");
        live.state("job running, targets 18/24", Some((18, 24)));
        draw(&live);
        let seen = shown();
        assert!(seen.contains("18/24") && seen.contains("job running"), "{seen}");
    }
}
