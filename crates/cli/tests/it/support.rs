//! Running the binary.

use std::{
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Output, Stdio},
};

/// `plimsoll` with nothing of this machine's own configuration.
pub fn plimsoll(home: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_plimsoll"));
    command.args(arguments).env_clear().env("HOME", home).current_dir(home).stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub fn run(home: &Path, arguments: &[&str]) -> Output {
    plimsoll(home, arguments).output().unwrap()
}

/// Its exit code, output and errors.
pub fn ended(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code().unwrap(), text(&output.stdout), text(&output.stderr))
}

/// A server that is killed when dropped.
pub struct Served {
    pub url: String,
    pub child: Child,
}

impl Served {
    /// Starts one and waits for the line with its URL.
    pub fn start(home: &Path) -> Self {
        Self::start_with(home, &[])
    }

    /// The same with more flags.
    pub fn start_with(home: &Path, flags: &[&str]) -> Self {
        let mut child = plimsoll(home, &["serve", "--listen", "127.0.0.1:0", "--log", "warn"])
            .args(flags)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut url = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut url).unwrap();
        Self { url: url.trim().to_owned(), child }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// The commands of one line, each as its words, as a shell reads them: quotes, comments, pipes, groups; where output
/// goes to is left out.
pub fn commands_of(line: &str) -> Vec<Vec<String>> {
    let (mut all, mut words, mut word) = (Vec::new(), Vec::new(), None::<String>);
    let mut quote = None;
    let mut letters = line.chars();
    while let Some(one) = letters.next() {
        match (quote, one) {
            (Some(open), _) if one == open => quote = None,
            (Some(_), _) => word.get_or_insert_default().push(one),
            (None, '\'' | '"') => {
                quote = Some(one);
                word.get_or_insert_default();
            }
            (None, '\\') => word.get_or_insert_default().extend(letters.next()),
            (None, '#') if word.is_none() => break,
            (None, ' ') => words.extend(word.take()),
            (None, '|' | '&' | ';' | '(' | ')') => {
                words.extend(word.take());
                all.push(std::mem::take(&mut words));
            }
            (None, _) => word.get_or_insert_default().push(one),
        }
    }
    assert!(quote.is_none(), "a quote is open: {line}");
    words.extend(word);
    all.push(words);
    for words in &mut all {
        words.truncate(words.iter().position(|word| word == ">").unwrap_or(words.len()));
    }
    all.retain(|words| !words.is_empty());
    all
}
