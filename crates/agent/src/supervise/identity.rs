//! Who a process is: its number alone is used again after it ended.

use std::fs;

use serde::{Deserialize, Serialize};

/// A process, for good.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProcessId {
    /// Its number.
    pub pid: i32,
    /// When it started, in clock ticks since the boot.
    pub start_time: u64,
    /// Which boot.
    pub boot_id: String,
}

impl ProcessId {
    /// The process with this number now.
    #[must_use]
    pub fn of(pid: i32) -> Option<Self> {
        let (_, start_time) = stat(pid)?;
        Some(Self { pid, start_time, boot_id: boot_id() })
    }

    /// Whether it still runs. One that ended and was not waited for does not.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.boot_id == boot_id()
            && stat(self.pid).is_some_and(|(state, start)| start == self.start_time && !matches!(state, 'Z' | 'X'))
    }
}

/// The boot's identity.
#[must_use]
pub fn boot_id() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|text| text.trim().to_owned()).unwrap_or_default()
}

/// State and start time of a process (proc(5), fields 3 and 22 of `stat`).
fn stat(pid: i32) -> Option<(char, u64)> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, in brackets, may hold anything, brackets and spaces included.
    let mut fields = text.get(text.rfind(')')? + 2..)?.split(' ');
    let state = fields.next()?.chars().next()?;
    let start = fields.nth(18)?.parse().ok()?;
    Some((state, start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_itself_until_it_ends() {
        let mut child = std::process::Command::new("sleep").arg("60").spawn().unwrap();
        let id = ProcessId::of(child.id().cast_signed()).unwrap();
        assert!(id.is_alive());
        assert!(!ProcessId { start_time: id.start_time + 1, ..id.clone() }.is_alive());
        assert!(!ProcessId { boot_id: "another".into(), ..id.clone() }.is_alive());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!id.is_alive());
    }
}
