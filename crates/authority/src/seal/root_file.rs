//! The root key's file: made at the first start, and never replaced by accident.
//!
//! The database keeps the key's check value from the moment that it holds anything sealed. With it a start
//! without the file, or with another one, is refused before anything is read or sealed with a wrong key.

use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Read, Write},
    path::Path,
};

use plimsoll_core::{Error, ErrorCode, Result, context::Context};
use secrecy::ExposeSecret;

use super::{KeyCheckValue, RootKey};
use crate::secret::SecretString;

/// More than any root key's text has.
const MAX_FILE_BYTES: u64 = 256;

/// Where the root key came from.
#[derive(Debug)]
pub enum RootKeyFile {
    /// The file was there.
    Found(RootKey),
    /// There was none, and nothing sealed; it was made. Say where it is, and that it belongs in a backup.
    Created(RootKey),
}

impl RootKeyFile {
    /// The key, wherever it came from.
    #[must_use]
    pub fn into_key(self) -> RootKey {
        match self {
            Self::Found(key) | Self::Created(key) => key,
        }
    }
}

/// Opens the root key at `path`. `expected` is the check value that the database keeps, if it holds
/// anything sealed; without it a missing file is made. After this store the key's check value.
///
/// The data directory must be locked by this process.
pub fn open_or_create(path: &Path, expected: Option<&KeyCheckValue>, context: &Context) -> Result<RootKeyFile> {
    match read(path)? {
        Some(text) => {
            let key = RootKey::from_text(&text).map_err(|cause| {
                refuse(format!("{} is damaged: {}; put it back from a backup", path.display(), cause.message()))
            })?;
            check(&key, expected, &path.display().to_string())?;
            Ok(RootKeyFile::Found(key))
        }
        None if expected.is_some() => Err(refuse(format!(
            "{} is missing, and the database holds secrets that only it can open; put it back from a backup, or name \
             its place in the configuration",
            path.display()
        ))),
        None => {
            let key = RootKey::generate(context);
            create(path, &key)?;
            Ok(RootKeyFile::Created(key))
        }
    }
}

/// Checks a root key from anywhere against what the database keeps; `source` says where it came from.
pub fn check(key: &RootKey, expected: Option<&KeyCheckValue>, source: &str) -> Result<()> {
    match expected {
        Some(expected) if *expected != key.check_value() => Err(refuse(format!(
            "{source} holds another root key (check value {}) than the one that sealed this database's secrets \
             ({expected}); put that one back from a backup, or point to the database that this key belongs to",
            key.check_value()
        ))),
        _ => Ok(()),
    }
}

fn read(path: &Path) -> Result<Option<SecretString>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(io("read", path, &cause)),
    };
    check_mode(path, &file)?;
    let mut text = zeroize::Zeroizing::new(String::with_capacity(MAX_FILE_BYTES as usize));
    file.take(MAX_FILE_BYTES).read_to_string(&mut text).map_err(|cause| io("read", path, &cause))?;
    Ok(Some(SecretString::from(text.as_str())))
}

#[cfg(unix)]
fn check_mode(path: &Path, file: &File) -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mode = file.metadata().map_err(|cause| io("read", path, &cause))?.permissions().mode();
    let for_others = mode & 0o077;
    if for_others == 0 {
        return Ok(());
    }
    Err(refuse(format!(
        "{} can be read by others (mode {:o}); run: chmod 600 {}",
        path.display(),
        mode & 0o777,
        path.display()
    )))
}

#[cfg(not(unix))]
fn check_mode(_path: &Path, _file: &File) -> Result<()> {
    Ok(())
}

/// Writes beside the file and renames: a crash leaves the whole key or none. Nothing of value is replaced,
/// since the file was absent and the directory is locked.
fn create(path: &Path, key: &RootKey) -> Result<()> {
    let draft = path.with_extension("new");
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match fs::remove_file(&draft) {
        Err(cause) if cause.kind() != ErrorKind::NotFound => return Err(io("replace", &draft, &cause)),
        _ => {}
    }
    let mut file = options.open(&draft).map_err(|cause| io("create", &draft, &cause))?;
    let written = file
        .write_all(key.to_text().expose_secret().as_bytes())
        .and_then(|()| file.write_all(b"\n"))
        .and_then(|()| file.sync_all());
    written.map_err(|cause| io("write", &draft, &cause))?;
    fs::rename(&draft, path).map_err(|cause| io("create", path, &cause))?;
    match path.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        Some(directory) => {
            File::open(directory).and_then(|open| open.sync_all()).map_err(|cause| io("write", directory, &cause))
        }
        None => Ok(()),
    }
}

fn refuse(message: String) -> Error {
    Error::new(ErrorCode::RuleViolated, message)
}

fn io(verb: &str, path: &Path, cause: &std::io::Error) -> Error {
    refuse(format!("cannot {verb} {}: {cause}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn the_first_start_makes_the_key_and_the_next_finds_it() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("root.key");
        fs::write(path.with_extension("new"), "left by a crash").unwrap();
        let made = open_or_create(&path, None, &Context::system()).unwrap();
        let RootKeyFile::Created(made) = made else { panic!("{made:?}") };
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(!path.with_extension("new").exists());
        let found = open_or_create(&path, Some(&made.check_value()), &Context::system()).unwrap();
        assert!(matches!(found, RootKeyFile::Found(key) if key.check_value() == made.check_value()));
    }

    #[test]
    fn a_start_with_no_key_or_another_is_refused_and_changes_nothing() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("root.key");
        let known = RootKey::generate(&Context::system()).check_value();
        let missing = open_or_create(&path, Some(&known), &Context::system()).unwrap_err();
        assert!(missing.message().contains("is missing") && missing.message().contains("backup"), "{missing}");
        assert!(!path.exists());

        open_or_create(&path, None, &Context::system()).unwrap();
        let before = fs::read(&path).unwrap();
        let other = open_or_create(&path, Some(&known), &Context::system()).unwrap_err();
        assert!(other.message().contains("another root key"), "{other}");
        assert_eq!(fs::read(&path).unwrap(), before);
    }

    #[test]
    fn a_damaged_or_readable_file_is_refused_and_not_printed() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("root.key");
        let key = open_or_create(&path, None, &Context::system()).unwrap().into_key();
        let text = key.to_text().expose_secret().to_owned();

        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let readable = open_or_create(&path, None, &Context::system()).unwrap_err();
        assert!(readable.message().contains("chmod 600"), "{readable}");

        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        for damaged in [&text[..30], "", &"x".repeat(10_000)] {
            fs::write(&path, damaged).unwrap();
            let error = open_or_create(&path, None, &Context::system()).unwrap_err();
            assert!(error.message().contains("damaged"), "{error}");
            assert!(!format!("{error:?}").contains(&text[20..30]));
        }
    }
}
