//! Tables for people: no frame, two blanks between columns.

use comfy_table::{ContentArrangement, presets::NOTHING};
use serde_json::Value;

/// A column: its heading and where its values are (RFC 6901).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Column {
    heading: &'static str,
    pointer: &'static str,
    breadth: Breadth,
    /// Where the resources are whose ids stand in it, below `/api/v1`.
    refers: Option<&'static str>,
}

/// In which tables a column stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Breadth {
    Always,
    Wide,
}

/// What scripts are told of one with `-o name`: what other commands take for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Called {
    /// By its name.
    Name,
    /// By `NAME@VERSION`.
    Release,
    /// By its id alone: it has no name.
    Id,
    /// By what stands there (RFC 6901).
    At(&'static str),
    /// It is no thing that could be called something.
    Nothing,
}

/// How things of one kind are shown.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Table {
    pub(crate) called: Called,
    pub(crate) columns: &'static [Column],
}

impl Table {
    pub(crate) const fn new(called: Called, columns: &'static [Column]) -> Self {
        Self { called, columns }
    }
}

impl Called {
    /// What `item` is called, unless it is nothing of the kind.
    pub(crate) fn of(self, item: &Value) -> Option<String> {
        let at = |pointer| cell(item.pointer(pointer));
        match self {
            Self::Name => Some(at("/name")),
            Self::Release => Some(format!("{}@{}", at("/name"), at("/version"))),
            Self::Id => Some(at("/id")),
            Self::At(pointer) => Some(at(pointer)),
            Self::Nothing => None,
        }
    }
}

impl Column {
    /// In every table.
    pub(crate) const fn new(heading: &'static str, pointer: &'static str) -> Self {
        Self { heading, pointer, breadth: Breadth::Always, refers: None }
    }

    /// With `-o wide` alone.
    pub(crate) const fn wide(heading: &'static str, pointer: &'static str) -> Self {
        Self { heading, pointer, breadth: Breadth::Wide, refers: None }
    }

    /// It has ids of what is at `path`; people are shown the names.
    #[must_use]
    pub(crate) const fn of(self, path: &'static str) -> Self {
        Self { refers: Some(path), ..self }
    }

    /// Whose ids stand in it.
    pub(crate) const fn refers(&self) -> Option<&'static str> {
        self.refers
    }

    /// Where its values are.
    pub(crate) const fn pointer(&self) -> &'static str {
        self.pointer
    }
}

pub(super) fn render(items: &[Value], columns: &[Column], headers: bool, wide: bool) -> String {
    let shown: Vec<&Column> = columns.iter().filter(|one| wide || one.breadth == Breadth::Always).collect();
    let mut table = comfy_table::Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    if headers {
        table.set_header(shown.iter().map(|one| one.heading));
    }
    for item in items {
        table.add_row(shown.iter().map(|one| cell(item.pointer(one.pointer))));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned() + "\n").collect();
    lines.concat()
}

/// A value in one line, without control characters: names come from others.
fn cell(value: Option<&Value>) -> String {
    let text = match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::Bool(yes)) => if *yes { "yes" } else { "no" }.to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(items)) if items.is_empty() => "-".to_owned(),
        Some(Value::Array(items)) if items.iter().all(Value::is_string) => {
            items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(",")
        }
        Some(Value::Object(fields)) if fields.is_empty() => "-".to_owned(),
        Some(Value::Object(fields)) if !fields.values().any(|value| value.is_object() || value.is_array()) => fields
            .iter()
            .map(|(key, value)| format!("{key}={}", value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
            .collect::<Vec<_>>()
            .join(","),
        Some(other) => other.to_string(),
    };
    super::plain(&text)
}
