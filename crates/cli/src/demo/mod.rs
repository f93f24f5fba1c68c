//! The demo: a whole estate on one machine, with images from a registry of its own, told step by step.
//! Every line about a result is read back from the API or from a host, never from what was just sent.

mod api;
mod app;
mod engine;
mod host;
mod offline;
pub(crate) mod parts;
pub mod registry;
mod shell;
mod sign_in;
mod stage;
mod story;
mod targets;
mod teller;

use std::{os::unix::fs::DirBuilderExt as _, path::PathBuf};

use anyhow::{Context as _, Result};
use plimsoll_core::context::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};

pub use targets::Targets;

use crate::output::Printer;
use parts::Parts;
use stage::Stage;
use story::People;
use teller::Teller;

/// What stays when the demo ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leftovers {
    /// Everything goes.
    Wipe,
    /// The files stay where it is told; no process does.
    Keep,
}

/// Whether the demo goes on serving after the story.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It ends; the exit code says whether every step went as it should.
    Once,
    /// It serves until Ctrl-C.
    Serve,
}

/// How it came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The story was told.
    Told,
    /// Somebody stopped it before.
    Interrupted,
}

/// Runs the demo. An error names the step that failed.
pub(crate) async fn run(ending: Ending, leftovers: Leftovers, targets: Targets, printer: &Printer) -> Result<Outcome> {
    let mut stop = Stop::listen()?;
    let teller = Teller::new(printer.clone());
    let stage = Stage::new(teller, Parts::new(folder()?), api::http()?);
    let played = tokio::select! {
        told = story::tell(&stage, targets) => match (told, ending) {
            (Ok(world), Ending::Serve) => serve(&stage, &world.people, &mut stop).await.map(|()| Outcome::Told),
            (Ok(_), Ending::Once) => Ok(Outcome::Told),
            (Err(cause), _) => Err(cause),
        },
        () = stop.asked() => Ok(Outcome::Interrupted),
    };
    stage.teller.progress("everything that the demo started is stopped");
    let cleared = stage.clear().await;
    let folder = stage.parts.folder();
    let wiped = match leftovers {
        Leftovers::Keep => {
            stage.teller.note(&format!("the demo's files stay in {}: logs, evidence, database", folder.display()));
            Ok(())
        }
        Leftovers::Wipe => std::fs::remove_dir_all(folder).with_context(|| format!("{} stays", folder.display())),
    };
    let played = played?;
    cleared.context("something that the demo started still runs")?;
    wiped.context("the demo's files could not be removed")?;
    Ok(played)
}

/// Until somebody stops it, or a part of it ends by itself.
async fn serve(stage: &Stage, people: &People, stop: &mut Stop) -> Result<()> {
    let People { server, password, .. } = people;
    stage.teller.note(&format!("serving until Ctrl-C: {server}, its API described at {server}/openapi.json"));
    stage.teller.saw("users admin, ada and grace, each with the password");
    stage.teller.saw(password);
    stage.teller.command_as("ada", &format!("login {server}"));
    tokio::select! {
        ended = stage.parts.watch() => ended,
        () = stop.asked() => Ok(()),
    }
}

/// A fresh folder of the demo's own. Applications that run as nobody must pass through it.
fn folder() -> Result<PathBuf> {
    let path = std::env::temp_dir().join(format!("plimsoll-demo-{}", Context::system().uuid()));
    let made = std::fs::DirBuilder::new().mode(0o755).create(&path);
    made.with_context(|| format!("{} cannot be made", path.display()))?;
    Ok(path)
}

/// The ways in which people and systems end a program.
struct Stop([Signal; 3]);

impl Stop {
    fn listen() -> Result<Self> {
        let hear = |kind| signal(kind).context("signals cannot be received");
        Ok(Self([hear(SignalKind::interrupt())?, hear(SignalKind::terminate())?, hear(SignalKind::hangup())?]))
    }

    async fn asked(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.0;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
