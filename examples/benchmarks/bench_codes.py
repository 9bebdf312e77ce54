"""Mean average precision of binary codes on MNIST, and the time of a search in a million codes.

60,000 training images are the database, and the first 100 test images of each class the queries; images are ranked by
Hamming distance, with ties in random order, as ``hamming_scores`` computes it in closed form.  With ``--held-back`` the
last 1,000 training images are the queries and the others the database: settings are chosen by it.
"""

import time

import numpy as np
from _options import folder_of, parser_of
from _tables import show

from metricnets import DeepHashing, HammingNeighbors, SupervisedDeepHashing
from metricnets._codes import quantization_rotation
from metricnets.metrics import hamming_scores, pack_codes

BITS = (16, 32, 64)
WIDTHS = {16: (60, 30), 32: (80, 50), 64: (100, 80)}  # of the paper
OF_PAPER = {
    "variance": 1.0,
    "orthogonality": 1e-3,
    "weight_decay": 1e-3,
    "activation": "tanh",
    "init": "pca",
    "optimizer": "sgd",
    "lr": 0.01,
    "lr_schedule": None,
}


def principal(X, k):
    """The mean of X, and its first k principal directions, (d, k)."""
    mean = X.mean(axis=0)
    return mean, np.linalg.eigh(np.cov((X - mean).T))[1][:, ::-1][:, :k]


def lsh(X, y, k, seed, **params):
    mean, G = X.mean(axis=0), np.random.default_rng(seed).normal(size=(X.shape[1], k))
    return lambda Z: (Z - mean) @ G


def pca_signs(X, y, k, seed, **params):
    mean, V = principal(X, k)
    return lambda Z: (Z - mean) @ V


def itq(X, y, k, seed, **params):
    mean, V = principal(X, k)
    R = V @ quantization_rotation((X - mean) @ V, np.random.default_rng(seed))
    return lambda Z: (Z - mean) @ R


def deep(cls, **params):
    """A function that fits a learner, whose parameters may be functions of the number of bits."""

    def fit(X, y, k, seed, **others):
        given = {name: value(k) if callable(value) else value for name, value in params.items()} | others
        return cls(n_components=k, random_state=seed, **given).fit(X, y).transform

    return fit


METHODS = {
    "random directions (LSH)": lsh,
    "signs of principal components": pca_signs,
    "ITQ": itq,
    "DeepHashing, the paper's": deep(DeepHashing, scatter=0.0, hidden=WIDTHS.get, **OF_PAPER),
    "DeepHashing(scatter=0)": deep(DeepHashing, scatter=0.0),
    "DeepHashing(scatter=0, variance=1)": deep(DeepHashing, scatter=0.0, variance=1.0),
    "DeepHashing(scatter=0, orthogonality=0.1)": deep(DeepHashing, scatter=0.0, orthogonality=0.1),
    "DeepHashing": deep(DeepHashing),
    "SupervisedDeepHashing, the paper's": deep(
        SupervisedDeepHashing, likelihood=0.0, margin=None, hidden=WIDTHS.get, sampler="shuffled", **OF_PAPER
    ),
    "SupervisedDeepHashing(likelihood=0)": deep(SupervisedDeepHashing, likelihood=0.0),
    "SupervisedDeepHashing": deep(SupervisedDeepHashing),
}


def split(data, options):
    """Database and queries, each with its classes."""
    X, y, train, test = data["X"].astype(np.float32) / 255, data["y"].astype(int), data["train"], data["test"]
    if options.held_back:
        train, test = train[:-1000], train[-1000:]
    else:
        test = np.concatenate([test[y[test] == c][:100] for c in np.unique(y)])
    if options.quick:
        train, test = train[:2000], test[::10]
    return X[train], y[train], X[test], y[test]


def scores(fit, parts, bits, seed, params, repeat):
    X, y, Q, labels = parts
    row, seconds, equal = [], [], True
    for k in bits:
        start = time.process_time()
        embed = fit(X, y, k, seed, **params)
        seconds.append(f"{time.process_time() - start:.0f}")
        codes = pack_codes(embed(X))
        found = hamming_scores(pack_codes(embed(Q)), labels, codes, y, k=100)
        row += [f"{found['mean_average_precision']:.3f}"]
        if repeat:
            equal &= np.array_equal(codes, pack_codes(fit(X, y, k, seed, **params)(X)))
    return [*row, *seconds, *([str(equal)] if repeat else [])]


def search_times(n):
    """Milliseconds a query, of ten neighbours in n random codes."""
    rng = np.random.default_rng(0)
    rows = {}
    for k in (32, 64, 128, 256):
        codes = rng.integers(256, size=(n, k // 8), dtype=np.uint8)
        search = HammingNeighbors(n_neighbors=10).fit(codes)
        start = time.process_time()
        search.kneighbors(codes[:20])
        rows[f"{k} bits"] = [f"{50 * (time.process_time() - start):.1f}"]
    return rows


def main():
    parser = parser_of(__doc__, quick="2,000 images, 100 queries, 16 bits", seeds="draws", n_seeds=1)
    parser.add_argument("--held-back", action="store_true", help="queries are training images")
    parser.add_argument("--repeat", action="store_true", help="fit twice, and tell whether all codes are equal")
    parser.add_argument("--bits", nargs="+", type=int, choices=BITS, default=list(BITS), metavar="BITS")
    parser.add_argument("--epochs", type=int, help="of the networks (default: that of the learners)")
    parser.add_argument("--only", nargs="+", choices=METHODS, default=list(METHODS), metavar="METHOD")
    options = parser.parse_args()
    n = 100_000 if options.quick else 1_000_000
    show(f"Search in {n:,} codes", ["ms a query"], search_times(n))
    folder = folder_of(options, ["mnist.npz"])
    if folder is None:
        return
    bits, epochs = ([16], 2) if options.quick else (options.bits, options.epochs)
    params = {} if epochs is None else {"max_epochs": epochs}
    with np.load(folder / "mnist.npz") as data:
        parts = split(data, options)
    for seed in range(options.seeds):
        rows = {name: scores(METHODS[name], parts, bits, seed, params, options.repeat) for name in options.only}
        columns = [f"{k} bits" for k in bits] + [f"s, {k}" for k in bits] + ["equal bits"] * options.repeat
        show(f"MNIST, mAP, seed {seed}", columns, rows)


if __name__ == "__main__":
    main()
