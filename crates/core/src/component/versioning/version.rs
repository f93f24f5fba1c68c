//! One version, whatever its scheme: its order, its sort key, and the kind of a bump.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

/// A version read from a tag. Its order is that of [`Version::sort_key`]; versions that differ only in
/// spelling (`v1.2` and `1.2.0`) are equal.
#[derive(Clone, Debug)]
pub struct Version {
    pub(super) text: String,
    pub(super) parts: Vec<Part>,
    pub(super) pre: Vec<Part>,
    pub(super) build: Vec<Part>,
    /// What a change of each part means; shorter than `parts` where that is unknown.
    pub(super) levels: Vec<Bump>,
    pub(super) semver: Option<semver::Version>,
}

/// One comparable piece of a version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// An optional piece that is not there; below everything.
    Absent,
    /// Digits; compared as a number.
    Number(String),
    /// Anything else; compared byte by byte, above numbers.
    Text(String),
}

/// What a change from one version to another amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Bump {
    /// The same version with another digest.
    DigestOnly,
    /// Only what comes after the numbers differs.
    Prerelease,
    /// The third number, or one after it.
    Patch,
    /// The second number.
    Minor,
    /// The first number.
    Major,
}

impl Part {
    /// Digits as a number, anything else as text.
    pub(super) fn of(text: &str) -> Self {
        if text.is_empty() {
            Self::Absent
        } else if text.bytes().all(|one| one.is_ascii_digit()) {
            Self::Number(text.to_owned())
        } else {
            Self::Text(text.to_owned())
        }
    }

    /// Runs of digits as numbers, what lies between as text: `rc10` comes after `rc9`.
    pub(super) fn natural(text: &str) -> Vec<Self> {
        let mut parts: Vec<Self> = Vec::new();
        for one in text.chars() {
            match parts.last_mut() {
                Some(Self::Number(run)) if one.is_ascii_digit() => run.push(one),
                Some(Self::Text(run)) if !one.is_ascii_digit() => run.push(one),
                _ if one.is_ascii_digit() => parts.push(Self::Number(one.into())),
                _ => parts.push(Self::Text(one.into())),
            }
        }
        parts
    }

    /// Appends bytes whose order is the parts' order. No encoding is a prefix of another one.
    fn encode(&self, key: &mut Vec<u8>) {
        match self {
            Self::Absent => key.push(mark::ABSENT),
            Self::Number(digits) => {
                let value = digits.trim_start_matches('0');
                key.push(mark::NUMBER);
                key.push(byte(value.len()));
                key.extend(value.bytes());
            }
            Self::Text(text) => {
                key.push(mark::TEXT);
                key.extend(text.bytes());
                key.push(0);
            }
        }
    }
}

/// The first byte of each piece of a key. What ends a list is below what continues it, and a list that
/// ends in a prerelease is below one that ends in a release.
mod mark {
    pub const END: u8 = 0;
    pub const PRERELEASE: u8 = 1;
    pub const RELEASE: u8 = 2;
    pub const ABSENT: u8 = 3;
    pub const NUMBER: u8 = 4;
    pub const TEXT: u8 = 5;
}

fn byte(length: usize) -> u8 {
    u8::try_from(length).unwrap_or(u8::MAX)
}

impl Version {
    /// The version without what belongs to the tag alone (a leading `v`, missing zeros).
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it is a prerelease.
    #[must_use]
    pub fn is_prerelease(&self) -> bool {
        !self.pre.is_empty()
    }

    /// What makes it a prerelease, pieces joined by dots.
    pub(super) fn pre_text(&self) -> String {
        let text = |part: &Part| match part {
            Part::Absent => String::new(),
            Part::Number(text) | Part::Text(text) => text.clone(),
        };
        self.pre.iter().map(text).collect::<Vec<_>>().join(".")
    }

    /// Text whose byte order is the order of versions. It holds `0-9a-f` alone, so that every database
    /// collation sorts it alike.
    #[must_use]
    pub fn sort_key(&self) -> String {
        let mut key = Vec::new();
        self.parts.iter().for_each(|part| part.encode(&mut key));
        if self.pre.is_empty() {
            key.push(mark::RELEASE);
        } else {
            key.push(mark::PRERELEASE);
            self.pre.iter().for_each(|part| part.encode(&mut key));
            key.push(mark::END);
        }
        for part in &self.build {
            part.encode(&mut key);
            // Build metadata is ordered to the last zero, as the semver crate does it: 0 < 00 < 1.
            if let Part::Number(digits) = part {
                key.push(byte(digits.len()));
            }
        }
        hex::encode(key)
    }

    /// What going from this version to `next` amounts to; `None` where the scheme does not tell.
    #[must_use]
    pub fn bump_to(&self, next: &Self) -> Option<Bump> {
        let length = self.parts.len().max(next.parts.len());
        let at = |parts: &[Part], index: usize| parts.get(index).cloned().unwrap_or(Part::Absent);
        let same = |index: &usize| compare(&at(&self.parts, *index), &at(&next.parts, *index)) == Ordering::Equal;
        match (0..length).find(|index| !same(index)) {
            Some(index) => {
                let levels = if self.levels.len() < next.levels.len() { &next.levels } else { &self.levels };
                levels.get(index).copied()
            }
            None if self.pre != next.pre => Some(Bump::Prerelease),
            None => Some(Bump::DigestOnly),
        }
    }

    /// Whether the parts of `prefix` begin this version.
    pub(super) fn begins_with(&self, prefix: &Self) -> bool {
        self.parts.len() >= prefix.parts.len()
            && self.parts.iter().zip(&prefix.parts).all(|(one, other)| compare(one, other) == Ordering::Equal)
    }
}

fn compare(one: &Part, other: &Part) -> Ordering {
    let (mut left, mut right) = (Vec::new(), Vec::new());
    one.encode(&mut left);
    other.encode(&mut right);
    left.cmp(&right)
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Version {}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.sort_key().cmp(&other.sort_key())
    }
}
