//! The registry as a process of its own. It is told over its standard input what to hold, and ends with it.

use std::{io, net::SocketAddr, process::Stdio, time::Duration};

use anyhow::{Context as _, Result, bail};
use plimsoll_core::Digest;
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines, stdin, stdout},
    net::TcpListener,
    process::{ChildStdin, ChildStdout},
    sync::Mutex,
};

use super::{Part, Parts, command};
use crate::demo::{app, registry::Registry};

/// The hidden subcommand.
pub(crate) const SUBCOMMAND: &str = "demo-registry";
/// For one answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// How an image's application is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Health {
    /// It answers its health check well.
    Good,
    /// It never becomes healthy.
    Bad,
}

/// What to hold: the application under a tag.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Put {
    component: String,
    tag: String,
    shows: String,
    health: Health,
}

/// The registry's process as the demo sees it.
#[derive(Debug)]
pub(crate) struct RegistryPart {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    talk: Mutex<(ChildStdin, Lines<BufReader<ChildStdout>>)>,
}

impl RegistryPart {
    /// Starts one that holds nothing.
    pub(crate) async fn start(parts: &Parts) -> Result<Self> {
        let mut command = command(parts.folder())?;
        command.arg(SUBCOMMAND).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut part = Part::spawn("registry", &mut command, parts.folder())?;
        let (input, output) = (part.child().stdin.take(), part.child().stdout.take());
        let (Some(input), Some(output)) = (input, output) else { bail!("the registry has no input and output") };
        let mut lines = BufReader::new(output).lines();
        let said = part.last_lines(5);
        let address =
            answer(&mut lines).await.with_context(|| format!("the registry did not start; it said: {said}"))?;
        parts.add(part)?;
        Ok(Self { address: address.parse()?, talk: Mutex::new((input, lines)) })
    }

    /// Puts an image under `shop/<component>:<tag>`, whose application shows `shows` as its version.
    pub(crate) async fn put(&self, component: &str, tag: &str, shows: &str, health: Health) -> Result<Digest> {
        let line = line(component, tag, shows, health)? + "\n";
        let mut talk = self.talk.lock().await;
        let (input, lines) = &mut *talk;
        input.write_all(line.as_bytes()).await.context("the registry is gone")?;
        Ok(answer(lines).await?.parse()?)
    }
}

/// How the registry is told so.
pub(crate) fn line(component: &str, tag: &str, shows: &str, health: Health) -> Result<String> {
    let put = Put { component: component.to_owned(), tag: tag.to_owned(), shows: shows.to_owned(), health };
    Ok(serde_json::to_string(&put)?)
}

async fn answer(lines: &mut Lines<BufReader<ChildStdout>>) -> Result<String> {
    let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.context("the registry does not answer")?;
    line?.context("the registry ended")
}

/// The process itself: says where it listens, then holds what it is told, until nobody is there to tell.
pub(crate) async fn run() -> Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("no port for the demo's registry")?;
    let registry = Registry::new();
    let (address, serving) = registry.serve(listener)?;
    say(&address.to_string()).await?;
    let mut lines = BufReader::new(stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        let put: Put = serde_json::from_str(&line)?;
        let image = app::image(&put.component, &put.shows, put.health)?;
        say(&registry.put_image(&app::repository(&put.component), &put.tag, &image)?.digest.to_string()).await?;
    }
    serving.stop().await
}

async fn say(line: &str) -> io::Result<()> {
    let mut out = stdout();
    out.write_all(format!("{line}\n").as_bytes()).await?;
    out.flush().await
}
