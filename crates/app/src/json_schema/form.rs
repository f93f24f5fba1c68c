//! Which of several forms was meant, when a value has none of them.

use std::collections::BTreeMap;

use jsonschema::{ValidationError as Mistake, error::ValidationErrorKind as Kind};

use super::words;

/// What can be said of a value that has none of the forms.
#[derive(Debug)]
pub(super) enum Meant<'a> {
    /// One form was meant; these are its mistakes.
    Form(&'a [Mistake<'static>]),
    /// The word that tells the forms apart stands here (a pointer) and is none of these.
    Word(String, Vec<String>),
    /// That word, the field of this name, is missing.
    NoWord(String),
    /// The value is of none of these types.
    Type(Vec<&'static str>),
    /// Nothing that helps.
    Unknown,
}

/// Looks for the form that was meant by a value that stands `at` (a pointer): the only one whose fixed words,
/// such as its `type`, are right.
pub(super) fn meant<'a>(forms: &'a [Vec<Mistake<'static>>], at: &str) -> Meant<'a> {
    let typed: Vec<&Vec<Mistake<'static>>> = forms.iter().filter(|form| wrong_type(form, at).is_none()).collect();
    if typed.is_empty() {
        let mut types: Vec<&str> = forms.iter().filter_map(|form| wrong_type(form, at)).flatten().collect();
        types.dedup();
        return Meant::Type(types);
    }
    if let [only] = typed.as_slice() {
        return Meant::Form(only);
    }
    let Some((place, words)) = telling_word(&typed) else {
        return match lacking(&typed) {
            Some(name) => Meant::NoWord(name),
            None => Meant::Unknown,
        };
    };
    let mut right = typed.iter().filter(|form| word_at(form, &place).is_none());
    match (right.next(), right.next()) {
        (Some(only), None) => Meant::Form(only),
        (Some(_), Some(_)) => Meant::Unknown,
        (None, _) => Meant::Word(place, words),
    }
}

/// The types that a form asks for, if the value itself is of another.
fn wrong_type(form: &[Mistake<'_>], at: &str) -> Option<Vec<&'static str>> {
    form.iter().find_map(|one| match one.kind() {
        Kind::Type { kind } if one.instance_path().as_str() == at => Some(words::types(kind)),
        _ => None,
    })
}

/// The place where the most forms want other words than the value has: there they are told apart. Where two
/// are as good, it is the one named `type`, as with all of ours.
fn telling_word(forms: &[&Vec<Mistake<'static>>]) -> Option<(String, Vec<String>)> {
    let mut places: BTreeMap<&str, (usize, Vec<String>)> = BTreeMap::new();
    for mistake in forms.iter().flat_map(|form| form.iter()) {
        let wanted = words::fixed_words(mistake);
        if !wanted.is_empty() {
            let (count, all) = places.entry(mistake.instance_path().as_str()).or_default();
            *count += 1;
            all.extend(wanted);
        }
    }
    let rank = |place: &str, count: usize| (count, place.ends_with("/type"));
    let (place, (_, words)) = places.into_iter().max_by_key(|(place, (count, _))| rank(place, *count))?;
    Some((place.to_owned(), words))
}

fn word_at<'a>(form: &'a [Mistake<'static>], place: &str) -> Option<&'a Mistake<'static>> {
    form.iter().find(|one| one.instance_path().as_str() == place && !words::fixed_words(one).is_empty())
}

/// A field that every form requires and that is missing.
fn lacking(forms: &[&Vec<Mistake<'static>>]) -> Option<String> {
    let required = |form: &[Mistake<'_>]| -> Vec<String> {
        let names = form.iter().filter_map(|one| match one.kind() {
            Kind::Required { property } => property.as_str().map(str::to_owned),
            _ => None,
        });
        names.collect()
    };
    let (first, rest) = forms.split_first()?;
    required(first).into_iter().find(|name| rest.iter().all(|form| required(form).contains(name)))
}
