//! Files: the bytes themselves, whole or one range of them (RFC 9110, section 14).

use axum::{body::Body, response::Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use plimsoll_core::{Digest, Error, Result};

use super::answer::Answer;

/// A file to be sent.
pub(crate) struct Download {
    /// The name under which it is saved.
    pub(crate) name: String,
    /// The kind of content.
    pub(crate) media_type: &'static str,
    /// All of it.
    pub(crate) content: Vec<u8>,
}

impl Download {
    /// The answer to a request with these headers.
    pub(crate) fn answer(self, asked: &HeaderMap) -> Result<Answer> {
        let failed = |_| Error::internal_defect("a download's header cannot be sent");
        let total = self.content.len();
        let etag = format!("\"{}\"", Digest::of(&self.content).hex());
        let text = |name: header::HeaderName| asked.get(name).and_then(|value| value.to_str().ok());
        // A range of an older content would not fit to what the client has.
        let wanted = text(header::RANGE).filter(|_| text(header::IF_RANGE).is_none_or(|seen| seen == etag));
        let unchanged = text(header::IF_NONE_MATCH)
            .is_some_and(|seen| seen.split(',').any(|one| one.trim() == etag || one.trim() == "*"));
        let (status, body, range) = match wanted.map_or(Part::All, |wanted| part(wanted, total)) {
            _ if unchanged => (StatusCode::NOT_MODIFIED, Vec::new(), None),
            Part::All => (StatusCode::OK, self.content, None),
            Part::Some { first, last } => {
                let bytes = self.content.get(first..=last).unwrap_or_default().to_vec();
                (StatusCode::PARTIAL_CONTENT, bytes, Some(format!("bytes {first}-{last}/{total}")))
            }
            Part::Outside => (StatusCode::RANGE_NOT_SATISFIABLE, Vec::new(), Some(format!("bytes */{total}"))),
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.media_type));
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        headers.insert(header::ETAG, HeaderValue::from_str(&etag).map_err(failed)?);
        let named = format!("attachment; filename=\"{}\"", self.name);
        headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_str(&named).map_err(failed)?);
        if let Some(range) = range {
            headers.insert(header::CONTENT_RANGE, HeaderValue::from_str(&range).map_err(failed)?);
        }
        Ok(Answer::Raw(Box::new(response)))
    }
}

/// Which part of a file is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    All,
    Some { first: usize, last: usize },
    Outside,
}

/// Reads `Range`. What is not one range of bytes is answered with the whole, as the RFC allows.
fn part(wanted: &str, total: usize) -> Part {
    let Some((first, last)) = wanted.trim().strip_prefix("bytes=").and_then(|range| range.split_once('-')) else {
        return Part::All;
    };
    let number = |text: &str| text.trim().parse::<usize>().ok();
    match (first.trim(), last.trim()) {
        ("", count) => match number(count) {
            None => Part::All,
            Some(0) => Part::Outside,
            Some(_) if total == 0 => Part::Outside,
            Some(count) => Part::Some { first: total.saturating_sub(count), last: total - 1 },
        },
        (first, last) => match (number(first), last, number(last)) {
            (None, _, _) => Part::All,
            (Some(_), last, None) if !last.is_empty() => Part::All,
            (Some(first), _, Some(last)) if last < first => Part::All,
            (Some(first), _, _) if first >= total => Part::Outside,
            (Some(first), _, last) => Part::Some { first, last: last.unwrap_or(usize::MAX).min(total - 1) },
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_as_the_rfc_says() {
        let cases = [
            ("bytes=0-3", 10, Part::Some { first: 0, last: 3 }),
            ("bytes=4-", 10, Part::Some { first: 4, last: 9 }),
            ("bytes=4-99", 10, Part::Some { first: 4, last: 9 }),
            ("bytes=-3", 10, Part::Some { first: 7, last: 9 }),
            ("bytes=-99", 10, Part::Some { first: 0, last: 9 }),
            ("bytes=-0", 10, Part::Outside),
            ("bytes=10-", 10, Part::Outside),
            ("bytes=0-", 0, Part::Outside),
            ("bytes=-1", 0, Part::Outside),
            ("bytes=5-2", 10, Part::All),
            ("bytes=a-b", 10, Part::All),
            ("bytes=0-1,4-5", 10, Part::All),
            ("bytes=-", 10, Part::All),
            ("lines=0-1", 10, Part::All),
            ("bytes=99999999999999999999999-", 10, Part::All),
        ];
        for (wanted, total, expected) in cases {
            assert_eq!(part(wanted, total), expected, "{wanted} of {total}");
        }
    }

    async fn asked(headers: &[(header::HeaderName, &str)]) -> (u16, String, Vec<u8>) {
        let mut asked = HeaderMap::new();
        for (name, value) in headers {
            asked.insert(name, HeaderValue::from_str(value).unwrap());
        }
        let file = Download { name: "a.json".into(), media_type: "application/json", content: b"0123456789".to_vec() };
        let Answer::Raw(response) = file.answer(&asked).unwrap() else { panic!("a raw answer") };
        let (parts, body) = response.into_parts();
        assert_eq!(parts.headers[header::CONTENT_DISPOSITION], "attachment; filename=\"a.json\"");
        let range = parts.headers.get(header::CONTENT_RANGE).map(|value| value.to_str().unwrap().to_owned());
        let bytes = axum::body::to_bytes(body, 100).await.unwrap().to_vec();
        (parts.status.as_u16(), range.unwrap_or_default(), bytes)
    }

    #[tokio::test]
    async fn a_part_is_sent_only_of_what_the_client_has() {
        let etag = format!("\"{}\"", Digest::of(b"0123456789").hex());
        let whole = (200, String::new(), b"0123456789".to_vec());
        let some = (206, "bytes 2-3/10".to_owned(), b"23".to_vec());
        assert_eq!(asked(&[]).await, whole);
        assert_eq!(asked(&[(header::RANGE, "bytes=2-3")]).await, some);
        assert_eq!(asked(&[(header::RANGE, "bytes=2-3"), (header::IF_RANGE, &etag)]).await, some);
        assert_eq!(asked(&[(header::RANGE, "bytes=2-3"), (header::IF_RANGE, "\"other\"")]).await, whole);
        assert_eq!(asked(&[(header::RANGE, "bytes=10-")]).await, (416, "bytes */10".to_owned(), Vec::new()));
        assert_eq!(asked(&[(header::IF_NONE_MATCH, &etag)]).await, (304, String::new(), Vec::new()));
    }
}
