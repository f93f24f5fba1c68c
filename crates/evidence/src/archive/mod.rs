//! The archive: a packet with all that a person needs to verify and read it, as a ZIP whose bytes depend on the
//! packet and the key alone.

mod page;

use std::io::{Cursor, Read, Write};

use plimsoll_core::{Error, Result};
use zip::{CompressionMethod, DateTime, ZipArchive, ZipWriter, write::SimpleFileOptions};

use crate::{
    error::VerifyError,
    key::PublicKey,
    packet::{MAX_PACKET_BYTES, Packet, VerifiedStatement, verify_packet},
};

/// The largest archive, in bytes: the packet in two forms, the page, and the rest.
pub const MAX_ARCHIVE_BYTES: usize = 4 * MAX_PACKET_BYTES;

const BUNDLE: &str = "packet.sigstore.json";
const ENVELOPE: &str = "packet.dsse.json";
const KEY: &str = "key.pem";
const PAGE: &str = "packet.html";
const README: &str = "VERIFY.md";
const NAMES: [&str; 5] = [BUNDLE, ENVELOPE, KEY, PAGE, README];

/// Packs a packet that `key` signed; anything else is refused.
pub fn pack(bundle: &[u8], key: &PublicKey) -> Result<Vec<u8>> {
    let verified = verify_packet(bundle, key)?;
    let envelope = Packet::Envelope(Packet::parse(bundle)?.envelope().clone()).to_canonical()?;
    let page = page::html(&verified);
    let pem = key.to_pem();
    let readme = include_str!("VERIFY.md").replace("KEY_ID", key.key_id());
    let contents = [bundle, &envelope, pem.as_bytes(), page.as_bytes(), readme.as_bytes()];
    let failed = |cause: &dyn std::fmt::Display| Error::internal_defect(format!("a packet can't be packed: {cause}"));
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    // The same bytes each time, so that a range of them fits to what was fetched before.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644);
    for (name, content) in NAMES.into_iter().zip(contents) {
        zip.start_file(name, options).map_err(|cause| failed(&cause))?;
        zip.write_all(content).map_err(|cause| failed(&cause))?;
    }
    zip.finish().map(Cursor::into_inner).map_err(|cause| failed(&cause))
}

/// Whether these bytes are meant to be an archive.
#[must_use]
pub fn is_archive(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK")
}

/// The packet in an archive, byte for byte. It must hold what [`pack`] puts in and nothing else, and its two
/// forms of the packet must be one. The page and `VERIFY.md` are for people, and nothing vouches for them.
pub fn unpack(bytes: &[u8]) -> Result<Vec<u8>, VerifyError> {
    let bad = |detail: String| VerifyError::BadArchive { detail };
    if bytes.len() > MAX_ARCHIVE_BYTES {
        return Err(bad(format!("it has {} bytes, more than the {MAX_ARCHIVE_BYTES} allowed", bytes.len())));
    }
    let mut zip = ZipArchive::new(Cursor::new(bytes)).map_err(|cause| bad(cause.to_string()))?;
    let names: Vec<String> = zip
        .file_names()
        .map(|name| name.map(std::borrow::Cow::into_owned))
        .collect::<Result<_, _>>()
        .map_err(|cause| bad(cause.to_string()))?;
    if names.len() != NAMES.len() || !NAMES.iter().all(|name| names.iter().any(|found| found == name)) {
        return Err(bad(format!("it holds {}, expected {}", names.join(", "), NAMES.join(", "))));
    }
    let bundle = entry(&mut zip, BUNDLE)?;
    let envelope = entry(&mut zip, ENVELOPE)?;
    let inside = Packet::Envelope(Packet::parse(&bundle)?.envelope().clone()).to_canonical();
    match inside {
        Ok(inside) if inside == envelope => Ok(bundle),
        Ok(_) | Err(_) => Err(bad(format!("{ENVELOPE} is not the envelope in {BUNDLE}"))),
    }
}

fn entry(zip: &mut ZipArchive<Cursor<&[u8]>>, name: &str) -> Result<Vec<u8>, VerifyError> {
    let bad = |detail: String| VerifyError::BadArchive { detail };
    let found = zip.by_name(name).map_err(|cause| bad(format!("{name}: {cause}")))?;
    let mut content = Vec::new();
    found
        .take(MAX_PACKET_BYTES as u64 + 1)
        .read_to_end(&mut content)
        .map_err(|cause| bad(format!("{name}: {cause}")))?;
    Ok(content)
}

/// Verifies a file in any of its forms (archive, bundle or bare envelope) with `key` and nothing else.
pub fn verify_file(bytes: &[u8], key: &PublicKey) -> Result<VerifiedStatement, VerifyError> {
    if is_archive(bytes) { verify_packet(&unpack(bytes)?, key) } else { verify_packet(bytes, key) }
}
