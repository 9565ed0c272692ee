//! The processes that a launcher has started together: how they find each other, and what each computes on.

use super::args::DeviceArgs;
use super::output::say;
use crate::comm::{Comm, Crew, Launched, Neighbours};
use crate::device::{self, ComputeDevice};
use crate::error::{Error, Result};
use crate::kernel::Isa;
use crate::study::Interrupt;
use serde::{Deserialize, Serialize};
use std::rc::Rc;

/// What has to be the same everywhere for results to be the same, and what to tell of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Likeness {
    version: String,
    /// What was typed.
    arguments: Vec<String>,
    /// The instruction set of the CPU's kernels.
    isa: String,
    is_cpu: bool,
}

/// The device of this process and, where a launcher has started others with it, these; nothing for one of the others if something is
/// missing anywhere, which the leader tells. A program without MPI is one of several only if each has a part of its own.
///
/// # Errors
/// What is missing.
pub fn join(args: &DeviceArgs, interrupt: &Interrupt, has_own_part: bool) -> Result<Option<ComputeDevice>> {
    let Some(launched) = Launched::here() else { return args.select().map(Some) };
    if launched.size == 1 {
        warn_of_binding(args, &launched, Neighbours::NONE);
        return args.select().map(Some);
    }
    if has_own_part && cfg!(not(feature = "mpi")) {
        return args.select().map(Some);
    }
    let (comm, here) = reach(&launched, interrupt)?;
    let crew = Crew::of(comm, interrupt.0.clone());
    if crew.leads() {
        warn_of_binding(args, &launched, here);
    }
    let (own, device) = match own_device(args, here) {
        Ok(device) => (Ok(likeness(&device)), Some(device)),
        Err(error) => (Err(error), None),
    };
    match crew.exchange(own).and_then(|all| same(&all)) {
        Ok(()) => Ok(device.map(|device| device.among(crew))),
        Err(error) if crew.leads() => Err(error),
        Err(_) => Ok(None),
    }
}

#[cfg(feature = "mpi")]
fn reach(launched: &Launched, interrupt: &Interrupt) -> Result<(Rc<dyn Comm>, Neighbours)> {
    let cores = allowed_cores().unwrap_or_default();
    let mpi = crate::comm::Mpi::join(launched, &cores, interrupt.0.clone())?;
    let here = mpi.neighbours();
    Ok((Rc::new(mpi), here))
}

#[cfg(not(feature = "mpi"))]
fn reach(launched: &Launched, _: &Interrupt) -> Result<(Rc<dyn Comm>, Neighbours)> {
    Err(launched.refused())
}

/// The device and the threads of one of several processes.
fn own_device(args: &DeviceArgs, here: Neighbours) -> Result<ComputeDevice> {
    let threads = args.threads.map_or_else(|| here.threads(allowed()), |threads| threads as usize);
    device::start_threads(Some(threads))?;
    ComputeDevice::select_beside(&args.device, here)
}

/// `mpirun` gives each process one core, whatever there is, if nothing else is said; a job of SLURM has what it asked for.
fn warn_of_binding(args: &DeviceArgs, launched: &Launched, here: Neighbours) {
    let (cores, Some(of_machine)) = (allowed(), cores_of_machine()) else { return };
    let of_all = cores * here.size / here.on_these_cores;
    if launched.is_mpirun() && args.threads.is_none() && cores == 1 && of_all < of_machine {
        say(&format!(
            "warning: each process may use 1 of {of_machine} cores: mpirun --bind-to none or --map-by slot:PE=N gives it more"
        ));
    }
}

/// Cores that this process may use.
fn allowed() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// The cores that this process may use, in the words of Linux.
#[cfg(feature = "mpi")]
fn allowed_cores() -> Option<String> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:").map(|list| list.trim().to_owned()))
}

/// Where Linux tells.
fn cores_of_machine() -> Option<usize> {
    let list = std::fs::read_to_string("/sys/devices/system/cpu/online").ok()?;
    list.trim().split(',').map(span).sum()
}

/// Numbers in `3` or `0-15`.
fn span(text: &str) -> Option<usize> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    Some(last.parse::<usize>().ok()? + 1 - first.parse::<usize>().ok()?)
}

fn likeness(device: &ComputeDevice) -> Likeness {
    Likeness {
        version: env!("CARGO_PKG_VERSION").into(),
        arguments: std::env::args().skip(1).collect(),
        isa: Isa::active().name().into(),
        is_cpu: device.is_cpu(),
    }
}

/// # Errors
/// [`Error::Usage`] if the processes would not compute the same.
fn same(all: &[Likeness]) -> Result<()> {
    let Some((rank, other)) = all.iter().enumerate().find(|(_, other)| **other != all[0]) else {
        return Ok(());
    };
    if other.arguments != all[0].arguments {
        return Err(Error::Usage {
            message: format!(
                "the process of rank {rank} was started with other arguments than the leading one: {}",
                other.arguments.join(" ")
            ),
            hint: "processes that are started together are one run; parts of a study (--shard) are started one by one".into(),
        });
    }
    let kind = |of: &Likeness| {
        let device = if of.is_cpu { "the CPU" } else { "a GPU" };
        format!("flowqcd {} on {device} ({})", of.version, of.isa)
    };
    Err(Error::Usage {
        message: format!(
            "the process of rank {rank} is {}, the leading one {}: their results would not be the same",
            kind(other),
            kind(&all[0])
        ),
        hint: "give all of them the same program and kind of device; FLOWQCD_ISA=avx2 makes different CPUs alike".into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_that_would_compute_something_else_are_refused() {
        let one = likeness(&ComputeDevice::cpu());
        assert!(same(&[one.clone(), one.clone()]).is_ok());
        let message = |other| same(&[one.clone(), one.clone(), other]).unwrap_err().to_string();
        let found = message(Likeness { isa: "portable".into(), ..one.clone() });
        assert!(found.contains("rank 2") && found.contains("portable"), "{found}");
        let found = message(Likeness { arguments: vec!["--shard".into(), "2/3".into()], ..one.clone() });
        assert!(found.contains("rank 2") && found.contains("--shard 2/3"), "{found}");
    }

    #[test]
    fn cores_are_counted() {
        assert_eq!(["3", "0-15", "8-8"].map(span), [Some(1), Some(16), Some(1)]);
        assert_eq!(span("x"), None);
    }
}
