//! The repositories that a registry lists. Many large ones don't (Docker Hub, GHCR): then it is refused.

use std::collections::HashSet;

use serde::Deserialize;

use super::{
    RegistryClient,
    page::{MAX_CURSOR, Page},
};
use crate::{
    auth::Scope,
    error::{RegistryError, Subject},
    name::Repository,
};

/// Some repositories of a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogPage {
    /// Their names, in the registry's order.
    pub repositories: Vec<String>,
    /// How to ask for more, if there may be more.
    pub next: Option<String>,
}

#[derive(Deserialize)]
struct Catalog {
    #[serde(default, deserialize_with = "crate::manifest::or_default")]
    repositories: Vec<String>,
}

/// Pages of the registry that one call reads through in search of matches.
const MAX_PAGES: usize = 20;
/// Repositories asked for in a page. An answer holds less than two pages, so at most 1000 names, unless
/// the registry's own pages are longer.
const PAGE: usize = 500;

impl RegistryClient {
    /// Repositories whose name contains `query` (ignoring case), from `cursor` (an earlier page's `next`) on.
    /// Reads several of the registry's pages where few names match, and always whole ones. Each name comes
    /// once, and only what is a repository's name.
    pub async fn catalog(&self, cursor: Option<&str>, query: Option<&str>) -> Result<CatalogPage, RegistryError> {
        let wanted = query.unwrap_or_default().to_lowercase();
        if cursor.is_some_and(|cursor| cursor.len() > MAX_CURSOR) {
            return Err(RegistryError::Configuration("the cursor is not one of an earlier page".to_owned()));
        }
        let mut found = CatalogPage { repositories: Vec::new(), next: cursor.map(str::to_owned) };
        let (mut names, mut read) = (HashSet::new(), HashSet::new());
        for _ in 0..MAX_PAGES {
            if !read.insert(found.next.clone()) {
                let problem = "a link to a page that was read already, so that its list never ends";
                return Err(self.0.bad(&Subject::Catalog, problem));
            }
            let page = self.catalog_page(found.next.as_deref()).await?;
            // What is no repository's name can't be asked for: it goes no further, whatever it is.
            let good = page.repositories.into_iter().filter(|name| name.parse::<Repository>().is_ok());
            let matching = good.filter(|name| name.to_lowercase().contains(&wanted));
            found.repositories.extend(matching.filter(|name| names.insert(name.clone())));
            found.next = page.next;
            if found.next.is_none() || found.repositories.len() > PAGE {
                break;
            }
        }
        Ok(found)
    }

    async fn catalog_page(&self, cursor: Option<&str>) -> Result<CatalogPage, RegistryError> {
        let inner = &self.0;
        let url = inner.url("/v2/_catalog");
        let page = Page { url, scope: Scope::Catalog, what: Subject::Catalog, size: PAGE, cursor };
        let (body, next) = inner.page(page).await?;
        let list: Catalog = serde_json::from_slice(&body)
            .map_err(|_| inner.bad(&Subject::Catalog, "something that is no list of repositories"))?;
        Ok(CatalogPage { repositories: list.repositories, next })
    }
}
