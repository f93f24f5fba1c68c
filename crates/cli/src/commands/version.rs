//! `plimsoll version`.

use serde_json::json;

use crate::{Done, exit::Exit, output::Printer};

pub(super) fn run(printer: &Printer) -> Done {
    let version = env!("CARGO_PKG_VERSION");
    printer.verdict(&format!("plimsoll {version}"), &json!({"name": "plimsoll", "version": version}))?;
    Ok(Exit::Ok)
}
