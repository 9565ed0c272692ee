//! The `flowqcd` command: parse, run, print the error once, exit with its code.

use std::process::ExitCode;

/// Keeps the large buffers of a step instead of returning them to the system after every use.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    match flowqcd::cli::main() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(error.exit_code())
        }
    }
}
