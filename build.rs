//! Records the commit the program is built from.

use std::process::Command;

fn main() {
    let output = Command::new("git").args(["rev-parse", "HEAD"]).output();
    let commit = output.ok().filter(|output| output.status.success());
    let commit =
        commit.map_or("unknown".into(), |output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    println!("cargo:rustc-env=FLOWQCD_GIT_COMMIT={commit}");
    println!("cargo:rerun-if-changed=.git/logs/HEAD");
    println!("cargo:rerun-if-changed=build.rs");
}
