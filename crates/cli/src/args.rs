//! The grammar: noun verb.

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::commands;

const EXAMPLES: &str = "\
Examples:
  plimsoll serve                                      start a server on this machine
  plimsoll login https://plimsoll.example.com         sign in
  plimsoll promote shop@2.4.1 --to prod               bring a release into an environment
  plimsoll component list -o json                     the same schema as the API's
  plimsoll api GET /api/v1/components                 any call, by hand
  plimsoll evidence verify packet.json --key key.pem  check evidence without a server

Release control: from a registry to hosts, past gates and approvals, with evidence.";

/// Everything on the command line.
#[derive(Debug, Parser)]
#[command(name = "plimsoll", version, before_help = EXAMPLES, about = None, disable_help_subcommand = true, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(flatten)]
    pub(crate) connect: Connect,
    #[command(subcommand)]
    pub(crate) command: commands::Command,
}

/// Flags that every command takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct Global {
    /// How answers are printed
    #[arg(short, long, global = true, value_enum, default_value_t = Form::Table, help_heading = "Output")]
    pub(crate) output: Form,
    /// Tables without their first line
    #[arg(long, global = true, help_heading = "Output")]
    pub(crate) no_headers: bool,
    /// No progress on standard error, errors only
    #[arg(short, long, global = true, help_heading = "Output")]
    pub(crate) quiet: bool,
}

/// Which server.
#[derive(Args, Clone, Debug)]
pub(crate) struct Connect {
    /// The server
    #[arg(long, global = true, env = "PLIMSOLL_URL", hide_env_values = true, help_heading = "Server")]
    pub(crate) url: Option<String>,
    /// The context: a server and a sign-in under a name
    #[arg(long, global = true, env = "PLIMSOLL_CONTEXT", value_name = "NAME", help_heading = "Server")]
    pub(crate) context: Option<String>,
    /// Change a protected context without being asked
    #[arg(short, long, global = true, help_heading = "Server")]
    pub(crate) yes: bool,
}

/// A form of output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// The columns that matter most
    #[default]
    Table,
    /// More columns
    Wide,
    /// The API's JSON
    Json,
    /// The same as YAML
    Yaml,
    /// One JSON document a line
    Ndjson,
    /// Names alone, for scripts
    Name,
}

impl Form {
    /// Whether errors are told in JSON, and nothing else beside the data.
    pub(crate) const fn is_for_programs(self) -> bool {
        match self {
            Self::Json | Self::Yaml | Self::Ndjson => true,
            Self::Table | Self::Wide | Self::Name => false,
        }
    }
}

/// Where a packet, a sticker or a key lies.
#[derive(Args, Debug)]
pub(crate) struct Verify {
    /// The file to check; `-` is standard input
    pub(crate) file: std::path::PathBuf,
    /// The public key (PEM)
    #[arg(long, value_name = "PEM")]
    pub(crate) key: std::path::PathBuf,
}

/// `evidence`.
#[derive(Debug, Subcommand)]
pub(crate) enum Evidence {
    #[command(flatten)]
    Offline(OfflineEvidence),
    #[command(flatten)]
    Stored(StoredEvidence),
}

/// What a server has.
#[derive(Debug, Subcommand)]
pub(crate) enum StoredEvidence {
    /// List packets
    List(commands::resource::List),
    /// Show one
    Get {
        /// Its id
        id: String,
    },
    /// Print the public key that evidence and stickers are verified with (PEM)
    Key {
        /// Older keys too, which verify older evidence
        #[arg(long)]
        all: bool,
    },
    /// Fetch a packet, byte for byte
    Download {
        /// Its id
        id: String,
        /// The bare DSSE envelope instead of the Sigstore bundle
        #[arg(long)]
        dsse: bool,
        /// A ZIP with both, the public key, a page to read and VERIFY.md
        #[arg(long, conflicts_with = "dsse")]
        bundle: bool,
    },
}

/// What needs no server.
#[derive(Debug, Subcommand)]
pub(crate) enum OfflineEvidence {
    /// Check a packet's signature, form and subjects (of a ZIP too), without a server
    Verify(Verify),
    /// Decide again from the inputs sealed in a packet, and compare with what was decided
    Replay {
        /// The packet; `-` is standard input
        file: std::path::PathBuf,
        /// Check the signature too, with this public key (PEM)
        #[arg(long, value_name = "PEM")]
        key: Option<std::path::PathBuf>,
    },
}

/// `sticker`.
#[derive(Debug, Subcommand)]
pub(crate) enum StickerCommand {
    /// Check a host's version sticker, without a server
    Verify(Verify),
    #[command(flatten)]
    Stored(StoredStickers),
}

/// What a server knows of stickers.
#[derive(Debug, Subcommand)]
pub(crate) enum StoredStickers {
    /// List them
    List(commands::resource::List),
    /// Show one
    Get {
        /// Its id
        id: String,
    },
    /// What a target holds, as its agent reads it, beside what it should hold
    Read {
        /// The target: NAME, ENV/NAME or its id
        target: String,
    },
}
