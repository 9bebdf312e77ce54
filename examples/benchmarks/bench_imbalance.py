"""Metrics learned where 3 % of the samples are positive: without weights, with class weights, with a per-class sampler.

The positives are the malignant tumours of breast cancer, a digit of digits, mnist or uspst, and the rarer class of made
data.  In each of several draws 70 % of the samples are to learn from, where positives are left out until they are 3 %;
all other samples are judged by their 3 nearest neighbours, with weights by distance.  Average precision is that of 3 %
positives too: positives of the test samples have less weight.

Weights of samples are those of scikit-learn's ``compute_sample_weight("balanced", y)``.
"""

import warnings
from functools import partial
from statistics import mean

import joblib
import numpy as np
from _datasets import SETS, load
from _options import parser_of
from _tables import show
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.metrics import average_precision_score, recall_score
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_sample_weight
from tqdm.auto import tqdm

from metricnets import DDML, LDA, LMNN, NCA, EmbeddingNet

SHARE = 0.03
POSITIVE = {"breast cancer": 0, "digits": 8, "uspst": 8, "mnist": 8}  # class, or the first one of those of equal rank
MEASURES = ["average precision", "balanced accuracy", "G-mean"]
LINEAR = {"LDA": LDA(), "NCA": NCA(max_iter=30, random_state=0), "LMNN": LMNN(max_iter=50, random_state=0)}
DEEP = {
    "DDML": DDML(),
    **{f"EmbeddingNet, {loss}": EmbeddingNet(loss=loss) for loss in ("triplet", "multi_similarity", "cosface")},
}
VARIANTS = {  # of the deep learners
    "no weights": {"sampler": "shuffled"},
    "class_weight": {"sampler": "shuffled", "class_weight": "balanced"},
    "sampler": {},
    "both": {"class_weight": "balanced"},
}


def made(seed):
    return make_classification(
        2000, 20, n_informative=8, n_clusters_per_class=3, class_sep=1.2, weights=[0.7], flip_y=0.01, random_state=seed
    )


def drawn(name, folder, seed):
    """Training and test part, of which the training part has 3 % positives; None without the file."""
    data = (*made(seed), None) if name == "made" else load(name, folder)
    if data is None:
        return None
    X, y = data[0], (data[1] == POSITIVE.get(name, 1)).astype(int)
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.3, stratify=y, random_state=seed)
    n_positive = round(SHARE / (1 - SHARE) * (y == 0).sum())
    rows = np.r_[np.flatnonzero(y == 0), np.flatnonzero(y)[:n_positive]]
    scaler = StandardScaler() if name in ("breast cancer", "made") else StandardScaler(with_std=False)
    X, y = scaler.fit_transform(X[rows].astype(float)), y[rows]
    return X, y, scaler.transform(X_test.astype(float)), y_test


def scores(X, y, X_test, y_test):
    """Average precision of 3 % positives, balanced accuracy, geometric mean of the recalls of the classes."""
    share = KNeighborsClassifier(3, weights="distance").fit(X, y).predict_proba(X_test)[:, 1]
    weights = np.where(y_test, SHARE / y_test.mean(), (1 - SHARE) / (1 - y_test.mean()))
    recalls = recall_score(y_test, share > 0.5, average=None)
    return average_precision_score(y_test, share, sample_weight=weights), recalls.mean(), np.sqrt(recalls.prod())


def measured(learner, weighted, name, folder, seed):
    """Scores of one fit; None without the file."""
    data = drawn(name, folder, seed)
    if data is None:
        return None
    X, y, X_test, y_test = data
    if learner is None:
        return scores(*data)
    learner = clone(learner)
    if "device" in learner.get_params():
        learner.set_params(random_state=seed, device="cpu")
    weights = {"sample_weight": compute_sample_weight("balanced", y)} if weighted else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        learner.fit(X, y, **weights)
    return scores(learner.transform(X), y, learner.transform(X_test), y_test)


def rows_of(quick):
    """Name of each row -> learner and whether its fit is given weights."""
    rows = {"no metric": (None, False)}
    for name, learner in LINEAR.items():
        rows |= {f"{name}, no weights": (learner, False), f"{name}, sample_weight": (learner, True)}
    for name, learner in DEEP.items():
        for variant, params in VARIANTS.items():
            params = params | {"max_epochs": 5} if quick else params
            rows[f"{name}, {variant}"] = clone(learner).set_params(**params), False
    return rows


def main():
    parser = parser_of(__doc__, quick="one draw, 5 epochs, no files", seeds="draws", n_seeds=3)
    options = parser.parse_args()
    seeds = range(1 if options.quick else options.seeds)
    names = ["breast cancer", "digits", "made", *([] if options.quick or options.data is None else ["uspst", "mnist"])]
    names = [name for name in names if name not in SETS or load(name, options.data) is not None]
    rows = rows_of(options.quick)
    jobs = [(row, name, seed) for row in rows for name in names for seed in seeds]
    run = joblib.Parallel(n_jobs=options.jobs, return_as="generator")
    found = run(joblib.delayed(measured)(*rows[row], name, options.data, seed) for row, name, seed in jobs)
    found = dict(zip(jobs, tqdm(found, total=len(jobs), leave=False)))
    for i, measure in enumerate(MEASURES):
        of = partial(cells, found, names, seeds, i)
        show(f"{measure}, mean over {len(seeds)} draws", [*names, "mean"], {row: of(row) for row in rows}, least=10)


def cells(found, names, seeds, i, row):
    """The mean of a measure over draws for each data set, and the mean of these."""
    means = [mean(found[row, name, seed][i] for seed in seeds) for name in names]
    return [f"{value:.3f}" for value in [*means, mean(means)]]


if __name__ == "__main__":
    main()
