//! Waiting for promotions and jobs, and the exit code that follows from how they ended.

use std::time::Duration;

use clap::{Args, ValueEnum};
use plimsoll_core::{deployment::JobStatus, promotion::PromotionStatus};
use reqwest::Method;
use serde::Deserialize as _;
use serde_json::Value;
use tokio::signal::unix::SignalKind;

use super::{
    nouns::JOB,
    resource::{List, text},
    view::{self, View},
};
use crate::{
    client::{
        Call, Client,
        stream::{JobStream, Next},
    },
    exit::Exit,
    failure::Failure,
    output::{self, Live, Printer},
    signals::listen_for,
};

/// Between two questions, where no stream tells.
const PAUSE: Duration = Duration::from_millis(500);
/// Questions that a server may leave without an answer; each is tried thrice.
const AWAY: usize = 20;

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    let mut interrupt = listen_for(SignalKind::interrupt())?;
    let (mut last, mut live) = (item, Live::new(printer));
    let watching = watch(watched, &id, wait.until, &mut last, client, &mut live);
    let (exit, left) = tokio::select! {
        ended = tokio::time::timeout(Duration::from_secs(wait.timeout), watching) => match ended {
            Ok(exit) => (exit?, None),
            Err(_) => (Exit::TimedOut, Some("the time to wait is over; the work goes on")),
        },
        _ = interrupt.recv() => (Exit::Interrupted, Some("detached; the work goes on")),
    };
    drop(live);
    if let Some(what) = left {
        printer.progress(&resume(watched, &id, what));
    }
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
    live: &mut Live,
) -> Result<Exit, Failure> {
    let mut followed: Option<String> = None;
    loop {
        if watched == Watched::Job {
            *last = job_ends(id, client, live).await?;
        }
        view::state(watched.noun(), last).on(live);
        if let Some(exit) = watched.settled(text(last, "/status").unwrap_or_default(), until) {
            return Ok(exit);
        }
        match text(last, "/deploymentJobId") {
            // What a promotion does is its job.
            Some(job) if followed.as_deref() != Some(job) => {
                live.line(&format!("deployment job {job}"));
                followed = Some(job.to_owned());
                job_ends(job, client, live).await?;
            }
            _ => tokio::time::sleep(PAUSE).await,
        }
        *last = patient(client, &format!("{}/{id}", watched.path())).await?;
    }
}

/// Follows a job's stream to its end, and shows what comes. Where the stream cannot be had, the job is asked
/// again and again. Gives the job as it ended.
async fn job_ends(id: &str, client: &Client, live: &mut Live) -> Result<Value, Failure> {
    let (mut stream, mut view) = (JobStream::new(client, id), View::default());
    let path = format!("{}/{id}", Watched::Job.path());
    loop {
        match stream.next().await {
            Next::Message(message) => {
                if let Some(shown) = view.take(&message) {
                    shown.on(live);
                }
            }
            Next::End => return patient(client, &path).await,
            Next::Lost => {
                let seen = ask(&path, &mut view, client, live).await?;
                if Watched::Job.settled(text(&seen, "/status").unwrap_or_default(), Until::Terminal).is_some() {
                    return Ok(seen);
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
}

/// What can be told of a job without its stream.
async fn ask(path: &str, view: &mut View, client: &Client, live: &mut Live) -> Result<Value, Failure> {
    let job = patient(client, path).await?;
    view::state(Watched::Job.noun(), &job).on(live);
    let tasks = JOB.list(client, &format!("{path}/tasks"), &List { limit: 0, ..List::default() }).await?;
    for task in tasks {
        // A newer server's task may have what we don't know; the job's own line stands.
        if let Some(shown) = serde_json::from_value(task).ok().and_then(|task| view.task(&task)) {
            shown.on(live);
        }
    }
    Ok(job)
}

/// Asks until the server answers: one that starts again does not end the waiting.
async fn patient(client: &Client, path: &str) -> Result<Value, Failure> {
    for _ in 0..AWAY {
        match client.data(Call::new(Method::GET, path)).await {
            Err(failure) if failure.exit == Exit::Unreachable => tokio::time::sleep(PAUSE).await,
            other => return other,
        }
    }
    client.data(Call::new(Method::GET, path)).await
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
