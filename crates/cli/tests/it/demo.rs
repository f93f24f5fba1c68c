//! `plimsoll demo`: its whole story, and what becomes of it when something of it is taken away.

use std::{
    fs::{self, File},
    io::{BufRead as _, BufReader, Lines},
    path::Path,
    process::{Child, ChildStdout, Command, Stdio},
    time::Duration,
};

use plimsoll_testkit::{
    ContainerHost, TestNetwork, eventually,
    reaper::{Cleanup, Job},
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use plimsoll_cli::understands;

use crate::{estate::plimsoll, support::commands_of};

/// Words in capitals that stand for themselves.
const METHODS: [&str; 4] = ["GET", "POST", "PUT", "DELETE"];

/// A demo that is running, with a folder of its own for everything.
struct Demo {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    told: String,
    folder: tempfile::TempDir,
    _job: Job,
    _left: Cleanup,
}

impl Demo {
    fn start(targets: &str) -> Self {
        Self::start_by(&["--once", "--targets", targets], plimsoll)
    }

    fn start_by(options: &[&str], program: impl FnOnce(&Path) -> Command) -> Self {
        let folder = tempfile::tempdir().unwrap();
        // Applications that run as nobody pass through it.
        fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let mut command = program(folder.path());
        let errors = File::create(folder.path().join("stderr")).unwrap();
        command.arg("demo").args(options).env("TMPDIR", folder.path());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(errors).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let left = format!("kill -9 $({})", processes_in(folder.path()));
        let (job, left) = (Job::kill(child.id()).unwrap(), Cleanup::new(left).unwrap());
        Self { child, lines, told: String::new(), folder, _job: job, _left: left }
    }

    /// Reads on until a line has `text`.
    fn until(&mut self, text: &str) {
        for line in self.lines.by_ref() {
            let line = line.unwrap();
            self.told.push_str(&line);
            self.told.push('\n');
            if line.contains(text) {
                return;
            }
        }
        panic!("the demo ended before it said {text:?}:\n{}\n{}", self.told, self.complaint());
    }

    /// Signals one of the demo's parts.
    fn signal(&self, part: &str, signal: Signal) {
        let home = fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().path());
        let list = home.filter(|path| path.is_dir()).map(|path| path.join("parts.json")).next().unwrap();
        let parts: Value = serde_json::from_slice(&fs::read(list).unwrap()).unwrap();
        let found = parts.as_array().unwrap().iter().find(|one| one["name"] == part).expect(part);
        send(found["pid"].as_i64().unwrap(), signal);
    }

    fn complaint(&self) -> String {
        fs::read_to_string(self.folder.path().join("stderr")).unwrap()
    }

    /// How it ended; checks that nothing of it is left on disk or running.
    fn end(mut self) -> (Option<i32>, String, String) {
        for line in self.lines.by_ref() {
            self.told.push_str(&line.unwrap());
            self.told.push('\n');
        }
        let code = self.child.wait().unwrap().code();
        let left: Vec<_> = fs::read_dir(self.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["stderr"], "the demo leaves nothing on disk");
        // What was killed a moment ago may still be shown.
        let running = || Command::new("bash").args(["-c", &processes_in(self.folder.path())]).output().unwrap().stdout;
        eventually("nothing of the demo runs", Duration::from_secs(10), || running().is_empty().then_some(())).unwrap();
        (code, std::mem::take(&mut self.told), self.complaint())
    }
}

/// The parts of the demo in `folder`, and what they deployed, by their environment.
fn processes_in(folder: &Path) -> String {
    let home = folder.join("plimsoll-demo-");
    format!("grep -lsF -e HOME={0} -e LEDGER={0} /proc/[0-9]*/environ | cut -d/ -f3", home.display())
}

fn send(pid: i64, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal).unwrap();
}

/// What must have been told, whatever the targets are.
fn is_whole(told: &str) {
    for line in [
        "409 RELEASE_SEALED",
        "(superseded)",
        "gate promotion_path: deny",
        "gate freeze_window: deny",
        "the freeze is lifted: 0 windows",
        "shop@1.0.0 at prod: awaiting_approval",
        "ada: 403 SEPARATION_OF_DUTIES",
        "approved by grace",
        "prod-2: web runs sha256:",
        "the job is rolled_back",
        "each was answered by 1.1.0",
        "rollback to shop@1.0.0: succeeded",
        "grace promotion_approve succeeded",
        "of type rollback: verified",
        "changed: error: the packet is not verified",
        "verified: staging-2 runs 1.1.0",
        "verified: prod-2 runs 1.0.0",
    ] {
        assert!(told.contains(line), "{line:?} is missing in:\n{told}");
    }
}

/// Each step says how to do the same, in words that can be typed as they stand, and shows no secret.
fn can_be_typed(told: &str) {
    let mut steps: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in told.lines() {
        match (line.strip_prefix("   $ "), steps.last_mut()) {
            (Some(command), Some((_, commands))) => commands.push(command),
            _ if line.split_once(". ").is_some_and(|(number, _)| number.parse::<u32>().is_ok()) => {
                steps.push((line, Vec::new()));
            }
            _ => {}
        }
    }
    assert_eq!(steps.len(), 20, "{steps:?}");
    for (step, lines) in steps {
        assert!(!lines.is_empty(), "no command in step {step}");
        for line in lines {
            assert!(!line.contains("\"password\"") && !line.contains("--token "), "{step}: a secret: {line}");
            for words in commands_of(line) {
                let placeholder = |word: &&String| word.len() > 1 && word.chars().all(|one| one.is_ascii_uppercase());
                let left: Vec<_> =
                    words.iter().filter(placeholder).filter(|word| !METHODS.contains(&word.as_str())).collect();
                assert!(left.is_empty(), "{step}: {left:?} in {line}");
                if words[0] == "plimsoll" {
                    understands(&words).unwrap_or_else(|why| panic!("{step}: {line}\n{why}"));
                } else {
                    assert!(["curl", "docker", "printf", "cat", "diff"].contains(&words[0].as_str()), "{step}: {line}");
                }
            }
        }
    }
}

/// As `make run` starts it: after the story it serves until somebody stops it.
#[test]
fn the_demo_tells_its_whole_story_on_processes_and_keeps_serving() {
    let mut demo = Demo::start_by(&["--targets", "process"], plimsoll);
    demo.until("serving until Ctrl-C: ");
    let told = demo.told.clone();
    is_whole(&told);
    can_be_typed(&told);
    assert!(told.contains("dev-1: process_host, "), "{told}");
    let server = told.split("serving until Ctrl-C: ").nth(1).unwrap().split(',').next().unwrap().to_owned();
    // A part that ends takes the demo with it: none does.
    let ended = eventually("the demo ended by itself", Duration::from_secs(5), || demo.child.try_wait().unwrap());
    assert!(ended.is_err(), "{ended:?}: {}", demo.complaint());
    std::net::TcpStream::connect(server.trim_start_matches("http://")).unwrap();
    send(i64::from(demo.child.id()), Signal::INT);
    let (code, _, complaint) = demo.end();
    assert_eq!(code, Some(0), "{complaint}");
}

#[test]
fn the_demo_tells_its_whole_story_on_docker() {
    let network = TestNetwork::new().unwrap();
    let engine = ContainerHost::docker(&network).unwrap();
    // On the engine's own host, where both find the demo's registry on loopback.
    let demo = Demo::start_by(&["--once", "--targets", "docker"], |folder| {
        let mut there = engine.host().command(env!("CARGO_BIN_EXE_plimsoll")).unwrap();
        there.env_clear().env("HOME", folder).env("PATH", std::env::var_os("PATH").unwrap()).current_dir(folder);
        there.env("DOCKER_HOST", engine.engine_url());
        there
    });
    let (code, told, complaint) = demo.end();
    assert_eq!(code, Some(0), "{told}\n{complaint}");
    is_whole(&told);
    can_be_typed(&told);
    assert!(told.contains("dev-1: docker_host, "), "{told}");
    assert_eq!(engine.cli(&["ps", "-aq"]).unwrap(), "", "no container stays");
    assert_eq!(engine.cli(&["images", "-aq"]).unwrap(), "", "no image stays");
}

#[test]
fn an_engine_that_is_not_there_is_said_so() {
    let demo = Demo::start_by(&["--once", "--targets", "docker"], |folder| {
        let mut command = plimsoll(folder);
        command.env("DOCKER_HOST", "unix:///nowhere/docker.sock");
        command
    });
    let (code, _, complaint) = demo.end();
    assert_eq!(code, Some(5), "{complaint}");
    assert!(complaint.contains("step 3 failed") && complaint.contains("/nowhere/docker.sock"), "{complaint}");
}

#[test]
fn without_its_registry_it_fails_and_names_the_step() {
    let mut demo = Demo::start("process");
    demo.until("8. ");
    demo.signal("registry", Signal::KILL);
    let (code, told, complaint) = demo.end();
    assert_eq!(code, Some(5), "{told}\n{complaint}");
    // In the step in which it was killed, or in the next, where hosts pull from it: the server finds out, or the
    // demo itself does.
    let named = complaint.contains("step 8 failed") || complaint.contains("step 9 failed");
    let why = complaint.contains("registry") || complaint.contains("can't be reached");
    assert!(named && why, "{complaint}");
}

#[test]
fn without_an_agent_it_fails_and_names_the_step() {
    let mut demo = Demo::start("process");
    demo.until("9. ");
    demo.signal("agent-dev-2", Signal::KILL);
    let (code, told, complaint) = demo.end();
    assert_eq!(code, Some(5), "{told}\n{complaint}");
    assert!(complaint.contains("step 9 failed") && complaint.contains("agent-dev-2 is gone"), "{complaint}");
}

/// The process is there and the server still has its connection: the promotion itself finds out.
#[test]
fn with_an_agent_that_hangs_it_fails_and_names_the_step() {
    let mut demo = Demo::start("process");
    demo.until("9. ");
    demo.signal("agent-staging-1", Signal::STOP);
    let (code, told, complaint) = demo.end();
    assert_eq!(code, Some(5), "{told}\n{complaint}");
    assert!(
        complaint.contains("step 11 failed") && complaint.contains("staging-1: the agent did not answer"),
        "{complaint}"
    );
}

#[test]
fn an_interrupted_demo_leaves_nothing() {
    let mut demo = Demo::start("process");
    demo.until("10. ");
    send(i64::from(demo.child.id()), Signal::INT);
    let (code, told, complaint) = demo.end();
    assert_eq!(code, Some(130), "{told}\n{complaint}");
}
