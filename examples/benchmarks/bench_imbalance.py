"""Metrics learned where 3 % of the samples are positive: without weights, and with rare classes drawn more often.

The positives are the malignant tumours of breast cancer, and elsewhere one class, in each draw another one, the last
first.  Breast cancer is standardised, and the others are reduced to 50 principal components.  In a draw 70 % of the
samples are to learn from, of which 640 negatives at most and as many positives as make 3 % are taken; the others are
judged by their five nearest neighbours, with weights by distance.  Average precision is that of 3 % positives too:
positives of the test samples have less weight.

*sample_weight* is scikit-learn's ``compute_sample_weight("balanced", y)``, and *at most 1* the same over its largest,
so that no sample has copies.  The deep learners draw with ``sampler="shuffled"``, there without weights or with
``class_weight="balanced"``, and with ``sampler="balanced"``, their default, or with both.
"""

import warnings

import numpy as np
from _datasets import load
from _options import parser_of
from _tables import run, show
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.metrics import average_precision_score, balanced_accuracy_score
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_sample_weight

from metricnets import (
    DDML,
    LDA,
    LFDA,
    LMNN,
    NCA,
    Covariance,
    EmbeddingNet,
    GMML_Supervised,
    ITML_Supervised,
    KISSME_Supervised,
    LDML_Supervised,
)

SHARE, N_NEGATIVE = 0.03, 640
SETS = {"digits": "digits", "breast cancer": "breast cancer", "uspst": "uspst", "banking": "banking, 10"}
MEASURES = ["average precision", "balanced accuracy"]
OF_PAIRS = GMML_Supervised, ITML_Supervised, LDML_Supervised
LINEAR = {
    **{type(each).__name__: each for each in (Covariance(), LDA(), LFDA(), KISSME_Supervised())},
    "NCA": NCA(max_iter=30, random_state=0),
    "LMNN": LMNN(max_iter=50, random_state=0),
    **{kind.__name__: kind(n_constraints=2000, random_state=0) for kind in OF_PAIRS},
}
LOSSES = ["triplet", "contrastive", "cosface"]
DEEP = {"DDML": DDML(), **{f"EmbeddingNet, {loss}": EmbeddingNet(loss=loss) for loss in LOSSES}}
WEIGHTS = {"no weights": None, "sample_weight": lambda w: w, "at most 1": lambda w: w / w.max()}  # of linear learners
DRAWING = {  # of deep learners
    "no weights": {"sampler": "shuffled"},
    "class_weight": {"sampler": "shuffled", "class_weight": "balanced"},
    "sampler": {},
    "both": {"class_weight": "balanced"},
}
ROWS = {"no metric": None}  # name -> learner, and what makes its weights of balanced ones
ROWS |= {f"{name}, {row}": (learner, make) for name, learner in LINEAR.items() for row, make in WEIGHTS.items()}
for name, learner in DEEP.items():
    ROWS |= {f"{name}, {row}": (clone(learner).set_params(**params), None) for row, params in DRAWING.items()}


def drawn(name, folder, seed):
    """Training and test part, of which the training part has 3 % positives."""
    X, y, _ = load(SETS[name], folder)
    y = (y == (0 if name == "breast cancer" else np.unique(y)[-1 - seed])).astype(int)
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.3, stratify=y, random_state=seed)
    negative, positive = np.flatnonzero(y == 0)[:N_NEGATIVE], np.flatnonzero(y)
    rows = np.r_[negative, positive[: round(SHARE / (1 - SHARE) * len(negative))]]
    model = StandardScaler() if name == "breast cancer" else PCA(50)
    return model.fit_transform(X[rows].astype(float)), y[rows], model.transform(X_test.astype(float)), y_test


def scores(X, y, X_test, y_test):
    """Average precision of 3 % positives, and balanced accuracy."""
    share = KNeighborsClassifier(5, weights="distance").fit(X, y).predict_proba(X_test)[:, 1]
    weights = np.where(y_test, SHARE / y_test.mean(), (1 - SHARE) / (1 - y_test.mean()))
    precision = average_precision_score(y_test, share, sample_weight=weights)
    return [float(precision), float(balanced_accuracy_score(y_test, share > 0.5))]


def measured(folder, row, name, seed, max_epochs):
    """Scores of the fit of a row of the table."""
    X, y, X_test, y_test = data = drawn(name, folder, seed)
    if row == "no metric":
        return {"scores": scores(*data)}
    learner, make = ROWS[row]
    learner = clone(learner)
    if "device" in learner.get_params():
        learner.set_params(random_state=seed, device="cpu", max_epochs=max_epochs)
    weights = {} if make is None else {"sample_weight": make(compute_sample_weight("balanced", y))}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few samples, few iterations
        learner.fit(X, y, **weights)
    return {"scores": scores(learner.transform(X), y, learner.transform(X_test), y_test)}


def arguments():
    parser = parser_of(__doc__, quick="one draw of the digits, 5 epochs", seeds="draws", n_seeds=5)
    parser.add_argument("--sets", nargs="+", choices=SETS, default=[*SETS], metavar="SET")
    parser.add_argument("--only", nargs="+", choices=[*LINEAR, *DEEP], default=[*LINEAR, *DEEP], metavar="LEARNER")
    parser.add_argument("--resume", help="file of the results so far")
    return parser.parse_args()


def main():
    options = arguments()
    seeds = range(1 if options.quick else options.seeds)
    names = [name for name in options.sets if load(SETS[name], options.data) is not None][
        : 1 if options.quick else None
    ]
    rows = [row for row in ROWS if row == "no metric" or row.rsplit(", ", 1)[0] in options.only]
    keys = [(row, name, seed, 5 if options.quick else 40) for name in names for row in rows for seed in seeds]
    results = run([(measured, options.data, *key) for key in keys], n_jobs=options.jobs, resume=options.resume)
    found = dict(zip(keys, results))
    for i, measure in enumerate(MEASURES):
        table = {}
        for row in rows:
            of_sets = [np.mean([found[key]["scores"][i] for key in keys if key[:2] == (row, name)]) for name in names]
            table[row] = [f"{value:.3f}" for value in (*of_sets, np.mean(of_sets))]
        show(f"{measure}, mean over {len(seeds)} draws", [*names, "mean"], table, least=10)


if __name__ == "__main__":
    main()
