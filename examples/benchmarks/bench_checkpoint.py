"""Fits that are killed and go on from their checkpoints, and what checkpoints cost.

Each fit is killed at a random moment with SIGKILL, which no process can catch, and the same call is made again in
another process.  A fit counts as equal if all weights, losses and rounds are those of a fit that was not killed, to the
last bit.  A state is written after each epoch; users write less often.  Linux and macOS only.
"""

import argparse
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

import numpy as np
import torch
from sklearn.datasets import load_digits

from metricnets import DDML, DTML

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
    time.sleep(seconds)
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


def cost(name, fit, repeats):
    """Print the seconds of fits without checkpoints, with those of the default, and with one after each epoch."""
    times = {"none": [], "default": [], "each epoch": []}
    for _ in range(repeats):
        for kind, measured in times.items():
            with tempfile.TemporaryDirectory() as folder:
                checkpoint = {"none": None, "default": folder, "each epoch": every_epoch(folder)}[kind]
                start = time.perf_counter()
                fitted = fit(checkpoint)
                measured.append(time.perf_counter() - start)
    plain, default, each = (statistics.median(measured) for measured in times.values())
    epoch = plain / len(fitted.history_)
    print(
        f"{name:34s} {epoch:8.3f} {plain:8.2f} {100 * (default / plain - 1):9.1f} % {100 * (each / plain - 1):9.1f} %",
        flush=True,
    )


def main(quick):
    rng = np.random.default_rng(0)
    print("killed fits         seconds   equal      epochs in files: least, median, most   half written   files left")
    for name in FITS:
        kills(name, 3 if quick else 30, rng)
    print("\nwhat checkpoints cost            s an epoch        s   default  each epoch")
    for n, hidden in [(2000, (128,))] if quick else [(20_000, (512,)), (100_000, (512,))]:
        made = np.random.default_rng(0)
        codes = made.integers(50, size=n)
        points = (made.normal(size=(50, 128))[codes] + made.normal(size=(n, 128))).astype(np.float32)
        options = {"hidden": hidden, "max_epochs": 3 if quick else 6 if n > 50_000 else 12, "random_state": 0}

        def fit(checkpoint, options=options, points=points, codes=codes):
            return DDML(checkpoint=checkpoint, **options).fit(points, codes)

        cost(f"DDML, {n} x 128, hidden {hidden[0]}", fit, 1 if quick else 3)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="three kills of each learner, and smaller data")
    parser.add_argument("--resume", nargs="+", help=argparse.SUPPRESS)  # a learner and its folders, in a new process
    options = parser.parse_args()
    warnings.simplefilter("error")
    if options.resume:
        learner, *given = options.resume
        for each in given:
            print(result(FITS[learner](checkpoint=every_epoch(each))))
    else:
        main(options.quick)
