#!/bin/sh
# What there is to measure on a GPU, in three parts of less than ten minutes each; results also go to OUT (default: .).
# usage: benches/gpu.sh check FLOWQCD [TESTS]      adapters, kernels against double precision (TESTS: the library's test program), self-test
#        benches/gpu.sh steps FLOWQCD BENCH        step times and the share of the card's peak (BENCH: the compiled benchmark `steps`)
#        benches/gpu.sh torch FLOWQCD BENCH PYTHON PyTorch beside it, eager and compiled, in turn (PYTHON: one with torch and CUDA)
#        benches/gpu.sh launches FLOWQCD SPEC [DEVICE]    kernels of one training step, of which a software rasteriser has as many
set -u
part=$1 program=$2
here=$(dirname "$0") out=${OUT:-.}

# The kernels that a training of so many steps launches, from cubecl's log.
launched() {
    log=$(mktemp)
    CUBECL_DEBUG_LOG=$log CUBECL_DEBUG_OPTION=profile "$program" run "$3" --out "$log.run" --quiet --device "$4" \
        --set train.stop.steps="$1" --set train.batch.size="$2" --set evaluate.samples=32 \
        --set sample.direct.configurations=32 2>&1 >/dev/null |
        grep -v '^warning' >&2
    sed -n 's/^| [^|]*| \([A-Za-z]*\).*/\1/p' "$log" | sort
    rm -r "$log" "$log.run"
}

if [ "$part" = launches ]; then
    # What is launched once, and by the evaluation, is in both.
    few=$(mktemp) many=$(mktemp)
    launched 3 32 "$3" "${4:-wgpu}" >"$few"
    launched 13 32 "$3" "${4:-wgpu}" >"$many"
    comm -13 "$few" "$many" | uniq -c | awk '{ all += $1; printf "%6.1f  %s\n", $1 / 10, $2 } END { printf "%6.1f  in all\n", all / 10 }'
    rm "$few" "$many"
    exit
fi

if ! "$program" devices | grep -q '^wgpu.*<- auto'; then
    "$program" devices
    echo "no GPU that \`auto\` would take: nothing is measured on a software rasteriser" >&2
    exit 1
fi

case $part in
check)
    "$program" devices
    [ -z "${3:-}" ] || FLOWQCD_REQUIRE_GPU=1 timeout 240 "$3" gpu
    timeout 240 "$program" verify --device wgpu
    ;;
steps)
    # One process for each network: pipelines are compiled once.
    for net in fig1 gauge; do
        timeout 250 "$3" "$net" --seconds 1 --all --device wgpu
    done
    # Sites of a unit: more need more registers, fewer load weights more often.
    for sites in 4 8; do
        echo "FLOWQCD_GPU_SITES=$sites"
        FLOWQCD_GPU_SITES=$sites timeout 30 "$3" fig1 L=10 B=16384 --seconds 1 --all --device wgpu
    done
    # Small batches wait for launches: more of them between two submissions?
    echo "CUBECL_WGPU_MAX_TASKS=128"
    CUBECL_WGPU_MAX_TASKS=128 timeout 30 "$3" fig1 L=10 B=128 --seconds 1 --all --device wgpu
    command -v nvidia-smi >/dev/null && nvidia-smi --query-gpu=name,memory.used,memory.total --format=csv
    ;;
torch)
    timeout 580 "$4" "$here/compare.py" --binary "$3" --device wgpu --torch-device cuda --torch eager,compile \
        --rounds 2 --batches 16384,1024,128
    ;;
*)
    echo "the part must be check, steps or torch, not $part" >&2
    exit 2
    ;;
esac 2>&1 | tee "$out/gpu-$part.txt"
