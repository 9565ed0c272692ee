//! Signals that ask for an end: the first leaves a checkpoint, the second ends the program at once.

use crate::error::{Error, Result};
use crate::study::Interrupt;
#[cfg(unix)]
use signal_hook::consts::{SIGHUP, SIGQUIT, SIGUSR1, SIGXFSZ};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
#[cfg(unix)]
use signal_hook::{iterator::Signals, low_level::emulate_default_handler};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Installs the handlers.
///
/// # Errors
/// [`Error::Device`] if the system refuses.
pub fn watch() -> Result<Interrupt> {
    let interrupt = Interrupt::default();
    let again = Arc::new(AtomicBool::new(false));
    let install = || -> std::io::Result<()> {
        for signal in asking() {
            // Order matters: the shutdown of the second signal is armed by the first.
            flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&again))?;
            flag::register(signal, Arc::clone(&again))?;
            flag::register_usize(signal, Arc::clone(&interrupt.0), signal as usize)?;
        }
        Ok(())
    };
    install().map_err(refused)?;
    Ok(interrupt)
}

/// From now on a signal that asks for an end has it at once, but after something was put back.
///
/// # Errors
/// [`Error::Device`] if the system refuses.
#[cfg(unix)]
pub fn end_after(put_back: impl Fn() + Send + 'static) -> Result<()> {
    // A terminal that hangs up is the end of what is shown on it, under `nohup` too.
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGUSR1, SIGHUP, SIGQUIT]).map_err(refused)?;
    let end = move || {
        if let Some(signal) = signals.forever().next() {
            put_back();
            let _ = emulate_default_handler(signal);
        }
    };
    std::thread::Builder::new().spawn(end).map(drop).map_err(refused)
}

/// Where there are no such signals, Ctrl-C comes as a key.
#[cfg(not(unix))]
pub fn end_after(_put_back: impl Fn() + Send + 'static) -> Result<()> {
    Ok(())
}

fn refused(error: std::io::Error) -> Error {
    Error::Device {
        name: "signals".into(),
        rule: format!("cannot watch for Ctrl-C: {error}"),
        hint: "run outside a sandbox that forbids signal handlers".into(),
    }
}

/// A file that grows beyond `ulimit -f` is an error of that file, not the end of the program.
pub fn outlive_file_limits() {
    // A handler, whatever it does, is enough for the write to fail instead; without one the default stays.
    #[cfg(unix)]
    let _ = flag::register(SIGXFSZ, Arc::default());
}

#[cfg(not(unix))]
fn asking() -> Vec<i32> {
    vec![SIGINT, SIGTERM]
}

/// Ctrl-C, batch systems that are about to kill, and a terminal that goes away.
#[cfg(unix)]
fn asking() -> Vec<i32> {
    let signals = [SIGINT, SIGTERM, SIGUSR1, SIGHUP];
    signals.into_iter().filter(|&signal| signal != SIGHUP || hangs_up()).collect()
}

/// Whether a hangup is to be heard: under `nohup` it is not, and where that cannot be told it is left to the system.
#[cfg(unix)]
fn hangs_up() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_some_and(|mask| mask & 1 << (SIGHUP - 1) == 0)
}
