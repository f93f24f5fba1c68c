//! Reading on in the output files of a process.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
    time::Duration,
};

use plimsoll_protocol::agent::report::LogSource;
use tokio_util::sync::CancellationToken;

use crate::{drivers::host::Since, supervise::Workdir, task::following::Output};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(200);
/// Read at one look.
const PIECE: u64 = 256 * 1024;

/// Gives what is written to `output` until `end` comes or no more is wanted.
pub async fn follow(workdir: &Workdir, since: Since, output: &mut Output, end: &CancellationToken) {
    let files = [(LogSource::Stdout, workdir.stdout()), (LogSource::Stderr, workdir.stderr())];
    let mut places = files.each_ref().map(|(_, path)| match since {
        Since::Start => 0,
        Since::Now => length(path),
    });
    loop {
        // Looked at once more after the end: last words are often the best.
        let last = end.is_cancelled();
        for ((source, path), place) in files.iter().zip(&mut places) {
            let piece = read_on(path, place).unwrap_or_default();
            if !piece.is_empty() && !output.take(*source, &piece) {
                return;
            }
        }
        if last {
            return;
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = end.cancelled() => {}
        }
    }
}

fn length(path: &Path) -> u64 {
    path.metadata().map(|found| found.len()).unwrap_or_default()
}

/// What was written since; from the beginning when the file was rotated.
fn read_on(path: &Path, place: &mut u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    if file.metadata()?.len() < *place {
        *place = 0;
    }
    file.seek(SeekFrom::Start(*place))?;
    let mut piece = Vec::new();
    file.take(PIECE).read_to_end(&mut piece)?;
    *place += piece.len() as u64;
    Ok(piece)
}
