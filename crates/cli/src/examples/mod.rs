//! The examples with which each command's help begins: all in one place, and parsed by a test.

mod table;

use clap::{Command, builder::Resettable};

use table::EXAMPLES;

/// Puts each command's examples in front of its help.
pub(crate) fn add(command: Command) -> Command {
    below(command, "")
}

fn below(command: Command, path: &str) -> Command {
    let found = EXAMPLES.iter().find(|(of, _)| *of == path);
    let command = match found {
        Some((_, examples)) => command.before_help(format!("Examples:\n{examples}")).after_help(Resettable::Reset),
        None => command,
    };
    command.mut_subcommands(|sub| {
        let path = if path.is_empty() { sub.get_name().to_owned() } else { format!("{path} {}", sub.get_name()) };
        below(sub, &path)
    })
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::args::Arguments;

    /// The words of one line, as a shell reads them; what stands after two blanks or `>` is not the command.
    fn words(line: &str) -> Vec<String> {
        let (mut words, mut word, mut quoted, mut blanks) = (Vec::new(), String::new(), false, 0);
        for one in line.chars() {
            blanks = if one == ' ' && !quoted { blanks + 1 } else { 0 };
            match one {
                '\'' => quoted = !quoted,
                ' ' if !quoted => {
                    if blanks == 2 {
                        break;
                    }
                    words.push(std::mem::take(&mut word));
                }
                other => word.push(other),
            }
        }
        assert!(!quoted, "{line}");
        words.push(word);
        words.retain(|word| !word.is_empty());
        words.truncate(words.iter().position(|word| word == ">").unwrap_or(words.len()));
        words
    }

    fn check(command: &Command, path: &str) {
        let help = command.get_before_help().map(ToString::to_string).unwrap_or_default();
        let examples = help.strip_prefix("Examples:\n").unwrap_or_else(|| panic!("{path:?} has no examples: {help:?}"));
        let lines: Vec<&str> = examples.lines().take_while(|line| !line.is_empty()).collect();
        assert!(!lines.is_empty(), "{path:?}");
        for line in &lines {
            assert!(line.chars().count() < 100, "it would be broken into two: {line}");
            let understood = crate::understands(&words(line.trim_start()));
            understood.unwrap_or_else(|error| panic!("{path:?}: {line}\n{error}"));
        }
        let own = format!("  plimsoll {path}");
        assert!(lines.iter().any(|line| line.starts_with(own.trim_end())), "{path:?}: {lines:?}");
        for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
            check(sub, format!("{path} {}", sub.get_name()).trim_start());
        }
    }

    #[test]
    fn each_help_begins_with_examples_that_can_be_typed() {
        let all = add(Arguments::command());
        check(&all, "");
        for (path, _) in EXAMPLES {
            let found = path.split(' ').try_fold(&all, |command, name| command.find_subcommand(name));
            assert!(found.is_some(), "there is no {path:?}");
        }
    }
}
