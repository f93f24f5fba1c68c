//! Passwords that are set by administrators.

use plimsoll_authority::{
    password::{check_new_password, initial_password},
    secret::{ExposeSecret as _, SecretString},
};
use plimsoll_core::Result;
use plimsoll_protocol::secret::SecretText;

use crate::App;

/// A password that will be stored.
#[derive(Clone)]
pub(super) struct NewPassword {
    /// Its hash.
    pub(super) hash: String,
    /// The password itself when we made it; it is shown once.
    pub(super) made: Option<SecretText>,
}

impl App {
    /// The hash of the password that was given for `user` in `field`, or of one that is made.
    pub(super) async fn new_password(
        &self,
        field: &str,
        given: Option<&SecretText>,
        user: &str,
    ) -> Result<NewPassword> {
        let (secret, made) = match given {
            Some(given) => {
                let secret = SecretString::from(given.expose());
                check_new_password(field, &secret, user)?;
                (secret, None)
            }
            None => {
                let secret = initial_password(&self.context);
                let shown = SecretText::new(secret.expose_secret());
                (secret, Some(shown))
            }
        };
        let hash = self.authority()?.hash_password(secret, &self.context).await?;
        Ok(NewPassword { hash, made })
    }
}
