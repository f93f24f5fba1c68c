//! Waiting for real work: progress by the job's stream, also when it breaks off or cannot be had.

use std::{
    process::Output,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::{
    estate::{Database, Estate, Person, Plan, web},
    support::ended,
};

/// What stands between the command line and the server.
#[derive(Clone, Copy)]
enum Mode {
    /// Streams break off after so many bytes.
    Cuts(usize),
    /// Streams are refused.
    Refuses,
}

/// A proxy that knows calls, and does to streams what its mode says. It tells how many streams were asked for.
async fn between(server: &str, mode: Mode) -> (String, Arc<AtomicUsize>) {
    let (server, listener) =
        (server.trim_start_matches("http://").to_owned(), TcpListener::bind("127.0.0.1:0").await.unwrap());
    let url = format!("http://{}", listener.local_addr().unwrap());
    let streams = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&streams);
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            tokio::spawn(carry(near, server.clone(), mode, Arc::clone(&count)));
        }
    });
    (url, streams)
}

async fn carry(mut near: TcpStream, server: String, mode: Mode, streams: Arc<AtomicUsize>) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(near.read_u8().await.ok()?);
    }
    let mut far = TcpStream::connect(server).await.ok()?;
    far.write_all(&head).await.ok()?;
    if !String::from_utf8_lossy(&head).to_ascii_lowercase().contains("upgrade: websocket") {
        tokio::io::copy_bidirectional(&mut near, &mut far).await.ok()?;
        return Some(());
    }
    streams.fetch_add(1, Ordering::SeqCst);
    match mode {
        Mode::Refuses => near.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").await.ok(),
        Mode::Cuts(limit) => {
            let (mut sent, mut chunk) = (0, [0; 512]);
            while sent < limit {
                let got = far.read(&mut chunk).await.ok().filter(|got| *got > 0)?;
                near.write_all(&chunk[..got]).await.ok()?;
                sent += got;
            }
            None
        }
    }
}

/// The command line as this person, while the proxy goes on.
async fn cli(person: &Person, arguments: &[&str]) -> Output {
    let (person, words): (Person, Vec<String>) =
        (person.clone(), arguments.iter().map(|&one| one.to_owned()).collect());
    let run = move || person.cli(&words.iter().map(String::as_str).collect::<Vec<_>>());
    tokio::task::spawn_blocking(run).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_shows_what_happens_and_survives_broken_streams() {
    let mut estate = Estate::new(Plan::on(Database::Sqlite)).await;
    let admin = estate.administrator().await;
    for (version, more) in [("1.0.0", &[][..]), ("1.1.0", &[]), ("2.0.0", &["--unhealthy"])] {
        estate.push("api", version, more).await;
    }
    let hub = estate.hub(&admin).await;
    let ledger = estate.ledger("t1");
    estate.component(&admin, &hub, "api", web(ledger.to_str().unwrap())).await;
    let dev = estate.environment(&admin, json!({}), "dev", None).await;
    let agent = estate.agent(&admin, "a1", None).await;
    estate.target(&admin, &dev, "t1", &agent, json!({})).await;
    for version in ["1.0.0", "1.1.0", "2.0.0"] {
        estate.release(&admin, "shop", version, &[("api", version)]).await;
    }
    let promote = async |more: &[&str]| cli(&admin, &[&["promote", "--to", "dev", "--wait"][..], more].concat()).await;

    // By the stream.
    let (code, out, said) = ended(&promote(&["shop@1.0.0"]).await);
    assert_eq!(code, 0, "{said}");
    for line in ["deployment job ", "t1: pull api", "t1: start api", "t1: succeeded", "job succeeded, targets 1/1"] {
        assert!(said.contains(line), "no {line:?} in {said}");
    }
    assert!(out.contains("shop@1.0.0") && out.contains("dev"), "names, not ids: {out}");

    // A stream that breaks off is resumed: every line comes once, in its order.
    let job = said.lines().find_map(|line| line.strip_prefix("deployment job ")).unwrap().to_owned();
    let (url, streams) = between(&estate.url, Mode::Cuts(6000)).await;
    let whole = cli(&admin, &["logs", &job]).await;
    let followed = cli(&admin, &["--url", &url, "logs", &job, "--follow"]).await;
    let lines = ended(&whole).1;
    assert!(lines.contains("t1 agent: brings shop@1.0.0 to t1"), "{lines}");
    assert_eq!(ended(&followed), (0, lines, String::new()));
    assert!(streams.load(Ordering::SeqCst) > 1);

    // A proxy that passes no streams: the job is asked instead.
    let (url, streams) = between(&estate.url, Mode::Refuses).await;
    let (code, _, said) = ended(&promote(&["shop@1.1.0", "--url", &url]).await);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("t1: succeeded") && said.contains("job succeeded, targets 1/1"), "{said}");
    assert!((1..=3).contains(&streams.load(Ordering::SeqCst)), "it gives up asking");

    // What failed is told with its last lines.
    let (code, _, said) = ended(&promote(&["shop@2.0.0"]).await);
    assert_eq!(code, 5, "{said}");
    let failed = said.split_once("t1: failed: ").unwrap_or_else(|| panic!("{said}")).1;
    assert!(failed.contains("\n  | ") && failed.contains("demo-app 2.0.0"), "{said}");

    // Other tables that people read.
    let (_, out, _) = ended(&cli(&admin, &["target", "list"]).await);
    assert!(out.lines().any(|line| line.contains("t1") && line.contains(" dev")), "{out}");
    let (_, out, said) = ended(&cli(&admin, &["sticker", "list", "--no-headers"]).await);
    assert!(out.contains("shop") && out.contains(" t1 ") && out.contains("1.1.0"), "{out} {said}");
    let (_, out, said) = ended(&cli(&admin, &["sticker", "read", "dev/t1"]).await);
    assert!(out.starts_with("APPLICATION") && out.contains("1.1.0"), "{out} {said}");
    let (_, out, said) = ended(&cli(&admin, &["release", "state", "shop@1.1.0"]).await);
    assert!(out.starts_with("ENVIRONMENT") && out.contains("dev"), "{out} {said}");
    let (_, out, said) = ended(&cli(&admin, &["promote", "shop@1.0.0", "--to", "dev", "--preview"]).await);
    assert!(out.starts_with("OUTCOME") && out.contains("GATE"), "{out} {said}");
    assert_eq!(ended(&cli(&admin, &["integration", "test", "hub"]).await).0, 0);
    drop(estate.registry);
    let (code, out, said) = ended(&cli(&admin, &["integration", "test", "hub"]).await);
    assert!(code == 5 && out.starts_with("OK") && out.contains("CHECK"), "{code} {out} {said}");
}
