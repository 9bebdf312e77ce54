"""What a GPU gains, and whether fits, checkpoints and files do there what they do on the CPU.

Learners are fitted to made points on the device and on the CPU, from the same seed and initial weights: steps a second
on both, those of a loop written by hand for the same network and loss on the device, where all points are there from
the start, and how far the embeddings of both devices are apart, as a share of their norm.  Then one of them is

- stopped half way and fitted again, from a ``checkpoint``;
- fitted in half precision, ``precision="bf16"``;
- fitted with batches of all rows, in parts of ``chunk_size``;
- saved on the device, and loaded and used by a process that sees no GPU.

Sections whose parameter this version does not have are left out.  ``--device cpu`` compares the CPU with itself.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time

import numpy as np
import torch
from skorch.callbacks import Callback

from metricnets import DDML, DTML, HRAML, EmbeddingNet, save
from metricnets.losses import ProxyAnchor, logistic_pair, multi_similarity, triplet
from metricnets.relations import same_class

BATCH = 512
PLAIN = {"init": "glorot", "hidden": (512,), "n_components": 128, "batch_size": BATCH, "random_state": 0}
NET = PLAIN | {"positive_fraction": 1.0, "sampler": "shuffled"}
LEARNERS = {
    "DDML": (DDML, PLAIN | {"sampler": "shuffled"}),
    "EmbeddingNet, triplet": (EmbeddingNet, NET),
    "EmbeddingNet, multi-similarity": (EmbeddingNet, NET | {"loss": "multi_similarity"}),
    "EmbeddingNet, proxy anchor": (EmbeddingNet, NET | {"loss": "proxy_anchor"}),
    "HRAML": (HRAML, PLAIN),
    "DTML": (DTML, PLAIN),
}
BY_HAND = {
    "DDML": logistic_pair,
    "EmbeddingNet, triplet": triplet,
    "EmbeddingNet, multi-similarity": multi_similarity,
    "EmbeddingNet, proxy anchor": ProxyAnchor,
}


def made(n_rows, n_features, n_classes=20):
    """Points of some classes, half of them of another domain."""
    rng = np.random.default_rng(0)
    y = rng.integers(n_classes, size=n_rows)
    X = rng.normal(size=(n_classes, n_features))[y] + 2 * rng.normal(size=(n_rows, n_features))
    return X.astype(np.float32), y


def fitted(name, device, n_epochs, X, y, **params):
    """A learner after some epochs, and the steps a second of the last ones: the first one starts the device."""
    cls, own = LEARNERS[name]
    learner = cls(**own | {"device": device, "max_epochs": n_epochs} | params)
    learner.fit(X, y, **{"sample_domain": np.resize([1, -2], len(y))} if cls is DTML else {})
    seconds = np.median([epoch["dur"] for epoch in learner.history_[1:] or learner.history_])
    return learner, len(y) / learner.batch_size / seconds


def by_hand(name, device, n_epochs, X, y):
    """Steps a second of a loop for the same network and loss, with all points on the device."""
    loss, sizes = BY_HAND[name], (X.shape[1], *NET["hidden"], NET["n_components"])
    layers = [torch.nn.Linear(*sizes[:2]), torch.nn.GELU(), torch.nn.Dropout(0.2), torch.nn.Linear(*sizes[1:])]
    network, X, y = torch.nn.Sequential(*layers).to(device), torch.tensor(X, device=device), torch.tensor(y).to(device)
    parameters = [*network.parameters()]
    if isinstance(loss, type):
        loss = loss(sizes[-1], int(y.max()) + 1).to(device)
        parameters += loss.parameters()
    optimizer, seconds = torch.optim.AdamW(parameters, lr=0.003, fused=True), []
    for _ in range(n_epochs):
        start = time.perf_counter()
        for rows in torch.randperm(len(X), device=device).split(BATCH):
            optimizer.zero_grad()
            z, codes = torch.nn.functional.normalize(network(X[rows])), y[rows]
            is_module = isinstance(loss, torch.nn.Module)
            value = loss(z, codes) if is_module else loss(z, same_class(codes, codes).fill_diagonal_(torch.nan))
            value.backward()
            optimizer.step()
        value.item()  # waits for the device
        seconds.append(time.perf_counter() - start)
    return len(X) / BATCH / np.median(seconds[1:] or seconds)


def gap(a, b, X):
    """Root mean squared difference of embeddings of two learners, as a share of their norm."""
    z, other = a.transform(X), b.transform(X)
    return float(np.sqrt(np.square(z - other).sum() / np.square(other).sum()))


def compare(device, n_epochs, X, y):
    """The table; the learners by name, of the device."""
    print(f"{len(X)} × {X.shape[1]}, batches of {BATCH}: steps a second\n")
    print(f"{'':34s}{device:>9s}{'CPU':>9s}{'ratio':>8s}{'by hand':>10s}{'embeddings apart':>19s}")
    found = {}
    for name in LEARNERS:
        found[name], rate = fitted(name, device, n_epochs, X, y)
        on_cpu, rate_of_cpu = fitted(name, "cpu", n_epochs, X, y)
        loop = f"{by_hand(name, device, n_epochs, X, y):10.1f}" if name in BY_HAND else f"{'–':>10s}"
        rates = f"{rate:9.1f}{rate_of_cpu:9.1f}{rate / rate_of_cpu:8.2f}{loop}"
        print(f"{name:34s}{rates}{gap(found[name], on_cpu, X):19.1e}", flush=True)
    return found


class Stop(Callback):
    """Ends training at the beginning of an epoch, as if the process had been ended."""

    at = None  # of all instances, as a fit goes on only with the same parameters

    def on_epoch_begin(self, net, **kwargs):
        """End it."""
        if len(net.history) == self.at:
            raise SystemExit


def resumed(whole, device, n_epochs, X, y):
    """How far a fit that went on from a checkpoint is from one that was not stopped."""
    with tempfile.TemporaryDirectory() as folder:
        options, Stop.at = {"checkpoint": {"folder": folder, "minutes": 0}, "callbacks": [Stop()]}, n_epochs // 2 + 1
        try:
            fitted("DDML", device, n_epochs, X, y, **options)
        except SystemExit:
            n_files = len(os.listdir(folder))
        Stop.at = None
        again, _ = fitted("DDML", device, n_epochs, X, y, **options)
    apart = gap(again, whole, X)
    print(f"stopped half way, {n_files} files, fitted again from them: embeddings {apart:.1e} apart")


LOAD = """
import sys, warnings
import numpy as np, torch
from metricnets import load
assert not torch.cuda.is_available()
warnings.simplefilter("ignore")  # that points are embedded on the CPU
np.save(sys.argv[2], load(sys.argv[1]).transform(np.load(sys.argv[3])))
"""


def loaded(learner, X):
    """How far embeddings by a file are from those of the learner, in a process without a GPU."""
    with tempfile.TemporaryDirectory() as folder:
        file, result, points = (f"{folder}/{name}" for name in ("net", "z.npy", "X.npy"))
        save(learner, file)
        np.save(points, X)
        hidden = os.environ | {"CUDA_VISIBLE_DEVICES": "", "HIP_VISIBLE_DEVICES": ""}
        subprocess.run([sys.executable, "-c", LOAD, file, result, points], check=True, env=hidden)
        z, here = np.load(result), learner.transform(X)
        apart = np.sqrt(np.square(z - here).sum() / np.square(here).sum())
        size = os.path.getsize(file)
    print(f"saved, {size / 1e6:.2f} MB, and loaded without a GPU: embeddings {apart:.1e} apart")


def main(device, n_rows, n_features, n_epochs):
    """Print the table, and what became of the other sections."""
    X, y = made(n_rows, n_features)
    kind = torch.cuda.get_device_name(device) if torch.device(device).type == "cuda" else "CPU"
    print(f"PyTorch {torch.__version__}, {kind}, {torch.get_num_threads()} threads of the CPU\n")
    nets = compare(device, n_epochs, X, y)
    print()
    net, known = nets["DDML"], DDML().get_params()
    if "checkpoint" in known:
        resumed(net, device, n_epochs, X, y)
    if "precision" in known:
        half, rate = fitted("DDML", device, n_epochs, X, y, precision="bf16")
        print(f"precision='bf16': {rate:.1f} steps a second, embeddings {gap(half, net, X):.1e} apart")
    if "chunk_size" in known:
        whole, rate = fitted("DDML", device, n_epochs, X, y, batch_size=n_rows // 2)
        parts, slower = fitted("DDML", device, n_epochs, X, y, batch_size=n_rows // 2, chunk_size=BATCH)
        times = f"{rate:.1f} and {slower:.1f} steps a second"
        print(f"batches of {n_rows // 2}, whole and in parts: {times}, embeddings {gap(parts, whole, X):.1e} apart")
    loaded(net, X[:1000])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="of PyTorch")
    parser.add_argument("--quick", action="store_true", help="few small points and two epochs")
    options = parser.parse_args()
    main(options.device, *((2000, 32, 2) if options.quick else (50_000, 512, 6)))
