//! Where a run was computed, and the commands that repeat it.

use super::markup::list;
use super::source::Source;
use crate::study::Manifest;
use maud::{Markup, html};
use std::path::Path;

/// What stands between the devices of a run in its manifest.
const BETWEEN_DEVICES: &str = "; ";

/// Where and when it ran.
pub fn environment(source: &Source<'_>) -> Markup {
    let Some(manifest) = &source.manifest else {
        return html! { p { "There is no manifest.json: where it ran is not known." } };
    };
    let finished = manifest.finished.clone().unwrap_or_else(|| "not yet".into());
    list(&[
        ("Program", format!("flowqcd {}", manifest.version)),
        ("Commit", manifest.git_commit.clone()),
        ("Device", manifest.device.clone()),
        ("CPU threads", manifest.threads.to_string()),
        ("Seed", manifest.seed.to_string()),
        ("Started (UTC)", manifest.started.join(", ")),
        ("Finished (UTC)", finished),
        ("Training ended by", manifest.stop_reason.clone().unwrap_or_default()),
        ("Digest of the specification", manifest.spec_digest.clone()),
    ])
}

/// The commands.
pub fn repeat(source: &Source<'_>) -> Markup {
    let commands = commands(&source.run.folder, source.manifest.as_ref());
    html! {
        p {
            "The specification is resolved, every default and the seed included; on the same device the same digits come out, "
            "whatever the number of threads."
        }
        pre.commands { (commands.join("\n")) }
    }
}

fn commands(folder: &Path, manifest: Option<&Manifest>) -> Vec<String> {
    let spec = quoted(&folder.join("spec.toml").to_string_lossy());
    let again = quoted(&format!("{}-again", folder.to_string_lossy().trim_end_matches('/')));
    let commit = manifest.map(|manifest| manifest.git_commit.as_str()).filter(|commit| is_commit(commit));
    let build = commit.map(|commit| format!("git checkout {commit} && cargo install --path ."));
    let device = manifest.and_then(|manifest| manifest.device.split(BETWEEN_DEVICES).last());
    let device = match device {
        None | Some("") => "",
        Some(device) if device.starts_with("cpu") => " --device cpu",
        Some(_) => " --device wgpu",
    };
    let run = format!("flowqcd run {spec} --out {again}{device}");
    build.into_iter().chain([run, format!("flowqcd report {again}")]).collect()
}

/// What git takes for a commit; a program that was built without git has none.
fn is_commit(text: &str) -> bool {
    text.len() >= 7 && text.chars().all(|c| c.is_ascii_hexdigit())
}

/// A text as one word of a shell.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_./-".contains(c);
    if text.chars().all(is_plain) { text.to_owned() } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_can_be_pasted_into_a_shell() {
        let manifest = Manifest {
            git_commit: "0123abcdef".into(),
            device: "wgpu:0 (llvmpipe); cpu (avx512)".into(),
            ..Manifest::default()
        };
        let found = commands(Path::new("runs/it's a"), Some(&manifest));
        let expected = [
            "git checkout 0123abcdef && cargo install --path .",
            r"flowqcd run 'runs/it'\''s a/spec.toml' --out 'runs/it'\''s a-again' --device cpu",
            r"flowqcd report 'runs/it'\''s a-again'",
        ];
        assert_eq!(found, expected);
        let unknown = Manifest { git_commit: "unknown; rm -r /".into(), ..Manifest::default() };
        assert_eq!(commands(Path::new("a"), Some(&unknown))[0], "flowqcd run a/spec.toml --out a-again");
    }
}
