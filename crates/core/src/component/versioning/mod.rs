//! How tags become versions: schemes, their order, constraints, and the latest of many.

mod constraint;
mod latest;
mod reader;
mod version;

pub use constraint::Constraint;
pub use latest::{Channels, Choice, Wanted, latest, no_matching_version};
pub use reader::{Reader, Refusal};
pub use version::{Bump, Version};

use garde::Validate;
use serde::{Deserialize, Serialize};

use crate::{component::limits, words::words};

/// How a component's tags become versions, and which tags count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Versioning {
    /// How a tag is read.
    #[garde(skip)]
    pub scheme: VersionScheme,
    /// For `regex`: an expression that the whole tag must match. Its named groups, in the order in which
    /// they stand, are compared one after the other, as numbers where they are digits; a group named
    /// `prerelease` makes a prerelease of what has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[garde(custom(limits::scheme_pattern(self.scheme)))]
    pub pattern: Option<String>,
    /// Regular expressions; a tag must match one of them wholly. All tags when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[garde(length(max = 50), inner(custom(limits::pattern)))]
    pub include: Vec<String>,
    /// Regular expressions; a tag that matches one of them wholly is left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[garde(length(max = 50), inner(custom(limits::pattern)))]
    pub exclude: Vec<String>,
    /// Whether prereleases count.
    #[garde(skip)]
    pub allow_prerelease: bool,
}

/// How a tag is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum VersionScheme {
    /// Semantic Versioning 2.0.0; a leading `v` and missing minor or patch numbers are accepted.
    #[default]
    Semver,
    /// Dates such as `2026.11.23` or `26.04-2`.
    Calver,
    /// As `pattern` says.
    Regex,
    /// Any tag; ordered by its runs of digits and text.
    Any,
}

words!(VersionScheme, "version scheme", {
    Semver = "semver",
    Calver = "calver",
    Regex = "regex",
    Any = "any",
});
