//! A repository's tags.

use std::collections::BTreeSet;

use serde::Deserialize;

use super::{RegistryClient, page::Page};
use crate::{
    auth::Scope,
    error::{RegistryError, Subject},
    name::Repository,
};

/// One page of tags.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TagsPage {
    /// The tags, in the registry's order.
    pub tags: Vec<String>,
    /// How to ask for the next page, if there is one.
    pub next: Option<String>,
}

#[derive(Deserialize)]
struct TagList {
    #[serde(default, deserialize_with = "crate::manifest::or_default")]
    tags: Vec<String>,
}

impl RegistryClient {
    /// All tags of `repository`, sorted as text, each once.
    pub async fn list_tags(&self, repository: &Repository) -> Result<Vec<String>, RegistryError> {
        let (inner, what) = (&self.0, Subject::Tags(repository.clone()));
        let (mut all, mut cursor) = (BTreeSet::new(), None);
        for _ in 0..inner.limits.pages {
            let page = self.tags_page(repository, cursor.as_deref()).await?;
            all.extend(page.tags);
            if all.len() > inner.limits.tags {
                return Err(inner.bad(&what, format!("more than {} tags", inner.limits.tags)));
            }
            cursor = page.next;
            if cursor.is_none() {
                return Ok(all.into_iter().collect());
            }
        }
        Err(inner.bad(&what, format!("more than {} pages", inner.limits.pages)))
    }

    /// The first page of `repository`'s tags, or the one that `cursor` (an earlier page's `next`) leads to.
    pub async fn tags_page(&self, repository: &Repository, cursor: Option<&str>) -> Result<TagsPage, RegistryError> {
        let (inner, what) = (&self.0, Subject::Tags(repository.clone()));
        let page = Page {
            url: inner.url_of(repository, "tags/list"),
            scope: Scope::Pull(repository.clone()),
            what: what.clone(),
            size: 1000,
            cursor,
        };
        let (body, next) = inner.page(page).await?;
        let list: TagList =
            serde_json::from_slice(&body).map_err(|_| inner.bad(&what, "something that is no list of tags"))?;
        Ok(TagsPage { tags: list.tags, next })
    }
}
