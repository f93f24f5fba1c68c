//! `plimsoll job` and `rollback`.

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    names,
    nouns::{ENVIRONMENT, JOB, RELEASE},
    parts::TASKS,
    resource::{List, Verb},
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
        JobCommand::Tasks { id } => printer.list(&tasks(client, &id).await?, TASKS)?,
        JobCommand::Watch { id, wait } => {
            let now = JOB.get(client, &id).await?;
            let (last, exit) = follow(Watched::Job, now, &wait, client, printer).await?;
            names::one(client, printer, &last, JOB.table).await?;
            return Ok(exit);
        }
        JobCommand::Cancel { id, rollback, reason } => {
            let id = JOB.only_id(&id)?;
            client.guard(printer)?;
            let mut body = json!({"rollback": rollback});
            if let Some(reason) = reason {
                body["reason"] = json!(reason);
            }
            let call = Call::new(Method::POST, &format!("/deployment-jobs/{id}/cancel")).body(body);
            names::one(client, printer, &client.data(call).await?, JOB.table).await?;
        }
    }
    Ok(Exit::Ok)
}

pub(super) async fn tasks(client: &Client, job: &str) -> Result<Vec<Value>, Failure> {
    JOB.list(client, &format!("/deployment-jobs/{}/tasks", JOB.only_id(job)?), &List::default()).await
}

/// `rollback`.
#[derive(Args, Debug)]
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
        body["toReleaseId"] = json!(RELEASE.id(client, &named).await?);
    }
    if let Some(application) = &command.application {
        body["application"] = json!(application);
    }
    let made: Value = client.data(Call::new(Method::POST, "/rollbacks").body(body)).await?;
    let (last, exit) = follow(Watched::Job, made, &command.wait, client, printer).await?;
    names::one(client, printer, &last, JOB.table).await?;
    Ok(exit)
}
