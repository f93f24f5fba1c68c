//! The gate's good cases: issue, admit, renew, revoke, tickets.

use std::sync::Arc;

use plimsoll_authority::{
    secret::ExposeSecret,
    token::{Admission, Subject, TICKET_SECONDS, TicketGrant, TokenGate, Verification, VerifiedTokenCache},
};
use plimsoll_core::{
    ErrorCode,
    audit::PrincipalType,
    id::{EnvironmentId, RegistrationTokenId, TypedId},
    permission::{Grant, Grants, Permission},
};
use uuid::Uuid;

use crate::support::{START, World, subject, world};

fn ready(w: &World, token: &str) -> Arc<plimsoll_authority::token::VerifiedToken> {
    match w.gate.admit(token, w.clock.now()).unwrap() {
        Admission::Ready(token) => token,
        Admission::NeedsGrants { token, .. } => panic!("{token:?}"),
    }
}

fn limited(count: u128) -> Vec<Grant> {
    (0..count)
        .map(|n| Grant {
            permission: Permission::PromotionApprove,
            environment: Some(EnvironmentId::from_uuid(Uuid::from_u128(n))),
        })
        .collect()
}

#[test]
fn a_token_says_who_was_meant_and_ends_at_exp() {
    let w = world();
    let issued = w.issuer.issue(&w.subject, 600, &w.context).unwrap();
    assert_eq!((issued.expires_at, issued.expires_in_seconds), (START.plus_seconds(600), 600));
    let text = issued.token.expose_secret();
    let (first, second) = (ready(&w, text), ready(&w, text));
    assert!(Arc::ptr_eq(&first, &second), "the second time it comes from the cache");
    let principal = &first.principal;
    assert_eq!((principal.tenant, principal.id, principal.user), (w.subject.tenant, w.subject.id, w.subject.user));
    assert_eq!((&principal.name, &principal.roles), (&w.subject.name, &w.subject.roles));
    assert_eq!((&principal.grants, &principal.token_id), (&w.subject.grants, &issued.jti));
    assert_eq!(principal.kind, PrincipalType::User);

    w.clock.advance_seconds(599);
    ready(&w, text);
    w.clock.advance_seconds(1);
    let error = w.gate.admit(text, w.clock.now()).map(drop).unwrap_err();
    assert_eq!(error.code(), ErrorCode::Unauthenticated);
    assert!(error.message().contains("expired"));
}

#[test]
fn a_replica_whose_clock_is_a_little_behind_accepts_the_token() {
    let w = world();
    let token = w.token();
    assert!(w.issuer.verifier().verify(&token, START.plus_seconds(-5)).is_ok());
    assert!(w.issuer.verifier().verify(&token, START.plus_seconds(-6)).is_err());
}

#[test]
fn the_cache_is_bounded() {
    let w = world();
    let gate = TokenGate::new(w.issuer.verifier(), (*w.gate.revocations()).clone(), VerifiedTokenCache::new(8));
    let cache = VerifiedTokenCache::new(8);
    for _ in 0..64 {
        let token = w.token();
        let Admission::Ready(verified) = gate.admit(&token, START).unwrap() else { unreachable!() };
        cache.insert(plimsoll_core::Digest::of(token.as_bytes()), verified, START);
    }
    assert!(cache.len() <= 8 && !cache.is_empty(), "{}", cache.len());
}

#[test]
fn revocations_act_on_cached_tokens_and_say_what_to_do() {
    let w = world();
    let token = w.token();
    let session = ready(&w, &token);
    let read = |seconds| {
        let mut state = (*w.gate.revocations()).clone();
        state.renewed_at = START.plus_seconds(seconds);
        state
    };

    let mut state = read(2);
    state.principal_versions.insert(w.subject.id, 7);
    state.tenant_versions.insert(w.subject.tenant, 7);
    w.gate.renew_revocations(state);
    assert!(w.gate.admit(&token, START).is_ok(), "the token has this version already");

    let mut state = read(4);
    state.tenant_versions.insert(w.subject.tenant, 8);
    w.gate.renew_revocations(state);
    assert_eq!(w.gate.admit(&token, START).map(drop).unwrap_err().code(), ErrorCode::TokenStale);
    let newer = w.token_for(&Subject { authz_version: 8, ..subject() });
    assert!(w.gate.admit(&newer, START).is_ok(), "a new token is good");

    // An older snapshot that arrives late changes nothing.
    w.gate.renew_revocations(read(3));
    assert_eq!(w.gate.admit(&token, START).map(drop).unwrap_err().code(), ErrorCode::TokenStale);

    let mut state = read(6);
    state.deactivated.insert(w.subject.id);
    w.gate.renew_revocations(state);
    let error = w.gate.admit(&newer, START).map(drop).unwrap_err();
    assert!(error.message().contains("deactivated"), "{error}");
    assert!(w.gate.recheck(&session, START).is_err(), "an open stream ends too");
}

#[test]
fn mutations_stop_when_revocations_are_old() {
    let w = world();
    assert!(w.gate.check_mutation(START.plus_seconds(15)).is_ok());
    assert_eq!(w.gate.check_mutation(START.plus_seconds(16)).unwrap_err().code(), ErrorCode::Unavailable);
    let mut state = (*w.gate.revocations()).clone();
    state.renewed_at = START.plus_seconds(16);
    w.gate.renew_revocations(state.clone());
    assert!(w.gate.check_mutation(START.plus_seconds(16)).is_ok());

    // The clock is set back by an hour: refused until the next renewal, and good after it.
    let back = START.plus_seconds(-3600);
    assert!(w.gate.check_mutation(back).is_err());
    state.renewed_at = back;
    w.gate.renew_revocations(state);
    assert!(w.gate.check_mutation(back).is_ok());
}

#[test]
fn a_token_with_hundreds_of_bindings_stays_small_and_is_completed_once() {
    let w = world();
    let everywhere = Grant { permission: Permission::ReleaseRead, environment: None };
    let all = Grants::new(limited(2000).into_iter().chain([everywhere]));
    let token = w.token_for(&Subject { grants: all.clone(), ..subject() });
    assert!(token.len() < 2000, "{}", token.len());
    let Admission::NeedsGrants { token: bound, text } = w.gate.admit(&token, START).unwrap() else {
        panic!("its grants are not complete");
    };
    assert_eq!(bound.principal().id, w.subject.id);
    assert_eq!(bound.permissions().collect::<Vec<_>>(), [Permission::PromotionApprove]);
    let extra = Grant { permission: Permission::TenantCreate, environment: None };
    let done = w.gate.complete(bound, text, limited(2000).into_iter().chain([extra]), START);
    assert_eq!(done.principal.grants, all);
    assert!(Arc::ptr_eq(&done, &ready(&w, &token)));
}

#[test]
fn a_token_that_would_be_refused_for_its_size_is_not_issued() {
    let w = world();
    let roles = (0..400).map(|n| format!("{n:0>63}")).collect();
    let error = w.issuer.issue(&Subject { roles, ..subject() }, 600, &w.context).unwrap_err();
    assert_eq!(error.code(), ErrorCode::RuleViolated);
}

#[test]
fn a_registration_token_may_enrol_and_nothing_else() {
    let w = world();
    let id = RegistrationTokenId::from_uuid(Uuid::from_u128(77));
    let token = w.token_for(&Subject::registration(w.subject.tenant, id, w.subject.user, 7));
    let session = ready(&w, &token);
    assert_eq!(session.principal.id, id.uuid());
    for permission in Permission::ALL {
        let expected = *permission == Permission::AgentRegister;
        assert_eq!(session.principal.grants.somewhere(*permission), expected, "{permission}");
    }
}

#[test]
fn a_ticket_opens_one_stream_for_thirty_seconds_with_no_more_than_it_needs() {
    let w = world();
    let grants = [Permission::DeploymentRead, Permission::ReleaseCreate]
        .map(|permission| Grant { permission, environment: None });
    let token = w.token_for(&Subject { grants: Grants::new(grants), ..subject() });
    let session = ready(&w, &token);
    let grant = TicketGrant { token: &session, stream: "/jobs/1", permissions: &[Permission::DeploymentRead] };
    let issued = w.issuer.issue_ticket(grant, &w.context).unwrap();
    assert_eq!(issued.expires_in_seconds, TICKET_SECONDS);

    let ticket = w.gate.admit_ticket(issued.token.expose_secret(), "/jobs/1", START.plus_seconds(29)).unwrap();
    assert_eq!((&ticket.jti, ticket.expires_at), (&issued.jti, START.plus_seconds(30)));
    let Verification::Complete(opened) = ticket.session else { panic!("it is complete") };
    assert_eq!(opened.principal.id, session.principal.id);
    assert_eq!(opened.principal.token_id, session.principal.token_id, "revoking the token ends the stream");
    assert_eq!(opened.expires_at, session.expires_at, "the stream lasts as long as the token");
    assert_eq!(opened.principal.grants, Grants::new([grants[0]]));

    let late = w.gate.admit_ticket(issued.token.expose_secret(), "/jobs/1", START.plus_seconds(30));
    assert_eq!(late.map(drop).unwrap_err().code(), ErrorCode::Unauthenticated);
    let mut state = (*w.gate.revocations()).clone();
    state.deactivated.insert(w.subject.id);
    w.gate.renew_revocations(state);
    assert!(w.gate.admit_ticket(issued.token.expose_secret(), "/jobs/1", START).is_err());
}
