//! `flowqcd man`: manual pages in the words of the help, with what that leaves out.

use super::args::{Args, ManArgs};
use super::output::{print, say};
use crate::error::{Error, Result};
use crate::files::{create_folder, write_atomically};
use clap::CommandFactory;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

/// Prints a page, or writes all of them into a folder.
///
/// # Errors
/// [`Error::Usage`] if there is no such command, [`Error::Io`] if something cannot be written.
pub fn man(args: &ManArgs) -> Result<()> {
    let Some(folder) = &args.out else {
        return print(page(args.command.as_deref())?.trim_end());
    };
    create_folder(folder)?;
    let pages = all();
    for (name, text) in &pages {
        write_atomically(&folder.join(format!("{name}.1")), text.as_bytes())?;
    }
    say(&format!("wrote {} pages into {}", pages.len(), folder.display()));
    Ok(())
}

fn page(command: Option<&str>) -> Result<String> {
    let name = command.map_or("flowqcd".into(), |command| format!("flowqcd-{command}"));
    let found = all().into_iter().find(|(page, _)| *page == name);
    found.map(|(_, text)| text).ok_or_else(|| Error::Usage {
        message: format!("man = {}: no such command", command.unwrap_or_default()),
        hint: "`flowqcd help` lists the commands".into(),
    })
}

/// Every page with its name, that of the program last.
fn all() -> Vec<(String, String)> {
    // There is `flowqcd-run(1)` in the place of `flowqcd help run`.
    let mut program = Args::command().disable_help_subcommand(true);
    program.build();
    let commands = program.get_subcommands().filter(|command| !command.is_hide_set()).cloned();
    let mut pages: Vec<_> = commands.map(|command| (named(&command), of_command(command))).collect();
    pages.push((named(&program), of_program(program)));
    pages
}

/// `flowqcd-run` for `flowqcd run`.
fn named(command: &clap::Command) -> String {
    command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned()
}

fn of_command(command: clap::Command) -> String {
    let mut page = rendered(command);
    let mut also = Roff::new();
    also.control("SH", ["SEE ALSO"]).text([bold("flowqcd"), roman("(1)")]);
    page.push_str(&also.render());
    page
}

fn of_program(program: clap::Command) -> String {
    let mut page = rendered(program);
    let mut more = Roff::new();
    for (heading, entries) in [("ENVIRONMENT", &ENVIRONMENT[..]), ("EXIT STATUS", &EXIT_STATUS)] {
        more.control("SH", [heading]);
        for (name, meaning) in entries {
            more.control("TP", []).text([bold(*name)]).text([roman(*meaning)]);
        }
    }
    page.push_str(&more.render());
    page
}

fn rendered(command: clap::Command) -> String {
    let mut bytes = Vec::new();
    let page = Man::new(command).manual("flowqcd").source(concat!("flowqcd ", env!("CARGO_PKG_VERSION")));
    page.render(&mut bytes).expect("memory can be written");
    String::from_utf8(bytes).expect("help is UTF-8")
}

const ENVIRONMENT: [(&str, &str); 3] = [
    ("FLOWQCD_DEVICE", "The device where --device is left out."),
    (
        "FLOWQCD_ISA",
        "Instructions of the CPU kernels: avx512, avx2, neon or portable; the best there are if unset.",
    ),
    (
        "FLOWQCD_GPU_SITES",
        "On a GPU a launch for each convolution, whatever the batch, with so many sites for a unit: 1, 2, 4 or 8.",
    ),
];

const EXIT_STATUS: [(&str, &str); 4] = [
    ("0", "Done."),
    (
        "1",
        "It failed: a cell of a study, a file, a device, a training that diverged; or verify or compare found something off.",
    ),
    ("2", "Nothing was done: the arguments or the specification are wrong, or nothing can be compared."),
    (
        "128 + N",
        "Signal N stopped it, after a checkpoint was written where something was running: 130 for Ctrl-C, 143 for SIGTERM.",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page_and_the_page_of_the_program_names_it() {
        let pages = all();
        let (name, program) = pages.last().unwrap();
        assert_eq!(name, "flowqcd");
        for heading in ["NAME", "SYNOPSIS", "ENVIRONMENT", "\"EXIT STATUS\""] {
            assert!(program.contains(&format!(".SH {heading}\n")), "{heading}: {program}");
        }
        let commands: Vec<String> =
            Args::command().get_subcommands().map(|command| command.get_name().to_owned()).collect();
        assert_eq!(pages.len(), commands.len() + 1);
        for command in commands {
            assert!(program.contains(&format!("flowqcd\\-{command}(1)")), "{command}: {program}");
            let page = page(Some(&command)).unwrap();
            assert!(page.contains(&format!(".TH flowqcd-{command} 1")), "{page}");
        }
        let run = page(Some("run")).unwrap();
        assert!(run.contains("\\-\\-fail\\-fast") && !run.contains("worker"), "{run}");
        let error = page(Some("nothing")).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{error}");
    }
}
