//! Random and mutated tokens: never a panic, never an admission that was not meant.

use plimsoll_authority::token::Verification;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{START, World, merge, world};

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// No bytes make the gate panic, and none but a good token's get through.
    #[test]
    fn no_text_panics(text in "\\PC{0,200}", parts in proptest::collection::vec("[A-Za-z0-9_-]{0,60}", 0..6)) {
        let verifier = world_once().issuer.verifier();
        prop_assert!(verifier.verify(&text, START).is_err());
        prop_assert!(verifier.verify(&parts.join("."), START).is_err());
    }

    /// A good token with one character exchanged is refused.
    #[test]
    fn one_changed_character_is_found(at in any::<proptest::sample::Index>(), by in "[A-Za-z0-9_.-]") {
        let w = world_once();
        let token = w.token();
        let at = at.index(token.len());
        let changed = format!("{}{by}{}", &token[..at], &token[at + 1..]);
        prop_assume!(changed != token);
        prop_assert!(w.issuer.verifier().verify(&changed, START).is_err());
    }

    /// Any JSON for claims, well signed: no panic, and what is accepted says who calls.
    #[test]
    fn signed_nonsense_does_not_panic(claim in "[a-z_]{1,16}", value in "(null|true|-?[1-9][0-9]{0,29}|\"[a-z:@-]{0,20}\"|\\[\\]|\\{\\})") {
        let w = world_once();
        let value: Value = serde_json::from_str(&value).unwrap();
        let mut change = json!({});
        change[claim.as_str()] = value;
        let token = w.forge(&w.header(), &merge(w.claims(), change));
        if let Ok(Verification::Complete(token)) = w.issuer.verifier().verify(&token, START) {
            prop_assert_eq!(token.principal.tenant, w.subject.tenant);
        }
    }
}

/// One world for all cases: a key pair each would be slow.
fn world_once() -> &'static World {
    static WORLD: std::sync::LazyLock<World> = std::sync::LazyLock::new(world);
    &WORLD
}
