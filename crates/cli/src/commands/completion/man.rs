//! Manual pages: one for each command, from what its help says.

use std::{fs, io, path::Path};

use clap::Command;
use clap_mangen::{
    Man,
    roff::{Roff, roman},
};

use crate::failure::Failure;

/// Writes a page for the command and each below it into `<dir>/man1`; gives how many.
pub(super) fn write(command: &Command, dir: &Path) -> Result<usize, Failure> {
    let told = |cause: io::Error| Failure::usage(format!("{} cannot be written: {cause}", dir.display()));
    let folder = dir.join("man1");
    fs::create_dir_all(&folder).map_err(told)?;
    let mut whole = command.clone();
    whole.build();
    pages(&whole, &folder).map_err(told)
}

fn pages(command: &Command, folder: &Path) -> io::Result<usize> {
    let mut count = 1;
    for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
        count += pages(sub, folder)?;
    }
    let page = Man::new(command.clone());
    fs::write(folder.join(page.get_filename()), text(&page, command)?)?;
    Ok(count)
}

/// As clap's own pages are, with the examples, which it leaves out.
fn text(page: &Man, command: &Command) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    page.render_title(&mut text)?;
    page.render_name_section(&mut text)?;
    page.render_synopsis_section(&mut text)?;
    page.render_description_section(&mut text)?;
    if let Some(examples) = command.get_before_help() {
        let mut roff = Roff::default();
        roff.control("SH", ["EXAMPLES"]).control("nf", []);
        for line in examples.to_string().lines().skip(1) {
            roff.text([roman(line)]);
        }
        roff.control("fi", []);
        roff.to_writer(&mut text)?;
    }
    page.render_options_section(&mut text)?;
    if command.get_subcommands().any(|sub| !sub.is_hide_set()) {
        page.render_subcommands_section(&mut text)?;
    }
    Ok(text)
}
