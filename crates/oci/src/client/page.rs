//! Lists in pages: asking for one, and the next page's query from the `Link` header (OCI Distribution specification 1.1,
//! "Listing Tags").

use bytes::Bytes;
use http::{HeaderMap, Method, header::LINK};
use reqwest::Url;

use super::{Call, Inner};
use crate::{
    auth::Scope,
    error::{RegistryError, Subject},
};

/// Longest cursor taken.
pub(super) const MAX_CURSOR: usize = 2048;

/// A list, and which of its pages.
pub(super) struct Page<'a> {
    /// Where the list is.
    pub(super) url: Url,
    /// The right that it needs.
    pub(super) scope: Scope,
    /// What it is.
    pub(super) what: Subject,
    /// Entries asked for at first; common registries refuse more than 1000.
    pub(super) size: usize,
    /// The query of a later page.
    pub(super) cursor: Option<&'a str>,
}

impl Inner {
    /// A page's body and the query of the page after it. A registry that refuses pages of our size is
    /// asked for pages of its own.
    pub(super) async fn page(&self, page: Page<'_>) -> Result<(Bytes, Option<String>), RegistryError> {
        let first = format!("n={}", page.size);
        let mut url = page.url;
        url.set_query(Some(page.cursor.unwrap_or(&first)));
        let (scope, what, limit) = (page.scope, page.what, self.limits.page_bytes);
        let mut call = Call { method: Method::GET, url, accept: "application/json", scope, what, limit };
        let answer = match self.fetch(&call).await {
            Err(RegistryError::PageSize { .. }) if page.cursor.is_none() => {
                call.url.set_query(None);
                self.fetch(&call).await?
            }
            other => other?,
        };
        let next = next(&answer.headers, &call.url).map_err(|problem| self.bad(&call.what, problem))?;
        Ok((answer.body, next))
    }
}

/// The query of the next page, if there is one. Only the query is taken: registries behind proxies write
/// links with inner host names, and no link may lead us elsewhere.
fn next(headers: &HeaderMap, current: &Url) -> Result<Option<String>, &'static str> {
    let lines = headers.get_all(LINK).iter().filter_map(|value| value.to_str().ok());
    let Some(target) = lines.flat_map(links).find(|(_, is_next)| *is_next).map(|(target, _)| target) else {
        return Ok(None);
    };
    let url = current.join(target).map_err(|_| "a link to the next page that is no URL")?;
    match url.query() {
        Some(query) if query.len() <= MAX_CURSOR && current.query() != Some(query) => Ok(Some(query.to_owned())),
        Some(_) | None => Err("a link to the next page that leads nowhere"),
    }
}

/// The links of one header line with whether each is the next page (RFC 8288).
fn links(line: &str) -> Vec<(&str, bool)> {
    let mut found = Vec::new();
    let mut rest = line;
    while let Some((_, after)) = rest.split_once('<') {
        let Some((target, tail)) = after.split_once('>') else { break };
        let end = tail.find('<').unwrap_or(tail.len());
        let (parameters, next) = tail.split_at(end);
        let is_next = parameters.split([';', ',']).any(|parameter| {
            let relation = parameter.split_once('=').filter(|(name, _)| name.trim().eq_ignore_ascii_case("rel"));
            relation.is_some_and(|(_, value)| {
                value.trim().trim_matches('"').split_ascii_whitespace().any(|word| word.eq_ignore_ascii_case("next"))
            })
        });
        found.push((target, is_next));
        rest = next;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn follow(link: &str) -> Result<Option<String>, &'static str> {
        let headers = HeaderMap::from_iter([(LINK, link.parse().unwrap())]);
        next(&headers, &Url::parse("https://r.example/v2/shop/api/tags/list?n=2").unwrap())
    }

    #[test]
    fn forms_of_the_header() {
        let query = Ok(Some("n=2&last=b".to_owned()));
        assert_eq!(follow("</v2/shop/api/tags/list?n=2&last=b>; rel=\"next\""), query);
        assert_eq!(follow("<https://inner:5000/v2/shop/api/tags/list?n=2&last=b>;rel=next"), query);
        assert_eq!(follow("<?n=2&last=b>; title=\"x\"; REL=\"prev next\""), query);
        assert_eq!(follow("</a?x>; rel=\"prev\", <?n=2&last=b>; rel=\"next\""), query);
        assert_eq!(follow("</a?x>; rel=\"prev\""), Ok(None));
        assert_eq!(follow("nothing"), Ok(None));
    }

    #[test]
    fn a_link_that_leads_nowhere_is_an_error() {
        assert!(follow("<?n=2>; rel=next").is_err());
        assert!(follow("</v2/>; rel=next").is_err());
        assert!(follow("<https://[>; rel=next").is_err());
        assert!(follow(&format!("<?last={}>; rel=next", "x".repeat(3000))).is_err());
    }

    proptest! {
        #[test]
        fn any_line_ends(line in "[ -~]{0,80}") {
            prop_assert!(links(&line).len() <= line.len());
        }
    }
}
