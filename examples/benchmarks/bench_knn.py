"""Accuracy of three nearest neighbours with the metric of each learner, all with their defaults.

The features are standardised; stratified 5-fold cross-validation, shuffled with seed 0.  The scores of metric-learn
0.7.0 on the same folds, after the repair of a keyword without which it does not run, are shown too.
"""

import argparse

import numpy as np
from joblib import Parallel, delayed
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tqdm.auto import tqdm

import metricnets
from metricnets import DDML, HRAML, LDA, LFDA, Covariance, EmbeddingNet, Mahalanobis

SETS = {"iris": load_iris, "wine": load_wine, "breast cancer": load_breast_cancer, "digits": load_digits}
LEARNERS = {
    "raw": lambda seed: "passthrough",
    "Covariance": lambda seed: Covariance(),
    "LDA": lambda seed: LDA(),
    "LFDA": lambda seed: LFDA(),
    "Mahalanobis": lambda seed: Mahalanobis(random_state=seed),
    "EmbeddingNet, triplet": lambda seed: EmbeddingNet(loss="triplet", random_state=seed),
    "DDML": lambda seed: DDML(random_state=seed),
    "HRAML": lambda seed: HRAML(random_state=seed),
}
SEEDED = ["NCA", "MLKR", "LMNN"]  # the linear learners that take a seed, and those with pairs or triplets from labels
SEEDED += [f"{name}_Supervised" for name in ("RCA", "ITML", "SDML", "LSML", "MMC", "SCML", "GMML", "LDML", "DMLEig")]
LEARNERS |= {name: (lambda seed, name=name: getattr(metricnets, name)(random_state=seed)) for name in SEEDED}
LEARNERS["DoubletSVM_Supervised"] = lambda seed: metricnets.DoubletSVM_Supervised()
METRIC_LEARN = {  # 0.7.0; NaN: it fails
    "Covariance": (0.900, 0.910, 0.812, 0.943),
    "RCA_Supervised": (np.nan, np.nan, 0.907, np.nan),
    "LFDA": (0.953, 0.994, 0.951, np.nan),
    "MLKR": (0.960, 0.966, 0.963, np.nan),
    "NCA": (0.967, 0.983, 0.960, 0.981),
    "LMNN": (0.940, 0.983, 0.967, 0.982),
    "ITML_Supervised": (0.947, 0.983, 0.947, np.nan),
    "LSML_Supervised": (0.960, 0.960, 0.961, 0.978),
    "MMC_Supervised": (0.967, 0.939, 0.958, 0.846),
    "SCML_Supervised": (0.953, 0.983, 0.972, 0.982),
}


def accuracy(learner, load, seed):
    X, y = load(return_X_y=True)
    model = make_pipeline(StandardScaler(), LEARNERS[learner](seed), KNeighborsClassifier(3))
    return cross_val_score(model, X, y, cv=StratifiedKFold(5, shuffle=True, random_state=0)).mean()


def show(name, rows):
    """Print the mean over seeds, and the standard deviation where there are several."""
    mean, spread = np.mean(rows, axis=0), np.std(rows, axis=0)
    cells = [f"{m:6.3f}" + (f" ± {s:.3f}" if len(rows) > 1 else " " * 8) for m, s in zip(mean, spread)]
    print(f"{name:24s}" + "  ".join(cells))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one seed")
    parser.add_argument("--seeds", type=int, default=5, help="seeds of the learners (default: 5)")
    parser.add_argument("--only", nargs="+", choices=LEARNERS, default=list(LEARNERS), metavar="LEARNER")
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    seeds = range(1 if options.quick else options.seeds)
    tasks = [(learner, load, seed) for learner in options.only for load in SETS.values() for seed in seeds]
    runs = Parallel(options.jobs, return_as="generator")(delayed(accuracy)(*task) for task in tasks)
    found = np.array(list(tqdm(runs, total=len(tasks)))).reshape(len(options.only), len(SETS), len(seeds))
    print(f"{'':24s}" + "  ".join(f"{name:14s}" for name in [*SETS, "mean"]))
    for learner, scores in zip(options.only, found):
        show(learner, np.vstack([scores, scores.mean(axis=0)]).T)
    print("metric-learn 0.7.0")
    for learner, scores in METRIC_LEARN.items():
        show("  " + learner, np.array([[*scores, np.mean(scores)]]))
