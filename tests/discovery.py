"""The public estimators, found by name, each with parameters that make it quick and data to fit.

``quick(name).fit(*training_data(name))`` fits any of ``ESTIMATORS``.
"""

import functools
import importlib.util

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone

import metricnets
from metricnets.base import MetricMixin
from metricnets.tuple_learners import PairsMixin, QuadrupletsMixin, TripletsMixin, TuplesMixin

HAS_TORCH = importlib.util.find_spec("torch") is not None  # without it the linear learners are tested
needs_torch = pytest.mark.skipif(not HAS_TORCH, reason="PyTorch is not installed")
DEEP = set(metricnets.deep.__all__)
PUBLIC = {name: getattr(metricnets, name) for name in metricnets.__all__ if HAS_TORCH or name not in DEEP}
ESTIMATORS = {name: cls for name, cls in PUBLIC.items() if isinstance(cls, type) and issubclass(cls, BaseEstimator)}
METRICS = [name for name, cls in ESTIMATORS.items() if issubclass(cls, MetricMixin)]


def of_kind(mixin):
    return [name for name in METRICS if issubclass(ESTIMATORS[name], mixin)]


PAIR_LEARNERS, TUPLE_LEARNERS = of_kind(PairsMixin), of_kind(TuplesMixin)
POINT_LEARNERS = [name for name in METRICS if name not in TUPLE_LEARNERS]
TWO_VIEWS = [name for name in POINT_LEARNERS if hasattr(ESTIMATORS[name], "transform_y")]
ONLINE_VIEWS = ["MultiViewOASIS", "MultiViewOASIS_Supervised"]  # not linear, as points may lack views
REGRESSION = ["MLKR"]
CODES = ["DeepHashing", "SupervisedDeepHashing"]  # many distances are equal
LABEL_SETS = ["AAKNN", "MLKNN"]
SEVERAL_TASKS = ["MultiTaskNet"]
MATCHED = ["QueryAdapter"]  # learned from queries and the document of each
# To these a negative label says that the class is not known
PARTIAL = ["RCA", "XQDA", *(name for name in POINT_LEARNERS if name.endswith("_Supervised"))]

# A parameter of this name gets this value, in whatever estimator it occurs.
QUICK = {"max_epochs": 3, "hidden": (8,), "device": "cpu", "random_state": 0, "n_neighbors": 3, "n_iter": 200}


def quick(name, **params):
    """Make the estimator of this public name, quick unless ``params`` say otherwise."""
    cls = ESTIMATORS[name]
    known = cls._get_param_names()
    start = {"init": "cca"} if name in TWO_VIEWS else {}  # without the search for one, which takes most of the time
    return cls(**start | {key: value for key, value in QUICK.items() if key in known} | params)


def tiny_points(seed=0):
    """45 points of three overlapping classes in four dimensions, shuffled: X float64, y int."""
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat([0, 1, 2], 15))
    return rng.normal(size=(45, 4)) * [1, 2, 0.5, 1] + np.eye(3, 4)[y] * 2, y


def tiny_pairs(seed=0, n_pairs=40):
    """Pairs (n_pairs, 2, 4) of these points and y in {-1, +1}, +1 for those of one class."""
    X, classes = tiny_points(seed)
    rows = np.random.default_rng(seed).integers(len(X), size=(n_pairs, 2))
    return X[rows], np.where(classes[rows[:, 0]] == classes[rows[:, 1]], 1, -1)


def tiny_queries(n_pairs=45):
    """Queries and documents, (n_pairs, 4) each: a query is its document with noise, one column the wrong way round."""
    documents = tiny_points()[0][:n_pairs]
    return documents * [1, 1, 1, -1] + 0.1 * np.random.default_rng(1).normal(size=documents.shape), documents


def tiny_tuples(size):
    """80 triplets or quadruplets (80, size, 4): the second point is of the first one's class, the last two differ."""
    X, classes = tiny_points()
    rows = np.random.default_rng(1).integers(len(X), size=(4000, size))
    y = classes[rows]
    right = (y[:, 0] == y[:, 1]) & (y[:, -1] != y[:, {3: 0, 4: 2}[size]])
    return X[rows[right][:80]]


def tiny_views(seed=0):
    """The 45 points, three features of another view of each, and their classes."""
    X, y = tiny_points(seed)
    rng = np.random.default_rng(seed + 1)
    return X, X[:, :3] @ rng.normal(size=(3, 3)) + 0.3 * rng.normal(size=(45, 3)), y


def tiny_tasks(seed=0):
    """The 45 points, and a column for each of two tasks, of three and two classes; NaN where a point is not annotated.

    Every third point is annotated in both, and the others in one.
    """
    X, y = tiny_points(seed)
    Y, row = np.stack([y, X[:, 3] > 0], axis=1).astype(float), np.arange(len(X))
    Y[row % 3 == 1, 0] = Y[row % 3 == 2, 1] = np.nan
    return X, Y


def training_data(name):
    """Return the first two arguments of ``fit``: points and classes, label sets, classes of several tasks, another view
    or matched points; pairs and ±1; or other tuples and None."""
    if name in SEVERAL_TASKS:
        return tiny_tasks()
    if name in LABEL_SETS:
        X, y = tiny_points()
        return X, np.eye(3)[y]
    if name in TWO_VIEWS:
        return tiny_views()[:2]
    if name in MATCHED:
        return tiny_queries()
    if issubclass(ESTIMATORS[name], TripletsMixin):
        return tiny_tuples(3), None
    if issubclass(ESTIMATORS[name], QuadrupletsMixin):
        return tiny_tuples(4), None
    return tiny_pairs() if issubclass(ESTIMATORS[name], PairsMixin) else tiny_points()


@functools.cache
def fitted(name):
    """The estimator of this name, fitted once for all tests: do not change it."""
    X, y = tiny_points()
    if name == "SourceOnly":
        source = np.where(np.arange(45) % 2, 1, -2)
        return quick(name, estimator=metricnets.LDA()).fit(X, y, sample_domain=source)
    if name == "PairsClassifier":
        return quick(name).fit(*tiny_pairs())
    if name in ("HammingNeighbors", "FaissKNeighborsTransformer"):
        return quick(name).fit(X)
    return quick(name).fit(*training_data(name))


# What may be wrong with the 45 points of four features: each takes X and spoils it.
SPOILS = {
    "a constant column": lambda X: X * [1, 1, 1, 0] + 0.1,
    "a column twice": lambda X: X[:, [0, 1, 0, 2]],
    "duplicate rows": lambda X: X[np.arange(45) // 9 * 9],
    "whole numbers": lambda X: X.round(),
    "tiny": lambda X: X * 1e-8,
    "huge": lambda X: X * 1e8,
    "mixed scales": lambda X: X * [1e-8, 1e-3, 1, 1e8],
    "far away": lambda X: X + 1e8,
    "one column": lambda X: X[:, :1],
    "few rows, many columns": lambda X: np.hstack([X, X[::-1], X**2])[:6],
}

# scikit-learn's check that integer weights do what repeating samples does
NEIGHBORS = "the neighbours of a repeated sample would be its copies; weights multiply the tuples that neighbours form"
NOT_UNIQUE = "the metric is not unique with more features than samples; tests/linear/test_weight*.py have the law"
DRAWN = "tuples are drawn at random; tests/linear/test_weights.py has the law without draws where there is one"
SAMPLED = "weights say how often samples are drawn, so fits agree with those of repeated samples in expectation only"
WHOLE_VIEWS = "a view is missing in all of its columns, and the check sets single entries to NaN"
COUNTED = "a sample is one neighbour whatever its weight, and several if it is repeated"
NO_CLASSIFIER = "it has predict_proba, and the check then asks for the tags of a classifier, which it is not"
OF_SPARSE = ["check_estimator_sparse_array", "check_estimator_sparse_matrix"]
REPEATED = "check_sample_weight_equivalence_on_dense_data"
REPEATED_SPARSE = "check_sample_weight_equivalence_on_sparse_data"
SAMPLERS = [
    "DDML",
    "DNLML_ISA_Supervised",
    "DTML",
    "DeepHashing",
    "EmbeddingNet",
    "HRAML",
    "MMDML",
    "Mahalanobis",
    "MultiTaskNet",
    "MultiViewNet",
    "SupervisedDeepHashing",
    "TwoDomainNet",
]
# estimator name -> {check name: reason}
EXPECTED_FAILURES = {
    **{key: dict.fromkeys([REPEATED, REPEATED_SPARSE], NOT_UNIQUE) for key in ["LFDA", "LMNN"]},
    **{
        key: dict.fromkeys([REPEATED, REPEATED_SPARSE], NEIGHBORS)
        for key in ["RAML", "DoubletSVM_Supervised", "SCML_Supervised"]
    },
    **{
        f"{name}_Supervised": dict.fromkeys([REPEATED, REPEATED_SPARSE], DRAWN)
        for name in ("DMLEig", "LDML", "LSML", "RCA")
    },
    **{key: dict.fromkeys([REPEATED, REPEATED_SPARSE], SAMPLED) for key in [*SAMPLERS, *TWO_VIEWS]},
    "MultiTaskNet": dict.fromkeys([REPEATED, REPEATED_SPARSE], SAMPLED) | dict.fromkeys(OF_SPARSE, NO_CLASSIFIER),
    "MultiViewNet": dict.fromkeys([REPEATED, REPEATED_SPARSE], SAMPLED) | {"check_estimators_pickle": WHOLE_VIEWS},
    "MultiViewOASIS_Supervised": {"check_estimators_pickle": WHOLE_VIEWS},
    **{
        key: dict.fromkeys([REPEATED, REPEATED_SPARSE], COUNTED)
        for key in ["AAKNN", "KNNOutlierDetector", "MLKNN", "OpenSetKNN"]
    },
}
# For this check: nothing is drawn at random, and nothing is the root of a singular matrix
EXACT = {
    **{key: {"n_components": 5} for key in ["Covariance", "KISSME_Supervised"]},
    **{key: {"n_constraints": 1000} for key in ["GMML_Supervised", "MMC_Supervised", "SDML_Supervised"]},
    "ITML_Supervised": {"n_constraints": 1000, "tol": 1e-9},
}


def exact(estimator, check):
    """The estimator with parameters for a check of scikit-learn that asks for exact results."""
    params = EXACT.get(type(estimator).__name__, {}) if check.func.__name__ in (REPEATED, REPEATED_SPARSE) else {}
    return clone(estimator).set_params(**params)
