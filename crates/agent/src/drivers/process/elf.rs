//! Whether a program needs libraries: `process_host` runs static executables alone.

use std::{fs::File, io, io::Read, path::Path};

/// What a program is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Program {
    /// A static executable for this kind of machine.
    Static,
    /// One that asks for a dynamic loader, which is the image's.
    Dynamic,
    /// An executable for another kind of machine.
    Foreign,
    /// A script, or anything else.
    NotElf,
}

/// Reads a program's headers (System V ABI, "Object Files").
pub fn kind(path: &Path) -> io::Result<Program> {
    const HEADERS: u64 = 64 * 1024;
    let mut head = Vec::new();
    File::open(path)?.take(HEADERS).read_to_end(&mut head)?;
    Ok(of(&head))
}

/// `e_machine` of the machine that this runs on.
const MACHINE: u16 = if cfg!(target_arch = "aarch64") { 183 } else { 62 };
/// A segment that names the loader.
const PT_INTERP: u32 = 3;

fn of(head: &[u8]) -> Program {
    // 64 bits, little-endian.
    if head.get(..6) != Some(b"\x7fELF\x02\x01") {
        return Program::NotElf;
    }
    let (Some(machine), Some(table), Some(size), Some(count)) =
        (u16_at(head, 18), u64_at(head, 32), u16_at(head, 54), u16_at(head, 56))
    else {
        return Program::NotElf;
    };
    if machine != MACHINE {
        return Program::Foreign;
    }
    for index in 0..u64::from(count) {
        let at = table.saturating_add(index * u64::from(size));
        match usize::try_from(at).ok().and_then(|at| u32_at(head, at)) {
            Some(PT_INTERP) => return Program::Dynamic,
            Some(_) => {}
            // Program headers beyond the first 64 KiB: no linker puts them there.
            None => return Program::NotElf,
        }
    }
    Program::Static
}

fn bytes<const N: usize>(head: &[u8], at: usize) -> Option<[u8; N]> {
    head.get(at..at.checked_add(N)?)?.try_into().ok()
}

fn u16_at(head: &[u8], at: usize) -> Option<u16> {
    bytes(head, at).map(u16::from_le_bytes)
}

fn u32_at(head: &[u8], at: usize) -> Option<u32> {
    bytes(head, at).map(u32::from_le_bytes)
}

fn u64_at(head: &[u8], at: usize) -> Option<u64> {
    bytes(head, at).map(u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_told_apart() {
        assert_eq!(kind(&std::env::current_exe().unwrap()).unwrap(), Program::Dynamic);
        assert_eq!(of(b"#!/bin/sh\n"), Program::NotElf);
        assert_eq!(of(b"\x7fELF\x02\x01"), Program::NotElf);
        let mut foreign = vec![0; 64];
        foreign[..6].copy_from_slice(b"\x7fELF\x02\x01");
        foreign[18] = 8;
        assert_eq!(of(&foreign), Program::Foreign);
        // No program headers at all.
        foreign[18..20].copy_from_slice(&MACHINE.to_le_bytes());
        assert_eq!(of(&foreign), Program::Static);
    }
}
