//! The verbs that every noun has, over one description of the noun.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use plimsoll_protocol::envelope::Success;
use reqwest::Method;
use serde_json::{Value, json};

use super::{file, names, release};
use crate::{
    Done,
    client::{Call, Client},
    exit::Exit,
    failure::Failure,
    output::{Called, Printer, Table},
};

/// The most that one page has.
const PAGE: u32 = 100;

/// What is particular about a noun.
#[derive(Debug)]
pub(crate) struct Noun {
    /// As people say it.
    pub(crate) name: &'static str,
    /// Below `/api/v1`.
    pub(crate) path: &'static str,
    /// How they are shown, and what they are called.
    pub(crate) table: Table,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// List them
    List(List),
    /// Show one
    Get {
        /// Its name or id
        which: String,
    },
    /// Make one
    Create(Body),
    /// Replace all that can be changed of one
    Update {
        /// Its name or id
        which: String,
        #[command(flatten)]
        body: Body,
    },
    /// Delete one
    Delete {
        /// Its name or id
        which: String,
    },
}

/// Which of them.
#[derive(Args, Clone, Debug, Default)]
pub(crate) struct List {
    /// Conditions, such as '{"status":"ready"}'
    #[arg(long, value_name = "JSON")]
    pub(crate) filter: Option<String>,
    /// The order, such as -createdAt
    #[arg(long, allow_hyphen_values = true)]
    pub(crate) sort: Option<String>,
    /// At most so many; 0 is all
    #[arg(long, default_value_t = 100)]
    pub(crate) limit: u32,
}

/// What it shall be.
#[derive(Args, Debug)]
#[group(required = true, multiple = false)]
pub(crate) struct Body {
    /// A file of JSON or YAML; - is standard input
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// JSON, or @FILE
    #[arg(short, long, value_name = "JSON")]
    data: Option<String>,
}

impl Body {
    pub(crate) fn read(&self) -> Result<Value, Failure> {
        match (&self.file, &self.data) {
            (Some(path), _) => file::document(path),
            (None, Some(text)) => file::data(text),
            (None, None) => Err(Failure::usage("give the body with --file or --data")),
        }
    }
}

impl Noun {
    /// Does a verb.
    pub(crate) async fn run(&self, verb: Verb, client: &Client, printer: &Printer) -> Done {
        match verb {
            Verb::List(which) => {
                let found = self.list(client, self.path, &which).await?;
                names::list(client, printer, &found, self.table).await?;
            }
            Verb::Get { which } => names::one(client, printer, &self.get(client, &which).await?, self.table).await?,
            Verb::Create(body) => {
                client.guard(printer)?;
                let call = Call::new(Method::POST, self.path).body(body.read()?);
                names::one(client, printer, &client.data(call).await?, self.table).await?;
            }
            Verb::Update { which, body } => {
                client.guard(printer)?;
                let id = self.id(client, &which).await?;
                let call = Call::new(Method::PUT, &format!("{}/{id}", self.path)).body(body.read()?);
                names::one(client, printer, &client.data(call).await?, self.table).await?;
            }
            Verb::Delete { which } => {
                client.guard(printer)?;
                let id = self.id(client, &which).await?;
                client.done(Call::new(Method::DELETE, &format!("{}/{id}", self.path))).await?;
                printer.progress(&format!("deleted {} {which}", self.name));
            }
        }
        Ok(Exit::Ok)
    }

    /// Pages until the limit.
    pub(crate) async fn list(&self, client: &Client, path: &str, which: &List) -> Result<Vec<Value>, Failure> {
        let mut found: Vec<Value> = Vec::new();
        let limit = if which.limit == 0 { usize::MAX } else { which.limit as usize };
        let size = u32::try_from(limit).unwrap_or(PAGE).clamp(1, PAGE);
        for page in 1.. {
            let mut call =
                Call::new(Method::GET, path).query("page", page.to_string()).query("pageSize", size.to_string());
            if let Some(filter) = &which.filter {
                call = call.query("filter", filter);
            }
            if let Some(sort) = &which.sort {
                call = call.query("sort", sort);
            }
            let answer: Success<Vec<Value>> = client.success(call).await?;
            found.extend(answer.data);
            let more = answer.meta.pagination.is_some_and(|pagination| pagination.has_next);
            if !more || found.len() >= limit {
                break;
            }
        }
        found.truncate(limit);
        Ok(found)
    }

    /// One, by name or id.
    pub(crate) async fn get(&self, client: &Client, which: &str) -> Result<Value, Failure> {
        let id = self.id(client, which).await?;
        client.data(Call::new(Method::GET, &format!("{}/{id}", self.path))).await
    }

    /// Its id, by name or id.
    pub(crate) async fn id(&self, client: &Client, which: &str) -> Result<String, Failure> {
        if is_id(which) {
            return Ok(which.to_owned());
        }
        let condition = match self.table.called {
            Called::Name => json!({"name": which}),
            Called::Release => {
                let (name, version) = release::named(which)?;
                json!({"name": name, "version": version})
            }
            Called::Id | Called::At(_) | Called::Nothing => return self.only_id(which).map(str::to_owned),
        };
        self.id_where(client, which, &condition).await
    }

    /// The id of one that has no name.
    pub(crate) fn only_id<'a>(&self, which: &'a str) -> Result<&'a str, Failure> {
        if is_id(which) {
            return Ok(which);
        }
        Err(Failure::usage(format!("{which:?} is not an id")).hint(format!("see `plimsoll {} list`", self.name)))
    }

    /// The id of the one that meets `condition`; `which` is how the person named it.
    pub(crate) async fn id_where(&self, client: &Client, which: &str, condition: &Value) -> Result<String, Failure> {
        let list = List { filter: Some(condition.to_string()), sort: None, limit: 2 };
        let found = self.list(client, self.path, &list).await?;
        let noun = self.name;
        match found.as_slice() {
            [one] => text(one, "/id")
                .map(str::to_owned)
                .ok_or_else(|| Failure::system(format!("the server's {noun} {which} has no id"))),
            [] => Err(Failure::usage(format!("there is no {noun} {which:?}"))
                .hint(format!("see `plimsoll {noun} list`; another tenant's are never shown"))),
            _ => Err(Failure::usage(format!("there are several {noun}s {which:?}")).hint("give the id")),
        }
    }
}

/// Whether it is an id and no name.
pub(crate) fn is_id(text: &str) -> bool {
    let at_hyphens = |at: usize| matches!(at, 8 | 13 | 18 | 23);
    text.len() == 36
        && text
            .bytes()
            .enumerate()
            .all(|(at, byte)| if at_hyphens(at) { byte == b'-' } else { byte.is_ascii_hexdigit() })
}

/// Text in an answer.
pub(crate) fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_told_from_names() {
        assert!(is_id("01890a5d-ac96-774b-bcce-b302099a8057"));
        assert!(!is_id("shop"));
        assert!(!is_id("01890a5d-ac96-774b-bcce-b302099a805z"));
    }
}
