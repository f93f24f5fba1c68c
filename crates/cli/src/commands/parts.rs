//! The tables of answers that are no resource of a list.

use crate::output::{Called, Column, Part, Table};

/// What each target holds, beside what it should.
pub(crate) const HELD: Table = Table::new(
    Called::At("/application"),
    &[
        Column::new("APPLICATION", "/application"),
        Column::new("AGREES", "/agrees"),
        Column::new("SIGNATURE VALID", "/signatureValid"),
        Column::new("EXPECTED", "/expected/releaseVersion"),
        Column::new("SEEN", "/observedAt"),
    ],
);

pub(crate) const APPROVALS: Table = Table::new(
    Called::Id,
    &[
        Column::new("VERDICT", "/verdict"),
        Column::new("BY", "/by/name"),
        Column::new("COUNTS", "/valid"),
        Column::new("WHY NOT", "/voidReason"),
        Column::new("COMMENT", "/comment"),
        Column::wide("ROLES", "/roles"),
        Column::wide("HASH", "/subjectHash"),
        Column::new("AT", "/at"),
    ],
);

pub(crate) const GATES: Table = Table::new(
    Called::Nothing,
    &[
        Column::new("GATE", "/gate"),
        Column::new("VERDICT", "/verdict"),
        Column::new("REASON", "/reason"),
        Column::wide("RETRY AT", "/retryAt"),
    ],
);

pub(crate) const DECISION_PARTS: &[Part] = &[
    Part {
        pointer: "",
        table: Table::new(
            Called::Nothing,
            &[
                Column::new("OUTCOME", "/outcome"),
                Column::new("EVALUATED", "/evaluatedAt"),
                Column::wide("INPUTS", "/inputsHash"),
            ],
        ),
    },
    Part { pointer: "/gates", table: GATES },
];

pub(crate) const PREVIEW_PARTS: &[Part] = &[
    Part {
        pointer: "",
        table: Table::new(
            Called::Nothing,
            &[Column::new("OUTCOME", "/outcome"), Column::new("AT", "/at"), Column::wide("HASH", "/subjectHash")],
        ),
    },
    Part { pointer: "/gates", table: GATES },
    Part {
        pointer: "/missingApprovals",
        table: Table::new(
            Called::Nothing,
            &[Column::new("POLICY", "/policy"), Column::new("RULE", "/rule"), Column::new("NEEDED", "/needed")],
        ),
    },
    Part {
        pointer: "/changes",
        table: Table::new(
            Called::Nothing,
            &[
                Column::new("COMPONENT", "/name"),
                Column::new("CHANGE", "/change"),
                Column::new("FROM", "/fromTag"),
                Column::new("TO", "/toTag"),
                Column::wide("FROM DIGEST", "/fromDigest"),
                Column::wide("TO DIGEST", "/toDigest"),
            ],
        ),
    },
    Part {
        pointer: "/plan/targets",
        table: Table::new(
            Called::Nothing,
            &[Column::new("TARGET", "/name"), Column::new("BATCH", "/batch"), Column::new("LEFT OUT", "/skip")],
        ),
    },
];

pub(crate) const STATES: Table = Table::new(
    Called::At("/environment"),
    &[
        Column::new("ENVIRONMENT", "/environment"),
        Column::new("STATUS", "/status"),
        Column::new("TARGETS", "/targets"),
        Column::wide("PROMOTION", "/promotionId"),
        Column::wide("JOB", "/jobId"),
        Column::new("SINCE", "/since"),
    ],
);

pub(crate) const TEST_PARTS: &[Part] = &[
    Part {
        pointer: "",
        table: Table::new(Called::Nothing, &[Column::new("OK", "/ok"), Column::new("MS", "/latencyMs")]),
    },
    Part {
        pointer: "/checks",
        table: Table::new(
            Called::Nothing,
            &[Column::new("CHECK", "/name"), Column::new("OK", "/ok"), Column::new("FOUND", "/message")],
        ),
    },
];

pub(crate) const FOUND: Table = Table::new(
    Called::Name,
    &[Column::new("NAME", "/name"), Column::new("KIND", "/kind"), Column::wide("DESCRIPTION", "/description")],
);

pub(crate) const SYNC_PARTS: &[Part] = &[
    Part {
        pointer: "",
        table: Table::new(
            Called::Nothing,
            &[
                Column::new("ADDED", "/added"),
                Column::new("MOVED", "/moved"),
                Column::new("UNCHANGED", "/unchanged"),
                Column::new("SKIPPED", "/skipped"),
                Column::new("REMAINING", "/remaining"),
            ],
        ),
    },
    Part {
        pointer: "/failed",
        table: Table::new(Called::Nothing, &[Column::new("TAG", "/tag"), Column::new("REASON", "/message")]),
    },
];

pub(crate) const TASKS: Table = Table::new(
    Called::Id,
    &[
        Column::new("TARGET", "/targetName"),
        Column::new("STATUS", "/status"),
        Column::new("ERROR", "/error/message"),
        Column::wide("ID", "/id"),
        Column::new("STARTED", "/startedAt"),
        Column::new("FINISHED", "/finishedAt"),
    ],
);

pub(crate) const VERSIONS: Table = Table::new(
    Called::At("/tag"),
    &[
        Column::new("TAG", "/tag"),
        Column::new("VERSION", "/version"),
        Column::new("DIGEST", "/digest"),
        Column::wide("ID", "/id"),
        Column::new("SEEN", "/discoveredAt"),
    ],
);

pub(crate) const PENDING: Table = Table::new(
    Called::At("/promotionId"),
    &[
        Column::new("ID", "/promotionId"),
        Column::new("APPLICATION", "/application"),
        Column::new("VERSION", "/releaseVersion"),
        Column::new("TO", "/environmentName"),
        Column::new("BY", "/requestedBy/name"),
        Column::new("REASON", "/reason"),
        Column::wide("HASH", "/subjectHash"),
        Column::new("REQUESTED", "/requestedAt"),
    ],
);
