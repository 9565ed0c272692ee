//! The `flowqcd` command: parse, run, print the error once, exit with its code.

use std::process::ExitCode;

fn main() -> ExitCode {
    match flowqcd::cli::main() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(error.exit_code())
        }
    }
}
