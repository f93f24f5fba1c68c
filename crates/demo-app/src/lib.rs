//! How tests and the demo get the static program: built by cargo into a target directory of its own, so
//! that its link flags don't rebuild anything else.

use std::{
    env, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Static, and small: an image of it is one layer of about half a megabyte.
const FLAGS: &str = "-C target-feature=+crt-static -C strip=symbols -C opt-level=s";

/// Builds the program for the machine that this runs on and says where it lies. Does nothing when it is
/// built already.
pub fn build_static() -> io::Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let workspace = here.ancestors().nth(2).unwrap_or(here);
    let triple = format!("{}-unknown-linux-gnu", env::consts::ARCH);
    let target = workspace.join("target/static");
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let done = Command::new(cargo)
        .args(["build", "--quiet", "--locked", "--package", "plimsoll-demo-app", "--bin", "plimsoll-demo-app"])
        .args(["--target", &triple, "--target-dir"])
        .arg(&target)
        .current_dir(workspace)
        .env("RUSTFLAGS", FLAGS)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .stdin(Stdio::null())
        .output()?;
    if !done.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&done.stderr).into_owned()));
    }
    Ok(target.join(triple).join("debug/plimsoll-demo-app"))
}
