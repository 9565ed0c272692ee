//! The `flowqcd` command.

use std::process::ExitCode;

/// Keeps the large buffers of a step instead of returning them to the system after every use.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    flowqcd::cli::main()
}
