//! The story, step by step. A step that does not go as it should ends it, and names itself.

mod approval;
mod audit;
mod bad_release;
mod components;
mod environments;
mod evidence;
mod freeze;
mod hosts;
mod people;
mod promotion;
mod release;
mod rollback;
mod stickers;

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};

use super::{
    host::{Expected, Host},
    parts::registry::RegistryPart,
    stage::Stage,
    targets::{Kind, Targets},
};

pub(crate) use people::People;

/// What people release as one thing.
const APPLICATION: &str = "shop";
/// Its components, in the order in which they come up.
const COMPONENTS: [&str; 2] = ["api", "web"];
/// Their versions; the `api` of the last one never becomes healthy.
const VERSIONS: [&str; 3] = ["1.0.0", "1.1.0", "1.2.0"];
/// The environments, each promoted into from the one before.
const ENVIRONMENTS: [&str; 3] = ["dev", "staging", "prod"];

/// Digests by component and tag.
type Images = BTreeMap<(String, String), String>;

/// Everything that the story plays with once it is built. What it holds runs until it is dropped.
pub(crate) struct World {
    pub(crate) people: People,
    registry: RegistryPart,
    images: Images,
    kind: Kind,
    components: BTreeMap<String, String>,
    environments: BTreeMap<String, String>,
    hosts: Vec<Host>,
}

/// A promotion that was carried out, or the job of a rollback.
#[derive(Clone, Debug)]
struct Carried {
    promotion: Option<String>,
    job: String,
}

impl World {
    fn environment(&self, name: &str) -> Result<&str> {
        self.environments.get(name).map(String::as_str).with_context(|| format!("there is no environment {name}"))
    }

    /// Any of the hosts.
    fn a_host(&self) -> Result<&Host> {
        self.hosts.first().context("there is no host")
    }

    fn hosts_of<'a>(&'a self, environment: &'a str) -> impl Iterator<Item = &'a Host> {
        self.hosts.iter().filter(move |host| host.environment == environment)
    }

    /// What a host runs when it runs that version of the application.
    fn expected(&self, version: &str) -> Result<Vec<Expected>> {
        let of = |component: &&str| {
            let key = ((*component).to_owned(), version.to_owned());
            let digest = self.images.get(&key).with_context(|| format!("{component} has no {version}"))?;
            let (component, digest) = ((*component).to_owned(), digest.clone());
            Ok(Expected { component, digest, version: version.to_owned() })
        };
        COMPONENTS.iter().map(of).collect()
    }
}

/// A server, people, images, and the hosts that they will run on.
async fn build(stage: &Stage, targets: Targets) -> Result<World> {
    let people = stage.step("A server starts, and people sign in, each as themselves", people::sign_in(stage)).await?;
    let pushed = stage.step("Two components in three versions lie in a registry", components::push(stage)).await?;
    let (registry, images) = pushed;
    let kind = stage.step("Where releases will run", hosts::choose(stage, targets, &registry)).await?;
    let components = components::add(stage, &people, &registry, &images, &kind);
    let components = stage.step("The registry is connected; a sync pins every tag to its digest", components).await?;
    let environments = environments::add(stage, &people);
    let environments = stage.step("Three environments, and the gates at their doors", environments).await?;
    let hosts = hosts::enrol(stage, &people, &environments, &kind);
    let hosts = stage.step("Six hosts enrol, each with an agent of its own", hosts).await?;
    Ok(World { people, registry, images, kind, components, environments, hosts })
}

/// Tells it all; answers the world in which it ended.
pub(crate) async fn tell(stage: &Stage, targets: Targets) -> Result<World> {
    let world = build(stage, targets).await?;
    play(stage, &world).await?;
    Ok(world)
}

async fn play(stage: &Stage, world: &World) -> Result<()> {
    let first =
        stage.step("A release is cut and sealed: nothing changes it any more", release::cut(stage, world)).await?;
    stage.step("Somebody moves a tag: the release keeps its digests", release::moved_tag(stage, world, &first)).await?;
    let mut carried = Vec::new();
    let dev = promotion::enters(stage, world, &first, "dev");
    carried.push(stage.step("shop@1.0.0 enters dev", dev).await?);
    stage.step("It cannot skip staging", promotion::no_shortcut(stage, world, &first)).await?;
    let staging = promotion::enters(stage, world, &first, "staging");
    carried.push(stage.step("shop@1.0.0 enters staging", staging).await?);
    let waiting = stage.step("A freeze closes prod until it is lifted", freeze::blocks(stage, world, &first)).await?;
    stage.step("Who asked may not approve", approval::refused(stage, world, &waiting)).await?;
    let approved = approval::given(stage, world, &waiting, &first);
    carried.push(stage.step("A second person approves, and shop@1.0.0 enters prod", approved).await?);
    let second = promotion::goes_all_the_way(stage, world);
    carried.extend(stage.step("shop@1.1.0 takes the same way", second).await?);
    let bad = bad_release::is_taken_back(stage, world);
    carried.push(stage.step("A bad release fails in dev, and is taken back while the old one serves", bad).await?);
    let back = rollback::of_prod(stage, world);
    carried.push(stage.step("Prod goes back to shop@1.0.0 as a whole", back).await?);
    stage.step("All of it stands in the audit trail", audit::trail(stage, world)).await?;
    stage.step("The evidence verifies without the server", evidence::verifies(stage, world, &carried)).await?;
    stage.step("Each host says itself what it runs, signed", stickers::verify(stage, world)).await
}
