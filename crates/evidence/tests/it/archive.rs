//! Archives: what goes in comes out, and what was not packed by us is refused.

use std::io::{Cursor, Write as _};

use plimsoll_evidence::archive::{is_archive, pack, unpack, verify_file};
use zip::{ZipWriter, write::SimpleFileOptions};

use crate::common::{decision, key};

fn zipped(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in entries {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn an_archive_verifies_and_is_the_same_each_time() {
    let key = key();
    let packet = key.sign_statement(&decision()).unwrap();
    let packed = pack(&packet, key.public_key()).unwrap();
    assert_eq!(packed, pack(&packet, key.public_key()).unwrap());
    assert!(is_archive(&packed) && !is_archive(&packet));
    assert_eq!(unpack(&packed).unwrap(), packet);
    let verified = verify_file(&packed, key.public_key()).unwrap();
    assert_eq!(verified, verify_file(&packet, key.public_key()).unwrap());
    assert_eq!(verify_file(&packed, crate::common::key().public_key()).unwrap_err().code(), "key_mismatch");
    pack(&packet, crate::common::key().public_key()).unwrap_err();
}

#[test]
fn another_archive_is_refused() {
    let key = key();
    let packet = key.sign_statement(&decision()).unwrap();
    let packed = pack(&packet, key.public_key()).unwrap();
    let other = key.sign_statement(&decision()).unwrap();
    let envelope: serde_json::Value = serde_json::from_slice(&other).unwrap();
    let envelope = serde_json::to_vec(&envelope["dsseEnvelope"]).unwrap();
    let rest: [(&str, &[u8]); 3] = [("key.pem", b""), ("packet.html", b""), ("VERIFY.md", b"")];
    let with = |bundle: &[u8], envelope: &[u8]| {
        let mut entries = vec![("packet.sigstore.json", bundle), ("packet.dsse.json", envelope)];
        entries.extend(rest);
        zipped(&entries)
    };
    for (bad, code) in [
        (packed[..packed.len() - 10].to_vec(), "bad_archive"),
        (zipped(&[("packet.sigstore.json", &packet)]), "bad_archive"),
        (zipped(&rest), "bad_archive"),
        // Each signature is another: these are two packets.
        (with(&packet, &envelope), "bad_archive"),
        (with(b"{", &envelope), "unparsable"),
    ] {
        assert_eq!(verify_file(&bad, key.public_key()).unwrap_err().code(), code);
    }
}
