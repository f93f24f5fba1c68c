//! `plimsoll completion`.

use clap::CommandFactory as _;
use clap_complete::{Shell, generate};

use crate::{Done, args::Arguments, exit::Exit, output::Printer};

pub(super) fn run(shell: Shell, printer: &Printer) -> Done {
    let mut script = Vec::new();
    generate(shell, &mut Arguments::command(), "plimsoll", &mut script);
    printer.text(String::from_utf8_lossy(&script).trim_end())?;
    Ok(Exit::Ok)
}
