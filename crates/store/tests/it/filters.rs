//! What filters let through, alike on both databases.

use plimsoll_core::{ErrorCode, component::Component, id::TypedId as _};
use plimsoll_store::resource::{self, ListQuery, Page, Resource};
use serde_json::{Value, json};

use crate::{both::World, on_both};

on_both! {
    a_row_without_a_value_is_none_of_them => a_row_without_a_value_is_none_of_them;
    labels_take_every_operator => labels_take_every_operator;
    case_is_ignored_beyond_ascii => case_is_ignored_beyond_ascii;
    two_hundred_environments_are_no_client_s_filter => two_hundred_environments_are_no_client_s_filter;
    what_could_be_read_in_two_ways_is_refused => what_could_be_read_in_two_ways_is_refused;
}

/// Makes a component of each name; `change` makes it what the test needs.
async fn filled(world: &World, names: &'static [&'static str], change: impl Fn(&str, &mut Component)) {
    let components: Vec<Component> = names
        .iter()
        .map(|name| {
            let mut component = world.component("any");
            component.name = (*name).to_owned();
            change(name, &mut component);
            component
        })
        .collect();
    let insert = move |tx: &mut plimsoll_store::Tx<'_>| {
        components.iter().try_for_each(|component| resource::insert(tx, component))
    };
    world.store.write(world.scope(), "fill", insert).await.unwrap();
}

fn query(filter: &Value) -> ListQuery {
    let page = Page { filter: Some(filter.to_string()), ..Page::default() };
    ListQuery::new(&Component::TABLE, &page, "name").unwrap()
}

async fn found(world: &World, query: ListQuery) -> Vec<String> {
    let page = world.store.list::<Component>(world.scope(), "list", query).await.unwrap();
    page.items.into_iter().map(|one| one.name).collect()
}

async fn a_row_without_a_value_is_none_of_them(world: World) {
    let source = world.context.id();
    filled(&world, &["with", "without"], |name, component| {
        component.source_integration_id = (name == "with").then_some(source);
    })
    .await;
    let (of, all) = (json!({ "sourceIntegrationId": source }), ["with", "without"]);
    assert_eq!(found(&world, query(&of)).await, ["with"]);
    assert_eq!(found(&world, query(&json!({ "sourceIntegrationId": { "$ne": source } }))).await, ["without"]);
    assert_eq!(found(&world, query(&json!({ "sourceIntegrationId": { "$nin": [source] } }))).await, ["without"]);
    assert_eq!(found(&world, query(&json!({ "$not": of }))).await, ["without"]);
    assert_eq!(found(&world, query(&json!({ "$not": { "$not": of } }))).await, ["with"]);
    assert_eq!(found(&world, query(&json!({ "sourceIntegrationId": { "$nin": [world.context.uuid()] } }))).await, all);
    assert_eq!(found(&world, query(&json!({ "$not": { "$and": [of, { "name": "other" }] } }))).await, all);
}

async fn labels_take_every_operator(world: World) {
    filled(&world, &["a", "b", "none"], |name, component| {
        component.labels.clear();
        if name != "none" {
            component.labels.insert("team".to_owned(), name.to_owned());
        }
    })
    .await;
    for (condition, expected) in [
        (json!("a"), vec!["a"]),
        (json!({ "$in": ["a", "b"] }), vec!["a", "b"]),
        (json!({ "$nin": ["a"] }), vec!["b", "none"]),
        (json!({ "$ne": "a" }), vec!["b", "none"]),
        (json!({ "$ne": "a", "$exists": true }), vec!["b"]),
        (json!({ "$exists": false }), vec!["none"]),
        (json!({ "$eq": null }), vec!["none"]),
        (json!({ "$startsWith": "B" }), vec!["b"]),
        (json!({ "$gt": "a" }), vec!["b"]),
    ] {
        assert_eq!(found(&world, query(&json!({ "labels.team": condition }))).await, expected, "{condition}");
    }
}

async fn case_is_ignored_beyond_ascii(world: World) {
    let odd = ["GRÖSSE", "İstanbul", "plain", "ΟΔΟΣ", "ДОМ"];
    filled(&world, &["GRÖSSE", "İstanbul", "plain", "ΟΔΟΣ", "ДОМ"], |_, _| ()).await;
    for (text, index) in
        [("rÖs", 0), ("rös", 0), ("STANB", 1), ("LAI", 2), ("οδος", 3), ("οσ", 3), ("дом", 4), ("Дом", 4)]
    {
        assert_eq!(found(&world, query(&json!({ "name": { "$contains": text } }))).await, [odd[index]], "{text}");
    }
    // Every letter of the alphabets that names are mostly written in finds itself in either case.
    let letters = ('\u{c0}'..='\u{24f}').chain('\u{370}'..='\u{52f}').filter(|one| one.is_alphabetic());
    let alphabet: String = letters.collect();
    let pattern: String = alphabet.chars().flat_map(char::to_lowercase).collect();
    let mut component = world.component("any");
    component.name = alphabet.clone();
    world.store.write(world.scope(), "fill", move |tx| resource::insert(tx, &component)).await.unwrap();
    for wanted in [&pattern, &alphabet] {
        // The limit of a filter is 8 KiB.
        let halves = wanted.chars().collect::<Vec<_>>();
        for part in halves.chunks(200) {
            let text: String = part.iter().collect();
            assert_eq!(
                found(&world, query(&json!({ "name": { "$contains": text } }))).await,
                [alphabet.as_str()],
                "{text}"
            );
        }
    }
}

async fn two_hundred_environments_are_no_client_s_filter(world: World) {
    filled(&world, &["a", "b"], |_, _| ()).await;
    let all = world.store.list::<Component>(world.scope(), "list", query(&json!({}))).await.unwrap().items;
    let mut ids: Vec<uuid::Uuid> = (0..200).map(|_| world.context.uuid()).collect();
    ids.push(all[1].id.uuid());
    // What somebody may see is no condition that they wrote, and theirs may have as many as ever.
    let theirs: Vec<String> = (0..63).map(|number| format!("c{number}")).chain(["b".to_owned()]).collect();
    let limited = query(&json!({ "name": { "$in": theirs } }))
        .within(&Component::TABLE, &json!({ "id": { "$in": ids } }))
        .unwrap();
    assert_eq!(found(&world, limited).await, ["b"]);
}

async fn what_could_be_read_in_two_ways_is_refused(world: World) {
    let _ = world;
    let page = Page { filter: Some(r#"{"name":"a","name":"b"}"#.to_owned()), ..Page::default() };
    let error = ListQuery::new(&Component::TABLE, &page, "name").unwrap_err();
    assert_eq!((error.code(), error.validation()[0].field.as_str()), (ErrorCode::ValidationFailed, "filter"));
}
