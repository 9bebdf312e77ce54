"""Fits that are killed and go on from their checkpoints, and what checkpoints cost.

Each fit is killed at a random moment with SIGKILL, which no process can catch, and the same call is made again in
another process.  A fit counts as equal if all weights, losses and rounds are those of a fit that was not killed, to the
last bit.  A state is written after each epoch; users write less often.  Linux and macOS only.
"""

import argparse
import collections
import contextlib
import hashlib
import io
import multiprocessing
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from unittest import mock

import numpy as np
import torch
from sklearn.datasets import load_digits

from metricnets import DDML, DTML
from metricnets.deep import _base
from metricnets.deep._training.checkpoint import Journal
from metricnets.deep._training.resumed import Resumable

X, y = load_digits(return_X_y=True)
X, y = X[:600], y[:600]
EACH = {"random_state": 0}
FITS = {
    "DDML": lambda **more: DDML(max_epochs=40, dropout=0.2, **EACH, **more).fit(X, y),
    "DTML, 5 rounds": lambda **more: DTML(max_epochs=4, **EACH, **more).fit(X, y, sample_domain=np.tile([-1, 1], 300)),
    "DDML, 3 networks": lambda **more: DDML(n_networks=3, max_epochs=15, dropout=0.2, **EACH, **more).fit(X, y),
}


def result(fitted):
    """A hash of what was learned, the history without the durations included."""
    weights = [value.numpy().tobytes() for value in fitted.module_.state_dict().values()]
    epochs = [[(name, value) for name, value in epoch.items() if name != "dur"] for epoch in fitted.history_]
    return hashlib.sha256(b"".join([*weights, repr(epochs).encode()])).hexdigest()


def every_epoch(folder):
    return {"folder": folder, "minutes": 0}


def killed(name, folder, seconds):
    """Whether a fit was ended after so many seconds, rather than by itself."""
    context = multiprocessing.get_context("fork")
    process = context.Process(target=FITS[name], kwargs={"checkpoint": every_epoch(folder)})
    process.start()
    process.join(seconds)
    if process.is_alive():
        os.kill(process.pid, signal.SIGKILL)
    process.join()
    return process.exitcode == -signal.SIGKILL


def epochs_in(folder):
    """How many epochs the files of a folder have, and how many files are not complete."""
    found, torn = 0, len([*Path(folder).glob(".*")])
    for file in Path(folder).glob("*.checkpoint"):
        data = file.read_bytes()
        start = data.index(b"\n") + 33
        found += len(torch.load(io.BytesIO(data[start:]), weights_only=True)["state"]["watch"]["history"])
    return found, torn


def kills(name, n, rng):
    """Print how many of n fits of a learner, each killed once, are equal to one that was not."""
    plain, start = result(FITS[name]()), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        written = result(FITS[name](checkpoint=every_epoch(folder)))
    seconds = time.perf_counter() - start
    with tempfile.TemporaryDirectory() as folder:
        folders, epochs = [str(Path(folder) / str(i)) for i in range(n)], []
        for each in folders:
            while not killed(name, each, rng.uniform(0, seconds)):
                pass
            epochs.append(epochs_in(each))
        command = [sys.executable, __file__, "--resume", name, *folders]
        found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        left = sum(len(os.listdir(each)) for each in folders)
    n_equal = sum(each == written == plain for each in found)
    done, torn = zip(*epochs)
    print(
        f"{name:18s} {seconds:7.1f} {n_equal:6d} of {n} {min(done):9d} {int(np.median(done)):6d} {max(done):6d} "
        f"{sum(map(bool, torn)):15d} {left:12d}",
        flush=True,
    )


@contextlib.contextmanager
def timed(spent):
    """Context in which the seconds of what checkpoints do are noted by name."""
    parts = [(_base, "resumable"), (Journal, "write"), (Resumable, "on_epoch_end"), (Resumable, "on_train_end")]
    with contextlib.ExitStack() as stack:
        for owner, name in parts:
            stack.enter_context(mock.patch.object(owner, name, clocked(getattr(owner, name), spent[name])))
        yield


def clocked(function, spent):
    def wrapper(*args, **kwargs):
        start = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            spent.append(time.perf_counter() - start)

    return wrapper


def cost(n, max_epochs, minutes):
    """Print what part of a fit is spent on checkpoints."""
    rng = np.random.default_rng(0)
    codes = rng.integers(50, size=n)
    points = (rng.normal(size=(50, 128))[codes] + rng.normal(size=(n, 128))).astype(np.float32)
    spent = collections.defaultdict(list)
    with tempfile.TemporaryDirectory() as folder, timed(spent):
        start = time.perf_counter()
        net = DDML(hidden=(512,), max_epochs=max_epochs, checkpoint={"folder": folder, "minutes": minutes}, **EACH)
        epochs = [epoch["dur"] for epoch in net.fit(points, codes).history_]
        seconds = time.perf_counter() - start
    digest, writes = sum(spent["resumable"]), spent["write"]
    total = digest + sum(spent["on_epoch_end"]) + sum(spent["on_train_end"])
    print(
        f"DDML, {n:6d} x 128 {minutes:8.1f} {seconds:8.1f} {statistics.median(epochs):10.2f} {1000 * digest:10.0f} "
        f"{len(writes):8d} {1000 * statistics.median(writes or [0]):8.0f} {100 * total / seconds:9.2f} %",
        flush=True,
    )


def main(quick, only):
    if only != "cost":
        table_of_kills(3 if quick else 30)
    if only != "kills":
        table_of_costs(quick)


def table_of_kills(n):
    rng = np.random.default_rng(0)
    print("killed fits         seconds   equal      epochs in files: least, median, most   half written   files left")
    for name in FITS:
        kills(name, n, rng)


def table_of_costs(quick):
    print("what they cost       minutes        s   s an epoch   ms digest   writes   ms each   of the fit")
    fits = [(2000, 3, 0.0)] if quick else [(20_000, 12, 0.0), (100_000, 6, 0.0), (100_000, 20, 0.5)]
    for n, max_epochs, minutes in fits:
        cost(n, max_epochs, minutes)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="three kills of each learner, and smaller data")
    parser.add_argument("--only", choices=["kills", "cost"], help="one of the two tables")
    parser.add_argument("--resume", nargs="+", help=argparse.SUPPRESS)  # a learner and its folders, in a new process
    options = parser.parse_args()
    warnings.simplefilter("error")
    if options.resume:
        learner, *given = options.resume
        for each in given:
            print(result(FITS[learner](checkpoint=every_epoch(each))))
    else:
        main(options.quick, options.only)
