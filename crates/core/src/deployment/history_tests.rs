//! The rules of going back, with the examples of their description.

use proptest::prelude::*;

use super::*;
use crate::deployment::testing::id;

fn entry(job: u128, kind: JobKind, release: u128, status: JobStatus) -> HistoryEntry {
    HistoryEntry {
        job_id: id(1_000 + job),
        kind,
        release_id: id(release),
        version: release.to_string(),
        blocked: false,
        status,
        remains: Remains::Changed,
        scope: Scope::Whole,
        promotion_id: (kind == JobKind::Deploy).then(|| id(2_000 + job)),
    }
}

/// `+2` deployed 2, `!3` failed to deploy 3, `x3` failed and put back, `?3` is deploying 3, `-1` rolled back to
/// 1, `~1` failed to roll back to 1, `=2` redeployed 2, `c3` cancelled half-way, `q3` is queued.
fn history(text: &str) -> Vec<HistoryEntry> {
    let words = text.split_whitespace().enumerate();
    words
        .map(|(index, word)| {
            let (sign, release) = word.split_at(1);
            let (kind, status) = match sign {
                "+" => (JobKind::Deploy, JobStatus::Succeeded),
                "!" => (JobKind::Deploy, JobStatus::Failed),
                "x" => (JobKind::Deploy, JobStatus::RolledBack),
                "?" => (JobKind::Deploy, JobStatus::Running),
                "c" => (JobKind::Deploy, JobStatus::Cancelled),
                "q" => (JobKind::Deploy, JobStatus::Queued),
                "-" => (JobKind::Rollback, JobStatus::Succeeded),
                "~" => (JobKind::Rollback, JobStatus::Failed),
                "=" => (JobKind::Redeploy, JobStatus::Succeeded),
                other => panic!("{other}"),
            };
            entry(index as u128, kind, release.parse().unwrap(), status)
        })
        .collect()
}

#[test]
fn the_default_goes_one_down() {
    // (history, from, to)
    let cases = [
        ("+1 +2", 2, Some(1)),       // good 1, good 2 that turns out bad
        ("+1 +2 !3", 3, Some(2)),    // 3 failed over a good 2
        ("+1 +2 ?3", 3, Some(2)),    // 3 is under way
        ("+1 +2 c3", 3, Some(2)),    // 3 was stopped half-way
        ("+1 +2 x3", 2, Some(1)),    // 3 put itself back: 2 runs
        ("+1 +2 q3", 2, Some(1)),    // 3 has not begun
        ("+1 +2 +3 -2", 2, Some(1)), // a second rollback goes one further down
        ("+1 +2 +3 -2 -1", 1, None), // and never up
        ("+1 +2 -1 +3", 3, Some(1)), // 2 is no longer on the way
        ("+1 +2 -1 !3", 3, Some(1)),
        ("+1 +2 +3 ~2", 2, Some(1)), // a rollback that failed has gone down all the same
        ("+1 +2 =2", 2, Some(1)),
        ("+1 +2 +1", 1, Some(2)),       // 1 was brought again on purpose
        ("+1 +2 +3 -1 -2", 2, Some(1)), // up by name, then down again
        ("+1", 1, None),
        ("!1", 1, None),
        ("+1 !1", 1, None),
        ("+1 +2 !2", 2, Some(1)), // a redeployment that failed
    ];
    for (text, from, to) in cases {
        let found = destination(&history(text), None);
        match (found, to) {
            (Ok(found), Some(to)) => {
                assert_eq!((found.from_release_id, found.to_release_id), (id(from), id(to)), "{text}");
            }
            (Err(error), None) => assert_eq!(error.code(), ErrorCode::NothingToRollBackTo, "{text}"),
            (found, to) => panic!("{text}: {found:?}, wanted {to:?}"),
        }
    }
    assert_eq!(destination(&[], None).unwrap_err().code(), ErrorCode::NothingToRollBackTo);
}

#[test]
fn a_named_release_must_have_succeeded_here() {
    let jobs = history("+1 +2 !3 +4");
    assert_eq!(destination(&jobs, Some(id(1))).unwrap().to_release_id, id(1));
    for never in [3, 9] {
        let error = destination(&jobs, Some(id(never))).unwrap_err();
        assert_eq!(error.code(), ErrorCode::NeverDeployedHere);
        let succeeded: [ReleaseId; 3] = [id(4), id(2), id(1)];
        assert_eq!(error.public_details().unwrap()["succeeded"], serde_json::json!(succeeded));
    }
    assert_eq!(destination(&jobs, Some(id(4))).unwrap_err().code(), ErrorCode::AlreadyDeployed);
    let half = history("+1 +2 !2");
    assert!(destination(&half, Some(id(2))).is_ok(), "it does not run everywhere, so it may be put back");
}

#[test]
fn a_blocked_release_is_no_way_back() {
    let mut jobs = history("+1 +2 +3");
    jobs[1].blocked = true;
    for wanted in [None, Some(id(2))] {
        let error = destination(&jobs, wanted).unwrap_err();
        assert_eq!(error.code(), ErrorCode::ReleaseDeprecated);
        let older: [ReleaseId; 2] = [id(3), id(1)];
        assert_eq!(error.public_details().unwrap()["older"], serde_json::json!(older));
    }
    assert!(destination(&jobs, Some(id(1))).is_ok());
}

#[test]
fn what_is_put_back_and_what_is_undone() {
    let found = destination(&history("+1 =1 +2"), None).unwrap();
    assert_eq!(found.specs_of, id(1_001), "as it last ran");
    assert_eq!(found.undoes, Some(id(2_002)));
    let further = destination(&history("+1 +2 +3 -2"), None).unwrap();
    assert_eq!(further.undoes, Some(id(2_001)), "the promotion that had brought 2");
    let failed = destination(&history("+1 !2"), None).unwrap();
    assert_eq!(failed.undoes, Some(id(2_001)));
}

#[test]
fn a_rollback_of_some_targets_moves_nothing() {
    let mut jobs = history("+1 +2 -1");
    jobs[2].scope = Scope::Part;
    assert_eq!(destination(&jobs, None).unwrap().from_release_id, id(2));
}

#[test]
fn what_left_nothing_is_passed_over() {
    let mut jobs = history("+1 +2 !3");
    jobs[2].remains = Remains::Restored;
    assert_eq!(destination(&jobs, None).unwrap().to_release_id, id(1));
}

#[test]
fn several_applications_must_be_told_apart() {
    let names = ["shop".to_owned(), "blog".to_owned()];
    assert_eq!(application(None, &names[..1]).unwrap(), "shop");
    assert_eq!(application(Some("blog"), &names).unwrap(), "blog");
    assert_eq!(application(None, &names).unwrap_err().code(), ErrorCode::ApplicationRequired);
    assert_eq!(application(Some("wiki"), &names).unwrap_err().code(), ErrorCode::NothingToRollBackTo);
    assert_eq!(application(None, &[]).unwrap_err().code(), ErrorCode::NothingToRollBackTo);
    assert!(image_missing(&["shop/api@sha256:0".to_owned()]).message().contains("shop/api"));
}

proptest! {
    /// Rolling back again and again by default ends, each time at another release that succeeded.
    #[test]
    fn going_back_ends(deployed in prop::collection::vec((0..4u8, 1..6u128), 1..12)) {
        let mut jobs: Vec<HistoryEntry> = deployed.iter().enumerate().map(|(index, (how, release))| {
            let status = [JobStatus::Succeeded, JobStatus::Succeeded, JobStatus::Failed, JobStatus::RolledBack][usize::from(*how)];
            entry(index as u128, JobKind::Deploy, *release, status)
        }).collect();
        for step in 0..20u128 {
            let Ok(found) = destination(&jobs, None) else { return Ok(()) };
            prop_assert_ne!(found.from_release_id, found.to_release_id);
            prop_assert!(jobs.iter().any(|job| job.release_id == found.to_release_id && job.status == JobStatus::Succeeded));
            let mut back = entry(100 + step, JobKind::Rollback, 0, JobStatus::Succeeded);
            back.release_id = found.to_release_id;
            jobs.push(back);
        }
        prop_assert!(false, "no end");
    }
}
