//! `plimsoll api`: any call by hand.

use clap::Args;
use reqwest::Method;
use serde_json::Value;

use super::file;
use crate::{
    Done,
    client::{Call, Client},
    exit::Exit,
    failure::Failure,
    output::Printer,
};

/// One call.
#[derive(Args, Debug)]
pub(crate) struct Api {
    /// GET, POST, PUT or DELETE
    method: String,
    /// The path
    path: String,
    /// The body: JSON, @FILE, or - for standard input
    #[arg(short, long, value_name = "JSON|@FILE|-")]
    data: Option<String>,
    /// A query parameter
    #[arg(short = 'Q', long, value_name = "NAME=VALUE")]
    query: Vec<String>,
    /// A header
    #[arg(short = 'H', long, value_name = "NAME: VALUE")]
    header: Vec<String>,
}

pub(super) async fn run(command: Api, client: &Client, printer: &Printer) -> Done {
    printer.refuse_names()?;
    let method = command.method.to_ascii_uppercase();
    let method = Method::from_bytes(method.as_bytes())
        .map_err(|_| Failure::usage(format!("{:?} is not a method of HTTP", command.method)))?;
    if method != Method::GET {
        client.guard(printer)?;
    }
    let path = if command.path.starts_with('/') { command.path } else { format!("/api/v1/{}", command.path) };
    let mut call = Call { method, path, query: Vec::new(), body: None, headers: Vec::new() };
    for pair in &command.query {
        call.query.push(split(pair, '=')?);
    }
    for pair in &command.header {
        let (name, value) = split(pair, ':')?;
        call.headers.push((name, value.trim().to_owned()));
    }
    call.body = command.data.as_deref().map(file::data).transpose()?;
    let answer = client.send(&call).await?;
    if !answer.status.is_success() {
        return Err(answer.failure());
    }
    match serde_json::from_slice::<Value>(&answer.bytes) {
        Ok(value) => printer.raw(&value)?,
        // A download, or nothing: the bytes are the data.
        Err(_) => printer.bytes(&answer.bytes)?,
    }
    Ok(Exit::Ok)
}

fn split(pair: &str, at: char) -> Result<(String, String), Failure> {
    let parts = pair.split_once(at);
    parts
        .map(|(name, value)| (name.trim().to_owned(), value.to_owned()))
        .ok_or_else(|| Failure::usage(format!("{pair:?} needs a {at:?} between name and value")))
}
