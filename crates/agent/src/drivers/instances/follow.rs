//! The output of what a task brings, shown in its log while it comes up.

use plimsoll_core::deployment::spec::ComponentSpec;
use plimsoll_protocol::agent::secret::SecretRef;

use super::{InstanceDriver, plan};
use crate::{
    drivers::{
        Scope,
        host::{InstanceHost, Since},
    },
    task::following::Output,
};

/// Follows those of `names` that this task brings and that are not followed yet. Every secret of the order is
/// known before a line is shown; after a restart of the agent they are asked for anew.
pub(super) async fn new_ones<H: InstanceHost>(
    driver: &InstanceDriver<H>,
    scope: Scope<'_>,
    component: &ComponentSpec,
    names: &[String],
    since: Since,
) {
    let own: Vec<String> =
        (0..component.instances.max(1)).map(|at| plan::name_of(scope.order, component, at)).collect();
    for name in names.iter().filter(|name| own.contains(name) && !scope.log.follows(name)) {
        let components = scope.order.spec.iter().flat_map(|spec| &spec.components);
        let mounts = components.flat_map(|component| &component.runtime.secrets);
        let secrets: Vec<SecretRef> = mounts.map(|mount| SecretRef::Environment { name: mount.name.clone() }).collect();
        if let Err(error) = scope.secrets.get(&secrets).await {
            let text = format!("the output of {name} is not shown: what is to be masked in it is not known: {error}");
            scope.log.say(Some(&component.name), text);
            continue;
        }
        let (host, followed) = (driver.host().clone(), name.clone());
        let mut output = Output::new(scope.log.clone(), &component.name);
        scope.log.follow(name, |end| async move {
            host.follow(&followed, since, &mut output, &end).await;
            output.finish();
        });
    }
}
