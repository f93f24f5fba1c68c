//! The agent's command line: of `plimsoll-agent`, and of `plimsoll agent`.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context as _, Result};
use clap::{Args, Subcommand};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::{filter::Targets, layer::SubscriberExt as _, util::SubscriberInitExt as _};
use url::Url;

use plimsoll_core::{Error, ErrorCode, context::Context};
use plimsoll_evidence::{MAX_STICKER_BYTES, PublicKey, StickerEnvelope};

use crate::{AgentConfig, EnrolSettings, failpoint, fs as files, session::identity::Home};

/// What an agent can be told to do.
#[derive(Debug, Subcommand)]
pub enum AgentCommand {
    /// Run the enrolled agent until it is stopped; what it deployed goes on running.
    Run(RunArguments),
    /// Enrol this host at a server with a one-time token.
    #[command(
        visible_alias = "enroll",
        after_help = "Example:\n  plimsoll-agent enrol --server https://plimsoll.example --token-file token --ca-sha256 3f9a…"
    )]
    Enrol(EnrolArguments),
    /// Work with the stickers that lie on this host.
    #[command(subcommand)]
    Sticker(StickerCommand),
    /// Print the public keys (PEM) of the server that this host enrolled at: what evidence and stickers are
    /// verified with.
    #[command(after_help = "Example:\n  plimsoll-agent keys > key.pem")]
    Keys(KeysArguments),
}

/// Where the agent's settings come from.
#[derive(Debug, Args)]
pub struct SettingsArguments {
    /// A file with settings (TOML).
    #[arg(long, env = "PLIMSOLL_AGENT_CONFIG")]
    config: Option<PathBuf>,
    /// The agent's own directory: identity, journal.
    #[arg(long, env = "PLIMSOLL_AGENT_DATA_DIR")]
    data_dir: Option<PathBuf>,
    /// Where targets have their directories; shared by agents of one host that may serve the same targets.
    #[arg(long, env = "PLIMSOLL_AGENT_DEPLOYMENT_DIR")]
    deployment_dir: Option<PathBuf>,
    /// Speak to a server beyond this machine without TLS; only for closed test networks.
    #[arg(long, env = "PLIMSOLL_AGENT_ALLOW_PLAIN_HTTP")]
    allow_plain_http: bool,
}

/// See [`AgentCommand::Run`].
#[derive(Debug, Args)]
pub struct RunArguments {
    #[command(flatten)]
    settings: SettingsArguments,
}

/// See [`AgentCommand::Keys`].
#[derive(Debug, Args)]
pub struct KeysArguments {
    #[command(flatten)]
    settings: SettingsArguments,
}

/// See [`AgentCommand::Enrol`].
#[derive(Debug, Args)]
pub struct EnrolArguments {
    #[command(flatten)]
    settings: SettingsArguments,
    /// The server's address.
    #[arg(long)]
    server: Url,
    /// The registration token.
    #[arg(long, env = "PLIMSOLL_REGISTRATION_TOKEN", hide_env_values = true, conflicts_with = "token_file")]
    token: Option<String>,
    /// A file with the registration token, which other users of this host can't read in the process list.
    #[arg(long)]
    token_file: Option<PathBuf>,
    /// SHA-256 of the server's certificate or of a CA that it sends; pins the first contact.
    #[arg(long)]
    ca_sha256: Option<String>,
    /// CA certificates in PEM to be trusted instead of the system's.
    #[arg(long, conflicts_with = "ca_sha256")]
    ca_file: Option<PathBuf>,
    /// The name that people see; this host's name when absent.
    #[arg(long)]
    name: Option<String>,
}

/// See [`AgentCommand::Sticker`].
#[derive(Debug, Subcommand)]
pub enum StickerCommand {
    /// Verify sticker files with nothing but a public key, and show what they say.
    Verify {
        /// The files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// The server's public key in PEM; the keys that this host's agent knows when absent.
        #[arg(long)]
        key: Option<PathBuf>,
        /// Where the agent's settings are.
        #[command(flatten)]
        settings: SettingsArguments,
    },
}

/// Does what it is told. `supervisor` is how this program is called to supervise a process: itself and the
/// words before `supervise`.
pub fn execute(command: AgentCommand, supervisor: Vec<String>) -> Result<ExitCode> {
    failpoint::arm()?;
    match command {
        AgentCommand::Run(arguments) => {
            log_to_stderr();
            let mut config = arguments.settings.read()?;
            if config.supervisor.is_empty() {
                config.supervisor = supervisor;
            }
            run(config)?;
            Ok(ExitCode::SUCCESS)
        }
        AgentCommand::Enrol(arguments) => {
            enrol(&arguments)?;
            Ok(ExitCode::SUCCESS)
        }
        AgentCommand::Sticker(StickerCommand::Verify { files, key, settings }) => {
            verify(&files, key.as_deref(), &settings.read()?)
        }
        AgentCommand::Keys(arguments) => {
            let keys = known_keys(&arguments.settings.read()?)?;
            io::stdout().write_all(keys.concat().as_bytes())?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

impl SettingsArguments {
    fn read(&self) -> Result<AgentConfig> {
        let mut config = match (&self.config, &self.data_dir) {
            (Some(path), _) => AgentConfig::read(path)?,
            (None, Some(directory)) => AgentConfig::new(directory.clone()),
            (None, None) => AgentConfig::usual(),
        };
        if let Some(directory) = &self.data_dir {
            config.data_directory.clone_from(directory);
        }
        config.deployment_directory = self.deployment_dir.clone().or(config.deployment_directory);
        config.allow_plain_http |= self.allow_plain_http;
        Ok(config)
    }
}

fn run(config: AgentConfig) -> Result<()> {
    runtime()?.block_on(async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let stop = async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        Ok(crate::run(config, Context::system(), stop).await?)
    })
}

fn enrol(arguments: &EnrolArguments) -> Result<()> {
    let token = match (&arguments.token, &arguments.token_file) {
        (Some(token), _) => token.clone(),
        (None, Some(path)) => text_of(path)?,
        (None, None) => {
            let message = "give the registration token: --token, --token-file or PLIMSOLL_REGISTRATION_TOKEN";
            return Err(Error::new(ErrorCode::ValidationFailed, message).into());
        }
    };
    let ca_pem = arguments.ca_file.as_deref().map(text_of).transpose()?;
    let settings = EnrolSettings {
        server: arguments.server.clone(),
        token: token.trim().to_owned(),
        ca_sha256: arguments.ca_sha256.clone(),
        ca_pem,
        name: arguments.name.clone(),
    };
    let config = arguments.settings.read()?;
    let identity = runtime()?.block_on(crate::enrol(&config, &settings, &Context::system()))?;
    writeln!(io::stdout(), "{}", identity.agent_id)?;
    writeln!(
        io::stderr(),
        "enrolled as {} in {}; now run: plimsoll-agent run --data-dir {}",
        identity.name,
        config.data_directory.display(),
        config.data_directory.display()
    )?;
    Ok(())
}

fn verify(stickers: &[PathBuf], key: Option<&Path>, config: &AgentConfig) -> Result<ExitCode> {
    let pems = match key {
        Some(path) => vec![text_of(path)?],
        None => known_keys(config)?,
    };
    let keys: Vec<PublicKey> = pems.iter().map(|pem| PublicKey::from_pem(pem)).collect::<Result<_, _>>()?;
    let mut code = ExitCode::SUCCESS;
    for path in stickers {
        let content = files::read(path, MAX_STICKER_BYTES as u64)?;
        let content = content.with_context(|| format!("there is no {}", path.display()))?;
        let mut problem = None;
        let verified = keys.iter().find_map(|key| match StickerEnvelope::verify(&content, key) {
            Ok(sticker) => Some(sticker),
            Err(cause) => {
                problem.get_or_insert(cause);
                None
            }
        });
        match (verified, problem) {
            (Some(sticker), _) => writeln!(io::stdout(), "{}", serde_json::to_string(&sticker)?)?,
            (None, problem) => {
                let why =
                    problem.map_or_else(|| "there is no key to verify it with".to_owned(), |cause| cause.to_string());
                writeln!(io::stderr(), "{}: {why}", path.display())?;
                code = ExitCode::FAILURE;
            }
        }
    }
    Ok(code)
}

fn known_keys(config: &AgentConfig) -> Result<Vec<String>> {
    let identity = Home::open(&config.data_directory)?.identity()?;
    let identity = identity.ok_or_else(|| {
        let message = "no agent is enrolled here, so no server's keys are known; name its --data-dir, or give --key";
        Error::new(ErrorCode::Unauthenticated, message)
    })?;
    Ok(identity.server_keys.into_iter().map(|key| key.public_key_pem).collect())
}

/// A file that the person named.
fn text_of(path: &Path) -> Result<String> {
    let told = |cause: io::Error| {
        Error::new(ErrorCode::ValidationFailed, format!("{} can't be read: {cause}", path.display()))
    };
    Ok(std::fs::read_to_string(path).map_err(told)?)
}

fn runtime() -> Result<tokio::runtime::Runtime> {
    // The agent waits most of its time; two workers keep one stalled disk from stopping the heartbeats.
    Ok(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?)
}

fn log_to_stderr() {
    let given = std::env::var("RUST_LOG").ok().filter(|words| !words.is_empty());
    let words = given.unwrap_or_else(|| "info".to_owned());
    let asked = words.parse::<Targets>();
    let usual = Targets::new().with_default(tracing::Level::INFO);
    let filter = asked.as_ref().map_or(usual, Clone::clone);
    let lines = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(false);
    // A caller of `execute` may have set one up already.
    _ = tracing_subscriber::registry().with(filter).with(lines).try_init();
    if let Err(cause) = asked {
        tracing::warn!(%cause, "RUST_LOG={words:?} is not understood: give levels such as info,plimsoll_agent=debug");
    }
}
