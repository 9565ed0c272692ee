"""flowqcd beside neumc in one run, in turn, on the gauge-equivariant model of Figs. 2 and 7: training samples/s, actions included.

usage: compare_neumc.py FLOWQCD [--rounds N] [--seconds S] [--threads T]
needs a Python with torch and neumc (github.com/nmcmc/neumc). 24 layers, K = 3, [32, 32], splines of 8 bins, 8 x 8, beta = 2, Adam; a step
is all of it: configurations, action, gradient, update. neumc takes determinants by torch.linalg in single precision.
"""
import argparse
import csv
import pathlib
import statistics
import subprocess
import tempfile
import time

import neumc
import torch
from neumc.nf.u1_model_asm import assemble_model_from_dict

parser = argparse.ArgumentParser()
parser.add_argument("flowqcd", type=pathlib.Path)
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--seconds", type=float, default=10.0)
parser.add_argument("--threads", type=int, default=2)
args = parser.parse_args()
torch.set_num_threads(args.threads)

LAYERS, HIDDEN, EXTENT, BETA, BINS = 24, [32, 32], 8, 2.0, 8
# kappa, batch, the gradient here and there.
CASES = [
    (0.0, 256, "reparametrised", "RTEstimator"),
    (0.25, 64, "reparametrised", "RTEstimator"),
    (0.25, 64, "reinforce", "REINFORCEEstimator"),
    (0.25, 64, "path", "PathGradientEstimator"),
]
SPEC = """version = 1
seed = 1
[theory.schwinger]
extents = [{extent}, {extent}]
beta = {beta}
kappa = {kappa}
[flow.gauge]
layers = {layers}
kernel_size = 3
hidden = {hidden}
map.spline.knots = {bins}
[train]
log_every = 1
loss.reverse_kl.gradient = "{gradient}"
batch.size = {batch}
optimizer.adam.learning_rate = 3e-4
stop.steps = {steps}
[evaluate]
samples = 64
"""


def theirs(kappa, batch, estimator):
    """A step that steps, and how many it takes in the time."""
    torch.manual_seed(1)
    net = {"hidden_channels": HIDDEN, "kernel_size": 3, "dilation": [1] * (len(HIDDEN) + 1)}
    model = {"n_layers": LAYERS, "masking": "2x1", "coupling": "cs", "nn": net, "n_knots": BINS + 1}
    model |= {"float_dtype": torch.float32, "lattice_shape": (EXTENT, EXTENT)}
    model = assemble_model_from_dict(model, device="cpu", verbose=0)
    layers, prior = model["layers"], model["prior"]
    physics = neumc.physics
    action = physics.schwinger.QEDAction(BETA, kappa) if kappa else physics.u1.U1GaugeAction(BETA)
    gradient = getattr(neumc.training.gradient_estimator, estimator)(prior, layers, action, False)
    adam = torch.optim.Adam(layers.parameters(), lr=3e-4)

    def step():
        adam.zero_grad()
        gradient.step(batch_size=batch, n_batches=1)
        adam.step()

    for _ in range(2):
        step()
    steps, start = 0, time.perf_counter()
    while time.perf_counter() - start < args.seconds:
        step()
        steps += 1
    return steps * batch / (time.perf_counter() - start)


def ours(kappa, batch, gradient, steps):
    spec = SPEC.format(
        extent=EXTENT, beta=BETA, kappa=kappa, layers=LAYERS, hidden=HIDDEN, bins=BINS, gradient=gradient, batch=batch, steps=steps
    )
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        (folder / "spec.toml").write_text(spec)
        command = [args.flowqcd.resolve(), "run", "spec.toml", "--out", "run", "--quiet", "--threads", str(args.threads)]
        subprocess.run([*command, "--device", "cpu"], check=True, cwd=folder, capture_output=True)
        rows = list(csv.DictReader((folder / "run" / "train.csv").open()))
    first, last = rows[1], rows[-1]
    samples, seconds = (float(last[name]) - float(first[name]) for name in ("samples", "wall_s"))
    return samples / seconds


print(f"{LAYERS} layers, K = 3, {HIDDEN}, {EXTENT} x {EXTENT}, beta = {BETA}; torch {torch.__version__}, {args.threads} threads")
print("kappa  batch  gradient            neumc   flowqcd   ratio   (medians, and the smallest and largest ratio of a round)")
for kappa, batch, gradient, estimator in CASES:
    pairs, rate = [], 1000.0
    for _ in range(args.rounds):
        mine = ours(kappa, batch, gradient, max(5, int(rate * args.seconds / batch)))
        rate = mine
        pairs.append((theirs(kappa, batch, estimator), mine))
    ratios = [mine / peer for peer, mine in pairs]
    peer, mine = (statistics.median(side) for side in zip(*pairs))
    print(
        f"{kappa:5}  {batch:5}  {gradient:15} {peer:9.1f} {mine:9.1f} {statistics.median(ratios):7.1f}   "
        f"({min(ratios):.1f}-{max(ratios):.1f})",
        flush=True,
    )
