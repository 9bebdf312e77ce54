"""Memory and time as the number of rows grows: learners fitted to made tables in files, which are mapped to memory.

For each table and learner a process of its own fits a small part of the table, and then all of it.  Printed are the
memory that the second fit adds to the process at its peak, in megabytes, without the pages of the file; its seconds of
a processor, and those of its last pass for learners that have passes; and the same two of ``transform``, of which the
result is a part.  A learner that would take more than a few minutes is left out of a table, as MAX_ROWS says.

Run ``python bench_growth.py``, or with names of learners.  Files are written to a folder that is removed in the end:
5.1 GB for the largest table.  Memory is read from /proc, so it runs on Linux.
"""

import argparse
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path

import numpy as np
from skorch.callbacks import Callback

import metricnets as mn

ONE_PASS = {"max_epochs": 1, "random_state": 0}
LEARNERS = {
    "DDML": mn.DDML(**ONE_PASS),
    "HRAML": mn.HRAML(**ONE_PASS),
    "EmbeddingNet": mn.EmbeddingNet(**ONE_PASS),
    "LMNN": mn.LMNN(max_iter=1),
    "NCA": mn.NCA(max_iter=1),
    "Covariance": mn.Covariance(n_components=16),
    "LDA": mn.LDA(),
    "RCA_Supervised": mn.RCA_Supervised(n_components=16, regularization=0.1, random_state=0),
    "GMML_Supervised": mn.GMML_Supervised(n_components=16, random_state=0),
    "KISSME_Supervised": mn.KISSME_Supervised(n_components=16),
}
MAX_ROWS = {"LMNN": 100_000, "NCA": 100_000}  # of a learner, if not all
SIZES = [(n, d) for d in (128, 768) for n in (10_000, 100_000, 1_000_000, 10_000_000) if n * d < 2_000_000_000]
QUICK = [(2_000, 16), (8_000, 16)]
N_CLASSES, N_WARM, N_AT_ONCE = 10, 500, 10_000
INTERVAL = 0.005  # seconds between two looks at the memory


def make(path, n, d):
    """Write n points with d features, in classes whose means differ, and their classes beside them."""
    rng = np.random.default_rng(0)
    means, codes = rng.normal(size=(N_CLASSES, d)), rng.integers(N_CLASSES, size=n)
    X = np.lib.format.open_memmap(path, "w+", np.float32, (n, d))
    for i in range(0, n, N_AT_ONCE):
        some = codes[i : i + N_AT_ONCE]
        X[i : i + N_AT_ONCE] = means[some] + 3 * rng.normal(size=(len(some), d)).astype(np.float32)
    X.flush()
    np.save(path.with_suffix(".classes.npy"), codes)


def one(name, path):
    """What the process of a learner does; it prints a word before and after what is measured."""
    X, y = np.load(path, mmap_mode="r"), np.load(path.with_suffix(".classes.npy"))
    learner, clock = LEARNERS[name], Clock()
    warnings.simplefilter("ignore")  # one iteration is not enough, nor are so few rows
    if hasattr(learner, "callbacks"):
        learner.set_params(callbacks=[clock])
    learner.fit(np.array(X[:N_WARM]), y[:N_WARM]).transform(X[:N_WARM])  # loads what is loaded once
    for task in (lambda: learner.fit(X, y), lambda: learner.transform(X)):
        print("begin", flush=True)
        sys.stdin.readline()
        start = time.process_time()
        task()
        print(time.process_time() - start, flush=True)
        sys.stdin.readline()
    print(clock.seconds)


class Clock(Callback):
    """Seconds of a processor that the last pass took, not a number if there was none."""

    seconds = np.nan

    def on_epoch_begin(self, net, **kwargs):
        """Start a pass."""
        self.start = time.process_time()

    def on_epoch_end(self, net, **kwargs):
        """End it."""
        self.seconds = time.process_time() - self.start


def memory_of(pid):
    """Megabytes of a process that are not pages of files."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) / 1024
    return 0.0


def measured(name, path):
    """Megabytes added and seconds of ``fit`` and of ``transform``, and seconds of the last pass."""
    command = [sys.executable, __file__, "--one", name, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        found = []
        for _ in ("fit", "transform"):
            if process.stdout.readline().strip() != "begin":
                raise RuntimeError(f"{name} failed on {path.name}")
            before = memory_of(process.pid)
            process.stdin.write("\n")
            process.stdin.flush()
            watched = Peak(process.pid, before)
            seconds = float(process.stdout.readline() or "nan")
            most = watched.end()
            process.stdin.write("\n")
            process.stdin.flush()
            found += [most - before, seconds]
        return *found, float(process.stdout.readline())


class Peak:
    """The largest memory of a process from now on, looked at by a thread."""

    def __init__(self, pid, most):
        self.pid, self.most, self.goes_on = pid, most, True
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()

    def watch(self):
        """Look at the memory until the end."""
        while self.goes_on:
            self.most = max(self.most, memory_of(self.pid))
            time.sleep(INTERVAL)

    def end(self):
        """Return the largest memory, in megabytes."""
        self.goes_on = False
        self.thread.join()
        return self.most


def main(names, sizes):
    """Print a line for each learner and table."""
    head = (
        f"{'':22}{'rows':>10}{'columns':>9}{'table':>8}{'fit MB':>9}{'s':>8}{'pass s':>8}{'transform MB':>14}{'s':>7}"
    )
    print(head, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for n, d in sizes:
            path = Path(folder) / "X.npy"
            make(path, n, d)
            for name in names:
                if n <= MAX_ROWS.get(name, n):
                    fit, fit_s, transform, transform_s, of_pass = measured(name, path)
                    line = f"{name:22}{n:10d}{d:9d}{n * d * 4 / 2**20:8.0f}{fit:9.0f}{fit_s:8.1f}{of_pass:8.1f}"
                    print(f"{line}{transform:14.0f}{transform_s:7.1f}", flush=True)
            path.unlink()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help=f"learners: {', '.join(LEARNERS)} (default: all)")
    parser.add_argument("--rows", type=int, nargs="*", help="numbers of rows (default: all)")
    parser.add_argument("--columns", type=int, nargs="*", help="numbers of columns (default: all)")
    parser.add_argument("--quick", action="store_true", help="two small tables")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        one(options.one[0], Path(options.one[1]))
    else:
        sizes = [
            (n, d)
            for n, d in (QUICK if options.quick else SIZES)
            if n in (options.rows or [n]) and d in (options.columns or [d])
        ]
        main(options.names or list(LEARNERS), sizes)
