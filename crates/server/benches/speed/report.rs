//! Figures as they come, and one table of them at the end.

use std::io::Write as _;

use anyhow::Result;

/// Prints a line.
pub fn say(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}

/// One figure beside what it is measured against.
struct Figure {
    what: String,
    measured: String,
    beside: String,
    bar: String,
    reached: Reached,
}

/// Whether a bar is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    Yes,
    No,
    /// There is no bar for it.
    Told,
}

impl From<bool> for Reached {
    fn from(yes: bool) -> Self {
        if yes { Self::Yes } else { Self::No }
    }
}

/// The table.
#[derive(Default)]
pub struct Report(Vec<Figure>);

impl Report {
    pub fn add(
        &mut self,
        what: &str,
        measured: &str,
        beside: &str,
        bar: &str,
        reached: impl Into<Reached>,
    ) -> Result<()> {
        let reached = reached.into();
        let verdict = reached.word();
        say(&format!("  {what}: {measured}  (beside: {beside}; bar: {bar}) {verdict}"))?;
        self.0.push(Figure {
            what: what.to_owned(),
            measured: measured.to_owned(),
            beside: beside.to_owned(),
            bar: bar.to_owned(),
            reached,
        });
        Ok(())
    }

    /// As a table of Markdown.
    pub fn print(&self) -> Result<()> {
        say("\n| figure | measured | beside it | bar | |\n|---|---|---|---|---|")?;
        for one in &self.0 {
            let Figure { what, measured, beside, bar, reached } = one;
            say(&format!("| {what} | {measured} | {beside} | {bar} | {} |", reached.word()))?;
        }
        Ok(())
    }
}

impl Reached {
    const fn word(self) -> &'static str {
        match self {
            Self::Yes => "reached",
            Self::No => "MISSED",
            Self::Told => "",
        }
    }
}

/// The middle one.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// What the figures were measured on.
pub fn machine() -> Result<String> {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model =
        cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map_or("?", |(_, name)| name);
    let memory = read("/proc/meminfo");
    let kilobytes: f64 = memory
        .lines()
        .find_map(|line| line.strip_prefix("MemTotal:")?.split_whitespace().next()?.parse().ok())
        .unwrap_or_default();
    Ok(format!(
        "{} cores ({model}), {:.0} GB of memory, Linux {}, load average at the start {}",
        std::thread::available_parallelism()?,
        kilobytes * 1024.0 / 1e9,
        read("/proc/sys/kernel/osrelease").trim(),
        read("/proc/loadavg").split(' ').take(3).collect::<Vec<_>>().join(" "),
    ))
}

/// What one flush to the disk of `folder` takes, in microseconds: the floor under every durable change.
pub fn flush_micros(folder: &std::path::Path) -> Result<f64> {
    let path = folder.join("flush");
    let mut file = std::fs::File::create(&path)?;
    let mut took = Vec::new();
    for _ in 0..200 {
        file.write_all(&[1; 4096])?;
        let begun = std::time::Instant::now();
        file.sync_data()?;
        took.push(begun.elapsed().as_micros() as f64);
    }
    std::fs::remove_file(path)?;
    Ok(median(took))
}
