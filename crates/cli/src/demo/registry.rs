//! A small OCI registry in memory: what the demo's agents pull from, and what tests let fail.
//!
//! It serves what was put into it by [`Registry::put_image`] and takes no pushes.

mod http;
mod image;
mod store;

#[cfg(test)]
mod tests;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use anyhow::{Context, Result};
use plimsoll_core::Digest;
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

pub use image::{File, ImageSpec, PutImage};

use store::Store;

/// A registry. Clones share their content.
#[derive(Clone, Default)]
pub struct Registry(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    store: Store,
    fault: Fault,
}

/// How the registry misbehaves, for tests of those who call it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Not at all.
    #[default]
    None,
    /// Every call is refused with 429 and this `Retry-After`.
    RateLimited {
        /// What it asks callers to wait.
        retry_after_seconds: u32,
    },
    /// Every call is answered with 500.
    Failing,
    /// Every answer takes this much longer.
    Slow(Duration),
}

impl Registry {
    /// An empty registry.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the image that `spec` describes and puts it under `tag`, which moves if it is there. The same
    /// description always gives the same digests.
    pub fn put_image(&self, repository: &str, tag: &str, spec: &ImageSpec) -> Result<PutImage> {
        let made = image::make(spec)?;
        Ok(self.lock().store.put(&repository.parse()?, &tag.parse()?, made))
    }

    /// Makes an index of an image for each platform and puts it under `tag`.
    pub fn put_index(&self, repository: &str, tag: &str, specs: &[ImageSpec]) -> Result<PutImage> {
        let made = image::make_index(specs)?;
        Ok(self.lock().store.put(&repository.parse()?, &tag.parse()?, made))
    }

    /// Lets `tag` name a manifest or an index that `repository` has already.
    pub fn move_tag(&self, repository: &str, tag: &str, to: Digest) -> Result<()> {
        self.lock().store.move_tag(&repository.parse()?, &tag.parse()?, to)
    }

    /// From now on it misbehaves like this.
    pub fn misbehave(&self, fault: Fault) {
        self.lock().fault = fault;
    }

    /// Serves on `listener` until the handle is told to stop or is dropped.
    pub fn serve(&self, listener: TcpListener) -> Result<(SocketAddr, Serving)> {
        let address = listener.local_addr().context("the registry's listener has no address")?;
        let (stop, stopped) = watch::channel(());
        let server = axum::serve(listener, http::router(self.clone())).with_graceful_shutdown(until(stopped));
        let task = tokio::spawn(async move { server.await });
        Ok((address, Serving { stop, task }))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fault(&self) -> Fault {
        self.lock().fault
    }
}

/// A registry that is being served; dropping it stops the serving too.
pub struct Serving {
    stop: watch::Sender<()>,
    task: JoinHandle<std::io::Result<()>>,
}

/// How long answers on their way may take when the registry stops.
const GRACE: Duration = Duration::from_secs(5);

impl Serving {
    /// Takes no more calls and waits for those that are being answered.
    pub async fn stop(self) -> Result<()> {
        let Self { stop, mut task } = self;
        drop(stop);
        match tokio::time::timeout(GRACE, &mut task).await {
            Ok(ended) => Ok(ended.context("the registry broke down")??),
            Err(_) => {
                task.abort();
                Ok(())
            }
        }
    }
}

/// Ends when the sender is gone.
async fn until(mut stopped: watch::Receiver<()>) {
    while stopped.changed().await.is_ok() {}
}
