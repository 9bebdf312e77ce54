"""Seconds of the same work with ``n_jobs=1`` and ``n_jobs=2``, on made rows of 20 classes.

For networks these are seconds of the fastest epoch, of the start, which is a fit without its epochs, and of a whole
fit; for the rest the least of some runs.  Other programs on the same cores slow work in several threads down most: a
column has the share of the time of one core that they took.
"""

import argparse
import os
import time
import warnings
from functools import partial
from itertools import product
from operator import methodcaller

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from metricnets import DDML, LMNN, MLKNN, MLKR, NCA

PARTS = ("networks", "transform", "linear", "search")


def made(n, d, dtype=np.float32):
    rng = np.random.default_rng(0)
    y = rng.integers(20, size=n)
    return (rng.normal(size=(20, d))[y] + 3 * rng.normal(size=(n, d))).astype(dtype), y


def busy():
    """Seconds that all cores have been busy, on Linux."""
    try:
        with open("/proc/stat") as file:
            user, nice, system = map(int, file.readline().split()[1:4])
    except OSError:
        return np.nan
    return (user + nice + system) / os.sysconf("SC_CLK_TCK")


def timed(function):
    """What a function returns, its seconds, and the share of others."""
    before, of_process, start = busy(), time.process_time(), time.perf_counter()
    result = function()
    seconds = time.perf_counter() - start
    others = busy() - before - (time.process_time() - of_process)
    return result, seconds, max(0.0, others / seconds)


def least(function, n_runs):
    return min((timed(function) for _ in range(n_runs)), key=lambda found: found[1])


def both(work, estimator, n_runs):
    """What ``work`` returns of an estimator with one thread and two, the least seconds of each, and others."""
    found = [least(partial(work, estimator.set_params(n_jobs=n_jobs)), n_runs) for n_jobs in (1, 2)]
    results, seconds, others = zip(*found)
    return results, seconds, max(others)


def show(name, seconds, others, same, what):
    print(
        f"{name:58s}{seconds[0]:9.3f}{seconds[1]:9.3f}{seconds[0] / seconds[1]:8.2f} x   "
        f"{what}: {'yes' if same else 'no':5s}others {others:.2f}",
        flush=True,
    )


def networks(n, d, options):
    X, y = made(n, d)

    def fitted(net):
        epochs = [epoch["dur"] for epoch in net.fit(X, y).history_]
        start = [tensor.tolist() for tensor in net.module_[:-1].state_dict().values()]
        return min(epochs), sum(epochs), start, net.transform(X[:100])

    DDML(max_epochs=1).fit(X[:1000], y[:1000])  # imports of PyTorch, half a second
    for init, batch_size in product(options.init, options.batch_sizes):
        net = DDML(init=init, hidden=(512,), batch_size=batch_size, max_epochs=options.epochs, random_state=0)
        found, seconds, others = both(fitted, net, options.runs)
        epochs, trained, starts, z = zip(*found)
        name = f"DDML, init={init!r}, batches of {batch_size}"
        show(name + ", epoch", epochs, others, np.array_equal(z[1], fitted(net)[-1]), "equal runs")
        show(name + ", start", np.subtract(seconds, trained), others, starts[0] == starts[1], "equal bits")
        show(name + ", fit", seconds, others, np.allclose(*z, atol=1e-2), "equal to .01")


def transform(n, d, options):
    X, y = made(n, d)
    for init in options.init:
        net = DDML(init=init, hidden=(512,), max_epochs=1, random_state=0).fit(X[:2000], y[:2000])
        z, seconds, others = both(methodcaller("transform", X), net, 5)
        show(f"DDML, init={init!r}, transform", seconds, others, np.array_equal(*z), "equal bits")


def components(X, y, learner):
    return learner.fit(X, y).components_


def linear(n, d, options):
    X, y = made(n, d, float)
    learners = {
        "LMNN, 3 iterations": LMNN(max_iter=3),
        "NCA, 2 iterations": NCA(max_iter=2),
        "NCA(n_components=16), 3 iterations": NCA(n_components=16, max_iter=3),
        "MLKR(n_components=16), 3 iterations": MLKR(n_components=16, max_iter=3),
    }
    for name, learner in learners.items():
        target = X[:, 0] if isinstance(learner, MLKR) else y
        work = partial(components, X, target)
        found, seconds, others = both(work, learner, options.runs)
        show(name, seconds, others, np.array_equal(*found), "equal bits")


def search(n, d, options):
    for n_columns in (8, d):
        X, y = made(n, n_columns)
        knn = MLKNN(metric=None).fit(X, y)
        labels, seconds, others = both(methodcaller("predict", X), knn, options.runs)
        show(
            f"MLKNN(metric=None), {n_columns} columns, predict", seconds, others, np.array_equal(*labels), "equal bits"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few rows and columns, one run")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--batch-sizes", nargs="+", type=int, default=[128, 512, 1024])
    parser.add_argument("--init", nargs="+", default=["glorot", "wccn"], help="starts of the networks")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--runs", type=int, default=2)
    parser.add_argument("--rows", type=int, default=20_000)
    options = parser.parse_args()
    if options.quick:
        options.runs, options.epochs = 1, 2
    options.batch_sizes = [512] if options.quick else options.batch_sizes
    warnings.simplefilter("ignore", ConvergenceWarning)
    n = 2000 if options.quick else options.rows
    print(f"seconds of {n} rows{'':41s}1 thread        2    gain")
    for part in options.only:
        globals()[part](n, 128 if options.quick or part in ("linear", "search") else 768, options)
