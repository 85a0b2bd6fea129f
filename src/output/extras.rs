//! What a saved plan has beyond the document of a plan: enough to carry it out later.

use std::{num::NonZeroUsize, time::Duration};

use serde::{Deserialize, Serialize};

use crate::plan::{
    group::MixedGroups,
    retention::{Policy, Treatment},
};

/// What tells one cluster from another.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Identity {
    /// The SHA-256 of the certificate authority that its server is trusted by, in hex; none for the system's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_sha256: Option<String>,
    /// The uid of its namespace `kube-system`; none where that may not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uid: Option<String>,
}

/// What a saved plan has beyond the document of a plan.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Extras {
    /// Which cluster it is for.
    pub identity: Identity,
    /// None for every namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
    /// The selector as the user gave it, empty for none.
    pub selector: String,
    /// What is to be kept.
    pub policy: PolicyDocument,
}

/// A [`Policy`] as it is written down.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PolicyDocument {
    keep: NonZeroUsize,
    keep_succeeded: usize,
    keep_failed: usize,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    keep_within_seconds: Option<u64>,
    include_active: bool,
    include_owned: bool,
    mixed_groups: MixedGroupsWord,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
enum MixedGroupsWord {
    Hold,
    Split,
    Merge,
}

impl From<&Policy> for PolicyDocument {
    fn from(policy: &Policy) -> PolicyDocument {
        PolicyDocument {
            keep: policy.keep,
            keep_succeeded: policy.keep_succeeded,
            keep_failed: policy.keep_failed,
            keep_within_seconds: policy.keep_within.map(|within| within.as_secs()),
            include_active: policy.active == Treatment::Judge,
            include_owned: policy.owned == Treatment::Judge,
            mixed_groups: match policy.mixed_groups {
                MixedGroups::Hold => MixedGroupsWord::Hold,
                MixedGroups::Split => MixedGroupsWord::Split,
                MixedGroups::Merge => MixedGroupsWord::Merge,
            },
        }
    }
}

impl From<PolicyDocument> for Policy {
    fn from(policy: PolicyDocument) -> Policy {
        Policy {
            keep: policy.keep,
            keep_succeeded: policy.keep_succeeded,
            keep_failed: policy.keep_failed,
            keep_within: policy.keep_within_seconds.map(Duration::from_secs),
            active: Treatment::included(policy.include_active),
            owned: Treatment::included(policy.include_owned),
            mixed_groups: match policy.mixed_groups {
                MixedGroupsWord::Hold => MixedGroups::Hold,
                MixedGroupsWord::Split => MixedGroups::Split,
                MixedGroupsWord::Merge => MixedGroups::Merge,
            },
        }
    }
}
