//! What is left of the host.

use std::{fs, path::Path};

use plimsoll_core::inventory::AgentResources;

/// The host's means; the disk is the one that `path` (or the nearest parent that exists) lies on.
#[must_use]
pub fn of(path: &Path) -> AgentResources {
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let (disk_bytes, disk_free_bytes) = disk(path);
    AgentResources {
        cpus: std::thread::available_parallelism().map_or(0, |number| u32::try_from(number.get()).unwrap_or(u32::MAX)),
        memory_bytes: kib(&memory, "MemTotal:"),
        memory_available_bytes: kib(&memory, "MemAvailable:"),
        disk_bytes,
        disk_free_bytes,
        load_millis: load_millis(&fs::read_to_string("/proc/loadavg").unwrap_or_default()),
        clock_skew_ms: None,
    }
}

/// The bytes of the disk that `path` lies on, and those that we may use; zeros when it can't be told.
#[must_use]
pub fn disk(path: &Path) -> (u64, u64) {
    let found = path.ancestors().find_map(|path| rustix::fs::statvfs(path).ok());
    found.map_or((0, 0), |disk| (disk.f_blocks * disk.f_frsize, disk.f_bavail * disk.f_frsize))
}

fn kib(meminfo: &str, field: &str) -> u64 {
    let line = meminfo.lines().find_map(|line| line.strip_prefix(field));
    line.and_then(|rest| rest.split_whitespace().next()?.parse::<u64>().ok()).unwrap_or_default() * 1024
}

fn load_millis(loadavg: &str) -> u64 {
    let (whole, part) = loadavg.split(' ').next().unwrap_or_default().split_once('.').unwrap_or(("0", "0"));
    let part = format!("{part:0<3}");
    whole.parse::<u64>().unwrap_or_default() * 1000 + part.get(..3).and_then(|text| text.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_has_means() {
        let seen = of(Path::new("/absent/below/the/root"));
        assert!(seen.cpus > 0 && seen.memory_bytes > seen.memory_available_bytes && seen.disk_bytes > 0, "{seen:?}");
        assert_eq!(load_millis("1.07 0.55 0.40 1/2 3"), 1070);
        assert_eq!(load_millis(""), 0);
    }
}
