//! What goes: leftovers of killed tasks, old sets that are not needed any more, old images.

use plimsoll_protocol::agent::order::TaskOrder;

use super::{InstanceDriver, record};
use crate::drivers::{
    Outcome, Scope,
    host::{ImageRecord, InstanceHost},
};

/// Removes what killed tasks left.
pub(super) async fn leftovers<H: InstanceHost>(
    driver: &InstanceDriver<H>,
    scope: Scope<'_>,
    names: &[String],
) -> Outcome<()> {
    for name in names {
        let Some(found) = driver.host().inspect(name).await? else { continue };
        // Looked at again: nothing without our labels, and nothing newer than this task, is touched.
        let ours =
            found.ours.filter(|ours| ours.epoch <= scope.order.epoch && ours.task_id != Some(scope.order.task_id));
        if ours.is_some() {
            scope.log.say(None, format!("removes {name}, which an interrupted task left"));
            driver.host().remove(name).await?;
        }
    }
    Ok(())
}

/// Removes the old set.
pub(super) async fn discard<H: InstanceHost>(
    driver: &InstanceDriver<H>,
    scope: Scope<'_>,
    names: &[String],
) -> Outcome<()> {
    for name in names {
        scope.log.say(None, format!("removes {name}"));
        driver.host().remove(name).await?;
    }
    Ok(())
}

/// Removes images of ours that are older than the releases to keep.
pub(super) async fn prune<H: InstanceHost>(driver: &InstanceDriver<H>, scope: Scope<'_>) -> Outcome<()> {
    let directory = driver.host().directory();
    let application = &scope.order.application;
    let Some(mut record) = record::read_record(directory, application)? else { return Ok(()) };
    let keep_releases = if record.spec.is_some() { usize::from(scope.order.hints.keep_releases.max(1)) } else { 0 };
    let (mut standing, mut old): (Vec<_>, Vec<_>) = record.images.into_iter().partition(|release| !release.given_up);
    old.extend(standing.drain(keep_releases.min(standing.len())..));
    if old.is_empty() {
        return Ok(());
    }
    record.images = standing;
    let kept = |images: &[record::ReleaseImages]| -> Vec<ImageRecord> {
        images.iter().filter(|release| !release.given_up).flat_map(|release| release.images.clone()).collect()
    };
    let given_up = old.iter().flat_map(|release| release.images.clone());
    // Another application on this target may need the same image.
    let others = record::all(directory).into_iter().filter(|(name, _)| name != application);
    let own: Vec<ImageRecord> =
        kept(&record.images).into_iter().chain(others.flat_map(|(_, other)| kept(&other.images))).collect();
    let drop: Vec<ImageRecord> = given_up.filter(|image| !own.contains(image)).collect();
    // Another target of the same engine may have nothing but this image to go back to.
    let neighbours = driver.host().neighbours();
    let theirs = neighbours.iter().flat_map(|directory| record::all(directory));
    let keep: Vec<ImageRecord> = own.into_iter().chain(theirs.flat_map(|(_, other)| kept(&other.images))).collect();
    let gone = driver.host().prune(&drop, &keep).await?;
    for image in &gone {
        scope.log.say(None, format!("removed the image {}", image.reference));
    }
    // What is still in use, or kept by a neighbour, is tried again at the next task.
    let used: Vec<record::ReleaseImages> = old
        .into_iter()
        .filter_map(|mut release| {
            release.given_up = true;
            release.images.retain(|image| drop.contains(image) && !gone.contains(image));
            (!release.images.is_empty()).then_some(release)
        })
        .collect();
    record.images.extend(used);
    if record.spec.is_none() && record.images.is_empty() {
        return record::write_text(directory, application, None);
    }
    record::write(directory, application, &record)
}

/// The images that an order brings.
pub(super) fn images_of(order: &TaskOrder) -> Vec<ImageRecord> {
    let components = order.spec.iter().flat_map(|spec| &spec.components);
    let mut images: Vec<ImageRecord> = components
        .map(|component| ImageRecord { reference: component.image.reference(), digest: component.image.digest })
        .collect();
    images.sort_unstable();
    images.dedup();
    images
}
