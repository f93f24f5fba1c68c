//! Database files that a server does not start on: it says what is wrong and what to do, and leaves them as they are.

use std::{fs, path::Path, process::Command};

use crate::support::{Served, ended, plimsoll, run};

/// A home whose server was started once and has stopped.
fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let mut server = Served::start(home.path());
    assert!(Command::new("kill").arg(server.child.id().to_string()).status().unwrap().success());
    assert_eq!(server.child.wait().unwrap().code(), Some(0));
    let log = home.path().join("plimsoll-data/plimsoll.db-wal");
    assert!(!log.exists() || fs::metadata(log).unwrap().len() == 0, "all is in the file itself");
    home
}

/// Starts the server on this file; answers what it complains about.
fn refused(home: &Path, bytes: &[u8]) -> String {
    let file = home.join("plimsoll-data/plimsoll.db");
    fs::write(&file, bytes).unwrap();
    let output = plimsoll(home, &["serve", "--listen", "127.0.0.1:0", "--log", "warn"]).output().unwrap();
    let (code, out, said) = ended(&output);
    assert_eq!((code, out.as_str()), (69, ""), "{said}");
    assert!(said.contains("plimsoll-data/plimsoll.db"), "which file: {said}");
    assert!(!said.contains("panicked"), "{said}");
    assert!(fs::read(&file).unwrap() == bytes, "the file was changed: {said}");
    said
}

fn database(home: &Path) -> Vec<u8> {
    fs::read(home.join("plimsoll-data/plimsoll.db")).unwrap()
}

#[test]
fn a_damaged_database_file_is_refused_and_left_alone() {
    let home = home();
    let good = database(home.path());
    assert!(good.len() > 64 * 1024);
    let mut torn = good.clone();
    torn[16 * 1024..48 * 1024].fill(0xAA);
    let mut without_head = good.clone();
    without_head[..100].fill(0);
    for (what, bytes) in [
        ("pages overwritten", torn),
        ("cut in half", good[..good.len() / 2].to_vec()),
        ("no header", without_head),
        ("another file", b"these are the minutes of our meeting\n".repeat(1_000)),
    ] {
        let said = refused(home.path(), &bytes);
        assert!(said.contains("damaged") && said.contains("restore it from a backup"), "{what}: {said}");
    }
    // The file as it was is good.
    fs::write(home.path().join("plimsoll-data/plimsoll.db"), good).unwrap();
    let server = Served::start(home.path());
    assert_eq!(ended(&run(home.path(), &["--url", &server.url, "api", "GET", "/.well-known/jwks.json"])).0, 0);
}

#[test]
fn a_database_of_a_newer_server_is_refused_and_left_alone() {
    let home = home();
    let file = home.path().join("plimsoll-data/plimsoll.db");
    let newer = |version: i64, readable_from: i64| {
        let database = rusqlite::Connection::open(&file).unwrap();
        let sql = "UPDATE schema_version SET version = ?1, readable_from = ?2";
        assert_eq!(database.execute(sql, [version, readable_from]).unwrap(), 1);
        database.pragma_update(None, "wal_checkpoint", "TRUNCATE").unwrap();
    };
    newer(9_000, 8_999);
    let said = refused(home.path(), &database(home.path()));
    assert!(said.contains("schema 9000") && said.contains("8999"), "{said}");
    assert!(said.contains("Start the newer server, or restore a backup"), "{said}");
    // A newer schema that this server can read is no reason.
    newer(9_000, 1);
    drop(Served::start(home.path()));
}
