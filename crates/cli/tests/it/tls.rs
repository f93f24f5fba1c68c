//! An agent knows its server by the certificate that it was told, and no other.

use std::{path::Path, process::Command, time::Duration};

use plimsoll_core::Digest;
use plimsoll_testkit::eventually;
use serde_json::Value;

use crate::{
    signed_in::signed_in,
    support::{ended, plimsoll, run},
};

/// A self-signed certificate with its key; its fingerprint as tools print it.
fn certificate(at: &Path, name: &str) -> String {
    let openssl = |words: &str| {
        let output = Command::new("openssl").args(words.split(' ')).current_dir(at).output().unwrap();
        assert!(output.status.success(), "openssl {words}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    };
    openssl(&format!(
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=plimsoll -addext \
         subjectAltName=IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE -keyout {name}.key -out {name}.pem"
    ));
    let der = openssl(&format!("x509 -in {name}.pem -outform der"));
    Digest::of(&der).to_string().trim_start_matches("sha256:").to_owned()
}

#[test]
fn an_agent_enrols_with_the_right_pin_alone_and_holds_its_stream_by_it() {
    let home = tempfile::tempdir().unwrap();
    let at = home.path();
    let (pin, other) = (certificate(at, "server"), certificate(at, "other"));
    let (flags, trusted) = (["--tls-certificate", "server.pem", "--tls-key", "server.key"], at.join("server.pem"));
    let server = signed_in(at, &flags, Some(&trusted));
    assert!(server.url.starts_with("https://127.0.0.1:"), "{}", server.url);
    let asked = ["api", "POST", "/api/v1/registration-tokens", "--data", r#"{"description":"host"}"#];
    let (code, _, said) = ended(&run(at, &asked));
    assert!(code != 0 && said.to_lowercase().contains("certificate"), "the command line trusts it as little: {said}");
    let (code, made, said) = ended(&plimsoll(at, &asked).env("SSL_CERT_FILE", &trusted).output().unwrap());
    assert_eq!(code, 0, "{said}");
    let made: Value = serde_json::from_str(&made).unwrap();
    std::fs::write(at.join("token"), made["data"]["token"].as_str().unwrap()).unwrap();
    let enrol = |trust: &[&str]| {
        let words = ["agent", "enrol", "--server", &server.url, "--token-file", "token", "--data-dir", "agent"];
        ended(&run(at, &[&words, trust].concat()))
    };
    // Neither the system's authorities nor another certificate vouch for it; the token is not used up by trying.
    for wrong in [&[][..], &["--ca-sha256", &other]] {
        let (code, out, said) = enrol(wrong);
        assert!(code != 0 && out.is_empty(), "{wrong:?}: {said}");
        assert!(said.to_lowercase().contains("certificate"), "{wrong:?}: {said}");
    }
    let (code, _, said) = enrol(&["--ca-sha256", &pin]);
    assert_eq!(code, 0, "{said}");

    let log = std::fs::File::create(at.join("agent.log")).unwrap();
    let mut agent = plimsoll(at, &["agent", "run", "--data-dir", "agent"]).stderr(log).spawn().unwrap();
    let connected = eventually("the agent's stream is open", Duration::from_secs(30), || {
        std::fs::read_to_string(at.join("agent.log")).unwrap().contains("connected")
    });
    agent.kill().unwrap();
    agent.wait().unwrap();
    assert!(connected.is_ok(), "{}", std::fs::read_to_string(at.join("agent.log")).unwrap());
}
