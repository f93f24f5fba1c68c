//! The tables of answers that are no resource of a list.

use crate::output::{Column, Part};

/// What each target holds, beside what it should.
pub(crate) const HELD_COLUMNS: &[Column] = &[
    Column::new("APPLICATION", "/application"),
    Column::new("AGREES", "/agrees"),
    Column::new("SIGNATURE VALID", "/signatureValid"),
    Column::new("EXPECTED", "/expected/releaseVersion"),
    Column::new("SEEN", "/observedAt"),
];

pub(crate) const APPROVAL_COLUMNS: &[Column] = &[
    Column::new("VERDICT", "/verdict"),
    Column::new("BY", "/by/name"),
    Column::new("COUNTS", "/valid"),
    Column::new("WHY NOT", "/voidReason"),
    Column::new("COMMENT", "/comment"),
    Column::wide("ROLES", "/roles"),
    Column::wide("HASH", "/subjectHash"),
    Column::new("AT", "/at"),
];

pub(crate) const GATE_COLUMNS: &[Column] = &[
    Column::new("GATE", "/gate"),
    Column::new("VERDICT", "/verdict"),
    Column::new("REASON", "/reason"),
    Column::wide("RETRY AT", "/retryAt"),
];

pub(crate) const DECISION_PARTS: &[Part] = &[
    Part {
        pointer: "",
        columns: &[
            Column::new("OUTCOME", "/outcome"),
            Column::new("EVALUATED", "/evaluatedAt"),
            Column::wide("INPUTS", "/inputsHash"),
        ],
    },
    Part { pointer: "/gates", columns: GATE_COLUMNS },
];

pub(crate) const PREVIEW_PARTS: &[Part] = &[
    Part {
        pointer: "",
        columns: &[Column::new("OUTCOME", "/outcome"), Column::new("AT", "/at"), Column::wide("HASH", "/subjectHash")],
    },
    Part { pointer: "/gates", columns: GATE_COLUMNS },
    Part {
        pointer: "/missingApprovals",
        columns: &[Column::new("POLICY", "/policy"), Column::new("RULE", "/rule"), Column::new("NEEDED", "/needed")],
    },
    Part {
        pointer: "/changes",
        columns: &[
            Column::new("COMPONENT", "/name"),
            Column::new("CHANGE", "/change"),
            Column::new("FROM", "/fromTag"),
            Column::new("TO", "/toTag"),
            Column::wide("FROM DIGEST", "/fromDigest"),
            Column::wide("TO DIGEST", "/toDigest"),
        ],
    },
    Part {
        pointer: "/plan/targets",
        columns: &[Column::new("TARGET", "/name"), Column::new("BATCH", "/batch"), Column::new("LEFT OUT", "/skip")],
    },
];

pub(crate) const STATE_COLUMNS: &[Column] = &[
    Column::new("ENVIRONMENT", "/environment"),
    Column::new("STATUS", "/status"),
    Column::new("TARGETS", "/targets"),
    Column::wide("DRIFT", "/drift"),
    Column::wide("PROMOTION", "/promotionId"),
    Column::wide("JOB", "/jobId"),
    Column::new("SINCE", "/since"),
];

pub(crate) const TEST_PARTS: &[Part] = &[
    Part { pointer: "", columns: &[Column::new("OK", "/ok"), Column::new("MS", "/latencyMs")] },
    Part {
        pointer: "/checks",
        columns: &[Column::new("CHECK", "/name"), Column::new("OK", "/ok"), Column::new("FOUND", "/message")],
    },
];

pub(crate) const FOUND_COLUMNS: &[Column] =
    &[Column::new("NAME", "/name"), Column::new("KIND", "/kind"), Column::wide("DESCRIPTION", "/description")];

pub(crate) const SYNC_PARTS: &[Part] = &[
    Part {
        pointer: "",
        columns: &[
            Column::new("ADDED", "/added"),
            Column::new("MOVED", "/moved"),
            Column::new("UNCHANGED", "/unchanged"),
            Column::new("SKIPPED", "/skipped"),
            Column::new("REMAINING", "/remaining"),
        ],
    },
    Part { pointer: "/failed", columns: &[Column::new("TAG", "/tag"), Column::new("REASON", "/message")] },
];
