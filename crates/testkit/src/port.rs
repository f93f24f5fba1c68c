//! Ports for servers that cannot choose one themselves.

use std::{
    fs::File,
    net::TcpListener,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU16, Ordering},
    },
};

use anyhow::{Context, Result};

/// Below the range from which the kernel takes ports for outgoing connections, so none of those gets in between.
const FIRST: u16 = 20_000;
const COUNT: u16 = 10_000;

/// How many ports this process tried.
static TRIED: AtomicU16 = AtomicU16::new(0);
/// Claims are held until the process ends.
static CLAIMS: Mutex<Vec<File>> = Mutex::new(Vec::new());

/// A TCP port that is free on all addresses. No other process that asks here gets it while this one lives.
pub fn free_port() -> Result<u16> {
    let claims = std::env::temp_dir().join("plimsoll-test-ports");
    std::fs::create_dir_all(&claims).with_context(|| format!("cannot make {}", claims.display()))?;
    // Processes begin at different places, so they rarely meet.
    let start = (std::process::id() % 1000) as u16 * 10;
    for _ in 0..COUNT {
        let port = FIRST + (start + TRIED.fetch_add(1, Ordering::Relaxed)) % COUNT;
        let claim = File::create(claims.join(port.to_string()))?;
        if claim.try_lock().is_ok() && TcpListener::bind(("0.0.0.0", port)).is_ok() {
            CLAIMS.lock().unwrap_or_else(PoisonError::into_inner).push(claim);
            return Ok(port);
        }
    }
    anyhow::bail!("no port from {FIRST} to {} is free", FIRST + COUNT - 1)
}
