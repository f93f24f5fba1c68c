//! Everything that is printed: standard output is data, standard error is progress and errors.

mod live;
mod table;
mod terminal;

use std::io::Write as _;

use serde_json::Value;

pub(crate) use live::Live;
pub(crate) use table::{Called, Column, Table};
pub(crate) use terminal::{ask, at_terminal, shown_to_a_person};

use crate::{
    args::{Form, Global},
    failure::Failure,
};

/// A part of an answer: where it is (RFC 6901), and how it is shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    pub(crate) pointer: &'static str,
    pub(crate) table: Table,
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
        // A program that reads JSON finds nothing but an error, in JSON, on standard error.
        let progress = !global.quiet && !global.output.is_for_programs();
        Self { form: global.output, headers: !global.no_headers, progress }
    }

    /// Several resources.
    pub(crate) fn list(&self, items: &[Value], table: Table) -> Result<(), Failure> {
        write_out(self.list_text(items, table)?.as_bytes())
    }

    /// One resource.
    pub(crate) fn one(&self, item: &Value, table: Table) -> Result<(), Failure> {
        let text = match self.form {
            Form::Json => pretty(item)?,
            Form::Yaml => yaml(item)?,
            Form::Table | Form::Wide | Form::Ndjson | Form::Name => {
                self.list_text(std::slice::from_ref(item), table)?
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
            (Form::Name, _) => return Err(nameless()),
            (Form::Table | Form::Wide | Form::Json, other) => pretty(other)?,
        })
    }

    /// Whether people are shown columns.
    pub(crate) const fn is_table(&self) -> bool {
        matches!(self.form, Form::Table | Form::Wide)
    }

    /// Called before work is done whose answer has no names: a form that cannot be had is refused first.
    pub(crate) fn refuse_names(&self) -> Result<(), Failure> {
        if self.form == Form::Name { Err(nameless()) } else { Ok(()) }
    }

    /// An answer of several parts: a table of each for people, the whole for programs.
    pub(crate) fn parts(&self, value: &Value, parts: &[Part]) -> Result<(), Failure> {
        write_out(self.parts_text(value, parts)?.as_bytes())
    }

    fn parts_text(&self, value: &Value, parts: &[Part]) -> Result<String, Failure> {
        let named = |part: &&Part| self.form == Form::Name && part.table.called != Called::Nothing;
        if let Some(part) = parts.iter().find(named) {
            return self.part_text(value, *part).map(Option::unwrap_or_default);
        }
        if !self.is_table() {
            return self.raw_text(value);
        }
        let mut shown = Vec::new();
        for part in parts {
            shown.extend(self.part_text(value, *part)?);
        }
        Ok(shown.join("\n"))
    }

    /// Nothing where there is none.
    fn part_text(&self, value: &Value, part: Part) -> Result<Option<String>, Failure> {
        match value.pointer(part.pointer) {
            Some(Value::Array(items)) if items.is_empty() => Ok(None),
            Some(Value::Array(items)) => self.list_text(items, part.table).map(Some),
            Some(one) => self.list_text(std::slice::from_ref(one), part.table).map(Some),
            None => Ok(None),
        }
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

    /// Progress, unless `--quiet` or a form for programs was asked for.
    pub(crate) fn progress(&self, text: &str) {
        if self.progress {
            say(text);
        }
    }

    /// Why the command failed.
    pub(crate) fn failure(&self, failure: &Failure) {
        if self.form.is_for_programs() {
            complain_in_json(failure);
        } else {
            say(&told(failure));
        }
    }

    fn list_text(&self, items: &[Value], table: Table) -> Result<String, Failure> {
        Ok(match self.form {
            Form::Json => pretty(&Value::Array(items.to_vec()))?,
            Form::Yaml => yaml(&Value::Array(items.to_vec()))?,
            Form::Ndjson => items.iter().map(|item| format!("{item}\n")).collect(),
            Form::Name => items
                .iter()
                .map(|item| table.called.of(item).map(|name| name + "\n").ok_or_else(nameless))
                .collect::<Result<String, Failure>>()?,
            Form::Table => table::render(items, table.columns, self.headers, false),
            Form::Wide => table::render(items, table.columns, self.headers, true),
        })
    }
}

fn nameless() -> Failure {
    Failure::usage("-o name: what this command prints has no name").hint("use another form, such as -o json")
}

/// Text of others in one line: programs print what they like, and a terminal must not obey it.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|one| if one.is_control() { ' ' } else { one }).collect()
}

/// Why the command failed, where no printer is: the arguments could not be read.
pub(crate) fn complain_in_json(failure: &Failure) {
    say(&failure.to_json().to_string());
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
    use crate::exit::Exit;

    const TABLE: Table = Table::new(
        Called::Name,
        &[Column::new("NAME", "/name"), Column::new("STATUS", "/status"), Column::wide("ID", "/id")],
    );

    fn printer(form: Form, headers: bool) -> Printer {
        Printer { form, headers, progress: true }
    }

    fn printed(form: Form, headers: bool) -> String {
        let items = [json!({"id": "1", "name": "api", "status": "ready"}), json!({"id": "2", "name": "web"})];
        printer(form, headers).list_text(&items, TABLE).unwrap()
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
            Part { pointer: "", table: Table::new(Called::Nothing, &[Column::new("STATUS", "/status")]) },
            Part { pointer: "/parts", table: Table::new(Called::Name, &[Column::new("PART", "/name")]) },
            Part { pointer: "/none", table: Table::new(Called::Nothing, &[Column::new("NONE", "/name")]) },
        ];
        let value = json!({"status": "ready", "parts": [{"name": "api"}], "none": []});
        let shown = |form| printer(form, true).parts_text(&value, PARTS).unwrap();
        assert_eq!(shown(Form::Table), "STATUS\nready\n\nPART\napi\n");
        assert_eq!(serde_json::from_str::<Value>(&shown(Form::Json)).unwrap(), value);
        assert_eq!(shown(Form::Name), "api\n");
    }

    #[test]
    fn a_name_is_what_other_commands_take_or_the_form_is_refused() {
        let item = json!({"id": "1", "name": "dev-1", "version": "0.1.0", "promotionId": "7"});
        let called = |called| {
            printer(Form::Name, true)
                .list_text(std::slice::from_ref(&item), Table::new(called, &[]))
                .map_err(|no| no.exit)
        };
        assert_eq!(called(Called::Name), Ok("dev-1\n".to_owned()));
        assert_eq!(called(Called::Release), Ok("dev-1@0.1.0\n".to_owned()));
        assert_eq!(called(Called::Id), Ok("1\n".to_owned()));
        assert_eq!(called(Called::At("/promotionId")), Ok("7\n".to_owned()));
        assert_eq!(called(Called::Nothing), Err(Exit::Usage));
        assert_eq!(printer(Form::Name, true).raw_text(&item).unwrap_err().exit, Exit::Usage);
        assert!(printer(Form::Name, true).refuse_names().is_err() && printer(Form::Json, true).refuse_names().is_ok());
    }

    #[test]
    fn an_error_says_what_why_and_what_to_do() {
        let mut failure = Failure::usage("there is no release shop@9").hint("see `plimsoll release list`");
        failure.request_id = Some("r-1".to_owned());
        let text = told(&failure);
        assert!(text.contains("shop@9") && text.contains("release list") && text.contains("r-1"), "{text}");
    }
}
