"""flowqcd beside PyTorch in one run, in turn, on the Fig. 1 network: samples/s and their ratio.

usage: compare.py [--rounds N] [--batches 128,1024,16384] [--extent L] [--compile] [--isa avx2] [--binary PATH]
                  [--device wgpu --torch-device cuda]
needs a Python with torch, and runs `cargo bench --bench steps` for our side.
"""
import argparse
import os
import pathlib
import re
import statistics
import subprocess
import sys

parser = argparse.ArgumentParser()
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--batches", default="128,1024,16384")
parser.add_argument("--extent", type=int, default=10)
parser.add_argument("--compile", action="store_true")
parser.add_argument("--isa", help="force a kernel path (avx512, avx2, neon, portable)")
parser.add_argument("--device", default="cpu", help="our device: cpu, wgpu or wgpu:ADAPTER")
parser.add_argument("--torch-device", default="cpu", help="PyTorch's device: cpu or cuda")
parser.add_argument("--binary", help="the compiled benchmark, instead of `cargo bench --bench steps`")
args = parser.parse_args()
here = pathlib.Path(__file__).parent


def ours(batch):
    cells = ["fig1", f"L={args.extent}", f"B={batch}"]
    program = [args.binary] if args.binary else ["cargo", "bench", "-q", "--bench", "steps", "--"]
    command = [*program, *cells, "--seconds", "3", "--all", "--device", args.device]
    environment = {**os.environ, **({"FLOWQCD_ISA": args.isa} if args.isa else {})}
    text = subprocess.run(command, cwd=here, env=environment, check=True, capture_output=True, text=True).stdout
    row = next(line for line in text.splitlines() if line.startswith("fig1 "))
    numbers = re.findall(r"[\d.]+", row)
    return float(numbers[3]), float(numbers[6])


def torch(batch):
    command = [sys.executable, str(here / "peer_torch.py"), str(batch), str(args.extent)]
    command += ["--device", args.torch_device]
    command += ["--compile"] if args.compile else []
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return tuple(float(line.split()[1]) for line in text.splitlines())


print(f"{'batch':>6} {'':8} {'flowqcd':>10} {'PyTorch':>10} {'ratio (median, min-max of pairs)':>34}")
for batch in map(int, args.batches.split(",")):
    pairs = [(ours(batch), torch(batch)) for _ in range(args.rounds)]
    for index, name in enumerate(("training", "sampling")):
        a = [pair[0][index] for pair in pairs]
        b = [pair[1][index] for pair in pairs]
        ratios = [x / y for x, y in zip(a, b)]
        spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
        print(f"{batch:6d} {name:8} {statistics.median(a):10.0f} {statistics.median(b):10.0f} {spread:>34}", flush=True)
