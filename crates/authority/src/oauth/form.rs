//! The body of a request to an OAuth endpoint: `application/x-www-form-urlencoded`, read strictly.

use std::collections::BTreeMap;

use secrecy::ExposeSecret;

use super::{OAuthError, OAuthErrorCode};
use crate::secret::SecretString;

/// The largest body: an assertion of 16 KiB, and room for the rest.
pub const MAX_FORM_BYTES: usize = 32 * 1024;

/// More parameters than any request of ours has.
const MAX_PARAMETERS: usize = 32;

/// The parameters of a request, each once. All are treated as secrets: most are.
#[derive(Debug, Default)]
pub struct Form(BTreeMap<String, SecretString>);

impl Form {
    /// Reads a body. A parameter that occurs twice is refused (RFC 6749, section 3.2); one without a value
    /// counts as omitted (section 3.1).
    pub fn parse(body: &[u8]) -> Result<Self, OAuthError> {
        let refuse = |text: &str| Err(OAuthError::new(OAuthErrorCode::InvalidRequest, text));
        if body.len() > MAX_FORM_BYTES {
            return refuse("the request is too large");
        }
        let mut out = BTreeMap::new();
        for (at, (name, value)) in url::form_urlencoded::parse(body).enumerate() {
            if at >= MAX_PARAMETERS {
                return refuse("the request has too many parameters");
            }
            // What was not UTF-8 was replaced by this character.
            if name.contains('\u{fffd}') || value.contains('\u{fffd}') || value.contains('\0') {
                return refuse("a parameter is not UTF-8 text");
            }
            if out.contains_key(name.as_ref()) {
                return refuse(&format!("the parameter {name:.64} occurs twice"));
            }
            out.insert(name.into_owned(), SecretString::from(value.as_ref()));
        }
        out.retain(|_, value| !value.expose_secret().is_empty());
        Ok(Self(out))
    }

    /// Takes a parameter out.
    pub fn take(&mut self, name: &str) -> Option<SecretString> {
        self.0.remove(name)
    }

    /// Takes out a parameter that is no secret.
    pub fn take_text(&mut self, name: &str) -> Option<String> {
        self.take(name).map(|value| value.expose_secret().to_owned())
    }

    /// Takes out a parameter that must be there.
    pub fn require(&mut self, name: &str) -> Result<SecretString, OAuthError> {
        self.take(name)
            .ok_or_else(|| OAuthError::new(OAuthErrorCode::InvalidRequest, format!("the parameter {name} is missing")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_and_secrets_not_printed() {
        let mut form = Form::parse(b"grant_type=client_credentials&scope=a%3Ab+c%3Ad&empty=").unwrap();
        assert!(!format!("{form:?}").contains("client_credentials"));
        assert_eq!(form.take_text("scope").unwrap(), "a:b c:d");
        assert!(form.take("empty").is_none());
        assert!(form.require("grant_type").is_ok());
        assert!(form.require("grant_type").unwrap_err().description().contains("grant_type"));
    }

    #[test]
    fn what_is_ambiguous_or_too_much_is_refused() {
        let many = (0..33).map(|n| format!("p{n}=1")).collect::<Vec<_>>().join("&");
        let large = format!("a={}", "x".repeat(MAX_FORM_BYTES));
        for bad in ["a=1&a=2", "a=1&%61=2", "a=%ff", "a=x%00y", &many, &large] {
            let error = Form::parse(bad.as_bytes()).unwrap_err();
            assert_eq!(error.code, OAuthErrorCode::InvalidRequest, "{}", &bad[..bad.len().min(40)]);
        }
    }
}
