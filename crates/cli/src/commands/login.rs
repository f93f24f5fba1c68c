//! `plimsoll login` and `logout`: sign-in by a code that is typed into a browser, on whatever machine.

use plimsoll_core::context::Context;

use crate::{
    Done,
    args::Connect,
    client::{
        Client,
        context::{Contexts, Credential, One, Reach, clean, lock, path},
    },
    exit::Exit,
    failure::Failure,
    output::Printer,
};

/// The context of those who name none.
const DEFAULT: &str = "default";

pub(super) async fn login(url: Option<String>, connect: &Connect, printer: &Printer) -> Done {
    let (name, url) = place(url, connect)?;
    let client = Client::new(Reach { url: url.clone(), credential: Credential::Nobody, protected: None })?;
    let asked = client.device_authorization().await?;
    let page = asked.verification_uri_complete.as_ref().unwrap_or(&asked.verification_uri);
    // Without it nobody can sign in, so it is data and not progress.
    printer.text(&format!("Open {page} and confirm the code {}", asked.user_code))?;
    let tokens = client.device_tokens(&asked).await?;
    let held = lock()?;
    let mut all = Contexts::load()?;
    let protected = all.contexts.get(&name).is_some_and(|one| one.protected);
    let first = all.contexts.values().all(|one| one.login.is_none());
    let login = tokens.login(Context::system().now(), None);
    all.contexts.insert(name.clone(), One { url, protected, login: Some(login) });
    all.current = Some(name.clone());
    all.save()?;
    drop(held);
    printer.progress(&format!("signed in; context {name:?} is in use"));
    if first {
        printer.progress(&format!("the token is kept in {}, which you alone can read", path()?.display()));
    }
    Ok(Exit::Ok)
}

/// Under which name the sign-in is kept, and where.
fn place(url: Option<String>, connect: &Connect) -> Result<(String, String), Failure> {
    let all = Contexts::load()?;
    let current = connect.context.clone().or_else(|| all.current.clone());
    let url = match url.or_else(|| connect.url.clone()) {
        Some(url) => clean(&url)?,
        None => Reach::find(connect)?.url,
    };
    let same = |name: &String| all.contexts.get(name).is_none_or(|one| one.url == url);
    let name = connect.context.clone().or_else(|| current.filter(same)).unwrap_or_else(|| {
        let known = all.contexts.iter().find(|(_, one)| one.url == url).map(|(name, _)| name.clone());
        let host = url::Url::parse(&url).ok().and_then(|url| url.host_str().map(str::to_owned));
        let free = !all.contexts.contains_key(DEFAULT);
        known.unwrap_or_else(|| if free { DEFAULT.to_owned() } else { host.unwrap_or_else(|| DEFAULT.to_owned()) })
    });
    Ok((name, url))
}

/// Forgets the sign-in of the context in use.
pub(super) fn logout(connect: &Connect, printer: &Printer) -> Done {
    let held = lock()?;
    let mut all = Contexts::load()?;
    let name = connect.context.clone().or_else(|| all.current.clone());
    let Some(one) = name.as_ref().and_then(|name| all.contexts.get_mut(name)) else {
        return Err(Failure::usage("no context is in use").hint("name one with --context"));
    };
    one.login = None;
    all.save()?;
    drop(held);
    printer.progress("signed out here; the token itself ends when its time is over");
    Ok(Exit::Ok)
}
