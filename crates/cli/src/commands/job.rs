//! `plimsoll job`, `logs` and `rollback`.

use clap::{Args, Subcommand};
use plimsoll_core::deployment::LogLine;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    nouns::{ENVIRONMENT, JOB, TASK_COLUMNS},
    release,
    resource::{List, Verb, text},
    wait::{Wait, Watched, follow},
};
use crate::{
    Done,
    client::{Call, Client},
    exit::Exit,
    failure::Failure,
    output::Printer,
};

/// `job`.
#[derive(Debug, Subcommand)]
pub(crate) enum JobCommand {
    /// List them
    List(List),
    /// Show one
    Get {
        /// Its id
        id: String,
    },
    /// What it does on each target
    Tasks {
        /// Its id
        id: String,
    },
    /// Follow it to its end
    Watch {
        /// Its id
        id: String,
        #[command(flatten)]
        wait: Wait,
    },
    /// Stop it
    Cancel {
        /// Its id
        id: String,
        /// Put targets back that have the new release already
        #[arg(long)]
        rollback: bool,
        /// Why
        #[arg(long)]
        reason: Option<String>,
    },
}

pub(super) async fn job(command: JobCommand, client: &Client, printer: &Printer) -> Done {
    match command {
        JobCommand::List(list) => return JOB.run(Verb::List(list), client, printer).await,
        JobCommand::Get { id } => return JOB.run(Verb::Get { which: id }, client, printer).await,
        JobCommand::Tasks { id } => printer.list(&tasks(client, &id).await?, TASK_COLUMNS)?,
        JobCommand::Watch { id, wait } => {
            let now = JOB.get(client, &id).await?;
            let (last, exit) = follow(Watched::Job, now, &wait, client, printer).await?;
            printer.one(&last, JOB.columns)?;
            return Ok(exit);
        }
        JobCommand::Cancel { id, rollback, reason } => {
            client.guard(printer)?;
            let mut body = json!({"rollback": rollback});
            if let Some(reason) = reason {
                body["reason"] = json!(reason);
            }
            let call = Call::new(Method::POST, &format!("/deployment-jobs/{id}/cancel")).body(body);
            printer.one(&client.data(call).await?, JOB.columns)?;
        }
    }
    Ok(Exit::Ok)
}

async fn tasks(client: &Client, job: &str) -> Result<Vec<Value>, Failure> {
    JOB.list(client, &format!("/deployment-jobs/{job}/tasks"), &List::default()).await
}

/// `logs`.
#[derive(Args, Debug)]
#[command(before_help = "Examples:\n  plimsoll logs 01890a5d-ac96-774b-bcce-b302099a8057 --target web-1")]
pub(crate) struct Logs {
    /// The job's id
    job: String,
    /// Of this target alone
    #[arg(long, value_name = "NAME")]
    target: Option<String>,
}

pub(super) async fn logs(command: Logs, client: &Client, printer: &Printer) -> Done {
    for task in tasks(client, &command.job).await? {
        let target = text(&task, "/targetName").unwrap_or_default();
        if command.target.as_deref().is_some_and(|wanted| wanted != target) {
            continue;
        }
        let id = text(&task, "/id").unwrap_or_default();
        print_lines(&command.job, id, target, client, printer).await?;
    }
    Ok(Exit::Ok)
}

/// All lines of one task, a page at a time.
async fn print_lines(job: &str, task: &str, target: &str, client: &Client, printer: &Printer) -> Result<(), Failure> {
    let mut after = 0;
    loop {
        let path = format!("/deployment-jobs/{job}/tasks/{task}/logs");
        let lines: Vec<LogLine> = client.data(Call::new(Method::GET, &path).query("after", after.to_string())).await?;
        let Some(last) = lines.last() else { return Ok(()) };
        after = last.seq;
        for line in &lines {
            // Programs print what they like; a terminal must not obey it.
            let said: String = line.text.chars().map(|one| if one.is_control() { ' ' } else { one }).collect();
            let value = serde_json::to_value(line).map_err(|cause| Failure::system(cause.to_string()))?;
            printer.verdict(&format!("{} {target} {}: {said}", line.at, line.source), &value)?;
        }
    }
}

/// `rollback`.
#[derive(Args, Debug)]
#[command(
    before_help = "Examples:\n  plimsoll rollback shop --env prod --reason 'errors since 14:02'\n  plimsoll rollback shop --env prod --to 2.4.0 --reason 'errors'"
)]
pub(crate) struct Rollback {
    /// The application; needed when several run there
    application: Option<String>,
    /// Where
    #[arg(long)]
    env: String,
    /// To this version, or to NAME@VERSION; the one before when absent
    #[arg(long, value_name = "VERSION")]
    to: Option<String>,
    /// Why
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    wait: Wait,
}

pub(super) async fn rollback(command: Rollback, client: &Client, printer: &Printer) -> Done {
    client.guard(printer)?;
    let mut body = json!({"environmentId": ENVIRONMENT.id(client, &command.env).await?, "reason": command.reason});
    if let Some(to) = &command.to {
        let named = match &command.application {
            Some(application) if !to.contains('@') => format!("{application}@{to}"),
            _ => to.clone(),
        };
        body["toReleaseId"] = json!(release::id(client, &named).await?);
    }
    if let Some(application) = &command.application {
        body["application"] = json!(application);
    }
    let made: Value = client.data(Call::new(Method::POST, "/rollbacks").body(body)).await?;
    let (last, exit) = follow(Watched::Job, made, &command.wait, client, printer).await?;
    printer.one(&last, JOB.columns)?;
    Ok(exit)
}
