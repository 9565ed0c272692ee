"""flowqcd beside PyTorch in one run, in turn, on the Fig. 1 network: samples/s and their ratio.

usage: compare.py [--rounds N] [--batches 128,1024,16384] [--extent L] [--torch eager,compile,reduce-overhead] [--isa avx2]
                  [--binary PATH] [--device wgpu --torch-device cuda] [--tf32]
needs a Python with torch, and runs `cargo bench --bench steps` for our side. Our sampling includes the way of the configurations to
the host and their actions in double precision; PyTorch's leaves them on its device. On CUDA, PyTorch computes convolutions in single
precision as we do; --tf32 lets it use its default of 10 bits of mantissa.
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
parser.add_argument("--torch", default="eager", help="what of PyTorch, with commas: eager, compile, reduce-overhead")
parser.add_argument("--isa", help="force a kernel path (avx512, avx2, neon, portable)")
parser.add_argument("--device", default="cpu", help="our device: cpu, wgpu or wgpu:ADAPTER")
parser.add_argument("--torch-device", default="cpu", help="PyTorch's device: cpu or cuda")
parser.add_argument("--tf32", action="store_true")
parser.add_argument("--binary", type=pathlib.Path, help="the compiled benchmark, instead of `cargo bench --bench steps`")
args = parser.parse_args()
here = pathlib.Path(__file__).resolve().parent


def output(command, **options):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, **options).stdout


def ours(batch):
    cells = ["fig1", f"L={args.extent}", f"B={batch}"]
    program = [str(args.binary.resolve())] if args.binary else ["cargo", "bench", "-q", "--bench", "steps", "--"]
    environment = {**os.environ, **({"FLOWQCD_ISA": args.isa} if args.isa else {})}
    text = output([*program, *cells, "--seconds", "3", "--all", "--device", args.device], cwd=here, env=environment)
    row = next(line for line in text.splitlines() if line.startswith("fig1 "))
    numbers = re.findall(r"[\d.]+", row)
    return float(numbers[3]), float(numbers[6])


def torch(batch, kind):
    command = [sys.executable, str(here / "peer_torch.py"), str(batch), str(args.extent)]
    command += ["--device", args.torch_device]
    command += {"eager": [], "compile": ["--compile"]}.get(kind, ["--compile", kind])
    command += ["--tf32"] if args.tf32 else []
    return tuple(float(line.split()[1]) for line in output(command).splitlines())


def compare(batch):
    """Every round: our side, then each kind of PyTorch; a pair is printed when it is there."""
    pairs = {kind: [] for kind in args.torch.split(",")}
    for _ in range(args.rounds):
        mine = ours(batch)
        for kind, known in pairs.items():
            try:
                known.append((mine, torch(batch, kind)))
                print(f"# {batch} {kind}: {known[-1]}", file=sys.stderr, flush=True)
            except subprocess.CalledProcessError as failure:
                print(f"{batch:6d} {kind:15} failed: {failure}", flush=True)
    for kind, known in pairs.items():
        for index, name in enumerate(("training", "sampling") if known else ()):
            a, b = ([pair[side][index] for pair in known] for side in (0, 1))
            ratios = [x / y for x, y in zip(a, b)]
            spread = f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})"
            medians = f"{statistics.median(a):10.0f} {statistics.median(b):10.0f}"
            print(f"{batch:6d} {kind:15} {name:8} {medians} {spread:>34}", flush=True)


print(f"{'batch':>6} {'PyTorch':15} {'':8} {'flowqcd':>10} {'PyTorch':>10} {'ratio (median, min-max of pairs)':>34}")
for batch in map(int, args.batches.split(",")):
    try:
        compare(batch)
    except subprocess.CalledProcessError as failure:
        print(f"{batch:6d} left out, our side failed: {failure}", flush=True)
