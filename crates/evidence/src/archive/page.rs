//! The page for people: what a statement says, escaped, without scripts and without anything fetched.

use serde_json::Value;

use crate::packet::VerifiedStatement;

/// A field's longest text on the page, in bytes. The packet has all of it.
const SHOWN: usize = 128 * 1024;

pub(super) fn html(verified: &VerifiedStatement) -> String {
    let statement = verified.statement();
    let mut out = String::from(concat!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">",
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        "<title>Evidence packet</title><style>body{font:1rem/1.5 sans-serif;max-width:60rem;margin:2rem auto;",
        "padding:0 1rem}th{text-align:left;vertical-align:top;padding-right:1rem}",
        "pre{white-space:pre-wrap;overflow-wrap:anywhere;background:#f4f4f4;padding:.5rem}</style></head><body>\n",
    ));
    out.push_str("<h1>Evidence packet</h1>\n<p>This page is for reading and is not signed itself: verify the packet beside it as <code>VERIFY.md</code> says.</p>\n<table>\n");
    row(&mut out, "Predicate type", &code(statement.predicate_type().uri()));
    row(&mut out, "Signed by key", &code(verified.key_id()));
    out.push_str("</table>\n<h2>About</h2>\n<table>\n");
    for subject in statement.subjects() {
        row(&mut out, &subject.name, &code(&subject.digest.to_string()));
    }
    out.push_str("</table>\n<h2>Says</h2>\n<table>\n");
    for (name, value) in statement.predicate() {
        row(&mut out, name, &shown(value));
    }
    out.push_str("</table>\n</body></html>\n");
    out
}

fn row(out: &mut String, name: &str, cell: &str) {
    out.push_str(&format!("<tr><th>{}</th><td>{cell}</td></tr>\n", escaped(name)));
}

fn code(text: &str) -> String {
    format!("<code>{}</code>", escaped(text))
}

fn shown(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => bounded(text),
        Value::Array(_) | Value::Object(_) => {
            let text = serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string());
            format!("<pre>{}</pre>", bounded(&text))
        }
    }
}

fn bounded(text: &str) -> String {
    let Some((end, _)) = text.char_indices().find(|(at, _)| *at >= SHOWN) else { return escaped(text) };
    format!("{}… (the packet has all of it)", escaped(text.get(..end).unwrap_or_default()))
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for one in text.chars() {
        match one {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}
