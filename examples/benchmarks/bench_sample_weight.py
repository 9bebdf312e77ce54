"""Balanced weights of samples of imbalanced classes: one digit in 3 % of the training samples, with linear learners.

The digit 8 among the others, 20 samples and 640, in standardised features; the other samples are judged by the average
precision, and the balanced accuracy, of the five nearest neighbours, weighted by 1/distance.  The columns are the
learner without weights, with those of ``compute_sample_weight("balanced", y)``, and with these over their largest, so
that no sample counts more than once.  Means over draws of the training samples.
"""

import argparse
import warnings

import numpy as np
from _tables import show
from sklearn.datasets import load_digits
from sklearn.metrics import average_precision_score, balanced_accuracy_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_sample_weight

import metricnets

LEARNERS = {
    "Covariance": {},
    "LDA": {},
    "LFDA": {"n_components": 5},
    "NCA": {"n_components": 5},
    "LMNN": {"n_components": 5, "max_iter": 100, "random_state": 0},
    "KISSME_Supervised": {},
    "GMML_Supervised": {"n_constraints": 2000, "random_state": 0},
    "ITML_Supervised": {"n_constraints": 2000, "random_state": 0},
    "LDML_Supervised": {"n_constraints": 2000, "random_state": 0},
}
COLUMNS = ["AP: none", "balanced", "at most 1", "accuracy: none", "balanced", "at most 1"]


def draw(seed):
    """Training and test samples and whether they are the digit."""
    X, y = load_digits(return_X_y=True)
    X, y, rng = X[:, X.std(axis=0) > 0], y == 8, np.random.default_rng(seed)
    few, many = rng.permutation(np.flatnonzero(y)), rng.permutation(np.flatnonzero(~y))
    train, test = np.r_[few[:20], many[:640]], np.r_[few[20:], many[640:]]
    scaler = StandardScaler().fit(X[train])
    return scaler.transform(X[train]), scaler.transform(X[test]), y[train], y[test]


def judged(name, params, seed):
    """Average precision without weights, with balanced ones and those of at most 1, then the balanced accuracies."""
    X_train, X_test, y_train, y_test = draw(seed)
    balanced, scores = compute_sample_weight("balanced", y_train), []
    for weights in (None, balanced, balanced / balanced.max()):
        metric = getattr(metricnets, name)(**params).fit(X_train, y_train, sample_weight=weights)
        neighbors = KNeighborsClassifier(weights="distance").fit(metric.transform(X_train), y_train)
        found = neighbors.predict_proba(metric.transform(X_test))[:, 1]
        scores.append([average_precision_score(y_test, found), balanced_accuracy_score(y_test, found > 0.5)])
    return np.ravel(scores, order="F")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=10, help="draws of the training samples")
    seeds = parser.parse_args().seeds
    warnings.simplefilter("ignore")
    rows = {}
    for name, params in LEARNERS.items():
        scores = np.array([judged(name, params, seed) for seed in range(seeds)])
        rows[name] = [f"{mean:.3f}" for mean in scores.mean(axis=0)]
    show(f"Digit 8 in 3 % of 660 samples, {seeds} draws", COLUMNS, rows, least=12)


if __name__ == "__main__":
    main()
