"""Random hostile input of predictors, scores and protocols: a finite result, or an error that names what is wrong.

``METRICNETS_CASES=1000 pytest tests/test_hostile_evaluation.py`` draws so many for each, instead of 12.
"""

import inspect
import os
import re
import time
import traceback
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import sklearn
from discovery import ESTIMATORS, METRICS, quick, training_data
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.utils import get_tags

import metricnets
from metricnets import (
    AAKNN,
    ITML,
    LDA,
    MLKNN,
    Covariance,
    FaissKNeighborsTransformer,
    HammingNeighbors,
    KNNOutlierDetector,
    NearestClassMean,
    NearestSet,
    OpenSetKNN,
    PairsClassifier,
    SourceOnly,
    calibration,
    metrics,
    protocols,
)

SET_DISTANCES = ("minimum", "mean_nearest", "mutual_subspace", "affine_hull", "convex_hull")
N_CASES = int(os.environ.get("METRICNETS_CASES", 12))
OWN = str(Path(metricnets.__file__).parent)
CHECKS = tuple(str(Path(sklearn.__file__).parent / part) for part in ("utils", "neighbors"))  # and those of neighbours
GOOD = 0.75  # how often an argument is as it should be


# ------------------------------------------------------------------------------------------------
# Arguments, good and spoilt.


def any_of(rng, *choices):
    return choices[rng.integers(len(choices))]


def spoilt(rng, A):
    """A table or column with something wrong, or only odd, about it."""
    A = np.array(A)
    if not A.size:
        return A
    first = (0,) * A.ndim
    with_first = lambda value, dtype=float: _put(A, first, value, dtype)  # noqa: E731
    spoils = [
        lambda: with_first(np.nan),
        lambda: with_first(np.inf),
        lambda: with_first(None, object),
        lambda: with_first("a", object),
        lambda: with_first(pd.NA, object),
        lambda: with_first(1e308),
        lambda: with_first(-7),
        lambda: A.astype(float) * 1e200,
        lambda: A.astype(float) * 1e-200,
        lambda: A.astype(float) * 1e-320,
        lambda: A.astype(np.float16),
        lambda: A.astype(np.float32),
        lambda: A.astype(bool),
        lambda: A.astype(complex),
        lambda: A.astype(str),
        lambda: A.astype(object),
        lambda: A * 0,
        lambda: A * 0 + 1,
        lambda: A[:0],
        lambda: A[:1],
        lambda: A[1:],
        lambda: A[..., :0],
        lambda: A[..., None],
        lambda: A[None],
        lambda: A.ravel(),
        lambda: A[np.zeros(len(A), int)],
        lambda: A.tolist(),
        lambda: pd.DataFrame(A.reshape(len(A), -1), index=[f"r{i}" for i in range(len(A))]),
        lambda: pd.Series(list(A)),
        lambda: csr_matrix(A.reshape(len(A), -1).astype(float)),
        lambda: np.ma.masked_array(A, rng.random(A.shape) < 0.5),
        lambda: np.asfortranarray(A),
        lambda: A[::-1],
        lambda: [[1.0], [1.0, 2.0]],
        lambda: {"a": 1},
        lambda: None,
        lambda: 3,
        lambda: "abc",
        lambda: [],
    ]
    return any_of(rng, *spoils)()


def _put(A, where, value, dtype):
    A = A.astype(dtype)
    A[where] = value
    return A


def maybe(rng, value):
    return value if rng.random() < GOOD else spoilt(rng, value)


def table(rng, n, d):
    kind = rng.integers(4)
    return [
        rng.normal(size=(n, d)),
        rng.normal(size=(n, d)).round(),
        rng.normal(size=(n, d)) + 1e6,
        rng.normal(size=(n, d)) * 10.0 ** rng.integers(-9, 9),
    ][kind]


def classes(rng, n):
    codes = rng.integers(rng.integers(1, 4), size=n)
    return any_of(rng, codes, codes - 1, codes * 0.5, np.array(["a", "b", "c"])[codes], codes == 0, np.arange(n), codes)


def label_sets(rng, n):
    return (rng.random((n, rng.integers(1, 5))) < any_of(rng, 0, 0.3, 0.5, 1)).astype(any_of(rng, int, float, bool))


def distributions(rng, n, d):
    p = rng.dirichlet(np.full(d, any_of(rng, 0.05, 1)), size=n)
    return any_of(rng, p, p.round(), p.astype(np.float32), np.eye(d)[rng.integers(d, size=n)])


def pair_labels(rng, n):
    similar = rng.random(n) < any_of(rng, 0.5, 0.5, 0.1)
    return any_of(rng, similar, np.where(similar, 1, -1), similar * 1.0, similar.astype(np.uint8))


def whole(rng):
    return any_of(rng, 1, 1, 2, 3, 3, 5, 100, 0, -1, 2.5, None, "3", True, np.int64(2), [1, 2], [], np.nan)


def number(rng):
    return any_of(rng, 0.0, 0.1, 0.5, 1.0, 1, -0.1, 1.5, np.nan, np.inf, None, "1", [0.1, 0.5], [], True, 1e-300, 1j)


class Odd(TransformerMixin, BaseEstimator):
    """A transformer that returns odd things."""

    def __init__(self, seed=0):
        self.seed = seed

    def fit(self, X, y=None):
        self.fitted_ = True
        return self

    def transform(self, X):
        rng = np.random.default_rng(self.seed)
        return spoilt(rng, X) if rng.random() < 0.5 else np.asarray(X)


def odd_distance(u, v):
    return np.nan if u[0] > 1 else np.abs(u - v).sum()


def embedder(rng, X, y):
    """What embeds points: fitted or not, ours and of others, and what does not."""
    fitted = Covariance().fit(table(rng, 20, np.shape(X)[1] if np.ndim(X) > 1 else 1))
    return any_of(
        rng,
        None,
        None,
        Covariance(),
        LDA(n_components=1),
        fitted,
        Odd(int(rng.integers(99))),
        np.abs,
        lambda X: X[:, 0],
        lambda X: X > 0,
        ITML(),
        LDA,
        "lda",
        3,
        LinearRegression(),
    )


# ------------------------------------------------------------------------------------------------
# Calls: a generator to what is called with which arguments.


def scores_of_sets(name):
    def call(rng):
        Y = label_sets(rng, rng.integers(1, 20))
        score = rng.random(Y.shape).round(any_of(rng, 1, 9))
        extra = {"threshold": number(rng)} if name == "multilabel_scores" and rng.random() < 0.3 else {}
        return getattr(metrics, name), (maybe(rng, Y), maybe(rng, score)), extra

    return call


def scores_of_distributions(name):
    def call(rng):
        n, d = rng.integers(1, 20), rng.integers(1, 5)
        return getattr(metrics, name), (maybe(rng, distributions(rng, n, d)), maybe(rng, distributions(rng, n, d))), {}

    return call


def scores_of_pairs(name):
    def call(rng):
        n = rng.integers(2, 40)
        score = any_of(rng, rng.normal(size=n), rng.normal(size=n).round(), np.zeros(n))
        extra = {
            "tar_at_far": {"far": number(rng)},
            "best_threshold_accuracy": {"fold": maybe(rng, classes(rng, n))},
        }.get(name, {})
        return getattr(metrics, name), (maybe(rng, pair_labels(rng, n)), maybe(rng, score)), extra

    return call


def scores_of_retrieval(name):
    def call(rng):
        n, d = rng.integers(1, 25), rng.integers(1, 5)
        extra = {"metric": any_of(rng, "euclidean", "cosine", "euclidean", "l1", None)} if rng.random() < 0.5 else {}
        if rng.random() < 0.4:
            m = rng.integers(1, 9)
            extra |= {"z_gallery": maybe(rng, table(rng, m, d)), "y_gallery": maybe(rng, classes(rng, m))}
        if name in ("cmc", "precision_at_k", "recall_at_k", "retrieval_scores"):
            extra["k"] = whole(rng)
        return getattr(metrics, name), (maybe(rng, table(rng, n, d)), maybe(rng, classes(rng, n))), extra

    return call


def thresholds(rng):
    n = rng.integers(2, 30)
    y = np.where(rng.random(n) < 0.5, 1, -1)
    params = {"strategy": any_of(rng, *calibration.STRATEGIES, "best", None), "min_rate": number(rng)}
    return calibration.threshold, (maybe(rng, rng.normal(size=n)), maybe(rng, y)), params | {"beta": number(rng)}


def neighbors(cls):
    def call(rng):
        n, d = rng.integers(2, 30), rng.integers(1, 5)
        X, y = table(rng, n, d), any_of(rng, label_sets, classes)(rng, n)
        if cls is AAKNN:
            y = any_of(rng, distributions(rng, n, 3), rng.normal(size=n), y)
        params = {"n_neighbors": whole(rng), "metric": any_of(rng, embedder(rng, X, y), None, odd_distance)}
        params["metric"] = odd_distance if inspect.isroutine(params["metric"]) else params["metric"]
        params["metric"] = None if isinstance(params["metric"], np.ufunc) else params["metric"]
        params |= {"smoothing": number(rng)} if cls is MLKNN and rng.random() < 0.3 else {}

        def fit_and_predict(X, y, X_new, **params):
            model = cls(**params).fit(X, y)
            return [model.predict(X_new), model.predict_proba(X_new) if cls is MLKNN else 0]

        if not isinstance(y[0], str) and cls is MLKNN and y.ndim == 1 and y.dtype == float:
            y = y.astype(int)
        return fit_and_predict, (maybe(rng, X), maybe(rng, y), maybe(rng, X[: rng.integers(1, 9)])), params

    return call


def points_predictor(cls):
    def call(rng):
        n, d = rng.integers(2, 30), rng.integers(1, 5)
        X, y = table(rng, n, d), classes(rng, n)
        y = y.astype(int) if y.dtype == float else y
        metric = any_of(rng, embedder(rng, X, y), None, odd_distance)
        metric = odd_distance if inspect.isroutine(metric) else metric
        params = {"metric": None if isinstance(metric, np.ufunc) else metric}
        params |= {"n_neighbors": whole(rng)} if cls is not NearestClassMean else {"scale": number(rng)}
        params |= {"rejection_rate": any_of(rng, "auto", number(rng), 0)} if cls is OpenSetKNN else {}

        def fit_and_predict(X, y, X_new, **params):
            model = cls(**params).fit(X, y)
            scores = model.predict_proba if cls is NearestClassMean else model.score_samples
            return [len(model.predict(X_new)), scores(X_new)]

        return fit_and_predict, (maybe(rng, X), maybe(rng, y), maybe(rng, X[: rng.integers(1, 9)])), params

    return call


def pairs_classifier(rng):
    n, d = rng.integers(2, 30), rng.integers(1, 5)
    pairs, y = table(rng, 2 * n, d).reshape(n, 2, d), pair_labels(rng, n)
    metric = any_of(rng, embedder(rng, pairs[:, 0], y), None)
    params = {"metric": metric, "strategy": any_of(rng, *calibration.STRATEGIES, "accuracy", "best")}
    params |= {"min_rate": number(rng), "beta": number(rng)} if rng.random() < 0.5 else {}

    def fit_and_predict(pairs, y, new, **params):
        model = PairsClassifier(**params).fit(pairs, y)
        return [
            model.decision_function(new),
            model.predict_proba(new),
            model.predict(new).astype(int),
            model.score(pairs, y),
        ]

    return fit_and_predict, (maybe(rng, pairs), maybe(rng, y), maybe(rng, pairs[:3])), params


def source_only(rng):
    n, d = rng.integers(2, 30), rng.integers(1, 5)
    X, y = table(rng, n, d), classes(rng, n)
    y = y.astype(int) if y.dtype == float else y
    estimator = any_of(rng, None, None, KNeighborsClassifier(2), LDA, "knn", 3)
    domain = any_of(rng, None, rng.choice([-1, 1], size=n))

    def fit_and_predict(X, y, X_new, sample_domain, **params):
        model = SourceOnly(**params).fit(X, y, sample_domain)
        return [len(model.predict(X_new)), model.score(X, y, sample_domain)]

    domain = domain if domain is None else maybe(rng, domain)
    return fit_and_predict, (maybe(rng, X), maybe(rng, y), maybe(rng, X[:3]), domain), {"estimator": estimator}


def verification(rng):
    n, d = rng.integers(4, 30), rng.integers(1, 5)
    X, rows = table(rng, n, d), rng.integers(n, size=(rng.integers(4, 40), 2))
    y, fold = pair_labels(rng, len(rows)), rng.integers(rng.integers(1, 4), size=len(rows))
    estimator = any_of(rng, embedder(rng, X, y), ITML(), PairsClassifier(), PairsClassifier(Odd(3)))
    pairs, extra = (rows, {"preprocessor": maybe(rng, X)}) if rng.random() < 0.5 else (X[rows], {})
    extra |= {"metric": any_of(rng, "euclidean", "cosine", "l1")} if rng.random() < 0.5 else {}
    return protocols.cross_validate_pairs, (estimator, maybe(rng, pairs), maybe(rng, y), maybe(rng, fold)), extra


def gallery(rng):
    n, d = rng.integers(4, 30), rng.integers(1, 5)
    X, y = table(rng, n, d), rng.integers(5, size=n)
    persons = rng.permutation(5)
    splits = [(persons[:2], persons[2:])] * rng.integers(1, 3)
    splits = splits if rng.random() < GOOD else any_of(rng, [], None, 3, "ab", [(0, 1)], [([0], [0])], {}, [[[]] * 2])
    extra = {"k": whole(rng)} if rng.random() < 0.5 else {}
    extra |= {"metric": any_of(rng, "euclidean", "cosine", "l1")} if rng.random() < 0.5 else {}
    arguments = embedder(rng, X, y), maybe(rng, X), maybe(rng, y), maybe(rng, rng.random(n) < 0.5), splits
    return protocols.gallery_probe, arguments, extra


def domains(rng):
    n, d = rng.integers(4, 30), rng.integers(1, 5)
    X, y, domain = table(rng, n, d), classes(rng, n), rng.integers(2, size=n)
    predictor = any_of(rng, None, None, KNeighborsClassifier(1), KNeighborsClassifier(2), LinearRegression(), 3, LDA())
    extra = {"tasks": any_of(rng, None, [(0, 1)], [(1, 0), (0, 1)], [(0, 0)], [(0, 7)], [], 3, "01", [(None, 0)])}
    arguments = embedder(rng, X, y), maybe(rng, X), maybe(rng, y), maybe(rng, domain)
    return protocols.transfer, arguments, extra | {"predictor": predictor}


class OddViews(BaseEstimator):
    """A learner of two views that returns odd embeddings."""

    def __init__(self, seed=0):
        self.seed = seed

    def fit(self, X, Y, y=None):
        self.fitted_ = True
        return self

    def transform(self, X, Y):
        rng = np.random.default_rng(self.seed)
        z, z_y = X[:, :1], Y[:, :1]
        odd = maybe(rng, z_y)
        return any_of(rng, (z, z_y), [z_y, z], (z, odd), z, None, (z, z_y, z), (z > 0, z_y), (z, z_y * np.nan))


def across_views(rng):
    n, d = rng.integers(4, 30), rng.integers(1, 5)
    X, Y, y, order = table(rng, n, d), table(rng, n, any_of(rng, d, 3)), classes(rng, n), rng.permutation(n)
    splits = [(order[: n // 2], order[n // 2 :]), (order < n // 2, order >= n // 2)][: rng.integers(1, 3)]
    odd = any_of(rng, [], None, 3, "ab", [(order, order)], [(order[:2], order[:0])], {}, [[[]] * 2], [([0], [n])])
    splits = splits if rng.random() < GOOD else odd
    odd_views = OddViews(int(rng.integers(99)))
    function = odd_views.transform
    estimator = any_of(rng, None, None, odd_views, function, OddViews, "cca", 3, Covariance(), LinearRegression())
    extra = {"k": whole(rng)} if rng.random() < 0.5 else {}
    extra |= {"metric": any_of(rng, "euclidean", "cosine", "l1", None)} if rng.random() < 0.5 else {}
    y = any_of(rng, None, maybe(rng, y))
    return protocols.cross_view, (estimator, maybe(rng, X), maybe(rng, Y), y, splits), extra


def split_of_sets(rng):
    n, d = rng.integers(4, 30), rng.integers(1, 5)
    X, Y, order = table(rng, n, d), label_sets(rng, n), rng.permutation(n)
    train, test = maybe(rng, order[: n // 2]), maybe(rng, order[n // 2 :])
    if rng.random() < 0.2:
        train, test = order < n // 2, order >= n // 2
    estimator = any_of(rng, MLKNN(n_neighbors=1), KNeighborsClassifier(1), KNeighborsClassifier(2), LDA, None, LDA())
    extra = {"scaling": any_of(rng, None, "train", "each", "all")}
    return protocols.multilabel_split, (estimator, maybe(rng, X), maybe(rng, Y), train, test), extra


def set_names(rng, n):
    return any_of(rng, np.arange(n) // 3, np.array(["s", "t"])[np.arange(n) % 2], np.zeros(n), rng.integers(4, size=n))


def distance_of_sets(rng):
    some = [lambda A, B: float(len(A)), lambda A, B: np.nan, lambda A, B: A, "euclidean", None, 3]
    return any_of(rng, *SET_DISTANCES) if rng.random() < GOOD else any_of(rng, *some)


def distances_between_sets(rng):
    n, d = rng.integers(1, 20), rng.integers(1, 5)
    extra = {"distance": distance_of_sets(rng)} if rng.random() < GOOD else {}
    if rng.random() < 0.5:
        m = rng.integers(1, 9)
        extra |= {"Y": maybe(rng, table(rng, m, d)), "groups_Y": maybe(rng, set_names(rng, m))}
    return metrics.set_distances, (maybe(rng, table(rng, n, d)), maybe(rng, set_names(rng, n))), extra


def distance_of_two_sets(name):
    def call(rng):
        d = rng.integers(1, 5)
        A, B = (maybe(rng, table(rng, rng.integers(1, 9), d)) for _ in range(2))
        extra = {"n_components": whole(rng), "center": bool(rng.integers(2))} if "subspace" in name else {}
        return getattr(metrics, name), (A, B), extra if rng.random() < 0.5 else {}

    return call


def values_of_sets(rng):
    n = rng.integers(1, 12)
    groups = set_names(rng, n)
    values = np.unique(groups, return_inverse=True)[1] if rng.random() < GOOD else classes(rng, n)
    return metrics.one_per_set, (maybe(rng, groups), maybe(rng, values)), {}


def nearest_set(rng):
    n, d = rng.integers(2, 20), rng.integers(1, 5)
    X, groups = table(rng, n, d), set_names(rng, n)
    y = any_of(rng, groups, np.array(["a", "b"])[np.unique(groups, return_inverse=True)[1] % 2])
    params = {"distance": distance_of_sets(rng), "metric": any_of(rng, embedder(rng, X, y), None, None)}

    def fit_and_predict(X, y, groups, X_new, groups_new, n_neighbors, **params):
        model = NearestSet(**params).fit(X, y, groups)
        model.predict(X_new, groups_new)
        return [model.class_distances(X_new), *model.kneighbors(X_new, groups_new, n_neighbors=n_neighbors)]

    new = maybe(rng, X[:3]), any_of(rng, None, maybe(rng, groups[:3])), any_of(rng, 1, 1, whole(rng))
    return fit_and_predict, (maybe(rng, X), maybe(rng, y), maybe(rng, groups), *new), params


def codes(rng, n, n_bits, is_packed):
    signs = rng.normal(size=(n, n_bits))
    if is_packed:
        return np.packbits(signs > 0, axis=1)
    return any_of(rng, np.sign(signs), signs > 0, signs, (signs > 0) * 1)


def of_codes(name):
    def call(rng):
        n, m, n_bits, is_packed = *rng.integers(1, 12, size=2), rng.integers(1, 20), rng.random() < 0.4
        a, b = (maybe(rng, codes(rng, size, n_bits, is_packed)) for size in (n, m))
        arguments, extra = {
            "pack_codes": ((a,), {}),
            "unpack_codes": ((a, whole(rng)), {}),
            "hamming_distances": ((a, b)[: rng.integers(1, 3)], {}),
            "hamming_scores": ((a, maybe(rng, classes(rng, n)), b, maybe(rng, classes(rng, m))), {"k": whole(rng)}),
        }[name]
        return getattr(metrics, name), arguments, extra

    return call


def nearest_codes(rng):
    n, m, n_bits, is_packed = *rng.integers(1, 12, size=2), rng.integers(1, 20), rng.random() < 0.4
    database, queries = (maybe(rng, codes(rng, size, n_bits, is_packed)) for size in (n, m))

    def fit_and_search(X, queries, k, **params):
        return HammingNeighbors(**params).fit(X).kneighbors(queries, k)

    queries = None if rng.random() < 0.2 else queries
    return fit_and_search, (database, queries, any_of(rng, None, 1, whole(rng))), {"n_neighbors": whole(rng)}


def nearest_by_faiss(rng):
    n, d = rng.integers(1, 20), rng.integers(1, 5)
    X, queries = maybe(rng, table(rng, n, d)), maybe(rng, table(rng, rng.integers(1, 6), d))

    def fit_and_search(X, queries, k, **params):
        model = FaissKNeighborsTransformer(**params).fit(X)
        return [*model.kneighbors(queries, k), model.transform(queries).toarray()]

    params = {
        "n_neighbors": whole(rng),
        "metric": any_of(rng, "euclidean", "cosine"),
        "factory": any_of(rng, None, "Flat"),
    }
    return fit_and_search, (X, queries, any_of(rng, None, 1, whole(rng))), params


def lists_of_neighbors(rng):
    n, m = rng.integers(1, 12, size=2)
    neighbors, y = maybe(rng, rng.integers(n, size=(m, rng.integers(1, 6)))), maybe(rng, classes(rng, m))
    return metrics.neighbor_scores, (neighbors, y, any_of(rng, None, maybe(rng, classes(rng, n)))), {"k": whole(rng)}


def names(*functions):
    return [function.__name__ for function in functions]


SETS = ["average_precision", "coverage", "multilabel_scores", "one_error", "ranking_loss"]
INDEXES = {"neighbor_scores": lists_of_neighbors, "FaissKNeighborsTransformer": nearest_by_faiss}
DISTRIBUTIONS = names(metrics.canberra, metrics.chebyshev, metrics.clark, metrics.cosine, metrics.distribution_scores)
DISTRIBUTIONS += names(metrics.intersection, metrics.kullback_leibler)
PAIRS = ["best_threshold_accuracy", "equal_error_rate", "expected_calibration_error", "tar_at_far"]
RETRIEVAL = ["cmc", "map_at_r", "mean_average_precision", "precision_at_k", "r_precision", "recall_at_k"]
RETRIEVAL += ["retrieval_scores"]
CODES = ["hamming_distances", "hamming_scores", "pack_codes", "unpack_codes"]
OF_TWO_SETS = ["minimum_distance", "mean_nearest_distance", "mutual_subspace_distance", "affine_hull_distance"]
OF_TWO_SETS += ["convex_hull_distance"]
CALLS = {
    **{name: scores_of_sets(name) for name in SETS},
    **{name: scores_of_distributions(name) for name in DISTRIBUTIONS},
    **{name: scores_of_pairs(name) for name in PAIRS},
    **{name: scores_of_retrieval(name) for name in RETRIEVAL},
    "threshold": thresholds,
    "MLKNN": neighbors(MLKNN),
    "AAKNN": neighbors(AAKNN),
    "KNNOutlierDetector": points_predictor(KNNOutlierDetector),
    "NearestClassMean": points_predictor(NearestClassMean),
    "OpenSetKNN": points_predictor(OpenSetKNN),
    "PairsClassifier": pairs_classifier,
    "SourceOnly": source_only,
    "HammingNeighbors": nearest_codes,
    **INDEXES,
    "NearestSet": nearest_set,
    **{name: of_codes(name) for name in CODES},
    **{name: distance_of_two_sets(name) for name in OF_TWO_SETS},
    "one_per_set": values_of_sets,
    "set_distances": distances_between_sets,
    "cross_validate_pairs": verification,
    "gallery_probe": gallery,
    "transfer": domains,
    "multilabel_split": split_of_sets,
    "cross_view": across_views,
}


# It fits a network for each task and fold; what it refuses has tests of its own.
ELSEWHERE = {"negative_transfer"}


def test_every_score_predictor_and_protocol_is_called():
    predictors = {name for name, cls in ESTIMATORS.items() if cls.__module__.startswith("metricnets.predictors")}
    scores = set(metrics.__all__) - {"get_scorer", "get_scorer_names"}
    assert {*CALLS, *ELSEWHERE} == predictors | scores | set(protocols.__all__) | {"threshold"}


# ------------------------------------------------------------------------------------------------
# What may come of it.


def is_finite(value):
    if isinstance(value, dict):
        return all(is_finite(part) for part in value.values())
    if isinstance(value, (list, tuple)):
        return all(is_finite(part) for part in value)
    value = np.asarray(value)
    return value.dtype.kind in "OUS" or bool(np.isfinite(value).all())


def last_frames(error):
    """The files that the error passed through, the one that raised it last."""
    return [frame.filename for frame in traceback.extract_tb(error.__traceback__)]


# Words for parameters: of the functions above, of what they are given, and of scikit-learn's checks of arrays.
WORDS = {"X", "Y", "y", "z", "n_samples", "array", "Input", "preprocessor", "pairs", "tuples", "features", "estimator"}
WORDS |= {"input variables", "label type", "class", "indicators", "Complex", "sparse matrices", "n_neighbors"}


def functions_of(error):
    """Names of the functions that the error passed through: what estimators validate is said as everywhere."""
    return [frame.name for frame in traceback.extract_tb(error.__traceback__)]


def is_clear(error, function, extra):
    """Whether it is a ValueError or TypeError that we, or a check that we called, raised and that names something."""
    frames = last_frames(error)
    if frames[-1] == __file__ and len(frames) > 1:  # a metric of others failed
        return True
    if not isinstance(error, (ValueError, TypeError)) or isinstance(error, np.linalg.LinAlgError):
        return False
    after = frames[max((i for i, frame in enumerate(frames) if frame.startswith(OWN)), default=0) + 1 :]
    if after and not any(frame.startswith(CHECKS) for frame in after):
        return False
    words = WORDS | set(inspect.signature(function).parameters) | set(extra)
    return "validate_data" in functions_of(error) or any(re.search(rf"\b{word}\b", str(error)) for word in words)


@pytest.mark.parametrize("seed", range(0, N_CASES, 12), ids=lambda seed: f"cases {seed} to {seed + 11}")
@pytest.mark.parametrize("name", CALLS)
def test_hostile_arguments_give_a_finite_result_or_a_clear_error(name, seed):
    for case in range(seed, seed + 12):
        rng = np.random.default_rng([case, *name.encode()])
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # what does not fit a small type
                function, arguments, extra = CALLS[name](rng)
        except (TypeError, ValueError, OverflowError) as error:
            frames = last_frames(error)
            assert not any(frame.startswith(OWN) for frame in frames), case
            continue  # what cannot be cast or shaped so cannot be given either
        begin = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # those of learners
            warnings.simplefilter("ignore", DataConversionWarning)
            warnings.filterwarnings("ignore", "invalid value encountered in (cast|reduce)")  # scikit-learn, of infinity
            try:
                result = function(*arguments, **extra)
            except NotFittedError:
                continue
            except Exception as error:
                if not is_clear(error, function, extra):
                    raise AssertionError((case, arguments, extra)) from error
                continue
        assert is_finite(result), (case, arguments, extra, result)
        assert time.perf_counter() - begin < 20, (case, arguments, extra)


@pytest.mark.parametrize(
    "name",
    [
        *METRICS,
        "PairsClassifier",
        "MLKNN",
        "AAKNN",
        "SourceOnly",
        "NearestClassMean",
        "OpenSetKNN",
        "KNNOutlierDetector",
        "NearestSet",
        "HammingNeighbors",
        "FaissKNeighborsTransformer",
    ],
)
def test_what_fit_lacks_is_said_in_the_name_of_the_public_class(name):
    learner = quick(name)
    for arguments in ((), *([((training_data(name)[0]),)] if name in METRICS else [])):
        if arguments and not get_tags(learner).target_tags.required:
            continue
        with pytest.raises((TypeError, ValueError), match=rf"\b{name}\b"):
            learner.fit(*arguments)
    with pytest.raises(TypeError, match=rf"^{name}\.fit\(\)"):
        learner.fit(nonsense=1)
