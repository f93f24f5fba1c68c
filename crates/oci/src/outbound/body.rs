//! Reading bodies within bounds.

use reqwest::Response;

use super::OutboundError;

/// The whole body, unless it is longer than `limit` bytes. Nothing beyond the limit is kept in memory.
pub async fn read_limited(mut response: Response, limit: u64) -> Result<Vec<u8>, OutboundError> {
    let url = response.url().clone();
    let too_large = || OutboundError::TooLarge { host: host_of(&url), limit_bytes: limit };
    if response.content_length().is_some_and(|announced| announced > limit) {
        return Err(too_large());
    }
    let mut body = Vec::new();
    while let Some(piece) = response.chunk().await.map_err(|cause| OutboundError::of(&url, &cause))? {
        if (body.len() + piece.len()) as u64 > limit {
            return Err(too_large());
        }
        body.extend_from_slice(&piece);
    }
    Ok(body)
}

/// `host[:port]` of `url`, as messages name it.
pub(crate) fn host_of(url: &reqwest::Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}
