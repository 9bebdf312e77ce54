"""Seconds and memory of batches that are embedded in chunks, beside batches that are taken at once.

``EmbeddingNet`` is trained on 16,384 made rows of 768 features, embedded in 128 columns, in small batches and in one
batch of all rows, from random weights.  Each fit runs in a process of its own, with one thread.  Seconds are those of
the fastest of the epochs, and MB what ``fit`` adds to the peak memory, on Linux.
"""

import argparse
import json
import subprocess
import sys

PROBE = """
import json, sys
import numpy as np
import torch
from metricnets import EmbeddingNet
params, n, n_epochs = json.loads(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
torch.set_num_threads(1)
rng = np.random.default_rng(0)
y = np.arange(n) % (n // 16)
X = (rng.normal(size=(n // 16, 768))[y] + 3 * rng.normal(size=(n, 768))).astype(np.float32)
EmbeddingNet(max_epochs=1, init="glorot").fit(X[:64], y[:64] % 2)  # imports
def status(name):
    lines = open("/proc/self/status") if sys.platform == "linux" else []
    return next((int(line.split()[1]) for line in lines if line.startswith(name)), float("nan"))
if sys.platform == "linux":
    open("/proc/self/clear_refs", "w").write("5")  # the peak is counted from here
before = status("VmRSS")
net = EmbeddingNet(n_components=128, init="glorot", max_epochs=n_epochs, random_state=0, **params).fit(X, y)
seconds = min(epoch["dur"] for epoch in net.history_)
print(seconds, (status("VmHWM") - before) / 1024, net.history_[-1]["train_loss"])
"""
LOSSES = ["normalized_softmax", "supcon", "info_nce", "npair", "contrastive", "multi_similarity", "triplet"]
NETWORKS = [[512], [2048, 2048]]


def measured(n, n_epochs, **params):
    """Seconds an epoch, added MB and the last loss of a fit in a new process."""
    call = [sys.executable, "-c", PROBE, json.dumps(params), str(n), str(n_epochs)]
    done = subprocess.run(call, capture_output=True, text=True, check=True)
    return map(float, done.stdout.split())


def rows(n, chunk, whole, precisions):
    """Batch size, chunk size and precision of each line of a table."""
    for size in (128, 512):
        for precision in precisions:
            yield size, None, precision
    if whole:
        yield n, None, "float32"
    for precision in precisions:
        yield n, chunk, precision


def main(options):
    """Print a table for each network and loss."""
    print(f"{options.rows} rows x 768 -> 128: seconds an epoch, its ratio to the first line, and added MB")
    for hidden in options.networks:
        for loss in options.losses:
            print(f"\n{loss}, hidden={tuple(hidden)}", flush=True)
            first = None
            for size, chunk, precision in rows(options.rows, options.chunk, options.whole, options.precisions):
                params = {
                    "hidden": hidden,
                    "loss": loss,
                    "batch_size": size,
                    "chunk_size": chunk,
                    "precision": precision,
                }
                if loss == "triplet":
                    params["loss_params"] = {"select": "hard"}
                seconds, memory, value = measured(options.rows, options.epochs, **params)
                first = first or seconds
                what = "at once" if chunk is None else f"in chunks of {chunk}"
                figures = f"{seconds:7.2f} s {seconds / first:6.2f} x {memory:7.0f} MB   loss {value:.4f}"
                print(f"  batches of {size:6d} {what:18s} {precision:8s} {figures}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="2048 rows, two losses and the smaller network")
    parser.add_argument("--rows", type=int, default=16_384)
    parser.add_argument("--chunk", type=int, default=512, help="points embedded at a time")
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--losses", nargs="+", default=LOSSES)
    parser.add_argument("--hidden", dest="networks", nargs="+", type=int, action="append", help="widths of the network")
    parser.add_argument("--precisions", nargs="+", default=["float32"], choices=["float32", "bf16"])
    parser.add_argument("--whole", action="store_true", help="a batch of all rows at once too, which takes GB")
    options = parser.parse_args()
    options.networks = options.networks or (NETWORKS[:1] if options.quick else NETWORKS)
    if options.quick:
        options.rows, options.losses = 2048, ["normalized_softmax", "supcon"]
    main(options)
