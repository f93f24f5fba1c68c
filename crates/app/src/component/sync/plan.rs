//! What a sync looks at, and in which order. Pure.

use std::collections::{BTreeMap, BTreeSet};

use plimsoll_core::{
    Timestamp,
    component::versioning::{Reader, Version},
    id::VersionId,
};
use plimsoll_store::component_version::KnownTag;

/// New tags that one call looks at, at most.
pub(super) const NEW: usize = 500;
/// The newest known tags, looked at each time.
const NEWEST: usize = 50;
/// Within this time each known tag is looked at once.
const ROUND_SECONDS: i64 = 24 * 3600;
/// Known tags looked at in turn, at least, so that a small repository is soon through.
const IN_TURN: usize = 20;

/// What a sync does.
#[derive(Debug, Default)]
pub(super) struct Plan {
    /// Tags that are not known, the newest version first.
    pub(super) new: Vec<NewTag>,
    /// Known tags to look at again.
    pub(super) again: Vec<KnownTag>,
    /// New tags beyond what one call takes.
    pub(super) left: u64,
    /// Tags that the scheme or the patterns refuse.
    pub(super) skipped: u64,
}

/// A tag that is not known.
#[derive(Clone, Debug)]
pub(super) struct NewTag {
    pub(super) tag: String,
    pub(super) version: Version,
}

/// What is known, and what matters.
#[derive(Debug)]
pub(super) struct Situation<'a> {
    /// All tags of the repository.
    pub(super) tags: Vec<String>,
    /// Reads them.
    pub(super) reader: &'a Reader,
    /// The tags that are known, by tag.
    pub(super) known: BTreeMap<String, KnownTag>,
    /// Versions in open releases.
    pub(super) in_use: BTreeSet<VersionId>,
    /// Now.
    pub(super) now: Timestamp,
    /// Seconds between two syncs.
    pub(super) every_seconds: i64,
}

/// Drops what does not count, and orders the rest: what is new, then what is in use or newest, then the
/// others in turn.
pub(super) fn plan(situation: Situation<'_>) -> Plan {
    let Situation { tags, reader, mut known, in_use, now, every_seconds } = situation;
    let mut plan = Plan::default();
    let mut listed = Vec::new();
    for tag in tags {
        match (reader.read(&tag), known.remove(&tag)) {
            (Err(_), _) => plan.skipped += 1,
            (Ok(version), None) => plan.new.push(NewTag { tag, version }),
            (Ok(_), Some(found)) => listed.push(found),
        }
    }
    plan.new.sort_by(|one, other| other.version.cmp(&one.version).then_with(|| one.tag.cmp(&other.tag)));
    plan.left = plan.new.len().saturating_sub(NEW) as u64;
    plan.new.truncate(NEW);
    plan.again = again(listed, &in_use, now, every_seconds);
    plan
}

fn again(mut listed: Vec<KnownTag>, in_use: &BTreeSet<VersionId>, now: Timestamp, every_seconds: i64) -> Vec<KnownTag> {
    listed.sort_by(|one, other| other.sort_key.cmp(&one.sort_key).then_with(|| other.id.cmp(&one.id)));
    let (mut each_time, mut others) = (Vec::new(), Vec::new());
    for (index, tag) in listed.into_iter().enumerate() {
        if index < NEWEST || in_use.contains(&tag.id) {
            each_time.push(tag);
        } else {
            others.push(tag);
        }
    }
    let turns = usize::try_from((ROUND_SECONDS / every_seconds.max(1)).max(1)).unwrap_or(1);
    let quota = others.len().div_ceil(turns).max(IN_TURN);
    // The one that was not looked at for the longest time comes first.
    others.sort_by(|one, other| one.checked_at.cmp(&other.checked_at).then_with(|| one.tag.cmp(&other.tag)));
    // Looked at a moment ago by a call of somebody: not again for nothing.
    let due = now.plus_seconds(-every_seconds);
    each_time.extend(others.into_iter().filter(|tag| tag.checked_at.is_none_or(|at| at <= due)).take(quota));
    each_time
}

#[cfg(test)]
mod tests {
    use plimsoll_core::{
        Digest,
        component::{VersionScheme, Versioning},
        id::TypedId,
    };
    use uuid::Uuid;

    use super::*;

    fn id(number: usize) -> VersionId {
        VersionId::from_uuid(Uuid::from_u128(number as u128))
    }

    fn reader() -> Reader {
        let versioning = Versioning { exclude: vec![".*-debug".to_owned()], ..Versioning::default() };
        Reader::new(&versioning).unwrap()
    }

    fn known(number: usize, reader: &Reader, checked_hours: i64) -> KnownTag {
        let tag = format!("1.{number}.0");
        let version = reader.parse(&tag).unwrap();
        KnownTag {
            id: id(number),
            digest: Digest::of(tag.as_bytes()),
            version: version.text().to_owned(),
            sort_key: version.sort_key(),
            checked_at: Some(Timestamp::from_seconds(checked_hours * 3600)),
            tag,
        }
    }

    fn planned(tags: Vec<String>, known: Vec<KnownTag>, in_use: &[usize]) -> Plan {
        plan(Situation {
            tags,
            reader: &reader(),
            known: known.into_iter().map(|one| (one.tag.clone(), one)).collect(),
            in_use: in_use.iter().map(|number| id(*number)).collect(),
            now: Timestamp::from_seconds(1_000 * 3600),
            every_seconds: 3600,
        })
    }

    #[test]
    fn what_is_refused_costs_nothing_and_the_newest_comes_first() {
        let tags = ["1.9.0", "latest", "1.10.0", "1.10.0-debug", "2.0.0-rc.1", "1.2.0"].map(str::to_owned).to_vec();
        let plan = planned(tags, vec![known(2, &reader(), 1)], &[]);
        assert_eq!(plan.new.iter().map(|one| one.tag.as_str()).collect::<Vec<_>>(), ["1.10.0", "1.9.0"]);
        assert_eq!((plan.skipped, plan.left), (3, 0));
        assert_eq!(plan.again.iter().map(|one| one.tag.as_str()).collect::<Vec<_>>(), ["1.2.0"]);
    }

    #[test]
    fn at_most_five_hundred_new_tags_are_looked_at() {
        let tags = (0..620).map(|number| format!("1.{number}.0")).collect();
        let plan = planned(tags, Vec::new(), &[]);
        assert_eq!((plan.new.len(), plan.left), (NEW, 120));
        assert_eq!(plan.new[0].tag, "1.619.0");
    }

    #[test]
    fn all_known_tags_come_round_within_a_day() {
        let reader = reader();
        let count = 2_000;
        let mut rows: BTreeMap<String, KnownTag> =
            (0..count).map(|number| known(number, &reader, 0)).map(|one| (one.tag.clone(), one)).collect();
        let tags: Vec<String> = rows.keys().cloned().collect();
        let mut most = 0;
        for hour in 0..24 {
            let now = Timestamp::from_seconds((1_000 + hour) * 3600);
            let plan = plan(Situation {
                tags: tags.clone(),
                reader: &reader,
                known: rows.clone(),
                in_use: [id(3)].into(),
                now,
                every_seconds: 3600,
            });
            assert!(plan.again.iter().any(|one| one.id == id(3)), "what is in use is looked at each time");
            most = most.max(plan.again.len());
            for one in plan.again {
                rows.get_mut(&one.tag).unwrap().checked_at = Some(now);
            }
        }
        assert!(rows.values().all(|one| one.checked_at > Some(Timestamp::from_seconds(0))), "nothing was left out");
        assert!(most <= NEWEST + 1 + count.div_ceil(24), "{most}");
    }

    #[test]
    fn a_scheme_that_reads_everything_is_ordered_too() {
        let reader = Reader::new(&Versioning { scheme: VersionScheme::Any, ..Versioning::default() }).unwrap();
        let plan = plan(Situation {
            tags: ["build-9", "build-10"].map(str::to_owned).to_vec(),
            reader: &reader,
            known: BTreeMap::new(),
            in_use: BTreeSet::new(),
            now: Timestamp::from_seconds(0),
            every_seconds: 3600,
        });
        assert_eq!(plan.new[0].tag, "build-10");
    }
}
