//! The list of routes: each operation of the table that is built, with its handler. A test equates it
//! with the table.

use plimsoll_core::Result;

use super::{component, integration, route::Route};

/// Every route.
pub(crate) fn all() -> Result<Vec<Route>> {
    let mut routes = Vec::new();
    routes.extend(integration::routes()?);
    routes.extend(component::routes()?);
    Ok(routes)
}
