//! Layers and other blobs, verified while they stream.

use http::Method;
use plimsoll_core::{Digest, digest::Hasher};
use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    time::timeout,
};

use super::{Call, Inner, RegistryClient};
use crate::{
    auth::Scope,
    error::{RegistryError, Subject},
    name::Repository,
    outbound::OutboundError,
};

impl RegistryClient {
    /// Writes the blob `digest` to `sink` and gives its size. Fails if it is longer or shorter than
    /// `size_bytes` (of its descriptor), or is not what its digest says: then what `sink` holds is not to
    /// be used. Only the opening is tried again; a blob that breaks off is asked for anew by the caller.
    pub async fn blob_stream<W: AsyncWrite + Unpin + Send + ?Sized>(
        &self,
        repository: &Repository,
        digest: Digest,
        size_bytes: Option<u64>,
        sink: &mut W,
    ) -> Result<u64, RegistryError> {
        let inner = &self.0;
        let limit = size_bytes.unwrap_or(inner.limits.blob_bytes);
        let call = inner.blob_call(repository, digest, limit);
        let response = inner.open(&call).await?;
        let copied = timeout(inner.timeouts.blob, inner.copy(response, limit, sink)).await;
        let (size, found) = copied.map_err(|_| RegistryError::TimedOut { host: inner.host.clone() })??;
        if found != digest {
            return Err(inner.mismatch(&call.what, digest, found));
        }
        if let Some(announced) = size_bytes.filter(|announced| *announced != size) {
            return Err(inner.bad(&call.what, format!("{size} bytes instead of {announced}")));
        }
        Ok(size)
    }
}

impl Inner {
    pub(super) fn blob_call(&self, repository: &Repository, digest: Digest, limit: u64) -> Call {
        Call {
            method: Method::GET,
            url: self.url_of(repository, &format!("blobs/{digest}")),
            accept: "*/*",
            scope: Scope::Pull(repository.clone()),
            what: Subject::Blob(repository.clone(), digest),
            limit,
        }
    }

    async fn copy<W: AsyncWrite + Unpin + Send + ?Sized>(
        &self,
        mut response: reqwest::Response,
        limit: u64,
        sink: &mut W,
    ) -> Result<(u64, Digest), RegistryError> {
        let unwritable =
            |cause: std::io::Error| RegistryError::Sink { host: self.host.clone(), cause: cause.to_string() };
        let url = response.url().clone();
        let (mut size, mut hasher) = (0_u64, Hasher::new());
        while let Some(piece) = response.chunk().await.map_err(|cause| OutboundError::of(&url, &cause))? {
            size += piece.len() as u64;
            if size > limit {
                return Err(RegistryError::TooLarge { host: self.host.clone(), limit_bytes: limit });
            }
            hasher.update(&piece);
            sink.write_all(&piece).await.map_err(unwritable)?;
        }
        sink.flush().await.map_err(unwritable)?;
        Ok((size, hasher.finish()))
    }
}
