//! `plimsoll context`: servers under names.

use clap::Subcommand;
use serde_json::{Value, json};

use crate::{
    Done,
    client::context::{Contexts, One, clean, lock},
    exit::Exit,
    failure::Failure,
    output::{Called, Column, Printer, Table},
};

/// `context`.
#[derive(Debug, Subcommand)]
pub(crate) enum ContextCommand {
    /// All contexts
    List,
    /// Make or change a context, and use it
    Set {
        /// Its name
        name: String,
        /// The server
        url: String,
        /// Want --yes for changes from scripts
        #[arg(long)]
        protected: bool,
    },
    /// Use a context from now on
    Use {
        /// Its name
        name: String,
    },
    /// Forget a context and its sign-in
    Delete {
        /// Its name
        name: String,
    },
}

const TABLE: Table = Table::new(
    Called::Name,
    &[
        Column::new("CURRENT", "/current"),
        Column::new("NAME", "/name"),
        Column::new("URL", "/url"),
        Column::new("SIGNED IN", "/signedIn"),
        Column::new("PROTECTED", "/protected"),
    ],
);

pub(super) fn run(command: ContextCommand, printer: &Printer) -> Done {
    let held = lock()?;
    let mut all = Contexts::load()?;
    match command {
        ContextCommand::List => {
            printer.list(&listed(&all), TABLE)?;
            return Ok(Exit::Ok);
        }
        ContextCommand::Set { name, url, protected } => {
            let url = clean(&url)?;
            // Another server's token is no use.
            let login = all.contexts.remove(&name).filter(|one| one.url == url).and_then(|one| one.login);
            all.contexts.insert(name.clone(), One { url, protected, login });
            all.current = Some(name);
        }
        ContextCommand::Use { name } => {
            known(&all, &name)?;
            all.current = Some(name);
        }
        ContextCommand::Delete { name } => {
            known(&all, &name)?;
            all.contexts.remove(&name);
            all.current = all.current.filter(|current| *current != name);
        }
    }
    all.save()?;
    drop(held);
    Ok(Exit::Ok)
}

fn known(all: &Contexts, name: &str) -> Result<(), Failure> {
    if all.contexts.contains_key(name) {
        return Ok(());
    }
    Err(Failure::usage(format!("there is no context {name:?}")).hint("see `plimsoll context list`"))
}

fn listed(all: &Contexts) -> Vec<Value> {
    let yes = |yes: bool| if yes { "yes" } else { "no" };
    all.contexts
        .iter()
        .map(|(name, one)| {
            json!({
                "name": name, "url": one.url, "protected": yes(one.protected), "signedIn": yes(one.login.is_some()),
                "current": if all.current.as_ref() == Some(name) { "*" } else { "" },
            })
        })
        .collect()
}
