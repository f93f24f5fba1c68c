//! Passwords: argon2id hashes (RFC 9106), rules for new ones, and how fast they may be guessed.

mod initial;
mod rules;
mod throttle;

use argon2::{
    Algorithm, Argon2, Params, PasswordHash, PasswordHasher as _, PasswordVerifier as _, Version,
    password_hash::Error as HashError,
};
use plimsoll_core::{Error, Result, context::Context};
use secrecy::ExposeSecret;

pub use initial::initial_password;
pub use rules::{MAX_PASSWORD_BYTES, MIN_PASSWORD_CHARS, check_new_password};
pub use throttle::{Admission, Attempts, ThrottleRule, admit_sign_in};

use crate::secret::SecretString;

/// What one hash costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordCost {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl PasswordCost {
    /// 19 MiB, two passes, one lane: the OWASP cheat sheet's figure for argon2id. About 20 ms.
    pub const RECOMMENDED: Self = Self { memory_kib: 19 * 1024, passes: 2, lanes: 1 };

    /// As little as the algorithm allows, for tests alone.
    pub const CHEAPEST: Self = Self { memory_kib: Params::MIN_M_COST, passes: 1, lanes: 1 };
}

/// What a check says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordCheck {
    /// It is the password.
    Correct,
    /// It is, but the stored hash cost other than today's: store a new one.
    CorrectButRehash,
    /// It is not, or there is no such user.
    Wrong,
}

/// Hashes and checks passwords. Each call takes the cost's time and memory: run it on a thread for such
/// work, and only a few at once.
pub struct Passwords {
    argon2: Argon2<'static>,
    /// Checked in place of an unknown user's hash, so that both take the same time.
    dummy: String,
}

impl Passwords {
    /// With this cost for new hashes.
    pub fn new(cost: PasswordCost, context: &Context) -> Result<Self> {
        let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, None)
            .map_err(|cause| Error::internal_defect(format!("the cost of passwords is impossible: {cause}")))?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let dummy = hash(&argon2, &context.random::<32>(), context)?;
        Ok(Self { argon2, dummy })
    }

    /// A hash to be stored, in the PHC string format.
    pub fn hash(&self, password: &SecretString, context: &Context) -> Result<String> {
        hash(&self.argon2, password.expose_secret().as_bytes(), context)
    }

    /// Checks `password` against the stored hash; `None` stands for an unknown or locked user. Its shape
    /// is the same either way: one hash is computed.
    pub fn check(&self, password: &SecretString, stored: Option<&str>) -> Result<PasswordCheck> {
        // Nobody has a longer one; hashing megabytes would be work for nothing.
        let text = password.expose_secret();
        let too_long = text.len() > MAX_PASSWORD_BYTES;
        let text = if too_long { "" } else { text };
        let defect = |cause: &dyn std::fmt::Display| {
            Error::internal_defect(format!("a stored password hash can't be used: {cause}"))
        };
        let parsed = PasswordHash::new(stored.unwrap_or(&self.dummy)).map_err(|cause| defect(&cause))?;
        match self.argon2.verify_password(text.as_bytes(), &parsed) {
            Ok(()) if stored.is_none() || too_long => Ok(PasswordCheck::Wrong),
            Ok(()) => Ok(self.weigh(&parsed)),
            Err(HashError::PasswordInvalid) => Ok(PasswordCheck::Wrong),
            Err(cause) => Err(defect(&cause)),
        }
    }

    fn weigh(&self, stored: &PasswordHash) -> PasswordCheck {
        let same_cost = Params::try_from(stored).is_ok_and(|params| {
            let today = self.argon2.params();
            let key = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
            key(&params) == key(today)
        });
        let same_algorithm = stored.algorithm.as_str() == Algorithm::Argon2id.as_str();
        if same_cost && same_algorithm { PasswordCheck::Correct } else { PasswordCheck::CorrectButRehash }
    }
}

impl std::fmt::Debug for Passwords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Passwords({:?})", self.argon2.params())
    }
}

fn hash(argon2: &Argon2<'_>, password: &[u8], context: &Context) -> Result<String> {
    argon2
        .hash_password_with_salt(password, &context.random::<16>())
        .map(|hash| hash.to_string())
        .map_err(|cause| Error::internal_defect(format!("a password could not be hashed: {cause}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretString {
        SecretString::from(text)
    }

    #[test]
    fn a_password_is_known_by_its_hash_alone() {
        let context = Context::system();
        let passwords = Passwords::new(PasswordCost::CHEAPEST, &context).unwrap();
        let stored = passwords.hash(&secret("correct horse"), &context).unwrap();
        assert!(stored.starts_with("$argon2id$v=19$"), "{stored}");
        assert_ne!(passwords.hash(&secret("correct horse"), &context).unwrap(), stored, "salted");
        assert_eq!(passwords.check(&secret("correct horse"), Some(&stored)).unwrap(), PasswordCheck::Correct);
        assert_eq!(passwords.check(&secret("correct hors"), Some(&stored)).unwrap(), PasswordCheck::Wrong);
        assert_eq!(passwords.check(&secret("correct horse"), None).unwrap(), PasswordCheck::Wrong);
        assert_eq!(passwords.check(&secret(""), None).unwrap(), PasswordCheck::Wrong);
        let long = secret(&"x".repeat(MAX_PASSWORD_BYTES + 1));
        assert_eq!(passwords.check(&long, Some(&stored)).unwrap(), PasswordCheck::Wrong);
        assert!(passwords.check(&secret("x"), Some("plain text")).is_err());
    }

    #[test]
    fn a_hash_of_another_cost_is_renewed() {
        let context = Context::system();
        let old = Passwords::new(PasswordCost::CHEAPEST, &context).unwrap();
        let stored = old.hash(&secret("correct horse"), &context).unwrap();
        let new = Passwords::new(PasswordCost { passes: 2, ..PasswordCost::CHEAPEST }, &context).unwrap();
        assert_eq!(new.check(&secret("correct horse"), Some(&stored)).unwrap(), PasswordCheck::CorrectButRehash);
    }

    /// RFC 9106, section 5.3 gives argon2id with a key and associated data, which PHC strings don't carry;
    /// this string is of the reference implementation (`argon2 somesalt -id -t 2 -m 16 -p 1`).
    #[test]
    fn a_hash_of_the_reference_implementation_is_understood() {
        let stored = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        let passwords = Passwords::new(PasswordCost::CHEAPEST, &Context::system()).unwrap();
        let check = passwords.check(&secret("password"), Some(stored)).unwrap();
        assert_eq!(check, PasswordCheck::CorrectButRehash);
    }
}
