"""Comparison of the methods on the digits: a table, and a figure in figures/embedding.png.

Scikit-learn's handwritten digits are split into three parts.  Every method learns from the first part, which has
labels.  The second part is held out.  The third part has no labels and is changed; it is the target domain of DTML.
Its images are either moved one pixel to the right, to which DTML can hardly adapt, or lit from the left, to which it
can.  Every method is a step of a pipeline that cross-validation tunes on the labelled part alone.

Run it with ``make demo``, or ``python examples/demo.py``.
"""

import sys
import time
from pathlib import Path

import numpy as np
import sklearn
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import GridSearchCV, StratifiedKFold, train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from metricnets import DDML, DTML, HRAML, LDA, Mahalanobis, SourceOnly

try:
    import matplotlib
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
    "DTML": (DTML(random_state=0), SIZES),
}
STYLES = {4: ("#0072B2", "o"), 7: ("#D55E00", "^"), 9: ("#009E73", "s")}  # told apart by the colour-blind too


def moved(X):
    """The digits one pixel further to the right."""
    return np.pad(X.reshape(-1, 8, 8), ((0, 0), (0, 0), (1, 0)))[:, :, :8].reshape(-1, 64)


def lit(X):
    """The digits under a light that is as bright as ink at the left edge."""
    return X + 16 * np.tile(np.linspace(1, 0, 8), 8)


CHANGES = {"moved": moved, "other light": lit}


def main():
    """Tune, compare, print, draw."""
    start, n_searches = time.perf_counter(), len(METHODS) + len(CHANGES) * len(ADAPTING)
    print(f"{n_searches} searches, each with a line below: a few minutes on two idle cores.", file=sys.stderr)
    sklearn.set_config(enable_metadata_routing=True)  # carries sample_domain to DTML and SourceOnly
    X, y = load_digits(return_X_y=True)
    X_label, X_rest, y_label, y_rest = train_test_split(X, y, test_size=2 / 3, stratify=y, random_state=1)
    X_target, X_test, _, y_test = train_test_split(X_rest, y_rest, test_size=1 / 2, stratify=y_rest, random_state=1)

    rows = []
    for name, (metric, grid) in METHODS.items():
        search = tuned(name, metric, KNeighborsClassifier(), grid, X_label, y_label)
        rows.append((name, search, search.score(X_test, y_test)))

    masked = np.concatenate([y_label, np.full(len(X_target), -1)])
    domain = np.repeat([1, -1], [len(X_label), len(X_target)])
    for what, change in CHANGES.items():
        both = np.vstack([X_label, change(X_target)])
        for name, (metric, grid) in ADAPTING.items():
            knn = SourceOnly(KNeighborsClassifier())
            search = tuned(f"{name}, {what}", metric, knn, grid, both, masked, sample_domain=domain)
            rows.append((f"{name}, {what}", search, search.score(change(X_test), y_test)))

    print(f"\nAccuracy on {len(X_test)} held-out digits, after learning from {len(X_label)} labelled ones.")
    print("'Moved': on these digits moved by a pixel; 'other light': under a light from the left;")
    print(f"both with {len(X_target)} such digits without labels to adapt to.\n")
    print(table(rows))
    draw(X_label, y_label, X_test, y_test, FIGURE)
    print(f"\nPicture: {FIGURE}    Time: {time.perf_counter() - start:.0f} s")


def tuned(name, metric, knn, grid, X, y, **fit_params):
    """Search the grid of a pipeline (scaler, metric, nearest neighbours) by cross-validation."""
    prefix = "knn__estimator__" if isinstance(knn, SourceOnly) else "knn__"
    grid = grid | {f"{prefix}n_neighbors": [1, 3, 5]}
    pipeline = Pipeline([("scale", StandardScaler()), ("metric", metric), ("knn", knn)])
    search = GridSearchCV(pipeline, grid, cv=StratifiedKFold(3, shuffle=True, random_state=0), n_jobs=2)
    print(f"{name:20}", end="", file=sys.stderr, flush=True)
    start = time.perf_counter()
    search.fit(X, y, **fit_params)
    n_fits = len(search.cv_results_["params"]) * search.n_splits_
    print(f"{n_fits:4} fits in {time.perf_counter() - start:4.1f} s", file=sys.stderr)
    return search


def table(rows):
    """The results as aligned text."""
    cells = [("method", "accuracy", "fit (s)", "best parameters")]
    for name, search, accuracy in rows:
        best = ", ".join(f"{key.split('__')[-1]}={value}" for key, value in sorted(search.best_params_.items()))
        cells.append((name, f"{accuracy:.3f}", f"{search.refit_time_:.2f}", best))
    lines = [f"{a:<20}{b:>8}{c:>9}   {d}" for a, b, c, d in cells]
    lines.insert(1, "-" * max(map(len, lines)))
    return "\n".join(lines)


def draw(X_label, y_label, X_test, y_test, path):
    """Held-out digits 4, 7 and 9 in two dimensions, by PCA and by DDML."""
    matplotlib.use("Agg")
    learned, shown = np.isin(y_label, list(STYLES)), np.isin(y_test, list(STYLES))
    figure, axes = plt.subplots(1, 2, figsize=(10, 4.6), layout="constrained")
    ddml = DDML(n_components=2, normalize=False, random_state=0)  # of unit norm, all would lie on a circle
    for axis, metric in zip(axes, (PCA(2), ddml)):
        embedding = Pipeline([("scale", StandardScaler()), ("metric", metric)])
        Z_label = embedding.fit_transform(X_label[learned], y_label[learned])
        Z = embedding.transform(X_test[shown])
        accuracy = KNeighborsClassifier().fit(Z_label, y_label[learned]).score(Z, y_test[shown])
        for digit, (color, marker) in STYLES.items():
            axis.scatter(*Z[y_test[shown] == digit].T, s=30, c=color, marker=marker, alpha=0.7, label=str(digit))
        axis.set(xticks=[], yticks=[], title=f"{type(metric).__name__}: 5-NN accuracy {accuracy:.2f}")
        axis.set_aspect("equal", "datalim")
    figure.legend(*axis.get_legend_handles_labels(), title="digit", loc="outside right center")
    figure.suptitle("Held-out digits 4, 7 and 9 in two dimensions")
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
