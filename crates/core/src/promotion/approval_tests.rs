//! Who may approve, what counts, and every way to approve one's own change.

use std::collections::BTreeMap;

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::{
    actor::Actor,
    promotion::{
        MakerRole,
        makers::{self, Hands, RULE_CHANGE_SECONDS},
        testing::{client_yes, facts, id, maker, now, policy, rule, subject, user, yes},
    },
};

fn met(policy: PolicyFacts, given: Vec<ApproverFacts>, makers: Vec<Maker>) -> bool {
    let facts = facts(vec![policy.clone()], given, makers);
    standing(&policy, &facts, &subject(), now()).met
}

fn one_approver() -> PolicyFacts {
    policy(vec![rule("anyone", 1, &["approver"], &[])])
}

#[test]
fn first_come_would_fail_and_the_matching_succeeds() {
    // User 2 is a lead and on call; user 3 is a lead only. Whoever fills `leads` with user 2 first has
    // nobody for `on call`.
    let rules = vec![rule("leads", 1, &["lead"], &[]), rule("on call", 1, &["on-call"], &[])];
    let given = vec![yes(2, &["lead", "on-call"]), yes(3, &["lead"])];
    let facts = facts(vec![policy(rules.clone())], given, vec![]);
    let found = standing(&policy(rules), &facts, &subject(), now());
    assert!(found.met);
    assert_eq!(found.rules[0].given_by, [user(3)]);
    assert_eq!(found.rules[1].given_by, [user(2)]);
}

#[test]
fn nobody_counts_for_two_rules() {
    let rules = vec![rule("leads", 1, &["lead"], &[]), rule("on call", 1, &["on-call"], &[])];
    assert!(!met(policy(rules), vec![yes(2, &["lead", "on-call"])], vec![]));
}

#[test]
fn so_many_as_the_rule_says() {
    let two = || policy(vec![rule("two", 2, &["approver"], &[9])]);
    let approver = |number| yes(number, &["approver"]);
    assert!(!met(two(), vec![approver(2)], vec![]));
    assert!(!met(two(), vec![approver(2), approver(2)], vec![]), "twice by one");
    assert!(met(two(), vec![approver(2), approver(3)], vec![]));
    assert!(met(two(), vec![approver(2), yes(9, &[])], vec![]), "one by name");
    assert!(!met(two(), vec![approver(2), yes(4, &["viewer"])], vec![]));
}

/// At least fifteen ways in which somebody could approve their own change; each must leave the policy unmet.
#[test]
fn no_way_to_approve_ones_own_change() {
    let me = 1;
    let mine = || yes(me, &["approver"]);
    let two = || policy(vec![rule("two", 2, &["approver"], &[])]);
    let no_duties = || PolicyFacts { separation_of_duties: false, ..two() };
    let named_client = || {
        let mut rules = vec![rule("robot", 1, &[], &[])];
        rules[0].approvers.clients = vec![id(40)];
        policy(rules)
    };
    let by = |because| vec![maker(me, because)];
    let cases: Vec<(&str, PolicyFacts, Vec<ApproverFacts>, Vec<Maker>)> = vec![
        ("I asked for it", one_approver(), vec![mine()], by(MakerRole::Requested)),
        ("I made the release", one_approver(), vec![mine()], by(MakerRole::MadeRelease)),
        ("I changed the promotion", one_approver(), vec![mine()], by(MakerRole::ChangedPromotion)),
        ("my schedule asked", one_approver(), vec![mine()], by(MakerRole::SetUpSchedule)),
        ("I changed the rules", one_approver(), vec![mine()], by(MakerRole::ChangedRules)),
        ("my client asked", one_approver(), vec![mine()], by(MakerRole::OwnsClient)),
        ("I asked, my client approves", one_approver(), vec![client_yes(40, me)], by(MakerRole::Requested)),
        ("my client is named, with separation of duties", named_client(), vec![client_yes(40, 8)], vec![]),
        (
            "a client that no rule names",
            PolicyFacts { separation_of_duties: false, ..one_approver() },
            vec![client_yes(40, 8)],
            vec![],
        ),
        (
            "an agent approves",
            one_approver(),
            vec![ApproverFacts { principal_type: PrincipalType::Agent, ..yes(5, &["approver"]) }],
            vec![],
        ),
        (
            "the system approves",
            one_approver(),
            vec![ApproverFacts { principal_type: PrincipalType::System, ..yes(5, &["approver"]) }],
            vec![],
        ),
        (
            "a friend approved, then I edited",
            one_approver(),
            vec![ApproverFacts { subject_hash: Digest::of(b"before"), ..yes(5, &["approver"]) }],
            by(MakerRole::ChangedPromotion),
        ),
        (
            "a friend who was deactivated",
            one_approver(),
            vec![ApproverFacts { active: false, ..yes(5, &["approver"]) }],
            vec![],
        ),
        ("a friend whose role was only lent", one_approver(), vec![yes(5, &[])], vec![]),
        (
            "a friend without the permission",
            one_approver(),
            vec![ApproverFacts { may_approve: false, ..yes(5, &["approver"]) }],
            vec![],
        ),
        ("I approve twice", no_duties(), vec![mine(), mine()], vec![]),
        (
            "I and my client, both named",
            {
                let mut both = no_duties();
                both.rules[0].approvers.clients = vec![id(40)];
                both
            },
            vec![mine(), client_yes(40, me)],
            vec![],
        ),
        (
            "my two clients",
            {
                let mut both = no_duties();
                both.rules[0].approvers.clients = vec![id(40), id(41)];
                both
            },
            vec![client_yes(40, me), client_yes(41, me)],
            vec![],
        ),
        (
            "I count for two rules",
            policy(vec![rule("a", 1, &["approver"], &[]), rule("b", 1, &["approver"], &[])]),
            vec![yes(5, &["approver"])],
            vec![],
        ),
        (
            "a no is counted as a yes",
            one_approver(),
            vec![ApproverFacts { verdict: ApprovalVerdict::Rejected, ..yes(5, &["approver"]) }],
            vec![],
        ),
        (
            "an old yes is kept for later",
            PolicyFacts { expires_after_seconds: Some(3600), ..one_approver() },
            vec![yes(5, &["approver"])],
            vec![],
        ),
        (
            "a wordless yes",
            PolicyFacts { require_comment: true, ..one_approver() },
            vec![ApproverFacts { commented: false, ..yes(5, &["approver"]) }],
            vec![],
        ),
    ];
    assert!(cases.len() >= 15);
    for (way, policy, given, makers) in cases {
        assert!(!met(policy, given, makers), "{way}");
    }
    assert!(met(one_approver(), vec![yes(5, &["approver"])], by(MakerRole::Requested)), "somebody else may");
}

#[test]
fn every_hand_makes_a_maker() {
    let person = |number: u128| Actor {
        kind: PrincipalType::User,
        id: Uuid::from_u128(number),
        user_id: user(number),
        name: String::new(),
    };
    let robot = Actor { kind: PrincipalType::Client, id: Uuid::from_u128(40), user_id: user(540), name: String::new() };
    let recent = now().plus_seconds(-RULE_CHANGE_SECONDS);
    let hands = Hands {
        requested: vec![person(1), robot],
        made_release: vec![user(2), user(541)],
        changed_promotion: vec![person(3)],
        set_up_schedule: vec![user(4)],
        changed_rules: vec![(user(5), recent), (user(6), recent.plus_seconds(-1))],
        behind: BTreeMap::from([
            (user(540), vec![maker(7, MakerRole::OwnsClient), maker(9, MakerRole::HoldsClientSecret)]),
            // A client that another client made, and that one a third.
            (user(541), vec![maker(8, MakerRole::OwnsClient), maker(542, MakerRole::HoldsClientSecret)]),
            (user(542), vec![maker(10, MakerRole::OwnsClient), maker(541, MakerRole::HoldsClientSecret)]),
        ]),
    };
    let found = makers::collect(&hands, now());
    for (who, because) in [
        (1, MakerRole::Requested),
        (540, MakerRole::Requested),
        (7, MakerRole::OwnsClient),
        (9, MakerRole::HoldsClientSecret),
        (10, MakerRole::OwnsClient),
        (2, MakerRole::MadeRelease),
        (541, MakerRole::MadeRelease),
        (8, MakerRole::OwnsClient),
        (3, MakerRole::ChangedPromotion),
        (4, MakerRole::SetUpSchedule),
        (5, MakerRole::ChangedRules),
    ] {
        assert!(found.contains(&maker(who, because)), "{who} {because:?}");
        assert!(!met(one_approver(), vec![yes(who, &["approver"])], found.clone()), "{who} approves");
    }
    assert!(!found.iter().any(|one| one.user_id == user(6)), "a change of rules is forgotten after seven days");
}

#[test]
fn refusals_say_why() {
    let decide =
        |facts: &ApprovalFacts, caller: &ApproverFacts| may_decide(facts, caller, &subject(), now(), Asks::Policies);
    let base = facts(vec![one_approver()], vec![], vec![maker(1, MakerRole::MadeRelease)]);
    let fresh = |number, roles: &[&str]| ApproverFacts { at: now(), ..yes(number, roles) };
    assert!(decide(&base, &fresh(2, &["approver"])).is_ok());
    let own = decide(&base, &fresh(1, &["approver"])).unwrap_err();
    assert_eq!(own.code(), ErrorCode::SeparationOfDuties);
    assert!(own.message().contains("edited or sealed the release"), "{}", own.message());
    assert_eq!(decide(&base, &fresh(2, &["viewer"])).unwrap_err().code(), ErrorCode::ApproverNotEligible);
    let nobody = facts(vec![], vec![], vec![]);
    assert_eq!(decide(&nobody, &fresh(2, &["approver"])).unwrap_err().code(), ErrorCode::ApproverNotEligible);
    let other = ApproverFacts { subject_hash: Digest::of(b"else"), ..fresh(2, &["approver"]) };
    let changed = decide(&base, &other).unwrap_err();
    assert_eq!(changed.code(), ErrorCode::SubjectChanged);
    assert_eq!(changed.public_details().unwrap()["subjectHash"], subject().to_string());
    let again = facts(vec![one_approver()], vec![yes(2, &["approver"])], vec![]);
    assert_eq!(decide(&again, &fresh(2, &["approver"])).unwrap_err().code(), ErrorCode::AlreadyDecided);
    let wordy = facts(vec![PolicyFacts { require_comment: true, ..one_approver() }], vec![], vec![]);
    let silent = ApproverFacts { commented: false, ..fresh(2, &["approver"]) };
    assert_eq!(decide(&wordy, &silent).unwrap_err().validation()[0].field, "comment");
    let old = ApproverFacts { subject_hash: Digest::of(b"before"), ..yes(2, &["approver"]) };
    let anew = facts(vec![one_approver()], vec![old], vec![]);
    assert!(decide(&anew, &fresh(2, &["approver"])).is_ok(), "a void yes does not stand in the way");
}

#[test]
fn an_override_takes_two_who_had_no_part() {
    let with = |given| facts(vec![], given, vec![maker(1, MakerRole::Requested)]);
    let count = |given| override_approvers(&with(given), &subject()).len();
    assert_eq!(count(vec![yes(1, &[]), yes(2, &[])]), 1, "a maker does not count");
    assert_eq!(count(vec![yes(2, &[]), yes(2, &[])]), 1, "nobody twice");
    assert_eq!(count(vec![yes(2, &[]), client_yes(40, 9)]), 1, "no client");
    assert_eq!(count(vec![yes(2, &[]), yes(3, &[])]), 2);
    let caller = ApproverFacts { at: now(), ..yes(2, &[]) };
    assert!(may_decide(&with(vec![]), &caller, &subject(), now(), Asks::Override).is_ok());
}

proptest! {
    /// The matching is maximum: it finds an assignment whenever trying all finds one.
    #[test]
    fn the_matching_is_as_good_as_trying_all(
        needs in prop::collection::vec((1..3u32, prop::collection::vec(0..4usize, 1..3)), 1..4),
        people in prop::collection::vec(prop::collection::vec(0..4usize, 0..3), 0..6),
    ) {
        let role = |number: &usize| ["a", "b", "c", "d"][*number];
        let rules: Vec<ApprovalRule> = needs.iter().enumerate()
            .map(|(index, (min, roles))| rule(&index.to_string(), *min, &roles.iter().map(role).collect::<Vec<_>>(), &[]))
            .collect();
        let given: Vec<ApproverFacts> = people.iter().enumerate()
            .map(|(index, roles)| yes(100 + index as u128, &roles.iter().map(role).collect::<Vec<_>>()))
            .collect();
        let slots: Vec<&ApprovalRule> = rules.iter().flat_map(|rule| vec![rule; rule.min_approvals as usize]).collect();
        let possible = try_all(&slots, &given, &mut vec![false; given.len()]);
        prop_assert_eq!(met(policy(rules), given, vec![]), possible);
    }
}

fn try_all(slots: &[&ApprovalRule], given: &[ApproverFacts], used: &mut Vec<bool>) -> bool {
    let Some((slot, rest)) = slots.split_first() else { return true };
    (0..given.len()).any(|index| {
        if used[index] || !fits(slot, &given[index]) {
            return false;
        }
        used[index] = true;
        let found = try_all(rest, given, used);
        used[index] = false;
        found
    })
}
