//! Words as a shell reads them, so that what the demo prints can be typed.

use std::path::Path;

use serde_json::Value;

/// One word, in quotes where it needs them.
pub(crate) fn word(text: &str) -> String {
    let plain = |one: char| one.is_ascii_alphanumeric() || "-_./:@=,+%".contains(one);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// A path as one word.
pub(crate) fn path(path: &Path) -> String {
    word(&path.display().to_string())
}

/// `--data` with what was sent.
pub(crate) fn data(body: &Value) -> String {
    format!("--data {}", word(&body.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_shell_would_take_apart_is_quoted() {
        assert_eq!(word("shop@1.0.0"), "shop@1.0.0");
        assert_eq!(word("it's over"), r"'it'\''s over'");
        assert_eq!(word(""), "''");
        assert_eq!(path(Path::new("/tmp/my demo/key.pem")), "'/tmp/my demo/key.pem'");
        assert_eq!(data(&json!({"name": "dev"})), r#"--data '{"name":"dev"}'"#);
    }
}
