"""Thousands of fits in one process: whether memory, threads or open files grow.

All learners in turn are fitted to tiny data, used to transform or predict, pickled and deleted.  The table has a row
after the first round, which imports and allocates what is kept, and a row after each tenth of the fits; what still
grows in the second half is a leak.  Memory and open files are read from ``/proc``, on Linux only.
"""

import argparse
import gc
import itertools
import os
import pickle
import sys
import threading
import time
import warnings
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from discovery import ESTIMATORS, TUPLE_LEARNERS, quick, training_data

COLUMNS = "    fits   seconds   memory (MB)   threads   open files   objects"


def use(name, seed):
    """Fit, use and pickle one estimator."""
    X, y = training_data(name)
    params = {"random_state": seed} if "random_state" in ESTIMATORS[name]._get_param_names() else {}
    estimator = quick(name, **params).fit(X, y)
    ask = estimator.predict if hasattr(estimator, "predict") else estimator.transform
    ask(X)
    if name in TUPLE_LEARNERS:
        estimator.transform(X[:, 0])
    pickle.loads(pickle.dumps(estimator))


def count(folder):
    """How many entries a folder of ``/proc`` has; NaN where there is none."""
    return len(os.listdir(folder)) if os.path.isdir(folder) else float("nan")


def memory():
    """Resident memory in MB; NaN where it is not shown."""
    if not os.path.exists("/proc/self/statm"):
        return float("nan")
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def measured():
    """Memory, threads, those of libraries included, open files and objects of Python."""
    gc.collect()
    threads = max(threading.active_count(), count("/proc/self/task"))
    return memory(), threads, count("/proc/self/fd"), len(gc.get_objects())


def row(n_fits, seconds, figures):
    """One line of the table."""
    resident, threads, files, objects = figures
    return f"{n_fits:8d} {seconds:9.0f} {resident:13.1f} {threads:9.0f} {files:12.0f} {objects:9d}"


def main(n_fits):
    """Print the table."""
    warnings.simplefilter("ignore")
    names, start = itertools.cycle(ESTIMATORS), time.perf_counter()
    for name in itertools.islice(names, len(ESTIMATORS)):
        use(name, 0)
    rows = [(0, measured())]
    print(f"{len(ESTIMATORS)} learners\n{COLUMNS}\n{row(0, time.perf_counter() - start, rows[0][1])}", flush=True)
    for done in range(1, n_fits + 1):
        use(next(names), done)
        if done * 10 // n_fits > (done - 1) * 10 // n_fits:
            rows.append((done, measured()))
            print(row(done, time.perf_counter() - start, rows[-1][1]), flush=True)
    (half, middle), (end, last) = rows[len(rows) // 2], rows[-1]
    growth = (last[0] - middle[0]) / max(1, end - half) * 1000
    print(f"second half: {growth:.1f} MB a thousand fits, {last[1] - middle[1]} threads, {last[2] - middle[2]} files")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fits", type=int, default=3000, help="number of fits (default: 3000)")
    parser.add_argument("--quick", action="store_true", help="60 fits")
    options = parser.parse_args()
    main(60 if options.quick else options.fits)
