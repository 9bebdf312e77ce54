"""Fit time and memory of the linear learners and of metric-learn 0.7.0, with the same data and settings.

Each fit runs in a process of its own, with one thread.  The table has CPU seconds, the memory that ``fit`` adds to the
peak, and the objective of the paper, computed by the same naive function for the metrics of both packages.  Settings
are the defaults of both, which are the same.  metric-learn needs an environment of its own, as it does not work with
scikit-learn 1.8 or later: ``make bench-linear`` sets up .venv-metric-learn and runs this script with
``--peer .venv-metric-learn/bin/python``.  Without ``--peer`` only this package is measured.

``--nca`` compares NCA with that of scikit-learn instead, both with their defaults; with ``--data DIR``, or
METRICNETS_DATA, on more sets.
"""

import argparse
import contextlib
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine, make_classification
from sklearn.decomposition import PCA
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.neighbors import KNeighborsClassifier, NeighborhoodComponentsAnalysis
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

DATA = ["digits 1797 x 64", "made 5000 x 100"]
# learner -> what it is fitted to
LEARNERS = {
    "Covariance": "labels",
    "RCA_Supervised": "labels",
    "LFDA": "labels",
    "NCA": "labels",
    "MLKR": "labels",
    "LMNN": "labels",
    "SCML_Supervised": "labels",
    "ITML": "pairs",
    "ITML_Supervised": "labels",
    "LSML": "quadruplets",
    "LSML_Supervised": "labels",
    "MMC": "pairs",
    "MMC_Supervised": "labels",
    "SDML": "pairs",
}
SETTINGS = {
    "SDML": {"balance_param": 1e-5},  # with the default metric-learn fails
    "NCA": {"tol": 2.2e-9},  # the default of metric-learn
    "MLKR": {"max_iter": 100},  # the default, 1000, is 40 minutes of metric-learn on 5000 x 100
}
OURS = {name: {"shrinkage": None} for name in ("MMC", "LMNN")}  # the problem of the papers, which metric-learn solves


def load(name, share=1.0):
    """Points and classes; with any scikit-learn from 1.0 on."""
    if name.startswith("digits"):
        X, y = load_digits(return_X_y=True)
    else:
        n, d = int(name.split()[1]), int(name.split()[3])
        parts = {"n_informative": min(20, d // 2), "n_redundant": min(10, d // 4), "n_classes": 10}
        X, y = make_classification(n, d, **parts, random_state=0)
    n = int(share * len(X))
    return StandardScaler().fit_transform(X)[:n], y[:n]


def drawn_pairs(y):
    """As many similar and dissimilar pairs as the supervised learners draw by default: rows (m, 2) each."""
    rng = np.random.default_rng(0)
    rows = rng.integers(len(y), size=(60_000, 2))
    rows, same = rows[rows[:, 0] != rows[:, 1]], lambda rows: y[rows[:, 0]] == y[rows[:, 1]]
    n = 20 * len(np.unique(y)) ** 2
    return rows[same(rows)][:n], rows[~same(rows)][:n]


def training_data(kind, X, y):
    if kind == "labels":
        return X, y
    similar, dissimilar = drawn_pairs(y)
    if kind == "quadruplets":
        return (X[np.hstack([similar, dissimilar])],)
    return X[np.vstack([similar, dissimilar])], np.repeat([1, -1], [len(similar), len(dissimilar)])


def peak(reset=False):
    """Peak memory of this process in MB, since the last reset where the system can do that (Linux)."""
    with contextlib.suppress(OSError):
        if reset:
            Path("/proc/self/clear_refs").write_text("5")
        return int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


# ------------------------------------------------------------------------------------------------
# Objectives, by the letter of the papers: functions of the map L, the points and the classes.


def squares(z, rows):
    return ((z[rows[:, 0]] - z[rows[:, 1]]) ** 2).sum(axis=1)


def softmax_rows(z, shift):
    """Blocks of rows and their normalised Gaussian weights; a row has none for itself."""
    norms = (z**2).sum(axis=1)
    for start in range(0, len(z), 500):
        d = norms[start : start + 500, None] + norms - 2 * z[start : start + 500] @ z.T
        d[np.arange(len(d)), start + np.arange(len(d))] = np.inf
        p = np.exp(d.min(axis=1, keepdims=True) * shift - d)
        yield slice(start, start + 500), p / np.maximum(p.sum(axis=1, keepdims=True), 1e-300)


def nca(L, X, y):
    return sum(p[y[rows][:, None] == y].sum() for rows, p in softmax_rows(X @ L.T, 1)) / len(X)


def mlkr(L, X, y):
    return sum(((p @ y - y[rows]) ** 2).sum() for rows, p in softmax_rows(X @ L.T, 1))


def lmnn(L, X, y, n_neighbors=3, weight=0.5):
    z, total = X @ L.T, 0.0
    for c in np.unique(y):
        own, other = np.flatnonzero(y == c), np.flatnonzero(y != c)
        within = ((X[own] ** 2).sum(1)[:, None] + (X[own] ** 2).sum(1) - 2 * X[own] @ X[own].T) + np.diag(
            [np.inf] * len(own)
        )
        targets = own[np.argsort(within, axis=1, kind="stable")[:, :n_neighbors]]
        between = (z[own] ** 2).sum(1)[:, None] + (z[other] ** 2).sum(1) - 2 * z[own] @ z[other].T
        for k in range(n_neighbors):
            d = ((z[own] - z[targets[:, k]]) ** 2).sum(axis=1)
            total += (1 - weight) * d.sum() + weight * np.maximum(0, 1 + d[:, None] - between).sum()
    return total


def scml(L, X, y):
    """Mean hinge over the triplets of 3 nearest of the class and 10 nearest of others."""
    z, total, n = X @ L.T, 0.0, 0
    for c in np.unique(y):
        own, other = np.flatnonzero(y == c), np.flatnonzero(y != c)
        apart = [np.linalg.norm(X[own][:, None] - X[rows], axis=2) for rows in (own, other)]
        near, far = (own[np.argsort(apart[0])[:, 1:4]], other[np.argsort(apart[1])[:, :10]])
        d = [((z[own][:, None] - z[rows]) ** 2).sum(axis=2) for rows in (near, far)]
        total, n = total + np.maximum(0, 1 + d[0][:, :, None] - d[1][:, None, :]).sum(), n + len(own) * 30
    return total / n


def divergence(M):
    """LogDet divergence of M from the identity."""
    return np.trace(M) - np.linalg.slogdet(M)[1] - len(M)


def itml(L, X, y):
    similar, dissimilar = drawn_pairs(y)
    points = np.unique(X[np.vstack([similar, dissimilar]).ravel()], axis=0)
    gram = points @ points.T
    apart = np.sqrt(np.maximum(0, np.diag(gram)[:, None] + np.diag(gram) - 2 * gram))[np.triu_indices(len(points), 1)]
    near, far = np.percentile(apart, [5, 95])
    slack = np.concatenate(
        [np.maximum(1, squares(X @ L.T, similar) / near), np.minimum(1, squares(X @ L.T, dissimilar) / far)]
    )
    return divergence(L.T @ L) + (slack - np.log(slack) - 1).sum()


def lsml(L, X, y):
    near, far = (np.sqrt(squares(X @ L.T, rows)) for rows in drawn_pairs(y))
    return (np.maximum(0, near - far) ** 2).mean() + np.trace(L.T @ L) - np.linalg.slogdet(L.T @ L)[1]


def mmc(L, X, y):
    near, far = (squares(X @ L.T, rows) for rows in drawn_pairs(y))
    return np.sqrt(far).sum() / np.sqrt(near.sum())


def sdml(L, X, y):
    M, (similar, dissimilar) = L.T @ L, drawn_pairs(y)
    loss = squares(X @ L.T, similar).sum() - squares(X @ L.T, dissimilar).sum()
    off = np.abs(M).sum() - np.trace(M)
    return np.trace(M) + SETTINGS["SDML"]["balance_param"] * loss - np.linalg.slogdet(M)[1] + 0.01 * off


OBJECTIVES = {  # and whether more is better
    "NCA": (nca, True),
    "MLKR": (mlkr, False),
    "LMNN": (lmnn, False),
    "SCML_Supervised": (scml, False),
    "ITML": (itml, False),
    "LSML": (lsml, False),
    "MMC": (mmc, True),
    "SDML": (sdml, False),
}


# ------------------------------------------------------------------------------------------------


def work(package, learner, data, share, repeats, settings, out):
    """Fit in this process, keep the map that was learned, and print what it took."""
    cls, settings = getattr(__import__(package), learner), json.loads(settings)
    if "random_state" in cls().get_params():
        settings["random_state"] = 0
    warnings.simplefilter("ignore")
    given = training_data(LEARNERS.get(learner, "labels"), *load(data, float(share)))
    small = training_data(LEARNERS.get(learner, "labels"), *load("digits", 0.2))
    before, times, added = peak(reset=True), [], None
    with contextlib.suppress(ValueError):
        cls(**settings).fit(*small)  # so that what is imported on first use is not timed
    while len(times) < int(repeats) and sum(times) < 10:
        start = time.process_time()
        fitted = cls(**settings).fit(*given)
        times.append(time.process_time() - start)
        added = added or peak() - before  # by the first of them
    np.save(out, fitted.components_)
    print(json.dumps({"seconds": min(times), "MB": added, "n_iter": getattr(fitted, "n_iter_", None)}))


def measured(
    learner, data, *, python=sys.executable, package="metricnets", share=1, repeats=3, settings=None, timeout=900
):
    """Run `work` in a process of its own; its figures and the map that was found, or why there is none."""
    own = OURS.get(learner, {}) if package == "metricnets" else {}
    settings = json.dumps(SETTINGS.get(learner, {}) | own | (settings or {}))
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "L.npy")
        command = [python, __file__, "--work", package, learner, data, str(share), str(repeats), settings, out]
        one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        try:
            run = subprocess.run(command, capture_output=True, text=True, timeout=timeout, env=os.environ | one_thread)
        except subprocess.TimeoutExpired:
            return {"error": f"over {timeout:.0f} s"}
        if run.returncode:
            return {"error": run.stderr.strip().splitlines()[-1].split(":")[0]}
        return json.loads(run.stdout.splitlines()[-1]) | {"L": np.load(out)}


def cells(figures, objective, X, y):
    if "error" in figures:
        return f"{figures['error']:>24s}{'':12s}"
    value = f"{objective(figures['L'], X, y):12.5g}" if objective else f"{'':12s}"
    return f"{figures['seconds']:8.3f} s {figures['n_iter'] or '':>5} {figures['MB']:6.0f} MB{value}"


def show(learner, data, options):
    """Print a row: ours, the peer's, and how many times the peer takes."""
    share = 0.2 if options.quick else 1.0
    X, y = load(data, share)
    objective, more = OBJECTIVES.get(learner, (None, None))
    ours = measured(learner, data, share=share, timeout=options.timeout)
    row = f"{learner:16s}" + cells(ours, objective, X, y)
    if options.peer:
        peer = {"python": options.peer, "package": "metric_learn"}
        peers = measured(learner, data, share=share, timeout=options.timeout, **peer)
        row += "  " + cells(peers, objective, X, y)
        if not {"error"} & (set(ours) | set(peers)):
            row += f"{peers['seconds'] / ours['seconds']:8.1f} x {peers['MB'] / max(ours['MB'], 1):6.1f} x"
    print(row + ("" if more is None else "   more is better" if more else "   less is better"), flush=True)


# ------------------------------------------------------------------------------------------------
# NCA beside that of scikit-learn


def digits(n, divisor=1):
    X, y = load_digits(return_X_y=True)
    rows = np.random.default_rng(0).permutation(len(X))[:n]
    return X[rows] / divisor, y[rows]


def wide():
    return make_classification(300, 1000, n_informative=30, n_classes=5, random_state=0)


def scaled(data):
    return StandardScaler().fit_transform(data[0]), data[1]


def stored(name, folder, n_components=None):
    """Points and classes of a file; as principal components, as scikit-learn needs minutes on thousands of features."""
    with np.load(folder / f"{name}.npz", allow_pickle=True) as arrays:
        X, y = arrays["X"].astype(float), arrays["y"]
    return PCA(n_components, random_state=0).fit_transform(X) if n_components else X, y


SHIPPED = {
    "iris": lambda: load_iris(return_X_y=True),
    "wine": lambda: load_wine(return_X_y=True),
    "wine, scaled": lambda: scaled(load_wine(return_X_y=True)),
    "breast cancer": lambda: load_breast_cancer(return_X_y=True),
    "breast cancer, scaled": lambda: scaled(load_breast_cancer(return_X_y=True)),
    "digits, 200": lambda: digits(200),
    "digits, 600": lambda: digits(600),
    "digits, 600, scaled": lambda: scaled(digits(600)),
    "digits": lambda: digits(1797),
    "digits, over 16": lambda: digits(1797, 16),
    "digits, scaled": lambda: scaled(digits(1797)),
    "made 1000 x 100": lambda: load("made 1000 x 100"),
    "made 3000 x 20": lambda: load("made 3000 x 20"),
    "made 300 x 1000": lambda: scaled(wide()),
}
STORED = {"uspst": 50, "binaryalphadigs": 50, "olivetti": 100}  # and how many principal components


def timed(learner, X, y):
    start = time.process_time()
    learner.fit(X, y)
    return time.process_time() - start


def seconds_to(goal, X, y, repeats):
    """CPU seconds of the fit with the fewest iterations that reaches an objective, and NaN if none does."""
    from metricnets import NCA

    for max_iter in range(1, 101):
        learner = NCA(max_iter=max_iter)
        seconds = [timed(learner, X, y)]
        if nca(learner.components_, X, y) >= goal:
            return np.median(seconds + [timed(learner, X, y) for _ in range(repeats - 1)])
        if learner.n_iter_ < max_iter:
            break
    return np.nan


def accuracy(cls, X, y, n_splits=5):
    """Accuracy of three nearest neighbours on held-out thirds."""
    found = []
    for train, test in StratifiedShuffleSplit(n_splits, test_size=0.3, random_state=0).split(X, y):
        L = cls().fit(X[train], y[train]).components_ if cls else np.eye(X.shape[1])
        knn = KNeighborsClassifier(3).fit(X[train] @ L.T, y[train])
        found.append(knn.score(X[test] @ L.T, y[test]))
    return np.mean(found)


def beside_scikit_learn(name, X, y, repeats=3):
    """Print a row: times, interleaved, and objectives of both, their ratio, and accuracies."""
    from metricnets import NCA

    classes = NeighborhoodComponentsAnalysis, NCA
    seconds, found = np.empty((repeats, 2)), [cls() for cls in classes]
    for cls in classes:
        cls(max_iter=1).fit(X[::3], y[::3])  # so that what is imported on first use is not timed
    for row in seconds:
        row[:] = [timed(learner, X, y) for learner in found]
    values = [nca(learner.components_, X, y) for learner in found]
    to_theirs = seconds_to(values[0] - 1e-9, X, y, repeats)
    row = f"{name:22s}"
    for learner, median, value in zip(found, np.median(seconds, axis=0), values):
        row += f"{median:10.3f} s{learner.n_iter_:5d}{value:9.5f}"
    row += f"{np.median(seconds[:, 1] / seconds[:, 0]):9.2f}{to_theirs / np.median(seconds[:, 0]):9.2f}"
    print(row + "  " + "".join(f"{accuracy(cls, X, y):7.3f}" for cls in (None, *classes)), flush=True)


def compare_nca(quick, folder):
    warnings.simplefilter("ignore")
    sets = dict(SHIPPED)
    for name, n_components in STORED.items():
        if folder and (folder / f"{name}.npz").exists():
            sets[name] = lambda name=name, n_components=n_components: stored(name, folder, n_components)
    print(f"{'':22s}scikit-learn  iter  objective      ours iter objective    times: to its    kNN:  raw, theirs, ours")
    with threadpool_limits(1):
        for name, data in sets.items():
            X, y = data()
            if not quick or X.size <= 15_000:
                beside_scikit_learn(name, X, y)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--work"]:
        work(*sys.argv[2:])
        sys.exit()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a fifth of the rows")
    parser.add_argument("--peer", help="a Python that has metric-learn 0.7.0 and scikit-learn 1.2 to 1.5")
    parser.add_argument("--only", nargs="+", choices=LEARNERS, default=list(LEARNERS), metavar="LEARNER")
    parser.add_argument("--nca", action="store_true", help="NCA beside that of scikit-learn")
    parser.add_argument("--data", type=Path, default=os.environ.get("METRICNETS_DATA"), help="folder of more sets")
    parser.add_argument("--timeout", type=float, default=900, help="seconds for a fit (default: 900)")
    options = parser.parse_args()
    if options.nca:
        compare_nca(options.quick, options.data and Path(options.data))
        sys.exit()
    for data in DATA:
        print(f"\n{data}, of 10 classes{', a fifth of the rows' if options.quick else ''}")
        print(f"{'':16s}{'metricnets':>10s}  iter  added  objective  {'metric-learn' if options.peer else ''}")
        for learner in options.only:
            show(learner, data, options)
