//! Secrets never leave the host in a log: known values are replaced, in the forms in which programs print
//! them, also when a value is cut in two by a chunk's border.

use std::sync::{Arc, PoisonError, RwLock};

use aho_corasick::{AhoCorasick, MatchKind};
use base64::{Engine, engine::general_purpose::STANDARD_NO_PAD};

/// What stands for a secret.
pub const MASK: &str = "***";
/// Shorter values would mask half of every log; they protect nothing.
const SHORTEST: usize = 3;
/// Shorter lines of a value of several lines are too common to be masked alone.
const SHORTEST_LINE: usize = 8;

/// The secrets of a task; clones share them.
#[derive(Clone, Default)]
pub struct Masker(Arc<RwLock<Known>>);

#[derive(Default)]
struct Known {
    values: Vec<String>,
    search: Option<AhoCorasick>,
    longest: usize,
}

/// A text that comes in pieces.
pub struct MaskedStream {
    masker: Masker,
    held: String,
}

impl Masker {
    /// Masks `value` from now on.
    pub fn learn(&self, value: &str) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if value.trim().len() < SHORTEST || known.values.iter().any(|present| present == value) {
            return;
        }
        known.values.push(value.to_owned());
        let mut forms: Vec<String> = known.values.iter().flat_map(|value| forms(value)).collect();
        forms.retain(|form| form.len() >= SHORTEST);
        forms.sort_unstable();
        forms.dedup();
        known.longest = forms.iter().map(String::len).max().unwrap_or_default();
        known.search = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(&forms).ok();
    }

    /// `text` with every known value replaced.
    #[must_use]
    pub fn mask(&self, text: &str) -> String {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        match &known.search {
            Some(search) => search.replace_all_with_mask(text),
            None => text.to_owned(),
        }
    }

    /// A text that will come in pieces.
    #[must_use]
    pub fn stream(&self) -> MaskedStream {
        MaskedStream { masker: self.clone(), held: String::new() }
    }
}

impl std::fmt::Debug for Masker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Masker")
    }
}

impl MaskedStream {
    /// Takes a piece and gives what can be shown: a tail that may be the beginning of a secret is held.
    pub fn push(&mut self, piece: &str) -> String {
        self.held.push_str(piece);
        let known = self.masker.0.read().unwrap_or_else(PoisonError::into_inner);
        let Some(search) = &known.search else { return std::mem::take(&mut self.held) };
        let mut cut = self.held.len().saturating_sub(known.longest.saturating_sub(1));
        while !self.held.is_char_boundary(cut) {
            cut -= 1;
        }
        // A match that reaches over the cut is replaced whole when the rest is here.
        let mut shown = String::with_capacity(cut);
        let mut at = 0;
        for found in search.find_iter(&self.held) {
            if found.start() >= cut {
                break;
            }
            shown.push_str(&self.held[at..found.start()]);
            shown.push_str(MASK);
            at = found.end();
        }
        if at < cut {
            shown.push_str(&self.held[at..cut]);
            at = cut;
        }
        self.held.drain(..at);
        shown
    }

    /// The end of the text.
    #[must_use]
    pub fn finish(self) -> String {
        self.masker.mask(&self.held)
    }
}

trait Replace {
    fn replace_all_with_mask(&self, text: &str) -> String;
}

impl Replace for AhoCorasick {
    fn replace_all_with_mask(&self, text: &str) -> String {
        let mut shown = String::with_capacity(text.len());
        self.replace_all_with(text, &mut shown, |_, _, out| {
            out.push_str(MASK);
            true
        });
        shown
    }
}

/// The forms in which a value may be printed.
fn forms(value: &str) -> Vec<String> {
    let mut forms = vec![value.to_owned()];
    if value.contains('\n') {
        let lines = value.lines().map(str::trim).filter(|line| line.len() >= SHORTEST_LINE);
        forms.extend(lines.map(ToOwned::to_owned));
    }
    for text in base64_forms(value.as_bytes()) {
        forms.push(text.replace('+', "-").replace('/', "_"));
        forms.push(text);
    }
    let percent = percent_encoded(value, true);
    forms.push(percent.replace("%20", "+"));
    forms.push(percent);
    forms.push(percent_encoded(value, false));
    if let Ok(json) = serde_json::to_string(value) {
        forms.push(json.trim_matches('"').to_owned());
    }
    forms
}

/// The characters that the value alone decides, wherever it stands in what was encoded.
fn base64_forms(value: &[u8]) -> Vec<String> {
    (0..3)
        .filter_map(|before| {
            let mut padded = vec![0; before];
            padded.extend_from_slice(value);
            let text = STANDARD_NO_PAD.encode(&padded);
            let first = (before * 8).div_ceil(6);
            let last = padded.len() * 8 / 6;
            text.get(first..last).filter(|form| form.len() > SHORTEST).map(ToOwned::to_owned)
        })
        .collect()
}

fn percent_encoded(value: &str, upper: bool) -> String {
    use std::fmt::Write;

    let mut out = String::with_capacity(value.len() * 3);
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ if upper => _ = write!(out, "%{byte:02X}"),
            _ => _ = write!(out, "%{byte:02x}"),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, URL_SAFE};
    use proptest::prelude::*;

    use super::*;

    const SECRET: &str = "pä$$ wörd/+?=";

    #[test]
    fn every_form_is_masked() {
        let masker = Masker::default();
        masker.learn(SECRET);
        let printed = [
            SECRET.to_owned(),
            STANDARD.encode(SECRET),
            URL_SAFE.encode(SECRET),
            STANDARD.encode(format!("user:{SECRET}")),
            STANDARD.encode(format!("u:{SECRET}:more")),
            percent_encoded(SECRET, true),
            percent_encoded(SECRET, false),
            percent_encoded(SECRET, true).replace("%20", "+"),
            serde_json::to_string(SECRET).unwrap(),
        ];
        for text in printed {
            let line = masker.mask(&format!("token={text}&x=1"));
            assert!(line.contains(MASK), "{text} stays readable in {line}");
            assert!(!line.contains("rd/+"), "{line}");
        }
        assert_eq!(masker.mask("nothing secret"), "nothing secret");
    }

    #[test]
    fn the_lines_of_a_key_are_masked_alone() {
        let masker = Masker::default();
        masker.learn("-----BEGIN KEY-----\nMIIBVwIBADANBgkqh\n-----END KEY-----\n");
        assert_eq!(masker.mask("line: MIIBVwIBADANBgkqh"), "line: ***");
    }

    proptest! {
        #[test]
        fn a_value_cut_anywhere_never_shows(before in "[a-z ]{0,20}", after in "[a-z ]{0,20}", cuts in prop::collection::vec(0_usize..60, 0..6)) {
            let masker = Masker::default();
            masker.learn("hunter2-hunter3");
            masker.learn("hunter2");
            let text = format!("{before}hunter2-hunter3{after}hunter2");
            let mut stream = masker.stream();
            let mut shown = String::new();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(text.len())).collect();
            cuts.sort_unstable();
            cuts.push(text.len());
            let mut at = 0;
            for cut in cuts {
                shown.push_str(&stream.push(&text[at..cut]));
                at = cut;
            }
            shown.push_str(&stream.finish());
            prop_assert_eq!(shown, format!("{before}***{after}***"));
        }
    }
}
