//! Processes and ports, and what becomes of them when a test dies.

use std::{
    collections::BTreeSet,
    net::TcpListener,
    path::Path,
    process::{Command, Stdio},
};

use plimsoll_testkit::{PATIENCE, Process, eventually, free_port};

/// Set for the child process in which this test binary plays the test that is killed.
const VICTIM: &str = "PLIMSOLL_TESTKIT_VICTIM";

fn shell(script: &str) -> Command {
    let mut command = Command::new("bash");
    command.args(["-c", script]);
    command
}

fn runs(pid: &str) -> bool {
    Path::new("/proc").join(pid).exists()
}

#[test]
fn ports_are_free_and_never_the_same() {
    let ports: Vec<u16> = (0..20).map(|_| free_port().unwrap()).collect();
    assert_eq!(ports.iter().collect::<BTreeSet<_>>().len(), ports.len());
    for port in ports {
        TcpListener::bind(("127.0.0.1", port)).unwrap();
    }
}

#[test]
fn a_process_ends_with_its_handle_and_leaves_its_log() {
    let folder = tempfile::tempdir().unwrap();
    let mut process =
        Process::spawn(&mut shell("echo up; echo oops >&2; sleep 1000"), "sleeper", folder.path()).unwrap();
    process.ready(|| true).unwrap();
    eventually("both lines are there", PATIENCE, || process.log().unwrap() == "up\noops\n").unwrap();
    let pid = process.pid().to_string();
    assert!(runs(&pid));
    drop(process);
    assert!(!runs(&pid));
}

#[test]
fn a_process_that_ends_instead_of_starting_is_reported_with_its_log() {
    let folder = tempfile::tempdir().unwrap();
    let mut process = Process::spawn(&mut shell("echo no such option; exit 3"), "failing", folder.path()).unwrap();
    let error = process.ready(|| false).unwrap_err().to_string();
    assert!(error.contains("exit status: 3") && error.contains("no such option"), "{error}");
}

#[test]
fn a_process_is_asked_to_end_or_killed() {
    let folder = tempfile::tempdir().unwrap();
    let script = "trap 'exit 7' TERM; echo up; while :; do read -t 0.1 <> <(:); done";
    let start = || {
        let mut process = Process::spawn(&mut shell(script), "trapping", folder.path()).unwrap();
        let log = process.log_path().to_owned();
        process.ready(|| std::fs::read_to_string(&log).is_ok_and(|log| log.ends_with("up\n"))).unwrap();
        process
    };
    assert_eq!(start().terminate(PATIENCE).unwrap().code(), Some(7));
    assert_eq!(start().kill().unwrap().code(), None);
}

/// The test that is killed: it starts a process and waits for its end.
fn play_the_victim(folder: &Path) {
    let process = Process::spawn(&mut shell("sleep 1000"), "orphan", folder).unwrap();
    std::fs::write(folder.join("pid.new"), process.pid().to_string()).unwrap();
    std::fs::rename(folder.join("pid.new"), folder.join("pid")).unwrap();
    std::thread::park();
}

#[test]
fn a_killed_test_leaves_no_process_behind() {
    if let Some(folder) = std::env::var_os(VICTIM) {
        return play_the_victim(Path::new(&folder));
    }
    let folder = tempfile::tempdir().unwrap();
    let mut test = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "processes::a_killed_test_leaves_no_process_behind"])
        .env(VICTIM, folder.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let pid = eventually("the process runs", PATIENCE, || std::fs::read_to_string(folder.path().join("pid"))).unwrap();
    assert!(runs(&pid));
    test.kill().unwrap();
    test.wait().unwrap();
    eventually("the process is gone", PATIENCE, || !runs(&pid)).unwrap();
}
