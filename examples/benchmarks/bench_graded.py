"""HRAML at its defaults beneath ML-kNN (label sets) and AA-kNN (label distributions), beside no metric.

Label sets have their published split, scaled by the training part (words: rows of unit norm); label distributions have
10-fold cross-validation, shuffled by the seed, as they are.  The last columns are the mean gain of the main score, and
its spread: the standard deviation over seeds for label sets, the standard error over folds for distributions.

Run ``python bench_graded.py --data DIR``, or set METRICNETS_DATA.
"""

import warnings

import numpy as np
from _options import folder_of, parser_of
from _tables import DISTRIBUTION_SCORES, LABEL_SCORES, better
from sklearn.model_selection import KFold
from sklearn.preprocessing import MinMaxScaler, normalize

from metricnets import AAKNN, HRAML, MLKNN
from metricnets.metrics import distribution_scores, multilabel_scores

LABEL_SETS = ("emotions", "flags", "corel5k")
DISTRIBUTIONS = ("SJAFFE", "emotion6", "Yeast_spoem")
FILES = {name: f"mulan_{name}.npz" for name in LABEL_SETS} | {name: f"ldl_{name}.npz" for name in DISTRIBUTIONS}


def of_labels(metric, A, a, B, b):
    return list(multilabel_scores(b, MLKNN(metric=metric).fit(A, a).predict_proba(B)).values())


def of_distributions(metric, A, a, B, b):
    return list(distribution_scores(b, AAKNN(metric=metric).fit(A, a).predict(B)).values())


def label_sets(name, data, n_seeds):
    """Scores without a metric and with HRAML, for each seed, (n_seeds, 5) each."""
    X, Y, train, test = data["X"].astype(float), data["Y"], data["train"], data["test"]
    X = normalize(X) if name == "corel5k" else MinMaxScaler().fit(X[train]).transform(X)
    split = X[train], Y[train], X[test], Y[test]
    ours = [of_labels(HRAML(random_state=seed), *split) for seed in range(n_seeds)]
    return np.array([of_labels(None, *split)] * n_seeds), np.array(ours)


def distributions(data, n_seeds):
    """Scores without a metric and with HRAML, for each fold of each seed, (10 n_seeds, 6) each."""
    X, Y, found = data["X"].astype(float), data["Y"].astype(float), []
    for seed in range(n_seeds):
        for i, j in KFold(10, shuffle=True, random_state=seed).split(X):
            split = X[i], Y[i], X[j], Y[j]
            found.append([of_distributions(metric, *split) for metric in (None, HRAML(random_state=seed))])
    return np.array(found).swapaxes(0, 1)


def main():
    parser = parser_of(__doc__, quick="small sets, one seed", seeds="of HRAML, and of the folds", n_seeds=5)
    parser.add_argument("--sets", nargs="+", choices=FILES, default=list(FILES))
    options = parser.parse_args()
    folder = folder_of(options, FILES.values())
    if folder is None:
        return
    warnings.simplefilter("ignore")
    n_seeds = 1 if options.quick else options.seeds
    for name in ["emotions", "flags", "SJAFFE"] if options.quick else options.sets:
        with np.load(folder / FILES[name]) as file:
            data = dict(file)
        is_sets = name in LABEL_SETS
        raw, ours = label_sets(name, data, n_seeds) if is_sets else distributions(data, n_seeds)
        columns = LABEL_SCORES if is_sets else DISTRIBUTION_SCORES
        gain = ours[:, -1] - raw[:, -1]
        spread = gain.std() if is_sets else gain.std(ddof=1) / len(gain) ** 0.5
        n_better = better(ours.mean(axis=0), raw.mean(axis=0), columns).sum()
        print(f"\n{name:12s}" + "".join(f"{column:>18s}" for column in columns))
        for row, scores in (("no metric", raw), ("HRAML", ours)):
            cells = [f"{value:.4f} ± {std:.4f}" for value, std in zip(scores.mean(axis=0), scores.std(axis=0))]
            print(f"{row:12s}" + "".join(f"{cell:>18s}" for cell in cells))
        print(
            f"HRAML is better on {n_better} of {len(columns)}; {columns[-1]} {gain.mean():+.4f} ± {spread:.4f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
