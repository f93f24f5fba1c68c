//! Keys in and out, and what other programs make of them.

use std::process::Command;

use plimsoll_evidence::{PublicKey, SigningKey};

use crate::{common::key, interop::run};

#[test]
fn a_key_survives_export_and_import() {
    let key = key();
    let again = SigningKey::from_pkcs8_pem(&key.to_pkcs8_pem().unwrap()).unwrap();
    assert_eq!(again.public_key(), key.public_key());
    let again = SigningKey::from_pkcs8_der(&key.to_pkcs8_der().unwrap()).unwrap();
    assert_eq!(again.key_id(), key.key_id());
    assert_eq!(PublicKey::from_pem(&key.public_key().to_pem()).unwrap(), *key.public_key());
    assert_eq!(PublicKey::from_spki_der(&key.public_key().to_spki_der()).unwrap(), *key.public_key());
}

#[test]
fn keys_differ() {
    assert_ne!(key().key_id(), key().key_id());
}

#[test]
fn secrets_are_not_printed() {
    let key = key();
    assert_eq!(format!("{key:?}"), format!("SigningKey({})", key.key_id()));
    assert_eq!(format!("{:?}", key.public_key()), format!("PublicKey({})", key.key_id()));
}

#[test]
fn openssl_reads_our_keys_and_we_read_its() {
    let dir = tempfile::tempdir().unwrap();
    let ours = key();
    let file = dir.path().join("ours.pem");
    std::fs::write(&file, ours.to_pkcs8_pem().unwrap().as_bytes()).unwrap();
    let public = run(Command::new("openssl").args(["pkey", "-pubout", "-in"]).arg(&file)).unwrap();
    assert_eq!(public, ours.public_key().to_pem());

    let theirs =
        run(Command::new("openssl").args(["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]))
            .unwrap();
    let read = SigningKey::from_pkcs8_pem(&theirs).unwrap();
    std::fs::write(&file, &theirs).unwrap();
    let public = run(Command::new("openssl").args(["pkey", "-pubout", "-in"]).arg(&file)).unwrap();
    assert_eq!(PublicKey::from_pem(&public).unwrap(), *read.public_key());
}

/// What `ssh-keygen -i -m PKCS8 | ssh-keygen -l` says of the same key.
#[test]
fn the_fingerprint_is_the_one_of_openssh() {
    let key = PublicKey::from_pem(FIXED).unwrap();
    assert_eq!(key.key_id(), FINGERPRINT);
}

#[test]
fn other_keys_are_refused_with_what_would_be_right() {
    let private = key().to_pkcs8_pem().unwrap().to_string();
    let cases = [
        ("", "PUBLIC KEY"),
        ("not a key", "PUBLIC KEY"),
        (private.as_str(), "PUBLIC KEY"),
        (P384, "P-256"),
        (ED25519, "P-256"),
        (OFF_CURVE, "not a point"),
    ];
    for (pem, says) in cases {
        let message = PublicKey::from_pem(pem).unwrap_err().message().to_owned();
        assert!(message.contains(says), "{pem}: {message}");
    }
}

#[test]
fn other_private_keys_are_refused_with_what_would_be_right() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("key.pem");
    std::fs::write(&file, key().to_pkcs8_pem().unwrap().as_bytes()).unwrap();
    let sec1 = run(Command::new("openssl").args(["ec", "-in"]).arg(&file)).unwrap();
    let p384 =
        run(Command::new("openssl").args(["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"]));
    let p384 = p384.unwrap();
    let cases = [("", "PRIVATE KEY"), (FIXED, "PRIVATE KEY"), (&sec1, "pkcs8 -topk8"), (&p384, "P-256")];
    for (pem, says) in cases {
        let message = SigningKey::from_pkcs8_pem(pem).unwrap_err().message().to_owned();
        assert!(message.contains(says), "{message}");
    }
}

const FINGERPRINT: &str = "SHA256:9apo/HZdwIB5jeJd2irYs/eShYitOq2DO4f3Tv28iK0";

const FIXED: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEDn3AswXE7IDNy44srfQ93u0PehxJ
7tj/uJL6hhTAjjevPUruEImibP7NZihNPLHjFA31Ps0WWldfQn6ZHNbf8w==
-----END PUBLIC KEY-----
";

const P384: &str = "-----BEGIN PUBLIC KEY-----
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEs15jJPUjEGoKNwV2eKrJHz+uIMxiWZSW
+n8pXGIgCESmjzXWCVaeHA5kuPpnAIXJ5bu9ljpl6X6yCjrcRDawJ+Z4AjZycgNd
c8M0wijBDDANZJoRJYZy+NRK2TBKRXsc
-----END PUBLIC KEY-----
";

const ED25519: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAroLeYWMmEXykgrDIsxPOf5GyCWnwTFFSDyj8pLrYmN4=
-----END PUBLIC KEY-----
";

const OFF_CURVE: &str = "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEDn3AswXE7IDNy44srfQ93u0PehxJ
7tj/uJL6hhTAjjevPUruEImibP7NZihNPLHjFA31Ps0WWldfQn6ZHNbf8g==
-----END PUBLIC KEY-----
";
