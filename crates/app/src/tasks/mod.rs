//! Background tasks: each runs at a wake-up and on a timer, one step at a time, and may run on any
//! replica: what only one may do at a time is held by lease or claim.

pub mod agents;
pub mod component_sync;
pub mod retention;
pub mod sequencer;

use std::{future::Future, sync::Arc, time::Duration};

use plimsoll_core::Result;
use plimsoll_store::{Scope, SystemReason, work};
use tokio_util::sync::CancellationToken;

use crate::App;

/// Whether a step left something to do at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Nothing is left; wait.
    Idle,
    /// There is more.
    More,
}

impl App {
    /// Gives back the leases and the work that this process holds, so that another one goes on at once; to be called
    /// when its background tasks have ended.
    pub async fn release_leases(&self) -> Result<()> {
        let owner = self.replica.clone();
        let scope = Scope::System(SystemReason::Claim);
        self.store.write(scope, "release_leases", move |tx| work::release(tx, &owner)).await
    }
}

/// Runs `step` until told to stop: again at once while there is more, else at the next wake-up or after
/// `longest`. An error is logged and the step tried again; it never ends the loop.
pub async fn run_loop<F>(
    app: Arc<App>,
    name: &'static str,
    longest: Duration,
    stop: CancellationToken,
    step: impl Fn(Arc<App>) -> F,
) where
    F: Future<Output = Result<Progress>>,
{
    let mut waiter = app.store.wake().waiter();
    loop {
        let progress = match step(Arc::clone(&app)).await {
            Ok(progress) => progress,
            Err(error) => {
                tracing::warn!(task = name, error = ?error, "a background step failed; it will be tried again");
                Progress::Idle
            }
        };
        if stop.is_cancelled() {
            return;
        }
        if progress == Progress::Idle {
            tokio::select! {
                () = stop.cancelled() => return,
                () = waiter.wait(longest) => {}
            }
        }
    }
}
