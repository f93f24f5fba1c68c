//! Waiting for promotions and jobs, and the exit code that follows from how they ended.

use std::time::Duration;

use clap::{Args, ValueEnum};
use plimsoll_core::{deployment::JobStatus, promotion::PromotionStatus};
use reqwest::Method;
use serde::Deserialize as _;
use serde_json::Value;

use super::resource::text;
use crate::{
    client::{Call, Client},
    exit::Exit,
    failure::Failure,
    output::{self, Printer},
};

const PAUSE: Duration = Duration::from_millis(500);

/// Whether and how long to wait.
#[derive(Args, Clone, Debug)]
pub(crate) struct Wait {
    /// Wait for the end (in a terminal this is so anyway)
    #[arg(long = "wait", conflicts_with = "no")]
    always: bool,
    /// Return at once
    #[arg(long = "no-wait")]
    no: bool,
    /// Seconds to wait at most
    #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
    timeout: u64,
    /// What to wait for
    #[arg(long, value_enum, default_value_t = Until::Terminal)]
    until: Until,
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Until {
    /// It has succeeded; waits on through approvals
    Succeeded,
    /// It has ended, or somebody must approve
    Terminal,
    /// Somebody must approve
    Approval,
}

impl Wait {
    fn wanted(&self) -> bool {
        self.always || (!self.no && output::at_terminal())
    }
}

/// Something that changes until it ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum Watched {
    Promotion,
    Job,
}

impl Watched {
    const fn path(self) -> &'static str {
        match self {
            Self::Promotion => "/promotions",
            Self::Job => "/deployment-jobs",
        }
    }

    const fn noun(self) -> &'static str {
        match self {
            Self::Promotion => "promotion",
            Self::Job => "job",
        }
    }

    /// The exit code once there is nothing more to wait for.
    fn settled(self, status: &str, until: Until) -> Option<Exit> {
        let read = serde::de::value::StrDeserializer::<serde::de::value::Error>::new(status);
        match self {
            Self::Promotion => PromotionStatus::deserialize(read).ok().and_then(|status| promotion(status, until)),
            Self::Job => JobStatus::deserialize(read).ok().and_then(job),
        }
    }
}

const fn promotion(status: PromotionStatus, until: Until) -> Option<Exit> {
    match status {
        PromotionStatus::Evaluating
        | PromotionStatus::Scheduled
        | PromotionStatus::Approved
        | PromotionStatus::Deploying => None,
        PromotionStatus::AwaitingApproval => match until {
            Until::Succeeded => None,
            Until::Terminal | Until::Approval => Some(Exit::AwaitsApproval),
        },
        PromotionStatus::Blocked => match until {
            Until::Succeeded => None,
            Until::Terminal | Until::Approval => Some(Exit::Denied),
        },
        PromotionStatus::Deployed => Some(Exit::Ok),
        PromotionStatus::Failed | PromotionStatus::RolledBack => Some(Exit::WorkFailed),
        PromotionStatus::Rejected => Some(Exit::Denied),
        PromotionStatus::Cancelled | PromotionStatus::Expired | PromotionStatus::Superseded => Some(Exit::Conflict),
    }
}

const fn job(status: JobStatus) -> Option<Exit> {
    match status {
        JobStatus::Queued | JobStatus::Running | JobStatus::Paused | JobStatus::Cancelling => None,
        JobStatus::Succeeded => Some(Exit::Ok),
        JobStatus::Failed | JobStatus::RolledBack => Some(Exit::WorkFailed),
        JobStatus::Cancelled => Some(Exit::Conflict),
    }
}

/// Follows `item` until it ends, its time runs out or the person leaves; gives its last state.
pub(super) async fn follow(
    watched: Watched,
    item: Value,
    wait: &Wait,
    client: &Client,
    printer: &Printer,
) -> Result<(Value, Exit), Failure> {
    let id = text(&item, "/id").unwrap_or_default().to_owned();
    if !wait.wanted() {
        // What was refused at once is told at once.
        let exit = watched.settled(text(&item, "/status").unwrap_or_default(), Until::Terminal).unwrap_or(Exit::Ok);
        return Ok((item, exit));
    }
    let mut last = item;
    let watching = watch(watched, &id, wait.until, &mut last, client, printer);
    let exit = tokio::select! {
        ended = tokio::time::timeout(Duration::from_secs(wait.timeout), watching) => match ended {
            Ok(exit) => exit?,
            Err(_) => {
                printer.progress(&resume(watched, &id, "the time to wait is over; the work goes on"));
                Exit::TimedOut
            }
        },
        _ = tokio::signal::ctrl_c() => {
            printer.progress(&resume(watched, &id, "detached; the work goes on"));
            Exit::Interrupted
        }
    };
    Ok((last, exit))
}

fn resume(watched: Watched, id: &str, what: &str) -> String {
    let noun = watched.noun();
    format!("{what}\n  watch it again: plimsoll {noun} watch {id}\n  stop it:        plimsoll {noun} cancel {id}")
}

async fn watch(
    watched: Watched,
    id: &str,
    until: Until,
    last: &mut Value,
    client: &Client,
    printer: &Printer,
) -> Result<Exit, Failure> {
    let mut told = String::new();
    loop {
        let line = line(watched, last);
        if line != told {
            printer.progress(&line);
            told = line;
        }
        if let Some(exit) = watched.settled(text(last, "/status").unwrap_or_default(), until) {
            return Ok(exit);
        }
        tokio::time::sleep(PAUSE).await;
        *last = client.data(Call::new(Method::GET, &format!("{}/{id}", watched.path()))).await?;
    }
}

fn line(watched: Watched, item: &Value) -> String {
    let status = text(item, "/status").unwrap_or("unknown");
    let number = |pointer: &str| item.pointer(pointer).and_then(Value::as_u64);
    let targets = number("/progress/total")
        .map_or(String::new(), |total| format!(", targets {}/{total}", number("/progress/succeeded").unwrap_or(0)));
    let why = text(item, "/failure/message").map_or(String::new(), |why| format!(": {why}"));
    format!("{} {status}{targets}{why}", watched.noun())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_it_ended_is_the_exit_code() {
        let cases = [
            (Watched::Promotion, "deployed", Some(Exit::Ok)),
            (Watched::Promotion, "awaiting_approval", Some(Exit::AwaitsApproval)),
            (Watched::Promotion, "blocked", Some(Exit::Denied)),
            (Watched::Promotion, "rejected", Some(Exit::Denied)),
            (Watched::Promotion, "failed", Some(Exit::WorkFailed)),
            (Watched::Promotion, "deploying", None),
            (Watched::Job, "running", None),
            (Watched::Job, "succeeded", Some(Exit::Ok)),
            (Watched::Job, "rolled_back", Some(Exit::WorkFailed)),
        ];
        for (watched, status, exit) in cases {
            assert_eq!(watched.settled(status, Until::Terminal), exit, "{status}");
        }
        assert_eq!(Watched::Promotion.settled("awaiting_approval", Until::Succeeded), None);
    }
}
