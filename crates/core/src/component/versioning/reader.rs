//! Reads tags by a component's scheme, and refuses those that do not count.

use regex::Regex;

use super::{
    VersionScheme, Versioning,
    version::{Bump, Part, Version},
};
use crate::{
    component::limits,
    error::{Error, Result},
};

/// The longest tag (OCI distribution specification).
const LONGEST_TAG: usize = 128;
/// The most numbers in a date version.
const MOST_DATE_PARTS: usize = 6;

/// A compiled [`Versioning`].
#[derive(Clone, Debug)]
pub struct Reader {
    scheme: Scheme,
    include: Vec<Regex>,
    exclude: Vec<Regex>,
    allow_prerelease: bool,
}

#[derive(Clone, Debug)]
enum Scheme {
    Semver,
    Calver,
    Regex(Regex),
    Any,
}

/// Why a tag does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// None of the `include` patterns matches it.
    NotIncluded,
    /// One of the `exclude` patterns matches it.
    Excluded,
    /// The scheme cannot read it.
    NotAVersion,
    /// It is a prerelease, and those are not allowed.
    Prerelease,
}

impl Reader {
    /// Compiles `versioning`; a pattern that isn't one is a validation error naming its field.
    pub fn new(versioning: &Versioning) -> Result<Self> {
        let compile = |field: String, pattern: &str| {
            limits::compile(pattern).map_err(|message| Error::field(field, "pattern", message))
        };
        let list = |name: &str, patterns: &[String]| {
            let one = |(index, text): (usize, &String)| compile(format!("versioning.{name}[{index}]"), text);
            patterns.iter().enumerate().map(one).collect::<Result<Vec<_>>>()
        };
        let scheme = match versioning.scheme {
            VersionScheme::Semver => Scheme::Semver,
            VersionScheme::Calver => Scheme::Calver,
            VersionScheme::Any => Scheme::Any,
            VersionScheme::Regex => {
                let pattern = versioning.pattern.as_deref().unwrap_or_default();
                Scheme::Regex(compile("versioning.pattern".to_owned(), pattern)?)
            }
        };
        Ok(Self {
            scheme,
            include: list("include", &versioning.include)?,
            exclude: list("exclude", &versioning.exclude)?,
            allow_prerelease: versioning.allow_prerelease,
        })
    }

    /// The version that `tag` names, if it counts.
    pub fn read(&self, tag: &str) -> Result<Version, Refusal> {
        if !self.include.is_empty() && !self.include.iter().any(|one| one.is_match(tag)) {
            return Err(Refusal::NotIncluded);
        }
        if self.exclude.iter().any(|one| one.is_match(tag)) {
            return Err(Refusal::Excluded);
        }
        let version = self.parse(tag).ok_or(Refusal::NotAVersion)?;
        if version.is_prerelease() && !self.allow_prerelease {
            return Err(Refusal::Prerelease);
        }
        Ok(version)
    }

    /// The version that `text` names by the scheme alone, whether it counts or not.
    #[must_use]
    pub fn parse(&self, text: &str) -> Option<Version> {
        if text.is_empty() || text.len() > LONGEST_TAG {
            return None;
        }
        match &self.scheme {
            Scheme::Semver => semantic(text),
            Scheme::Calver => date(text),
            Scheme::Regex(regex) => groups(regex, text),
            Scheme::Any => Some(Version {
                text: text.to_owned(),
                parts: Part::natural(text),
                pre: Vec::new(),
                build: Vec::new(),
                levels: Vec::new(),
                semver: None,
            }),
        }
    }

    pub(super) const fn is_semver(&self) -> bool {
        matches!(self.scheme, Scheme::Semver)
    }
}

const NUMBERS: [Bump; MOST_DATE_PARTS] = [Bump::Major, Bump::Minor, Bump::Patch, Bump::Patch, Bump::Patch, Bump::Patch];

fn semantic(text: &str) -> Option<Version> {
    let bare = text.strip_prefix('v').unwrap_or(text);
    // Tags cannot hold '+', so build metadata stands behind '_' there, as Helm writes it.
    let bare = bare.replacen('_', "+", 1);
    let (core, rest) = bare.split_at(bare.find(['-', '+']).unwrap_or(bare.len()));
    let full = match core.split('.').count() {
        1 => format!("{core}.0.0{rest}"),
        2 => format!("{core}.0{rest}"),
        _ => bare.clone(),
    };
    let version = semver::Version::parse(&full).ok()?;
    let list = |text: &str| if text.is_empty() { Vec::new() } else { text.split('.').map(Part::of).collect() };
    Some(Version {
        text: full,
        parts: [version.major, version.minor, version.patch].map(|one| Part::Number(one.to_string())).to_vec(),
        pre: list(&version.pre),
        build: list(&version.build),
        levels: NUMBERS.to_vec(),
        semver: Some(version),
    })
}

fn date(text: &str) -> Option<Version> {
    let bare = text.strip_prefix('v').unwrap_or(text);
    let mut parts = Vec::new();
    let mut rest = bare;
    loop {
        let (digits, after) = rest.split_at(rest.find(|one: char| !one.is_ascii_digit()).unwrap_or(rest.len()));
        if digits.is_empty() || parts.len() == MOST_DATE_PARTS {
            return None;
        }
        parts.push(digits);
        let next =
            after.strip_prefix(['.', '-', '_']).filter(|next| next.starts_with(|one: char| one.is_ascii_digit()));
        let Some(next) = next else {
            rest = after;
            break;
        };
        rest = next;
    }
    let year = year(parts.first()?)?;
    let modifier = rest.strip_prefix(['.', '-', '_']).unwrap_or(rest);
    if !rest.is_empty() && !modifier.starts_with(|one: char| one.is_ascii_alphabetic()) {
        return None;
    }
    Some(Version {
        text: bare.to_owned(),
        parts: std::iter::once(Part::Number(year)).chain(parts[1..].iter().map(|one| Part::of(one))).collect(),
        pre: Part::natural(modifier),
        build: Vec::new(),
        levels: NUMBERS.to_vec(),
        semver: None,
    })
}

/// The first number of a date version: `2026`, `26` (as 2026), or a whole date with or without a time.
fn year(digits: &str) -> Option<String> {
    let within = |text: &str, range: std::ops::RangeInclusive<u32>| text.parse().is_ok_and(|one| range.contains(&one));
    match digits.len() {
        2 => Some(format!("20{digits}")),
        4 => within(digits, 1970..=2999).then(|| digits.to_owned()),
        8 | 12 | 14 => {
            (within(&digits[..4], 1970..=2999) && within(&digits[4..6], 1..=12) && within(&digits[6..8], 1..=31))
                .then(|| digits.to_owned())
        }
        _ => None,
    }
}

/// The named groups in their order; `prerelease` stands apart.
fn groups(regex: &Regex, text: &str) -> Option<Version> {
    const PRERELEASE: &str = "prerelease";
    let captures = regex.captures(text)?;
    let names: Vec<&str> = regex.capture_names().flatten().filter(|name| *name != PRERELEASE).collect();
    let value = |name: &str| captures.name(name).map_or("", |found| found.as_str());
    let level = |(index, name): (usize, &&str)| match *name {
        "major" => Bump::Major,
        "minor" => Bump::Minor,
        "patch" => Bump::Patch,
        _ => NUMBERS.get(index).copied().unwrap_or(Bump::Patch),
    };
    let pre = value(PRERELEASE);
    Some(Version {
        text: text.to_owned(),
        levels: names.iter().enumerate().map(level).collect(),
        parts: names.iter().map(|name| Part::of(value(name))).collect(),
        pre: if pre.is_empty() { Vec::new() } else { pre.split('.').map(Part::of).collect() },
        build: Vec::new(),
        semver: None,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reader(scheme: VersionScheme) -> Reader {
        Reader::new(&Versioning { scheme, allow_prerelease: true, ..Versioning::default() }).unwrap()
    }

    /// Asserts that `tags` rise, each above the one before.
    fn rises(reader: &Reader, tags: &[&str]) {
        let keys: Vec<_> = tags.iter().map(|tag| (tag, reader.parse(tag).expect(tag).sort_key())).collect();
        for pair in keys.windows(2) {
            assert!(pair[0].1 < pair[1].1, "{} is not below {}", pair[0].0, pair[1].0);
        }
    }

    fn bump(reader: &Reader, from: &str, to: &str) -> Option<Bump> {
        reader.parse(from).unwrap().bump_to(&reader.parse(to).unwrap())
    }

    #[test]
    fn semantic_versions_rise_as_the_specification_says() {
        let reader = reader(VersionScheme::Semver);
        // Section 11 of SemVer 2.0.0, and numbers longer than a digit.
        rises(
            &reader,
            &[
                "1.0.0-alpha",
                "1.0.0-alpha.1",
                "1.0.0-alpha.beta",
                "1.0.0-beta",
                "1.0.0-beta.2",
                "1.0.0-beta.11",
                "1.0.0-rc.1",
                "v1",
                "1.0.1",
                "1.2",
                "1.9.0",
                "1.10.0",
                "2.0.0-0",
                "2.0.0",
                "10.0.0",
                "18446744073709551615.0.0",
            ],
        );
        for (one, same) in [("v1.2.3", "1.2.3"), ("1.2", "1.2.0"), ("v1", "1.0.0"), ("1.2.3_b1", "1.2.3+b1")] {
            assert_eq!(reader.parse(one), reader.parse(same));
        }
        assert_eq!(reader.parse("v1.2-rc.1").unwrap().text(), "1.2.0-rc.1");
        for bad in ["", "latest", "1.2.3.4", "01.2.3", "1..2", "vv1", "1.2.3-01", "sha-1a2b3c", &"1".repeat(129)] {
            assert!(reader.parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn date_versions_rise_by_date() {
        let reader = reader(VersionScheme::Calver);
        rises(
            &reader,
            &["22.04", "22.10", "2026.1", "2026.02-1", "2026.9", "2026.11-rc9", "2026.11-rc10", "2026.11", "26.11.23"],
        );
        rises(&reader, &["20261122", "20261123", "20261123-1", "20261123-2"]);
        assert_eq!(reader.parse("26.04"), reader.parse("2026.4"));
        for bad in ["1.2.3", "latest", "2026.", "2026..1", "20261340", "2026.1.2.3.4.5.6", "1026.1", "2026.11-+"] {
            assert!(reader.parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn groups_are_compared_in_their_order() {
        let versioning = Versioning {
            scheme: VersionScheme::Regex,
            pattern: Some(r"build-(?<major>[0-9]+)(?:\.(?<step>[0-9a-z]+))?(?:-(?<prerelease>.+))?".to_owned()),
            allow_prerelease: true,
            ..Versioning::default()
        };
        let reader = Reader::new(&versioning).unwrap();
        rises(&reader, &["build-9", "build-9.2", "build-9.10", "build-9.a", "build-10-rc.1", "build-10", "build-10.1"]);
        assert!(reader.parse("xbuild-1").is_none(), "the whole tag must match");
        assert_eq!(bump(&reader, "build-9.2", "build-10.2"), Some(Bump::Major));
        assert_eq!(bump(&reader, "build-9.2", "build-9.3"), Some(Bump::Minor));
    }

    #[test]
    fn any_tag_has_a_natural_place() {
        let reader = reader(VersionScheme::Any);
        rises(&reader, &["9", "10", "build-9", "build-10", "build-10-b", "build-10-c", "latest"]);
        assert_eq!(bump(&reader, "build-9", "build-10"), None);
        assert_eq!(bump(&reader, "build-9", "build-9"), Some(Bump::DigestOnly));
    }

    #[test]
    fn bumps_are_named_by_the_first_number_that_differs() {
        let semantic = reader(VersionScheme::Semver);
        for (from, to, expected) in [
            ("1.2.3", "2.0.0", Bump::Major),
            ("1.2.3", "1.3.0", Bump::Minor),
            ("1.2.3", "1.2.4", Bump::Patch),
            ("2.0.0", "1.9.9", Bump::Major),
            ("1.2.3-rc.1", "1.2.3", Bump::Prerelease),
            ("1.2.3-rc.1", "1.2.3-rc.2", Bump::Prerelease),
            ("1.2.3", "v1.2.3", Bump::DigestOnly),
            ("1.2.3+a", "1.2.3+b", Bump::DigestOnly),
        ] {
            assert_eq!(bump(&semantic, from, to), Some(expected), "{from} {to}");
        }
        let date = reader(VersionScheme::Calver);
        assert_eq!(bump(&date, "2025.11", "2026.11"), Some(Bump::Major));
        assert_eq!(bump(&date, "2026.11", "2026.11.1"), Some(Bump::Patch));
    }

    #[test]
    fn tags_that_do_not_count_say_why() {
        let reader = Reader::new(&Versioning {
            include: vec!["v?[0-9].*".to_owned()],
            exclude: vec![".*-debug".to_owned()],
            ..Versioning::default()
        })
        .unwrap();
        for (tag, expected) in [
            ("latest", Refusal::NotIncluded),
            ("xv1.0.0", Refusal::NotIncluded),
            ("1.0.0-debug", Refusal::Excluded),
            ("1.0.0.0", Refusal::NotAVersion),
            ("1.0.0-rc.1", Refusal::Prerelease),
        ] {
            assert_eq!(reader.read(tag).err(), Some(expected), "{tag}");
        }
        assert_eq!(reader.read("v1.0").unwrap().text(), "1.0.0");
    }

    #[test]
    fn patterns_are_bounded_and_named_when_wrong() {
        for bad in ["", "(", "a)(b", "(?:a{1000}){1000}", &"a".repeat(501), "(?<x"] {
            let error =
                Reader::new(&Versioning { include: vec![bad.to_owned()], ..Versioning::default() }).unwrap_err();
            assert_eq!(error.validation()[0].field, "versioning.include[0]", "{bad}");
        }
        let missing = Versioning { scheme: VersionScheme::Regex, ..Versioning::default() };
        assert_eq!(Reader::new(&missing).unwrap_err().validation()[0].field, "versioning.pattern");
    }

    fn identifier() -> impl Strategy<Value = String> {
        prop_oneof!["0|[1-9][0-9]{0,3}", "[0-9]{0,2}[a-cA-C-][0-9a-c-]{0,3}"]
    }

    fn list() -> impl Strategy<Value = String> {
        proptest::collection::vec(identifier(), 0..4).prop_map(|list| list.join("."))
    }

    prop_compose! {
        fn any_semver()(
            core in proptest::collection::vec(prop_oneof![0..4u64, 8..12u64, Just(u64::MAX)], 3),
            pre in list(),
            build in prop_oneof![list(), "[0-1]{1,3}"],
        ) -> semver::Version {
            semver::Version {
                major: core[0],
                minor: core[1],
                patch: core[2],
                pre: semver::Prerelease::new(&pre).unwrap(),
                build: semver::BuildMetadata::new(&build).unwrap(),
            }
        }
    }

    proptest! {
        #[test]
        fn the_key_orders_as_semver_does(one in any_semver(), other in any_semver()) {
            let reader = reader(VersionScheme::Semver);
            let key = |version: &semver::Version| reader.parse(&version.to_string()).unwrap().sort_key();
            prop_assert_eq!(key(&one).cmp(&key(&other)), one.cmp(&other));
        }

        #[test]
        fn reading_never_fails_badly_and_reads_its_own_text(tag in "[0-9a-zA-Zv._+-]{0,20}") {
            for scheme in VersionScheme::ALL.iter().filter(|one| **one != VersionScheme::Regex) {
                let reader = reader(*scheme);
                if let Some(version) = reader.parse(&tag) {
                    prop_assert_eq!(reader.parse(version.text()), Some(version));
                }
            }
        }

        #[test]
        fn any_tags_with_numbers_order_by_number(one in 0..100_000u32, other in 0..100_000u32, word in "[a-z-]{0,5}") {
            let reader = reader(VersionScheme::Any);
            let key = |number: u32| reader.parse(&format!("{word}{number}")).unwrap().sort_key();
            prop_assert_eq!(key(one).cmp(&key(other)), one.cmp(&other));
        }
    }
}
