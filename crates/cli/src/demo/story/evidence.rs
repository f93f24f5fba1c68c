//! Evidence: fetched, verified and replayed by the command line alone, and refused when a byte is changed.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{Carried, World};
use crate::demo::{
    api::{list, text},
    offline, shell,
    stage::{Seen, Stage},
};

/// Every promotion and every job left its packet; all verify.
pub(super) async fn verifies(stage: &Stage, world: &World, carried: &[Carried]) -> Result<()> {
    let host = world.a_host()?;
    let key = offline::key(stage, &world.people.ada, host).await?;
    stage.teller.saw(&format!("the server's public key is the one that {} knows since it enrolled", host.name));
    let folder = stage.parts.folder().join("evidence");
    std::fs::create_dir_all(&folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    let mut kinds: BTreeMap<String, u32> = BTreeMap::new();
    let mut shown = None;
    let mut seen = BTreeSet::new();
    for one in carried {
        for packet in packets(stage, world, one).await? {
            let (id, kind) = (text(&packet, "id")?, text(&packet, "type")?);
            // A rollback's packet is also the promotion's that it undid.
            if !seen.insert(id.to_owned()) {
                continue;
            }
            stage.does(&format!("verifies the packets: {}", seen.len()));
            let file = folder.join(format!("{kind}-{id}.json"));
            let bytes = world.people.ada.bytes(&format!("/evidence-packets/{id}/download")).await?;
            std::fs::write(&file, &bytes).with_context(|| format!("{} cannot be written", file.display()))?;
            offline::verified(stage, "evidence", &file, &key).await?;
            if kind == "promotion_decision" || kind == "override" {
                offline::replayed(stage, &file, &key).await?;
                shown = Some((id.to_owned(), file, bytes));
            }
            *kinds.entry(kind.to_owned()).or_default() += 1;
        }
    }
    for kind in ["promotion_decision", "deployment", "rollback"] {
        ensure!(kinds.contains_key(kind), "there is no packet of type {kind}");
    }
    for (kind, count) in &kinds {
        stage.teller.saw(&format!("{count} of type {kind}: verified with the public key alone, no server asked"));
    }
    let (id, file, bytes) = shown.context("there is no decision")?;
    let said = offline::replayed(stage, &file, &key).await?;
    stage.teller.saw(&format!("each decision made again from what is sealed in it; the last: {said}"));
    changed_byte(stage, &file, bytes, &key).await?;
    let (file, key, data) = (shell::path(&file), shell::path(&key), shell::path(&host.agent_data));
    stage.teller.command_as("ada", &format!("evidence key > {key}"));
    stage.teller.command(&format!("plimsoll agent keys --data-dir {data} | diff {key} -"));
    stage.teller.command_as("ada", &format!("evidence download {id} > {file}"));
    stage.teller.command(&format!("plimsoll evidence verify {file} --key {key}"));
    stage.teller.command(&format!("plimsoll evidence replay {file} --key {key}"));
    Ok(())
}

/// One byte is changed: in the middle, where the signed statement lies, to another letter of its encoding.
async fn changed_byte(stage: &Stage, file: &Path, mut bytes: Vec<u8>, key: &Path) -> Result<()> {
    let middle = bytes.len() / 2;
    let byte = bytes.get_mut(middle).context("the packet is empty")?;
    *byte = if *byte == b'A' { b'B' } else { b'A' };
    let changed = file.with_extension("changed.json");
    std::fs::write(&changed, &bytes).with_context(|| format!("{} cannot be written", changed.display()))?;
    let said = offline::refused(stage, "evidence", &changed, key).await?;
    stage.teller.saw(&format!("byte {middle} of {} changed: {said}", bytes.len()));
    Ok(())
}

/// The packets of a promotion and its job, once they are signed.
async fn packets(stage: &Stage, world: &World, one: &Carried) -> Result<Vec<Value>> {
    let ada = &world.people.ada;
    stage
        .until("packets are signed", async || {
            let job = ada.get(&format!("/deployment-jobs/{}", one.job)).await?;
            let mut ids: Vec<String> =
                list(&job["evidencePacketIds"]).iter().filter_map(|id| id.as_str().map(str::to_owned)).collect();
            let mut expected = 1;
            if let Some(promotion) = &one.promotion {
                let promotion = ada.get(&format!("/promotions/{promotion}")).await?;
                ids.extend(
                    list(&promotion["evidencePacketIds"]).iter().filter_map(|id| id.as_str().map(str::to_owned)),
                );
                expected = 2;
            }
            ids.sort_unstable();
            ids.dedup();
            let mut found = Vec::new();
            for id in &ids {
                let packet = ada.get(&format!("/evidence-packets/{id}")).await?;
                if packet["status"] == "signed" {
                    found.push(packet);
                }
            }
            let complete = found.len() == ids.len() && ids.len() >= expected;
            Ok(if complete { Seen::Done(found) } else { Seen::NotYet(format!("{} of {expected}", found.len())) })
        })
        .await
}
