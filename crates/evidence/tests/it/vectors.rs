//! DSSE's published example (protocol.md of secure-systems-lab/dsse, version 1.0.0) and its rules of length.

use base64::{Engine, engine::general_purpose::STANDARD};
use plimsoll_evidence::{PublicKey, pae};

const TYPE: &str = "http://example.com/HelloWorld";
/// X and Y of the published key, 46950820868899156662930047687818585632848591499744589407958293238635476079160 and
/// 5640078356564379163099075877009565129882514886557779369047442380624545832820.
const POINT: &str = "04\
    67cd390f77aa359cb08c2235f652270493a9ed832b0abcc01f70954c0390d238\
    0c782bd54e269125a44f4433aff1432ce94e12bca73aa67ac80cea12608ddf74";
const SIGNATURE: &str = "A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA==";

#[test]
fn the_published_encoding() {
    assert_eq!(pae(TYPE, b"hello world"), b"DSSEv1 29 http://example.com/HelloWorld 11 hello world");
}

#[test]
fn lengths_count_bytes_and_an_empty_payload_keeps_its_space() {
    let expected = "DSSEv1 29 application/vnd.ex\u{e4}mple+json 2 {}";
    assert_eq!(pae("application/vnd.ex\u{e4}mple+json", b"{}"), expected.as_bytes());
    assert_eq!(pae("a", b""), b"DSSEv1 1 a 0 ");
    assert_eq!(pae("", b"\xff\n"), b"DSSEv1 0  2 \xff\n");
}

#[test]
fn the_published_signature_verifies() {
    let spki = [hex("3059301306072a8648ce3d020106082a8648ce3d030107034200"), hex(POINT)].concat();
    let key = PublicKey::from_spki_der(&spki).unwrap();
    let raw = STANDARD.decode(SIGNATURE).unwrap();
    let signature = der(&raw);
    assert!(key.accepts(&pae(TYPE, b"hello world"), &signature));
    assert!(!key.accepts(&pae(TYPE, b"hello worle"), &signature));
    assert!(!key.accepts(b"hello world", &signature));
    assert!(!key.accepts(&pae(TYPE, b"hello world"), &raw), "only DER is a signature");
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// The published signature is `r || s`; ours are DER.
fn der(raw: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    for half in raw.chunks(32) {
        let mut digits: Vec<u8> = half.iter().copied().skip_while(|byte| *byte == 0).collect();
        if digits[0] >= 0x80 {
            digits.insert(0, 0);
        }
        body.extend([2, digits.len() as u8]);
        body.extend(digits);
    }
    [vec![0x30, body.len() as u8], body].concat()
}
