//! What the demo runs beside itself: processes, each with its log in the demo's folder.

pub(crate) mod agent;
pub(crate) mod leftovers;
mod part;
pub(crate) mod registry;
pub(crate) mod server;

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use serde_json::json;

pub(crate) use part::{Part, command};

/// How long a part may take to end when it is told to.
const GRACE: Duration = Duration::from_secs(5);
/// How often it is looked whether all of them run.
const WATCH: Duration = Duration::from_secs(1);
/// Who runs, for whoever looks into the demo's folder.
const LIST: &str = "parts.json";

/// All parts that run, in the order of their start.
#[derive(Debug)]
pub(crate) struct Parts {
    folder: PathBuf,
    running: Mutex<Vec<Part>>,
}

impl Parts {
    /// None yet; logs and the list of parts go into `folder`.
    pub(crate) const fn new(folder: PathBuf) -> Self {
        Self { folder, running: Mutex::new(Vec::new()) }
    }

    /// Where everything of the demo lies.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Takes a part into care.
    pub(crate) fn add(&self, part: Part) -> Result<()> {
        let mut running = self.lock();
        running.push(part);
        let all: Vec<_> = running.iter().map(|part| json!({ "name": part.name(), "pid": part.pid() })).collect();
        drop(running);
        // In one piece: whoever reads it finds all of it.
        let (path, fresh) = (self.folder.join(LIST), self.folder.join(format!("{LIST}.new")));
        std::fs::write(&fresh, serde_json::to_vec_pretty(&all)?)
            .and_then(|()| std::fs::rename(&fresh, &path))
            .with_context(|| format!("{} cannot be written", path.display()))
    }

    /// An error that names the first part that ended by itself.
    pub(crate) fn all_run(&self) -> Result<()> {
        for part in self.lock().iter_mut() {
            if let Some(how) = part.ended()? {
                bail!("the {} is gone ({how}); it said last:\n{}", part.name(), part.last_lines(5));
            }
        }
        Ok(())
    }

    /// Ends with an error when a part has ended by itself.
    pub(crate) async fn watch(&self) -> Result<()> {
        loop {
            self.all_run()?;
            tokio::time::sleep(WATCH).await;
        }
    }

    /// Stops those whose name begins with `kind`, all at once.
    pub(crate) async fn stop(&self, kind: &str) {
        let mut stopping: Vec<Part> = self.lock().extract_if(.., |part| part.name().starts_with(kind)).collect();
        for part in &stopping {
            part.tell_to_end();
        }
        for part in &mut stopping {
            part.gone(GRACE).await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Part>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
