//! What a registry asks for in `WWW-Authenticate` (RFC 9110 section 11.6.1).

use http::{HeaderMap, header::WWW_AUTHENTICATE};

/// One challenge: a scheme and its parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Challenge {
    /// In lower case.
    pub(crate) scheme: String,
    /// Names in lower case, values unquoted.
    parameters: Vec<(String, String)>,
}

impl Challenge {
    /// A parameter's value.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// All challenges of an answer. What can't be read is left out.
pub(crate) fn challenges(headers: &HeaderMap) -> Vec<Challenge> {
    let lines = headers.get_all(WWW_AUTHENTICATE).iter();
    lines.filter_map(|value| value.to_str().ok()).take(8).flat_map(parse).collect()
}

/// The challenges of one header line. A scheme begins wherever a token isn't followed by `=`.
fn parse(line: &str) -> Vec<Challenge> {
    let mut found: Vec<Challenge> = Vec::new();
    let mut rest = line.trim_start_matches([' ', '\t', ',']);
    while !rest.is_empty() {
        let (name, after) = token(rest);
        if name.is_empty() {
            break;
        }
        let value = after.trim_start_matches([' ', '\t']).strip_prefix('=');
        rest = match (value, found.last_mut()) {
            // `token68` such as `Negotiate abc==` is of no scheme we know: a bare word without `=` is a scheme.
            (None, _) => {
                found.push(Challenge { scheme: name.to_ascii_lowercase(), parameters: Vec::new() });
                after
            }
            (Some(_), None) => break,
            (Some(text), Some(challenge)) => {
                let Some((value, after)) = word(text.trim_start_matches([' ', '\t'])) else { break };
                challenge.parameters.push((name.to_ascii_lowercase(), value));
                after
            }
        };
        rest = rest.trim_start_matches([' ', '\t', ',']);
    }
    found
}

/// The leading token, and what follows it.
fn token(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~/:".contains(c)));
    text.split_at(end.unwrap_or(text.len()))
}

/// The leading token or quoted string, and what follows it; none if the quotes don't close.
fn word(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, rest) = token(text);
        return Some((value.to_owned(), rest));
    };
    let mut value = String::new();
    let mut letters = quoted.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return Some((value, &quoted[at + 1..])),
            '\\' => value.push(letters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_published_example() {
        let line = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:samalba/my-app:pull,push""#;
        let found = parse(line);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].scheme, "bearer");
        assert_eq!(found[0].get("realm"), Some("https://auth.docker.io/token"));
        assert_eq!(found[0].get("service"), Some("registry.docker.io"));
        assert_eq!(found[0].get("scope"), Some("repository:samalba/my-app:pull,push"));
    }

    #[test]
    fn what_servers_really_write() {
        type Row = (&'static str, &'static [(&'static str, &'static str, &'static str)]);
        let table: &[Row] = &[
            ("Basic realm=basic-realm", &[("basic", "realm", "basic-realm")]),
            ("BASIC Realm=\"a \\\"b\\\", c\"", &[("basic", "realm", "a \"b\", c")]),
            ("Bearer realm=https://r.example/token,service=x", &[("bearer", "service", "x")]),
            ("Bearer realm = \"r\" , scope = \"s\"", &[("bearer", "scope", "s")]),
            ("Basic realm=\"x\", Bearer realm=\"y\",scope=\"z\"", &[("basic", "realm", "x"), ("bearer", "scope", "z")]),
            ("Negotiate, Basic realm=\"x\"", &[("negotiate", "none", ""), ("basic", "realm", "x")]),
            (",, Bearer realm=\"y\",,", &[("bearer", "realm", "y")]),
            ("Bearer realm=\"\u{1f600}", &[("bearer", "none", "")]),
            ("=\"x\"", &[]),
            ("", &[]),
        ];
        for (line, expected) in table {
            let found = parse(line);
            assert_eq!(found.len(), expected.len(), "{line}");
            for (challenge, (scheme, name, value)) in found.iter().zip(*expected) {
                assert_eq!(challenge.scheme, *scheme, "{line}");
                assert_eq!(challenge.get(name).unwrap_or_default(), *value, "{line}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_line_ends(line in "[ -~\u{e4}\t]{0,80}") {
            let found = parse(&line);
            prop_assert!(found.len() <= line.len());
        }

        #[test]
        fn quoted_values_come_back(value in "[ -~]{0,40}") {
            let escaped = value.replace('\\', "\\\\").replace('"', "\\\"");
            let found = parse(&format!("Bearer a=1, realm=\"{escaped}\", b=2"));
            prop_assert_eq!(found.len(), 1);
            prop_assert_eq!(found[0].get("realm"), Some(value.as_str()));
            prop_assert_eq!(found[0].get("b"), Some("2"));
        }
    }
}
