//! Version stickers from the order to the target and back.

use anyhow::{Context as _, Result};
use plimsoll_core::{
    Digest, canonical,
    evidence_packet::{StickerVerification as Found, VersionSticker},
    inventory::StickerView,
    permission::{Grant, Grants, Permission},
};
use plimsoll_protocol::{
    agent::{ServerFrame, order::TaskOffer},
    operation::OperationId as Op,
};
use plimsoll_store::version_sticker::StickerRow;
use serde_json::json;

use crate::{
    hand::{Hand, seen},
    on_both_databases,
    shop::Shop,
    support::{World, code, everything},
};

on_both_databases!(
    a_placed_sticker_is_recorded_until_another_takes_its_place,
    what_lies_on_the_target_is_read_back_and_compared,
    a_target_that_does_not_answer_is_shown_as_it_was_last_seen,
    a_lost_task_whose_sticker_lies_there_is_recorded_when_it_is_seen,
);

/// Brings a release; answers its offer with the sticker in it.
async fn bring(shop: &Shop, hand: &Hand, version: &str) -> Result<TaskOffer> {
    shop.start(version).await?;
    let offer = hand.take(&shop.world).await?;
    hand.end(&shop.world, &offer, "succeeded", json!({})).await?;
    shop.advance().await?;
    Ok(offer)
}

fn sticker(offer: &TaskOffer) -> Result<String> {
    offer.order()?.sticker.context("a sticker")
}

async fn listed(shop: &Shop) -> Result<Vec<VersionSticker>> {
    let caller = shop.world.caller(Op::VersionStickerList);
    Ok(shop.world.app.version_sticker_list(&caller, everything::<StickerRow>("createdAt")?).await?.items)
}

/// Asks for the stickers of the one target while its agent answers that `held` lies there.
async fn read(shop: &Shop, hand: &Hand, held: &[(&str, &str)]) -> Result<Vec<StickerView>> {
    let (world, target) = (&shop.world, shop.targets().await?.remove(0).id);
    let caller = world.caller(Op::TargetSticker);
    let answer = async {
        loop {
            for frame in hand.pending(world).await? {
                let ServerFrame::Observe(question) = frame else { continue };
                let mut seen = seen(world, target, &[]);
                let held = held.iter().map(|(name, text)| json!({"application": name, "envelope": text}));
                seen["stickers"] = held.collect();
                let report = json!({"requestId": question.request_id, "seen": seen});
                hand.say(world, "observe.report", report).await?;
                return anyhow::Ok(());
            }
            tokio::task::yield_now().await;
        }
    };
    let (shown, answered) = tokio::join!(world.app.target_sticker(&caller, target), answer);
    answered?;
    Ok(shown?)
}

pub async fn a_placed_sticker_is_recorded_until_another_takes_its_place(world: World) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "dev"})).await?;
    let (hand, target) = shop.staffed().await?;
    let first = bring(&shop, &hand, "1.0.0").await?;
    let all = listed(&shop).await?;
    assert_eq!(all.len(), 1);
    assert_eq!((all[0].target_id, all[0].epoch, all[0].release_version.as_str()), (target, first.epoch, "1.0.0"));
    assert_eq!(canonical::digest(&all[0].signature)?, Digest::of(sticker(&first)?.as_bytes()));
    assert_eq!((all[0].verification, all[0].superseded_at), (Found::Unverified, None));
    let job = shop.job(all[0].deployment_job_id).await?;
    assert_eq!(job.promotion_id, all[0].promotion_id);
    let packet = shop
        .world
        .app
        .evidence_packet_get(&shop.world.caller(Op::EvidencePacketGet), job.evidence_packet_ids[0])
        .await?;
    crate::evidence::fits(&packet);
    let told = &packet.statement["predicate"]["targets"][0]["stickerDigest"];
    assert_eq!(*told, json!(Digest::of(sticker(&first)?.as_bytes())));
    // The sticker itself is as its published schema says.
    let key = shop.world.app.signer(shop.world.tenant).await?;
    let says = plimsoll_evidence::StickerEnvelope::verify(sticker(&first)?.as_bytes(), key.public_key())?;
    crate::evidence::predicate_fits("sticker", &json!(says));
    // A task that says that it placed none leaves none in force.
    shop.start("2.0.0").await?;
    let second = hand.take(&shop.world).await?;
    hand.end(&shop.world, &second, "succeeded", json!({"stickerPlaced": false})).await?;
    shop.advance().await?;
    let all = listed(&shop).await?;
    assert_eq!(all.iter().map(|one| one.superseded_at.is_some()).collect::<Vec<_>>(), [true]);
    bring(&shop, &hand, "3.0.0").await?;
    let all = listed(&shop).await?;
    assert_eq!(all.iter().map(|one| one.superseded_at.is_some()).collect::<Vec<_>>(), [true, false]);
    // A failed task changes none.
    shop.start("4.0.0").await?;
    let fourth = hand.take(&shop.world).await?;
    hand.end(&shop.world, &fourth, "rolled_back", json!({"remains": "restored"})).await?;
    assert_eq!(listed(&shop).await?, all);
    // Who may see evidence elsewhere sees nothing of it.
    let mut caller = shop.world.caller(Op::VersionStickerList);
    let elsewhere = Grant { permission: Permission::EvidenceRead, environment: Some(shop.world.app.context.id()) };
    caller.principal.grants = Grants::new([elsewhere]);
    let page = shop.world.app.version_sticker_list(&caller, everything::<StickerRow>("createdAt")?).await?;
    assert!(page.items.is_empty());
    caller.operation = Op::VersionStickerGet;
    assert_eq!(code(shop.world.app.version_sticker_get(&caller, all[0].id).await), "PERMISSION_DENIED");
    Ok(())
}

pub async fn what_lies_on_the_target_is_read_back_and_compared(world: World) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "dev"})).await?;
    let (hand, _) = shop.staffed().await?;
    let old = sticker(&bring(&shop, &hand, "1.0.0").await?)?;
    let new = sticker(&bring(&shop, &hand, "2.0.0").await?)?;
    let forged = new.replacen("\"sig\":\"M", "\"sig\":\"N", 1);
    assert_ne!(forged, new);
    type Case<'a> = (Option<&'a str>, Found, Option<bool>, bool);
    let cases: [Case<'_>; 5] = [
        (Some(&new), Found::Verified, Some(true), true),
        (Some(&old), Found::Differs, Some(true), false),
        (Some(&forged), Found::BadSignature, Some(false), false),
        (Some("not even JSON"), Found::BadSignature, Some(false), false),
        (None, Found::Missing, None, false),
    ];
    for (held, found, valid, agrees) in cases {
        let there: Vec<(&str, &str)> = held.iter().map(|text| ("shop", *text)).collect();
        let shown = read(&shop, &hand, &there).await?;
        assert_eq!(shown.len(), 1, "{found}");
        let one = &shown[0];
        assert_eq!((one.application.as_str(), one.signature_valid, one.agrees), ("shop", valid, agrees), "{found}");
        assert_eq!(one.held.is_some(), held.is_some());
        let expected = one.expected.as_ref().context("an expected one")?;
        assert_eq!((expected.release_version.as_str(), expected.verification), ("2.0.0", found));
        assert_eq!((expected.observed_at, one.age_seconds), (Some(shop.world.clock.now()), Some(0)));
    }
    // One that nobody expects is shown too.
    let shown = read(&shop, &hand, &[("shop", &new), ("stray", &old)]).await?;
    let stray = shown.iter().find(|one| one.application == "stray").context("the stray one")?;
    assert!(stray.expected.is_none() && !stray.agrees && stray.signature_valid == Some(true));
    let kinds: Vec<String> = shop.world.events("version_sticker").await?.into_iter().map(|event| event.kind).collect();
    assert!(kinds.iter().filter(|kind| *kind == "sticker.verification_changed").count() >= 4, "{kinds:?}");
    Ok(())
}

pub async fn a_target_that_does_not_answer_is_shown_as_it_was_last_seen(world: World) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "dev"})).await?;
    let (hand, target) = shop.staffed().await?;
    let text = sticker(&bring(&shop, &hand, "1.0.0").await?)?;
    hand.silence(&shop.world).await?;
    let caller = shop.world.caller(Op::TargetSticker);
    let never = shop.world.app.target_sticker(&caller, target).await?;
    assert_eq!((never.len(), never[0].observed_at, never[0].agrees), (1, None, false));
    let mut report = seen(&shop.world, target, &[]);
    report["stickers"] = json!([{"application": "shop", "envelope": text}]);
    hand.say(&shop.world, "status", json!({"resources": {}, "tasks": [], "targets": [report]})).await?;
    shop.world.clock.forward(3600);
    let last = shop.world.app.target_sticker(&caller, target).await?;
    assert_eq!((last[0].age_seconds, last[0].agrees, last[0].signature_valid), (Some(3600), true, Some(true)));
    // Another agent's word about the target is not taken.
    let other = Hand::enrol(&shop.world, "other", json!({})).await?;
    let empty = seen(&shop.world, target, &[]);
    other.say(&shop.world, "status", json!({"resources": {}, "tasks": [], "targets": [empty]})).await?;
    assert!(shop.world.app.target_sticker(&caller, target).await?[0].agrees);
    Ok(())
}

pub async fn a_lost_task_whose_sticker_lies_there_is_recorded_when_it_is_seen(world: World) -> Result<()> {
    let shop = Shop::open(world, json!({"name": "dev"})).await?;
    let (hand, target) = shop.staffed().await?;
    let old = sticker(&bring(&shop, &hand, "1.0.0").await?)?;
    shop.start("2.0.0").await?;
    let offer = hand.take(&shop.world).await?;
    shop.world.clock.forward(71);
    shop.sweep().await?;
    let report = |version: &str, text: &str| {
        let mut report = seen(&shop.world, target, &[("api", crate::shop::digest_of(version))]);
        report["stickers"] = json!([{"application": "shop", "envelope": text}]);
        json!({"resources": {}, "tasks": [], "targets": [report]})
    };
    hand.say(&shop.world, "status", report("2.0.0", &sticker(&offer)?)).await?;
    let all = listed(&shop).await?;
    let told: Vec<_> = all.iter().map(|one| (one.epoch, one.superseded_at.is_none(), one.verification)).collect();
    assert_eq!(told, [(1, false, Found::Unverified), (offer.epoch, true, Found::Verified)]);
    // Its late word leads to another look, which finds the old one put back.
    hand.end(&shop.world, &offer, "cancelled", json!({"remains": "restored"})).await?;
    hand.say(&shop.world, "status", report("1.0.0", &old)).await?;
    let in_force: Vec<_> = listed(&shop).await?.into_iter().filter(|one| one.superseded_at.is_none()).collect();
    assert_eq!(in_force.iter().map(|one| (one.epoch, one.verification)).collect::<Vec<_>>(), [(1, Found::Verified)]);
    Ok(())
}
