//! A server that was stopped and is started again on the same data.

use plimsoll_core::context::Context;
use plimsoll_server::{Running, config::Config, start};
use plimsoll_store::{Scope, SystemReason, params, work};
use plimsoll_testkit::{PATIENCE, Postgres, TestDatabase, eventually_async};

async fn leases_held(running: &Running) -> i64 {
    let now = running.app().context.now();
    let held = move |tx: &mut plimsoll_store::Tx<'_>| {
        tx.query_one("SELECT count(*) FROM lease WHERE lease_until > $1", params![now])?.first::<i64>()
    };
    running.app().store.read(Scope::System(SystemReason::Sweep), "test", held).await.unwrap()
}

async fn a_stopped_server_holds_no_lease(database: Option<TestDatabase>) {
    let folder = tempfile::tempdir().unwrap();
    let config = Config {
        listen: "127.0.0.1:0".parse().unwrap(),
        data_directory: folder.path().join("data"),
        database_url: database.as_ref().map(TestDatabase::url),
        database_connections: 2,
        ..Config::defaults()
    };
    let first = start(&config, Context::system()).await.unwrap();
    eventually_async("the sequencer has its lease", PATIENCE, async || (leases_held(&first).await > 0).then_some(()))
        .await
        .unwrap();
    first.stop().await;
    // What the next one finds, before its own tasks take anything.
    let store = plimsoll_server::open_store(&config).unwrap();
    let now = Context::system().now();
    let free = move |tx: &mut plimsoll_store::Tx<'_>| work::hold_lease(tx, "sequencer", "the next one", now, 0);
    assert!(store.write(Scope::System(SystemReason::Claim), "test", free).await.unwrap());
    store.close().await;
    drop(store);
    let second = start(&config, Context::system()).await.unwrap();
    second.stop().await;
}

mod a_stopped_server_gives_back_its_leases {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn sqlite() {
        a_stopped_server_holds_no_lease(None).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn postgres() {
        let database = Postgres::shared().unwrap().fresh_database().unwrap();
        a_stopped_server_holds_no_lease(Some(database)).await;
    }
}
