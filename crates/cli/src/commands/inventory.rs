//! `plimsoll env`, `target`, `integration`, `freeze`: what stands where, and when nothing may move.

use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    nouns::{ENVIRONMENT, FREEZE, INTEGRATION, TARGET},
    parts::{FOUND, TEST_PARTS},
    resource::{Body, List, Verb, is_id},
};
use crate::{
    Done,
    client::{Call, Client},
    exit::Exit,
    failure::Failure,
    output::{Part, Printer},
};

/// Targets may be named `ENV/NAME`, since a name is unique in its environment alone.
pub(super) async fn target(verb: Verb, client: &Client, printer: &Printer) -> Done {
    let verb = match verb {
        Verb::Get { which } => Verb::Get { which: target_id(client, which).await? },
        Verb::Update { which, body } => Verb::Update { which: target_id(client, which).await?, body },
        Verb::Delete { which } => Verb::Delete { which: target_id(client, which).await? },
        other @ (Verb::List(_) | Verb::Create(_)) => other,
    };
    TARGET.run(verb, client, printer).await
}

pub(super) async fn target_id(client: &Client, which: String) -> Result<String, Failure> {
    let Some((environment, name)) = which.split_once('/') else { return TARGET.id(client, &which).await };
    let environment = ENVIRONMENT.id(client, environment).await?;
    TARGET.id_where(client, &which, &json!({"environmentId": environment, "name": name})).await
}

/// `agents`. They enrol themselves.
#[derive(Debug, Subcommand)]
pub(crate) enum AgentsCommand {
    /// List them
    List(List),
    /// Show one
    Get {
        /// Its name or id
        which: String,
    },
    /// Replace all that can be changed of one
    Update {
        /// Its name or id
        which: String,
        #[command(flatten)]
        body: Body,
    },
    /// Let one go
    Delete {
        /// Its name or id
        which: String,
    },
}

impl From<AgentsCommand> for Verb {
    fn from(command: AgentsCommand) -> Self {
        match command {
            AgentsCommand::List(list) => Self::List(list),
            AgentsCommand::Get { which } => Self::Get { which },
            AgentsCommand::Update { which, body } => Self::Update { which, body },
            AgentsCommand::Delete { which } => Self::Delete { which },
        }
    }
}

/// `integration`.
#[derive(Debug, Subcommand)]
pub(crate) enum IntegrationCommand {
    #[command(flatten)]
    Verb(Verb),
    /// Try whether it can be reached and lets us in
    Test {
        /// Its name or id
        which: String,
    },
    /// Ask what it has
    Discover {
        /// Its name or id
        which: String,
        /// What is sought
        kind: String,
        /// Part of its name
        #[arg(long)]
        query: Option<String>,
    },
}

pub(super) async fn integration(command: IntegrationCommand, client: &Client, printer: &Printer) -> Done {
    match command {
        IntegrationCommand::Verb(verb) => return INTEGRATION.run(verb, client, printer).await,
        IntegrationCommand::Test { which } => {
            printer.refuse_names()?;
            let id = INTEGRATION.id(client, &which).await?;
            let report: Value = client.data(Call::new(Method::POST, &format!("/integrations/{id}/test"))).await?;
            printer.parts(&report, TEST_PARTS)?;
            if report["ok"] != true {
                return Ok(Exit::WorkFailed);
            }
        }
        IntegrationCommand::Discover { which, kind, query } => {
            let id = INTEGRATION.id(client, &which).await?;
            let mut body = json!({"kind": kind});
            if let Some(query) = query {
                body["query"] = json!(query);
            }
            let call = Call::new(Method::POST, &format!("/integrations/{id}/discover")).body(body);
            let found: Value = client.data(call).await?;
            printer.parts(&found, &[Part { pointer: "/items", table: FOUND }])?;
        }
    }
    Ok(Exit::Ok)
}

/// `freeze`.
#[derive(Debug, Subcommand)]
pub(crate) enum FreezeCommand {
    /// The freeze windows of an environment
    List {
        /// The environment
        env: String,
    },
    /// Let nothing be promoted there for a time
    Create {
        /// The environment
        env: String,
        #[command(flatten)]
        body: Body,
    },
    /// End one
    Delete {
        /// The environment
        env: String,
        /// The window's name or id
        which: String,
        /// Why; needed while it holds releases up
        #[arg(long)]
        reason: Option<String>,
    },
}

pub(super) async fn freeze(command: FreezeCommand, client: &Client, printer: &Printer) -> Done {
    match command {
        FreezeCommand::List { env } => {
            let path = windows(client, &env).await?;
            printer.list(&FREEZE.list(client, &path, &List::default()).await?, FREEZE.table)?;
        }
        FreezeCommand::Create { env, body } => {
            client.guard(printer)?;
            let call = Call::new(Method::POST, &windows(client, &env).await?).body(body.read()?);
            printer.one(&client.data(call).await?, FREEZE.table)?;
        }
        FreezeCommand::Delete { env, which, reason } => {
            client.guard(printer)?;
            let path = windows(client, &env).await?;
            let id = window_id(client, &path, &which).await?;
            let mut call = Call::new(Method::DELETE, &format!("{path}/{id}"));
            if let Some(reason) = &reason {
                call = call.query("reason", reason);
            }
            client.done(call).await?;
            printer.progress(&format!("deleted freeze window {which}"));
        }
    }
    Ok(Exit::Ok)
}

async fn windows(client: &Client, environment: &str) -> Result<String, Failure> {
    Ok(format!("/environments/{}/freeze-windows", ENVIRONMENT.id(client, environment).await?))
}

async fn window_id(client: &Client, path: &str, which: &str) -> Result<String, Failure> {
    if is_id(which) {
        return Ok(which.to_owned());
    }
    let all = FREEZE.list(client, path, &List::default()).await?;
    let mut named = all.iter().filter(|one| one["name"] == which).filter_map(|one| one["id"].as_str());
    match (named.next(), named.next()) {
        (Some(id), None) => Ok(id.to_owned()),
        (None, _) => Err(Failure::usage(format!("there is no freeze window {which:?} there"))),
        (Some(_), Some(_)) => Err(Failure::usage(format!("several freeze windows are named {which:?}; give the id"))),
    }
}
