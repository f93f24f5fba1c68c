//! Lists in pages: the next page's query from the `Link` header (OCI Distribution specification 1.1,
//! "Listing Tags").

use http::{HeaderMap, header::LINK};
use reqwest::Url;

/// Entries asked for in a page; common registries refuse more than 1000.
pub(super) const PAGE_SIZE: &str = "n=1000";
/// Longest cursor taken.
pub(super) const MAX_CURSOR: usize = 2048;

/// The query of the next page, if there is one. Only the query is taken: registries behind proxies write
/// links with inner host names, and no link may lead us elsewhere.
pub(super) fn next(headers: &HeaderMap, current: &Url) -> Result<Option<String>, &'static str> {
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
