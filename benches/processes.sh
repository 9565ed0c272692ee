#!/usr/bin/env bash
# What many processes are worth on this machine: benches/results/scaling.md. usage: benches/processes.sh messages|weak|predict
# Needs Open MPI; builds with --features mpi. `weak` wants a machine with two quiet cores.
set -euo pipefail
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}
flowqcd=$target/release/flowqcd
mpi=(mpirun --bind-to none)
[ "$(id -u)" != 0 ] || mpi+=(--allow-run-as-root)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# The net of A22's Fig. 1, and one with the layers of its gauge-equivariant flow.
cat > "$work/phi4.toml" <<'SPEC'
version = 1
seed = 1
theory.phi4 = { extents = [10, 10], mass_squared = -1.0, coupling = 1.0 }
flow.affine = { layers = 24, kernel_size = 5, hidden = [12, 12] }
train.batch.size = 1024
train.optimizer.adam.learning_rate = 1e-3
train.stop.steps = 12
evaluate.samples = 100
SPEC
cat > "$work/schwinger.toml" <<'SPEC'
version = 1
seed = 1
theory.schwinger = { extents = [8, 8], beta = 2.0, kappa = 0.25 }
flow.gauge = { layers = 24, kernel_size = 3, hidden = [32, 32], map.spline.knots = 8 }
train.batch.size = 1024
train.optimizer.adam.learning_rate = 1e-3
train.stop.steps = 8
evaluate.samples = 100
SPEC

# run NAME PROCESSES OUT: trains with 1024 configurations for each process.
run() {
    "${mpi[@]}" -n "$2" "$flowqcd" run "$work/$1.toml" --out "$work/$3" --set train.batch.size=$((1024 * $2)) \
        --device cpu --threads 1 --no-plots --quiet > /dev/null 2>&1
}

# Median of the steps after the first, in seconds.
median() {
    awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "wall_s") c = i } NR > 2 { print $c - last } NR > 1 { last = $c }' \
        "$work/$1/train.csv" | sort -g | awk '{ all[NR] = $1 } END { printf "%.3f", all[int((NR + 1) / 2)] }'
}

case ${1:-} in
    messages)
        cargo build --release --features mpi --bench processes
        bench=$(ls -t "$target"/release/deps/processes-* | grep -v '\.d$' | head -n 1)
        for count in 1 2; do "${mpi[@]}" -n "$count" "$bench"; done
        ;;
    weak)
        cargo build --release --features mpi --bin flowqcd
        for name in phi4 schwinger; do
            for repeat in 1 2 3; do
                run $name 1 one
                run $name 2 two
                run $name 1 left & run $name 1 right
                wait
                echo "$name: 1 process $(median one) s, 2 processes $(median two) s, two runs side by side $(median left) s and $(median right) s"
                rm -rf "$work"/{one,two,left,right}
            done
        done
        ;;
    predict)
        cargo build --release --features mpi --bin flowqcd
        for name in phi4 schwinger; do
            for batch in 6144 65536 1000000; do
                for part in 128 16; do
                    echo "$name, batch $batch, parts of $part"
                    "$flowqcd" check "$work/$name.toml" --set train.batch.size=$batch --set train.batch.micro_batch=$part --ranks 1024 \
                        --device cpu --threads 1 | grep -E '^(parameters|speed|on )'
                done
            done
        done
        ;;
    *) echo "usage: benches/processes.sh messages|weak|predict" >&2 && exit 2 ;;
esac
