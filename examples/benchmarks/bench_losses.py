"""Time and memory of each loss of the catalogue beside the same loss of pytorch-metric-learning.

A step is the loss and its gradient with respect to the embeddings, and to its own parameters if it has some, from
embeddings and class codes: n = 128 and 512 samples in classes of 8, or in two views, and 32 columns of unit norm in
single precision.  So our steps include the relation, and theirs the search for pairs.  Both have our defaults, no
miner, and one thread.

The time is the CPU time of the fastest step, where ours and theirs take turns.  The memory is the peak of what PyTorch
allocates during a step, by its profiler, also in units of a matrix of n x n numbers.  "!" marks where ours is not
below theirs.  A loss that they lack has empty cells; a step that would need more than ``--gigabytes`` is given up,
and is not in the medians.

``--fits`` measures instead the CPU time of ten epochs of ``EmbeddingNet`` with each loss by its name, 20,000 samples of
100 classes with 128 features, in units of the contrastive one, which is fitted before each: at most 1.5 is wanted.
"""

import argparse
import json
import os
import resource
import tempfile
import time
from functools import partial
from pathlib import Path

os.environ |= {"KINETO_LOG_LEVEL": "99", "TORCH_CPP_LOG_LEVEL": "ERROR"}  # the profiler says when it starts

import numpy as np
import torch
from _catalogue import MODULES, NAMES, PEERS, TWO_VIEWS, peers, their_loss
from _tables import show, verdict
from torch.profiler import ProfilerActivity, profile
from tqdm.auto import tqdm

from metricnets import EmbeddingNet, losses
from metricnets.relations import same_class

SIZES = (128, 512)
N_COMPONENTS, N_PER_CLASS = 32, 8
COLUMNS = ["ours, ms", "theirs, ms", "ratio", "ours, MB", "theirs, MB", "ratio", "ours, n x n", "  theirs"]


def our_loss(name, n_classes):
    if name in MODULES:
        return MODULES[name](N_COMPONENTS, n_classes)
    return lambda z, codes: getattr(losses, name)(z, same_class(codes, codes).fill_diagonal_(torch.nan))


def step(loss, z, codes):
    parameters = [p for p in loss.parameters() if p.requires_grad] if isinstance(loss, torch.nn.Module) else []
    torch.autograd.grad(loss(z, codes), [z, *parameters], allow_unused=True)


def peak(step):
    """MB that are allocated at most during a step, more than before."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as profiled:
        step()
    with tempfile.TemporaryDirectory() as folder:
        trace = Path(folder, "trace.json")
        profiled.export_chrome_trace(str(trace))
        events = json.loads(trace.read_text())["traceEvents"]
    changes = sorted((event["ts"], event["args"]["Bytes"]) for event in events if event.get("name") == "[memory]")
    return np.cumsum([n_bytes for _, n_bytes in changes]).max() / 2**20


def peak_or_nan(step):
    """`peak`; NaN if there is not enough memory."""
    try:
        step()
        return peak(step)
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, RuntimeError) and "can't allocate memory" not in str(error):
            raise
        return np.nan


def fastest(steps, seconds):
    """Milliseconds of the fastest of each of the steps, which take turns for so many seconds, three times at least."""
    times, end = [[] for _ in steps], time.process_time() + seconds
    while time.process_time() < end or len(times[-1]) < 3:
        for step, taken in zip(steps, times):
            begin = time.process_time()
            step()
            taken.append(time.process_time() - begin)
    return [1e3 * min(taken) for taken in times]


def measured(name, n, seconds):
    """Times and memory of our step and theirs, (2, 2), NaN where there is none."""
    torch.manual_seed(0)
    z = torch.nn.functional.normalize(torch.randn(n, N_COMPONENTS)).requires_grad_()
    rows = torch.arange(n)
    codes = rows % (n // 2) if name in TWO_VIEWS else rows // N_PER_CLASS
    n_classes = int(codes.max()) + 1
    both = [our_loss(name, n_classes)]
    if name in peers():
        both.append(their_loss(name, N_COMPONENTS, n_classes))
    steps = [partial(step, loss, z, codes) for loss in both]
    found = np.full((2, 2), np.nan)
    found[1, : len(steps)] = [peak_or_nan(step) for step in steps]
    possible = np.isfinite(found[1])
    found[0, possible] = fastest([step for step, mark in zip(steps, possible) if mark], seconds)
    return found


def cells(name, n, found, limit):
    """Cells of a row; ``found`` is (2, 2)."""
    known = name in peers()
    row = []
    for (ours, theirs), form in zip(found, (".3f", ".2f")):
        missing = f"over {limit:g} GB" if known else ""
        ratio = "" if np.isnan(theirs) else f"{ours / theirs:.2f}{'!' if ours >= theirs else ' '}"
        row += [f"{ours:{form}}", missing if np.isnan(theirs) else f"{theirs:{form}}", ratio]
    return [*row, f"{found[1, 0] / (4 * n * n / 2**20):.1f}", f"  {PEERS[name].loss:10s}" if known else ""]


def show_summary(found):
    """Print medians of the ratios, and on how many losses ours is below; ``found`` is (n_losses, 2, 2)."""
    ratios = found[..., 0] / found[..., 1]  # (n_losses, 2)
    ratios = ratios[np.isfinite(ratios).all(axis=1)]
    if not len(ratios):
        return
    print("Ours over theirs, median: time {:.2f}, memory {:.2f}".format(*np.median(ratios, axis=0)))
    for what, of_all in zip(("faster", "in less memory"), ratios.T):
        verdict(f"{what} than theirs", of_all < 1, len(of_all))


def fit_time(name, n_samples):
    """CPU seconds of a fit with this loss."""
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(100), n_samples // 100)
    X = (rng.normal(size=(100, 128))[y] + rng.normal(size=(len(y), 128))).astype(np.float32)
    net = EmbeddingNet(loss=name, max_epochs=10, random_state=0, device="cpu")
    begin = time.process_time()
    net.fit(X, y)
    return time.process_time() - begin


def show_fits(names, n_samples):
    """Print the time of fits in units of the contrastive one."""
    rows = {}
    for name in tqdm(names, desc="fits", leave=False):
        base, seconds = fit_time("contrastive", n_samples), fit_time(name, n_samples)
        rows[name] = [f"{seconds:.2f}", f"{seconds / base:.2f}{' ' if seconds <= 1.5 * base else '!'}"]
    show(f"fits to {n_samples} samples; !: above 1.5", ["CPU s", "of contrastive"], rows, least=12)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the smaller size, a tenth of a second for each loss")
    parser.add_argument("--seconds", type=float, default=2, help="for each loss and size, at least (default: 2)")
    parser.add_argument("--gigabytes", type=float, default=8, help="that a step may need (default: 8)")
    parser.add_argument("--fits", action="store_true", help="time of fits instead of single steps")
    parser.add_argument("--only", nargs="+", choices=NAMES, default=NAMES, metavar="LOSS", help=", ".join(NAMES))
    options = parser.parse_args()
    options.seconds = 0.1 if options.quick else options.seconds
    return options


def main():
    options = arguments()
    torch.set_num_threads(1)
    if options.fits:
        show_fits(options.only, 2_000 if options.quick else 20_000)
        return
    largest = resource.getrlimit(resource.RLIMIT_DATA)[1]
    resource.setrlimit(resource.RLIMIT_DATA, (int(options.gigabytes * 2**30), largest))
    for n in SIZES[:1] if options.quick else SIZES:
        rows = {name: measured(name, n, options.seconds) for name in tqdm(options.only, desc=f"{n} rows", leave=False)}
        table = {name: cells(name, n, found, options.gigabytes) for name, found in rows.items()}
        show(f"{n} embeddings: loss and gradient; !: not below theirs", COLUMNS, table, least=12)
        show_summary(np.stack(list(rows.values())))


if __name__ == "__main__":
    main()
