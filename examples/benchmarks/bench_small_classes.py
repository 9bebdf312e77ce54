"""Recall at 1 of the deep learners where classes are many and small, or few and large.

Synthetic data: the means of the classes differ in half of the 32 directions; the noise is three times as large in the
other half; a rotation mixes the features.  A learner is fitted to samples of every class and scored on new samples of
the same number, each of which is a query in all others.  ``n_per_class=2`` puts as many classes into a batch as
possible; the default should be worse by at most a point.
"""

import argparse
from statistics import mean

import numpy as np
from _tables import show
from tqdm.auto import tqdm

import metricnets
from metricnets.metrics import cmc

SETS = {  # classes, rows of each, how far they scatter
    "400 x 2": (400, 2, 0.4),
    "200 x 5": (200, 5, 0.5),
    "20 x 50": (20, 50, 1.0),
    "10 x 500": (10, 500, 1.2),
}
LEARNERS = ["EmbeddingNet", "Mahalanobis", "DDML", "HRAML"]


def made(n_classes, n_rows, scatter, seed):
    """Points of two samples, and the classes of both."""
    rng = np.random.default_rng(seed)
    centers = np.pad(rng.normal(size=(n_classes, 16)), ((0, 0), (0, 16)))
    noise = scatter * np.repeat([1.0, 3.0], 16)
    rotation = np.linalg.qr(rng.normal(size=(32, 32)))[0]
    y = np.repeat(np.arange(n_classes), n_rows)
    return *((centers[y] + noise * rng.normal(size=(len(y), 32))) @ rotation for _ in range(2)), y


def recall(name, data, seed, **params):
    X, X_test, y = data
    learner = getattr(metricnets, name)(random_state=seed, **params)
    return cmc(learner.fit(X, y).transform(X_test), y, k=1)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one data set of each kind, 20 epochs, no large set")
    parser.add_argument("--seeds", type=int, default=5, help="data sets of each kind (default: 5)")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=list(SETS), metavar="SET")
    parser.add_argument("--only", nargs="+", choices=LEARNERS, default=LEARNERS, metavar="LEARNER")
    return parser.parse_args()


def main():
    options = arguments()
    params = {"max_epochs": 20} if options.quick else {}
    sets = [of for of in options.sets if not (options.quick and of == "10 x 500")]
    data = {of: [made(*SETS[of], seed) for seed in range(1 if options.quick else options.seeds)] for of in sets}
    rows = {"no metric": [f"{mean(cmc(X_test, y, k=1) for _, X_test, y in data[of]):.3f}" for of in sets]}
    for name in tqdm(options.only, leave=False):
        for row, own in ((name, {}), (f"{name}, n_per_class=2", {"n_per_class": 2})):
            found = [[recall(name, made, seed, **params, **own) for seed, made in enumerate(data[of])] for of in sets]
            rows[row] = [f"{mean(values):.3f}" for values in found]
    show("Recall at 1, mean over data sets", sets, rows)


if __name__ == "__main__":
    main()
