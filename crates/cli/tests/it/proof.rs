//! Evidence verified by programs that share no code: ours, `openssl`, Python alone, and a DSSE library of others.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use crate::estate::plimsoll;

/// Verifies a packet with a public key; the error says what it is refused for.
pub type Verify = fn(&Path, &Path) -> Result<(), String>;

/// All of them.
pub const ALL: [Verify; 4] = [ours, openssl, python, library];

/// Packets of which one byte is changed.
const CHANGES: usize = 200;

/// Our command line.
pub fn ours(file: &Path, key: &Path) -> Result<(), String> {
    let mut command = plimsoll(file.parent().unwrap());
    ended(command.args(["evidence", "verify"]).arg(file).arg("--key").arg(key))
}

/// `openssl`, with `sed` and `cmp`.
pub fn openssl(file: &Path, key: &Path) -> Result<(), String> {
    ended(Command::new(script("openssl_verify.sh")).arg(file).arg(key))
}

/// A verifier of its own in Python.
pub fn python(file: &Path, key: &Path) -> Result<(), String> {
    ended(Command::new("python3").arg(script("dsse_verify.py")).arg(file).arg(key))
}

/// securesystemslib, a DSSE library in Python; `make test` gets it.
pub fn library(file: &Path, key: &Path) -> Result<(), String> {
    let mut command = Command::new("/usr/bin/python3");
    command.env("PYTHONPATH", plimsoll_testkit::program::python_libraries());
    ended(command.arg(script("dsse_library_verify.py")).arg(file).arg(key))
}

/// Changes one byte of these packets in turn at 200 random places, and has each refused by each program. `seed`
/// says which places.
pub fn refuse_each_changed_byte(packets: &[Vec<u8>], seed: u64, folder: &Path, key: &Path) {
    let changed = changes(packets, seed);
    let halves = changed.chunks(changed.len().div_ceil(2));
    std::thread::scope(|scope| {
        for (half, packets) in halves.enumerate() {
            scope.spawn(move || {
                let file = folder.join(format!("changed-{half}.json"));
                for packet in packets {
                    std::fs::write(&file, packet).unwrap();
                    for (index, verify) in ALL.iter().enumerate() {
                        assert!(
                            verify(&file, key).is_err(),
                            "{index} takes {} (seed {seed:#x})",
                            String::from_utf8_lossy(packet)
                        );
                    }
                }
            });
        }
    });
}

fn changes(packets: &[Vec<u8>], seed: u64) -> Vec<Vec<u8>> {
    // xorshift64 stands still at zero.
    let mut state = seed | 1;
    let mut next = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 33).unwrap() % below
    };
    let packets = packets.iter().cycle().take(CHANGES);
    packets
        .map(|packet| {
            let mut changed = packet.clone();
            let place = next(packet.len());
            changed[place] = changed[place].wrapping_add(1 + u8::try_from(next(255)).unwrap());
            changed
        })
        .collect()
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../evidence/tests").join(name)
}

/// Exit 0 is genuine, 1 is refused; anything else is a broken verifier.
fn ended(command: &mut Command) -> Result<(), String> {
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    match output.status.code() {
        Some(0) => Ok(()),
        Some(1) => Err(said),
        other => panic!("{command:?} ended with {other:?}: {said}"),
    }
}
