//! What every step of the demo has at hand, and how it waits.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::{Result, bail};
use tokio::time::{Instant, sleep};

use super::{
    engine::Engine,
    parts::{Parts, leftovers},
    teller::Teller,
};

/// A look is two calls at most, and one person has 1000 calls a minute.
const PAUSE: Duration = Duration::from_millis(200);
/// What hangs ends here.
const PATIENCE: Duration = Duration::from_mins(2);
/// What takes longer says so, and again each time.
const SILENCE: Duration = Duration::from_secs(2);

/// The terminal, the processes and the folder.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) teller: Teller,
    pub(crate) parts: Parts,
    pub(crate) http: reqwest::Client,
    doing: Mutex<String>,
    made: Mutex<Made>,
}

/// What is to be taken out of a container engine at the end.
#[derive(Clone, Debug, Default)]
struct Made {
    /// The engine's socket, and the demo's registry.
    engine: Option<(String, SocketAddr)>,
    targets: Vec<String>,
}

/// What a look at something gave.
pub(crate) enum Seen<T> {
    /// It is so.
    Done(T),
    /// Not yet; how it stands.
    NotYet(String),
}

impl Stage {
    pub(crate) fn new(teller: Teller, parts: Parts, http: reqwest::Client) -> Self {
        Self { teller, parts, http, doing: Mutex::default(), made: Mutex::default() }
    }

    /// The directories of the hosts, one each.
    pub(crate) fn hosts(&self) -> PathBuf {
        self.parts.folder().join("hosts")
    }

    /// The files that the demo's application appends its starts to, one a host.
    pub(crate) fn ledgers(&self) -> PathBuf {
        self.parts.folder().join("ledgers")
    }

    /// One step of the story. It tells how it goes when it takes long.
    pub(crate) async fn step<T>(&self, title: &str, work: impl Future<Output = Result<T>>) -> Result<T> {
        self.does("");
        let told = self.teller.step(title, work);
        let mut told = std::pin::pin!(told);
        let began = Instant::now();
        loop {
            match tokio::time::timeout(SILENCE, &mut told).await {
                Ok(done) => return done,
                Err(_) => {
                    let now = format!("{} s {}", began.elapsed().as_secs(), self.doing());
                    self.teller.progress(now.trim_end());
                }
            }
        }
    }

    /// What is done now, for who waits.
    pub(crate) fn does(&self, what: &str) {
        what.clone_into(&mut self.doing.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn doing(&self) -> String {
        self.doing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks again and again until it is so, as long as all parts of the demo run.
    pub(crate) async fn until<T>(&self, what: &str, mut look: impl AsyncFnMut() -> Result<Seen<T>>) -> Result<T> {
        let give_up = Instant::now() + PATIENCE;
        loop {
            self.parts.all_run()?;
            match look().await? {
                Seen::Done(value) => return Ok(value),
                Seen::NotYet(now) if Instant::now() < give_up => self.does(&format!("{what}: {now}")),
                Seen::NotYet(now) => {
                    bail!("{what} took longer than {} seconds; it stands at: {now}", PATIENCE.as_secs())
                }
            }
            sleep(PAUSE).await;
        }
    }

    /// From now on containers and images of the demo are in that engine.
    pub(crate) fn use_engine(&self, socket: &str, registry: SocketAddr) {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).engine = Some((socket.to_owned(), registry));
    }

    /// Containers may run on that target.
    pub(crate) fn made_target(&self, id: &str) {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).targets.push(id.to_owned());
    }

    /// Ends all that runs: agents first, so that nothing starts anew, then what they started.
    pub(crate) async fn clear(&self) -> Result<()> {
        self.parts.stop("agent").await;
        let processes = leftovers::end_processes(&self.hosts()).await;
        let made = self.made.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let containers = match &made.engine {
            Some((socket, registry)) => clear_engine(socket, *registry, &made.targets).await,
            None => Ok(()),
        };
        self.parts.stop("").await;
        processes.and(containers)
    }
}

async fn clear_engine(socket: &str, registry: SocketAddr, targets: &[String]) -> Result<()> {
    let engine = Engine::at(socket)?;
    for target in targets {
        engine.clear(target).await?;
    }
    engine.forget_images(&registry.to_string()).await
}
