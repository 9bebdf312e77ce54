"""Several views learned online: MultiViewOASIS, on Wikipedia, ETH-80, MNIST and halves of digits.

Wikipedia, ETH-80 and MNIST are those of ``bench_multiview.py``; the views of scikit-learn's *digits* are their upper
and lower halves, of 600 rows to learn from and 600 others.  Accuracies are those of the five nearest neighbours, and
mean average precision that of the retrieval of rows to learn from by test rows.  Each view alone and all columns as one
view have the same estimator.  *Mistakes* are the weights of the paper, by the mistakes of each view.

Then a third of all rows, to learn from and to test on, loses one view, a random one.  *Kept*: these rows are learnt
from.  *Dropped*: they are not, and the neighbours are of the others.  Last, the same triplets one batch after another,
and the time of a triplet.

Run ``python bench_online_views.py --data DIR``, or set METRICNETS_DATA.
"""

import time

import numpy as np
from _options import folder_of, parser_of
from bench_multiview import COLUMNS, FILES, SETS, scores, without_views
from sklearn.datasets import load_digits

from metricnets import MultiViewOASIS, MultiViewOASIS_Supervised

N_TRIPLETS = 2000


def halves_of_digits(data, seed):
    """Views, classes, and the rows to learn from and to test on."""
    X, y = load_digits(return_X_y=True)
    rows = np.random.default_rng(seed).permutation(len(X))
    return [X[:, :32], X[:, 32:]], y, rows[:600], rows[600:1200]


def learners(columns, seed):
    """Each view alone, all as one, and the sum by weights."""
    options = {
        **{f"view {v} alone": {"views": [each]} for v, each in enumerate(columns)},
        "all columns as one view": {"views": 1},
        "sum, equal weights": {"view_weights": "equal"},
        "sum, mistakes": {"view_weights": "mistakes"},
        "sum": {},
    }
    start = {"views": columns, "random_state": seed}
    return {name: MultiViewOASIS_Supervised(**start | params) for name, params in options.items()}


def columns_of(views):
    """Numbers of the columns of each view, if they are side by side."""
    ends = np.cumsum([view.shape[1] for view in views])
    return np.split(np.arange(ends[-1]), ends[:-1])


def draw(views, y, train, test, seed):
    """Scores of each learner, and the weights of the first view."""
    X, columns, found = np.hstack(views).astype(float), columns_of(views), {}
    for name, model in learners(columns, seed).items():
        found[name] = *scores(model.fit(X[train], y[train]), X, y, train, test), model.view_weights_[0]
    X, whole = without_views(X, columns, seed)
    for name, rows in {"kept": train, "dropped": train[whole[train]]}.items():
        model = MultiViewOASIS_Supervised(views=columns, random_state=seed).fit(X[rows], y[rows])
        found[f"a third without a view, {name}"] = *scores(model, X, y, rows, test), model.view_weights_[0]
    return found


def stream(views, y, train, seed):
    """Differences of batches and of single triplets to one pass over all of them, and microseconds a triplet."""
    X, y = np.hstack(views)[train].astype(float), y[train]
    rows = np.random.default_rng(seed).integers(len(X), size=(50 * N_TRIPLETS, 3))
    triplets = rows[(y[rows[:, 0]] == y[rows[:, 1]]) & (y[rows[:, 0]] != y[rows[:, 2]])][:N_TRIPLETS]
    params = {"views": columns_of(views), "shuffle": False, "preprocessor": X}
    start = time.process_time()
    MultiViewOASIS(**params).fit(triplets)
    taken, found = time.process_time() - start, []
    for some, n_parts in ((triplets, 10), (triplets[:50], 50)):
        model, expected = MultiViewOASIS(**params), MultiViewOASIS(**params).fit(some)
        for part in np.array_split(some, n_parts):
            model.partial_fit(part)
        found.append(np.abs(model.transform(X) - expected.transform(X)).max())
    return *found, taken / len(triplets) * 1e6


def table(name, found):
    """Print the means of several draws."""
    columns = *COLUMNS, "weight of view 0"
    print(f"\n{name}, mean of {len(found)} draws\n{'':34}" + "".join(f"{column:>22}" for column in columns))
    for row in found[0]:
        values = np.mean([each[row] for each in found], axis=0)
        print(f"{row:34}" + "".join(f"{value:22.3f}" for value in values), flush=True)


def main():
    """Parse the options, and print a table for each data set."""
    parser = parser_of(__doc__, quick="one draw of halves of digits", seeds="number of draws", n_seeds=3)
    options = parser.parse_args()
    folder = None if options.quick else folder_of(options, FILES)
    data = {"digits": {}}
    for file in FILES if folder else ():
        with np.load(folder / file) as values:
            data[file.removesuffix(".npz")] = {key: values[key] for key in values}
    for name, arrays in data.items():
        prepare = (SETS | {"digits": halves_of_digits})[name]
        seeds = range(1 if options.quick else options.seeds)
        table(name, [draw(*prepare(arrays, seed), seed) for seed in seeds])
        views, y, train, _ = prepare(arrays, 0)
        batches, single, taken = stream(views, y, train, 0)
        print(f"ten batches: {batches:.0e}, single triplets: {single:.0e} of one pass; {taken:.0f} µs a triplet")


if __name__ == "__main__":
    main()
