//! Decisions: each gate's verdicts, what follows from them, and the replay.

use super::*;
use crate::{
    environment::{Exemptions, Occurrence, PromotesFrom},
    promotion::{
        ApprovalVerdict, ApproverFacts, FreezeFacts, MakerRole, Override, PredecessorFacts, Unprepared,
        testing::{at, facts, id, inputs, maker, now, policy, predecessor, rule, yes},
    },
    release::ReleaseStatus,
};

fn verdict(inputs: &DecisionInputs, gate: GateType) -> (GateVerdict, String, Option<Timestamp>) {
    let found = evaluate(inputs).gates.into_iter().find(|one| one.gate == gate).unwrap();
    (found.verdict, found.reason, found.retry_at)
}

fn freeze(ends_at: &str) -> FreezeFacts {
    let active = Occurrence { starts_at: at("2026-11-23T00:00:00Z"), ends_at: at(ends_at) };
    FreezeFacts {
        id: id(50),
        name: "sale".to_owned(),
        reason: "the big sale".to_owned(),
        exemptions: Exemptions::default(),
        active: Some(active),
        next: None,
        problem: None,
    }
}

fn needs_approval() -> DecisionInputs {
    let mut inputs = inputs();
    inputs.approval = facts(vec![policy(vec![rule("two", 2, &["approver"], &[])])], vec![], inputs.approval.makers);
    inputs
}

#[test]
fn all_gates_pass() {
    let decision = evaluate(&inputs());
    assert_eq!(decision.outcome, DecisionOutcome::Approved);
    assert!(decision.gates.iter().all(|one| one.verdict == GateVerdict::Pass), "{decision:?}");
    assert_eq!(decision.gates.len(), 5);
}

#[test]
fn a_freeze_denies_until_it_is_over() {
    let mut frozen = inputs();
    frozen.freeze_windows = vec![freeze("2026-11-24T00:00:00Z"), freeze("2026-11-25T00:00:00Z")];
    let (found, reason, retry) = verdict(&frozen, GateType::FreezeWindow);
    assert_eq!(found, GateVerdict::Deny);
    assert_eq!(retry, Some(at("2026-11-25T00:00:00Z")));
    assert!(reason.contains("the big sale") && reason.contains("2026-11-25"), "{reason}");
    assert_eq!(evaluate(&frozen).outcome, DecisionOutcome::Blocked);
    assert_eq!(evaluate(&frozen).retry_at, retry);
    let mut unclear = inputs();
    unclear.freeze_windows =
        vec![FreezeFacts { active: None, problem: Some("no such zone".to_owned()), ..freeze("2026-11-24T00:00:00Z") }];
    assert_eq!(verdict(&unclear, GateType::FreezeWindow).0, GateVerdict::Error);
    assert_eq!(evaluate(&unclear).outcome, DecisionOutcome::Blocked, "an error denies");
}

#[test]
fn hundreds_of_windows_stay_short() {
    let many: Vec<FreezeFacts> = (0..570)
        .map(|number| FreezeFacts { id: id(number), reason: "long ".repeat(400), ..freeze("2026-11-24T00:00:00Z") })
        .collect();
    let mut frozen = inputs();
    frozen.freeze_windows = many;
    let decision = evaluate(&frozen);
    let gate = decision.gates.iter().find(|one| one.gate == GateType::FreezeWindow).unwrap();
    assert_eq!((gate.verdict, gate.version), (GateVerdict::Deny, 2));
    assert!(gate.reason.contains("565 more"), "{}", gate.reason);
    assert!(serde_json::to_string(gate).unwrap().len() < 20_000);
    // What was decided with the version before is made again as it was.
    frozen.gates.iter_mut().find(|one| one.definition.kind() == GateType::FreezeWindow).unwrap().version = 1;
    let before = evaluate(&frozen);
    assert_eq!(replay(&frozen, &before).unwrap(), Vec::<String>::new());
    assert!(!before.gates[1].reason.contains("565 more"));
}

#[test]
fn only_windows_that_decide_are_kept() {
    let window = |number: u128, starts: &str, ends: &str| -> crate::environment::FreezeWindow {
        let nobody = id::<crate::id::UserId>(1);
        serde_json::from_value(serde_json::json!({
            "id": id::<crate::id::FreezeWindowId>(number), "environmentId": id::<crate::id::EnvironmentId>(32),
            "name": format!("window {number}"), "reason": "é".repeat(2000), "startsAt": at(starts), "endsAt": at(ends),
            "timezone": "UTC", "exemptions": {}, "active": false, "nextOccurrences": [], "revision": 1,
            "createdBy": {"type": "user", "id": nobody, "userId": nobody, "name": "ada"}, "createdAt": now(),
        }))
        .unwrap()
    };
    let windows = [
        window(1, "2026-12-24T00:00:00Z", "2026-12-25T00:00:00Z"),
        window(2, "2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z"),
        window(3, "2026-12-01T00:00:00Z", "2026-12-02T00:00:00Z"),
        window(4, "2026-11-23T06:00:00Z", "2026-11-23T18:00:00Z"),
    ];
    let kept = FreezeFacts::deciding(&windows, now());
    assert_eq!(kept.iter().map(|one| one.id).collect::<Vec<_>>(), [id(2), id(3), id(4)]);
    assert!(kept.iter().all(|one| one.reason.chars().count() == 241), "{kept:?}");
}

#[test]
fn the_path_goes_through_the_environments_before() {
    let never =
        PredecessorFacts { deployed_by: None, deployed_at: None, running_since: None, ..predecessor(31, "staging") };
    let back = PredecessorFacts { rolled_back_at: Some(now()), running_since: None, ..predecessor(31, "staging") };
    let again = PredecessorFacts { rolled_back_at: Some(now().plus_seconds(-9 * 3600)), ..predecessor(31, "staging") };
    let coming = PredecessorFacts { in_progress: Some(id(5)), ..never.clone() };
    let other = PredecessorFacts { environment_id: id(33), name: "qa".to_owned(), ..never.clone() };
    let cases = [
        (vec![predecessor(31, "staging")], None, GateVerdict::Pass, "staging"),
        (vec![never.clone()], None, GateVerdict::Deny, "never deployed in staging"),
        (vec![back], None, GateVerdict::Deny, "rolled back in staging"),
        (vec![again], None, GateVerdict::Pass, "staging"),
        (vec![coming], None, GateVerdict::Pending, "being deployed in staging"),
        (vec![predecessor(31, "staging"), other.clone()], None, GateVerdict::Deny, "never deployed in qa"),
        (vec![predecessor(31, "staging"), other], Some(1), GateVerdict::Pass, "staging"),
        (vec![], None, GateVerdict::Deny, "passed 0 of 1"),
    ];
    for (predecessors, minimum, wanted, words) in cases {
        let mut case = inputs();
        let ids = if predecessors.is_empty() {
            vec![id(31)]
        } else {
            predecessors.iter().map(|one| one.environment_id).collect()
        };
        case.environment.promotes_from = PromotesFrom { environment_ids: ids, minimum };
        case.predecessors = predecessors;
        let (found, reason, _) = verdict(&case, GateType::PromotionPath);
        assert_eq!(found, wanted, "{reason}");
        assert!(reason.contains(words), "{reason}");
    }
}

#[test]
fn it_must_have_run_long_enough() {
    let since = |seconds: i64| PredecessorFacts {
        running_since: Some(now().plus_seconds(-seconds)),
        ..predecessor(31, "staging")
    };
    let gone = PredecessorFacts {
        running_since: None,
        interrupted_by: Some("a rollback".to_owned()),
        ..predecessor(31, "staging")
    };
    let cases = [
        (vec![since(3600)], None, GateVerdict::Pass, None),
        (vec![since(3599)], None, GateVerdict::Pending, Some(now().plus_seconds(1))),
        (vec![gone.clone()], None, GateVerdict::Deny, None),
        (vec![since(4000), since(60)], None, GateVerdict::Pending, Some(now().plus_seconds(3540))),
        (vec![since(4000), gone], Some(1), GateVerdict::Pass, None),
    ];
    for (predecessors, minimum, wanted, retry) in cases {
        let mut case = inputs();
        case.environment.promotes_from =
            PromotesFrom { environment_ids: (0..predecessors.len() as u128).map(id).collect(), minimum };
        case.predecessors = predecessors;
        let (found, reason, when) = verdict(&case, GateType::SoakTime);
        assert_eq!((found, when), (wanted, retry), "{reason}");
    }
    let mut none = inputs();
    none.environment.soak_seconds = 0;
    none.predecessors = vec![];
    assert_eq!(verdict(&none, GateType::SoakTime).0, GateVerdict::Pass);
}

#[test]
fn the_release_must_be_ready() {
    let cases = [
        (ReleaseStatus::Ready, false, GateVerdict::Pass),
        (ReleaseStatus::Draft, false, GateVerdict::Deny),
        (ReleaseStatus::Deprecated, false, GateVerdict::Pass),
        (ReleaseStatus::Deprecated, true, GateVerdict::Deny),
    ];
    for (status, blocked, wanted) in cases {
        let mut case = inputs();
        case.release.status = status;
        case.release.blocked = blocked;
        case.release.deprecation_reason = Some("leaks memory".to_owned());
        let (found, reason, _) = verdict(&case, GateType::ReleaseStatus);
        assert_eq!(found, wanted);
        assert_eq!(reason.contains("leaks memory"), status == ReleaseStatus::Deprecated, "{reason}");
    }
    let mut odd = inputs();
    odd.release.digest = None;
    assert_eq!(verdict(&odd, GateType::ReleaseStatus).0, GateVerdict::Error);
}

#[test]
fn only_missing_approvals_is_awaiting_approval() {
    let mut case = needs_approval();
    assert_eq!(evaluate(&case).outcome, DecisionOutcome::AwaitingApproval);
    assert!(verdict(&case, GateType::Approval).1.contains("\"two\" needs 2 more from the role approver"));
    case.approval.given = vec![yes(2, &["approver"]), yes(3, &["approver"])];
    assert_eq!(evaluate(&case).outcome, DecisionOutcome::Approved);
    case.promotion.scheduled_for = Some(now().plus_seconds(60));
    assert_eq!(evaluate(&case).outcome, DecisionOutcome::Scheduled);
    case.promotion.scheduled_for = Some(now());
    assert_eq!(evaluate(&case).outcome, DecisionOutcome::Approved);
    case.freeze_windows = vec![freeze("2026-11-24T00:00:00Z")];
    assert_eq!(evaluate(&case).outcome, DecisionOutcome::Blocked, "deny wins");
    case.freeze_windows = vec![];
    case.approval.given.push(ApproverFacts { verdict: ApprovalVerdict::Rejected, ..yes(4, &[]) });
    assert_eq!(evaluate(&case).outcome, DecisionOutcome::Blocked, "one no is enough");
}

#[test]
fn an_override_is_answered_for_and_never_a_pass() {
    let mut case = inputs();
    case.predecessors[0].running_since = Some(now());
    case.promotion.override_request = Some(Override { gates: vec![GateType::SoakTime], reason: "hotfix".to_owned() });
    assert_eq!(evaluate(&case).outcome, DecisionOutcome::AwaitingApproval);
    let (found, reason, _) = verdict(&case, GateType::SoakTime);
    assert_eq!(found, GateVerdict::Pending);
    assert!(reason.contains("0 of 2"), "{reason}");
    case.approval.given = vec![yes(1, &[]), yes(2, &[])];
    assert_eq!(evaluate(&case).outcome, DecisionOutcome::AwaitingApproval, "user 1 asked for it");
    case.approval.given = vec![yes(2, &[]), yes(3, &[])];
    assert_eq!(verdict(&case, GateType::SoakTime).0, GateVerdict::Overridden);
    assert_eq!(evaluate(&case).outcome, DecisionOutcome::Approved);
    case.release.status = ReleaseStatus::Draft;
    assert_eq!(evaluate(&case).outcome, DecisionOutcome::Blocked, "only the gates that were named");
}

#[test]
fn a_freeze_is_overridden_only_for_those_whom_it_exempts() {
    let mut case = inputs();
    case.freeze_windows = vec![freeze("2026-11-24T00:00:00Z")];
    case.promotion.override_request =
        Some(Override { gates: vec![GateType::FreezeWindow], reason: "hotfix".to_owned() });
    case.approval.given = vec![yes(2, &[]), yes(3, &[])];
    assert_eq!(verdict(&case, GateType::FreezeWindow).0, GateVerdict::Deny);
    case.freeze_windows[0].exemptions.roles = vec!["deployer".to_owned()];
    assert_eq!(verdict(&case, GateType::FreezeWindow).0, GateVerdict::Overridden);
    case.freeze_windows.push(freeze("2026-11-24T00:00:00Z"));
    assert_eq!(verdict(&case, GateType::FreezeWindow).0, GateVerdict::Deny, "every active window");
}

#[test]
fn sealed_inputs_replay_to_the_same_decision() {
    let mut case = needs_approval();
    case.freeze_windows = vec![freeze("2026-11-24T00:00:00Z")];
    case.approval.given = vec![yes(2, &["approver"])];
    let mut ticks = 0;
    let recorded = evaluate_timed(&case, || {
        ticks += 7;
        now().plus_seconds(ticks)
    });
    assert!(recorded.gates.iter().all(|one| one.took_micros == 7_000_000));
    let sealed = serde_json::to_string(&case).unwrap();
    let opened: DecisionInputs = serde_json::from_str(&sealed).unwrap();
    assert_eq!(replay(&opened, &recorded).unwrap(), Vec::<String>::new());
    let mut forged = recorded.clone();
    forged.outcome = DecisionOutcome::Approved;
    forged.gates[1].verdict = GateVerdict::Pass;
    assert_eq!(replay(&opened, &forged).unwrap().len(), 2);
    let mut later = opened.clone();
    later.at = at("2026-11-24T00:00:00Z");
    assert!(!replay(&later, &recorded).unwrap().is_empty());
}

#[test]
fn what_a_newer_program_decided_needs_a_newer_program() {
    let mut newer = inputs();
    newer.gates[0].version = 2;
    let recorded = evaluate(&inputs());
    assert!(replay(&newer, &recorded).unwrap_err().message().contains("version 2 of the gate release_status"));
    assert_eq!(evaluate(&newer).gates[0].verdict, GateVerdict::Error);
    let engine = DecisionInputs { engine_version: 9, ..inputs() };
    assert!(replay(&engine, &recorded).unwrap_err().message().contains("engine version 9"));
}

#[test]
fn settings_imply_their_gates() {
    let json = serde_json::json!({
        "id": "01890a5d-ac96-774b-bcce-b302099a8057", "name": "prod", "orderIndex": 0,
        "promotesFrom": {"environmentIds": ["01890a5d-ac96-774b-bcce-b302099a8058"]},
        "gates": [{"type": "soak_time"}], "soakSeconds": 5, "strategy": {"type": "all_at_once"},
        "exclusive": false, "supersedeWaiting": false, "placements": [], "variables": {}, "scopedVariables": [],
        "secretRefs": [], "labels": {}, "timezone": "UTC", "revision": 1,
        "createdAt": "2026-01-01T00:00:00Z", "updatedAt": "2026-01-01T00:00:00Z",
    });
    let environment: Environment = serde_json::from_value(json).unwrap();
    let kinds = |policies| -> Vec<GateType> {
        gates_in_force(&environment, policies).iter().map(|one| one.definition.kind()).collect()
    };
    let without = [GateType::SoakTime, GateType::ReleaseStatus, GateType::FreezeWindow, GateType::PromotionPath];
    assert_eq!(kinds(Policies::None), without);
    assert_eq!(kinds(Policies::Some), [without.as_slice(), &[GateType::Approval]].concat());
}

#[test]
fn makers_stand_in_the_inputs() {
    let mut case = needs_approval();
    case.approval.given = vec![yes(1, &["approver"]), yes(2, &["approver"])];
    case.approval.makers = vec![maker(1, MakerRole::Requested)];
    assert_eq!(evaluate(&case).outcome, DecisionOutcome::AwaitingApproval);
}

#[test]
fn what_cannot_be_put_together_is_blocked_whoever_asks() {
    let mut case = inputs();
    let why = Unprepared { code: "UNKNOWN_REFERENCE".to_owned(), message: "there is no nothing.here".to_owned() };
    case.unprepared = Some(why);
    let wish = Override { gates: vec![GateType::ReleaseStatus], reason: "now".to_owned() };
    for wish in [None, Some(wish)] {
        case.promotion.override_request = wish;
        case.approval.given = vec![yes(2, &["approver"]), yes(3, &["approver"])];
        let decision = evaluate(&case);
        assert_eq!((decision.outcome, decision.gates[0].verdict), (DecisionOutcome::Blocked, GateVerdict::Error));
        assert!(decision.gates[0].reason.contains("nothing.here"), "{}", decision.gates[0].reason);
        assert_eq!(replay(&case, &decision).unwrap(), Vec::<String>::new());
    }
}
