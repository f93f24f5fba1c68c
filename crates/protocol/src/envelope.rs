//! The envelope around every answer.

use plimsoll_core::{Error, Timestamp, ValidationError};
use serde::{Deserialize, Serialize};

/// What is said about an answer besides its data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Meta {
    /// Names the request in the log; also in `X-Request-Id`.
    pub request_id: String,
    /// When the answer was made.
    pub timestamp: Timestamp,
    /// Of lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pagination: Option<Pagination>,
}

/// Where in a list one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pagination {
    /// From 1.
    pub page: u32,
    /// Items a page.
    pub page_size: u32,
    /// In all; an estimate when `X-Total-Count-Estimated: true`.
    pub total_items: u64,
    /// In all.
    pub total_pages: u64,
    /// Whether there is a next page: always right.
    pub has_next: bool,
    /// Whether there is a previous page.
    pub has_previous: bool,
}

/// A success as clients read it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Success<T> {
    /// Always true.
    pub success: bool,
    /// The answer.
    pub data: T,
    /// About the answer.
    pub meta: Meta,
}

/// A failure as clients read it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Failure {
    /// Always false.
    pub success: bool,
    /// What went wrong.
    pub error: ErrorBody,
    /// About the answer.
    pub meta: Meta,
}

/// What went wrong.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ErrorBody {
    /// Stable; see the catalogue of error codes.
    pub code: String,
    /// What is wrong and what to do next.
    pub message: String,
    /// Machine-readable context.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<serde_json::Value>,
    /// Each wrong field.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub validation_errors: Vec<ValidationError>,
}

impl From<&Error> for ErrorBody {
    fn from(error: &Error) -> Self {
        Self {
            code: error.code().as_str().to_owned(),
            message: error.message().to_owned(),
            details: error.public_details().cloned(),
            validation_errors: error.validation().to_vec(),
        }
    }
}
