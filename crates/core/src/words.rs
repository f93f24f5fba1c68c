//! The words by which enums are stored and sent, written once a variant.

/// Gives a fieldless enum `ALL`, `as_str`, `Display` and `FromStr`. The words are those of its serde form;
/// a test in this file's users compares both.
macro_rules! words {
    ($name:ident, $noun:literal, { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl $name {
            /// Every value there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// The words of all values.
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            /// As stored and sent.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                match text {
                    $($word => Ok(Self::$variant),)+
                    other => Err($crate::Error::new(
                        $crate::ErrorCode::ValidationFailed,
                        format!("{other:?} is not a {}: expected one of {}", $noun, [$($word),+].join(", ")),
                    )),
                }
            }
        }
    };
}

pub(crate) use words;

#[cfg(test)]
mod tests {
    use std::{fmt::Debug, str::FromStr};

    use serde::{Serialize, de::DeserializeOwned};

    use crate::{
        component, deployment, environment, evidence_packet, identity, integration, inventory, promotion, release,
    };

    fn same<T: Copy + PartialEq + Debug + Serialize + DeserializeOwned + FromStr>(
        all: &[T],
        word: impl Fn(T) -> &'static str,
    ) {
        for one in all {
            let text = word(*one);
            assert_eq!(serde_json::to_value(one).unwrap(), serde_json::Value::from(text));
            assert_eq!(text.parse::<T>().ok(), Some(*one));
        }
        assert!("no such word".parse::<T>().is_err());
    }

    #[test]
    fn stored_words_are_the_words_on_the_wire() {
        same(component::VersionScheme::ALL, component::VersionScheme::as_str);
        same(component::AttestationKind::ALL, component::AttestationKind::as_str);
        same(release::ReleaseStatus::ALL, release::ReleaseStatus::as_str);
        same(release::EnvironmentStateStatus::ALL, release::EnvironmentStateStatus::as_str);
        same(integration::IntegrationStatus::ALL, integration::IntegrationStatus::as_str);
        same(integration::Category::ALL, integration::Category::as_str);
        same(integration::Capability::ALL, integration::Capability::as_str);
        same(identity::ClientAuthentication::ALL, identity::ClientAuthentication::as_str);
        same(identity::RoleHolder::ALL, identity::RoleHolder::as_str);
        same(environment::GateType::ALL, environment::GateType::as_str);
        same(environment::When::ALL, environment::When::as_str);
        same(inventory::TargetType::ALL, inventory::TargetType::as_str);
        same(inventory::TargetStatus::ALL, inventory::TargetStatus::as_str);
        same(inventory::AgentStatus::ALL, inventory::AgentStatus::as_str);
        same(promotion::PromotionStatus::ALL, promotion::PromotionStatus::as_str);
        same(promotion::DecisionOutcome::ALL, promotion::DecisionOutcome::as_str);
        same(promotion::GateVerdict::ALL, promotion::GateVerdict::as_str);
        same(promotion::ApprovalVerdict::ALL, promotion::ApprovalVerdict::as_str);
        same(deployment::JobKind::ALL, deployment::JobKind::as_str);
        same(deployment::JobStatus::ALL, deployment::JobStatus::as_str);
        same(deployment::TaskKind::ALL, deployment::TaskKind::as_str);
        same(deployment::Remains::ALL, deployment::Remains::as_str);
        same(deployment::TaskStatus::ALL, deployment::TaskStatus::as_str);
        same(deployment::Handover::ALL, deployment::Handover::as_str);
        same(deployment::LogSource::ALL, deployment::LogSource::as_str);
        same(deployment::rollout::BatchStatus::ALL, deployment::rollout::BatchStatus::as_str);
        same(evidence_packet::EvidenceType::ALL, evidence_packet::EvidenceType::as_str);
        same(evidence_packet::EvidenceStatus::ALL, evidence_packet::EvidenceStatus::as_str);
        same(evidence_packet::StickerVerification::ALL, evidence_packet::StickerVerification::as_str);
    }
}
