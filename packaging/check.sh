#!/usr/bin/env bash
# Builds wheel and archive, installs the wheel into a fresh virtual environment that sees no Rust, and tests the program there.
# usage: packaging/check.sh [OUT]      OUT: where the packages are kept, target/package if left out
set -euo pipefail
cd "$(dirname "$0")/.."
out=${1:-target/package}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

if ! command -v maturin >/dev/null; then
    python3 -m venv "$work/maturin"
    "$work/maturin/bin/pip" install --quiet 'maturin>=1.9,<2'
    export PATH="$work/maturin/bin:$PATH"
fi
packaging/build.sh "$out"

fails() {
    echo "packaging/check.sh: $1" >&2
    exit 1
}

# What there is of a fresh user: no tools but those of the environment, no settings.
venv=$work/venv
python3 -m venv "$venv"
alone() { env -i HOME="$work" PATH="$venv/bin" "$@"; }
alone python -c 'import shutil, sys; sys.exit(any(map(shutil.which, ["cargo", "rustc", "cc"])))' || fails "there is a compiler"
alone pip install --quiet --no-index --no-deps "$out"/flowqcd-*.whl
expected="flowqcd $(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)"
[ "$(alone flowqcd --version)" = "$expected" ] || fails "it is not $expected"
alone flowqcd verify --device cpu

files=(
    share/man/man1/flowqcd.1 share/man/man1/flowqcd-run.1 share/bash-completion/completions/flowqcd
    share/zsh/site-functions/_flowqcd share/fish/vendor_completions.d/flowqcd.fish
)
for file in "${files[@]}"; do
    [ -s "$venv/$file" ] || fails "the wheel has no $file"
done

mkdir "$work/archive"
tar -xzf "$out"/flowqcd-*.tar.gz -C "$work/archive" --strip-components=1
[ "$(alone "$work/archive/bin/flowqcd" --version)" = "$expected" ] || fails "the archive does not hold $expected"
cmp "$work/archive/bin/flowqcd" "$venv/bin/flowqcd" || fails "wheel and archive hold different programs"
for file in "${files[@]}" README.md LICENSE; do
    [ -s "$work/archive/$file" ] || fails "the archive has no $file"
done

alone pip uninstall --quiet --yes flowqcd
for file in bin/flowqcd "${files[@]}"; do
    [ ! -e "$venv/$file" ] || fails "$file is left behind"
done
echo "wheel and archive hold $expected"
