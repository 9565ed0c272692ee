#!/bin/sh
# What there is to measure on a GPU, in five parts of less than ten minutes each; results also go to OUT (default: .).
# usage: benches/gpu.sh check FLOWQCD [TESTS]      adapters, kernels against double precision (TESTS: the library's test program), self-test
#        benches/gpu.sh steps FLOWQCD BENCH        step times and the share of the card's peak (BENCH: the compiled benchmark `steps`)
#        benches/gpu.sh gauge FLOWQCD BENCH        gauge layers, and layer by layer beside them (BENCH: the compiled benchmark `gauge`)
#        benches/gpu.sh determinant FLOWQCD BENCH  determinants on the card and on the host, in time and in value (BENCH: the compiled benchmark
#                                                  `determinant`), then training steps with either
#        benches/gpu.sh torch FLOWQCD BENCH PYTHON PyTorch beside it, eager and compiled, in turn (PYTHON: one with torch and CUDA)
#        benches/gpu.sh launches FLOWQCD SPEC [DEVICE] [BATCH]    kernels of one training step; a software rasteriser has as many
set -u
part=$1 program=$2
here=$(dirname "$0") out=${OUT:-.}

# At most so many seconds, where the system has the command for it.
limited() {
    for command in timeout gtimeout; do
        if command -v "$command" >/dev/null; then
            "$command" "$@"
            return
        fi
    done
    shift
    "$@"
}

# The kernels that a training of so many steps launches, from cubecl's log.
launched() {
    log=$(mktemp)
    CUBECL_DEBUG_LOG=$log CUBECL_DEBUG_OPTION=profile "$program" run "$2" --out "$log.run" --quiet --device "$3" \
        --set train.stop.steps="$1" --set train.batch.size="$4" --set evaluate.samples=32 \
        --set sample.direct.configurations=32 2>&1 >/dev/null |
        grep -v '^warning' >&2
    sed -n 's/^| [^|]*| \([A-Za-z]*\).*/\1/p' "$log" | sort
    rm -rf "$log" "$log.run"
}

launches() {
    # What is launched once, and by the evaluation, is in both.
    few=$(mktemp) many=$(mktemp)
    launched 3 "$@" >"$few"
    launched 13 "$@" >"$many"
    [ -s "$few" ] || failed=1
    comm -13 "$few" "$many" | uniq -c |
        awk '{ all += $1; printf "%6.1f  %s\n", $1 / 10, $2 } END { printf "%6.1f  in all\n", all / 10 }'
    rm "$few" "$many"
}

check() {
    "$program" devices
    [ -z "${1:-}" ] || FLOWQCD_REQUIRE_GPU=1 limited 240 "$1" gpu || failed=1
    limited 240 "$program" verify --device wgpu || failed=1
}

steps() {
    # In one process, so that pipelines are compiled once.
    limited 220 "$1" fig1 --seconds 1 --device wgpu || failed=1
    # Sites of a unit, with a launch for each convolution: more need more registers, fewer load weights more often. What is
    # taken by itself is in the table above: a launch for all layers at B=128, 2 sites at 1024, 8 at 16384.
    for cell in "128 1" "1024 1" "1024 4" "16384 4"; do
        batch=${cell% *} sites=${cell#* }
        echo "FLOWQCD_GPU_SITES=$sites"
        FLOWQCD_GPU_SITES=$sites limited 20 "$1" fig1 L=10 B="$batch" --seconds 1 --device wgpu || failed=1
    done
    # Small batches wait for launches: more of them between two submissions?
    echo "CUBECL_WGPU_MAX_TASKS=128"
    CUBECL_WGPU_MAX_TASKS=128 limited 20 "$1" fig1 L=10 B=1024 --seconds 1 --device wgpu || failed=1
}

gauge() {
    # One process for each map: pipelines are compiled once.
    for map in spline mixture; do
        for batch in 256 1024 8192; do
            limited 90 "$1" "$map" B="$batch" --device wgpu || failed=1
        done
    done
    # A launch for each convolution where a launch for all layers would be taken, on L = 8.
    echo "FLOWQCD_GPU_SITES=1"
    FLOWQCD_GPU_SITES=1 limited 60 "$1" spline L=8 B=256 --device wgpu || failed=1
}

determinant() {
    limited 300 "$1" --device wgpu || failed=1
    # Training steps of A22's model: the card waits for the host, goes ahead in quarters of a batch meanwhile, or has it all.
    folder=$(mktemp -d)
    for extent in 8 16; do
        batch=$((262144 / extent / extent))
        for choice in "host $batch" "host $((batch / 4))" "device $batch"; do
            cat >"$folder/spec.toml" <<SPEC
version = 1
seed = 1
theory.schwinger = { extents = [$extent, $extent], beta = 2.0, kappa = 0.25 }
flow.gauge = { layers = 24, kernel_size = 3, hidden = [32, 32] }
train.batch = { size = $batch, micro_batch = ${choice#* } }
train.determinant = "${choice% *}"
train.optimizer.adam.learning_rate = 3e-4
train.stop = { steps = 1000000, seconds = 10.0 }
evaluate.samples = 64
SPEC
            limited 90 "$program" run "$folder/spec.toml" --out "$folder/run" --fresh --quiet --device wgpu >/dev/null || failed=1
            grep -h 'off by' "$folder/run/log.txt"
            awk -F, -v what="L = $extent, B = $batch, determinant and micro-batch $choice" '
                NR == 1 { for (i = 1; i <= NF; i++) place[$i] = i }
                NR == 3 { samples = $place["samples"]; seconds = $place["wall_s"] }
                END { printf "%s: %.0f samples/s\n", what, ($place["samples"] - samples) / ($place["wall_s"] - seconds) }
            ' "$folder/run/train.csv"
        done
    done
    rm -rf "$folder"
}

torch() {
    limited 580 "$2" "$here/compare.py" --binary "$1" --device wgpu --torch-device cuda \
        --torch eager,compile,reduce-overhead --rounds 1 --batches 16384,128,1024 || failed=1
}

case $part in
launches)
    failed=0
    launches "$3" "${4:-wgpu}" "${5:-32}"
    exit "$failed"
    ;;
check | steps | gauge | determinant | torch) ;;
*)
    echo "the part must be check, steps, gauge, determinant, torch or launches, not $part" >&2
    exit 2
    ;;
esac
if ! "$program" devices | grep -q '^wgpu.*<- auto'; then
    "$program" devices
    echo "no GPU that \`auto\` would take: nothing is measured on a software rasteriser" >&2
    exit 1
fi
shift 2
{
    failed=0
    "$part" "$@" 2>&1
    # The last line tells a script that reads this what the exit status of a pipe would not.
    [ "$failed" = 0 ] && echo "all of it ran" || echo "something failed"
} | tee "$out/gpu-$part.txt"
tail -n 1 "$out/gpu-$part.txt" | grep -q '^all of it ran'
