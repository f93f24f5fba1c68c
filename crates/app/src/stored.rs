//! Resources that are shown as they are stored.

use plimsoll_core::Result;
use plimsoll_store::resource::{self, Resource, Stored};

use crate::{App, Caller};

impl App {
    /// The resource with this id, where the API shows no more than its row holds.
    pub async fn stored<R: Resource>(&self, caller: &Caller, id: R::Id) -> Result<Stored> {
        let read = move |tx: &mut plimsoll_store::Tx<'_>| resource::get_stored::<R>(tx, id);
        self.store.read(caller.scope(), caller.operation.as_str(), read).await
    }
}
