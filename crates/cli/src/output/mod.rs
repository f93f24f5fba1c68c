//! Everything that is printed: standard output is data, standard error is progress and errors.

mod live;
mod table;

use std::io::{IsTerminal as _, Write as _};

use serde_json::Value;

pub(crate) use live::Live;
pub(crate) use table::{Column, name};

use crate::{
    args::{Form, Global},
    failure::Failure,
};

/// A part of an answer: where it is (RFC 6901), and the columns of its table.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    pub(crate) pointer: &'static str,
    pub(crate) columns: &'static [Column],
}

/// Prints in the form asked for. Colours go only to terminals, and never with `NO_COLOR`.
#[derive(Clone, Debug)]
pub(crate) struct Printer {
    form: Form,
    headers: bool,
    progress: bool,
}

impl Printer {
    pub(crate) const fn new(global: &Global) -> Self {
        Self { form: global.output, headers: !global.no_headers, progress: !global.quiet }
    }

    /// Several resources.
    pub(crate) fn list(&self, items: &[Value], columns: &[Column]) -> Result<(), Failure> {
        write_out(self.list_text(items, columns)?.as_bytes())
    }

    /// One resource.
    pub(crate) fn one(&self, item: &Value, columns: &[Column]) -> Result<(), Failure> {
        let text = match self.form {
            Form::Json => pretty(item)?,
            Form::Yaml => yaml(item)?,
            Form::Table | Form::Wide | Form::Ndjson | Form::Name => {
                self.list_text(std::slice::from_ref(item), columns)?
            }
        };
        write_out(text.as_bytes())
    }

    /// Data of any shape: JSON where no table fits.
    pub(crate) fn raw(&self, value: &Value) -> Result<(), Failure> {
        write_out(self.raw_text(value)?.as_bytes())
    }

    fn raw_text(&self, value: &Value) -> Result<String, Failure> {
        Ok(match (self.form, value) {
            (Form::Yaml, _) => yaml(value)?,
            (Form::Ndjson, Value::Array(items)) => items.iter().map(|item| format!("{item}\n")).collect(),
            (Form::Ndjson, other) => format!("{other}\n"),
            (Form::Name, Value::Array(items)) => items.iter().map(|item| format!("{}\n", table::name(item))).collect(),
            (Form::Name, other) => format!("{}\n", table::name(other)),
            (Form::Table | Form::Wide | Form::Json, other) => pretty(other)?,
        })
    }

    /// Whether people are shown columns.
    pub(crate) const fn is_table(&self) -> bool {
        matches!(self.form, Form::Table | Form::Wide)
    }

    /// An answer of several parts: a table of each for people, the whole for programs.
    pub(crate) fn parts(&self, value: &Value, parts: &[Part]) -> Result<(), Failure> {
        write_out(self.parts_text(value, parts)?.as_bytes())
    }

    fn parts_text(&self, value: &Value, parts: &[Part]) -> Result<String, Failure> {
        if !self.is_table() {
            return self.raw_text(value);
        }
        let mut shown = Vec::new();
        for part in parts {
            match value.pointer(part.pointer) {
                Some(Value::Array(items)) if items.is_empty() => {}
                Some(Value::Array(items)) => shown.push(self.list_text(items, part.columns)?),
                Some(one) => shown.push(self.list_text(std::slice::from_ref(one), part.columns)?),
                None => {}
            }
        }
        Ok(shown.join("\n"))
    }

    /// Text that is data itself: a URL, a completion script.
    #[expect(clippy::unused_self, reason = "data is printed by whoever holds a printer")]
    pub(crate) fn text(&self, text: &str) -> Result<(), Failure> {
        write_out(format!("{text}\n").as_bytes())
    }

    /// Data that is not ours to change.
    #[expect(clippy::unused_self, reason = "data is printed by whoever holds a printer")]
    pub(crate) fn bytes(&self, bytes: &[u8]) -> Result<(), Failure> {
        write_out(bytes)
    }

    /// What a check found: `text` for people, `value` for programs.
    pub(crate) fn verdict(&self, text: &str, value: &Value) -> Result<(), Failure> {
        match self.form {
            Form::Table | Form::Wide | Form::Name => self.text(text),
            Form::Json | Form::Yaml | Form::Ndjson => self.raw(value),
        }
    }

    /// Progress, unless `--quiet`.
    pub(crate) fn progress(&self, text: &str) {
        if self.progress {
            say(text);
        }
    }

    /// Why the command failed.
    pub(crate) fn failure(&self, failure: &Failure) {
        match self.form {
            Form::Json | Form::Yaml | Form::Ndjson => say(&failure.to_json().to_string()),
            Form::Table | Form::Wide | Form::Name => say(&told(failure)),
        }
    }

    fn list_text(&self, items: &[Value], columns: &[Column]) -> Result<String, Failure> {
        Ok(match self.form {
            Form::Json => pretty(&Value::Array(items.to_vec()))?,
            Form::Yaml => yaml(&Value::Array(items.to_vec()))?,
            Form::Ndjson => items.iter().map(|item| format!("{item}\n")).collect(),
            Form::Name => items.iter().map(|item| format!("{}\n", table::name(item))).collect(),
            Form::Table => table::render(items, columns, self.headers, false),
            Form::Wide => table::render(items, columns, self.headers, true),
        })
    }
}

/// Text of others in one line: programs print what they like, and a terminal must not obey it.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|one| if one.is_control() { ' ' } else { one }).collect()
}

/// Whether a person sits at the other end of standard error.
pub(crate) fn at_terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// Whether a person reads standard output.
pub(crate) fn shown_to_a_person() -> bool {
    std::io::stdout().is_terminal()
}

/// Asks a person; `None` where there is none.
pub(crate) fn ask(question: &str) -> Option<bool> {
    if !std::io::stdin().is_terminal() || !at_terminal() {
        return None;
    }
    say(&format!("{question} [y/N]"));
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).ok()?;
    Some(matches!(answer.trim(), "y" | "Y" | "yes"))
}

fn told(failure: &Failure) -> String {
    let mut text = format!("\u{1b}[1;31merror\u{1b}[0m: {} [{}]", failure.message, failure.code);
    if failure.validation.len() > 1 {
        for one in &failure.validation {
            text.push_str(&format!("\n  {}: {}", one.field, one.message));
        }
    }
    if let Some(hint) = &failure.hint {
        text.push_str(&format!("\n  what to do: {hint}"));
    }
    if let Some(id) = &failure.request_id {
        text.push_str(&format!("\n  requestId: {id}"));
    }
    text
}

/// `anstream` takes the colours out where they are not wanted.
fn say(text: &str) {
    // Nobody reads it when this fails.
    drop(writeln!(anstream::stderr().lock(), "{text}"));
}

fn write_out(bytes: &[u8]) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        // `plimsoll … | head` has read enough.
        Err(cause) if cause.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        Err(cause) => Err(Failure::system(format!("standard output cannot be written to: {cause}"))),
    }
}

fn pretty(value: &Value) -> Result<String, Failure> {
    serde_json::to_string_pretty(value)
        .map(|text| text + "\n")
        .map_err(|cause| Failure::system(format!("the answer is not JSON: {cause}")))
}

fn yaml(value: &Value) -> Result<String, Failure> {
    serde_saphyr::to_string(value).map_err(|cause| Failure::system(format!("the answer is not YAML: {cause}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const COLUMNS: &[Column] =
        &[Column::new("NAME", "/name"), Column::new("STATUS", "/status"), Column::wide("ID", "/id")];

    fn printed(form: Form, headers: bool) -> String {
        let items = [json!({"id": "1", "name": "api", "status": "ready"}), json!({"id": "2", "name": "web"})];
        Printer { form, headers, progress: true }.list_text(&items, COLUMNS).unwrap()
    }

    #[test]
    fn each_form_has_its_own_shape() {
        assert_eq!(printed(Form::Table, true), "NAME  STATUS\napi   ready\nweb   -\n");
        assert_eq!(printed(Form::Wide, false), "api  ready  1\nweb  -      2\n");
        assert_eq!(printed(Form::Name, true), "api\nweb\n");
        assert_eq!(printed(Form::Ndjson, true).lines().count(), 2);
        let json: Vec<Value> = serde_json::from_str(&printed(Form::Json, true)).unwrap();
        assert_eq!(json[1], json!({"id": "2", "name": "web"}));
        let yaml = printed(Form::Yaml, true);
        assert!(yaml.contains("name: api"), "{yaml}");
    }

    #[test]
    fn an_answer_of_several_parts_is_several_tables_or_one_document() {
        const PARTS: &[Part] = &[
            Part { pointer: "", columns: &[Column::new("STATUS", "/status")] },
            Part { pointer: "/parts", columns: &[Column::new("PART", "/name")] },
            Part { pointer: "/none", columns: &[Column::new("NONE", "/name")] },
        ];
        let value = json!({"status": "ready", "parts": [{"name": "api"}], "none": []});
        let shown = |form| Printer { form, headers: true, progress: true }.parts_text(&value, PARTS).unwrap();
        assert_eq!(shown(Form::Table), "STATUS\nready\n\nPART\napi\n");
        assert_eq!(serde_json::from_str::<Value>(&shown(Form::Json)).unwrap(), value);
    }

    #[test]
    fn an_error_says_what_why_and_what_to_do() {
        let mut failure = Failure::usage("there is no release shop@9").hint("see `plimsoll release list`");
        failure.request_id = Some("r-1".to_owned());
        let text = told(&failure);
        assert!(text.contains("shop@9") && text.contains("release list") && text.contains("r-1"), "{text}");
    }
}
