//! Which target takes which component, and which variant of an image it runs.

use std::collections::BTreeMap;

use super::seal::{SealedComponent, SealedRelease};
use crate::{
    component::{Platform, PlatformImage},
    error::{Error, ErrorCode, Result},
    id::{ComponentId, TargetId},
    label::{LabelSelector, Labels},
};

/// What placement needs to know of a target.
#[derive(Clone, Debug)]
pub struct Place<'a> {
    /// Which.
    pub id: TargetId,
    /// Its name.
    pub name: &'a str,
    /// Its labels.
    pub labels: &'a Labels,
    /// What it runs on, as its agent says.
    pub platform: Option<&'a Platform>,
}

/// Which target takes what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placed {
    /// The components of each target that takes some, in the order in which they come up; targets in the
    /// order in which they were given.
    pub targets: Vec<(TargetId, Vec<ComponentId>)>,
    /// Targets that no component selects.
    pub left_out: Vec<TargetId>,
}

/// Places every component of `sealed` on `targets`. `overrides` (the environment's placements) replace
/// what a component says itself. Errors name all components and targets concerned.
pub fn place(
    sealed: &SealedRelease,
    targets: &[Place<'_>],
    overrides: &BTreeMap<ComponentId, LabelSelector>,
) -> Result<Placed> {
    let takes = |target: &Place<'_>, component: &SealedComponent| {
        overrides.get(&component.component_id).unwrap_or(&component.placement).matches(target.labels)
    };
    let homeless: Vec<&str> = sealed
        .components
        .iter()
        .filter(|component| !targets.iter().any(|target| takes(target, component)))
        .map(|component| component.component.as_str())
        .collect();
    if !homeless.is_empty() {
        return Err(Error::new(
            ErrorCode::NoTargetForComponent,
            format!(
                "no target takes {}; change the component's placement, the environment's placements or the targets' labels",
                homeless.join(", ")
            ),
        )
        .details(serde_json::json!({ "components": homeless })));
    }
    let mut placed = Placed::default();
    let mut refused = Vec::new();
    for target in targets {
        let chosen: Vec<&SealedComponent> = sealed.components.iter().filter(|one| takes(target, one)).collect();
        refused.extend(chosen.iter().filter_map(|one| variant_for(one, target.platform, target.name).err()));
        if chosen.is_empty() {
            placed.left_out.push(target.id);
        } else {
            placed.targets.push((target.id, chosen.iter().map(|one| one.component_id).collect()));
        }
    }
    if refused.is_empty() { Ok(placed) } else { Err(joined(&refused)) }
}

fn joined(errors: &[Error]) -> Error {
    let messages: Vec<_> = errors.iter().map(Error::message).collect();
    let details: Vec<_> = errors.iter().filter_map(Error::public_details).collect();
    Error::new(ErrorCode::PlatformNotAvailable, messages.join("; ")).details(serde_json::json!({ "missing": details }))
}

/// The variant of a component's image that runs on `platform`. While an agent has not told its platform,
/// only an image with a single variant can be placed.
pub fn variant_for<'a>(
    component: &'a SealedComponent,
    platform: Option<&Platform>,
    target: &str,
) -> Result<&'a PlatformImage> {
    let images = &component.platforms;
    let found = match (platform, images.as_slice()) {
        (Some(platform), _) => {
            images.iter().filter_map(|one| Some((fit(one, platform)?, one))).max_by_key(|(fit, _)| *fit)
        }
        (None, [only]) => Some((0, only)),
        (None, _) => None,
    };
    found.map(|(_, image)| image).ok_or_else(|| {
        let has: Vec<_> = images.iter().map(|one| one.platform.to_string()).collect();
        let wants = platform.map_or_else(
            || "whose platform is not known yet (its agent has not reported it)".to_owned(),
            |platform| format!("which is {platform}"),
        );
        Error::new(
            ErrorCode::PlatformNotAvailable,
            format!(
                "{} {} has no variant for target {target}, {wants}; it has {}",
                component.component,
                component.tag,
                if has.is_empty() { "none".to_owned() } else { has.join(", ") }
            ),
        )
        .details(serde_json::json!({
            "component": component.component,
            "target": target,
            "platform": platform.map(ToString::to_string),
            "available": has,
        }))
    })
}

/// How well an image fits: more is better, `None` not at all.
fn fit(image: &PlatformImage, host: &Platform) -> Option<u32> {
    image.platform.fit(host)
}

impl Platform {
    /// How well what was built for this platform runs on `host`: more is better, `None` not at all. A
    /// processor runs what was built for it or for an older variant of it.
    #[must_use]
    pub fn fit(&self, host: &Self) -> Option<u32> {
        if self.os != host.os || self.architecture != host.architecture {
            return None;
        }
        let (wants, has) = (level(self)?, level(host)?);
        (wants <= has).then_some(wants)
    }
}

/// `v7` as 7. Without a variant what the container engines assume: `arm` is v7, `arm64` v8, others v1.
fn level(platform: &Platform) -> Option<u32> {
    match (platform.variant.as_deref(), platform.architecture.as_str()) {
        (Some(variant), _) => variant.strip_prefix('v')?.parse().ok(),
        (None, "arm") => Some(7),
        (None, "arm64") => Some(8),
        (None, _) => Some(1),
    }
}

impl std::fmt::Display for Platform {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.as_ref().map_or(Ok(()), |variant| write!(f, "/{variant}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::release::testing::{self, id, labels};

    fn variant(architecture: &str, variant: &str) -> Platform {
        let variant = (!variant.is_empty()).then(|| variant.to_owned());
        Platform { variant, ..testing::platform(architecture) }
    }

    #[test]
    fn each_target_gets_what_selects_it() {
        let sealed = testing::sealed();
        let (web, data, plain) = (labels(&[("role", "web")]), labels(&[("role", "db")]), Labels::new());
        let amd64 = testing::platform("amd64");
        let target = |number, name, labels| Place { id: id(number), name, labels, platform: Some(&amd64) };
        let targets = [target(1, "web-1", &web), target(2, "db-1", &data), target(3, "spare", &plain)];
        let placed = place(&sealed, &targets, &BTreeMap::new()).unwrap();
        // db goes everywhere; api only where its placement says.
        assert_eq!(placed.targets[0], (id(1), vec![id(2), id(1)]));
        assert_eq!(placed.targets[1], (id(2), vec![id(2)]));
        assert!(placed.left_out.is_empty());
        let only_db: LabelSelector = serde_json::from_str(r#"{"matchLabels":{"role":"db"}}"#).unwrap();
        let placed = place(&sealed, &targets, &BTreeMap::from([(id(2), only_db)])).unwrap();
        assert_eq!(placed.targets, [(id(1), vec![id(1)]), (id(2), vec![id(2)])]);
        assert_eq!(placed.left_out, [id::<TargetId>(3)]);
    }

    #[test]
    fn components_without_a_target_are_all_named() {
        let sealed = testing::sealed();
        let error = place(&sealed, &[], &BTreeMap::new()).unwrap_err();
        assert_eq!(error.code(), ErrorCode::NoTargetForComponent);
        assert!(error.message().contains("db, api"), "{error:?}");
    }

    #[test]
    fn a_missing_platform_names_component_target_and_what_there_is() {
        let sealed = testing::sealed();
        let (web, riscv) = (labels(&[("role", "web")]), testing::platform("riscv64"));
        let targets = [Place { id: id(1), name: "web-1", labels: &web, platform: Some(&riscv) }];
        let error = place(&sealed, &targets, &BTreeMap::new()).unwrap_err();
        assert_eq!(error.code(), ErrorCode::PlatformNotAvailable);
        for part in ["api 2.4.1", "db 1.0.3", "web-1", "linux/riscv64", "linux/amd64, linux/arm64"] {
            assert!(error.message().contains(part), "{part}: {error:?}");
        }
        let unknown = [Place { platform: None, ..targets[0].clone() }];
        assert_eq!(place(&sealed, &unknown, &BTreeMap::new()).unwrap_err().code(), ErrorCode::PlatformNotAvailable);
    }

    #[test]
    fn the_best_variant_is_chosen() {
        let mut component = testing::sealed().components.remove(0);
        let images: Vec<PlatformImage> =
            [("amd64", ""), ("amd64", "v3"), ("arm", "v6"), ("arm", "v7"), ("arm64", "v8")]
                .map(|(architecture, text)| PlatformImage {
                    platform: variant(architecture, text),
                    ..component.platforms[0].clone()
                })
                .to_vec();
        component.platforms = images;
        for (host, expected) in [
            (("amd64", ""), Some(("amd64", ""))),
            (("amd64", "v1"), Some(("amd64", ""))),
            (("amd64", "v4"), Some(("amd64", "v3"))),
            (("arm", ""), Some(("arm", "v7"))),
            (("arm", "v7"), Some(("arm", "v7"))),
            (("arm", "v6"), Some(("arm", "v6"))),
            (("arm", "v5"), None),
            (("arm64", ""), Some(("arm64", "v8"))),
            (("s390x", ""), None),
        ] {
            let found =
                variant_for(&component, Some(&variant(host.0, host.1)), "t").ok().map(|one| one.platform.clone());
            assert_eq!(found, expected.map(|(architecture, text)| variant(architecture, text)), "{host:?}");
        }
        component.platforms.truncate(1);
        assert!(variant_for(&component, None, "t").is_ok(), "a single variant needs no guess");
    }
}
