//! The working tree: its files as git knows them, and the workspace as cargo knows it.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

/// A working tree.
pub struct Repository {
    root: PathBuf,
}

/// A text file of the tree.
pub struct SourceFile {
    /// Its path below the root.
    pub path: String,
    /// What it says.
    pub text: String,
}

/// The part of `cargo metadata` that the checks read.
#[derive(Deserialize)]
pub struct Workspace {
    /// The workspace's own packages.
    pub packages: Vec<Package>,
}

/// A package of the workspace.
#[derive(Deserialize)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// What it depends on, as written in its manifest.
    pub dependencies: Vec<Dependency>,
}

/// One line of a manifest's dependencies.
#[derive(Deserialize)]
pub struct Dependency {
    /// The package that is used.
    pub name: String,
    /// Absent for what the product itself is built from; else `dev` or `build`.
    pub kind: Option<String>,
}

impl Repository {
    /// The tree that cargo runs this program in.
    pub fn open() -> Result<Self> {
        // Asked when it runs: clones that share a build folder share this program too, whichever built it.
        let here = std::env::var_os("CARGO_MANIFEST_DIR").context("run it as `cargo xtask`")?;
        let root = Path::new(&here).parent().context("xtask lies in the root of the workspace")?;
        Ok(Self { root: root.to_owned() })
    }

    /// A tree elsewhere.
    #[cfg(test)]
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// The absolute path of a file of the tree.
    pub fn path(&self, relative: &str) -> PathBuf {
        self.root.join(relative)
    }

    /// A file's text.
    pub fn read(&self, relative: &str) -> Result<String> {
        std::fs::read_to_string(self.path(relative)).with_context(|| format!("cannot read {relative}"))
    }

    /// All text files that are tracked, or will be once they are added.
    pub fn text_files(&self) -> Result<Vec<SourceFile>> {
        let listing = self.output("git", &["ls-files", "-z", "--cached", "--others", "--exclude-standard"])?;
        let mut files = Vec::new();
        for path in listing.split('\0').filter(|path| !path.is_empty()) {
            // A deleted file is still listed, and a binary one has no text.
            if let Ok(text) = std::fs::read_to_string(self.path(path)) {
                files.push(SourceFile { path: path.to_owned(), text });
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(files)
    }

    /// The workspace's packages with their direct dependencies.
    pub fn workspace(&self) -> Result<Workspace> {
        Ok(serde_json::from_str(&self.cargo(&["metadata", "--no-deps", "--locked", "--format-version", "1"])?)?)
    }

    /// What a cargo command prints.
    pub fn cargo(&self, arguments: &[&str]) -> Result<String> {
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned());
        self.output(&cargo, arguments)
    }

    fn output(&self, program: &str, arguments: &[&str]) -> Result<String> {
        let output = Command::new(program)
            .args(arguments)
            .current_dir(&self.root)
            .output()
            .with_context(|| format!("cannot start {program}"))?;
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{program} {} failed: {complaint}", arguments.join(" "));
        Ok(String::from_utf8(output.stdout)?)
    }
}
