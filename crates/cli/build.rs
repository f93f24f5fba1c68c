//! Builds the demo's application, a static program of one file, so that `plimsoll demo` carries it along and
//! needs no compiler. Where the machine cannot link it, the demo says why.

use std::{
    env, fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::Command,
};

const SOURCE: &str = "../demo-app/src/main.rs";
const FLAGS: [&str; 6] = [
    "-Ctarget-feature=+crt-static",
    "-Cstrip=symbols",
    "-Copt-level=s",
    "-Cpanic=abort",
    "--edition=2024",
    "-Awarnings",
];

fn main() -> io::Result<()> {
    let folder = PathBuf::from(env::var_os("OUT_DIR").ok_or_else(|| io::Error::other("cargo sets OUT_DIR"))?);
    let program = folder.join("plimsoll-demo-app");
    let problem = build(&program)?.unwrap_or_default();
    if !problem.is_empty() {
        fs::write(&program, [])?;
    }
    let mut out = io::stdout();
    writeln!(out, "cargo::rerun-if-changed={SOURCE}")?;
    writeln!(out, "cargo::rustc-env=PLIMSOLL_DEMO_APP={}", program.display())?;
    writeln!(out, "cargo::rustc-env=PLIMSOLL_DEMO_APP_PROBLEM={}", problem.replace('\n', " "))
}

/// Why it could not be built, if so.
fn build(program: &Path) -> io::Result<Option<String>> {
    let target = env::var("TARGET").unwrap_or_default();
    if !target.contains("linux") {
        return Ok(Some(format!("it is made for Linux, and this program was built for {target}")));
    }
    let mut command = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    command.args(FLAGS).args(["--crate-name", "plimsoll_demo_app", "--target", &target, "-o"]).arg(program);
    if let Some(linker) = env::var_os("RUSTC_LINKER") {
        let mut flag = std::ffi::OsString::from("-Clinker=");
        flag.push(linker);
        command.arg(flag);
    }
    let done = command.arg(SOURCE).output()?;
    if done.status.success() {
        return Ok(None);
    }
    let said = String::from_utf8_lossy(&done.stderr);
    let first = said.lines().find(|line| line.contains("error")).unwrap_or("rustc failed").to_owned();
    Ok(Some(format!("{first}; on Linux with glibc it needs the static libc (Debian: libc6-dev, Fedora: glibc-static)")))
}
