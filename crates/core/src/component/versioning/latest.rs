//! Channels, and the latest version that is wanted.

use regex::Regex;

use super::{constraint::Constraint, reader::Reader, version::Version};
use crate::{
    component::{ChannelRule, ComponentVersion, limits},
    error::{Error, ErrorCode, Result},
};

/// The channel of releases for which no rule says otherwise.
const STABLE: &str = "stable";

/// A component's compiled channel rules.
#[derive(Clone, Debug)]
pub struct Channels(Vec<(String, Regex)>);

impl Channels {
    /// Compiles the rules; a pattern that isn't one is a validation error naming its field.
    pub fn new(rules: &[ChannelRule]) -> Result<Self> {
        let compile = |(index, rule): (usize, &ChannelRule)| {
            let regex = limits::compile(&rule.pattern)
                .map_err(|message| Error::field(format!("channels[{index}].pattern"), "pattern", message))?;
            Ok((rule.channel.clone(), regex))
        };
        rules.iter().enumerate().map(compile).collect::<Result<_>>().map(Self)
    }

    /// The channel of a version: that of the first rule which its tag fits; without one `stable` for a
    /// release, and for a prerelease the first word of what makes it one (`1.2.0-rc.1`: `rc`).
    #[must_use]
    pub fn of(&self, tag: &str, version: &Version) -> String {
        if let Some((channel, _)) = self.0.iter().find(|(_, pattern)| pattern.is_match(tag)) {
            return channel.clone();
        }
        if !version.is_prerelease() {
            return STABLE.to_owned();
        }
        let text = version.pre_text();
        let word = text.split(|one: char| !one.is_ascii_alphabetic()).find(|word| !word.is_empty());
        word.map_or_else(|| "prerelease".to_owned(), str::to_ascii_lowercase)
    }
}

/// What is wanted of a component.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Which versions fit.
    pub constraint: &'a Constraint,
    /// Of this channel alone. A channel that is asked for may hold prereleases.
    pub channel: Option<&'a str>,
    /// Whether prereleases fit.
    pub prerelease: bool,
}

/// What was chosen, and why.
#[derive(Clone, Debug)]
pub struct Choice<'a> {
    /// The version.
    pub version: &'a ComponentVersion,
    /// Why, in a sentence.
    pub reason: String,
}

/// The latest of `versions` that is wanted. Superseded ones do not count; of several tags with the same
/// version the one found last wins, then the longer tag.
#[must_use]
pub fn latest<'a>(
    versions: impl IntoIterator<Item = &'a ComponentVersion>,
    reader: &Reader,
    channels: &Channels,
    wanted: Wanted<'_>,
) -> Option<Choice<'a>> {
    let mut known = 0_usize;
    let mut fitting: Vec<(Version, &ComponentVersion)> = Vec::new();
    for candidate in versions {
        known += 1;
        let Some(version) = reader.parse(&candidate.tag).filter(|_| candidate.superseded_at.is_none()) else {
            continue;
        };
        let in_channel = wanted.channel.is_none_or(|channel| channels.of(&candidate.tag, &version) == channel);
        let prerelease = wanted.prerelease || wanted.channel.is_some();
        if in_channel && wanted.constraint.allows(&version, prerelease) {
            fitting.push((version, candidate));
        }
    }
    let count = fitting.len();
    let rank =
        |version: &Version, one: &ComponentVersion| (version.sort_key(), one.discovered_at, one.tag.len(), one.id);
    let (_, best) = fitting.into_iter().max_by_key(|(version, one)| rank(version, one))?;
    let place = wanted.channel.map(|channel| format!(" of channel {channel}")).unwrap_or_default();
    Some(Choice { version: best, reason: format!("the latest{place} of {count} that fit, of {known} known versions") })
}

/// The error for components without a fitting version; it names all of them with their constraints.
#[must_use]
pub fn no_matching_version(missing: &[(String, String)]) -> Error {
    let list: Vec<_> = missing.iter().map(|(component, constraint)| format!("{component} ({constraint})")).collect();
    let details: Vec<_> = missing
        .iter()
        .map(|(component, constraint)| serde_json::json!({"component": component, "constraint": constraint}))
        .collect();
    Error::new(
        ErrorCode::NoMatchingVersion,
        format!("no version fits for {}; sync the versions, or widen the constraint or the channel", list.join(", ")),
    )
    .details(serde_json::json!({ "components": details }))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{
        Digest, Timestamp,
        component::Versioning,
        id::{ComponentId, TypedId, VersionId},
    };

    fn version(number: u128, tag: &str) -> ComponentVersion {
        ComponentVersion {
            id: VersionId::from_uuid(Uuid::from_u128(number)),
            component_id: ComponentId::from_uuid(Uuid::from_u128(1)),
            tag: tag.to_owned(),
            version: tag.to_owned(),
            digest: Digest::of(tag.as_bytes()),
            media_type: "application/vnd.oci.image.index.v1+json".to_owned(),
            platforms: vec![],
            size_bytes: 0,
            image_created_at: None,
            source_revision: None,
            source_url: None,
            discovered_at: Timestamp::from_seconds(i64::try_from(number).unwrap()),
            superseded_at: None,
            attestations: vec![],
        }
    }

    fn choose(tags: &[&str], constraint: &str, channel: Option<&str>, prerelease: bool) -> Option<String> {
        let mut versions: Vec<_> = (1..).zip(tags).map(|(number, tag)| version(number, tag)).collect();
        for one in versions.iter_mut().filter(|one| one.tag.ends_with("_old")) {
            one.superseded_at = Some(Timestamp::from_seconds(9));
        }
        let reader = Reader::new(&Versioning::default()).unwrap();
        let rules = [ChannelRule { channel: "lts".to_owned(), pattern: r"1\..*".to_owned() }];
        let constraint = Constraint::parse("c", constraint, &reader).unwrap();
        let wanted = Wanted { constraint: &constraint, channel, prerelease };
        latest(&versions, &reader, &Channels::new(&rules).unwrap(), wanted).map(|choice| choice.version.tag.clone())
    }

    #[test]
    fn the_latest_is_chosen_by_version_and_not_by_text_or_time() {
        let tags = ["2.10.0", "2.9.0", "2.4.3", "v2.4.12", "1.9.0", "3.0.0-rc.1", "3.0.0-rc.2", "latest"];
        for (constraint, channel, prerelease, expected) in [
            ("*", None, false, Some("2.10.0")),
            ("~2.4", None, false, Some("v2.4.12")),
            ("*", None, true, Some("3.0.0-rc.2")),
            ("*", Some("rc"), false, Some("3.0.0-rc.2")),
            ("*", Some("stable"), false, Some("2.10.0")),
            ("*", Some("lts"), false, Some("1.9.0")),
            ("*", Some("nightly"), false, None),
            ("^4", None, true, None),
        ] {
            assert_eq!(choose(&tags, constraint, channel, prerelease).as_deref(), expected, "{constraint} {channel:?}");
        }
    }

    #[test]
    fn superseded_tags_do_not_count_and_the_newest_of_equals_wins() {
        assert_eq!(choose(&["2.0.0", "2.1.0_old"], "*", None, false).as_deref(), Some("2.0.0"));
        assert_eq!(choose(&["2.0.0", "v2.0.0", "2.0"], "*", None, false).as_deref(), Some("2.0"));
    }

    #[test]
    fn all_that_is_missing_is_named() {
        let error = no_matching_version(&[("api".to_owned(), "~2.4".to_owned()), ("web".to_owned(), "^9".to_owned())]);
        assert_eq!(error.code(), ErrorCode::NoMatchingVersion);
        assert!(error.message().contains("api (~2.4), web (^9)"));
    }
}
