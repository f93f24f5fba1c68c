//! Which versions are wanted: `~2.4`, `^1`, `>=1.2, <2`, `2.4.1`, `*`.

use semver::{Comparator, Op, VersionReq};

use super::{reader::Reader, version::Version};
use crate::error::{Error, Result};

/// A constraint on versions of one scheme.
#[derive(Clone, Debug)]
pub struct Constraint(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Any,
    Semver(VersionReq),
    Plain(Vec<(PlainOp, Version)>),
}

/// What schemes without numbered levels understand.
#[derive(Clone, Copy, Debug)]
enum PlainOp {
    Exact,
    Prefix,
    Greater,
    GreaterEq,
    Less,
    LessEq,
}

impl Constraint {
    /// Reads a constraint; `field` names it in errors.
    ///
    /// Semantic versions take what Cargo takes, except that a version without an operator means itself:
    /// `2.4.1` is exactly that, `2.4` is any `2.4.x`. Other schemes take `=`, `<`, `<=`, `>`, `>=`, a
    /// version itself, and `2026.*` for what begins so.
    pub fn parse(field: &str, text: &str, reader: &Reader) -> Result<Self> {
        let text = text.trim();
        let kind = match text {
            "" | "*" => Ok(Kind::Any),
            _ if reader.is_semver() => semantic(text),
            _ => text.split(',').map(|one| plain(one.trim(), reader)).collect::<Result<_, _>>().map(Kind::Plain),
        };
        kind.map(Self).map_err(|reason| {
            let examples = if reader.is_semver() {
                "~2.4, ^1, 2.4.1 or \">=1.2, <2\""
            } else {
                "*, a version, or \">=2026.04, <2026.10\""
            };
            Error::field(
                field,
                "constraint",
                format!("{text:?} is not a constraint ({reason}); give one such as {examples}"),
            )
        })
    }

    /// Whether `version` fits. Without `prerelease` a prerelease fits only where the constraint names one
    /// of the same numbers; with it, a prerelease fits where its release would, unless it lies below a
    /// lower bound.
    #[must_use]
    pub fn allows(&self, version: &Version, prerelease: bool) -> bool {
        match &self.0 {
            Kind::Any => prerelease || !version.is_prerelease(),
            Kind::Semver(wanted) => version.semver.as_ref().is_some_and(|version| {
                wanted.matches(version) || (prerelease && !version.pre.is_empty() && allows_prerelease(wanted, version))
            }),
            Kind::Plain(list) => list.iter().all(|(op, bound)| {
                let fits = match op {
                    PlainOp::Exact => version == bound,
                    PlainOp::Prefix => version.begins_with(bound),
                    PlainOp::Greater => version > bound,
                    PlainOp::GreaterEq => version >= bound,
                    PlainOp::Less => version < bound,
                    PlainOp::LessEq => version <= bound,
                };
                fits && (prerelease || !version.is_prerelease() || version == bound)
            }),
        }
    }
}

fn semantic(text: &str) -> Result<Kind, String> {
    let part = |one: &str| {
        let one = one.trim();
        let (op, version) = one.split_at(one.find(|c: char| c.is_ascii_digit() || c == 'v').unwrap_or(0));
        let version = version.strip_prefix('v').unwrap_or(version);
        let exact =
            op.is_empty() && version.starts_with(|c: char| c.is_ascii_digit()) && !version.contains(['*', 'x', 'X']);
        if exact { format!("={version}") } else { format!("{op}{version}") }
    };
    let spelled = text.split(',').map(part).collect::<Vec<_>>().join(",");
    VersionReq::parse(&spelled).map(Kind::Semver).map_err(|cause| cause.to_string())
}

/// Whether a prerelease fits where its release would, without being below a bound that is spelled out.
fn allows_prerelease(wanted: &VersionReq, version: &semver::Version) -> bool {
    let release = semver::Version { pre: semver::Prerelease::EMPTY, ..version.clone() };
    let below = |one: &Comparator| match one.op {
        Op::Exact | Op::Greater | Op::GreaterEq | Op::Tilde | Op::Caret => one.patch.is_some_and(|patch| {
            let bound = semver::Version {
                major: one.major,
                minor: one.minor.unwrap_or_default(),
                patch,
                pre: one.pre.clone(),
                build: semver::BuildMetadata::EMPTY,
            };
            version.cmp_precedence(&bound).is_lt()
        }),
        Op::Less | Op::LessEq | Op::Wildcard => false,
        // The crate may add operators; what we don't know we don't widen.
        _ => true,
    };
    wanted.matches(&release) && !wanted.comparators.iter().any(below)
}

fn plain(text: &str, reader: &Reader) -> Result<(PlainOp, Version), String> {
    let (op, rest) = [
        (">=", PlainOp::GreaterEq),
        ("<=", PlainOp::LessEq),
        (">", PlainOp::Greater),
        ("<", PlainOp::Less),
        ("=", PlainOp::Exact),
    ]
    .into_iter()
    .find_map(|(sign, op)| text.strip_prefix(sign).map(|rest| (op, rest)))
    .or_else(|| text.strip_suffix(['*']).map(|rest| (PlainOp::Prefix, rest.trim_end_matches('.'))))
    .unwrap_or((PlainOp::Exact, text));
    if text.starts_with(['~', '^']) {
        return Err("~ and ^ need semantic versions".to_owned());
    }
    let version =
        reader.parse(rest.trim()).ok_or_else(|| format!("{:?} is not a version of this component", rest.trim()))?;
    Ok((op, version))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::component::{VersionScheme, Versioning};

    fn reader(scheme: VersionScheme) -> Reader {
        Reader::new(&Versioning { scheme, ..Versioning::default() }).unwrap()
    }

    fn allows(reader: &Reader, constraint: &str, version: &str, prerelease: bool) -> bool {
        Constraint::parse("c", constraint, reader).unwrap().allows(&reader.parse(version).unwrap(), prerelease)
    }

    #[test]
    fn semantic_constraints() {
        let reader = reader(VersionScheme::Semver);
        for (constraint, fits, not) in [
            ("*", vec!["0.0.1", "9.9.9"], vec!["1.0.0-rc.1"]),
            ("~2.4", vec!["2.4.0", "2.4.9"], vec!["2.5.0", "2.3.9", "2.4.1-rc.1"]),
            ("^1", vec!["1.0.0", "1.9.0"], vec!["2.0.0", "0.9.0"]),
            ("2.4.1", vec!["2.4.1", "v2.4.1"], vec!["2.4.2", "2.5.0"]),
            ("v2.4", vec!["2.4.0", "2.4.7"], vec!["2.5.0"]),
            ("2", vec!["2.0.0", "2.9.0"], vec!["3.0.0"]),
            ("2.4.*", vec!["2.4.3"], vec!["2.5.0"]),
            (">=1.2, <2", vec!["1.2.0", "1.9.9"], vec!["1.1.9", "2.0.0"]),
            (">=v1.2.0-rc.1", vec!["1.2.0-rc.2", "1.2.0", "3.0.0"], vec!["1.2.0-beta.1", "1.3.0-rc.1"]),
        ] {
            for version in fits {
                assert!(allows(&reader, constraint, version, false), "{constraint} {version}");
            }
            for version in not {
                assert!(!allows(&reader, constraint, version, false), "{constraint} {version}");
            }
        }
        for bad in ["~", "latest", ">=1.2 <2", "1.2.3.4", "^^1", "1 || 2"] {
            let error = Constraint::parse("components.api", bad, &reader).unwrap_err();
            assert_eq!(error.validation()[0].field, "components.api", "{bad}");
        }
    }

    #[test]
    fn prereleases_fit_where_their_release_would_when_allowed() {
        let reader = reader(VersionScheme::Semver);
        for (constraint, version, expected) in [
            ("*", "1.0.0-rc.1", true),
            ("~2.4", "2.4.1-rc.1", true),
            ("~2.4", "2.4.0-rc.1", true),
            ("~2.4", "2.5.0-rc.1", false),
            ("^1.2.3", "1.2.3-rc.1", false),
            ("^1.2.3", "1.3.0-rc.1", true),
            ("^1.2.3", "2.0.0-rc.1", false),
            (">=1.2.3, <2", "2.0.0-rc.1", false),
            ("2.4.1", "2.4.1-rc.1", false),
            ("2.4.1-rc.1", "2.4.1-rc.1", true),
            (">1.2.3-rc.1", "1.2.3-rc.2", true),
        ] {
            assert_eq!(allows(&reader, constraint, version, true), expected, "{constraint} {version}");
        }
    }

    #[test]
    fn other_schemes_take_bounds_and_prefixes() {
        let date = reader(VersionScheme::Calver);
        for (constraint, version, expected) in [
            ("2026.*", "2026.11.23", true),
            ("2026.*", "2025.11.23", false),
            (">=2026.04, <2026.10", "2026.9", true),
            (">=2026.04, <2026.10", "2026.10", false),
            ("=26.04", "2026.4", true),
            ("26.04", "2026.4.1", false),
            (">2026.04", "2026.11-rc1", false),
            ("2026.11-rc1", "2026.11-rc1", true),
        ] {
            assert_eq!(allows(&date, constraint, version, false), expected, "{constraint} {version}");
        }
        assert!(Constraint::parse("c", "~2026", &date).is_err());
        assert!(Constraint::parse("c", ">=latest", &date).is_err());
        let any = reader(VersionScheme::Any);
        assert!(allows(&any, "build-*", "build-7", false));
        assert!(allows(&any, ">build-9", "build-10", false));
        assert!(!allows(&any, ">build-9", "build-8", false));
    }
}
