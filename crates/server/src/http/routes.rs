//! The list of routes: each operation of the table that is built, with its handler. A test equates it
//! with the table.

use plimsoll_core::{Result, component::Component};
use plimsoll_protocol::{
    component::{CreateComponent, UpdateComponent},
    operation::OperationId as Op,
};

use super::{component, route::Route};

/// Every route.
pub(crate) fn all() -> Result<Vec<Route>> {
    let mut routes = Vec::new();
    routes.extend(components()?);
    Ok(routes)
}

fn components() -> Result<Vec<Route>> {
    Ok(vec![
        Route::new(Op::ComponentCreate, component::create).takes::<CreateComponent>()?.answers::<Component>(),
        Route::new(Op::ComponentList, component::list).pages::<Component>(),
        Route::new(Op::ComponentGet, component::get).answers::<Component>(),
        Route::new(Op::ComponentUpdate, component::update).takes::<UpdateComponent>()?.answers::<Component>(),
        Route::new(Op::ComponentDelete, component::delete),
    ])
}
