"""Many thousands of fits in one process: whether memory, threads, open files or children grow.

All learners in turn are fitted to tiny data and used, and what else a night of work does comes in turn with them:
pickles, files, streams, fits in threads, forks, searches in processes, fits that fail or are interrupted at a random
moment, and those that go on from a checkpoint.  All is done once before, and each row of the table is a fiftieth.

The rule: in the rows after the first third, in which allocators settle, a straight line through a column
rises by less than the noise, which is three standard deviations of what is around the line, and at least the tolerance
of the column.  If a column rises by more, or a setting of the process is not what it was, the exit status is 1.

Resident memory is that without pages of libraries, which the system loads and takes back, but with what allocators
keep free.  What is in use is therefore counted too: bytes that the C library gave out, among them
arrays and tensors, and blocks of Python's allocator of small objects.  If these are flat and resident memory rises,
that is fragmentation; if they rise, something is kept.

Memory, threads of libraries and open files are read from ``/proc``, on Linux only; bytes in use from glibc 2.33 on.
"""

import argparse
import collections
import ctypes
import gc
import itertools
import multiprocessing
import os
import pickle
import random
import shutil
import signal
import sys
import tempfile
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from threadpoolctl import threadpool_info

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from discovery import ESTIMATORS, HAS_TORCH, TUPLE_LEARNERS, quick, training_data

from metricnets import load, save

COLUMNS = {  # and tolerances
    "resident (MB)": 4.0,
    "in use (MB)": 0.5,
    "blocks": 2000,
    "threads": 1,
    "open files": 1,
    "children": 1,
    "objects": 200,
}
NAMES = [name for name in ESTIMATORS if name != "SourceOnly"]  # which is fitted with another learner
SEARCHED = ["LDA", "NCA", "EmbeddingNet"]
USES = ["predict", "transform", "kneighbors"]
EVERY = {"search": 500, "fork": 50, "threads": 10}  # the slow kinds of work, once in so many fits


def learner(name, seed, **params):
    """An estimator with a seed, and parameters if it has them."""
    known = ESTIMATORS[name]._get_param_names()
    return quick(name, **{key: value for key, value in {"random_state": seed, **params}.items() if key in known})


def used(name, estimator):
    """A fitted estimator after it has transformed or predicted."""
    X = training_data(name)[0]
    next(getattr(estimator, method) for method in USES if hasattr(estimator, method))(X)
    if name in TUPLE_LEARNERS:
        estimator.transform(X[:, 0])
    return estimator


# ---- kinds of work: each takes the name of a learner, a seed and a folder


def pickled(name, seed, folder):
    """Fit, use, pickle."""
    pickle.loads(pickle.dumps(used(name, learner(name, seed).fit(*training_data(name)))))


def saved(name, seed, folder):
    """Fit, save, load, use."""
    estimator = learner(name, seed).fit(*training_data(name))
    save(estimator, folder / "model")
    used(name, load(folder / "model", trusted=[type(estimator.index_)] if hasattr(estimator, "index_") else []))


def streamed(name, seed, folder):
    """Fit to batches, or twice from a warm start, where there is such a thing."""
    X, y = training_data(name)
    estimator = learner(name, seed, warm_start=True)
    fit = getattr(estimator, "partial_fit", estimator.fit)
    for _ in range(2):
        fit(X, y)
    used(name, estimator)


def failing(name, seed, folder):
    """A fit to points that are not finite, of an estimator that was fitted."""
    X, y = training_data(name)
    estimator = learner(name, seed).fit(X, y)
    try:
        estimator.fit(np.full_like(X, np.inf), y)
    except ValueError:
        used(name, estimator)
    else:
        raise AssertionError(f"{name} was fitted to infinite points")


def interrupted(name, seed, folder):
    """A fit that is interrupted at a random moment, and once more, from a checkpoint if there is one."""
    estimator = learner(name, seed, checkpoint=str(folder / "checkpoint"))
    inside = True

    def interrupt(*_):
        if inside:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    try:
        signal.setitimer(signal.ITIMER_REAL, random.Random(seed).uniform(1e-4, 0.03))
        estimator.fit(*training_data(name))
    except KeyboardInterrupt:
        pass
    finally:
        inside = False
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    used(name, estimator.fit(*training_data(name)))


def in_threads(name, seed, folder):
    """Four fits at once."""
    with ThreadPoolExecutor(4) as pool:
        for run in [pool.submit(pickled, name, seed + i, folder) for i in range(4)]:
            run.result()


def forked(name, seed, folder):
    """A fit in a child while another thread fits."""
    with ThreadPoolExecutor(1) as pool:
        other = pool.submit(pickled, name, seed, folder)
        child = multiprocessing.get_context("fork").Process(target=pickled, args=(name, seed, folder))
        child.start()
        child.join(600)
        other.result()
    if child.exitcode != 0:
        child.kill()
        raise AssertionError(f"a fit of {name} in a child ended with {child.exitcode}; None means that it hung")
    child.close()


def searched(name, seed, folder):
    """A search in two processes."""
    model = make_pipeline(learner(SEARCHED[seed % len(SEARCHED)], seed), KNeighborsClassifier())
    GridSearchCV(model, {"kneighborsclassifier__n_neighbors": [1, 3]}, cv=2, n_jobs=2).fit(*training_data("LDA"))


USUAL = [pickled, saved, streamed, failing, interrupted]


def kind_of(number):
    """Which work is done at this number."""
    if number % EVERY["search"] == EVERY["search"] - 1:
        return searched
    if number % EVERY["fork"] == EVERY["fork"] - 1 and hasattr(os, "fork"):
        return forked
    return in_threads if number % EVERY["threads"] == EVERY["threads"] - 1 else USUAL[number // len(NAMES) % 5]


# ---- what is measured


def count(folder):
    """How many entries a folder of ``/proc`` has; NaN where there is none."""
    return len(os.listdir(folder)) if os.path.isdir(folder) else float("nan")


def memory():
    """Resident memory in MB, without pages of files, which the system may take back; NaN where it is not shown."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(line.split()[1]) / 1e3 for line in lines if line.startswith("RssAnon:")), float("nan"))


class MallInfo(ctypes.Structure):
    """What ``mallinfo2`` of glibc returns, over all arenas."""

    names = "arena ordblks smblks hblks hblkhd usmblks fsmblks uordblks fordblks keepcost"
    _fields_ = [(name, ctypes.c_size_t) for name in names.split()]


def in_use():
    """MB that the C library has given out and not got back; NaN where it does not say."""
    mallinfo2 = getattr(ctypes.CDLL(None), "mallinfo2", None) if os.name == "posix" else None
    if mallinfo2 is None:
        return float("nan")
    mallinfo2.restype = MallInfo
    found = mallinfo2()
    return (found.uordblks + found.hblkhd) / 1e6


def measured():
    """The columns, in their order."""
    gc.collect()
    threads = max(threading.active_count(), count("/proc/self/task"))
    children = len(multiprocessing.active_children())
    used = memory(), in_use(), sys.getallocatedblocks()
    return *used, threads, count("/proc/self/fd"), children, len(gc.get_objects())


def settings():
    """Settings of the process that a fit may change for a while."""
    of_torch = [torch.get_num_threads(), torch.get_default_dtype(), torch.is_grad_enabled()] if HAS_TORCH else []
    pools = [(pool["filepath"], pool["num_threads"]) for pool in threadpool_info()]
    return [*of_torch, sorted(pools), len(warnings.filters), os.getcwd()]


def verdict(fits, values, tolerance):
    """Slope of a line through values, by which it rises between the first and the last of them, and the noise."""
    if np.isnan(values).any() or len(values) < 3:
        return 0.0, 0.0, tolerance
    slope, level = np.polyfit(fits, values, 1)
    noise = max(tolerance, 3 * np.std(values - slope * fits - level))
    return slope, slope * (fits[-1] - fits[0]), noise


def main(n_fits, seconds):
    """Work, print the table, and return whether all is flat."""
    warnings.simplefilter("ignore")
    start, rows, done, kinds = time.perf_counter(), [], 0, collections.Counter()
    names, every = itertools.cycle(NAMES), max(1, n_fits // 50)
    print("    fits  seconds" + "".join(f"{name:>14s}" for name in COLUMNS), flush=True)
    folder = Path(tempfile.mkdtemp())
    try:
        for work in USUAL:
            for name in NAMES:
                work(name, 0, folder)
        for work in (in_threads, searched, *([forked] if hasattr(os, "fork") else [])):
            work("LDA", 0, folder)
        before = settings()
        while done < n_fits and time.perf_counter() - start < seconds:
            work = kind_of(done)
            work(next(names), done, folder)
            kinds[work.__name__] += 1
            done += 1
            if done % every == 0:
                rows.append((done, *measured()))
                figures = [f"{value:14.1f}" for value in rows[-1][1:3]] + [f"{value:14.0f}" for value in rows[-1][3:]]
                print(f"{done:8d} {time.perf_counter() - start:8.0f}" + "".join(figures), flush=True)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    print("\n" + ", ".join(f"{number} {kind}" for kind, number in kinds.most_common()))
    if len(rows) < 9:
        print("too few rows for a verdict; give it more --seconds")
        return False
    fits, *columns = np.array(rows[len(rows) // 3 :], float).T
    flat = settings() == before
    print(f"settings of the process: {'as before' if flat else f'{settings()}, before {before}'}")
    print("after the first third          slope per 1000 fits    rise    noise")
    for (name, tolerance), values in zip(COLUMNS.items(), columns):
        slope, rise, noise = verdict(fits, values, tolerance)
        flat &= rise <= noise
        print(f"{name:30s}{1000 * slope:20.3f}{rise:8.1f}{noise:9.1f}   {'flat' if rise <= noise else 'GROWS'}")
    return flat


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--fits", type=int, default=100_000, help="number of pieces of work (default: 100000)")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after this time")
    parser.add_argument("--quick", action="store_true", help="600 pieces of work")
    options = parser.parse_args()
    sys.exit(not main(600 if options.quick else options.fits, options.seconds))
