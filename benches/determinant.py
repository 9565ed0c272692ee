"""Determinant and gradient of the Wilson operator: this program beside dense LU of NumPy (LAPACK), one core each, in one run.

usage: cargo bench --bench determinant --no-run && python3 benches/determinant.py

Needs NumPy. Prints the largest relative difference of ln|det D| and of the gradient, and the ratio of times.
"""

import json
import os

os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["OMP_NUM_THREADS"] = "1"

import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

KAPPA = 0.25


def dense(theta):
    """D of link angles [mu, t, x], antiperiodic in time, as a matrix of [t, x, spin]."""
    _, times, space = theta.shape
    links = np.exp(1j * theta)
    links[0, -1] *= -1
    sigma = [np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]])]
    matrix = np.eye(2 * times * space, dtype=complex).reshape(times, space, 2, times, space, 2)
    for t in range(times):
        for x in range(space):
            for mu, (up, right) in enumerate([((t + 1) % times, x), (t, (x + 1) % space)]):
                matrix[t, x, :, up, right, :] -= KAPPA * (np.eye(2) - sigma[mu]) * links[mu, t, x]
                matrix[up, right, :, t, x, :] -= KAPPA * (np.eye(2) + sigma[mu]) * np.conj(links[mu, t, x])
    return matrix.reshape(2 * times * space, -1)


def gradient(theta, inverse):
    """d ln|det D| / d theta = Re tr(D^-1 dD / d theta)."""
    _, times, space = theta.shape
    links = np.exp(1j * theta)
    links[0, -1] *= -1
    sigma = [np.array([[0, 1], [1, 0]]), np.array([[0, -1j], [1j, 0]])]
    g = inverse.reshape(times, space, 2, times, space, 2)
    out = np.empty_like(theta)
    for t in range(times):
        for x in range(space):
            for mu, (up, right) in enumerate([((t + 1) % times, x), (t, (x + 1) % space)]):
                forward = -1j * KAPPA * (np.eye(2) - sigma[mu]) * links[mu, t, x]
                backward = 1j * KAPPA * (np.eye(2) + sigma[mu]) * np.conj(links[mu, t, x])
                out[mu, t, x] = np.real(
                    np.sum(g[up, right, :, t, x, :].T * forward) + np.sum(g[t, x, :, up, right, :].T * backward)
                )
    return out


def seconds(work):
    best = np.inf
    for _ in range(5):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def executable():
    command = ["cargo", "bench", "--bench", "determinant", "--no-run", "--message-format=json"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    found = [json.loads(line).get("executable") for line in lines if line.startswith("{")]
    return next(path for path in found if path and "determinant" in path)


def main():
    program = executable()
    print(f"{'T x X':>8} {'this/us':>10} {'LAPACK/us':>12} {'ratio':>8} {'ln det':>10} {'gradient':>10}")
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([program, folder], check=True, stdout=subprocess.DEVNULL)
        for extents in [(8, 8), (16, 8), (8, 16), (16, 16), (32, 32)]:
            path = Path(folder) / f"{extents[0]}x{extents[1]}.f64"
            log_abs, ours, *rest = np.fromfile(path)
            theta, force = np.array(rest).reshape(2, 2, *extents)
            matrix = dense(theta)
            # One factorisation gives both: the inverse is what a gradient needs.
            inverse = np.linalg.inv(matrix)
            theirs = seconds(lambda: np.linalg.inv(matrix))
            by_lu, exact = np.linalg.slogdet(matrix)[1], gradient(theta, inverse)
            off = abs(force - exact).max() / abs(exact).max()
            print(
                f"{extents[0]:>4} x {extents[1]:<3} {1e6 * ours:>8.1f} {1e6 * theirs:>12.1f} {theirs / ours:>8.1f}"
                f" {abs(log_abs / by_lu - 1):>10.1e} {off:>10.1e}"
            )


if __name__ == "__main__":
    main()
