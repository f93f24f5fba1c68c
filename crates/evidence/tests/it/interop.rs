//! Tools that share no code with us come to the same verdict: `openssl`, and a DSSE verifier in Python.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use plimsoll_evidence::{PredicateType, SigningKey, Statement, StickerEnvelope, verify_packet};
use serde_json::json;
use tempfile::TempDir;

use crate::{
    bad,
    common::{bare, canonical, decision, json as read, key, sticker, subjects},
};

/// Runs a program: its output, or what it says when it exits with anything but 0. A missing program fails the test.
pub fn run(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_owned();
    let output = command.output().unwrap_or_else(|cause| {
        panic!("this test needs {} ({cause}); on Debian: apt-get install openssl python3", program.display())
    });
    if output.status.success() {
        Ok(String::from_utf8(output.stdout).unwrap())
    } else {
        assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
        Err(String::from_utf8(output.stderr).unwrap())
    }
}

/// A key, and a place for packets and its public half.
pub struct Bench {
    pub key: SigningKey,
    pub dir: TempDir,
}

#[derive(Clone, Copy, Debug)]
enum Tool {
    Openssl,
    Python,
}

impl Bench {
    pub fn new() -> Self {
        let bench = Self { key: key(), dir: tempfile::tempdir().unwrap() };
        fs::write(bench.public(), bench.key.public_key().to_pem()).unwrap();
        bench
    }

    pub fn public(&self) -> PathBuf {
        self.dir.path().join("key.pem")
    }

    pub fn put(&self, packet: &[u8]) -> PathBuf {
        let file = self.dir.path().join("packet.json");
        fs::write(&file, packet).unwrap();
        file
    }

    fn ask(&self, tool: Tool, packet: &[u8]) -> Result<String, String> {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
        let mut command = match tool {
            Tool::Openssl => Command::new(here.join("openssl_verify.sh")),
            Tool::Python => {
                let mut python = Command::new("python3");
                python.arg(here.join("dsse_verify.py"));
                python
            }
        };
        run(command.arg(self.put(packet)).arg(self.public()))
    }
}

fn genuine(key: &SigningKey) -> Vec<Vec<u8>> {
    let packet = key.sign_statement(&decision()).unwrap();
    let mut anonymous = read(&packet);
    anonymous["dsseEnvelope"]["signatures"][0].as_object_mut().unwrap().remove("keyid");
    let anonymous = canonical(&anonymous);
    let large = Statement::new(PredicateType::Deployment, subjects(), json!({"log": "line\n".repeat(200_000)}));
    let large = key.sign_statement(&large.unwrap()).unwrap();
    let sticker = StickerEnvelope::sign(&sticker(), key).unwrap().as_str().as_bytes().to_vec();
    let mut all = vec![bare(&packet), packet, bare(&anonymous), anonymous, large, sticker];
    // A sticker's fields are fixed: it is above.
    for of_type in PredicateType::ALL.into_iter().filter(|of_type| *of_type != PredicateType::Sticker) {
        let statement = Statement::new(of_type, subjects(), json!({"note": "of each type"})).unwrap();
        all.push(key.sign_statement(&statement).unwrap());
    }
    all
}

#[test]
fn all_accept_what_is_genuine_and_read_the_same_statement() {
    let bench = Bench::new();
    for packet in genuine(&bench.key) {
        let verified = verify_packet(&packet, bench.key.public_key()).unwrap();
        let openssl = bench.ask(Tool::Openssl, &packet).unwrap();
        assert_eq!(openssl.as_bytes(), verified.canonical());
        let python = bench.ask(Tool::Python, &packet).unwrap();
        assert_eq!(canonical(&read(python.as_bytes())), verified.canonical());
    }
}

/// About half of all DER integers need a leading zero, and some are short: many signatures meet all lengths.
#[test]
fn python_reads_every_shape_of_signature() {
    let bench = Bench::new();
    let statement = decision();
    for _ in 0..20 {
        let packet = bench.key.sign_statement(&statement).unwrap();
        bench.ask(Tool::Python, &packet).unwrap();
    }
}

#[test]
fn all_refuse_another_key() {
    let bench = Bench::new();
    let mut anonymous = read(&bare(&key().sign_statement(&decision()).unwrap()));
    anonymous["signatures"][0].as_object_mut().unwrap().remove("keyid");
    let packet = canonical(&anonymous);
    assert_eq!(verify_packet(&packet, bench.key.public_key()).unwrap_err().code(), "bad_signature");
    for tool in [Tool::Openssl, Tool::Python] {
        let said = bench.ask(tool, &packet).unwrap_err();
        assert!(said.contains("signature does not fit"), "{tool:?}: {said}");
    }
}

/// 200 changes of one byte each, the same for all three.
fn changes(packet: &[u8]) -> Vec<Vec<u8>> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        // xorshift64: the same places in each run
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % below
    };
    (0..200)
        .map(|_| {
            let mut changed = packet.to_vec();
            let place = next(packet.len());
            changed[place] = changed[place].wrapping_add(1 + next(255) as u8);
            changed
        })
        .collect()
}

fn refuses_all_changes(tool: Tool) {
    let bench = Bench::new();
    let packet = bench.key.sign_statement(&decision()).unwrap();
    bench.ask(tool, &packet).unwrap();
    for changed in changes(&packet) {
        assert!(verify_packet(&changed, bench.key.public_key()).is_err());
        let verdict = bench.ask(tool, &changed);
        assert!(verdict.is_err(), "{tool:?} accepts {}", String::from_utf8_lossy(&changed));
    }
}

#[test]
fn openssl_refuses_each_changed_byte() {
    refuses_all_changes(Tool::Openssl);
}

#[test]
fn python_refuses_each_changed_byte() {
    refuses_all_changes(Tool::Python);
}

#[test]
fn both_refuse_every_bad_wrapping() {
    let bench = Bench::new();
    for (what, packet, _) in bad::wrappings(&bench.key) {
        for tool in [Tool::Openssl, Tool::Python] {
            assert!(bench.ask(tool, &packet).is_err(), "{tool:?} accepts {what}");
        }
    }
}

#[test]
fn python_refuses_every_bad_statement() {
    let bench = Bench::new();
    for (what, packet, _) in bad::statements(&bench.key) {
        assert!(bench.ask(Tool::Python, &packet).is_err(), "{what}");
    }
}
