"""Few labels and many samples without one; labels that are wrong.

Few: 1, 2, 5, 10 and 50 samples of each class have a label, up to 2,000 others (banking77: 4,000) have none, and new
samples are classified by their neighbours among the labelled ones: the mean of 1-NN and kNN(3), or 1-NN with one or two
labels of each class.  "without" learns from the labelled samples alone, and is no metric with one label of each class,
from which nothing can be learned; the other columns learn from all.  "gallery" has all samples as neighbours, with the
classes that label spreading has found.

Wrong: 0 to 40 % of 1,200 labels (banking77: 3,000) are replaced by another class, drawn at random.  A metric is judged
by new samples and their true classes: whether the nearest of the others is of the same class, and in brackets by
kNN(15) among the training samples with their wrong labels.

Rows: with a tenth and a fifth of the labels wrong, the precision and the recall of the rows that
``inspection.label_quality`` takes for wrong, in folds of ``EmbeddingNet`` with 10 epochs, and the precision of as many
rows as are wrong, the worst first.

Run ``python bench_few_and_wrong_labels.py --data DIR``, or set METRICNETS_DATA.
"""

import warnings

import numpy as np
from _datasets import N_DRAWN, few_of_each, floating, load
from _options import folder_of, parser_of
from _tables import show
from sklearn.datasets import load_breast_cancer, load_digits, load_wine
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors
from sklearn.preprocessing import FunctionTransformer

import metricnets as mn
from metricnets.inspection import label_quality

FILES = {"mnist": "mnist.npz", "uspst": "uspst.npz", "banking77": "banking77_minilm.npz"}
OTHERS = {"olivetti": "olivetti.npz", "news": "news20_rec4_w1000.npz"}
OF_SCIKIT_LEARN = {"wine": load_wine, "breast cancer": load_breast_cancer, "digits": load_digits}
COUNTS, RATES = (1, 2, 5, 10, 50), (0.0, 0.1, 0.2, 0.3, 0.4)
METHODS = ("plain", "small_loss", "soft_labels")
WAYS = ("label_spreading", "self_training", "consistency")
N_UNLABELLED, N_TESTED = 2000, 1000


def read(name, folder):
    """Points, classes, rows to draw from and rows to judge."""
    if name in OF_SCIKIT_LEARN:
        X, y = OF_SCIKIT_LEARN[name](return_X_y=True)
    elif name in OTHERS:
        X, y, _ = load(name, folder)
    else:
        with np.load(folder / FILES[name]) as file:
            X, y = file["X"], file["y"]
            if name == "banking77":
                return floating(X), y, file["train"], file["test"]
        rows = np.random.default_rng(0).permutation(len(y))[: 2 * N_DRAWN]
        X, y = floating(X[rows]), y[rows]
    return X, y, *train_test_split(np.arange(len(y)), test_size=0.3, stratify=y, random_state=0)


def of_neighbors(z, y, z_test, y_test, numbers=(1, 3)):
    return np.mean([100 * KNeighborsClassifier(k).fit(z, y).score(z_test, y_test) for k in numbers])


def few(X, y, pool, test, count, seed, ways):
    """Per cent without and with the other samples, each way, then with the gallery of label spreading."""
    labelled, test = few_of_each(y, seed, pool=pool, test=test, n_per_class=count)
    rng = np.random.default_rng(seed)
    others = rng.permutation(np.setdiff1d(pool, labelled))[: N_UNLABELLED * (1 if len(np.unique(y)) < 50 else 2)]
    test = rng.permutation(test)[:N_TESTED]
    rows, known = np.append(labelled, others), np.arange(len(labelled) + len(others)) < len(labelled)
    partial = np.where(known, np.unique(y, return_inverse=True)[1][rows], -1)
    numbers = (1, 3) if count > 2 else (1,)
    net = FunctionTransformer() if count == 1 else mn.EmbeddingNet(random_state=seed)
    z, z_test = net.fit(X[labelled], y[labelled]).transform(X[labelled]), net.transform(X[test])
    scores, gallery = [of_neighbors(z, y[labelled], z_test, y[test], numbers)], np.nan
    for way in ways:
        net = mn.EmbeddingNet(unlabeled=way, random_state=seed).fit(X[rows], partial)
        z, z_test = net.transform(X[rows]), net.transform(X[test])
        scores.append(of_neighbors(z[known], y[labelled], z_test, y[test], numbers))
        if way == "label_spreading":
            gallery = of_neighbors(z, np.unique(y)[net.transduction_], z_test, y[test])
    return [*scores, gallery]


def falsified(y, rate, seed):
    """Labels, a share of which is another class."""
    rng, classes = np.random.default_rng(seed), np.unique(y)
    wrong = rng.permutation(len(y))[: round(rate * len(y))]
    codes = np.searchsorted(classes, y)
    codes[wrong] = (codes[wrong] + rng.integers(1, len(classes), size=len(wrong))) % len(classes)
    return classes[codes], np.isin(np.arange(len(y)), wrong)


def wrong_labels(X, y, pool, test, rate, seed, methods):
    """Per cent of both scores, each method."""
    rng = np.random.default_rng(seed)
    rows = rng.permutation(pool)[: 1200 if len(np.unique(y)) < 50 else 3000]
    test = rng.permutation(test)[:N_TESTED]
    noisy, _ = falsified(y[rows], rate, seed)
    found = []
    for method in methods:
        noise = None if method == "plain" else method
        net = mn.EmbeddingNet(label_noise=noise, random_state=seed).fit(X[rows], noisy)
        z_test = net.transform(X[test])
        near = NearestNeighbors(n_neighbors=1).fit(z_test).kneighbors(return_distance=False)[:, 0]
        nearest = 100 * np.mean(y[test][near] == y[test])
        found.append((nearest, of_neighbors(net.transform(X[rows]), noisy, z_test, y[test], numbers=(15,))))
    return found


def rows_found(X, y, pool, rate, seed):
    """Precision and recall of the rows taken for wrong, and precision of as many as are wrong, the worst first."""
    rows = np.random.default_rng(seed).permutation(pool)[: 1200 if len(np.unique(y)) < 50 else 3000]
    noisy, wrong = falsified(y[rows], rate, seed)
    found = label_quality(mn.EmbeddingNet(random_state=seed, max_epochs=10), X[rows], noisy)
    taken, worst = found["row"][found["is_wrong"]], found["row"][: wrong.sum()]
    return 100 * wrong[taken].mean(), 100 * wrong[taken].sum() / wrong.sum(), 100 * wrong[worst].mean()


def cells_of(found):
    found = np.array(found)
    return [f"{m:.1f} ± {s:.1f}" for m, s in zip(found.mean(axis=0), found.std(axis=0))]


def table_of_few(name, data, options):
    counts = {c: [few(*data, c, seed, options.ways) for seed in range(options.seeds)] for c in options.counts}
    rows = {f"{count} a class": cells_of(found) for count, found in counts.items()}
    show(f"{name}: new samples, per cent", ["without", *options.ways, "gallery"], rows)


def table_of_wrong(name, data, options):
    rows = {}
    for rate in options.rates:
        found = np.array([wrong_labels(*data, rate, seed, options.methods) for seed in range(options.seeds)])
        gains = found[:, 1:, 0] - found[:, :1, 0]
        errors = gains.std(axis=0) / max(1, len(gains) - 1) ** 0.5
        cells = [f"{nearest:.1f} ({voted:.1f})" for nearest, voted in found.mean(axis=0)]
        rows[f"{rate:.0%} wrong"] = cells + [f"{g:+.1f} ± {e:.1f}" for g, e in zip(gains.mean(axis=0), errors)]
    show(f"{name}: nearest (kNN), per cent", [*options.methods, *("gain, " + m for m in options.methods[1:])], rows)


def table_of_rows(name, data, options):
    found = {rate: [rows_found(*data[:3], rate, seed) for seed in range(options.seeds)] for rate in (0.1, 0.2)}
    rows = {f"{rate:.0%} wrong": cells_of(values) for rate, values in found.items()}
    show(f"{name}: rows that look wrong", ["precision", "recall", "of the worst"], rows)


TABLES = {"few": table_of_few, "wrong": table_of_wrong, "rows": table_of_rows}


def main():
    parser = parser_of(__doc__, quick="digits alone, 5 labels and a fifth wrong", seeds="draws", n_seeds=3)
    parser.add_argument("--part", nargs="+", default=[*TABLES], choices=TABLES)
    parser.add_argument("--sets", nargs="+", default=[*FILES], choices=[*FILES, *OTHERS, *OF_SCIKIT_LEARN])
    parser.add_argument("--counts", nargs="+", type=int, default=COUNTS, help="labelled samples of each class")
    parser.add_argument("--rates", nargs="+", type=float, default=RATES, help="shares of wrong labels")
    parser.add_argument("--ways", nargs="+", default=WAYS, choices=WAYS)
    parser.add_argument("--methods", nargs="+", default=METHODS, choices=METHODS)
    options = parser.parse_args()
    if options.quick:
        options.sets, options.counts, options.rates, options.seeds = ["digits"], (5,), (0.2,), 1
    folder = None if options.quick else folder_of(options, FILES.values())
    if folder is None and not options.quick:
        return
    warnings.simplefilter("ignore")
    for name in options.sets:
        data = read(name, folder)
        for part in options.part:
            TABLES[part](name, data, options)


if __name__ == "__main__":
    main()
