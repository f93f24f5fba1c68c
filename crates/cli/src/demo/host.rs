//! A host of the demo, and what it says itself about what runs on it, beside what the API says.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{
    api::{list, text},
    engine::Engine,
    stage::Stage,
    targets::Kind,
};

/// A host: a folder, an agent, a target.
#[derive(Clone, Debug)]
pub(crate) struct Host {
    pub(crate) name: String,
    pub(crate) environment: String,
    pub(crate) target: String,
    pub(crate) agent_data: PathBuf,
    /// Where the target's sticker lies, below the target's id.
    pub(crate) folder: PathBuf,
    pub(crate) ledger: PathBuf,
}

/// What a component should run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) component: String,
    pub(crate) digest: String,
    pub(crate) version: String,
}

impl Host {
    /// The version sticker of an application.
    pub(crate) fn sticker(&self, application: &str) -> PathBuf {
        self.folder.join(&self.target).join(format!("{application}.plimsoll.json"))
    }

    /// Each start of the application on this host as (digest, process), from the file that it wrote itself.
    fn starts(&self) -> Result<Vec<(String, String)>> {
        let text = std::fs::read_to_string(&self.ledger)
            .with_context(|| format!("nothing was ever started on {}", self.name))?;
        let read = |line: &str| match line.split(' ').collect::<Vec<_>>().as_slice() {
            ["start", digest, _boot, process] => Some(((*digest).to_owned(), (*process).to_owned())),
            _ => None,
        };
        Ok(text.lines().filter_map(read).collect())
    }

    /// Checks that a component runs as it should: by the API's task, by the application's own answer, by what it
    /// wrote on its host when it started, and by the engine if there is one. Gives one line.
    pub(crate) async fn runs(&self, stage: &Stage, kind: &Kind, task: &Value, expected: &Expected) -> Result<String> {
        let Expected { component, digest, version } = expected;
        let of_task = list(&task["components"]).iter().find(|one| one["name"] == component.as_str());
        let of_task = of_task.with_context(|| format!("the task says nothing of {component}: {task}"))?;
        let running = text(of_task, "runningDigest")?;
        ensure!(running == digest, "the API says that {running} runs on {}, not {digest}", self.name);
        let address = text(list(&of_task["endpoints"]).first().context("there is no endpoint")?, "address")?;
        let shown = ask(&stage.http, address).await?;
        ensure!(shown == *version, "{component} on {} shows {shown}, not {version}", self.name);
        let starts = self.starts()?;
        let mut of_digest = starts.iter().filter(|(one, _)| one == digest).map(|(_, process)| process);
        let witness = match kind {
            Kind::Processes => {
                let lives = |process: &&String| Path::new("/proc").join(process).exists();
                let process = of_digest.find(lives).with_context(|| format!("no process of {digest} runs"))?;
                format!("process {process}")
            }
            Kind::Containers { socket } => {
                ensure!(of_digest.next().is_some(), "{digest} was never started on {}", self.name);
                let container = Engine::at(socket)?.container_of(&self.target, component).await?;
                ensure!(container.image.ends_with(digest.as_str()), "the engine runs {}", container.image);
                format!("container {}", container.name)
            }
        };
        Ok(format!("{}: {component} runs {} as {witness} and answers {shown} at {address}", self.name, short(digest)))
    }
}

/// The version that an application shows.
pub(crate) async fn ask(http: &reqwest::Client, address: &str) -> Result<String> {
    let answer = http.get(format!("http://{address}/version")).send().await?;
    Ok(answer.error_for_status()?.text().await?.trim().to_owned())
}

/// Enough of a digest to tell it from others.
pub(crate) fn short(digest: &str) -> &str {
    digest.get(.."sha256:".len() + 12).unwrap_or(digest)
}

/// A file that its owner alone may read.
pub(crate) fn keep_secret(path: &Path, text: &str) -> Result<()> {
    use std::{io::Write as _, os::unix::fs::OpenOptionsExt as _};

    let opened = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    opened
        .and_then(|mut file| file.write_all(text.as_bytes()))
        .with_context(|| format!("{} cannot be written", path.display()))
}

/// A folder that everybody may write to: applications run as nobody.
pub(crate) fn open_folder(path: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;

    std::fs::create_dir_all(path)
        .and_then(|()| std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o777)))
        .with_context(|| format!("{} cannot be made", path.display()))
}
