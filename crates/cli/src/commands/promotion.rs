//! `plimsoll promote`, `approve`, `reject` and `promotion`.

use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    names,
    nouns::{ENVIRONMENT, PACKET, PROMOTION, RELEASE},
    parts::{APPROVALS, DECISION_PARTS, PENDING, PREVIEW_PARTS},
    resource::{List, Verb, text},
    wait::{Wait, Watched, follow},
};
use crate::{
    Done,
    client::{Call, Client},
    exit::Exit,
    output::Printer,
};

/// `promote`.
#[derive(Args, Debug)]
pub(crate) struct Promote {
    /// NAME@VERSION or the release's id
    release: String,
    /// The environment
    #[arg(long, value_name = "ENV")]
    to: String,
    /// Where it comes from
    #[arg(long, value_name = "ENV")]
    from: Option<String>,
    /// Why
    #[arg(long)]
    reason: Option<String>,
    /// Not before (RFC 3339)
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Deploy although the release runs there already
    #[arg(long)]
    redeploy: bool,
    /// Only look at the gates; nothing is made
    #[arg(long)]
    preview: bool,
    #[command(flatten)]
    wait: Wait,
}

pub(super) async fn promote(command: Promote, client: &Client, printer: &Printer) -> Done {
    let to = ENVIRONMENT.id(client, &command.to).await?;
    let mut body = json!({"releaseId": RELEASE.id(client, &command.release).await?, "targetEnvironmentId": to});
    if command.preview {
        if let Some(at) = command.at {
            body["at"] = json!(at);
        }
        let preview: Value = client.data(Call::new(Method::POST, "/promotions/preview-gates").body(body)).await?;
        printer.parts(&preview, PREVIEW_PARTS)?;
        return Ok(Exit::Ok);
    }
    client.guard(printer)?;
    if let Some(from) = &command.from {
        body["sourceEnvironmentId"] = json!(ENVIRONMENT.id(client, from).await?);
    }
    for (name, value) in [("reason", command.reason), ("scheduledFor", command.at)] {
        if let Some(value) = value {
            body[name] = json!(value);
        }
    }
    body["redeploy"] = json!(command.redeploy);
    let made: Value = client.data(Call::new(Method::POST, "/promotions").body(body)).await?;
    let (last, exit) = follow(Watched::Promotion, made, &command.wait, client, printer).await?;
    explain(&last, exit, printer);
    names::one(client, printer, &last, PROMOTION.table).await?;
    Ok(exit)
}

/// What holds it up, and what to do.
fn explain(promotion: &Value, exit: Exit, printer: &Printer) {
    let gates = promotion.pointer("/decision/gates").and_then(Value::as_array);
    for gate in gates.into_iter().flatten() {
        if !matches!(text(gate, "/verdict"), Some("pass" | "overridden")) {
            let field = |pointer: &str| text(gate, pointer).unwrap_or_default();
            printer.progress(&format!("gate {}: {}: {}", field("/gate"), field("/verdict"), field("/reason")));
        }
    }
    if exit == Exit::AwaitsApproval {
        let id = text(promotion, "/id").unwrap_or_default();
        printer.progress(&format!("it waits for approval: plimsoll approve {id}"));
    }
}

/// `approve` and `reject`.
#[derive(Args, Debug)]
pub(crate) struct Decide {
    /// The promotion's id
    promotion: String,
    /// In your words
    #[arg(short, long)]
    comment: Option<String>,
    /// The hash of what you were shown; when absent, of the promotion as it is now
    #[arg(long, value_name = "DIGEST")]
    subject_hash: Option<String>,
}

pub(super) async fn approve(command: Decide, client: &Client, printer: &Printer) -> Done {
    decide(command, "approve", client, printer).await
}

pub(super) async fn reject(command: Decide, client: &Client, printer: &Printer) -> Done {
    decide(command, "reject", client, printer).await
}

async fn decide(command: Decide, verb: &str, client: &Client, printer: &Printer) -> Done {
    client.guard(printer)?;
    let path = format!("/promotions/{}", PROMOTION.only_id(&command.promotion)?);
    let hash = match command.subject_hash {
        Some(hash) => hash,
        None => {
            let shown: Value = client.data(Call::new(Method::GET, &path)).await?;
            let hash = text(&shown, "/subjectHash").unwrap_or_default().to_owned();
            printer.progress(&format!("{verb} what has the hash {hash}"));
            hash
        }
    };
    let mut body = json!({"subjectHash": hash});
    if let Some(comment) = command.comment {
        body["comment"] = json!(comment);
    }
    let answer: Value = client.data(Call::new(Method::POST, &format!("{path}/{verb}")).body(body)).await?;
    names::one(client, printer, &answer, PROMOTION.table).await?;
    Ok(Exit::Ok)
}

/// `promotion`.
#[derive(Debug, Subcommand)]
pub(crate) enum PromotionCommand {
    /// List them
    List(List),
    /// Those that wait for you
    Pending,
    /// Show one
    Get {
        /// Its id
        id: String,
    },
    /// Its gates, and what each says
    Decision {
        /// Its id
        id: String,
    },
    /// Who said what
    Approvals {
        /// Its id
        id: String,
    },
    /// Its evidence
    Evidence {
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
    /// Take it back
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

pub(super) async fn promotion(command: PromotionCommand, client: &Client, printer: &Printer) -> Done {
    let get = |path: String| async move { client.data::<Value>(Call::new(Method::GET, &path)).await };
    match command {
        PromotionCommand::List(list) => return PROMOTION.run(Verb::List(list), client, printer).await,
        PromotionCommand::Pending => {
            let found = get("/my/pending-approvals".to_owned()).await?;
            printer.list(items(&found), PENDING)?;
        }
        PromotionCommand::Get { id: which } => {
            let found = get(format!("/promotions/{}", PROMOTION.only_id(&which)?)).await?;
            names::one(client, printer, &found, PROMOTION.table).await?;
        }
        PromotionCommand::Decision { id: which } => {
            printer
                .parts(&get(format!("/promotions/{}/decision", PROMOTION.only_id(&which)?)).await?, DECISION_PARTS)?;
        }
        PromotionCommand::Approvals { id: which } => {
            let given = get(format!("/promotions/{}/approvals", PROMOTION.only_id(&which)?)).await?;
            printer.list(items(&given), APPROVALS)?;
        }
        PromotionCommand::Evidence { id: which } => {
            let packets = get(format!("/promotions/{}/evidence", PROMOTION.only_id(&which)?)).await?;
            names::list(client, printer, items(&packets), PACKET.table).await?;
        }
        PromotionCommand::Watch { id: which, wait } => {
            let now = get(format!("/promotions/{}", PROMOTION.only_id(&which)?)).await?;
            let (last, exit) = follow(Watched::Promotion, now, &wait, client, printer).await?;
            explain(&last, exit, printer);
            names::one(client, printer, &last, PROMOTION.table).await?;
            return Ok(exit);
        }
        PromotionCommand::Cancel { id: which, rollback, reason } => {
            client.guard(printer)?;
            let mut body = json!({"rollback": rollback});
            if let Some(reason) = reason {
                body["reason"] = json!(reason);
            }
            let call =
                Call::new(Method::POST, &format!("/promotions/{}/cancel", PROMOTION.only_id(&which)?)).body(body);
            names::one(client, printer, &client.data(call).await?, PROMOTION.table).await?;
        }
    }
    Ok(Exit::Ok)
}

/// The items of a list that has no pages.
fn items(list: &Value) -> &[Value] {
    list.as_array().map(Vec::as_slice).unwrap_or_default()
}
