//! Why a command failed: what, why, what to do, and the request's id.

use plimsoll_core::{Error, ErrorCode, ValidationError};
use plimsoll_protocol::envelope::ErrorBody;
use serde_json::{Value, json};

use crate::exit::Exit;

/// What the person is told, and the exit code.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) code: Box<str>,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    pub(crate) request_id: Option<String>,
    pub(crate) details: Option<Box<Value>>,
    pub(crate) validation: Box<[ValidationError]>,
}

impl Failure {
    pub(crate) fn new(exit: Exit, code: &str, message: impl Into<String>) -> Self {
        Self {
            exit,
            code: code.into(),
            message: message.into(),
            hint: None,
            request_id: None,
            details: None,
            validation: Box::default(),
        }
    }

    /// The command's input is wrong.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "USAGE", message)
    }

    /// A file or the system did not do what was asked.
    pub(crate) fn system(message: impl Into<String>) -> Self {
        Self::new(Exit::Unexpected, "SYSTEM", message)
    }

    /// What to do about it.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// As the API told it.
    pub(crate) fn api(body: ErrorBody, request_id: Option<String>) -> Self {
        let known = serde_json::from_value::<ErrorCode>(Value::String(body.code.clone())).ok();
        Self {
            exit: known.map_or(Exit::Unexpected, Exit::of),
            hint: known.and_then(hint_for).map(str::to_owned),
            code: body.code.into(),
            message: body.message,
            request_id,
            details: body.details.map(Box::new),
            validation: body.validation_errors.into(),
        }
    }

    /// The error as JSON, in the form of the API's.
    pub(crate) fn to_json(&self) -> Value {
        let mut error = json!({"code": self.code, "message": self.message});
        if let Some(details) = &self.details {
            error["details"] = details.as_ref().clone();
        }
        if !self.validation.is_empty() {
            error["validationErrors"] = json!(self.validation);
        }
        if let Some(hint) = &self.hint {
            error["hint"] = json!(hint);
        }
        let mut all = json!({"success": false, "error": error, "exitCode": self.exit as u8});
        if let Some(id) = &self.request_id {
            all["meta"] = json!({"requestId": id});
        }
        all
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        // Of our own process: what is kept from the API's callers helps here.
        let internal = error.internal_text().map(str::to_owned);
        let mut failure = Self::api(ErrorBody::from(&error), None);
        if let Some(internal) = internal {
            failure.message = format!("{} ({internal})", failure.message);
        }
        failure
    }
}

const fn hint_for(code: ErrorCode) -> Option<&'static str> {
    match code {
        ErrorCode::Unauthenticated | ErrorCode::TokenStale => {
            Some("sign in with `plimsoll login`, or set PLIMSOLL_TOKEN")
        }
        ErrorCode::PermissionDenied => Some("ask an administrator for a role that has this permission"),
        ErrorCode::UnknownPath => Some("this server does not offer that yet; compare `plimsoll version`"),
        ErrorCode::SeparationOfDuties => Some("let somebody approve who had no part in the change"),
        ErrorCode::RateLimited => Some("wait as long as Retry-After says, then try again"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_code_is_unexpected_and_still_told() {
        let body: ErrorBody = serde_json::from_value(json!({"code": "NEW_ONE", "message": "so it is"})).unwrap();
        let failure = Failure::api(body, Some("r-1".to_owned()));
        assert_eq!(failure.exit, Exit::Unexpected);
        assert_eq!(
            failure.to_json(),
            json!({"success": false, "error": {"code": "NEW_ONE", "message": "so it is"}, "exitCode": 1, "meta": {"requestId": "r-1"}})
        );
    }

    #[test]
    fn being_signed_out_says_what_to_do() {
        let failure = Failure::from(Error::new(ErrorCode::Unauthenticated, "no token"));
        assert_eq!(failure.exit, Exit::Forbidden);
        assert!(failure.hint.unwrap().contains("plimsoll login"));
    }
}
