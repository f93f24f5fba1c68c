//! The journal of a task on disk: one file a task, one entry a line, synced before anything is done or
//! acknowledged because of it.

use std::{
    fs::{self, File, OpenOptions},
    future::Future,
    io::{self, Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use plimsoll_core::{Digest, Error, ErrorCode, Result, id::TaskId};

use super::entry::Entry;
use crate::fs::{self as files, Access};

/// Where a task's entries go.
pub trait Journal: Send {
    /// Makes an entry durable.
    fn append(&mut self, entry: &Entry) -> impl Future<Output = Result<()>> + Send;
}

/// The journals of an agent: a directory with a file a task.
#[derive(Clone, Debug)]
pub struct Journals {
    directory: PathBuf,
}

/// What is left of a task in the agent's directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trace {
    /// Nothing: it was never taken, or its result is acknowledged.
    None,
    /// Its journal.
    Kept,
    /// A damaged journal: something of it may have been done.
    PutAside,
}

/// A journal file, open at its end.
#[derive(Debug)]
pub struct FileJournal {
    file: Arc<File>,
    path: PathBuf,
}

/// More than any task writes; a larger file is not ours.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
const SUFFIX: &str = "journal";
/// The suffix of a damaged one.
const ASIDE: &str = "damaged";
/// Hexadecimal digits of the line's SHA-256 in front of it: enough to see a torn or damaged line.
const SUM: usize = 16;

impl Journals {
    /// The journals below an agent's data directory.
    pub fn open(data: &Path) -> Result<Self> {
        let directory = data.join("tasks");
        files::make_directory(&directory, Access::Private).map_err(|cause| unusable(&directory, &cause))?;
        Ok(Self { directory })
    }

    /// The tasks that have one.
    pub fn tasks(&self) -> Result<Vec<TaskId>> {
        let entries = fs::read_dir(&self.directory).map_err(|cause| unusable(&self.directory, &cause))?;
        let mut tasks: Vec<TaskId> = entries
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter_map(|name| name.strip_suffix(SUFFIX)?.strip_suffix('.')?.parse().ok())
            .collect();
        tasks.sort_unstable();
        Ok(tasks)
    }

    /// Opens or begins the journal of a task and reads what it holds. A torn last line, which was never
    /// acted on, is cut off; any other damage is an error.
    pub async fn load(&self, task: TaskId) -> Result<(FileJournal, Vec<Entry>)> {
        let path = self.path(task);
        run(move || load(&path)).await
    }

    /// Forgets a task whose result is acknowledged.
    pub fn forget(&self, task: TaskId) -> Result<()> {
        let path = self.path(task);
        files::remove(&path).map_err(|cause| unusable(&path, &cause))
    }

    /// Puts a damaged journal aside, so that the agent can start; returns where it lies.
    pub fn put_aside(&self, task: TaskId) -> Result<PathBuf> {
        let path = self.path(task);
        let aside = path.with_extension(ASIDE);
        fs::rename(&path, &aside).map_err(|cause| unusable(&path, &cause))?;
        Ok(aside)
    }

    /// What is left here of a task.
    #[must_use]
    pub fn trace(&self, task: TaskId) -> Trace {
        let path = self.path(task);
        if path.exists() {
            Trace::Kept
        } else if path.with_extension(ASIDE).exists() {
            Trace::PutAside
        } else {
            Trace::None
        }
    }

    fn path(&self, task: TaskId) -> PathBuf {
        self.directory.join(format!("{task}.{SUFFIX}"))
    }
}

impl Journal for FileJournal {
    async fn append(&mut self, entry: &Entry) -> Result<()> {
        let line = line(entry)?;
        let (file, path) = (Arc::clone(&self.file), self.path.clone());
        run(move || write(&file, &line).map_err(|cause| unusable(&path, &cause))).await
    }
}

fn load(path: &Path) -> Result<(FileJournal, Vec<Entry>)> {
    let failed = |cause: io::Error| unusable(path, &cause);
    let new = !path.exists();
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path).map_err(failed)?;
    if new {
        files::sync_parent(path).map_err(failed)?;
    }
    let mut content = Vec::new();
    (&file).take(MAX_BYTES).read_to_end(&mut content).map_err(failed)?;
    let (entries, whole) = parse(&content).map_err(|what| damaged(path, &what))?;
    if whole < content.len() {
        file.set_len(whole as u64).map_err(failed)?;
        file.sync_all().map_err(failed)?;
    }
    file.seek(SeekFrom::End(0)).map_err(failed)?;
    Ok((FileJournal { file: Arc::new(file), path: path.to_owned() }, entries))
}

fn write(mut file: &File, line: &str) -> io::Result<()> {
    file.write_all(line.as_bytes())?;
    file.sync_data()
}

fn line(entry: &Entry) -> Result<String> {
    let json = serde_json::to_string(entry)
        .map_err(|cause| Error::internal_defect(format!("a journal entry can't be written: {cause}")))?;
    Ok(format!("{} {json}\n", sum(&json)))
}

fn sum(json: &str) -> String {
    let mut hex = Digest::of(json.as_bytes()).hex();
    hex.truncate(SUM);
    hex
}

/// The entries, and how many bytes hold them whole. What follows the last line end was never synced.
fn parse(content: &[u8]) -> Result<(Vec<Entry>, usize), String> {
    let whole = content.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let lines: Vec<&[u8]> = content[..whole].split_inclusive(|byte| *byte == b'\n').collect();
    let mut entries = Vec::with_capacity(lines.len());
    let mut read = 0;
    for (number, line) in lines.iter().enumerate() {
        match parse_line(line) {
            Ok(entry) => entries.push(entry),
            // A write that was torn by a power cut may leave a last line of zeros or garbage with its end.
            Err(_) if number + 1 == lines.len() => return Ok((entries, read)),
            Err(what) => return Err(format!("line {}: {what}", number + 1)),
        }
        read += line.len();
    }
    Ok((entries, whole))
}

fn parse_line(line: &[u8]) -> Result<Entry, String> {
    let text = std::str::from_utf8(line).map_err(|cause| cause.to_string())?.trim_end_matches('\n');
    let (found, json) = text.split_once(' ').ok_or("no checksum")?;
    if found != sum(json) {
        return Err("the checksum is wrong".into());
    }
    serde_json::from_str(json).map_err(|cause| cause.to_string())
}

async fn run<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|cause| Error::internal_defect(format!("the journal's thread ended: {cause}")))?
}

fn unusable(path: &Path, cause: &io::Error) -> Error {
    let message = format!("{} can't be used: {cause}; look at the disk's space and the file's owner", path.display());
    Error::new(ErrorCode::Unavailable, message)
}

fn damaged(path: &Path, what: &str) -> Error {
    Error::new(ErrorCode::Internal, format!("{} is damaged ({what})", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn began(index: usize) -> Entry {
        Entry::Began { index, at: plimsoll_core::Timestamp::from_seconds(1) }
    }

    fn task() -> TaskId {
        "01890a5d-ac96-774b-bcce-b302099a8057".parse().unwrap()
    }

    async fn written(count: usize) -> (tempfile::TempDir, Journals, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let journals = Journals::open(dir.path()).unwrap();
        let (mut journal, found) = journals.load(task()).await.unwrap();
        assert_eq!(found, []);
        for index in 0..count {
            journal.append(&began(index)).await.unwrap();
        }
        let path = journals.path(task());
        (dir, journals, path)
    }

    #[tokio::test]
    async fn a_journal_cut_anywhere_gives_its_whole_entries_and_goes_on() {
        let (_dir, journals, path) = written(3).await;
        let content = fs::read(&path).unwrap();
        let ends: Vec<usize> = (0..content.len()).filter(|at| content[*at] == b'\n').collect();
        for cut in 0..=content.len() {
            fs::write(&path, &content[..cut]).unwrap();
            let whole = ends.iter().filter(|end| **end < cut).count();
            let (mut journal, entries) = journals.load(task()).await.unwrap();
            assert_eq!(entries, (0..whole).map(began).collect::<Vec<_>>(), "cut at {cut}");
            journal.append(&began(9)).await.unwrap();
            let (_, entries) = journals.load(task()).await.unwrap();
            assert_eq!(entries.last(), Some(&began(9)));
            assert_eq!(entries.len(), whole + 1);
        }
    }

    #[tokio::test]
    async fn damage_in_the_middle_is_told_and_put_aside() {
        let (_dir, journals, path) = written(3).await;
        let mut content = fs::read(&path).unwrap();
        content[30] ^= 1;
        fs::write(&path, &content).unwrap();
        assert!(journals.load(task()).await.is_err());
        assert_eq!(journals.trace(task()), Trace::Kept);
        assert!(journals.put_aside(task()).unwrap().exists());
        assert_eq!(journals.trace(task()), Trace::PutAside);
        assert_eq!(journals.tasks().unwrap(), []);
    }

    #[tokio::test]
    async fn tasks_are_found_and_forgotten() {
        let (_dir, journals, _) = written(1).await;
        assert_eq!(journals.tasks().unwrap(), [task()]);
        journals.forget(task()).unwrap();
        assert_eq!(journals.tasks().unwrap(), []);
    }
}
