"""Training on a table in batches: how long it takes to read it, and what the order of its rows does.

A made table of 300,000 points with 256 features, larger than what is kept in memory, is an array, a file that is mapped
to memory, and a Parquet file of row groups.  Printed are the seconds of a processor of two fits, of one and of three
passes, by which a pass takes half of the difference, and the accuracy of five nearest neighbours among test points
after the second.  The Parquet file is read in windows of row groups; of a second one the rows are sorted by class.

Run ``python bench_stored_batches.py``; it needs pyarrow, and 1 GB of disk.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.neighbors import KNeighborsClassifier

from metricnets import EmbeddingNet
from metricnets.datasets import Batches

N_CLASSES, N_TEST = 50, 4000


def make(n, d):
    """Points of classes whose means differ in a few directions, and their classes."""
    rng = np.random.default_rng(0)
    y = rng.integers(N_CLASSES, size=n)
    X = rng.normal(size=(n, d)).astype(np.float32)
    X[:, :16] += rng.normal(size=(N_CLASSES, 16))[y]
    return X, y


def write(path, X, n_rows):
    """Write points to a column of lists in a Parquet file."""
    lists = pa.FixedSizeListArray.from_arrays(pa.array(X.ravel()), X.shape[1])
    pq.write_table(pa.table({"points": lists}), path, row_group_size=n_rows)
    return path


def report(name, X, y, X_test, y_test):
    """Print a line for one way to store the table."""
    seconds = []
    for max_epochs in (1, 3):
        start = time.process_time()
        net = EmbeddingNet(loss="contrastive", init="glorot", batch_size=512, max_epochs=max_epochs)
        net.set_params(random_state=0).fit(X, y)
        seconds.append(time.process_time() - start)
    some = np.random.default_rng(0).permutation(len(y))[:N_TEST]
    neighbors = KNeighborsClassifier(5).fit(net.transform(X[some]), y[some])
    score = neighbors.score(net.transform(X_test), y_test)
    a_pass = (seconds[1] - seconds[0]) / 2
    print(f"{name:32}{seconds[0]:8.1f}{seconds[1]:8.1f}{a_pass:8.1f}{score:8.3f}", flush=True)


def main(n, d, n_rows):
    """Print a line for each way to store the table."""
    X, y = make(n + N_TEST, d)
    X_test, y_test, X, y = X[n:], y[n:], X[:n], y[:n]
    print(f"{'':32}{'1 pass':>8}{'3':>8}{'a pass':>8}{'score':>8}")
    with tempfile.TemporaryDirectory() as folder:
        report("array", X, y, X_test, y_test)
        batches = Batches.from_parquet(write(Path(folder) / "X.parquet", X, n_rows), ["points"])
        order = np.argsort(y, kind="stable")
        sorted_by_class = Batches.from_parquet(write(Path(folder) / "sorted.parquet", X[order], n_rows), ["points"])
        y_sorted = y[order]
        del X
        report("Parquet, windows", batches, y, X_test, y_test)
        report("Parquet, sorted by class", sorted_by_class, y_sorted, X_test, y_test)
        start = time.process_time()
        mapped = batches.to_memmap(Path(folder) / "X.npy")
        report(f"to_memmap, after {time.process_time() - start:.1f} s", mapped, y, X_test, y_test)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a small table, which is kept in memory")
    options = parser.parse_args()
    main(*((4000, 16, 500) if options.quick else (300_000, 256, 20_000)))
