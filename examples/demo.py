"""Comparison of the methods on the digits: a table, and a figure in figures/embedding.png.

A third of scikit-learn's digits has labels, from which cross-validation tunes and fits a pipeline of each method.  A
third is held out.  The rest, moved by a pixel or lit from the left, has no labels: it is the target domain of DTML.

Run it with ``make demo``, or ``python examples/demo.py``; it takes about a minute on two idle cores.
"""

import sys
import time
from itertools import product
from pathlib import Path

import numpy as np
import sklearn
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.model_selection import GridSearchCV, StratifiedKFold, train_test_split
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from metricnets import DDML, DTML, HRAML, LDA, Mahalanobis, SourceOnly

try:
    from matplotlib import pyplot as plt
except ImportError:
    raise ImportError("the demo draws a picture with matplotlib; install it with: pip install '.[plot]'") from None

FIGURE = Path("figures/embedding.png")
SIZES = {"metric__n_components": [16, 32]}
METHODS = {
    "raw": ("passthrough", {}),
    "LDA": (LDA(solver="lsqr"), {"metric__n_components": [5, 9], "metric__shrinkage": [None, "auto"]}),
    "Mahalanobis": (Mahalanobis(random_state=0), SIZES),
    "DDML": (DDML(random_state=0), SIZES),
    "HRAML": (HRAML(random_state=0), SIZES),
}
ADAPTING = {
    "raw": ("passthrough", {}),
    "DTML": (DTML(init="jda", n_rounds=5, pseudo_labels="clusters", random_state=0), SIZES),
}


def moved(X):
    """The digits one pixel further to the right."""
    return np.pad(X.reshape(-1, 8, 8), ((0, 0), (0, 0), (1, 0)))[:, :, :8].reshape(-1, 64)


def lit(X):
    """The digits under a light that is as bright as ink at the left edge."""
    return X + 16 * np.tile(np.linspace(1, 0, 8), 8)


CHANGES = {"moved": moved, "other light": lit}


def main():
    """Tune, compare, print, draw."""
    start = time.perf_counter()
    n_searches = len(METHODS) + len(CHANGES) * len(ADAPTING)
    print(f"{n_searches} searches, about a minute on two idle cores; a dot is a fit.", file=sys.stderr)
    sklearn.set_config(enable_metadata_routing=True)  # carries sample_domain to DTML and SourceOnly
    X, y = load_digits(return_X_y=True)
    X_label, X_rest, y_label, y_rest = train_test_split(X, y, test_size=2 / 3, stratify=y, random_state=1)
    X_target, X_test, _, y_test = train_test_split(X_rest, y_rest, test_size=1 / 2, stratify=y_rest, random_state=1)

    tuned, accuracy = {}, {}
    for name, (metric, grid) in METHODS.items():
        tuned[name] = tune(name, metric, KNeighborsClassifier(), grid, X_label, y_label)
        accuracy[name] = tuned[name].best_estimator_.score(X_test, y_test)

    masked = np.concatenate([y_label, np.full(len(X_target), -1)])
    domain = np.repeat([1, -1], [len(X_label), len(X_target)])
    for (what, change), (method, (metric, grid)) in product(CHANGES.items(), ADAPTING.items()):
        both, name = np.vstack([X_label, change(X_target)]), f"{method}, {what}"
        tuned[name] = tune(name, metric, SourceOnly(KNeighborsClassifier()), grid, both, masked, sample_domain=domain)
        accuracy[name] = tuned[name].best_estimator_.score(change(X_test), y_test)

    print(f"\nAccuracy on {len(X_test)} held-out digits, after learning from {len(X_label)} labelled ones.")
    print(f"If they are moved or lit, the method adapts to {len(X_target)} such digits without labels.\n")
    print(table(tuned, accuracy))
    draw(tuned, accuracy, X_label, X_test, y_label, y_test)
    print(f"\nPicture: {FIGURE}    Time: {time.perf_counter() - start:.0f} s")


def tune(name, metric, knn, grid, X, y, **fit_params):
    """Search the grid of a pipeline (scaler, metric, nearest neighbours) by cross-validation."""
    prefix = "knn__estimator__" if isinstance(knn, SourceOnly) else "knn__"
    grid = grid | {f"{prefix}n_neighbors": [1, 3, 5]}
    pipeline = Pipeline([("scale", StandardScaler()), ("metric", metric), ("knn", knn)])
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    search = GridSearchCV(pipeline, grid, scoring=score_and_dot, cv=folds, n_jobs=2)
    print(f"{name:20}", end="", file=sys.stderr, flush=True)
    search.fit(X, y, **fit_params)
    print(file=sys.stderr)
    return search


def score_and_dot(estimator, X, y):
    """Accuracy; a dot on the screen says that a fit is done."""
    print(".", end="", file=sys.stderr, flush=True)
    return estimator.score(X, y)


def table(tuned, accuracy):
    """The results as aligned text."""
    cells = [("method", "accuracy", "fit (s)", "best parameters")]
    for name, search in tuned.items():
        best = ", ".join(f"{key.split('__')[-1]}={value}" for key, value in sorted(search.best_params_.items()))
        cells.append((name, f"{accuracy[name]:.3f}", f"{search.refit_time_:.2f}", best))
    lines = [f"{a:<20}{b:>8}{c:>9}   {d}" for a, b, c, d in cells]
    lines.insert(1, "-" * max(map(len, lines)))
    return "\n".join(lines)


def draw(tuned, accuracy, X_label, X_test, y_label, y_test):
    """The figure: the methods, the two domains before and after adaptation, and which digits are near to which."""
    plt.switch_backend("agg")
    plt.style.use("tableau-colorblind10")
    figure = plt.figure(figsize=(15, 8), layout="constrained")
    top, bottom = figure.subfigures(2, 1, height_ratios=[1, 1.2])
    left, right = bottom.subfigures(1, 2)

    top.suptitle("Held-out digits, placed by t-SNE of each embedding, and the accuracy of nearest neighbours")
    for axis, name in zip(top.subplots(1, len(METHODS)), METHODS):
        mark_digits(axis, TSNE(random_state=0).fit_transform(embed(tuned[name], X_test)), y_test)
        axis.set_title(f"{name}: {accuracy[name]:.3f}")

    left.suptitle("Labelled digits (blue) and held-out ones in another light (orange), principal components")
    for axis, name in zip(left.subplots(1, 2), [f"{name}, other light" for name in ADAPTING]):
        Z_label, Z_test = embed(tuned[name], X_label), embed(tuned[name], lit(X_test))
        plane = PCA(2).fit(np.vstack([Z_label, Z_test]))
        mark_digits(axis, plane.transform(Z_label), y_label, "#0072B2")
        mark_digits(axis, plane.transform(Z_test), y_test, "#D55E00")
        axis.set_title(f"{name}: {accuracy[name]:.3f}")

    right.suptitle("Ten digits (black) and their neighbours number 1, 5, 10, ... 50; framed: another digit")
    for axis, name in zip(right.subplots(1, 2), ["raw", "DDML"]):
        draw_neighbors(axis, embed(tuned[name], X_test), X_test, y_test)
        axis.set_title(name)
    FIGURE.parent.mkdir(exist_ok=True)
    figure.savefig(FIGURE, dpi=150)


def embed(search, X):
    """Points in the tuned metric."""
    return search.best_estimator_[:-1].transform(X)


def mark_digits(axis, points, y, color=None):
    """Write each digit at its point."""
    for digit in range(10):
        axis.scatter(*points[y == digit].T, s=25, marker=f"${digit}$", linewidths=0.3, color=color)
    axis.set(xticks=[], yticks=[])


def draw_neighbors(axis, Z, X, y):
    """Draw a row of images for the first of each digit, and some of its neighbours."""
    queries = [np.flatnonzero(y == digit)[0] for digit in range(10)]
    neighbors = NearestNeighbors().fit(Z).kneighbors(n_neighbors=50, return_distance=False)[queries]
    rows = np.c_[queries, neighbors[:, [0, *range(4, 50, 5)]]]
    tiles = np.pad(X[rows].reshape(*rows.shape, 8, 8), ((0, 0), (0, 0), (1, 1), (1, 1)))
    tiles[:, 0] = 16 - tiles[:, 0]
    axis.imshow(tiles.transpose(0, 2, 1, 3).reshape(10 * len(rows), -1), cmap="gray_r")
    for i, j in np.argwhere(y[rows] != y[queries][:, None]):
        axis.add_patch(plt.Rectangle((10 * j, 10 * i), 9, 9, fill=False, color="#D55E00", lw=1.5))
    axis.set(xticks=[], yticks=[])


if __name__ == "__main__":
    main()
