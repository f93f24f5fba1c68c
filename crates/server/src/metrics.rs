//! What the operator's monitoring reads, in Prometheus' text (OpenMetrics 1.0).

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64},
    },
};

use plimsoll_core::{Error, Result, Timestamp};
use plimsoll_store::{
    Scope, SystemReason,
    census::{self, ByStatus, Census},
};
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram, info::Info},
    registry::{Registry, Unit},
};

use crate::{disk::Space, state::Server};

/// Upper bounds of the classes of a call's duration, in seconds.
const DURATIONS: [f64; 11] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0];

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Served {
    operation: &'static str,
    status: u16,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Timed {
    operation: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Status {
    status: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Kind {
    kind: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Noun {
    noun: String,
}

/// The counters of this process, and the gauges that are read when somebody asks.
pub(crate) struct Metrics {
    registry: Registry,
    requests: Family<Served, Counter>,
    durations: Family<Timed, Histogram, fn() -> Histogram>,
    agents: Family<Status, Gauge>,
    jobs: Family<Status, Gauge>,
    promotions: Family<Status, Gauge>,
    work: Family<Kind, Gauge>,
    stuck: Family<Noun, Gauge>,
    unsequenced: Gauge,
    unsigned: Gauge,
    disk_total: Gauge<u64, AtomicU64>,
    disk_free: Gauge<u64, AtomicU64>,
    resident: Gauge<i64, AtomicI64>,
}

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Metrics")
    }
}

fn histogram() -> Histogram {
    Histogram::new(DURATIONS)
}

impl Metrics {
    pub(crate) fn new(started: Timestamp) -> Self {
        let mut registry = Registry::with_prefix("plimsoll");
        let this = Self {
            requests: Family::default(),
            durations: Family::new_with_constructor(histogram as fn() -> Histogram),
            agents: Family::default(),
            jobs: Family::default(),
            promotions: Family::default(),
            work: Family::default(),
            stuck: Family::default(),
            unsequenced: Gauge::default(),
            unsigned: Gauge::default(),
            disk_total: Gauge::default(),
            disk_free: Gauge::default(),
            resident: Gauge::default(),
            registry: Registry::default(),
        };
        registry.register("build", "The program", Info::new([("version", env!("CARGO_PKG_VERSION"))]));
        let since: Gauge = Gauge::default();
        since.set(started.as_micros() / 1_000_000);
        registry.register_with_unit("start_time", "When the process started, since 1970", Unit::Seconds, since);
        registry.register("requests", "Calls answered, by operation and status", this.requests.clone());
        let durations = this.durations.clone();
        registry.register_with_unit(
            "request_duration",
            "From a call's headers to its answer",
            Unit::Seconds,
            durations,
        );
        registry.register("agents", "Agents by status", this.agents.clone());
        registry.register("open_jobs", "Deployment jobs that have not ended", this.jobs.clone());
        registry.register("open_promotions", "Promotions that have not ended", this.promotions.clone());
        registry.register("work", "Background work that waits or is in hand, by kind", this.work.clone());
        registry.register("stuck_rows", "Rows that nothing moves any more; each is a defect", this.stuck.clone());
        registry.register("unsequenced_events", "Committed events without a position", this.unsequenced.clone());
        registry.register("unsigned_evidence", "Sealed evidence that is not yet signed", this.unsigned.clone());
        let (total, free) = (this.disk_total.clone(), this.disk_free.clone());
        registry.register_with_unit("disk_size", "The data directory's file system", Unit::Bytes, total);
        registry.register_with_unit("disk_free", "What is free on it", Unit::Bytes, free);
        registry.register_with_unit("resident_memory", "Memory of the process", Unit::Bytes, this.resident.clone());
        Self { registry, ..this }
    }

    /// One call was answered.
    pub(crate) fn served(&self, operation: &'static str, status: u16, micros: i64) {
        self.requests.get_or_create(&Served { operation, status }).inc();
        self.durations.get_or_create(&Timed { operation }).observe(micros.max(0) as f64 / 1e6);
    }

    fn note(&self, census: &Census) {
        let by_status = |family: &Family<Status, Gauge>, rows: &ByStatus| {
            family.clear();
            for (status, rows) in rows {
                family.get_or_create(&Status { status: status.clone() }).set(*rows);
            }
        };
        by_status(&self.agents, &census.agents);
        by_status(&self.jobs, &census.jobs);
        by_status(&self.promotions, &census.promotions);
        self.work.clear();
        for (kind, rows) in &census.work {
            self.work.get_or_create(&Kind { kind: kind.clone() }).set(*rows);
        }
        for (noun, rows) in &census.stuck {
            self.stuck.get_or_create(&Noun { noun: noun.clone() }).set(*rows);
        }
        self.unsequenced.set(census.unsequenced);
        self.unsigned.set(census.unsigned);
    }
}

/// The text, with what the database and the system say now.
pub(crate) async fn text(server: &Arc<Server>) -> Result<String> {
    let census = server.app.store.read(Scope::System(SystemReason::Sweep), "metrics", census::take).await?;
    let metrics = &server.metrics;
    metrics.note(&census);
    let Space { total, free } = server.disk.space();
    metrics.disk_total.set(total);
    metrics.disk_free.set(free);
    metrics.resident.set(resident().unwrap_or(0));
    let mut out = String::new();
    encode(&mut out, &metrics.registry)
        .map_err(|cause| Error::internal_defect(format!("the metrics cannot be written: {cause}")))?;
    Ok(out)
}

/// Resident memory of this process in bytes (proc(5), `VmRSS`).
fn resident() -> Option<i64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: i64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}
