//! Rules on the fields of a component that need more than a length.

use std::{collections::BTreeSet, net::IpAddr};

use crate::{
    component::{
        VersionScheme,
        runtime::{Port, Publish, SecretForm, SecretMount, Volume},
    },
    rules::{self, ensure},
};

/// The memory that one compiled expression may take, in bytes.
const PATTERN_SIZE: usize = 256 * 1024;

/// Compiles an expression that must match a whole text, within bounds. Matching is linear in the text
/// (no backtracking), so a pattern cannot be made to run long.
pub(super) fn compile(pattern: &str) -> Result<regex::Regex, String> {
    if pattern.is_empty() || pattern.len() > rules::PATTERN {
        return Err(format!("must be a regular expression of 1 to {} bytes", rules::PATTERN));
    }
    // The pattern alone first, so that `a)(b` cannot close our group.
    let build = |text: &str| {
        regex::RegexBuilder::new(text).size_limit(PATTERN_SIZE).dfa_size_limit(PATTERN_SIZE).nest_limit(50).build()
    };
    build(pattern).and_then(|_| build(&format!("^(?:{pattern})$"))).map_err(|cause| {
        let reason = cause.to_string();
        let last = reason.lines().last().unwrap_or_default().trim_start_matches("error: ");
        format!("must be a regular expression: {last}")
    })
}

pub(super) fn pattern<T: AsRef<str>>(text: &T, _: &()) -> garde::Result {
    compile(text.as_ref()).map(drop).map_err(garde::Error::new)
}

/// `regex` needs a pattern with named groups, the other schemes take none.
pub(super) fn scheme_pattern(scheme: VersionScheme) -> impl FnOnce(&Option<String>, &()) -> garde::Result {
    move |pattern, ()| match (scheme, pattern) {
        (VersionScheme::Regex, Some(text)) => {
            let regex = compile(text).map_err(garde::Error::new)?;
            ensure(
                regex.capture_names().flatten().any(|name| name != "prerelease"),
                "must have a named group to compare by, such as (?<build>[0-9]+)",
            )
        }
        (VersionScheme::Regex, None) => Err(garde::Error::new("is required for the scheme regex")),
        (VersionScheme::Semver | VersionScheme::Calver | VersionScheme::Any, Some(_)) => {
            Err(garde::Error::new("is used by the scheme regex alone; leave it out, or use include and exclude"))
        }
        (VersionScheme::Semver | VersionScheme::Calver | VersionScheme::Any, None) => Ok(()),
    }
}

pub(super) fn publish(publish: &Publish, context: &()) -> garde::Result {
    match publish {
        Publish::Word(_) => Ok(()),
        Publish::Fixed(port) => rules::port(port, context),
    }
}

pub(super) fn bind(address: &Option<String>, _: &()) -> garde::Result {
    let good = address.as_deref().is_none_or(|text| text.parse::<IpAddr>().is_ok());
    ensure(good, "must be an IP address of the host, such as 127.0.0.1")
}

pub(super) fn distinct_ports(ports: &Vec<Port>, _: &()) -> garde::Result {
    let (mut inside, mut outside) = (BTreeSet::new(), BTreeSet::new());
    for port in ports {
        let protocol = port.protocol as u8;
        ensure(inside.insert((port.container, protocol)), "must not name a container port twice")?;
        if let Publish::Fixed(host) = port.publish {
            ensure(outside.insert((host, protocol, port.bind.as_ref())), "must not name a host port twice")?;
        }
    }
    Ok(())
}

pub(super) fn distinct_volumes(volumes: &Vec<Volume>, _: &()) -> garde::Result {
    let mut seen = BTreeSet::new();
    ensure(volumes.iter().all(|one| seen.insert(&one.target)), "must not mount two volumes at one place")
}

pub(super) fn distinct_secrets(secrets: &Vec<SecretMount>, _: &()) -> garde::Result {
    let mut seen = BTreeSet::new();
    let place = |one: &SecretMount| one.target.clone().unwrap_or_else(|| one.name.clone());
    ensure(
        secrets.iter().all(|one| seen.insert(place(one))),
        "must not give two secrets the same name in the container",
    )
}

/// A named volume, or an absolute path on the host.
pub(super) fn volume_source<T: AsRef<str>>(source: &T, context: &()) -> garde::Result {
    let source = source.as_ref();
    if source.starts_with('/') {
        return absolute(&source, context);
    }
    ensure(engine_name(source), "must be an absolute path, or a volume's name of letters, digits, '.', '_' and '-'")
}

/// An absolute path without `..`.
pub(super) fn absolute<T: AsRef<str>>(path: &T, _: &()) -> garde::Result {
    let path = path.as_ref();
    let good = path.starts_with('/')
        && !path.split('/').any(|part| part == "..")
        && !path.chars().any(|one| one.is_control() || one == ':');
    ensure(good, "must be an absolute path without '..', ':' and control characters")
}

/// The name of a network.
pub(super) fn network<T: AsRef<str>>(name: &T, _: &()) -> garde::Result {
    let text = name.as_ref();
    ensure(engine_name(text), "must be 1 to 128 letters, digits, '.', '_' and '-', beginning with a letter or digit")?;
    ensure(
        !matches!(text, "host" | "none" | "bridge" | "default"),
        "must be a network of its own: host, none, bridge and default are the engine's",
    )
}

/// What container engines take as a name. `${{ … }}` may stand in it.
fn engine_name(name: &str) -> bool {
    let known = |one: u8| one.is_ascii_alphanumeric() || matches!(one, b'.' | b'_' | b'-');
    name.len() <= 128 && name.bytes().next().is_some_and(|one| one.is_ascii_alphanumeric()) && name.bytes().all(known)
}

/// As a variable a name, as a file an absolute path.
pub(super) fn secret_target(form: &SecretForm) -> impl FnOnce(&Option<String>, &()) -> garde::Result {
    let form = *form;
    move |target, context| match (form, target) {
        (SecretForm::Env, Some(name)) => {
            ensure(rules::is_variable_name(name), "must be a variable's name: letters, digits and '_'")
        }
        (SecretForm::File, Some(path)) => absolute(path, context),
        (SecretForm::File, None) => Err(garde::Error::new("is required for a file: give its absolute path")),
        (SecretForm::Env, None) => Ok(()),
    }
}
