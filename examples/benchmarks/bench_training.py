"""Milliseconds per training step of DDML and of loops written by hand, and the peak memory of DDML.

All train the same network (64 or 100 → 128 → 32, tanh, from random weights) with the loss of DDML on all pairs of
batches of about 128 samples, for the same number of steps, with one thread, in turns; the median of the rounds is
shown.  The time of DDML is that of the whole ``fit``, validation included.  The memory is that of DDML with its
defaults.

- "by hand": AdamW with its defaults, and a straightforward implementation of the loss.
- "by hand, fused": the same with ``AdamW(fused=True)``.
- "by hand, our loss": fused, with ``metricnets.losses.logistic_pair``, so that the difference to
  DDML is only validation, the sampler and skorch.
- "by hand, PML": AdamW and pytorch-metric-learning's ContrastiveLoss, if installed.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time

import torch
from _settings import FROM_RANDOM
from sklearn.datasets import load_digits, make_classification
from sklearn.preprocessing import StandardScaler
from torch.nn import functional as F
from tqdm.auto import tqdm

from metricnets import DDML
from metricnets.losses import logistic_pair
from metricnets.relations import same_class

BATCH = 128
SETTING = FROM_RANDOM["DDML"] | {"hidden": (128,), "n_components": 32, "batch_size": BATCH, "sampler": "shuffled"}


def formula(z, y, margin=3.0):
    """½ of the mean of softplus(1 − ℓ(τ − d²)) over all pairs."""
    norms = (z * z).sum(1)
    d2 = (norms[:, None] + norms[None, :] - 2 * z @ z.T).clamp_min(0)
    sign = torch.where(y[:, None] == y[None, :], 1.0, -1.0)
    terms = F.softplus(1 - sign * (margin - d2)).fill_diagonal_(0)
    return terms.sum() / (2 * len(z) * (len(z) - 1))


def ours(z, y):
    return logistic_pair(z, same_class(y, y).fill_diagonal_(torch.nan))


def by_hand(loss, fused=None):
    def run(X, y, n_epochs):
        X, y = torch.as_tensor(X, dtype=torch.float32), torch.as_tensor(y)
        net = torch.nn.Sequential(torch.nn.Linear(X.shape[1], 128), torch.nn.Tanh(), torch.nn.Linear(128, 32))
        optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3, fused=fused)
        for _ in range(n_epochs):
            for rows in torch.tensor_split(torch.randperm(len(X)), round(len(X) / BATCH)):
                optimizer.zero_grad()
                value = loss(net(X[rows]), y[rows])
                value.backward()
                optimizer.step()
                value.item()

    return run


def by_ddml(X, y, n_epochs):
    DDML(random_state=0, **SETTING | {"max_epochs": n_epochs}).fit(X, y)


def variants():
    found = {
        "by hand": by_hand(formula),
        "by hand, fused": by_hand(formula, fused=True),
        "by hand, our loss": by_hand(ours, fused=True),
        "DDML.fit": by_ddml,
    }
    try:
        from pytorch_metric_learning.losses import ContrastiveLoss
    except ImportError:
        return found
    return found | {"by hand, PML": by_hand(ContrastiveLoss())}


def problems():
    X, y = load_digits(return_X_y=True)
    yield "digits 1797 x 64", StandardScaler().fit_transform(X), y, 100
    X, y = make_classification(20_000, 100, n_informative=30, n_classes=10, random_state=0)
    yield "made 20000 x 100", X, y, 10


def time_steps(rounds):
    print("ms per training step, median of", rounds, "rounds in turns, and its ratio to the loop by hand\n")
    for name, X, y, n_epochs in problems():
        n_steps, runs = n_epochs * round(len(X) / BATCH), variants()
        times = {variant: [] for variant in runs}
        for _ in tqdm(range(rounds), desc=name, leave=False):
            for variant, run in runs.items():
                start = time.perf_counter()
                run(X, y, n_epochs)
                times[variant].append((time.perf_counter() - start) / n_steps * 1e3)
        median = {variant: statistics.median(values) for variant, values in times.items()}
        for variant, value in median.items():
            print(f"{name:18s} {variant:18s} {value:7.3f} ms  {value / median['by hand']:5.2f} x")
        strict = median["DDML.fit"] / min(median["by hand, fused"], median["by hand, our loss"])
        print(f"{name:18s} DDML.fit, to the fastest loop  {strict:6.2f} x\n")


PROBE = """
import sys
import numpy as np
from metricnets import DDML, DDMLPairs
n_rows, n_pairs = int(sys.argv[1]), int(sys.argv[2])
rng = np.random.default_rng(0)
X, y = rng.normal(size=(n_rows, 50)).astype(np.float32), rng.integers(10, size=n_rows)
pairs = rng.integers(n_rows, size=(n_pairs, 2), dtype=np.int32)
if n_pairs:
    learner, data = DDMLPairs(preprocessor=X, max_epochs=1), (pairs, np.where(np.arange(n_pairs) % 2, 1, -1))
else:
    learner, data = DDML(max_epochs=1), (X, y)
DDML(max_epochs=1).fit(X[:200], y[:200])
def status(name):
    return int(next(line for line in open("/proc/self/status") if line.startswith(name)).split()[1])
open("/proc/self/clear_refs", "w").write("5")  # the peak is counted from here
before = status("VmRSS")
learner.fit(*data)
print((status("VmHWM") - before) / 1024)
"""


def peak(n_rows, n_pairs=0):
    """MB that ``fit`` adds to the peak memory of a new process."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE, str(n_rows), str(n_pairs)], capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def measure_memory(quick):
    if not os.path.exists("/proc/self/clear_refs"):
        print("The peak memory is measured on Linux only.")
        return
    print("MB that fit adds to the peak memory; the data are float32 with 50 features\n")
    for n_rows in (2_000, 20_000) if quick else (2_000, 20_000, 200_000):
        n_pairs = n_rows * (n_rows - 1) // 2
        size = n_rows * 50 * 4 / 2**20
        print(f"DDML, {n_rows:7d} rows: all {n_pairs:14,d} pairs  {peak(n_rows):8.1f} MB (the rows: {size:.1f} MB)")
    for n_pairs in (10_000, 100_000) if quick else (10_000, 100_000, 1_000_000):
        print(f"DDMLPairs, 5000 rows: {n_pairs:14,d} pairs as indices {peak(5_000, n_pairs):8.1f} MB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="three rounds instead of eleven, smaller memory problems")
    options = parser.parse_args()
    torch.set_num_threads(1)
    time_steps(3 if options.quick else 11)
    measure_memory(options.quick)
