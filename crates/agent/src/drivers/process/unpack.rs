//! Unpacking layers: regular files, directories and symlinks below the root only, sizes bounded. Anything
//! else is refused by name, since nothing isolates what would come of it.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read},
    os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink},
    path::{Component, Path, PathBuf},
};

use tar::{Archive, Entry, EntryType};

/// How much an image may hold.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of all files.
    pub bytes: u64,
    /// Entries of all layers.
    pub entries: u64,
}

/// An image being unpacked.
#[derive(Debug)]
pub struct Unpacker {
    root: PathBuf,
    left: Limits,
    links: Vec<PathBuf>,
}

/// Why a layer can't be taken.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    /// It holds what is refused; the text names it.
    #[error("{0}")]
    Refused(String),
    /// It can't be read or written.
    #[error("{0}")]
    Io(#[from] io::Error),
}

/// A file of this name removes one of a lower layer (OCI image specification, "Whiteouts").
const WHITEOUT: &str = ".wh.";
/// Bytes of a layer beside its files' content.
const OVERHEAD: u64 = 64 * 1024 * 1024;
const OPAQUE: &str = ".wh..wh..opq";

impl Unpacker {
    /// Unpacks below `root`, which exists and is empty.
    #[must_use]
    pub const fn new(root: PathBuf, limits: Limits) -> Self {
        Self { root, left: limits, links: Vec::new() }
    }

    /// Takes a layer, lower ones first.
    pub fn layer(&mut self, tar: impl Read) -> Result<(), UnpackError> {
        // Names and extensions are held in memory: they too are bounded.
        let mut archive = Archive::new(tar.take(self.left.bytes.saturating_add(OVERHEAD)));
        for entry in archive.entries()? {
            self.entry(&mut entry?)?;
        }
        Ok(())
    }

    /// The end: every symlink, followed through all others, must still lead below the root.
    pub fn finish(self) -> Result<(), UnpackError> {
        let root = fs::canonicalize(&self.root)?;
        for link in &self.links {
            if fs::symlink_metadata(link).is_ok_and(|found| found.is_symlink())
                && let Ok(target) = fs::canonicalize(link)
                && !target.starts_with(&root)
            {
                let shown = link.strip_prefix(&self.root).unwrap_or(link).display();
                return Err(UnpackError::Refused(format!("the symlink \"{shown}\" leads outside of the root")));
            }
        }
        Ok(())
    }

    fn entry(&mut self, entry: &mut Entry<'_, impl Read>) -> Result<(), UnpackError> {
        let shown = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        let Some(path) = below(&entry.path()?) else {
            return Err(UnpackError::Refused(format!("{shown:?} lies outside of the root")));
        };
        self.left.entries = self.left.entries.checked_sub(1).ok_or_else(|| refused_for("it has too many files"))?;
        if path.as_os_str().is_empty() {
            return Ok(());
        }
        let at = self.root.join(&path);
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        self.parents(&path, &shown)?;
        if name == OPAQUE {
            return empty(at.parent().unwrap_or(&self.root));
        }
        if let Some(hidden) = name.strip_prefix(WHITEOUT) {
            return Ok(remove(&at.with_file_name(hidden))?);
        }
        match entry.header().entry_type() {
            EntryType::Directory => directory(&at),
            EntryType::Regular | EntryType::Continuous => self.file(entry, &at, &shown),
            EntryType::Symlink => {
                self.links.push(at.clone());
                link(&path, &at, entry, &shown)
            }
            EntryType::XGlobalHeader => Ok(()),
            other => Err(UnpackError::Refused(format!(
                "{shown:?} is {}; only files, directories and symlinks are unpacked",
                kind(other)
            ))),
        }
    }

    fn file(&mut self, entry: &mut Entry<'_, impl Read>, at: &Path, shown: &str) -> Result<(), UnpackError> {
        let size = entry.size();
        self.left.bytes =
            self.left.bytes.checked_sub(size).ok_or_else(|| {
                refused_for(&format!("its files are larger than allowed, at the latest with {shown:?}"))
            })?;
        remove(at)?;
        // Never setuid or setgid; readable for the user it will run as.
        let mode = if entry.header().mode()? & 0o111 == 0 { 0o644 } else { 0o755 };
        let mut file: File = OpenOptions::new().write(true).create_new(true).mode(mode).open(at)?;
        let written = io::copy(&mut entry.take(size), &mut file)?;
        if written != size {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("{shown:?} is cut short")).into());
        }
        Ok(file.set_permissions(fs::Permissions::from_mode(mode))?)
    }

    /// Makes the parents, each a real directory: nothing is ever written through a symlink.
    fn parents(&self, path: &Path, shown: &str) -> Result<(), UnpackError> {
        let mut at = self.root.clone();
        for part in path.parent().into_iter().flat_map(Path::components) {
            at.push(part);
            match fs::symlink_metadata(&at) {
                Ok(found) if found.is_dir() => {}
                Ok(_) => {
                    return Err(UnpackError::Refused(format!("{shown:?} lies below something that is no directory")));
                }
                Err(cause) if cause.kind() == io::ErrorKind::NotFound => directory(&at)?,
                Err(cause) => return Err(cause.into()),
            }
        }
        Ok(())
    }
}

fn empty(directory: &Path) -> Result<(), UnpackError> {
    for entry in fs::read_dir(directory)? {
        remove(&entry?.path())?;
    }
    Ok(())
}

fn directory(at: &Path) -> Result<(), UnpackError> {
    match fs::symlink_metadata(at) {
        Ok(found) if found.is_dir() => {}
        Ok(_) => {
            remove(at)?;
            fs::create_dir(at)?;
        }
        Err(_) => fs::create_dir(at)?,
    }
    Ok(fs::set_permissions(at, fs::Permissions::from_mode(0o755))?)
}

fn link(path: &Path, at: &Path, entry: &Entry<'_, impl Read>, shown: &str) -> Result<(), UnpackError> {
    let target = entry.link_name()?.unwrap_or_default();
    if !stays_below(path, &target) {
        let message = format!("the symlink {shown:?} points to {:?}, outside of the root", target.display());
        return Err(UnpackError::Refused(message));
    }
    remove(at)?;
    Ok(symlink(target, at)?)
}

/// The path below the root; `None` when it leads out of it.
fn below(path: &Path) -> Option<PathBuf> {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(name) => clean.push(name),
            Component::CurDir | Component::RootDir => {}
            Component::ParentDir | Component::Prefix(_) => return None,
        }
    }
    Some(clean)
}

/// Whether a relative target, seen from the link's directory, never climbs above the root. An absolute one
/// would point into the host, since there is no chroot.
fn stays_below(link: &Path, target: &Path) -> bool {
    let mut depth = link.components().count().saturating_sub(1);
    for part in target.components() {
        match part {
            Component::Normal(_) => depth += 1,
            Component::CurDir => {}
            Component::ParentDir => match depth.checked_sub(1) {
                Some(up) => depth = up,
                None => return false,
            },
            Component::RootDir | Component::Prefix(_) => return false,
        }
    }
    !target.as_os_str().is_empty()
}

fn remove(at: &Path) -> io::Result<()> {
    match fs::symlink_metadata(at) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(at),
        Ok(_) => fs::remove_file(at),
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(cause) => Err(cause),
    }
}

fn refused_for(why: &str) -> UnpackError {
    UnpackError::Refused(why.to_owned())
}

const fn kind(entry: EntryType) -> &'static str {
    match entry {
        EntryType::Link => "a hard link",
        EntryType::Char => "a character device",
        EntryType::Block => "a block device",
        EntryType::Fifo => "a pipe",
        EntryType::GNUSparse => "a sparse file",
        _ => "of an unknown kind",
    }
}

#[cfg(test)]
mod tests {
    use tar::{Builder, Header};

    use super::*;

    struct Layer(Builder<Vec<u8>>);

    impl Layer {
        fn new() -> Self {
            Self(Builder::new(Vec::new()))
        }

        /// Writes the name as it is: the library refuses what hostile archives hold.
        fn add(mut self, kind: EntryType, path: &str, content: &str, mode: u32) -> Self {
            let mut header = Header::new_gnu();
            header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
            header.set_entry_type(kind);
            header.set_mode(mode);
            let body = if kind == EntryType::Symlink || kind == EntryType::Link {
                header.as_mut_bytes()[157..157 + content.len()].copy_from_slice(content.as_bytes());
                ""
            } else {
                content
            };
            header.set_size(body.len() as u64);
            header.set_cksum();
            self.0.append(&header, body.as_bytes()).unwrap();
            self
        }

        fn file(self, path: &str, content: &str) -> Self {
            self.add(EntryType::Regular, path, content, 0o644)
        }

        fn link(self, path: &str, to: &str) -> Self {
            self.add(EntryType::Symlink, path, to, 0o777)
        }

        fn tar(self) -> Vec<u8> {
            self.0.into_inner().unwrap()
        }
    }

    fn unpack(layers: Vec<Layer>) -> (tempfile::TempDir, Result<(), UnpackError>) {
        let dir = tempfile::tempdir().unwrap();
        let mut unpacker = Unpacker::new(dir.path().to_owned(), Limits { bytes: 1000, entries: 20 });
        let done = layers.into_iter().try_for_each(|layer| unpacker.layer(layer.tar().as_slice()));
        (dir, done.and_then(|()| unpacker.finish()))
    }

    #[test]
    fn upper_layers_replace_and_remove() {
        let lower = Layer::new()
            .file("./bin/app", "old")
            .file("etc/a", "a")
            .file("etc/b", "b")
            .file("opt/x/y", "y")
            .link("sh", "bin/app");
        let upper = Layer::new()
            .add(EntryType::Regular, "/bin/app", "new", 0o4755)
            .file("etc/.wh.a", "")
            .file("opt/x/.wh..wh..opq", "")
            .file("opt/x/z", "z")
            .link("usr/bin/app", "../../bin/app");
        let (dir, done) = unpack(vec![lower, upper]);
        done.unwrap();
        let read = |path: &str| fs::read_to_string(dir.path().join(path)).ok();
        assert_eq!(read("bin/app").as_deref(), Some("new"));
        assert_eq!(read("usr/bin/app").as_deref(), Some("new"));
        assert_eq!((read("etc/a"), read("etc/b").as_deref()), (None, Some("b")));
        assert_eq!((read("opt/x/y"), read("opt/x/z").as_deref()), (None, Some("z")));
        let mode = fs::metadata(dir.path().join("bin/app")).unwrap().permissions().mode();
        assert_eq!(mode & 0o7777, 0o755, "no setuid");
    }

    #[test]
    fn what_leads_out_or_is_no_file_is_refused_by_name() {
        let hostile = [
            Layer::new().file("../escape", "x"),
            Layer::new().file("a/../../escape", "x"),
            Layer::new().link("escape", "/etc/passwd"),
            Layer::new().link("a/escape", "../../etc"),
            Layer::new().link("escape", "b/../../x"),
            Layer::new().add(EntryType::Link, "escape", "bin/app", 0o644),
            Layer::new().add(EntryType::Fifo, "escape", "", 0o644),
            Layer::new().add(EntryType::Char, "escape", "", 0o644),
            Layer::new().link("dir", "bin").file("dir/escape", "x"),
            Layer::new().link("e", ".").link("escape", "e/e/e/../../.."),
        ];
        for layer in hostile {
            let (dir, done) = unpack(vec![layer]);
            let Err(UnpackError::Refused(why)) = done else { panic!("{done:?}") };
            assert!(why.contains("escape"), "{why}");
            drop(dir);
        }
    }

    #[test]
    fn sizes_are_bounded() {
        let big = "x".repeat(600);
        let (_dir, done) = unpack(vec![Layer::new().file("a", &big), Layer::new().file("b", &big)]);
        assert!(matches!(done, Err(UnpackError::Refused(_))), "{done:?}");
        let many = (0..30).fold(Layer::new(), |layer, at| layer.file(&format!("f{at}"), ""));
        assert!(matches!(unpack(vec![many]).1, Err(UnpackError::Refused(_))));
        let mut cut = Layer::new().file("a", &big).tar();
        cut.truncate(700);
        let dir = tempfile::tempdir().unwrap();
        let mut unpacker = Unpacker::new(dir.path().to_owned(), Limits { bytes: 1000, entries: 20 });
        assert!(matches!(unpacker.layer(cut.as_slice()), Err(UnpackError::Io(_))));
    }
}
