"""Seconds of the same work with ``n_jobs=1`` and ``n_jobs=2``, on made rows of 20 classes.

For networks these are seconds of the fastest epoch, and of a whole fit of ten; for the rest the least of some runs.  Other
programs on the same cores slow work in several threads down most: a column has the share of the time of one core that
they took.
"""

import argparse
import os
import time
import warnings

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


def show(name, found, same, what):
    seconds, others = zip(*found)
    print(
        f"{name:58s}{seconds[0]:9.3f}{seconds[1]:9.3f}{seconds[0] / seconds[1]:8.2f} x   {what} {'yes' if same else 'no':5s}"
        f"others {max(others):.2f}",
        flush=True,
    )


def networks(n, d, options):
    X, y = made(n, d)
    for init in ("glorot", "wccn"):
        for batch_size in options.batch_sizes:
            net = DDML(init=init, hidden=(512,), batch_size=batch_size, max_epochs=options.epochs, random_state=0)
            epochs, fits, z = [], [], []
            for n_jobs in (1, 2):
                fitted, seconds, others = least(
                    lambda n_jobs=n_jobs: net.set_params(n_jobs=n_jobs).fit(X, y), options.runs
                )
                epochs.append((min(epoch["dur"] for epoch in fitted.history_), others))
                fits.append((seconds, others))
                z.append(fitted.transform(X[:100]))
            again = net.fit(X, y).transform(X[:100])
            name = f"DDML, init={init!r}, batches of {batch_size}"
            show(name + ", epoch", epochs, np.array_equal(z[1], again), "equal runs")
            show(name + ", fit", fits, np.allclose(*z, atol=1e-2), "equal to .01")


def transform(n, d, options):
    X, y = made(n, d)
    for init in ("glorot", "wccn"):
        net = DDML(init=init, hidden=(512,), max_epochs=1, random_state=0).fit(X[:2000], y[:2000])
        found = [least(lambda n_jobs=n_jobs: net.set_params(n_jobs=n_jobs).transform(X), 5) for n_jobs in (1, 2)]
        z, seconds, others = zip(*found)
        show(f"DDML, init={init!r}, transform", [*zip(seconds, others)], np.array_equal(*z), "equal bits")


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
        found = []
        for n_jobs in (1, 2):
            learner.set_params(n_jobs=n_jobs)
            fitted, seconds, others = least(lambda learner=learner: learner.fit(X, target), options.runs)
            found.append((fitted.components_, seconds, others))
        components, seconds, others = zip(*found)
        show(name, [*zip(seconds, others)], np.array_equal(*components), "equal bits")


def search(n, d, options):
    for d in (8, d):
        X, y = made(n, d)
        knn = MLKNN(metric=None).fit(X, y)
        found = [
            least(lambda n_jobs=n_jobs: knn.set_params(n_jobs=n_jobs).predict(X), options.runs) for n_jobs in (1, 2)
        ]
        labels, seconds, others = zip(*found)
        show(
            f"MLKNN(metric=None), {d} columns, predict", [*zip(seconds, others)], np.array_equal(*labels), "equal bits"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few rows and columns, one run")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--batch-sizes", nargs="+", type=int, default=[128, 512, 1024])
    parser.add_argument("--rows", type=int, default=20_000)
    options = parser.parse_args()
    options.runs, options.epochs = (1, 2) if options.quick else (2, 10)
    options.batch_sizes = [512] if options.quick else options.batch_sizes
    warnings.simplefilter("ignore", ConvergenceWarning)
    n = 2000 if options.quick else options.rows
    print(f"seconds of {n} rows{'':41s}1 thread        2    gain")
    for part in options.only:
        globals()[part](n, 128 if options.quick or part in ("linear", "search") else 768, options)
