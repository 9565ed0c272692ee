//! Ctrl-C and SIGTERM: the first asks for a checkpoint, the second ends the program at once.

use crate::error::{Error, Result};
use crate::study::Interrupt;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
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
        for signal in [SIGINT, SIGTERM] {
            // Order matters: the shutdown of the second signal is armed by the first.
            flag::register_conditional_shutdown(signal, 128 + signal, Arc::clone(&again))?;
            flag::register(signal, Arc::clone(&again))?;
            flag::register_usize(signal, Arc::clone(&interrupt.0), signal as usize)?;
        }
        Ok(())
    };
    install().map_err(|error| Error::Device {
        name: "signals".into(),
        rule: format!("cannot watch for Ctrl-C: {error}"),
        hint: "run outside a sandbox that forbids signal handlers".into(),
    })?;
    Ok(interrupt)
}
