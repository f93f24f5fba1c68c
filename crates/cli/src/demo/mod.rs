//! The demo: a whole estate on one machine, with images from a registry of its own, told step by step.
//! Every line about a result is read back from the API, never from what was just sent.

mod api;
pub mod registry;
mod story;
mod teller;

use std::{net::SocketAddr, path::PathBuf};

use anyhow::{Context as _, Result};
use plimsoll_core::context::Context;
use plimsoll_server::{Running, config::Config, start};
use tokio::{net::TcpListener, signal};

use api::Api;
use registry::{Registry, Serving};
pub(crate) use teller::Teller;

/// What stays when the demo ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leftovers {
    /// The data goes.
    Wipe,
    /// The data stays where it was told.
    Keep,
}

/// Whether the demo goes on serving after the story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It ends; the exit code says whether every step went as it should.
    Once,
    /// It serves until Ctrl-C.
    Serve,
}

/// Everything that the story plays with.
pub(crate) struct Estate {
    pub(crate) api: Api,
    pub(crate) registry: Registry,
    pub(crate) registry_address: SocketAddr,
}

/// Runs the demo. An error names the step that failed.
pub async fn run(ending: Ending, leftovers: Leftovers) -> Result<()> {
    let teller = Teller::default();
    let folder = folder()?;
    let outcome = play(&teller, &folder, ending).await;
    match leftovers {
        Leftovers::Keep => teller.note(&format!("the demo's data stays in {}", folder.display())),
        Leftovers::Wipe => std::fs::remove_dir_all(&folder).context("the demo's data could not be removed")?,
    }
    outcome
}

async fn play(teller: &Teller, folder: &std::path::Path, ending: Ending) -> Result<()> {
    let config = Config {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        data_directory: folder.join("server"),
        outbound_allow: vec!["127.0.0.0/8".to_owned()],
        allow_process_hosts: true,
        ..Config::defaults()
    };
    let server: Running = start(&config, Context::system()).await.context("the server could not start")?;
    let (registry, registry_address, serving) = serve_registry().await?;
    let api = Api::new(&server)?;
    let estate = Estate { api, registry, registry_address };
    let told = story::tell(teller, &estate).await;
    if told.is_ok() && ending == Ending::Serve {
        teller.note(&format!("serving at {} until Ctrl-C; the API's document is at {0}/openapi.json", server.url));
        teller.note(&format!("a token for ten minutes: {}", estate.api.token()));
        signal::ctrl_c().await.context("Ctrl-C cannot be awaited")?;
    }
    let stopped = serving.stop().await;
    server.stop().await;
    told.and(stopped)
}

async fn serve_registry() -> Result<(Registry, SocketAddr, Serving)> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("no port for the demo's registry")?;
    let registry = Registry::new();
    let (address, serving) = registry.serve(listener)?;
    Ok((registry, address, serving))
}

/// A fresh folder of the demo's own.
fn folder() -> Result<PathBuf> {
    let path = std::env::temp_dir().join(format!("plimsoll-demo-{}", Context::system().uuid()));
    std::fs::create_dir_all(&path).with_context(|| format!("{} cannot be made", path.display()))?;
    Ok(path)
}
