"""Several views fused in one embedding: MultiViewNet, on Wikipedia, ETH-80 and MNIST.

The views are *Wikipedia's* images (128 bins) and texts (10 topics), published split; pixels and histograms of gradients
of *ETH-80* (half of the objects of each class on either side) and of *MNIST* (1000 rows to learn from, 1000 of the
published test part).  Accuracies are those of the five nearest neighbours, and mean average precision that of the
retrieval of rows to learn from by test rows.  Each view alone has the same estimator, and EmbeddingNet takes both views
as one.

Then a third of all rows, to learn from and to test on, loses one view, a random one.  *Kept*: these rows are learnt
from.  *Dropped*: they are not; the network, and the neighbours, are of the others.  Both have test rows with NaN.

Run ``python bench_multiview.py --data DIR``, or set METRICNETS_DATA.
"""

import numpy as np
from _options import folder_of, parser_of
from joblib import Parallel, delayed
from sklearn.metrics import accuracy_score
from sklearn.neighbors import KNeighborsClassifier

from metricnets import EmbeddingNet, MultiViewNet
from metricnets.metrics import mean_average_precision

FILES = ("wikipedia.npz", "eth80.npz", "mnist.npz")
N_ROWS, N_BINS = 1000, 8
COLUMNS = "accuracy", "mAP", "accuracy, whole rows", "accuracy, other rows"


def gradients(X, side, n_cells):
    """Roots of the shares of the directions of gradients in the cells of square images."""
    images, size = X.reshape(-1, side, side), side // n_cells
    dy, dx = np.gradient(images, axis=(1, 2))
    bins = ((np.arctan2(dy, dx) % np.pi) / np.pi * N_BINS).astype(int) % N_BINS
    lengths = np.hypot(dx, dy)[..., None] * (bins[..., None] == np.arange(N_BINS))
    cells = lengths.reshape(-1, n_cells, size, n_cells, size, N_BINS).sum(axis=(2, 4)).reshape(len(X), -1)
    return np.sqrt(cells / cells.sum(axis=1, keepdims=True).clip(1e-9))


def wikipedia(data, seed):
    """Views, classes, and the rows to learn from and to test on."""
    return [data["X_image"], data["X_text"]], data["y"], data["train"], data["test"]


def eth80(data, seed):
    """The same, with other objects for each seed."""
    y, objects, rng = data["y"], data["set_id"], np.random.default_rng(seed)
    known = np.concatenate([rng.permutation(np.unique(objects[y == c]))[:5] for c in np.unique(y)])
    train = np.isin(objects, known)
    return [data["X"], gradients(data["X"], 20, 4)], y, np.flatnonzero(train), np.flatnonzero(~train)


def mnist(data, seed):
    """The same, with other rows for each seed."""
    rng = np.random.default_rng(seed)
    rows = np.concatenate([rng.permutation(part)[:N_ROWS] for part in (np.arange(60000), np.arange(60000, 70000))])
    X = data["X"][rows].astype(float)
    return [X, gradients(X, 28, 7)], data["y"][rows], np.arange(N_ROWS), np.arange(N_ROWS, 2 * N_ROWS)


SETS = {"wikipedia": wikipedia, "eth80": eth80, "mnist": mnist}


def scores(model, X, y, train, test):
    """Accuracy of all test rows, mean average precision, and accuracies of those with all views and of the others."""
    z, z_test = model.transform(X[train]), model.transform(X[test])
    right = KNeighborsClassifier(5).fit(z, y[train]).predict(z_test)
    whole = ~np.isnan(X[test]).any(axis=1)
    parts = [accuracy_score(y[test][some], right[some]) if some.any() else np.nan for some in (whole, ~whole)]
    precision = mean_average_precision(z_test, y[test], z, y[train])
    return accuracy_score(y[test], right), precision, *parts


def learners(columns, seed):
    """Each view alone, all as one, and fused."""
    alone = {f"view {v} alone": MultiViewNet(views=[each], random_state=seed) for v, each in enumerate(columns)}
    return alone | {
        "EmbeddingNet of both": EmbeddingNet(random_state=seed),
        "fused, without a joint network": MultiViewNet(views=columns, joint_weight=0.0, random_state=seed),
        "fused": MultiViewNet(views=columns, random_state=seed),
    }


def without_views(X, columns, seed):
    """Points a third of which have NaN in a random view."""
    X, rng = X.copy(), np.random.default_rng(seed)
    lost = np.where(rng.random(len(X)) < 1 / 3, rng.integers(len(columns), size=len(X)), -1)
    for v, each in enumerate(columns):
        X[np.ix_(lost == v, each)] = np.nan
    return X, lost < 0


def draw(views, y, train, test, seed):
    """Scores of each learner."""
    X = np.hstack(views).astype(float)
    columns = np.split(np.arange(X.shape[1]), np.cumsum([view.shape[1] for view in views])[:-1])
    found = {
        name: scores(model.fit(X[train], y[train]), X, y, train, test)
        for name, model in learners(columns, seed).items()
    }
    X, whole = without_views(X, columns, seed)
    for name, rows in {"kept": train, "dropped": train[whole[train]]}.items():
        model = MultiViewNet(views=columns, random_state=seed).fit(X[rows], y[rows])
        found[f"a third without a view, {name}"] = scores(model, X, y, rows, test)
    return found


def main():
    """Parse the options, and print a table for each data set."""
    parser = parser_of(__doc__, quick="one draw of Wikipedia", seeds="number of draws", n_seeds=5)
    options = parser.parse_args()
    folder = folder_of(options, FILES)
    if folder is None:
        return
    for name in ["wikipedia"] if options.quick else SETS:
        with np.load(folder / f"{name}.npz") as table:
            data = {key: table[key] for key in table}
        seeds = range(1 if options.quick else options.seeds)
        found = Parallel(n_jobs=options.jobs)(delayed(draw)(*SETS[name](data, seed), seed) for seed in seeds)
        print(f"\n{name}, mean of {len(found)} draws\n{'':34}" + "".join(f"{column:>22}" for column in COLUMNS))
        for row in found[0]:
            values = np.array([each[row] for each in found])
            print(f"{row:34}" + "".join(f"{value:22.3f}" for value in values.mean(axis=0)), flush=True)


if __name__ == "__main__":
    main()
