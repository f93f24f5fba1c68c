//! The one transition table of releases.

use super::resource::{Release, ReleaseStatus};
use crate::error::{Error, ErrorCode, Result};

/// What can be asked of a release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReleaseCommand {
    /// Change what is in it.
    Edit,
    /// Change notes and labels.
    Annotate,
    /// Seal it: from now on its content never changes.
    Seal,
    /// Say that it should not be used any more, or say so with another reason.
    Deprecate,
    /// Delete it. What it was promoted into holds it back; that is for the caller to see.
    Delete,
}

impl ReleaseCommand {
    /// Every command.
    pub const ALL: &'static [Self] = &[Self::Edit, Self::Annotate, Self::Seal, Self::Deprecate, Self::Delete];

    /// For messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Edit => "edit",
            Self::Annotate => "annotate",
            Self::Seal => "seal",
            Self::Deprecate => "deprecate",
            Self::Delete => "delete",
        }
    }
}

/// The status after `command`, or why it is not allowed.
pub fn next(status: ReleaseStatus, command: ReleaseCommand) -> Result<ReleaseStatus> {
    target(status, command).ok_or_else(|| match command {
        ReleaseCommand::Edit => sealed(&[]),
        ReleaseCommand::Annotate | ReleaseCommand::Seal | ReleaseCommand::Deprecate | ReleaseCommand::Delete => {
            Error::state_conflict("release", status.as_str(), command.as_str(), &allowed(status))
        }
    })
}

/// What may be asked of a release in `status`.
#[must_use]
pub fn allowed(status: ReleaseStatus) -> Vec<&'static str> {
    let can = |command: &&ReleaseCommand| target(status, **command).is_some();
    ReleaseCommand::ALL.iter().filter(can).map(|command| command.as_str()).collect()
}

const fn target(status: ReleaseStatus, command: ReleaseCommand) -> Option<ReleaseStatus> {
    use ReleaseCommand as C;
    use ReleaseStatus as S;
    match (status, command) {
        (S::Draft, C::Edit | C::Annotate | C::Delete) => Some(S::Draft),
        (S::Draft, C::Seal) | (S::Ready, C::Annotate | C::Delete) => Some(S::Ready),
        (S::Ready, C::Deprecate) | (S::Deprecated, C::Annotate | C::Deprecate | C::Delete) => Some(S::Deprecated),
        (S::Draft, C::Deprecate) | (S::Ready | S::Deprecated, C::Edit | C::Seal) => None,
    }
}

/// The command behind a PUT that brings `wanted` as status; `None` when it stays.
pub fn command_for(status: ReleaseStatus, wanted: ReleaseStatus) -> Result<Option<ReleaseCommand>> {
    match (status, wanted) {
        (ReleaseStatus::Draft, ReleaseStatus::Draft)
        | (ReleaseStatus::Ready, ReleaseStatus::Ready)
        | (ReleaseStatus::Deprecated, ReleaseStatus::Deprecated) => Ok(None),
        (ReleaseStatus::Draft, ReleaseStatus::Ready) => Ok(Some(ReleaseCommand::Seal)),
        (ReleaseStatus::Draft | ReleaseStatus::Ready, ReleaseStatus::Deprecated) => Err(Error::field(
            "status",
            "state",
            "a release is deprecated with POST …/deprecate, which asks for the reason",
        )),
        (ReleaseStatus::Ready | ReleaseStatus::Deprecated, ReleaseStatus::Draft)
        | (ReleaseStatus::Deprecated, ReleaseStatus::Ready) => {
            Err(Error::state_conflict("release", status.as_str(), wanted.as_str(), &allowed(status)))
        }
    }
}

/// The command that turns `before` into `after`, content and notes alone. A change of content of a sealed
/// release is an error that names the fields.
pub fn command_of_change(before: &Release, after: &Release) -> Result<ReleaseCommand> {
    let fields = [
        ("name", before.name != after.name),
        ("version", before.version != after.version),
        ("components", before.components != after.components),
        ("variables", before.variables != after.variables),
        ("source", before.source != after.source),
        ("channel", before.channel != after.channel),
    ];
    let changed: Vec<_> = fields.iter().filter(|(_, differs)| *differs).map(|(name, _)| *name).collect();
    match (changed.is_empty(), before.status) {
        (true, _) => Ok(ReleaseCommand::Annotate),
        (false, ReleaseStatus::Draft) => Ok(ReleaseCommand::Edit),
        (false, ReleaseStatus::Ready | ReleaseStatus::Deprecated) => Err(sealed(&changed)),
    }
}

fn sealed(fields: &[&str]) -> Error {
    let what = if fields.is_empty() { "its content".to_owned() } else { fields.join(", ") };
    Error::new(
        ErrorCode::ReleaseSealed,
        format!("the release is sealed: {what} cannot change, only notes and labels; make a new release instead"),
    )
    .details(serde_json::json!({ "fields": fields }))
}

/// Whether a release may be promoted. A deprecated one that is not blocked may, with a notice.
pub fn promotable(release: &Release) -> Result<Option<String>> {
    match (release.status, &release.deprecation) {
        (ReleaseStatus::Draft, _) => Err(Error::new(
            ErrorCode::ReleaseNotReady,
            format!("{} is a draft; seal it first with PUT and status \"ready\"", release.reference()),
        )),
        (ReleaseStatus::Ready, _) => Ok(None),
        (ReleaseStatus::Deprecated, Some(why)) if why.block => Err(Error::new(
            ErrorCode::ReleaseDeprecated,
            format!("{} is deprecated and blocked: {}", release.reference(), why.reason),
        )),
        (ReleaseStatus::Deprecated, why) => {
            let reason = why.as_ref().map_or("no reason given", |why| why.reason.as_str());
            Ok(Some(format!("{} is deprecated: {reason}", release.reference())))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{release::Deprecation, release::testing};

    #[test]
    fn every_status_takes_every_command_as_the_table_says() {
        use ReleaseStatus::{Deprecated, Draft, Ready};
        let table = [
            (Draft, [Ok(Draft), Ok(Draft), Ok(Ready), Err(ErrorCode::StateConflict), Ok(Draft)]),
            (
                Ready,
                [Err(ErrorCode::ReleaseSealed), Ok(Ready), Err(ErrorCode::StateConflict), Ok(Deprecated), Ok(Ready)],
            ),
            (
                Deprecated,
                [
                    Err(ErrorCode::ReleaseSealed),
                    Ok(Deprecated),
                    Err(ErrorCode::StateConflict),
                    Ok(Deprecated),
                    Ok(Deprecated),
                ],
            ),
        ];
        assert_eq!(table.len(), ReleaseStatus::ALL.len());
        for (status, row) in table {
            for (command, expected) in ReleaseCommand::ALL.iter().zip(row) {
                let got = next(status, *command).map_err(|error| error.code());
                assert_eq!(got, expected, "{status:?} {command:?}");
                assert_eq!(allowed(status).contains(&command.as_str()), expected.is_ok());
            }
        }
    }

    #[test]
    fn nothing_ever_becomes_a_draft_again() {
        for status in [ReleaseStatus::Ready, ReleaseStatus::Deprecated] {
            for command in ReleaseCommand::ALL {
                assert_ne!(next(status, *command).ok(), Some(ReleaseStatus::Draft));
            }
        }
    }

    #[test]
    fn a_put_moves_a_draft_to_ready_and_nothing_else() {
        for status in ReleaseStatus::ALL {
            for wanted in ReleaseStatus::ALL {
                let got = command_for(*status, *wanted);
                if status == wanted {
                    assert_eq!(got.unwrap(), None);
                } else if (*status, *wanted) == (ReleaseStatus::Draft, ReleaseStatus::Ready) {
                    assert_eq!(got.unwrap(), Some(ReleaseCommand::Seal));
                } else {
                    assert!(got.is_err(), "{status:?} {wanted:?}");
                }
            }
        }
    }

    #[test]
    fn a_sealed_release_changes_in_notes_and_labels_alone() {
        let mut before = testing::release();
        let mut after = before.clone();
        after.notes = Some("other".to_owned());
        after.labels.insert("team".to_owned(), "shop".to_owned());
        assert_eq!(command_of_change(&before, &after).unwrap(), ReleaseCommand::Annotate);
        after.variables.insert("A".to_owned(), "2".to_owned());
        after.channel = Some("beta".to_owned());
        assert_eq!(command_of_change(&before, &after).unwrap(), ReleaseCommand::Edit);
        for status in [ReleaseStatus::Ready, ReleaseStatus::Deprecated] {
            before.status = status;
            let error = command_of_change(&before, &after).unwrap_err();
            assert_eq!(error.code(), ErrorCode::ReleaseSealed);
            assert_eq!(error.public_details().unwrap()["fields"], serde_json::json!(["variables", "channel"]));
        }
    }

    #[test]
    fn what_may_be_promoted() {
        let mut release = testing::release();
        assert_eq!(promotable(&release).unwrap_err().code(), ErrorCode::ReleaseNotReady);
        release.status = ReleaseStatus::Ready;
        assert_eq!(promotable(&release).unwrap(), None);
        release.status = ReleaseStatus::Deprecated;
        let why = Deprecation {
            reason: "loses orders".to_owned(),
            block: false,
            at: crate::Timestamp::from_seconds(0),
            by: release.created_by,
        };
        release.deprecation = Some(why.clone());
        assert_eq!(promotable(&release).unwrap().unwrap(), "shop@2.4.1 is deprecated: loses orders");
        release.deprecation = Some(Deprecation { block: true, ..why });
        assert_eq!(promotable(&release).unwrap_err().code(), ErrorCode::ReleaseDeprecated);
    }
}
