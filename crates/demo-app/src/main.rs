//! The application that demos and tests deploy: a tiny HTTP server which shows its version, can be told to be
//! unhealthy, and appends each of its starts to a file on its host, where nothing of ours can edit it.
//!
//! | setting | argument | variable |
//! |---|---|---|
//! | version shown at `/` and `/version` | `--version 1.2.0` | `VERSION` |
//! | `/health` answers 500 | `--unhealthy` | `UNHEALTHY=1` |
//! | ends with code 3 instead of serving | `--crash` | `CRASH=1` |
//! | listens only after so many milliseconds | `--start-delay-ms 500` | `START_DELAY_MS` |
//! | file for `start <digest> <boot id> <pid>` lines | `--ledger /data/ledger` | `LEDGER` |
//! | port, 8080 if not given | `--port 80` | `PORT` |
//!
//! Arguments win over variables. The digest is `PLIMSOLL_IMAGE_DIGEST`, which the agent sets.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "its output is what log collection is shown with")]

use std::{
    env,
    fs::{self, OpenOptions},
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::ExitCode,
    thread,
    time::Duration,
};

struct Settings {
    version: String,
    healthy: bool,
    crash: bool,
    start_delay: Duration,
    ledger: Option<String>,
    port: u16,
}

const MAX_HEAD: u64 = 16 * 1024;
const PATIENCE: Duration = Duration::from_secs(10);

fn main() -> ExitCode {
    match settings(env::args().skip(1)).and_then(|settings| run(&settings)) {
        Ok(code) => code,
        Err(cause) => {
            eprintln!("plimsoll-demo-app: {cause}");
            ExitCode::from(2)
        }
    }
}

fn run(settings: &Settings) -> io::Result<ExitCode> {
    if let Some(ledger) = &settings.ledger {
        record_start(ledger)?;
    }
    println!("demo-app {} starts", settings.version);
    if settings.crash {
        eprintln!("demo-app {} was told to crash", settings.version);
        return Ok(ExitCode::from(3));
    }
    thread::sleep(settings.start_delay);
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, settings.port))?;
    println!("demo-app {} listens on port {}", settings.version, settings.port);
    thread::scope(|scope| {
        for connection in listener.incoming() {
            match connection {
                Ok(connection) => _ = scope.spawn(move || answer(settings, &connection)),
                Err(cause) => eprintln!("a connection failed: {cause}"),
            }
        }
    });
    Ok(ExitCode::SUCCESS)
}

/// One write of one line in append mode: lines of several instances never mix.
fn record_start(ledger: &str) -> io::Result<()> {
    let digest = env::var("PLIMSOLL_IMAGE_DIGEST").unwrap_or_else(|_| "unknown".to_owned());
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_else(|_| "unknown".to_owned());
    let line = format!("start {digest} {} {}\n", boot.trim(), std::process::id());
    let mut file = OpenOptions::new()
        .append(true)
        .create(true)
        .open(ledger)
        .map_err(|cause| io::Error::new(cause.kind(), format!("the ledger {ledger} can't be opened: {cause}")))?;
    file.write_all(line.as_bytes())?;
    file.sync_all()
}

fn answer(settings: &Settings, connection: &TcpStream) -> io::Result<()> {
    connection.set_read_timeout(Some(PATIENCE))?;
    connection.set_write_timeout(Some(PATIENCE))?;
    let mut head = BufReader::new(connection.take(MAX_HEAD));
    let mut request = String::new();
    head.read_line(&mut request)?;
    let mut line = String::new();
    while head.read_line(&mut line)? > 2 {
        line.clear();
    }
    let path = request.split(' ').nth(1).unwrap_or_default();
    let (status, body) = match (path.split('?').next().unwrap_or_default(), settings.healthy) {
        ("/" | "/version", _) => ("200 OK", settings.version.clone()),
        ("/health", true) => ("200 OK", "healthy".to_owned()),
        ("/health", false) => ("500 Internal Server Error", "unhealthy".to_owned()),
        _ => ("404 Not Found", "not found".to_owned()),
    };
    let length = body.len() + 1;
    let mut out = connection;
    out.write_all(
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}\n"
        )
        .as_bytes(),
    )
}

fn settings(mut arguments: impl Iterator<Item = String>) -> io::Result<Settings> {
    let wrong = |what: String| io::Error::new(io::ErrorKind::InvalidInput, what);
    let flag = |name: &str| env::var(name).is_ok_and(|value| value == "1");
    let mut port = env::var("PORT").ok();
    let mut delay = env::var("START_DELAY_MS").ok();
    let mut settings = Settings {
        version: env::var("VERSION").unwrap_or_else(|_| "unknown".to_owned()),
        healthy: !flag("UNHEALTHY"),
        crash: flag("CRASH"),
        start_delay: Duration::ZERO,
        ledger: env::var("LEDGER").ok(),
        port: 0,
    };
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| wrong(format!("{argument} needs a value")));
        match argument.as_str() {
            "--version" => settings.version = value()?,
            "--ledger" => settings.ledger = Some(value()?),
            "--port" => port = Some(value()?),
            "--start-delay-ms" => delay = Some(value()?),
            "--unhealthy" => settings.healthy = false,
            "--crash" => settings.crash = true,
            _ => return Err(wrong(format!("{argument} is unknown"))),
        }
    }
    let number = |text: Option<String>, otherwise: u16| match text {
        Some(text) => text.parse::<u16>().map_err(|cause| wrong(format!("{text:?}: {cause}"))),
        None => Ok(otherwise),
    };
    settings.port = number(port, 8080)?;
    settings.start_delay = Duration::from_millis(u64::from(number(delay, 0)?));
    Ok(settings)
}
