//! The `flowqcd` command.

mod allocator;

use std::process::ExitCode;

/// Keeps the large buffers of a step instead of returning them to the system after every use.
#[global_allocator]
static ALLOCATOR: allocator::OrEnd = allocator::OrEnd;

/// Bytes of stack that are enough for the program.
const STACK: usize = 4 << 20;

fn main() -> ExitCode {
    if has_stack() {
        return flowqcd::cli::main();
    }
    match std::thread::Builder::new().name("main".into()).stack_size(STACK).spawn(flowqcd::cli::main) {
        Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
        // It has to do, then.
        Err(_) => flowqcd::cli::main(),
    }
}

/// Whether the shell gives enough (`ulimit -s`).
#[cfg(unix)]
fn has_stack() -> bool {
    use rustix::process::{Resource, getrlimit};
    getrlimit(Resource::Stack).current.is_none_or(|bytes| bytes >= STACK as u64)
}

/// The stack of a program is a part of its file there.
#[cfg(not(unix))]
fn has_stack() -> bool {
    true
}
