//! Names that a shell offers, of what the server has now.

use std::{ffi::OsString, time::Duration};

use clap::Command;
use clap_complete::{ArgValueCandidates, CompletionCandidate};
use serde_json::Value;

use crate::{
    args::Connect,
    client::{
        Client,
        context::{Contexts, Reach},
    },
    commands::{
        nouns::{AGENT, COMPONENT, ENVIRONMENT, INTEGRATION, RELEASE, TARGET},
        resource::{List, Noun, text},
    },
    failure::Failure,
    output::plain,
    raw,
};

/// Nobody waits longer for a hint.
const PATIENCE: Duration = Duration::from_secs(1);
/// More are no help.
const MOST: u32 = 100;

/// What the names are of.
#[derive(Clone, Copy, Debug)]
enum Source {
    /// Of this machine.
    Contexts,
    /// Of the server.
    Nouns(&'static Noun),
    /// Of the server, as ENV/NAME.
    Targets,
}

const ENVIRONMENTS: Source = Source::Nouns(&ENVIRONMENT);
const RELEASES: Source = Source::Nouns(&RELEASE);
const COMPONENTS: Source = Source::Nouns(&COMPONENT);
const INTEGRATIONS: Source = Source::Nouns(&INTEGRATION);
const AGENTS: Source = Source::Nouns(&AGENT);

/// Commands, the arguments of theirs that take names, and of what.
const OFFERED: &[(&str, &[&str], &str, Source)] = &[
    ("", &[""], "context", Source::Contexts),
    ("context", &["use", "delete"], "name", Source::Contexts),
    ("env", &["get", "update", "delete"], "which", ENVIRONMENTS),
    ("freeze", &["list", "create", "delete"], "env", ENVIRONMENTS),
    ("promote", &[""], "to", ENVIRONMENTS),
    ("promote", &[""], "from", ENVIRONMENTS),
    ("promote", &[""], "release", RELEASES),
    ("rollback", &[""], "env", ENVIRONMENTS),
    ("rollback", &[""], "to", RELEASES),
    ("release", &["get", "ready", "state", "delete"], "which", RELEASES),
    ("component", &["get", "update", "delete", "versions", "sync"], "which", COMPONENTS),
    ("integration", &["get", "update", "delete", "test", "discover"], "which", INTEGRATIONS),
    ("agents", &["get", "update", "delete"], "which", AGENTS),
    ("target", &["get", "update", "delete"], "which", Source::Targets),
    ("sticker", &["read"], "target", Source::Targets),
];

/// Adds the names to a command line of which `words` is what is typed so far.
pub(super) fn add(command: Command, words: &[OsString]) -> Command {
    let (url, context) = server(words);
    OFFERED.iter().fold(command, |command, (noun, verbs, argument, source)| {
        let (source, argument) = (*source, *argument);
        let connect = Connect { url: url.clone(), context: context.clone(), yes: false };
        let offer = move |command: Command| {
            let connect = connect.clone();
            command.mut_arg(argument, |arg| arg.add(ArgValueCandidates::new(move || source.names(&connect))))
        };
        match *noun {
            "" => offer(command),
            noun => command.mut_subcommand(noun, |command| {
                verbs.iter().fold(command, |command, verb| match *verb {
                    "" => offer(command),
                    verb => command.mut_subcommand(verb, &offer),
                })
            }),
        }
    })
}

/// Which server the command would ask: nothing is parsed yet.
fn server(words: &[OsString]) -> (Option<String>, Option<String>) {
    // Before them stands how the shell calls us.
    let from = words.iter().position(|word| word == "--").map_or(words.len(), |at| at + 1);
    let given = |long, variable| {
        let typed = raw::value(words.get(from..).unwrap_or_default(), long, None);
        typed.or_else(|| std::env::var(variable).ok()).filter(|value| !value.is_empty())
    };
    (given("url", "PLIMSOLL_URL"), given("context", "PLIMSOLL_CONTEXT"))
}

impl Source {
    /// What cannot be had is not offered: a hint is no place for an error.
    fn names(self, connect: &Connect) -> Vec<CompletionCandidate> {
        let names = match self {
            Self::Contexts => Contexts::load().map(|all| all.contexts.into_keys().collect()),
            Self::Nouns(_) | Self::Targets => ask(self, connect),
        };
        names.unwrap_or_default().iter().map(|name| CompletionCandidate::new(plain(name))).collect()
    }

    async fn ask(self, client: &Client) -> Result<Vec<String>, Failure> {
        let first = List { limit: MOST, ..List::default() };
        match self {
            Self::Contexts => Ok(Vec::new()),
            Self::Nouns(noun) => {
                let found = noun.list(client, noun.path, &first).await?;
                Ok(found.iter().filter_map(|one| noun.table.called.of(one)).collect())
            }
            Self::Targets => {
                let environments = ENVIRONMENT.list(client, ENVIRONMENT.path, &first).await?;
                let found = TARGET.list(client, TARGET.path, &first).await?;
                Ok(found.iter().filter_map(|one| in_environment(one, &environments)).collect())
            }
        }
    }
}

fn in_environment(target: &Value, environments: &[Value]) -> Option<String> {
    let environment = environments.iter().find(|one| one["id"] == target["environmentId"])?;
    Some(format!("{}/{}", text(environment, "/name")?, text(target, "/name")?))
}

fn ask(source: Source, connect: &Connect) -> Result<Vec<String>, Failure> {
    let stopped = |cause: std::io::Error| Failure::system(cause.to_string());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(stopped)?;
    runtime.block_on(async {
        let client = Client::hurried(Reach::find(connect)?, PATIENCE).await?;
        tokio::time::timeout(PATIENCE, source.ask(&client)).await.unwrap_or(Ok(Vec::new()))
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::args::Arguments;

    #[test]
    fn each_argument_that_takes_names_is_there() {
        add(Arguments::command(), &[]).debug_assert();
    }

    #[test]
    fn the_server_is_the_one_that_is_typed() {
        let words: Vec<OsString> =
            ["plimsoll", "--", "plimsoll", "--context", "prod", "--url=http://a", "env", "get", ""]
                .map(OsString::from)
                .into();
        assert_eq!(server(&words), (Some("http://a".to_owned()), Some("prod".to_owned())));
    }
}
