//! Whether the images that a rollback needs are still there, asked before anything is changed.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use futures_util::{StreamExt as _, stream};
use plimsoll_core::{
    Digest, Result,
    deployment::history,
    id::{IntegrationId, JobId, TargetId},
    inventory::Target,
};
use plimsoll_oci::{Reference, RegistryError, Repository};
use plimsoll_protocol::deployment::CreateRollback;
use plimsoll_store::{Tx, deployment as jobs, release as releases, resource};

use super::{specs, way};
use crate::{App, Caller};

/// Images asked for at once.
const AT_ONCE: usize = 8;
/// Going back is urgent: a registry that does not answer by then holds nothing up.
const LONGEST: Duration = Duration::from_secs(15);

/// What was found out.
#[derive(Clone, Debug)]
pub(super) struct Checked {
    /// The job whose specs were looked at.
    pub(super) specs_of: JobId,
    /// Images of which the registry could not say whether it has them.
    pub(super) unchecked: Vec<String>,
}

/// One image, as the server names it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Image {
    integration: IntegrationId,
    repository: String,
    digest: Digest,
}

impl Image {
    fn name(&self) -> String {
        format!("{}@{}", self.repository, self.digest)
    }
}

/// What a registry says of an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    There,
    Gone,
    Nothing,
}

impl App {
    /// Asks the registries for every image of the specs that would be put back. One that is gone refuses
    /// the rollback; one that nobody can tell of does not: hosts keep images of the last releases.
    pub(super) async fn checked_images(&self, caller: &Caller, body: &CreateRollback) -> Result<Checked> {
        let (owned, wanted) = (caller.clone(), body.clone());
        let (specs_of, images) =
            self.store.read(caller.scope(), "rollback_images", move |tx| needed(tx, &owned, &wanted)).await?;
        let asked = stream::iter(images.clone())
            .map(|image| async move { (image.clone(), self.says(caller, &image).await) })
            .buffer_unordered(AT_ONCE);
        tokio::pin!(asked);
        let mut answers = BTreeMap::new();
        let collect = async {
            while let Some((image, says)) = asked.next().await {
                answers.insert(image, says);
            }
        };
        // Whoever has not answered by then has said nothing.
        let _ = tokio::time::timeout(LONGEST, collect).await;
        let those = |wanted: Says| {
            let said = |image: &Image| answers.get(image).copied().unwrap_or(Says::Nothing);
            images.iter().filter(|image| said(image) == wanted).map(Image::name).collect::<Vec<_>>()
        };
        let gone = those(Says::Gone);
        if !gone.is_empty() {
            return Err(history::image_missing(&gone));
        }
        Ok(Checked { specs_of, unchecked: those(Says::Nothing) })
    }

    async fn says(&self, caller: &Caller, image: &Image) -> Says {
        let Ok(registry) = self.enabled_registry(caller.tenant(), image.integration).await else {
            return Says::Nothing;
        };
        let Ok(repository) = image.repository.parse::<Repository>() else { return Says::Nothing };
        match self.registries.head(&registry, &repository, &Reference::Digest(image.digest)).await {
            Ok(_) => Says::There,
            Err(RegistryError::NotFound { .. }) => Says::Gone,
            Err(error) => {
                tracing::warn!(image = image.name(), error = %error, "an image for a rollback could not be looked for");
                Says::Nothing
            }
        }
    }
}

/// The images that targets get which do not run them now.
fn needed(tx: &mut Tx<'_>, caller: &Caller, body: &CreateRollback) -> Result<(JobId, BTreeSet<Image>)> {
    let way = way(tx, caller, body)?;
    let whole = specs::whole(tx, body, &way.environment, &way.application, &way.to)?;
    let (sealed, _) = releases::seal(tx, way.to.to_release_id)?;
    let wanted = specs::wanted(body);
    let mut images = BTreeSet::new();
    for (target, planned) in &whole.specs {
        if wanted.as_ref().is_some_and(|wanted| !wanted.contains(target)) {
            continue;
        }
        let known = is_known(tx, *target)?;
        let running = || planned.previous.iter().flat_map(|spec| &spec.components);
        for component in planned.spec.iter().flat_map(|spec| &spec.components) {
            // What runs there has its image, and nothing removes an image that is in use.
            if known && running().any(|one| one.image.digest == component.image.digest) {
                continue;
            }
            let known = sealed.component(component.component_id);
            images.insert(Image {
                integration: component.image.integration_id,
                repository: known.map_or_else(|| component.image.repository.clone(), |one| one.repository.clone()),
                digest: component.image.digest,
            });
        }
    }
    Ok((way.to.specs_of, images))
}

/// Whether what the target is said to run is what it runs: nobody changes it, and nobody has to look first.
fn is_known(tx: &mut Tx<'_>, id: TargetId) -> Result<bool> {
    let settled = resource::find::<Target>(tx, id)?.is_some_and(|target| !target.reconciliation_pending);
    Ok(settled && jobs::in_hand(tx, id)?.is_none())
}
