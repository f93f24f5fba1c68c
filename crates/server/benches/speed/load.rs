//! The load: keep-alive HTTP/1.1 connections on one thread, as many as asked for, until the time is over.
//!
//! A closed load sends the next request when the answer is there and finds the maximum. A paced load sends at
//! fixed moments; a request that had to wait for its connection counts from the moment when it was due.

use std::{
    fmt::Write as _,
    net::SocketAddr,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use futures_util::future::try_join_all;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// The longest for one answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// How the load is brought.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// As fast as answers come.
    Closed,
    /// So many requests a second.
    Paced(f64),
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    /// Answers with the expected status.
    pub good: u64,
    /// All others, and the first of them.
    pub bad: u64,
    pub first_bad: Option<String>,
    /// How long it took.
    pub seconds: f64,
    /// Of the good ones, in microseconds, sorted.
    pub micros: Vec<u32>,
}

impl Measured {
    /// Good answers a second.
    pub fn rate(&self) -> f64 {
        self.good as f64 / self.seconds.max(f64::EPSILON)
    }

    /// A percentile in milliseconds.
    pub fn millis(&self, percent: f64) -> f64 {
        let last = self.micros.len().saturating_sub(1);
        let index = (last as f64 * percent / 100.0).round() as usize;
        self.micros.get(index).copied().map_or(f64::NAN, |micros| f64::from(micros) / 1000.0)
    }

    /// Refuses figures of a run in which more than one call of a hundred failed.
    pub fn checked(self, what: &str) -> Result<Self> {
        ensure!(self.good > 0, "{what}: no call succeeded: {:?}", self.first_bad);
        ensure!(
            self.bad * 100 <= self.good,
            "{what}: {} of {} calls failed, the first: {:?}",
            self.bad,
            self.bad + self.good,
            self.first_bad
        );
        Ok(self)
    }

    fn add(&mut self, other: Self) {
        self.good += other.good;
        self.bad += other.bad;
        self.first_bad = self.first_bad.take().or(other.first_bad);
        self.micros.extend(other.micros);
    }
}

/// Brings the load. `request` writes the bytes of the n-th request.
pub async fn bring(
    address: SocketAddr,
    connections: usize,
    duration: Duration,
    pace: Pace,
    expected: u16,
    request: &dyn Fn(u64, &mut Vec<u8>),
) -> Result<Measured> {
    let mut open = Vec::with_capacity(connections);
    for _ in 0..connections {
        open.push(Connection::open(address).await?);
    }
    let begun = Instant::now();
    let lines = open.into_iter().enumerate().map(|(index, connection)| {
        let line = Line { index: index as u64, step: connections as u64, begun, until: begun + duration, expected };
        line.run(connection, pace, request)
    });
    let mut all = Measured::default();
    for one in try_join_all(lines).await? {
        all.add(one);
    }
    all.seconds = begun.elapsed().as_secs_f64();
    all.micros.sort_unstable();
    Ok(all)
}

/// What one connection sends.
struct Line {
    index: u64,
    step: u64,
    begun: Instant,
    until: Instant,
    expected: u16,
}

impl Line {
    async fn run(
        self,
        mut connection: Connection,
        pace: Pace,
        request: &dyn Fn(u64, &mut Vec<u8>),
    ) -> Result<Measured> {
        let mut out = Measured::default();
        let mut bytes = Vec::with_capacity(2048);
        for number in (self.index..).step_by(self.step as usize) {
            let from = match pace {
                Pace::Closed => Instant::now(),
                Pace::Paced(rate) => {
                    let due = self.begun + Duration::from_secs_f64(number as f64 / rate);
                    if due >= self.until {
                        break;
                    }
                    let late = Instant::now() > due;
                    if !late {
                        tokio::time::sleep_until(due.into()).await;
                    }
                    // A timer that rings late is ours and not the server's.
                    if late { due } else { Instant::now() }
                }
            };
            if from >= self.until {
                break;
            }
            bytes.clear();
            request(number, &mut bytes);
            let status = connection.call(&bytes).await?;
            if status == self.expected {
                out.good += 1;
                out.micros.push(u32::try_from(from.elapsed().as_micros()).unwrap_or(u32::MAX));
            } else {
                out.bad += 1;
                if out.first_bad.is_none() {
                    out.first_bad = Some(format!("{status}: {}", connection.body()));
                }
            }
        }
        Ok(out)
    }
}

/// One keep-alive connection.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
    body_at: usize,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> Result<Self> {
        ensure!(address.ip().is_loopback(), "loads go to loopback alone, not to {address}");
        let stream = TcpStream::connect(address).await.with_context(|| format!("no connection to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; 64 * 1024], filled: 0, body_at: 0 })
    }

    /// Sends a request and reads the answer whole; its status.
    pub async fn call(&mut self, request: &[u8]) -> Result<u16> {
        tokio::time::timeout(PATIENCE, self.exchange(request)).await.context("no answer in 20 s")?
    }

    /// The body of the last answer.
    pub fn body(&self) -> String {
        String::from_utf8_lossy(&self.buffer[self.body_at..self.filled]).into_owned()
    }

    async fn exchange(&mut self, request: &[u8]) -> Result<u16> {
        self.stream.write_all(request).await?;
        self.filled = 0;
        loop {
            if self.filled == self.buffer.len() {
                self.buffer.resize(self.filled * 2, 0);
            }
            let more = self.stream.read(&mut self.buffer[self.filled..]).await?;
            if more == 0 {
                bail!("the server closed the connection");
            }
            self.filled += more;
            let Some(head) = find(&self.buffer[..self.filled], b"\r\n\r\n") else { continue };
            let (status, length) = head_of(&self.buffer[..head])?;
            self.body_at = head + 4;
            while self.filled < self.body_at + length {
                self.buffer.resize(self.buffer.len().max(self.body_at + length), 0);
                let more = self.stream.read(&mut self.buffer[self.filled..]).await?;
                ensure!(more > 0, "the server closed the connection in the middle of an answer");
                self.filled += more;
            }
            return Ok(status);
        }
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// Status and length of an answer.
fn head_of(head: &[u8]) -> Result<(u16, usize)> {
    let text = std::str::from_utf8(head)?;
    let mut lines = text.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).context("no status")?.parse()?;
    let length = lines.find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim())
    });
    Ok((status, length.unwrap_or("0").parse()?))
}

/// A GET.
pub fn get(path: &str, token: Option<&str>) -> Vec<u8> {
    let mut text = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nuser-agent: speed\r\n");
    if let Some(token) = token {
        // Writing to a String cannot fail.
        _ = write!(text, "authorization: Bearer {token}\r\n");
    }
    text.push_str("\r\n");
    text.into_bytes()
}

/// A POST of JSON, written into `out`.
pub fn post(out: &mut Vec<u8>, path: &str, token: &str, body: &str) {
    let head = format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nuser-agent: speed\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    out.extend_from_slice(head.as_bytes());
    out.extend_from_slice(body.as_bytes());
}
