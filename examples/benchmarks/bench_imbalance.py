"""Metrics learned where 3 % of the samples are positive: without weights, with class weights, with a per-class sampler.

The positives are the malignant tumours of breast cancer, a digit of digits, mnist or uspst, and the rarer class of made
data.  In each of several draws 70 % of the samples are to learn from, where positives are left out until they are 3 %;
all other samples are judged by their 3 nearest neighbours, with weights by distance.  Average precision is that of 3 %
positives too: positives of the test samples have less weight.

Weights of samples are those of scikit-learn's ``compute_sample_weight("balanced", y)``.
"""

import warnings
from statistics import mean

import numpy as np
from _datasets import load
from _options import parser_of
from _tables import run, show
from sklearn.base import clone
from sklearn.datasets import make_classification
from sklearn.metrics import average_precision_score, recall_score
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_sample_weight

from metricnets import DDML, LDA, LMNN, NCA, EmbeddingNet

SHARE = 0.03
POSITIVE = {"breast cancer": 0, "digits": 8, "uspst": 8, "mnist": 8}  # the class
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
        1500, 20, n_informative=8, n_clusters_per_class=3, class_sep=1.2, weights=[0.7], flip_y=0.01, random_state=seed
    )


def drawn(name, folder, seed):
    """Training and test part, of which the training part has 3 % positives."""
    X, y, *_ = made(seed) if name == "made" else load(name, folder)
    y = (y == POSITIVE.get(name, 1)).astype(int)
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
    precision = average_precision_score(y_test, share, sample_weight=weights)
    return [float(value) for value in (precision, recalls.mean(), np.sqrt(recalls.prod()))]


def measured(folder, row, name, seed, max_epochs):
    """Scores of the fit of a row of the table."""
    data = drawn(name, folder, seed)
    X, y, X_test, y_test = data
    learner, weighted = ROWS[row]
    if learner is None:
        return {"scores": scores(*data)}
    learner = clone(learner)
    if "device" in learner.get_params():
        learner.set_params(random_state=seed, device="cpu", max_epochs=max_epochs)
    weights = {"sample_weight": compute_sample_weight("balanced", y)} if weighted else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few samples, few iterations
        learner.fit(X, y, **weights)
    return {"scores": scores(learner.transform(X), y, learner.transform(X_test), y_test)}


ROWS = {"no metric": (None, False)}  # name -> learner, and whether its fit is given weights
for name, learner in LINEAR.items():
    ROWS |= {f"{name}, no weights": (learner, False), f"{name}, sample_weight": (learner, True)}
for name, learner in DEEP.items():
    ROWS |= {f"{name}, {row}": (clone(learner).set_params(**params), False) for row, params in VARIANTS.items()}


def arguments():
    parser = parser_of(__doc__, quick="one draw, 5 epochs, made data", seeds="draws", n_seeds=3)
    parser.add_argument("--sets", nargs="+", choices=["made", *POSITIVE], default=["made", *POSITIVE], metavar="SET")
    parser.add_argument("--only", nargs="+", choices=[*LINEAR, *DEEP], default=[*LINEAR, *DEEP], metavar="LEARNER")
    parser.add_argument("--resume", help="file of the results so far")
    return parser.parse_args()


def main():
    options = arguments()
    seeds = range(1 if options.quick else options.seeds)
    names = [name for name in options.sets if name == "made" or load(name, options.data) is not None]
    names = names[:1] if options.quick else names
    rows = [row for row in ROWS if row == "no metric" or row.rsplit(", ", 1)[0] in options.only]
    keys = [(row, name, seed, 5 if options.quick else 40) for row in rows for name in names for seed in seeds]
    jobs = [(measured, options.data, *key) for key in keys]
    results = run(jobs, n_jobs=options.jobs, resume=options.resume)
    found = dict(zip(keys, results))
    for i, measure in enumerate(MEASURES):
        table = {}
        for row in rows:
            of_sets = [mean(found[key]["scores"][i] for key in keys if key[:2] == (row, name)) for name in names]
            table[row] = [f"{value:.3f}" for value in (*of_sets, mean(of_sets))]
        show(f"{measure}, mean over {len(seeds)} draws", [*names, "mean"], table, least=10)


if __name__ == "__main__":
    main()
