//! What the documents tell to type is a command.

use std::{fs, path::Path};

use plimsoll_cli::understands;

use crate::support::commands_of;

/// Commands in blocks of code, and in lines of text between backticks.
fn commands(text: &str) -> Vec<String> {
    let (mut found, mut block) = (Vec::new(), false);
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            block = !block;
        } else if block || line.starts_with("    ") {
            found.push(line.trim_start().to_owned());
        } else {
            found.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    found.retain(|one| one.starts_with("plimsoll "));
    found
}

#[test]
fn each_command_in_the_documents_can_be_typed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let below = |folder: &str| fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path());
    let files = ["docs", "docs/how-to", "docs/reference", "docs/adr"].into_iter().flat_map(below);
    let files = files.chain([root.join("README.md"), root.join("ARCHITECTURE.md")]);
    let (mut seen, mut wrong) = (0, Vec::new());
    for file in files.filter(|path| path.extension().is_some_and(|one| one == "md")) {
        for line in commands(&fs::read_to_string(&file).unwrap()) {
            for mut words in commands_of(&line).into_iter().filter(|words| words[0] == "plimsoll") {
                seen += 1;
                let typed = understands(&words);
                // A command that is only spoken of has no arguments; its help can be had all the same.
                words.push("--help".to_owned());
                if let (Err(why), Err(_)) = (typed, understands(&words)) {
                    wrong.push(format!("{}: {line}\n{why}", file.display()));
                }
            }
        }
    }
    assert!(seen > 10, "only {seen} commands were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
