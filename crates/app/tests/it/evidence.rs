//! Evidence packets: what can't be signed, what bounds them, how they are found.

use anyhow::{Context as _, Result};
use plimsoll_app::evidence::{PacketFormat, sign};
use plimsoll_core::{
    Digest, Timestamp, canonical,
    deployment::Artifact,
    evidence_packet::{EvidencePacket, EvidenceStatus, EvidenceType},
    id::EvidencePacketId,
    promotion::{Decision, DecisionInputs, decide},
};
use plimsoll_evidence::{MAX_STATEMENT_BYTES, archive};
use plimsoll_protocol::operation::OperationId as Op;
use plimsoll_store::{
    Scope,
    artifact::ArtifactRow,
    evidence_packet::{self, PacketRow},
    resource::{ListQuery, Page, Resource as _},
};
use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::{
    on_both_databases,
    shop::{Shop, digest_of},
    support::{World, body, code, everything, fields},
};

on_both_databases!(
    a_packet_that_can_not_be_signed_holds_up_no_other,
    a_tenant_without_its_key_holds_up_no_other,
    windows_that_do_not_decide_are_not_sealed,
    a_log_is_sealed_as_its_digest,
    packets_are_found_by_what_they_are_about,
    an_archive_holds_what_is_needed_and_the_same_bytes_each_time,
    names_lie_beside_the_packet,
);

/// Holds what a packet says against the published schema of its predicate.
pub fn fits(packet: &EvidencePacket) {
    let statement = &packet.statement;
    let Some(uri) = statement["predicateType"].as_str() else { return };
    let word = uri.trim_start_matches("urn:plimsoll:attestation:").trim_end_matches(":v1");
    predicate_fits(word, &statement["predicate"]);
}

/// Holds a predicate against its published schema.
pub fn predicate_fits(word: &str, predicate: &Value) {
    let path = format!("{}/../../docs/reference/evidence/{word}.v1.schema.json", env!("CARGO_MANIFEST_DIR"));
    let schema: Value = serde_json::from_slice(&std::fs::read(&path).expect("a published schema")).expect("JSON");
    let told: Vec<String> = jsonschema::validator_for(&schema)
        .expect("a schema")
        .iter_errors(predicate)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(told.is_empty(), "{told:?}\n{predicate}");
    for name in predicate.as_object().expect("an object").keys() {
        assert!(schema["properties"].get(name).is_some(), "the schema of {word} does not tell of {name}");
    }
}

async fn packets(shop: &Shop, filter: Value) -> plimsoll_core::Result<Vec<EvidencePacket>> {
    let page = Page { page_size: Some(100), filter: Some(filter.to_string()), ..Page::default() };
    let query = ListQuery::new(&PacketRow::TABLE, &page, "createdAt")?;
    let found = shop.world.app.evidence_packet_list(&shop.world.caller(Op::EvidencePacketList), query).await?.items;
    found.iter().for_each(fits);
    Ok(found)
}

async fn packet(shop: &Shop, id: EvidencePacketId) -> Result<EvidencePacket> {
    let found = shop.world.app.evidence_packet_get(&shop.world.caller(Op::EvidencePacketGet), id).await?;
    fits(&found);
    Ok(found)
}

/// Seals a packet past all checks.
async fn force(shop: &Shop, statement: Vec<u8>, at: Timestamp) -> Result<EvidencePacketId> {
    let id: EvidencePacketId = shop.world.app.context.id();
    let sealed: EvidencePacket = serde_json::from_value(json!({
        "id": id, "type": "governance_change", "status": "sealed", "subject": [], "createdAt": at, "statement": {},
    }))?;
    shop.world
        .app
        .store
        .write(Scope::Tenant(shop.world.tenant), "test", move |tx| evidence_packet::seal(tx, &sealed, &statement, &[]))
        .await?;
    Ok(id)
}

pub async fn a_packet_that_can_not_be_signed_holds_up_no_other(world: World) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "dev"})).await?;
    let (hand, _) = shop.staffed().await?;
    let earlier = shop.world.clock.now().plus_seconds(-60);
    let bad = force(&shop, vec![b' '; MAX_STATEMENT_BYTES + 1], earlier).await?;
    shop.bring(&hand, "1.0.0").await?;
    sign::step(shop.world.app.clone()).await?;
    let all = packets(&shop, json!({})).await?;
    assert_eq!(all.len(), 3);
    for one in &all {
        let wanted = if one.id == bad { EvidenceStatus::Unsignable } else { EvidenceStatus::Signed };
        assert_eq!((one.status, one.problem.is_some()), (wanted, one.id == bad), "{one:?}");
    }
    let caller = shop.world.caller(Op::EvidencePacketDownload);
    let refused = shop.world.app.evidence_packet_download(&caller, bad, PacketFormat::Sigstore).await.unwrap_err();
    assert_eq!(refused.code().as_str(), "STATE_CONFLICT");
    assert!(refused.message().contains("can't be signed"), "{}", refused.message());
    // Nobody tries it again.
    assert_eq!(sign::step(shop.world.app.clone()).await?, plimsoll_app::tasks::Progress::Idle);
    Ok(())
}

pub async fn a_tenant_without_its_key_holds_up_no_other(world: World) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "dev"})).await?;
    let (world, tenant) = (&shop.world, shop.world.app.context.id());
    let earlier = world.clock.now().plus_seconds(-60);
    let sealed: EvidencePacket = serde_json::from_value(json!({
        "id": world.app.context.id::<EvidencePacketId>(), "type": "governance_change", "status": "sealed",
        "subject": [], "createdAt": earlier, "statement": {},
    }))?;
    let unreadable = plimsoll_store::evidence_key::StoredEvidenceKey {
        row: world.app.context.uuid(),
        key_id: "SHA256:none".to_owned(),
        public_key: String::new(),
        sealed: vec![1, 2, 3],
    };
    world
        .app
        .store
        .write(Scope::Tenant(tenant), "test", move |tx| {
            plimsoll_store::evidence_key::insert_first(tx, &unreadable, earlier)?;
            evidence_packet::seal(tx, &sealed, b"{}", &[])
        })
        .await?;
    shop.set(json!({"name": "dev", "soakSeconds": 60, "reason": "we saw leaks"})).await?;
    sign::step(world.app.clone()).await?;
    let mine = packets(&shop, json!({})).await?;
    assert_eq!(mine.iter().map(|one| one.status).collect::<Vec<_>>(), [EvidenceStatus::Signed]);
    // It waits for a while, and is looked at again.
    assert_eq!(sign::step(world.app.clone()).await?, plimsoll_app::tasks::Progress::Idle);
    world.clock.forward(31);
    assert_eq!(sign::step(world.app.clone()).await?, plimsoll_app::tasks::Progress::More);
    Ok(())
}

pub async fn windows_that_do_not_decide_are_not_sealed(world: World) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "dev"})).await?;
    let now = shop.world.clock.now();
    for number in 1..=20 {
        let (starts, ends) = (now.plus_seconds(number * 10_000), now.plus_seconds(number * 10_000 + 60));
        let window = json!({
            "name": format!("window {number}"), "reason": "a long story ".repeat(100), "startsAt": starts, "endsAt": ends
        });
        let caller = shop.world.caller(Op::FreezeWindowCreate);
        shop.world.app.freeze_window_create(&caller, shop.environment.id, body(window)).await?;
    }
    let asked = shop.ask(&shop.world.caller(Op::PromotionCreate), &shop.release("1.0.0").await?, json!({})).await?;
    shop.work().await?;
    let sealed = packet(&shop, shop.get(&asked).await?.evidence_packet_ids[0]).await?;
    let says = &sealed.statement["predicate"];
    assert_eq!(says["inputs"]["freezeWindows"].as_array().map(Vec::len), Some(1));
    assert!(says.to_string().len() < 20_000, "{}", says.to_string().len());
    // It is enough to decide again.
    let (inputs, decision) = (DecisionInputs::deserialize(&says["inputs"])?, Decision::deserialize(&says["decision"])?);
    assert_eq!(decide::replay(&inputs, &decision)?, Vec::<String>::new());
    Ok(())
}

pub async fn a_log_is_sealed_as_its_digest(world: World) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "dev"})).await?;
    let (hand, _) = shop.staffed().await?;
    let job = shop.start("1.0.0").await?;
    let offer = hand.take(&shop.world).await?;
    let lines: Vec<String> = (0..200).map(|number| format!("line {number} {}", "x".repeat(400))).collect();
    let error = json!({"code": "UNHEALTHY", "message": "not healthy", "component": "api", "logTail": lines});
    hand.end(&shop.world, &offer, "failed", json!({"error": error, "remains": "restored"})).await?;
    shop.advance().await?;
    let sealed = packet(&shop, shop.job(job.id).await?.evidence_packet_ids[0]).await?;
    let told = &sealed.statement["predicate"]["targets"][0]["error"];
    assert_eq!((&told["logLines"], &told["logDigest"]), (&json!(200), &json!(canonical::digest(&lines)?)), "{told}");
    assert!(!sealed.statement.to_string().contains("xxxx"));
    // All of it is kept with the job.
    let caller = shop.world.caller(Op::DeploymentJobArtifacts);
    let query = everything::<ArtifactRow>("name")?.within(&ArtifactRow::TABLE, &json!({"jobId": job.id}))?;
    let all: Vec<Artifact> = shop.world.app.deployment_job_artifacts(&caller, job.id, query).await?.items;
    let report = all.iter().find(|one| one.name.starts_with("health-report")).context("a report")?;
    let (_, content) = shop.world.app.deployment_job_artifact(&caller, job.id, report.id).await?;
    let content: Value = serde_json::from_slice(&content)?;
    assert_eq!(content["error"]["logTail"], json!(lines));
    Ok(())
}

pub async fn packets_are_found_by_what_they_are_about(world: World) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "dev"})).await?;
    let (hand, _) = shop.staffed().await?;
    let first = shop.bring(&hand, "1.0.0").await?;
    shop.bring(&hand, "2.0.0").await?;
    let by_image = packets(&shop, json!({"digest": digest_of("1.0.0")})).await?;
    let has = |kind| by_image.iter().any(|one: &EvidencePacket| one.kind == kind);
    assert!(by_image.len() == 2 && has(EvidenceType::PromotionDecision) && has(EvidenceType::Deployment));
    assert!(by_image.iter().all(|one| one.release_id == Some(first.release_id)));
    let release = by_image[0].release_digest.context("a release")?;
    assert_eq!(packets(&shop, json!({"digest": release})).await?, by_image);
    assert_eq!(packets(&shop, json!({"releaseDigest": release})).await?, by_image);
    let either = json!({"digest": {"$in": [digest_of("1.0.0"), digest_of("2.0.0")]}, "type": "deployment"});
    assert_eq!(packets(&shop, either).await?.len(), 2);
    assert!(packets(&shop, json!({"digest": Digest::of(b"other")})).await?.is_empty());
    assert_eq!(fields(packets(&shop, json!({"digest": "1.0.0"})).await), ["filter.digest"]);
    assert_eq!(code(packets(&shop, json!({"digest": {"$ne": release}})).await), "VALIDATION_FAILED");
    Ok(())
}

pub async fn an_archive_holds_what_is_needed_and_the_same_bytes_each_time(world: World) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "dev"})).await?;
    shop.set(json!({"name": "dev", "soakSeconds": 60, "reason": "<script>alert(1)</script>"})).await?;
    sign::step(shop.world.app.clone()).await?;
    let id = packets(&shop, json!({})).await?[0].id;
    let caller = shop.world.caller(Op::EvidencePacketDownload);
    let fetch = async |format| shop.world.app.evidence_packet_download(&caller, id, format).await;
    let packed = fetch(PacketFormat::Bundle).await?;
    assert_eq!(packed, fetch(PacketFormat::Bundle).await?);
    assert_eq!(archive::unpack(&packed)?, fetch(PacketFormat::Sigstore).await?);
    let key = shop.world.app.signer(shop.world.tenant).await?;
    archive::verify_file(&packed, key.public_key())?;
    let text = String::from_utf8_lossy(&packed);
    assert!(text.contains("&lt;script&gt;alert(1)") && text.contains(key.key_id()) && text.contains("VERIFY.md"));
    Ok(())
}

pub async fn names_lie_beside_the_packet(world: World) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "prod"})).await?;
    let rules = json!([{ "name": "leads", "minApprovals": 1, "approvers": { "roles": ["approver"] } }]);
    shop.policy(rules, Some(shop.environment.id)).await?;
    let (asker, grace) = (shop.approver("konstanze").await?, shop.approver("grace-hopper").await?);
    let asked = shop.ask(&asker, &shop.release("1.0.0").await?, json!({})).await?;
    shop.approve(&grace, &asked, asked.subject_hash).await?;
    shop.work().await?;
    let sealed = packet(&shop, shop.get(&asked).await?.evidence_packet_ids[0]).await?;
    let text = sealed.statement.to_string();
    assert!(!text.contains("konstanze") && !text.contains("grace-hopper"), "{text}");
    assert_eq!(sealed.people.iter().map(|one| one.name.as_str()).collect::<Vec<_>>(), ["grace-hopper", "konstanze"]);
    let says = &sealed.statement["predicate"];
    assert_eq!(says["approvals"][0]["by"]["nameHash"], json!(sealed.people[0].name_hash));
    assert_eq!(says["requestedBy"]["nameHash"], json!(sealed.people[1].name_hash));
    Ok(())
}
