"""Learning from a stream: ten batches one after another, compared with the fit on all samples.

Linear learners: the largest difference of the metrics M, relative to the largest entry, with samples in random order
and sorted by class.  Pairs are drawn from the samples; those of OASIS are triplets, and its fit does not shuffle them.

Deep learners: the mean accuracy of 1-NN and kNN(3) on test samples, with the training samples as neighbours, after the
fit on all samples, after ten batches in random order, and after ten batches sorted by class.  ``replay_size`` is a
fifth of the samples, two batches, or as ``--replay`` says.

``--memory`` prints the memory that the fit on 200,000 made samples adds to a process, and that ten batches of them add,
each in a process of its own.  Run ``python bench_stream.py --data DIR``, or set METRICNETS_DATA.
"""

import resource
import subprocess
import sys
import time
import warnings

import numpy as np
from _datasets import floating, load
from _options import folder_of, parser_of
from _tables import show
from sklearn.base import clone
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler

import metricnets as mn

FILES = {"mnist": "mnist.npz", "banking77": "banking77_minilm.npz"}
SETS = ("digits", "uspst", "mnist", "banking77")
N_TRAIN, N_TEST, N_BATCHES, N_TUPLES = 5000, 2000, 10, 10_000
POINTS = {
    "Covariance": mn.Covariance(),
    "LDA": mn.LDA(solver="eigen", shrinkage=0.1),
    "RCA": mn.RCA(),
    "KISSME_Supervised": mn.KISSME_Supervised(),
    "XQDA": mn.XQDA(),
}
PAIRS = {"KISSME": mn.KISSME(), "GMML": mn.GMML()}
DEEP = {
    "triplet": mn.EmbeddingNet(random_state=0),
    "DDML": mn.DDML(random_state=0),
    "Mahalanobis": mn.Mahalanobis(random_state=0),
    "HRAML": mn.HRAML(random_state=0),
    "SupervisedDeepHashing": mn.SupervisedDeepHashing(random_state=0),
}
ORDERS = ("random", "sorted")
N_MADE, N_FEATURES = 200_000, 100
OF_MEMORY = ("Covariance", "LDA", "EmbeddingNet")


def read(name, folder, seed=0):
    """Training points and classes, test points and classes, of a draw."""
    if name in FILES:
        with np.load(folder / FILES[name]) as file:
            X, y = floating(file["X"]), file["y"]
            train, test = file["train"], file["test"]
        rng = np.random.default_rng(seed)
        train, test = rng.permutation(train)[:N_TRAIN], rng.permutation(test)[:N_TEST]
    else:
        X, y, split = load(name, folder)
        train, test = split(y, seed)
    return X[train], y[train], X[test], y[test]


def batches(y, order, seed=0):
    """Rows of ten batches, in random order or sorted by class."""
    rows = np.random.default_rng(seed + 1).permutation(len(y))
    return np.array_split(rows if order == "random" else rows[np.argsort(y[rows], kind="stable")], N_BATCHES)


def difference(found, expected):
    """Largest relative difference of two metrics."""
    M, expected = found.get_mahalanobis_matrix(), expected.get_mahalanobis_matrix()
    return abs(M - expected).max() / abs(expected).max()


def streamed(learner, parts, *arrays):
    """A learner after batches of rows."""
    learner = clone(learner)
    for rows in parts:
        learner.partial_fit(*(array[rows] for array in arrays))
    return learner


def tuples(X, y):
    """Pairs and their labels, and triplets."""
    rng = np.random.default_rng(2)
    rows = rng.integers(len(y), size=(20 * N_TUPLES, 3))
    triplets = X[rows[(y[rows[:, 0]] == y[rows[:, 1]]) & (y[rows[:, 0]] != y[rows[:, 2]])][:N_TUPLES]]
    pairs = np.concatenate([triplets[:, :2], triplets[:, ::2]])
    return pairs, np.repeat([1, -1], len(triplets)), triplets


def linear_rows(X, y):
    """Largest relative differences of each learner, in both orders."""
    X = StandardScaler().fit_transform(X.astype(float))
    X = X[:, X.std(axis=0) > 0]
    rows = {}
    for name, learner in POINTS.items():
        expected = clone(learner).fit(X, y)
        rows[name] = [difference(streamed(learner, batches(y, order), X, y), expected) for order in ORDERS]
    pairs, similar, triplets = tuples(X[:, :100], y)
    for name, learner in PAIRS.items():
        expected = clone(learner).fit(pairs, similar)
        parts = [batches(similar, order) for order in ORDERS]
        rows[name] = [difference(streamed(learner, each, pairs, similar), expected) for each in parts]
    triplets = triplets[:2000]
    found = streamed(mn.OASIS(), np.array_split(np.arange(len(triplets)), N_BATCHES), triplets)
    rows["OASIS"] = [difference(found, mn.OASIS(shuffle=False).fit(triplets)), np.nan]
    return {name: [f"{value:.0e}" if value == value else "" for value in values] for name, values in rows.items()}


def judged(metric, X, y, X_test, y_test):
    z, z_test = metric.transform(X), metric.transform(X_test)
    return np.mean([100 * KNeighborsClassifier(k).fit(z, y).score(z_test, y_test) for k in (1, 3)])


def deep_scores(learner, data, replay, seed):
    """Accuracies after a fit and after both streams, and the seconds of each."""
    X, y, *_ = data
    begin = time.process_time()
    scores, seconds = [judged(clone(learner).fit(X, y), *data)], [time.process_time() - begin]
    learner = clone(learner).set_params(replay_size=replay or len(X) // 5)
    for order in ORDERS:
        begin = time.process_time()
        scores.append(judged(streamed(learner, batches(y, order, seed), X, y), *data))
        seconds.append(time.process_time() - begin)
    return scores + seconds


def deep_cells(name, learner, folder, options):
    """Means over draws, and the deviation of the difference of each stream to the fit."""
    draws = range(1 if options.quick else options.seeds)
    found = np.array([deep_scores(learner, read(name, folder, seed), options.replay, seed) for seed in draws])
    means, spread = found.mean(axis=0), (found[:, 1:3] - found[:, :1]).std(axis=0)
    streams = [f"{mean:.1f} ({mean - means[0]:+.1f} ± {s:.1f})" for mean, s in zip(means[1:3], spread)]
    return [f"{means[0]:.1f}", *streams, *(f"{value:.0f}" for value in means[3:])]


# ---- memory


def made(n, seed):
    """Made samples of ten classes."""
    rng = np.random.default_rng(seed)
    y = rng.integers(10, size=n)
    X = rng.normal(size=(n, N_FEATURES)).astype(np.float32)
    X[np.arange(n), y] += 2
    return X, y


def measure(name, streams):
    """Print the megabytes that learning from all samples, or from batches, adds, their points included."""
    params = {"max_epochs": 1, "random_state": 0} if name == "EmbeddingNet" else {}
    learner = getattr(mn, name)(**params)
    learner.fit(*made(1000, 0))  # loads libraries
    learner, before = clone(learner), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if streams:
        for seed in range(N_BATCHES):
            learner.partial_fit(*made(N_MADE // N_BATCHES, seed))
    else:
        parts = [made(N_MADE // N_BATCHES, seed) for seed in range(N_BATCHES)]
        learner.fit(*map(np.concatenate, zip(*parts)))
    print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)


def memory():
    rows = {}
    for name in OF_MEMORY:
        commands = [[sys.executable, __file__, "--memory-of", name, kind] for kind in ("fit", "batches")]
        found = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for command in commands]
        rows[name] = [f"{float(megabytes):.0f}" for megabytes in found]
    size = N_MADE * N_FEATURES * 4 / 2**20
    show(f"Megabytes added; the samples are {size:.0f}, a batch {size / N_BATCHES:.0f}", ["fit", "batches"], rows)


def main():
    parser = parser_of(__doc__, quick="digits alone", seeds="draws of the samples of networks", n_seeds=3)
    parser.add_argument("--memory", action="store_true", help="memory on made samples instead")
    parser.add_argument("--memory-of", nargs=2, metavar=("NAME", "KIND"), help="of one learner, in this process")
    parser.add_argument("--only", nargs="+", choices=["linear", "deep"], default=["linear", "deep"])
    parser.add_argument("--learners", nargs="+", choices=DEEP, default=list(DEEP), help="deep learners")
    parser.add_argument("--replay", type=int, metavar="SIZE", help="replay_size (default: a fifth of the samples)")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS))
    options = parser.parse_args()
    warnings.simplefilter("ignore")  # of few samples in the first batches
    if options.memory_of:
        return measure(options.memory_of[0], options.memory_of[1] == "batches")
    if options.memory:
        return memory()
    if (folder := folder_of(options, FILES.values())) is None:
        return None
    for name in ["digits"] if options.quick else options.sets:
        if "linear" in options.only:
            rows = linear_rows(*read(name, folder)[:2])
            show(f"{name}: largest relative difference of M", ORDERS, rows, least=10)
        if "deep" in options.only:
            rows = {learner: deep_cells(name, DEEP[learner], folder, options) for learner in options.learners}
            columns = ["fit", *ORDERS, "s of fit", "s of random", "s of sorted"]
            show(f"{name}: per cent after all samples and after ten batches; CPU seconds", columns, rows, least=22)
    return None


if __name__ == "__main__":
    main()
