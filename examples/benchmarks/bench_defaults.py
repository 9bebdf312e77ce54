"""Whether a learner with its defaults is worse than no metric: accuracy of nearest neighbours on many data sets.

Every data set is split several times, 70 % to learn from and 30 % to judge, unless it has a protocol: whole objects of
eth80, and 5 or 10 rows of each class of banking77 and its test part.  All learners have the same splits and the same
points, centred and divided by one scale, both from the training part.  A learner is marked where it is more than half a
point below the better of raw points and their principal components.  A linear learner is left out where a fit would
take more than about a minute.  ``--ablation`` changes one rule of the defaults of EmbeddingNet at a time.  ``--table
FILE.csv`` is for your own tables, with classes in the last column: columns are standardised, at most 600
rows are drawn, and there are more learners.  Run ``python bench_defaults.py --data DIR``, or set METRICNETS_DATA.
"""

import time
import warnings
from functools import partial
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
from _datasets import SETS, Dataset, load, stratified
from _options import parser_of
from _tables import show
from joblib import Parallel, delayed
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import FunctionTransformer, StandardScaler

import metricnets as mn
from metricnets.constraints import negative_pairs, positive_pairs
from metricnets.deep._training import wccn


class _FromPairs:
    """DDMLPairs on pairs drawn from classes, five of either kind for each point."""

    def __init__(self, seed):
        self.seed = seed

    def fit(self, X, y):
        rng = np.random.RandomState(self.seed)
        similar, dissimilar = (draw(y, 5 * len(y), rng) for draw in (positive_pairs, negative_pairs))
        labels = np.repeat([1, -1], [len(similar), len(dissimilar)])
        self.metric = mn.DDMLPairs(preprocessor=X, random_state=self.seed).fit(np.vstack([similar, dissimilar]), labels)
        return self

    def transform(self, X):
        return self.metric.transform(X)


LINEAR = {
    "raw": lambda seed: FunctionTransformer(),
    "PCA": lambda seed: PCA(0.95),
    "LDA": lambda seed: mn.LDA(solver="eigen", shrinkage="auto"),
    "RCA": lambda seed: mn.RCA_Supervised(random_state=seed),
    "KISSME": lambda seed: mn.KISSME_Supervised(),
    "ITML": lambda seed: mn.ITML_Supervised(random_state=seed),
    "LMNN": lambda seed: mn.LMNN(random_state=seed),
    "NCA": lambda seed: mn.NCA(random_state=seed),
}
DEEP = {
    "Mahalanobis": lambda seed: mn.Mahalanobis(random_state=seed),
    "triplet": lambda seed: mn.EmbeddingNet(random_state=seed),
    "N-pair": lambda seed: mn.EmbeddingNet(loss="npair", random_state=seed),
    "DDML": lambda seed: mn.DDML(random_state=seed),
    "DDMLPairs": _FromPairs,
    "HRAML": lambda seed: mn.HRAML(random_state=seed),
}
LEARNERS = LINEAR | DEEP
MORE = {  # for tables of the user
    "Covariance": lambda seed: mn.Covariance(),
    "LFDA": lambda seed: mn.LFDA(),
    "GMML": lambda seed: mn.GMML_Supervised(random_state=seed),
    "SDML": lambda seed: mn.SDML_Supervised(random_state=seed),
    "LSML": lambda seed: mn.LSML_Supervised(random_state=seed),
    "MMC": lambda seed: mn.MMC_Supervised(random_state=seed),
    "SCML": lambda seed: mn.SCML_Supervised(random_state=seed),
    "LDML": lambda seed: mn.LDML_Supervised(random_state=seed),
    "DMLEig": lambda seed: mn.DMLEig_Supervised(random_state=seed),
    "DoubletSVM": lambda seed: mn.DoubletSVM_Supervised(),
    "OASIS": lambda seed: mn.OASIS_Supervised(random_state=seed),
    "DNLML-ISA": lambda seed: mn.DNLML_ISA_Supervised(random_state=seed),
    "hashing": lambda seed: mn.SupervisedDeepHashing(random_state=seed),
    "MultiTaskNet": lambda seed: mn.MultiTaskNet(random_state=seed),
}


class _Start:
    """EmbeddingNet whose start is computed with other constants."""

    def __init__(self, seed, **constants):
        self.seed, self.constants = seed, constants

    def fit(self, X, y):
        with mock.patch.multiple(wccn, **self.constants):
            self.metric = mn.EmbeddingNet(random_state=self.seed).fit(X, y)
        return self

    def transform(self, X):
        return self.metric.transform(X)


def _changed(**params):
    return lambda seed: mn.EmbeddingNet(random_state=seed, **params)


ABLATION = {
    "all of it": _changed(),
    "start only": _changed(lr=1e-9, max_epochs=1),
    "identity": _changed(init="identity"),
    "random": _changed(init="glorot"),
    "one ridge": partial(_Start, RIDGES=(0.3,)),
    "no lift": partial(_Start, LIFTS=(0.0,)),
    "one scale": partial(_Start, feature_scales=lambda X: np.ones(X.shape[1])),
    "no unit norm": _changed(normalize=False),
    "all positives": _changed(positive_fraction=1.0),
    "no dropout": _changed(dropout=0.0, input_dropout=0.0),
    "decay 0.1": _changed(weight_decay=0.1),
    "100 epochs": _changed(max_epochs=100),
}
NO_METRIC = ["raw", "PCA"]
LIMITS = {"LDA": (1000, 1000), "ITML": (1000, 100)}  # features and classes for which a fit takes a minute
QUICK = ["iris", "wine", "breast cancer", "uspst", "banking, 5"]
TOLERATED = 0.5  # points
N_OF_TABLE = 600  # rows of a table of the user, at most


def evaluate(dataset, make, *, n_splits=3, seeds=(0,), n_jobs=1):
    """Per cent of 1-NN and of kNN(3), and CPU seconds of the fit, of ``make(seed)``: (n_seeds, n_splits, 3)."""
    parts = [scaled_parts(*dataset, seed=split) for split in range(n_splits)]
    found = Parallel(n_jobs)(delayed(judged)(make(seed), *part) for seed in seeds for part in parts)
    return np.array(found).reshape(len(seeds), n_splits, 3)


def scaled_parts(X, y, split, seed):
    """Training and test part, less the mean of the training part and divided by its root mean square."""
    train, test = split(y, seed)
    if split is by_columns:
        scaler = StandardScaler().fit(X[train])
        return scaler.transform(X[train]), y[train], scaler.transform(X[test]), y[test]
    center = X[train].mean(axis=0)
    scale = np.sqrt(((X[train] - center) ** 2).mean())
    return (X[train] - center) / scale, y[train], (X[test] - center) / scale, y[test]


def by_columns(y, seed):
    """The split of a table of the user, whose columns are standardised one by one."""
    return stratified(y, seed)


def table_of(path):
    """A CSV file with classes in its last column; columns that are no numbers become one-hot, and gaps medians."""
    frame = pd.read_csv(path, skipinitialspace=True)
    classes = frame.iloc[:, -1].astype(str)
    frame = frame[classes.map(classes.value_counts()) > 1]
    y, X = frame.iloc[:, -1].astype(str).to_numpy(), pd.get_dummies(frame.iloc[:, :-1], dtype=float)
    X = X.fillna(X.median()).to_numpy(float)
    if len(y) > N_OF_TABLE:
        X, _, y, _ = train_test_split(X, y, train_size=N_OF_TABLE, stratify=y, random_state=0)
    return Dataset(X, y, by_columns)


def judged(learner, X, y, X_test, y_test):
    begin = time.process_time()
    learner.fit(X, y)
    seconds = time.process_time() - begin
    z, z_test = learner.transform(X), learner.transform(X_test)
    return *(100 * KNeighborsClassifier(k).fit(z, y).score(z_test, y_test) for k in (1, 3)), seconds


def judge_all(dataset, learners, options):
    """Means (n_learners, 3), NaN of learners that are left out; each learner is printed when it is done."""
    means, size = np.full((len(learners), 3), np.nan), (dataset.X.shape[1], len(np.unique(dataset.y)))
    for i, name in enumerate(learners):
        if np.greater(size, LIMITS.get(name, np.inf)).any():
            print(f"  {name:14s}{'-':>6s}")
            continue
        seeds = range(1 if name in LINEAR | MORE else options.seeds)
        scores = evaluate(
            dataset, (LEARNERS | MORE | ABLATION)[name], n_splits=options.splits, seeds=seeds, n_jobs=options.jobs
        )
        means[i] = scores.mean(axis=(0, 1))
        mark = "!" if worse(means[None, :, :2])[0, i].any() else " "
        print(f"  {name:14s}{spread(scores[..., 0])}  {spread(scores[..., 1])} {mark}{means[i, 2]:8.1f} s", flush=True)
    return means


def spread(scores):
    """The mean of scores (n_seeds, n_splits), and the standard deviation over seeds if there are several."""
    return f"{scores.mean():6.1f}" + (f" ± {scores.mean(axis=1).std():4.1f}" if len(scores) > 1 else "")


def no_metric(scores):
    """The better score of raw points and principal components, which come first, in (n_sets, n_learners, ...)."""
    return scores[:, : len(NO_METRIC)].max(axis=1, keepdims=True)


def worse(scores):
    """Mask of the scores that are worse than no metric; raw points and principal components are none."""
    found = scores < no_metric(scores) - TOLERATED
    found[:, : len(NO_METRIC)] = False
    return found


def show_summary(learners, sets, means):
    """Print tables of the means (n_sets, n_learners, 3)."""
    for i, judge in enumerate(("1-NN", "kNN(3)")):
        title = f"{judge}, per cent; !: more than {TOLERATED} points below no metric"
        show(title, learners, table(sets, means[..., i]), least=7)
    either = worse(means[..., :2]).any(axis=2).sum(axis=0)
    seconds = [f"{s:.1f} " for s in np.nanmean(means[..., 2], axis=0)]
    show("Both", learners, {"marked by 1-NN or kNN(3)": [f"{n} " for n in either], "CPU s": seconds}, least=7)


def table(sets, scores):
    """Rows of the scores (n_sets, n_learners), then how far above no metric and how often below it they are."""
    best = np.nanmax(scores, axis=1, keepdims=True)
    rows = {
        name: ["- " if np.isnan(score) else f"{score:.1f}{'!' if mark else ' '}" for score, mark in zip(*of_set)]
        for name, *of_set in zip(sets, scores, worse(scores))
    }
    return rows | {
        "mean": [f"{m:.1f} " for m in np.nanmean(scores, axis=0)],
        "above no metric": [f"{m:+.1f} " for m in np.nanmean(scores - no_metric(scores), axis=0)],
        "marked": [f"{n} " for n in worse(scores).sum(axis=0)],
        "near the best": [f"{n} " for n in (scores >= best - TOLERATED).sum(axis=0)],
        "of sets": [f"{n} " for n in np.isfinite(scores).sum(axis=0)],
    }


def arguments():
    parser = parser_of(__doc__, quick="one split, one seed, five sets", seeds="of deep learners", n_seeds=5)
    parser.add_argument("--splits", type=int, default=3, help="of each data set (default: 3)")
    parser.add_argument("--sets", nargs="+", choices=SETS, metavar="SET")
    parser.add_argument("--table", nargs="+", type=Path, metavar="FILE", help="CSV files, classes in the last column")
    known = f"of {', '.join(LEARNERS)}; raw and PCA are always among them"
    parser.add_argument("--only", nargs="+", choices=LEARNERS | MORE, default=[], metavar="LEARNER", help=known)
    parser.add_argument("--ablation", action="store_true", help="change one rule of the defaults at a time")
    options = parser.parse_args()
    every = LEARNERS | MORE if options.table else LEARNERS
    options.only = list(ABLATION) if options.ablation else options.only or list(every)
    options.sets = options.table or options.sets or (QUICK if options.quick else list(SETS))
    if options.quick:
        options.seeds = options.splits = 1
    return options


def main():
    options = arguments()
    warnings.simplefilter("ignore")  # of few rows for many features: the table shows what becomes of them
    learners = NO_METRIC + [name for name in options.only if name not in NO_METRIC]
    means = {}
    for name in options.sets:
        dataset = table_of(name) if options.table else load(name, options.data)
        if dataset is None:
            print(f"{name} is left out: give --data DIR or METRICNETS_DATA, with {SETS[name][0]}.")
            continue
        print(f"{name}: {len(dataset.X)} x {dataset.X.shape[1]}, {len(np.unique(dataset.y))} classes", flush=True)
        means[str(name)] = judge_all(dataset, learners, options)
    if means:
        show_summary(learners, list(means), np.stack(list(means.values())))


if __name__ == "__main__":
    main()
