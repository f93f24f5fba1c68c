//! The seam: parameters, failing and panicking closures, guards, lists, the wall between tenants.

use std::time::Duration;

use plimsoll_core::{Error, ErrorCode, component::Component};
use plimsoll_store::{
    Scope, Store, StoreConfig, audit, params,
    resource::{self, ListQuery, Page, Resource},
};

use plimsoll_testkit::{PATIENCE, eventually_async, postgres::Postgres};

use crate::{both::World, on_both};

on_both! {
    parameters_keep_their_numbers => parameters_keep_their_numbers;
    a_failing_and_a_panicking_closure_harm_nobody_else => a_failing_and_a_panicking_closure_harm_nobody_else;
    in_a_crowd_each_stands_alone => in_a_crowd_each_stands_alone;
    a_closure_that_goes_on_after_a_failure_is_undone => a_closure_that_goes_on_after_a_failure_is_undone;
    a_lost_update_is_a_conflict => a_lost_update_is_a_conflict;
    names_are_free_again_after_deletion => names_are_free_again_after_deletion;
    another_tenant_sees_nothing => another_tenant_sees_nothing;
    lists_page_filter_and_sort_alike => lists_page_filter_and_sort_alike;
    the_audit_trail_cannot_be_changed => the_audit_trail_cannot_be_changed;
    reads_cannot_write => reads_cannot_write;
}

async fn parameters_keep_their_numbers(world: World) {
    let row = world
        .store
        .read(world.scope(), "test", |tx| {
            tx.query_one(
                "SELECT x.b, x.a, x.b FROM (SELECT CAST($2 AS BIGINT) AS a, CAST($1 AS BIGINT) AS b) AS x
                 WHERE x.b = CAST($1 AS BIGINT) AND '$3' = '$3' AND x.a = CAST($2 AS BIGINT)",
                params![1_i64, 2_i64],
            )
        })
        .await
        .unwrap();
    let mut row = row.reader();
    assert_eq!((row.next::<i64>().unwrap(), row.next::<i64>().unwrap(), row.next::<i64>().unwrap()), (1, 2, 1));
    let too_few = world.store.read(world.scope(), "test", |tx| tx.query("SELECT $1, $2", params![1_i64])).await;
    assert_eq!(too_few.unwrap_err().code(), ErrorCode::Internal);
}

async fn a_failing_and_a_panicking_closure_harm_nobody_else(world: World) {
    let (good, fails, panics) = (world.component("good"), world.component("fails"), world.component("panics"));
    let good_write = world.store.write(world.scope(), "good", move |tx| resource::insert(tx, &good));
    let failing = world.store.write(world.scope(), "fails", move |tx| {
        resource::insert(tx, &fails)?;
        Err::<(), _>(Error::new(ErrorCode::StateConflict, "no"))
    });
    let panicking = world.store.write(world.scope(), "panics", move |tx| {
        resource::insert(tx, &panics)?;
        assert!(tx.tenant().is_err(), "a defect");
        Ok(())
    });
    let (good_ended, failed, panicked) = tokio::join!(good_write, failing, panicking);
    good_ended.unwrap();
    assert_eq!(failed.unwrap_err().code(), ErrorCode::StateConflict);
    assert_eq!(panicked.unwrap_err().code(), ErrorCode::Internal);
    let query = ListQuery::new(&Component::TABLE, &Page::default(), "name").unwrap();
    let names: Vec<String> = world
        .store
        .list::<Component>(world.scope(), "list", query)
        .await
        .unwrap()
        .items
        .into_iter()
        .map(|one| one.name)
        .collect();
    assert_eq!(names, ["good"]);
}

/// What shares a flush to disk shares nothing else: some succeed, some fail before they change anything, some after,
/// some panic, and some break the rule of a table.
async fn in_a_crowd_each_stands_alone(world: World) {
    let (taken, scope) = (world.component("taken"), world.scope());
    world.store.write(scope, "taken", move |tx| resource::insert(tx, &taken)).await.unwrap();
    let one = |number: usize| {
        let ends = number % 5;
        let name = if ends == 4 { "taken".to_owned() } else { format!("c{number:02}") };
        let component = world.component(&name);
        world.store.write(scope, "crowd", move |tx| {
            if ends == 1 {
                return Err(Error::new(ErrorCode::StateConflict, "before"));
            }
            resource::insert(tx, &component)?;
            assert!(ends != 2, "a defect");
            if ends == 3 { Err(Error::new(ErrorCode::StateConflict, "after")) } else { Ok(()) }
        })
    };
    let ended = futures_util::future::join_all((0..60).map(one)).await;
    for (number, ended) in ended.into_iter().enumerate() {
        let code = [None, Some(ErrorCode::StateConflict), Some(ErrorCode::Internal), Some(ErrorCode::StateConflict)];
        let expected = code.get(number % 5).copied().unwrap_or(Some(ErrorCode::AlreadyExists));
        assert_eq!(ended.err().map(|error| error.code()), expected, "{number}");
    }
    let query = ListQuery::new(&Component::TABLE, &Page { page_size: Some(100), ..Page::default() }, "name").unwrap();
    let listed = world.store.list::<Component>(scope, "list", query).await.unwrap().items;
    let names: Vec<String> = listed.into_iter().map(|one| one.name).collect();
    let kept = (0..60).step_by(5).map(|number| format!("c{number:02}"));
    assert_eq!(names, kept.chain(["taken".to_owned()]).collect::<Vec<_>>());
}

async fn a_closure_that_goes_on_after_a_failure_is_undone(world: World) {
    let component = world.any_component();
    let (kept, id) = (component.clone(), component.id);
    let going_on = world.store.write(world.scope(), "goes on", move |tx| {
        resource::insert(tx, &kept)?;
        assert!(tx.query("SELECT nothing FROM schema_version", params![]).is_err());
        Ok(())
    });
    assert_eq!(going_on.await.unwrap_err().code(), ErrorCode::Internal);
    let found = world.store.read(world.scope(), "find", move |tx| resource::find::<Component>(tx, id)).await.unwrap();
    assert!(found.is_none());
}

#[tokio::test]
async fn a_closed_database_is_whole_in_its_file_alone_and_takes_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plimsoll.db");
    let store = Store::open(&StoreConfig::Sqlite { path: path.clone(), readers: 1 }).unwrap();
    let world = World::sqlite();
    let (component, scope) = (world.any_component(), world.scope());
    let (kept, id) = (component.clone(), component.id);
    let written = store.write(scope, "insert", move |tx| resource::insert(tx, &kept));
    let (written, ()) = tokio::join!(written, store.close());
    written.unwrap();
    let late = store.write(scope, "late", |tx| tx.query("SELECT 1", params![]).map(drop)).await;
    assert_eq!(late.unwrap_err().code(), ErrorCode::Unavailable);
    let copy = folder.path().join("copy.db");
    std::fs::copy(&path, &copy).unwrap();
    let copied = Store::open(&StoreConfig::Sqlite { path: copy, readers: 1 }).unwrap();
    assert!(copied.read(scope, "find", move |tx| resource::find::<Component>(tx, id)).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_of_one_replica_wakes_those_who_wait_at_another() {
    let database = Postgres::shared().unwrap().fresh_database().unwrap();
    let config = StoreConfig::Postgres { url: database.url(), connections: 1 };
    let (here, there) = (Store::open(&config).unwrap(), Store::open(&config).unwrap());
    let mut waiter = there.wake().waiter();
    // Far longer than the test may take: only a wake-up ends it.
    let woken = tokio::spawn(async move { waiter.wait(Duration::from_hours(1)).await });
    let scope = World::sqlite().scope();
    eventually_async("the other replica is woken", PATIENCE, async || {
        here.write(scope, "wakes", |tx| {
            tx.wake_after_commit();
            Ok(())
        })
        .await
        .unwrap();
        woken.is_finished()
    })
    .await
    .unwrap();
}

async fn a_lost_update_is_a_conflict(world: World) {
    let component = world.any_component();
    let kept = component.clone();
    world.store.write(world.scope(), "insert", move |tx| resource::insert(tx, &kept)).await.unwrap();
    let change = |repository: &str| {
        let mut next = component.clone();
        next.repository = repository.to_owned();
        world.store.write(world.scope(), "update", move |tx| resource::update(tx, &mut next.clone()))
    };
    change("first").await.unwrap();
    assert_eq!(change("second").await.unwrap_err().code(), ErrorCode::VersionMismatch);
    let id = component.id;
    let now = world.store.read(world.scope(), "get", move |tx| resource::get::<Component>(tx, id)).await.unwrap();
    assert_eq!((now.repository.as_str(), now.revision), ("first", 2));
}

async fn names_are_free_again_after_deletion(world: World) {
    let (first, again) = (world.component("api"), world.component("api"));
    let (one, two) = (first.clone(), again.clone());
    world.store.write(world.scope(), "insert", move |tx| resource::insert(tx, &one)).await.unwrap();
    let taken = world.store.write(world.scope(), "insert", move |tx| resource::insert(tx, &two)).await;
    assert_eq!(taken.unwrap_err().code(), ErrorCode::AlreadyExists);
    let at = world.now();
    let gone = first.clone();
    world.store.write(world.scope(), "delete", move |tx| resource::soft_delete(tx, &gone, at)).await.unwrap();
    world.store.write(world.scope(), "insert", move |tx| resource::insert(tx, &again)).await.unwrap();
    let id = first.id;
    let still = world.store.read(world.scope(), "history", move |tx| resource::find_any::<Component>(tx, id)).await;
    assert_eq!(still.unwrap().unwrap().name, "api", "history keeps naming what was deleted");
}

async fn another_tenant_sees_nothing(world: World) {
    let component = world.any_component();
    let id = component.id;
    world.store.write(world.scope(), "insert", move |tx| resource::insert(tx, &component)).await.unwrap();
    let stranger = Scope::Tenant(world.context.id());
    let found = world.store.read(stranger, "get", move |tx| resource::find::<Component>(tx, id)).await.unwrap();
    assert!(found.is_none());
    // The second wall: on PostgreSQL even a query that forgets the tenant answers nothing.
    let forgetful = world
        .store
        .read(stranger, "get", |tx| tx.query_one("SELECT count(*) FROM component", params![])?.first::<i64>())
        .await
        .unwrap();
    match world.store.dialect() {
        plimsoll_store::Dialect::Postgres => assert_eq!(forgetful, 0),
        plimsoll_store::Dialect::Sqlite => assert_eq!(forgetful, 1),
    }
}

async fn lists_page_filter_and_sort_alike(world: World) {
    for name in ["b", "a-2", "a-10", "a_x", "c"] {
        let component = world.component(name);
        world.store.write(world.scope(), "insert", move |tx| resource::insert(tx, &component)).await.unwrap();
    }
    let names = async |raw: Page| {
        let query = ListQuery::new(&Component::TABLE, &raw, "name").unwrap();
        let listing = world.store.list::<Component>(world.scope(), "list", query).await.unwrap();
        let names: Vec<String> = listing.items.into_iter().map(|one| one.name).collect();
        (names.join(" "), listing.total.count(), listing.has_next)
    };
    let filter = |text: &str| Page { filter: Some(text.into()), ..Page::default() };
    assert_eq!(names(Page::default()).await, ("a-10 a-2 a_x b c".into(), 5, false));
    let second = Page { page: Some(2), page_size: Some(2), sort: Some("-name".into()), ..Page::default() };
    assert_eq!(names(second).await, ("a_x a-2".into(), 5, true));
    assert_eq!(names(filter(r#"{"name":{"$startsWith":"A-"}}"#)).await.0, "a-10 a-2");
    assert_eq!(names(filter(r#"{"name":{"$contains":"_"}}"#)).await.0, "a_x");
    assert_eq!(names(filter(r#"{"$or":[{"name":"b"},{"repository":"shop/c"}]}"#)).await.0, "b c");
    assert_eq!(names(filter(r#"{"labels.team":"a","$not":{"name":{"$in":["b","c"]}}}"#)).await.0, "a-10 a-2 a_x");
    assert_eq!(names(filter(r#"{"labels.team":"b"}"#)).await.1, 0);
}

async fn the_audit_trail_cannot_be_changed(world: World) {
    let (principal, id, at) = (world.principal(), world.context.id(), world.now());
    world
        .store
        .write(world.scope(), "append", move |tx| {
            let entry = audit::AuditEntry {
                id,
                at,
                action: "component_create",
                resource_type: "component",
                resource_id: None,
                outcome: plimsoll_core::audit::AuditOutcome::Succeeded,
                error_code: None,
                change: None,
            };
            audit::append(tx, &principal, &World::origin(), entry)
        })
        .await
        .unwrap();
    for sql in
        ["UPDATE audit_event SET action = 'x' WHERE tenant_id = $1", "DELETE FROM audit_event WHERE tenant_id = $1"]
    {
        let tenant = world.tenant;
        let changed = world.store.write(world.scope(), "tamper", move |tx| tx.execute(sql, params![tenant])).await;
        assert!(changed.is_err(), "{sql}");
    }
}

async fn reads_cannot_write(world: World) {
    if world.store.dialect() == plimsoll_store::Dialect::Postgres {
        return;
    }
    let component = world.any_component();
    let written = world.store.read(world.scope(), "sly", move |tx| resource::insert(tx, &component)).await;
    assert!(written.is_err());
}
