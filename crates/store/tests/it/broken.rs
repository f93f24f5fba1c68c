//! A PostgreSQL server that goes away and comes back.

use plimsoll_core::ErrorCode;
use plimsoll_store::{Scope, Store, StoreConfig, params};
use plimsoll_testkit::Postgres;

/// How many connections the pool has, all of which die.
const CONNECTIONS: usize = 4;

async fn ask(store: &Store, scope: Scope) -> plimsoll_core::Result<i64> {
    store.read(scope, "ask", |tx| tx.query_one("SELECT CAST(1 AS BIGINT)", params![])?.first()).await
}

/// Takes every connection of the pool into use: each transaction waits until all of them run.
async fn use_all(store: &Store, scope: Scope) {
    let together = std::sync::Arc::new(std::sync::Barrier::new(CONNECTIONS));
    let running = (0..CONNECTIONS).map(|_| {
        let (store, together) = (store.clone(), together.clone());
        tokio::spawn(async move {
            let read = move |tx: &mut plimsoll_store::Tx<'_>| {
                together.wait();
                tx.query_one("SELECT CAST(1 AS BIGINT)", params![])?.first::<i64>()
            };
            store.read(scope, "all", read).await.unwrap();
        })
    });
    for one in running.collect::<Vec<_>>() {
        one.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_pays_for_connections_that_died_unused() {
    let mut postgres = Postgres::start().unwrap();
    let database = postgres.fresh_database().unwrap();
    let store = Store::open(&StoreConfig::Postgres { url: database.url(), connections: CONNECTIONS }).unwrap();
    let scope = Scope::Tenant(plimsoll_core::context::Context::system().id());
    use_all(&store, scope).await;
    postgres.server().unwrap().crash().unwrap();
    // While it is away, a read is told to repeat itself, and has no use for an Idempotency-Key.
    let error = ask(&store, scope).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::Unavailable);
    assert!(!error.message().contains("Idempotency-Key"), "{error}");
    postgres.server().unwrap().start_again().unwrap();
    for number in 0..2 * CONNECTIONS {
        assert_eq!(ask(&store, scope).await.unwrap(), 1, "call {number}");
    }
    use_all(&store, scope).await;
}
