"""Searches on Dask and on Ray: the serial best score, seconds, and megabytes that are sent.

A search over a linear metric and one over a network are run in one process, in two processes of joblib, on two workers
of a local cluster of Dask, and on Ray, each of them twice, as workers import the learners the first time.  The script
fails unless all scores are those of one process to the last bit.  Bytes over TCP, of Dask and of all other processes of
the machine, and how often the table of samples was pickled, are those of the second time.  It takes two minutes; Ray's
workers are started anew for each search, which takes longer on a busy machine.
"""

import argparse
import importlib.util
import sys
import time
import warnings
from pathlib import Path

import joblib
import numpy as np
from sklearn.datasets import make_classification
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from metricnets import LMNN, EmbeddingNet

SEARCHES = {
    "LMNN": (LMNN(max_iter=10), {"lmnn__regularization": [0.3, 0.5, 0.7, 0.9]}),
    "EmbeddingNet": (EmbeddingNet(max_epochs=4, random_state=0), {"embeddingnet__lr": [0.001, 0.003, 0.01, 0.03]}),
}


def run(name, X, y):
    """All scores of a search and of a cross-validation."""
    learner, grid = SEARCHES[name]
    model = make_pipeline(learner, KNeighborsClassifier())
    search = GridSearchCV(model, grid, cv=3, n_jobs=2).fit(X, y)
    return np.append(search.cv_results_["mean_test_score"], cross_val_score(model, X, y, cv=3, n_jobs=2))


def serial(searches):
    """In this process."""
    with joblib.parallel_config("sequential"):
        return searches()


def loky(searches):
    """In joblib's own processes, which have imported the learners."""
    joblib.Parallel(2)(joblib.delayed(print)(end="") for _ in range(8))
    return searches()


def dask(searches):
    """On a local cluster of Dask."""
    from distributed import Client, LocalCluster

    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None, "silence_logs": "ERROR"}
    with LocalCluster(**options) as cluster, Client(cluster), joblib.parallel_config("dask"):
        return searches()


def ray(searches):
    """On Ray."""
    import ray
    from ray.util.joblib import register_ray

    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    register_ray()
    try:
        with joblib.parallel_config("ray"):
            return searches()
    finally:
        ray.shutdown()


class Counted(np.ndarray):
    """An array that counts its pickles."""

    n_pickles = 0

    def __reduce__(self):
        Counted.n_pickles += 1
        return np.asarray(self).__reduce__()


def loopback():
    """Bytes that the loopback device has received, those of all other processes too; NaN where it is not shown."""
    try:
        lines = Path("/proc/net/dev").read_text().splitlines()
    except OSError:
        return float("nan")
    return next((int(line.split()[1]) for line in lines if line.strip().startswith("lo:")), float("nan"))


def measured(X, y):
    """The searches: their scores by the name of the learner, seconds, bytes over TCP and pickles of X."""
    start, before, Counted.n_pickles, found = time.perf_counter(), loopback(), 0, {}
    for name in SEARCHES:
        found[name] = run(name, X, y)
        print(f"  {name} after {time.perf_counter() - start:.1f} s", file=sys.stderr, flush=True)
    return found, time.perf_counter() - start, loopback() - before, Counted.n_pickles


def main(n_rows, n_features, where):
    """Print the table; AssertionError if a search has other scores than the serial one."""
    X, y = make_classification(n_rows, n_features, n_informative=8, n_classes=4, random_state=0)
    X = X.astype(np.float32).view(Counted)
    print(f"{n_rows} × {n_features}, {X.nbytes / 1e6:.2f} MB; scores of searches of 12 fits and cross-validations of 3")
    print(f"{'':10s}   seconds, first   seconds, again   MB over TCP   pickles of X   best scores")
    expected = None
    for start in where:
        (_, first, *_), (found, again, sent, pickles) = start(lambda: [measured(X, y) for _ in range(2)])
        expected = expected or found
        for name, scores in found.items():
            np.testing.assert_array_equal(scores, expected[name], err_msg=f"{name}, {start.__name__}")
        best = ", ".join(f"{name} {scores[:4].max():.4f}" for name, scores in found.items())
        print(f"{start.__name__:10s}{first:17.1f}{again:17.1f}{sent / 1e6:14.1f}{pickles:15d}   {best}", flush=True)


if __name__ == "__main__":  # Dask, Ray and joblib import the script in their processes
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    installed = ["loky", *(name for name in ("dask", "ray") if importlib.util.find_spec(name))]
    parser.add_argument("--only", nargs="+", default=installed, choices=["loky", "dask", "ray"])
    parser.add_argument("--quick", action="store_true", help="300 samples")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    where = [serial, *({"loky": loky, "dask": dask, "ray": ray}[name] for name in options.only)]
    main(*((300, 64) if options.quick else (1000, 256)), where)
