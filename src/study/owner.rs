//! Processes, as others can tell whether they are still there.

use super::record::now;
use serde::{Deserialize, Serialize};

/// A process that has claimed a cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Owner {
    /// Name of its machine.
    pub host: String,
    /// Number of the process there.
    pub pid: u32,
    /// When it claimed the cell (UTC).
    pub since: String,
    /// The machine since it was started, and the process numbers that are told apart there; where that is known.
    pub namespace: Option<String>,
    /// When the process was started, in the machine's own units, where that is known.
    pub born: Option<u64>,
    /// Whether it has given the cell back.
    pub released: bool,
    /// Signs of life.
    pub beat: u64,
}

impl Owner {
    /// This process, now.
    pub fn here() -> Self {
        Self {
            host: host(),
            pid: std::process::id(),
            since: now(),
            namespace: namespace(),
            born: born(std::process::id()),
            released: false,
            beat: 0,
        }
    }

    /// The same as a line of JSON.
    pub fn text(&self) -> Vec<u8> {
        let mut text = serde_json::to_string(self).expect("plain data");
        text.push('\n');
        text.into_bytes()
    }

    /// Whether the process is gone, if that can be told from here.
    pub fn is_dead(&self) -> Option<bool> {
        let same_machine = self.namespace.is_some() && self.namespace == namespace();
        let born_then = self.born.filter(|_| same_machine)?;
        Some(born(self.pid) != Some(born_then))
    }
}

fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let name = name.or_else(|| std::env::var("HOSTNAME").or_else(|_| std::env::var("COMPUTERNAME")).ok());
    name.map_or_else(|| "unknown".into(), |name| name.trim().to_owned())
}

/// What process numbers can be compared within: the machine since its start, and the namespace of a container.
pub fn namespace() -> Option<String> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let numbers = std::fs::read_link("/proc/self/ns/pid").ok()?;
    Some(format!("{} {}", boot.trim(), numbers.display()))
}

/// When a process was started, in ticks since the start of the machine; nothing if there is no such process, or it has ended.
fn born(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything.
    let mut fields = stat[stat.rfind(')')? + 1..].split_whitespace();
    let state = fields.next()?;
    if ["Z", "X"].contains(&state) {
        return None;
    }
    fields.nth(18)?.parse().ok()
}
