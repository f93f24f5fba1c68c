//! Tokens of a registry's token server, one per scope, kept until shortly before they end (the
//! Distribution project's "Token Authentication Specification").

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use http::HeaderValue;
use plimsoll_core::Timestamp;
use serde::Deserialize;

/// Most scopes remembered; a sync touches one per repository.
const MAX_SCOPES: usize = 1024;
/// A token ends this long before its time, so that none ends on the way.
const MARGIN_SECONDS: i64 = 10;
/// What a server means that doesn't say.
const DEFAULT_SECONDS: i64 = 60;
/// However long a server says.
const MAX_SECONDS: i64 = 3600;

/// A token and its end.
#[derive(Clone)]
pub(super) struct Token {
    /// `Bearer …`, marked as sensitive.
    pub(super) header: HeaderValue,
    ends: Timestamp,
}

impl Token {
    pub(super) fn is_fresh(&self, now: Timestamp) -> bool {
        now < self.ends
    }
}

/// A place for one scope's token. Whoever holds the lock fetches it; the others wait for the result.
pub(super) type Slot = Arc<tokio::sync::Mutex<Option<Token>>>;

/// The slots by scope, and whether the token server ever gave a token.
#[derive(Default)]
pub(super) struct Tokens {
    slots: Mutex<HashMap<String, Slot>>,
    any: AtomicBool,
}

impl Tokens {
    /// A token was given.
    pub(super) fn given(&self) {
        self.any.store(true, Ordering::Relaxed);
    }

    /// Whether one ever was.
    pub(super) fn any(&self) -> bool {
        self.any.load(Ordering::Relaxed)
    }

    pub(super) fn slot(&self, scope: &str) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= MAX_SCOPES && !slots.contains_key(scope) {
            // Tokens live a minute; to forget them all costs one fetch each.
            slots.clear();
        }
        Arc::clone(slots.entry(scope.to_owned()).or_default())
    }
}

/// What a token server answers.
#[derive(Deserialize)]
struct TokenAnswer {
    token: Option<String>,
    access_token: Option<String>,
    expires_in: Option<i64>,
}

/// Reads a token server's answer.
pub(super) fn parse(body: &[u8], now: Timestamp) -> Result<Token, &'static str> {
    let answer: TokenAnswer =
        serde_json::from_slice(body).map_err(|_| "the token server's answer is no JSON object")?;
    let given = [answer.token, answer.access_token].into_iter().flatten().find(|text| !text.is_empty());
    let token = given.ok_or("the token server's answer holds no token")?;
    let mut header =
        HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| "the token can't be sent in a header")?;
    header.set_sensitive(true);
    let seconds = answer.expires_in.filter(|seconds| *seconds > 0).unwrap_or(DEFAULT_SECONDS).min(MAX_SECONDS);
    Ok(Token { header, ends: now.plus_seconds(seconds - MARGIN_SECONDS.min(seconds / 2)) })
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_seconds(1_800_000_000);

    #[test]
    fn either_name_of_the_token_and_its_time() {
        let token = parse(br#"{"token":"","access_token":"abc","expires_in":300,"issued_at":"x"}"#, START).unwrap();
        assert_eq!(token.header.to_str().unwrap(), "Bearer abc");
        assert!(token.is_fresh(START.plus_seconds(289)) && !token.is_fresh(START.plus_seconds(290)));
        let token = parse(br#"{"token":"abc"}"#, START).unwrap();
        assert!(token.is_fresh(START.plus_seconds(49)) && !token.is_fresh(START.plus_seconds(50)));
        let token = parse(br#"{"token":"abc","expires_in":9000000000000}"#, START).unwrap();
        assert!(!token.is_fresh(START.plus_seconds(MAX_SECONDS)));
    }

    #[test]
    fn a_token_never_shows_in_a_log() {
        let token = parse(br#"{"token":"s3cret"}"#, START).unwrap();
        assert!(!format!("{:?}", token.header).contains("s3cret"));
    }

    #[test]
    fn answers_without_a_token_are_refused() {
        for body in [&b"{}"[..], b"[]", b"<html>", br#"{"token":"a\nb"}"#, br#"{"token":7}"#] {
            assert!(parse(body, START).is_err());
        }
    }

    #[test]
    fn the_number_of_scopes_is_bounded() {
        let tokens = Tokens::default();
        for scope in 0..3000 {
            tokens.slot(&scope.to_string());
        }
        assert!(tokens.slots.lock().unwrap().len() <= MAX_SCOPES);
    }
}
