#!/usr/bin/env bash
# Builds what users get: a wheel, and an archive of the same program, both with its manual pages and shell completions.
# usage: packaging/build.sh [OUT] [OPTION of `maturin build`]...      OUT: from the root of the repository, target/package if left out
# Needs Rust, a C compiler and maturin (pip install 'maturin>=1.9,<2'), and a Python for its archives. Compiles for this machine only.
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-target/package}
shift || true
python=$(command -v python3 || command -v python)

mkdir -p "$out"
rm -f "$out"/flowqcd-*
work=$(mktemp -d)
trap 'rm -rf "$work" flowqcd.data' EXIT
rm -rf flowqcd.data

# The program is taken out of a first wheel: how it is linked, and for which systems, is maturin's affair.
maturin build --release --locked --out "$work/first" "$@"
"$python" -m zipfile -e "$work"/first/*.whl "$work/unpacked"
program=$(echo "$work"/unpacked/flowqcd-*.data/scripts/flowqcd*)
chmod +x "$program"

share=flowqcd.data/data/share
mkdir -p "$share"/{man/man1,bash-completion/completions,zsh/site-functions,fish/vendor_completions.d}
"$program" man --out "$share/man/man1"
"$program" completions bash > "$share/bash-completion/completions/flowqcd"
"$program" completions zsh > "$share/zsh/site-functions/_flowqcd"
"$program" completions fish > "$share/fish/vendor_completions.d/flowqcd.fish"

# The same again, which compiles nothing, with these files beside the program.
maturin build --release --locked --out "$out" "$@"

version=$("$program" --version | cut -d ' ' -f 2)
host=$(rustc -vV | sed -n 's/^host: //p')
name=flowqcd-$version-$host
mkdir -p "$work/$name/bin"
cp "$program" "$work/$name/bin/"
cp -r "$share" "$work/$name/"
cp README.md LICENSE CHANGELOG.md CITATION.cff "$work/$name/"
# Only the one format keeps the permission to execute, and only the other opens everywhere on Windows.
case $host in
    *windows*) format=zip ;;
    *) format=gztar ;;
esac
"$python" -c 'import shutil, sys; shutil.make_archive(*sys.argv[1:])' "$out/$name" "$format" "$work" "$name"
ls -l "$out"
