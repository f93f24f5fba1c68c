//! `plimsoll logs`: what a job's tasks said, and what they say while it runs.

use std::{collections::HashMap, time::Duration};

use clap::Args;
use plimsoll_core::deployment::{JobStatus, LogLine};
use reqwest::Method;
use serde::Deserialize as _;
use serde_json::Value;
use tokio::signal::unix::SignalKind;

use super::{job::tasks, nouns::JOB, resource::text};
use crate::{
    Done,
    client::{
        Call, Client,
        stream::{JobStream, Message, Next},
    },
    exit::Exit,
    failure::Failure,
    output::{Printer, plain},
    signals::listen_for,
};

/// Between two questions, where no stream tells.
const PAUSE: Duration = Duration::from_secs(1);

/// `logs`.
#[derive(Args, Debug)]
pub(crate) struct Logs {
    /// The job's id
    job: String,
    /// Of this target alone
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
    /// Go on until the job ends
    #[arg(short, long)]
    follow: bool,
}

pub(super) async fn logs(command: Logs, client: &Client, printer: &Printer) -> Done {
    let mut reader = Reader { job: &command.job, target: command.target.as_deref(), seen: HashMap::new() };
    if !command.follow {
        reader.read_all(client, printer).await?;
        return Ok(Exit::Ok);
    }
    let mut interrupt = listen_for(SignalKind::interrupt())?;
    // An id that names nothing is told as always, not as a stream that cannot be had.
    JOB.get(client, &command.job).await?;
    tokio::select! {
        ended = reader.follow(client, printer) => ended.map(|()| Exit::Ok),
        _ = interrupt.recv() => Ok(Exit::Interrupted),
    }
}

/// A task of which lines are printed.
#[derive(Debug)]
struct Seen {
    target: String,
    /// The number of the last line that was printed.
    last: u64,
}

struct Reader<'a> {
    job: &'a str,
    target: Option<&'a str>,
    seen: HashMap<String, Seen>,
}

impl Reader<'_> {
    /// By the job's stream. Where it cannot be had, by asking; no line comes twice.
    async fn follow(&mut self, client: &Client, printer: &Printer) -> Result<(), Failure> {
        let mut stream = JobStream::new(client, self.job);
        loop {
            match stream.next().await {
                Next::Message(message) => self.take(&message, client, printer).await?,
                Next::End => return Ok(()),
                Next::Lost => {
                    // What is said until it ends is there once it has ended.
                    let job = JOB.get(client, self.job).await?;
                    self.read_all(client, printer).await?;
                    if JobStatus::deserialize(&job["status"]).is_ok_and(JobStatus::is_terminal) {
                        return Ok(());
                    }
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    async fn take(&mut self, message: &Message, client: &Client, printer: &Printer) -> Result<(), Failure> {
        let Some(task) = text(&message.data, "/taskId") else { return Ok(()) };
        if let Some(target) = text(&message.data, "/targetName") {
            self.know(task, target);
        }
        if message.kind != "task.log" {
            return Ok(());
        }
        if !self.seen.contains_key(task) {
            self.know_all(client).await?;
        }
        let lines = message.data.get("lines").map_or(Ok(Vec::new()), Vec::<LogLine>::deserialize);
        self.print(task, &lines.map_err(|cause| strange(&cause))?, printer)
    }

    /// All lines of all tasks, a page at a time.
    async fn read_all(&mut self, client: &Client, printer: &Printer) -> Result<(), Failure> {
        for task in self.know_all(client).await? {
            let path = format!("/deployment-jobs/{}/tasks/{task}/logs", self.job);
            loop {
                let after = self.seen.get(&task).map_or(0, |seen| seen.last);
                let call = Call::new(Method::GET, &path).query("after", after.to_string());
                let lines: Vec<LogLine> = client.data(call).await?;
                if lines.is_empty() {
                    break;
                }
                self.print(&task, &lines, printer)?;
            }
        }
        Ok(())
    }

    /// The ids of the tasks whose lines are wanted.
    async fn know_all(&mut self, client: &Client) -> Result<Vec<String>, Failure> {
        let mut wanted = Vec::new();
        for task in tasks(client, self.job).await? {
            let (id, target) = (text(&task, "/id").unwrap_or_default(), text(&task, "/targetName").unwrap_or_default());
            self.know(id, target);
            if self.target.is_none_or(|wanted| wanted == target) {
                wanted.push(id.to_owned());
            }
        }
        Ok(wanted)
    }

    fn know(&mut self, task: &str, target: &str) {
        self.seen.entry(task.to_owned()).or_insert_with(|| Seen { target: target.to_owned(), last: 0 });
    }

    fn print(&mut self, task: &str, lines: &[LogLine], printer: &Printer) -> Result<(), Failure> {
        let Some(seen) = self.seen.get_mut(task) else { return Ok(()) };
        for line in lines {
            // What was read already, by the stream or before it.
            if line.seq <= seen.last {
                continue;
            }
            seen.last = line.seq;
            if self.target.is_some_and(|wanted| wanted != seen.target) {
                continue;
            }
            let mut value = serde_json::to_value(line).map_err(|cause| strange(&cause))?;
            value["target"] = Value::from(seen.target.as_str());
            printer.verdict(&format!("{} {} {}: {}", line.at, seen.target, line.source, plain(&line.text)), &value)?;
        }
        Ok(())
    }
}

fn strange(cause: &serde_json::Error) -> Failure {
    Failure::system(format!("a log line is not as expected: {cause}"))
}
