//! `plimsoll evidence`: packets checked and decisions made again, without a server.

use std::path::Path;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use plimsoll_core::{
    evidence_packet::EvidenceKey,
    promotion::{Decision, DecisionInputs, decide},
};
use plimsoll_evidence::{
    Packet, Part, PredicateType, Statement, VerifyError,
    archive::{MAX_ARCHIVE_BYTES, is_archive, unpack, verify_file},
};
use reqwest::Method;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::{file, nouns::PACKET, resource::Verb};
use crate::{
    Done,
    args::{OfflineEvidence, StoredEvidence, Verify},
    client::{Call, Client},
    exit::Exit,
    failure::Failure,
    output::Printer,
};

pub(super) fn run(command: OfflineEvidence, printer: &Printer) -> Done {
    match command {
        OfflineEvidence::Verify(what) => verify(&what, printer),
        OfflineEvidence::Replay { file, key } => replay(&file, key.as_deref(), printer),
    }
}

/// What the server has.
pub(super) async fn stored(command: StoredEvidence, client: &Client, printer: &Printer) -> Done {
    match command {
        StoredEvidence::List(list) => PACKET.run(Verb::List(list), client, printer).await,
        StoredEvidence::Get { id } => PACKET.run(Verb::Get { which: id }, client, printer).await,
        StoredEvidence::Key { all } => {
            let keys: Vec<EvidenceKey> = client.data(Call::new(Method::GET, "/evidence-keys")).await?;
            for key in keys.iter().filter(|key| all || key.current) {
                printer.progress(&format!("key {}", key.key_id));
                printer.bytes(key.public_key_pem.as_bytes())?;
            }
            Ok(Exit::Ok)
        }
        StoredEvidence::Download { id, dsse, bundle } => {
            let id = PACKET.only_id(&id)?;
            let mut call = Call::new(Method::GET, &format!("/evidence-packets/{id}/download"));
            if dsse || bundle {
                call = call.query("format", if dsse { "dsse" } else { "bundle" });
            }
            let answer = client.send(&call).await?;
            if !answer.status.is_success() {
                return Err(answer.failure());
            }
            // The signature is over exactly these bytes.
            printer.bytes(&answer.bytes)?;
            Ok(Exit::Ok)
        }
    }
}

/// What a packet is refused for.
pub(super) fn refused(path: &Path, cause: &VerifyError) -> Failure {
    Failure::new(Exit::Unexpected, cause.code(), format!("{} is not verified: {cause}", path.display()))
}

fn verify(what: &Verify, printer: &Printer) -> Done {
    let key = file::key(&what.key)?;
    let bytes = file::read(&what.file, MAX_ARCHIVE_BYTES as u64 + 1)?;
    let verified = verify_file(&bytes, &key).map_err(|cause| refused(&what.file, &cause))?;
    let statement = verified.statement();
    let kind = statement.predicate_type().uri();
    let mut text = format!("verified: {kind}, signed by key {}", verified.key_id());
    for subject in statement.subjects() {
        text.push_str(&format!("\n  {} {}", subject.name, subject.digest));
    }
    let subjects: Vec<_> =
        statement.subjects().iter().map(|one| json!({"name": one.name, "digest": one.digest})).collect();
    let value = json!({
        "verified": true, "keyId": verified.key_id(), "predicateType": kind,
        "subject": subjects, "predicate": statement.predicate(),
    });
    printer.verdict(&text, &value)?;
    Ok(Exit::Ok)
}

fn replay(path: &Path, key: Option<&Path>, printer: &Printer) -> Done {
    let bytes = file::read(path, MAX_ARCHIVE_BYTES as u64 + 1)?;
    let statement = match key {
        Some(key) => verify_file(&bytes, &file::key(key)?).map(|verified| verified.statement().clone()),
        None => unverified(&bytes),
    }
    .map_err(|cause| refused(path, &cause))?;
    let kind = statement.predicate_type();
    if kind != PredicateType::PromotionDecision {
        return Err(Failure::usage(format!("{} is {}: only decisions can be replayed", path.display(), kind.uri())));
    }
    let inputs: DecisionInputs = part(&statement, path, "inputs")?;
    let recorded: Decision = part(&statement, path, "decision")?;
    let differences = decide::replay(&inputs, &recorded)?;
    let value = json!({"same": differences.is_empty(), "outcome": recorded.outcome, "differences": differences});
    if differences.is_empty() {
        let signature = if key.is_some() { "verified" } else { "not checked (give --key)" };
        printer.verdict(&format!("the same: {}; signature {signature}", recorded.outcome), &value)?;
        return Ok(Exit::Ok);
    }
    printer.verdict(&format!("not the same:\n  {}", differences.join("\n  ")), &value)?;
    Ok(Exit::Unexpected)
}

/// The statement inside, whoever signed it.
fn unverified(bytes: &[u8]) -> Result<Statement, VerifyError> {
    let packet = if is_archive(bytes) { Packet::parse(&unpack(bytes)?)? } else { Packet::parse(bytes)? };
    let payload = STANDARD
        .decode(&packet.envelope().payload)
        .map_err(|cause| VerifyError::Malformed { part: Part::Packet, detail: format!("the payload: {cause}") })?;
    Statement::from_canonical(&payload)
}

fn part<T: DeserializeOwned>(statement: &Statement, path: &Path, name: &str) -> Result<T, Failure> {
    let value = statement.predicate().get(name).ok_or_else(|| {
        Failure::usage(format!("{} has no sealed {name}; it can be verified but not replayed", path.display()))
    })?;
    T::deserialize(value).map_err(|cause| {
        Failure::usage(format!("the sealed {name} of {} cannot be read: {cause}", path.display()))
            .hint("a newer program may be needed")
    })
}
