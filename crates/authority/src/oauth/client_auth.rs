//! How a client says who it is: RFC 6749, section 2.3 (basic and in the body), and RFC 7523, section 2.2.

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use secrecy::ExposeSecret;
use zeroize::Zeroizing;

use super::{Form, OAuthError, OAuthErrorCode};
use crate::secret::SecretString;

/// RFC 7523, section 2.2.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// Clients differ about padding; nothing depends on it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The one way in which a request presents its client. Nothing is proven yet.
#[derive(Debug)]
pub enum PresentedClient {
    /// With a secret.
    Secret {
        /// Which client.
        client_id: String,
        /// Its secret.
        secret: SecretString,
        /// Where both were.
        method: SecretMethod,
    },
    /// With a JWT that the client signed (`private_key_jwt`).
    Assertion {
        /// Which client, if the request says; the assertion's `sub` says it too, and must be the same.
        client_id: Option<String>,
        /// See [`super::ClientAssertion`].
        assertion: SecretString,
    },
    /// A public client, such as the command line.
    Public {
        /// Which client.
        client_id: String,
    },
    /// The request names no client: only the `jwt-bearer` grant works so.
    Nobody,
}

/// Where a client's id and secret were.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretMethod {
    /// In `Authorization: Basic`.
    Basic,
    /// In the body.
    Post,
}

impl PresentedClient {
    /// From the `Authorization` header and the body. More than one way at once is refused.
    pub fn read(authorization: Option<&str>, form: &mut Form) -> Result<Self, OAuthError> {
        let client_id = form.take_text("client_id");
        let secret = form.take("client_secret");
        let assertion = assertion(form)?;
        let basic = authorization.map(basic).transpose()?;
        match (basic, secret, assertion) {
            (Some((id, secret)), None, None) => {
                if client_id.is_some_and(|other| other != id) {
                    return Err(invalid_request("client_id in the body differs from that in the Authorization header"));
                }
                Ok(Self::Secret { client_id: id, secret, method: SecretMethod::Basic })
            }
            (None, Some(secret), None) => match client_id {
                Some(client_id) => Ok(Self::Secret { client_id, secret, method: SecretMethod::Post }),
                None => Err(invalid_request("client_secret needs client_id beside it")),
            },
            (None, None, Some(assertion)) => Ok(Self::Assertion { client_id, assertion }),
            (None, None, None) => Ok(client_id.map_or(Self::Nobody, |client_id| Self::Public { client_id })),
            _ => Err(invalid_request("give the client's secret in one way only")),
        }
    }
}

fn assertion(form: &mut Form) -> Result<Option<SecretString>, OAuthError> {
    match (form.take_text("client_assertion_type"), form.take("client_assertion")) {
        (None, None) => Ok(None),
        (Some(kind), Some(assertion)) if kind == ASSERTION_TYPE => Ok(Some(assertion)),
        (Some(_), Some(_)) => Err(invalid_request(&format!("client_assertion_type must be {ASSERTION_TYPE}"))),
        _ => Err(invalid_request("client_assertion and client_assertion_type go together")),
    }
}

/// `Basic` with id and secret form-encoded inside (RFC 6749, section 2.3.1).
fn basic(header: &str) -> Result<(String, SecretString), OAuthError> {
    let refuse = || {
        OAuthError::new(
            OAuthErrorCode::InvalidClient,
            "the Authorization header must be Basic with the base64 of client_id:client_secret",
        )
    };
    let (scheme, encoded) = header.trim().split_once(' ').ok_or_else(refuse)?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(refuse());
    }
    let bytes = Zeroizing::new(BASE64.decode(encoded.trim()).map_err(|_| refuse())?);
    let text = std::str::from_utf8(&bytes).map_err(|_| refuse())?;
    let (id, secret) = text.split_once(':').ok_or_else(refuse)?;
    let (id, secret) = (form_decoded(id), form_decoded(secret));
    if id.expose_secret().is_empty() || secret.expose_secret().is_empty() {
        return Err(refuse());
    }
    Ok((id.expose_secret().to_owned(), secret))
}

fn form_decoded(text: &str) -> SecretString {
    // The decoder reads pairs; the separators that it knows are escaped first.
    let one = Zeroizing::new(text.replace('&', "%26").replace('=', "%3D"));
    let decoded = url::form_urlencoded::parse(one.as_bytes()).next();
    decoded.map_or_else(SecretString::default, |(value, _)| SecretString::from(value.as_ref()))
}

fn invalid_request(text: &str) -> OAuthError {
    OAuthError::new(OAuthErrorCode::InvalidRequest, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(header: Option<&str>, body: &str) -> Result<PresentedClient, OAuthError> {
        PresentedClient::read(header, &mut Form::parse(body.as_bytes()).unwrap())
    }

    #[test]
    fn the_specifications_example_is_understood() {
        // RFC 6749, section 2.3.1.
        let Ok(PresentedClient::Secret { client_id, secret, method }) =
            read(Some("Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW"), "")
        else {
            panic!("it is a client with a secret")
        };
        assert_eq!((client_id.as_str(), secret.expose_secret()), ("s6BhdRkqt3", "gX1fBat3bV"));
        assert_eq!(method, SecretMethod::Basic);
    }

    #[test]
    fn odd_secrets_come_through_both_ways() {
        // id "a", secret `p:&=+ %`, form-encoded.
        let header = format!("basic {}", BASE64.encode("a:p%3A%26%3D%2B+%25"));
        for client in [read(Some(&header), "client_id=a"), read(None, "client_id=a&client_secret=p%3A%26%3D%2B+%25")] {
            let Ok(PresentedClient::Secret { secret, .. }) = client else { panic!("{client:?}") };
            assert_eq!(secret.expose_secret(), "p:&=+ %");
        }
        // Not encoded, as many clients send it.
        let header = format!("Basic {}", BASE64.encode("a:p&=x"));
        let Ok(PresentedClient::Secret { secret, .. }) = read(Some(&header), "") else { panic!() };
        assert_eq!(secret.expose_secret(), "p&=x");
    }

    #[test]
    fn the_other_ways() {
        let body = format!("client_assertion_type={ASSERTION_TYPE}&client_assertion=a.b.c");
        assert!(matches!(read(None, &body), Ok(PresentedClient::Assertion { client_id: None, .. })));
        assert!(matches!(read(None, "client_id=cli"), Ok(PresentedClient::Public { client_id }) if client_id == "cli"));
        assert!(matches!(read(None, ""), Ok(PresentedClient::Nobody)));
    }

    #[test]
    fn what_is_ambiguous_is_refused() {
        let good = "Basic czZCaGRSa3F0MzpnWDFmQmF0M2JW";
        let assertion = format!("client_assertion_type={ASSERTION_TYPE}&client_assertion=a.b.c");
        let cases: &[(Option<&str>, &str, OAuthErrorCode)] = &[
            (Some(good), "client_secret=x", OAuthErrorCode::InvalidRequest),
            (Some(good), "client_id=other", OAuthErrorCode::InvalidRequest),
            (Some(good), &assertion, OAuthErrorCode::InvalidRequest),
            (None, "client_secret=x", OAuthErrorCode::InvalidRequest),
            (None, "client_assertion=a.b.c", OAuthErrorCode::InvalidRequest),
            (None, "client_assertion=a.b.c&client_assertion_type=saml", OAuthErrorCode::InvalidRequest),
            (Some("Bearer abc"), "", OAuthErrorCode::InvalidClient),
            (Some("Basic"), "", OAuthErrorCode::InvalidClient),
            (Some("Basic !!!"), "", OAuthErrorCode::InvalidClient),
            (Some("Basic eHg="), "", OAuthErrorCode::InvalidClient),
            (Some("Basic Og=="), "", OAuthErrorCode::InvalidClient),
            (Some("Basic /////w=="), "", OAuthErrorCode::InvalidClient),
        ];
        for (header, body, code) in cases {
            assert_eq!(read(*header, body).map(drop).unwrap_err().code, *code, "{header:?} {body}");
        }
    }
}
