"""Deep fits in two processes, beside the same fit in one: milliseconds of a step, memory, and bytes for more processes.

    python examples/benchmarks/bench_processes.py [--quick] [--only ROW] [--rows 20480] [--repeats 3]

Each process computes in one thread.  A step is the mean of the fastest epoch but the first, of all repeats, in which
one process and two take turns.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from metricnets import DDML, EmbeddingNet
from metricnets.networks import small_conv

N_FEATURES, N_CLASSES = 768, 100
RANDOM = {"init": "glorot", "n_components": 64}


def conv(shape):
    return small_conv((1, 24, 32), 64, channels=(32, 64))


OF_PAIRS = [
    ("DDML", DDML, {}),
    ("supcon", EmbeddingNet, {"loss": "supcon"}),
    ("triplets", EmbeddingNet, {"loss": "triplet"}),
]
ROWS = {
    "normalised softmax, hidden (512,), batch 1024": (
        EmbeddingNet,
        {"loss": "normalized_softmax", "hidden": (512,), "batch_size": 1024, **RANDOM},
    ),
    "normalised softmax, hidden (512,), batch 4096": (
        EmbeddingNet,
        {"loss": "normalized_softmax", "hidden": (512,), "batch_size": 4096, **RANDOM},
    ),
    "normalised softmax, hidden (1024, 1024), batch 2048": (
        EmbeddingNet,
        {"loss": "normalized_softmax", "hidden": (1024, 1024), "batch_size": 2048, **RANDOM},
    ),
    **{
        f"{name}, hidden {hidden}, batch {batch}": (cls, {"hidden": hidden, "batch_size": batch, **params, **RANDOM})
        for name, cls, params in OF_PAIRS
        for hidden in ((512,), (1024, 1024))
        for batch in (1024, 2048, 4096)
    },
    "DDML, defaults, batch 128": (DDML, {}),
    "contrastive, convolutions of 24 x 32 pixels, batch 256": (
        EmbeddingNet,
        {"loss": "contrastive", "module": conv, "batch_size": 256},
    ),
}


def made_rows(n, folder):
    rng = np.random.default_rng(0)
    y = rng.integers(0, N_CLASSES, n)
    X = rng.normal(size=(N_CLASSES, N_FEATURES))[y].astype(np.float32)
    X += 3 * rng.standard_normal(X.shape, dtype=np.float32)
    np.save(folder / "X.npy", X)
    np.save(folder / "y.npy", y)


def as_process(folder, row, distributed):
    """Fit in this process and, if ``distributed``, in the others; process 0 prints what it found."""
    X, y = np.load(folder / "X.npy", mmap_mode="r"), np.load(folder / "y.npy")
    cls, params = ROWS[row]
    if "module" in params:
        X = X.reshape(-1, 1, 24, 32)[: len(X) // 10]
        y = y[: len(X)]
    learner = cls(max_epochs=3, random_state=0, distributed=distributed, device="cpu", **params)
    learner.fit(X, y)
    if os.environ.get("RANK", "0") == "0":
        step = min(record["dur"] for record in learner.history_[1:]) * 1e3 / -(-len(X) // learner.batch_size)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
        loss = learner.history_[-1]["train_loss"]
        n_weights = sum(each.numel() for each in learner.module_.parameters())
        print(json.dumps({"step": step, "peak": peak, "loss": loss, "n_weights": n_weights}))


def measured(folder, row, n_processes):
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(n_processes)]
    command = [sys.executable, *(launcher if n_processes > 1 else []), __file__]
    command += ["--as-process", str(folder), "--only", row]
    out = subprocess.run(
        command + ["--distributed"] * (n_processes > 1),
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return json.loads(out.splitlines()[-1])


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="2000 rows, one repeat, two rows of the table")
    parser.add_argument("--only", default="", help="rows of the table whose name contains this")
    parser.add_argument("--rows", type=int, default=20_480)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--as-process", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--distributed", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.as_process:
        return as_process(given.as_process, given.only, given.distributed)
    rows = [row for row in ROWS if given.only in row][: 2 if given.quick else None]
    with tempfile.TemporaryDirectory() as folder:
        made_rows(2000 if given.quick else given.rows, Path(folder))
        print(f"{'milliseconds of a step':58}{'one':>8}{'two':>8}{'ratio':>8}   MB of a process, one and two")
        for row in rows:
            runs = [[measured(folder, row, n) for n in (1, 2)] for _ in range(1 if given.quick else given.repeats)]
            one, two = (min(each, key=lambda run: run["step"]) for each in zip(*runs))
            ratio, peaks = one["step"] / two["step"], f"{one['peak']:.0f} {two['peak']:.0f}"
            print(f"{row:58}{one['step']:8.1f}{two['step']:8.1f}{ratio:8.2f}   {peaks}", flush=True)
    counted()


def counted():
    """Bytes that a process sends in a step, by the rings of all-gather and all-reduce, and what it holds."""
    batch, k, d, hidden = 4096, 64, N_FEATURES, 1024
    n_weights = d * hidden + hidden * hidden + hidden * k + 2 * hidden + k
    print(f"\nbatch {batch}, hidden ({hidden}, {hidden}), {k} components: {n_weights / 1e6:.2f} million weights")
    print("processes   rows of each   MB sent a step: embeddings, gradients   MB of activations   MB of weights, loss")
    for n in (1, 2, 4, 8, 16, 32, 64):
        share = -(-batch // n)
        embeddings = (n - 1) * share * k * 4 / 1e6 + 2 * (n - 1) / n * batch * k * 4 / 1e6  # and their gradients
        gradients = 2 * (n - 1) / n * n_weights * 4 / 1e6
        activations = share * (d + 2 * 3 * hidden + 2 * k) * 4 / 1e6  # of each layer the sum, its activation and mask
        print(f"{n:9}{share:15}{embeddings:28.2f}{gradients:12.2f}{activations:20.1f}{5 * n_weights * 4 / 1e6:14.1f}"
              f"{share * batch * 4 / 1e6:8.1f}")  # fmt: skip


if __name__ == "__main__":
    main()
