//! How many there are, beyond what is counted; and lists that take too long.

use std::time::Duration;

use plimsoll_core::{ErrorCode, component::Component};
use plimsoll_store::{
    Dialect, Scope, SystemReason, params,
    resource::{self, Bounds, ListQuery, Page, Resource, Total},
};

use crate::{both::World, on_both};

on_both! {
    beyond_the_bound_it_is_told_about_how_many => beyond_the_bound_it_is_told_about_how_many;
    a_slow_list_is_told_what_would_be_faster => a_slow_list_is_told_what_would_be_faster;
    a_list_that_waits_is_no_broad_filter => a_list_that_waits_is_no_broad_filter;
}

const BOUNDS: Bounds = Bounds { longest: Duration::from_secs(30), counted: 10 };

fn query(filter: Option<&str>, deleted: bool) -> ListQuery {
    let page = Page { page_size: Some(5), filter: filter.map(str::to_owned), deleted, ..Page::default() };
    ListQuery::new(&Component::TABLE, &page, "name").unwrap()
}

async fn fill(world: &World, count: usize) {
    let all: Vec<Component> = (0..count).map(|_| world.any_component()).collect();
    let insert =
        move |tx: &mut plimsoll_store::Tx<'_>| all.iter().try_for_each(|component| resource::insert(tx, component));
    world.store.write(world.scope(), "fill", insert).await.unwrap();
}

async fn total(world: &World, query: ListQuery) -> Total {
    world.store.list::<Component>(world.scope(), "list", query.bounded(BOUNDS)).await.unwrap().total
}

async fn beyond_the_bound_it_is_told_about_how_many(world: World) {
    fill(&world, 10).await;
    assert_eq!(total(&world, query(None, false)).await, Total::Exact(10));
    fill(&world, 990).await;
    if let Some(database) = world.database() {
        database.sql("ANALYZE component").unwrap();
        // The planner's figure, which row-level security does not make exact.
        let Total::Estimated(about) = total(&world, query(None, false)).await else { panic!("not counted") };
        assert!((500..=1500).contains(&about), "{about}");
    } else {
        // The tenant's own counter, without a filter; it goes down again with what is deleted.
        assert_eq!(total(&world, query(None, false)).await, Total::Estimated(1000));
        let gone = move |tx: &mut plimsoll_store::Tx<'_>| {
            let one = resource::find_where::<Component>(tx, "name = $2", params!["c7"])?.remove(0);
            resource::soft_delete(tx, &one, one.created_at)
        };
        world.store.write(world.scope(), "delete", gone).await.unwrap();
        assert_eq!(total(&world, query(None, false)).await, Total::Estimated(999));
        let filtered = total(&world, query(Some(r#"{"name":{"$startsWith":"c"}}"#), false)).await;
        assert_eq!(filtered, Total::Estimated(11), "the bound");
    }
    // Another tenant has none of them.
    let other = Scope::Tenant(world.context.id());
    let none = world.store.list::<Component>(other, "list", query(None, false).bounded(BOUNDS)).await.unwrap();
    assert_eq!((none.total, none.items.len()), (Total::Exact(0), 0));
}

/// A list that is ended at its first thousand steps (SQLite), or after a moment in which PostgreSQL counts.
async fn a_slow_list_is_told_what_would_be_faster(world: World) {
    fill(&world, 300).await;
    if let Some(database) = world.database() {
        database
            .sql("CREATE OR REPLACE FUNCTION fold(text) RETURNS text LANGUAGE sql AS $$ SELECT count(*)::text FROM generate_series(1, 1000000000000) $$")
            .unwrap();
    }
    let longest = match world.store.dialect() {
        Dialect::Sqlite => Duration::ZERO,
        Dialect::Postgres => Duration::from_millis(200),
    };
    let slow = query(Some(r#"{"repository":{"$contains":"nowhere"}}"#), false).bounded(Bounds { longest, ..BOUNDS });
    let error = world.store.list::<Component>(world.scope(), "list", slow).await.unwrap_err();
    assert_eq!(error.code(), ErrorCode::FilterTooBroad);
    for word in ["repository", "name", "registryIntegrationId", "createdAt"] {
        assert!(error.message().contains(word), "{word} in {error}");
    }
    let details = error.public_details().unwrap();
    assert_eq!(details["conditions"], serde_json::json!(["repository"]));
    if world.store.dialect() == Dialect::Sqlite {
        // Without a filter there is nothing that the client could ask better.
        let page = Page { sort: Some("repository".to_owned()), ..Page::default() };
        let plain = ListQuery::new(&Component::TABLE, &page, "name").unwrap().bounded(Bounds { longest, ..BOUNDS });
        let error = world.store.list::<Component>(world.scope(), "list", plain).await.unwrap_err();
        assert_eq!(error.code(), ErrorCode::Unavailable);
    }
}

/// On PostgreSQL a list may wait for a lock, which is nobody's filter. SQLite's readers wait for nobody.
async fn a_list_that_waits_is_no_broad_filter(world: World) {
    fill(&world, 1).await;
    let filtered = || query(Some(r#"{"repository":{"$contains":"c"}}"#), false);
    let quick = Bounds { longest: Duration::from_millis(400), ..BOUNDS };
    let Some(database) = world.database() else {
        let store = world.store.clone();
        let (scope, asked) = (world.scope(), filtered());
        let held = move |tx: &mut plimsoll_store::Tx<'_>| {
            tx.execute("DELETE FROM label", params![])?;
            let list = store.list::<Component>(scope, "list", asked.clone());
            let page = tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(list)?;
            Ok(page.items.len())
        };
        assert_eq!(world.store.write(Scope::System(SystemReason::Sweep), "hold", held).await.unwrap(), 1);
        return;
    };
    let locker =
        plimsoll_store::Store::open(&plimsoll_store::StoreConfig::Postgres { url: database.url(), connections: 1 })
            .unwrap();
    let (store, scope) = (world.store.clone(), world.scope());
    database.sql("GRANT ALL ON component TO plimsoll_app; ALTER TABLE component OWNER TO plimsoll_app").unwrap();
    let held = move |tx: &mut plimsoll_store::Tx<'_>| {
        tx.execute("LOCK TABLE component IN ACCESS EXCLUSIVE MODE", params![])?;
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let both = [filtered(), query(None, false)].map(|asked| {
            let list = store.list::<Component>(scope, "list", asked.bounded(quick));
            runtime.block_on(list).map(|page| page.items.len()).unwrap_err().code()
        });
        Ok(both)
    };
    let codes = locker.write(world.scope(), "hold", held).await.unwrap();
    assert_eq!(codes, [ErrorCode::Unavailable; 2]);
}
