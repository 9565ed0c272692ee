"""The same flow, loss and update in PyTorch, timed like `cargo bench --bench steps`.

usage: peer_torch.py BATCH EXTENT [--seconds S] [--compile [MODE]] [--device cpu|cuda] [--tf32]     needs `pip install torch`

Prints `train SAMPLES_PER_S` and `sample SAMPLES_PER_S` (forward only, no gradients, results stay on the device), medians over
the steps that fit. MODE is that of torch.compile: default, reduce-overhead (CUDA graphs), max-autotune.
"""
import argparse
import time

import torch
from torch import nn

parser = argparse.ArgumentParser()
parser.add_argument("batch", type=int)
parser.add_argument("extent", type=int)
parser.add_argument("--seconds", type=float, default=3.0)
parser.add_argument("--compile", nargs="?", const="default")
parser.add_argument("--device", default="cpu")
parser.add_argument("--tf32", action="store_true", help="let CUDA round the factors of convolutions to 10 bits, its default")
args = parser.parse_args()
torch.backends.cudnn.allow_tf32 = args.tf32
# The fastest convolution of those that cuDNN has, found by trying.
torch.backends.cudnn.benchmark = True

LAYERS, KERNEL, HIDDEN, MASS_SQUARED, COUPLING = 24, 5, (12, 12), -1.0, 1.0


def conv(inputs, outputs):
    return nn.Conv2d(inputs, outputs, KERNEL, padding=KERNEL // 2, padding_mode="circular")


class Coupling(nn.Module):
    def __init__(self, active_parity):
        super().__init__()
        widths = (1, *HIDDEN)
        hidden = [m for pair in zip(widths, widths[1:]) for m in (conv(*pair), nn.LeakyReLU())]
        self.net = nn.Sequential(*hidden, conv(widths[-1], 2), nn.Tanh())
        site = torch.arange(args.extent)
        parity = (site[:, None] + site[None, :]) % 2
        self.register_buffer("active", (parity == active_parity).float())

    def forward(self, x):
        s, t = (self.net((x * (1 - self.active)).unsqueeze(1)) * self.active).unbind(1)
        return x * s.exp() + t, s.sum((1, 2))


class Flow(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(Coupling(i % 2) for i in range(LAYERS))

    def forward(self, z):
        """Samples and log q up to a constant."""
        x, log_q = z, -0.5 * z.square().sum((1, 2))
        for layer in self.layers:
            x, log_det = layer(x)
            log_q = log_q - log_det
        return x, log_q


def action(x):
    neighbours = x.roll(-1, 1) + x.roll(-1, 2)
    return (x * x * (0.5 * (MASS_SQUARED + 4) + COUPLING * x * x) - x * neighbours).sum((1, 2))


torch.manual_seed(1)
flow = Flow().to(args.device)
optimizer = torch.optim.Adam(flow.parameters(), lr=1e-3)


def loss_of(z):
    """D_KL(q|p) up to a constant, of every sample."""
    x, log_q = flow(z)
    return log_q + action(x)


loss = torch.compile(loss_of, mode=args.compile) if args.compile else loss_of


def draw():
    return torch.randn(args.batch, args.extent, args.extent, device=args.device)


def train():
    mean = loss(draw()).mean()
    optimizer.zero_grad()
    mean.backward()
    torch.nn.utils.clip_grad_norm_(flow.parameters(), 100.0)
    optimizer.step()


def sample():
    with torch.no_grad():
        loss(draw())


def median_seconds(call):
    for _ in range(3):
        call()
    times, start = [], time.perf_counter()
    while len(times) < 3 or time.perf_counter() - start < args.seconds:
        if args.device == "cuda":
            torch.cuda.synchronize()
        begin = time.perf_counter()
        call()
        if args.device == "cuda":
            torch.cuda.synchronize()
        times.append(time.perf_counter() - begin)
    return sorted(times)[len(times) // 2]


for name, call in (("train", train), ("sample", sample)):
    print(name, f"{args.batch / median_seconds(call):.1f}", flush=True)
