//! Opening the task stream: TCP, a proxy's CONNECT where one is set, TLS, the upgrade.

use std::{sync::Arc, time::Duration};

use http::{HeaderValue, header};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;
use tokio_tungstenite::{
    WebSocketStream, client_async_with_config,
    tungstenite::{client::IntoClientRequest, error::Error as WsError, protocol::WebSocketConfig},
};
use url::Url;

use plimsoll_core::{Error, ErrorCode, Result};
use plimsoll_protocol::agent::MAX_FRAME_BYTES;

use super::{
    api::Refused,
    proxy::{Proxy, proxy_for},
    token::Token,
};

/// Either side of TLS.
pub trait Pipe: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Pipe for T {}

/// The open stream.
pub type Stream = WebSocketStream<Box<dyn Pipe>>;

const LIMIT: Duration = Duration::from_secs(15);
const MAX_PROXY_HEAD: usize = 16 * 1024;

/// Opens `url` (http or https) as a WebSocket with `token`.
pub async fn open(url: &Url, token: &Token, tls: Arc<ClientConfig>) -> Result<Stream, Refused> {
    match timeout(LIMIT, connect(url, token, tls)).await {
        Ok(done) => done,
        Err(_) => Err(unreachable(format!("no answer within {} s", LIMIT.as_secs()))),
    }
}

async fn connect(url: &Url, token: &Token, tls: Arc<ClientConfig>) -> Result<Stream, Refused> {
    let host = url.host_str().ok_or_else(|| unreachable("the address has no host".to_owned()))?;
    let port = url.port_or_known_default().unwrap_or(443);
    let tcp = match proxy_for(url) {
        Some(proxy) => through(&proxy, host, port).await?,
        None => TcpStream::connect((host.trim_matches(['[', ']']), port))
            .await
            .map_err(|cause| unreachable(cause.to_string()))?,
    };
    tcp.set_nodelay(true).map_err(|cause| unreachable(cause.to_string()))?;
    let pipe: Box<dyn Pipe> = if url.scheme() == "https" {
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
            .map_err(|cause| unreachable(format!("{host} can't be verified: {cause}")))?;
        let secured = TlsConnector::from(tls).connect(name, tcp).await;
        Box::new(secured.map_err(|cause| unreachable(format!("TLS failed: {cause}")))?)
    } else {
        Box::new(tcp)
    };
    let mut request = websocket(url).into_client_request().map_err(|cause| unreachable(cause.to_string()))?;
    let mut bearer = HeaderValue::from_str(&token.bearer()).map_err(|cause| unreachable(cause.to_string()))?;
    bearer.set_sensitive(true);
    request.headers_mut().insert(header::AUTHORIZATION, bearer);
    let limits = WebSocketConfig::default()
        .read_buffer_size(16 * 1024)
        .write_buffer_size(16 * 1024)
        .max_write_buffer_size(4 * MAX_FRAME_BYTES)
        .max_message_size(Some(MAX_FRAME_BYTES))
        .max_frame_size(Some(MAX_FRAME_BYTES));
    match client_async_with_config(request, pipe, Some(limits)).await {
        Ok((stream, _)) => Ok(stream),
        Err(WsError::Http(answer)) => {
            let status = answer.status().as_u16();
            let code = if status == 401 { ErrorCode::Unauthenticated } else { ErrorCode::UpstreamFailed };
            Err(Refused {
                status,
                error: Error::new(code, format!("the server refuses the task stream with status {status}")),
            })
        }
        Err(cause) => Err(unreachable(cause.to_string())),
    }
}

/// CONNECT (RFC 9110, section 9.3.6): the WebSocket client knows no proxies.
async fn through(proxy: &Proxy, host: &str, port: u16) -> Result<TcpStream, Refused> {
    let failed = |what: String| unreachable(format!("the proxy {}:{}: {what}", proxy.host, proxy.port));
    let mut tcp =
        TcpStream::connect((proxy.host.as_str(), proxy.port)).await.map_err(|cause| failed(cause.to_string()))?;
    let credentials =
        proxy.authorization.as_ref().map(|text| format!("Proxy-Authorization: {text}\r\n")).unwrap_or_default();
    let head = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n{credentials}\r\n");
    tcp.write_all(head.as_bytes()).await.map_err(|cause| failed(cause.to_string()))?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() >= MAX_PROXY_HEAD {
            return Err(failed("its answer is too long".to_owned()));
        }
        // Byte by byte: what follows the head belongs to TLS.
        let byte = tcp.read_u8().await.map_err(|cause| failed(cause.to_string()))?;
        answer.push(byte);
    }
    let text = String::from_utf8_lossy(&answer);
    match text.split(' ').nth(1) {
        Some(status) if status.starts_with('2') => Ok(tcp),
        _ => Err(failed(format!("it answered {:?}", text.lines().next().unwrap_or_default()))),
    }
}

fn websocket(url: &Url) -> String {
    let scheme = if url.scheme() == "https" { "wss" } else { "ws" };
    format!("{scheme}{}", url.as_str().trim_start_matches(url.scheme()))
}

fn unreachable(what: String) -> Refused {
    Refused { status: 0, error: Error::new(ErrorCode::Unavailable, format!("the task stream can't be opened: {what}")) }
}
