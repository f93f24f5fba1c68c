//! `plimsoll release`, `component` and how they are named: `shop@2.4.1`, `api:v3`, `api@sha256:…`.

use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    nouns::{COMPONENT, RELEASE},
    parts::{STATES, SYNC_PARTS, VERSIONS},
    resource::{List, Verb},
};
use crate::{
    Done,
    client::{Call, Client},
    exit::Exit,
    failure::Failure,
    output::{Part, Printer},
};

/// `component`.
#[derive(Debug, Subcommand)]
pub(crate) enum ComponentCommand {
    #[command(flatten)]
    Verb(Verb),
    /// The versions that are known of one
    Versions {
        /// Its name or id
        which: String,
        #[command(flatten)]
        list: List,
    },
    /// Look into the registry for new versions
    Sync {
        /// Its name or id
        which: String,
    },
}

pub(super) async fn component(command: ComponentCommand, client: &Client, printer: &Printer) -> Done {
    match command {
        ComponentCommand::Verb(verb) => return COMPONENT.run(verb, client, printer).await,
        ComponentCommand::Versions { which, list } => {
            let id = COMPONENT.id(client, &which).await?;
            let found = COMPONENT.list(client, &format!("/components/{id}/versions"), &list).await?;
            printer.list(&found, VERSIONS)?;
        }
        ComponentCommand::Sync { which } => {
            printer.refuse_names()?;
            client.guard(printer)?;
            let id = COMPONENT.id(client, &which).await?;
            let call = Call::new(Method::POST, &format!("/components/{id}/sync-versions")).body(json!({}));
            printer.parts(&client.data(call).await?, SYNC_PARTS)?;
        }
    }
    Ok(Exit::Ok)
}

/// `release`.
#[derive(Debug, Subcommand)]
pub(crate) enum ReleaseCommand {
    /// List them
    List(List),
    /// Show one
    Get {
        /// NAME@VERSION or the id
        which: String,
    },
    /// Cut one
    Create {
        /// NAME@VERSION
        name: String,
        /// COMPONENT:TAG or COMPONENT@DIGEST
        #[arg(required = true)]
        components: Vec<String>,
        /// Seal it at once
        #[arg(long)]
        finalize: bool,
        /// For people
        #[arg(long)]
        notes: Option<String>,
    },
    /// Seal a draft
    Ready {
        /// NAME@VERSION or the id
        which: String,
    },
    /// Where it runs
    State {
        /// NAME@VERSION or the id
        which: String,
    },
    /// Delete a draft
    Delete {
        /// NAME@VERSION or the id
        which: String,
    },
}

pub(super) async fn release(command: ReleaseCommand, client: &Client, printer: &Printer) -> Done {
    let item = match command {
        ReleaseCommand::List(list) => return RELEASE.run(Verb::List(list), client, printer).await,
        ReleaseCommand::Get { which } => {
            let id = RELEASE.id(client, &which).await?;
            client.data(Call::new(Method::GET, &format!("/releases/{id}"))).await?
        }
        ReleaseCommand::Create { name, components, finalize, notes } => {
            client.guard(printer)?;
            let (name, version) = named(&name)?;
            let parts = components.iter().map(|one| component_of(one)).collect::<Result<Vec<_>, _>>()?;
            let mut body = json!({"name": name, "version": version, "components": parts, "finalize": finalize});
            if let Some(notes) = notes {
                body["notes"] = json!(notes);
            }
            client.data(Call::new(Method::POST, "/releases").body(body)).await?
        }
        ReleaseCommand::Ready { which } => {
            client.guard(printer)?;
            let id = RELEASE.id(client, &which).await?;
            let call = Call::new(Method::PUT, &format!("/releases/{id}")).body(json!({"status": "ready"}));
            client.data(call).await?
        }
        ReleaseCommand::State { which } => {
            let id = RELEASE.id(client, &which).await?;
            let state: Value = client.data(Call::new(Method::GET, &format!("/releases/{id}/state"))).await?;
            printer.parts(&state, &[Part { pointer: "/environments", table: STATES }])?;
            return Ok(Exit::Ok);
        }
        ReleaseCommand::Delete { which } => {
            return RELEASE.run(Verb::Delete { which }, client, printer).await;
        }
    };
    printer.one(&item, RELEASE.table)?;
    Ok(Exit::Ok)
}

/// `NAME@VERSION` in its two parts.
pub(super) fn named(which: &str) -> Result<(&str, &str), Failure> {
    which
        .split_once('@')
        .filter(|(name, version)| !name.is_empty() && !version.is_empty())
        .ok_or_else(|| Failure::usage(format!("{which:?} is not a release: write NAME@VERSION, such as shop@2.4.1")))
}

fn component_of(text: &str) -> Result<Value, Failure> {
    if let Some((name, digest)) = text.split_once('@') {
        return Ok(json!({"component": name, "digest": digest}));
    }
    text.split_once(':')
        .map(|(name, tag)| json!({"component": name, "tag": tag}))
        .ok_or_else(|| Failure::usage(format!("{text:?} names no version: write COMPONENT:TAG or COMPONENT@DIGEST")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_and_components_are_named_briefly() {
        assert_eq!(named("shop@2.4.1").unwrap(), ("shop", "2.4.1"));
        assert!(named("shop").is_err() && named("@1").is_err());
        assert_eq!(component_of("api:v3").unwrap(), json!({"component": "api", "tag": "v3"}));
        assert_eq!(component_of("api@sha256:ab").unwrap(), json!({"component": "api", "digest": "sha256:ab"}));
        assert!(component_of("api").is_err());
    }
}
