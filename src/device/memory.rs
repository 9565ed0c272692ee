//! How much memory this process may use.

use std::fs::read_to_string;

/// What is assumed of a system that does not tell.
const ASSUMED: u64 = 1 << 40;

/// Memory that a process may use, at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Memory {
    /// How much.
    pub bytes: u64,
    /// Whose it is, for messages.
    pub owner: &'static str,
}

/// The least of what the machine has, what a container is given (cgroup) and what the shell allows (`ulimit -v`).
pub fn memory() -> Memory {
    let told = [
        ("this machine has", in_kilobytes("/proc/meminfo", "MemTotal:")),
        ("this container has", number("/sys/fs/cgroup/memory.max")),
        ("this container has", number("/sys/fs/cgroup/memory/memory.limit_in_bytes")),
        ("`ulimit -v` allows", first_number("/proc/self/limits", "Max address space")),
    ];
    let told = told.into_iter().filter_map(|(owner, bytes)| Some(Memory { bytes: bytes?, owner }));
    told.min_by_key(|memory| memory.bytes)
        .unwrap_or(Memory { bytes: ASSUMED, owner: "of a machine that does not tell this program assumes" })
}

/// The number after a label, if there is one: limits may be words.
fn first_number(file: &str, label: &str) -> Option<u64> {
    let text = read_to_string(file).ok()?;
    let rest = text.lines().find_map(|line| line.strip_prefix(label))?;
    rest.split_whitespace().next()?.parse().ok()
}

fn in_kilobytes(file: &str, label: &str) -> Option<u64> {
    first_number(file, label)?.checked_mul(1024)
}

fn number(file: &str) -> Option<u64> {
    read_to_string(file).ok()?.trim().parse().ok()
}
