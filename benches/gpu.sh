#!/bin/sh
# Everything to measure on a GPU, in one go: correctness, step times and the share of the card's peak, PyTorch beside it.
# usage: benches/gpu.sh FLOWQCD BENCH [PYTHON]     the program, the compiled benchmark `steps`, a Python with torch
set -u
program=$1 bench=$2 python=${3:-python3}
here=$(dirname "$0")
"$program" devices
"$program" verify --device wgpu
for net in fig1 gauge; do
    for extent in 10 16 32; do
        timeout 120 "$bench" "$net" "L=$extent" --seconds 1 --all --device wgpu
    done
done
command -v nvidia-smi >/dev/null && nvidia-smi --query-gpu=name,memory.used,memory.total --format=csv
for compile in "" --compile; do
    timeout 240 "$python" "$here/compare.py" --binary "$bench" --device wgpu --torch-device cuda --rounds 3 --batches 128,1024,16384 $compile
done
