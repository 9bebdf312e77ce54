"""metric-learn's API, row by row: what its users call is here, and does what it should."""

import copy
import functools
import importlib
import inspect
import pickle
import sys
from operator import attrgetter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from discovery import tiny_points
from numpy.linalg import LinAlgError
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import clone, is_classifier
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags

from metricnets import metric_learn
from metricnets.metric_learn.exceptions import NonPSDError, PreprocessorError

SIGNATURES = {  # what may be passed by position, in this order
    "Covariance": "preprocessor=None",
    "RCA": "n_components=None, preprocessor=None",
    "RCA_Supervised": "n_components=None, n_chunks=100, chunk_size=2, preprocessor=None, random_state=None",
    "LFDA": "n_components=None, k=None, embedding_type='weighted', preprocessor=None",
    "NCA": "init='auto', n_components=None, max_iter=100, tol=None",
    "MLKR": "n_components=None, init='auto', tol=None, max_iter=1000",
    "LMNN": "init='auto', n_neighbors=3, min_iter=50, max_iter=1000, learn_rate=1e-7, regularization=0.5, "
    "convergence_tol=0.001, verbose=False, preprocessor=None, n_components=None, random_state=None",
    "ITML": "gamma=1.0, max_iter=1000, tol=1e-3, prior='identity'",
    "ITML_Supervised": "gamma=1.0, max_iter=1000, tol=1e-3, n_constraints=None, prior='identity'",
    "SDML": "balance_param=0.5, sparsity_param=0.01, prior='identity'",
    "SDML_Supervised": "balance_param=0.5, sparsity_param=0.01, prior='identity', n_constraints=None",
    "LSML": "tol=1e-3, max_iter=1000, prior='identity'",
    "LSML_Supervised": "tol=1e-3, max_iter=1000, prior='identity', n_constraints=None, weights=None",
    "MMC": "max_iter=100, max_proj=10000, tol=1e-3, init='identity', diagonal=False, diagonal_c=1.0",
    "MMC_Supervised": "max_iter=100, max_proj=10000, tol=1e-6, n_constraints=None, init='identity', "
    "diagonal=False, diagonal_c=1.0",
    "SCML": "beta=1e-5, basis='triplet_diffs', n_basis=None, gamma=5e-3, max_iter=10000, output_iter=500, "
    "batch_size=10",
    "SCML_Supervised": "k_genuine=3, k_impostor=10, beta=1e-5, basis='lda', n_basis=None, gamma=5e-3, "
    "max_iter=10000, output_iter=500, batch_size=10",
}
LAST = "verbose=False, preprocessor=None, random_state=None"  # of all the others
CONSTRUCTORS = {
    name: eval(f"dict({text})" if "preprocessor" in text else f"dict({text}, {LAST})")
    for name, text in SIGNATURES.items()
}
FIT = {  # the arguments of fit, and what is learned besides components_, preprocessor_ and n_features_in_
    "Covariance": ("X y", ""),
    "RCA": ("X y", ""),  # the second is there for pipelines, and takes the chunks; as a keyword they are `chunks`
    "RCA_Supervised": ("X y", ""),
    "LFDA": ("X y", ""),
    "NCA": ("X y", "n_iter_"),
    "MLKR": ("X y", "n_iter_"),
    "LMNN": ("X y", "n_iter_ labels_"),
    "ITML": ("pairs y bounds calibration_params", "n_iter_ bounds_ threshold_"),
    "ITML_Supervised": ("X y bounds", "n_iter_ bounds_"),
    "SDML": ("pairs y calibration_params", "threshold_ n_iter_ balance_"),  # the last two are new
    "SDML_Supervised": ("X y", "n_iter_ balance_"),
    "MMC": ("pairs y calibration_params", "n_iter_ converged_ A_ threshold_"),
    "MMC_Supervised": ("X y", "n_iter_ converged_ A_"),
    "LSML": ("quadruplets weights", "n_iter_ w_"),
    "LSML_Supervised": ("X y", "n_iter_ w_"),
    "SCML": ("triplets", "n_iter_"),
    "SCML_Supervised": ("X y", "n_iter_"),
}
SIZE = {"ITML": 2, "MMC": 2, "SDML": 2, "SCML": 3, "LSML": 4}  # points in a tuple
PAIRS_LEARNERS = ["ITML", "MMC", "SDML"]
POINTS_LEARNERS = [name for name in FIT if name not in SIZE]
FROM_LABELS = [name for name in FIT if name.endswith("_Supervised")]
ITERATIVE = [name for name in FIT if "verbose" in CONSTRUCTORS[name]]
PRIORS = [name for name in FIT if "prior" in CONSTRUCTORS[name]]
MAPS = ["NCA", "MLKR", "LMNN"]  # whose init is a linear map

every = pytest.mark.parametrize("name", FIT)
of_points = pytest.mark.parametrize("name", POINTS_LEARNERS)
of_tuples = pytest.mark.parametrize("name", SIZE)
of_pairs = pytest.mark.parametrize("name", PAIRS_LEARNERS)

# ------------------------------------------------------------------------------------------------
# Data: rows of X, and tuples of such rows.

X, y = tiny_points()
N, D = X.shape
ROWS = np.arange(N)
RNG = np.random.default_rng(0)


def partners(rows, same):
    """For each row another one of its class, or of another class."""
    return np.array([RNG.choice(ROWS[((y == y[i]) == same) & (i != ROWS)]) for i in rows])


A, C = RNG.integers(N, size=(2, 60))
TRIPLETS = np.column_stack([A, partners(A, True), partners(A, False)])
QUADRUPLETS = np.column_stack([TRIPLETS[:, :2], C, partners(C, False)])
PAIRS = QUADRUPLETS.reshape(-1, 2)
SAME = np.tile([1, -1], 60)
CHUNKS = np.where(ROWS < 30, np.argsort(np.argsort(y, kind="stable")) // 5, -1)

GIVEN = {name: (ROWS, y) for name in POINTS_LEARNERS} | {name: (PAIRS, SAME) for name in PAIRS_LEARNERS}
GIVEN |= {"Covariance": (ROWS,), "RCA": (ROWS, CHUNKS), "SCML": (TRIPLETS,), "LSML": (QUADRUPLETS,)}
SETTINGS = {
    "RCA_Supervised": {"n_chunks": 15},
    "SCML": {"max_iter": 2000},
    "SCML_Supervised": {"max_iter": 2000},
    "MLKR": {"tol": 1e-3},
    "NCA": {"tol": 1e-3},
}


def make(name, **params):
    """The learner of this name, seeded."""
    seed = {"random_state": 0} if "random_state" in CONSTRUCTORS[name] else {}
    return getattr(metric_learn, name)(**seed | SETTINGS.get(name, {}) | params)


def given(name, points=X):
    """What fit is given, with the points formed."""
    rows, *rest = GIVEN[name]
    return points[rows], *rest


@functools.cache
def fitted(name):
    """The learner of this name, fitted once for all tests: do not change it."""
    return make(name).fit(*given(name))


def text(value):
    """A short name of a value, for the names of tests."""
    return f"array of {value.shape}" if isinstance(value, np.ndarray) else str(value)


# ------------------------------------------------------------------------------------------------
# 1. Names.

EVERYTHING = ["Constraints", *FIT]
NAMES = {
    "": [*EVERYTHING, "__version__"],
    "base_metric": [
        *("BaseMetricLearner", "MetricTransformer", "MahalanobisMixin"),
        *("_PairsClassifierMixin", "_TripletsClassifierMixin", "_QuadrupletsClassifierMixin"),
        *("ArrayIndexer", "check_input", "validate_vector"),
    ],
    "constraints": ["Constraints", "wrap_pairs", "comb"],
    "exceptions": ["PreprocessorError", "NonPSDError"],
    "covariance": ["Covariance"],
    "lfda": ["LFDA"],
    "lmnn": ["LMNN"],
    "mlkr": ["MLKR"],
    "nca": ["NCA"],
    "rca": ["RCA", "RCA_Supervised"],
    **{name.lower(): [name, f"{name}_Supervised", f"_Base{name}"] for name in SIZE},
}


@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module, names in NAMES.items() for name in names], ids=str
)
def test_names_are_where_they_were(module, name):
    found = getattr(importlib.import_module(f"metricnets.metric_learn.{module}".rstrip(".")), name)
    assert getattr(metric_learn, name, found) is found


def test_the_package_lists_its_names():
    assert set(metric_learn.__all__) == {*EVERYTHING, "__version__"}
    assert {*metric_learn.__all__, *filter(None, NAMES)} <= set(dir(metric_learn))


@pytest.mark.parametrize("module", [module for module in NAMES if module])
def test_modules_are_attributes_of_the_package(module):
    assert getattr(metric_learn, module) is sys.modules[f"metricnets.metric_learn.{module}"]


@pytest.mark.parametrize(
    ("name", "ancestor"),
    [(name, base) for name in FIT for base in ("BaseMetricLearner", "MetricTransformer", "MahalanobisMixin")]
    + [(name, "_PairsClassifierMixin") for name in PAIRS_LEARNERS]
    + [("SCML", "_TripletsClassifierMixin"), ("LSML", "_QuadrupletsClassifierMixin")],
)
def test_learners_are_of_the_classes_that_metric_learn_names(name, ancestor):
    assert issubclass(getattr(metric_learn, name), getattr(metric_learn.base_metric, ancestor))


@pytest.mark.parametrize("name", SIZE)
def test_both_forms_of_a_learner_share_its_base(name):
    module = importlib.import_module(f"metricnets.metric_learn.{name.lower()}")
    for form in (name, f"{name}_Supervised"):
        assert issubclass(getattr(module, form), getattr(module, f"_Base{name}"))


def test_exceptions_are_of_the_kinds_that_users_catch():
    assert issubclass(NonPSDError, LinAlgError)
    assert not issubclass(PreprocessorError, (ValueError, LinAlgError))


def test_check_input_forms_points_and_tuples():
    check_input = metric_learn.base_metric.check_input
    assert_array_equal(check_input(ROWS, preprocessor=X), X)
    assert_array_equal(check_input(PAIRS, preprocessor=X, type_of_inputs="tuples", tuple_size=2), X[PAIRS])
    pairs, labels = check_input(X[PAIRS].tolist(), SAME.tolist(), type_of_inputs="tuples", tuple_size=2)
    assert_array_equal(pairs, X[PAIRS])
    assert_array_equal(labels, SAME)
    for wrong in ({"type_of_inputs": "other"}, {"type_of_inputs": "tuples", "tuple_size": 3}):
        with pytest.raises(ValueError, match="type_of_inputs|tuples of 3"):
            check_input(X[PAIRS], **wrong)


def test_validate_vector_and_array_indexer():
    validate_vector, indexer = attrgetter("validate_vector", "ArrayIndexer")(metric_learn.base_metric)
    assert_array_equal(validate_vector([[1.0, 2.0]]), [1.0, 2.0])
    assert validate_vector(3.0).shape == (1,)
    with pytest.raises(ValueError, match="vector"):
        validate_vector(X)
    assert_array_equal(indexer(X.tolist())(ROWS[:3]), X[:3])


# ------------------------------------------------------------------------------------------------
# 2. Constructors.


@every
def test_parameters_have_their_order_and_defaults(name):
    parameters = inspect.signature(getattr(metric_learn, name)).parameters.values()
    positional = {p.name: p.default for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD}
    assert list(positional.items()) == list(CONSTRUCTORS[name].items())
    assert {p.kind for p in parameters if p.name not in positional} <= {inspect.Parameter.KEYWORD_ONLY}


@every
def test_parameters_may_be_passed_by_position(name):
    values = {parameter: place for place, parameter in enumerate(CONSTRUCTORS[name])}
    learner = getattr(metric_learn, name)(*values.values())
    assert {parameter: getattr(learner, parameter) for parameter in values} == values
    assert values.items() <= learner.get_params().items()


@every
def test_a_clone_has_the_same_parameters_and_nothing_learned(name):
    copied = clone(fitted(name))
    assert repr(copied) == repr(make(name))
    with pytest.raises(NotFittedError):
        copied.transform(X)


@every
def test_n_components_reduces_the_dimension_of_every_learner(name):
    learner = make(name, n_components=2).fit(*given(name))
    assert learner.components_.shape == (2, D)
    assert learner.transform(X).shape == (N, 2)


INITIAL_MAPS = ["auto", "pca", "identity", "random", np.eye(2, D)]


@pytest.mark.parametrize(
    ("name", "init"),
    [(name, init) for name in MAPS for init in INITIAL_MAPS] + [("NCA", "lda"), ("LMNN", "lda")],
    ids=text,
)
def test_initial_maps_have_names_or_are_given(name, init):
    learner = make(name, init=init, n_components=2).fit(*given(name))
    assert learner.components_.shape == (2, D)


@pytest.mark.parametrize(
    ("name", "parameter"), [(name, "prior") for name in PRIORS] + [("MMC", "init"), ("MMC_Supervised", "init")]
)
@pytest.mark.parametrize("value", ["identity", "covariance", "random", np.diag([1.0, 2.0, 3.0, 4.0])], ids=text)
def test_metrics_to_begin_with_have_names_or_are_given(name, parameter, value):
    assert np.isfinite(make(name, **{parameter: value}).fit(*given(name)).components_).all()


BASES = ["triplet_diffs", np.vstack([np.eye(D), np.ones((1, D))])]


@pytest.mark.parametrize(
    ("name", "basis"),
    [(name, basis) for name in ("SCML", "SCML_Supervised") for basis in BASES] + [("SCML_Supervised", "lda")],
    ids=text,
)
def test_bases_of_scml_have_names_or_are_given(name, basis):
    learner = make(name, basis=basis).fit(*given(name))
    assert learner.get_mahalanobis_matrix().any()
    if not isinstance(basis, str):  # M is in the cone of the products of the rows with themselves
        off = learner.get_mahalanobis_matrix()[~np.eye(D, dtype=bool)]
        assert_allclose(off, off.mean(), atol=1e-12)


@pytest.mark.parametrize("embedding_type", ["weighted", "orthonormalized", "plain"])
def test_embedding_types_of_lfda(embedding_type):
    L = make("LFDA", embedding_type=embedding_type, n_components=2).fit(*given("LFDA")).components_
    if embedding_type == "orthonormalized":
        assert_allclose(L @ L.T, np.eye(2), atol=1e-9)
    assert L.shape == (2, D)


@pytest.mark.parametrize("name", ["MMC", "MMC_Supervised"])
def test_a_diagonal_mmc_weighs_features(name):
    learner = make(name, diagonal=True, diagonal_c=0.5).fit(*given(name))
    M = learner.get_mahalanobis_matrix()
    assert_array_equal(M, np.diag(np.diag(M)))
    assert_allclose(learner.A_, M)


# ------------------------------------------------------------------------------------------------
# 3. fit.


@every
def test_arguments_of_fit_have_their_names_and_order(name):
    wanted = FIT[name][0].split()
    parameters = inspect.signature(getattr(metric_learn, name).fit).parameters
    assert list(parameters)[1 : 1 + len(wanted)] == wanted
    extra = list(parameters.values())[1 + len(wanted) :]
    assert all(p.default is None for p in extra)


@every
def test_fit_learns_what_is_documented_and_nothing_else(name):
    learner = make(name)
    before = learner.get_params()
    assert learner.fit(*given(name)) is learner
    assert learner.get_params() == before
    wanted = {"components_", "preprocessor_", "n_features_in_", *FIT[name][1].split()}
    assert {key for key in vars(learner) if not key.startswith("_")} - set(before) - {
        "classes_",
        "probability_",
    } <= wanted
    assert all(hasattr(learner, key) for key in wanted)
    assert not any(hasattr(make(name), key) for key in wanted)


@every
def test_components_are_a_matrix(name):
    learner = fitted(name)
    assert learner.components_.shape == (D, D)
    assert learner.components_.dtype == np.float64
    assert learner.n_features_in_ == D
    assert learner.preprocessor_ is None


@every
def test_one_feature_makes_a_one_by_one_matrix(name):
    assert make(name).fit(*given(name, X[:, :1])).components_.shape == (1, 1)


LEARNED = {
    "n_iter_": lambda learner: isinstance(learner.n_iter_, (int, np.integer)) and learner.n_iter_ >= 1,
    "labels_": lambda learner: learner.labels_.tolist() == [0, 1, 2],
    "bounds_": lambda learner: np.shape(learner.bounds_) == (2,) and (np.asarray(learner.bounds_) > 0).all(),
    "converged_": lambda learner: learner.converged_ in (True, False),
    "A_": lambda learner: np.allclose(learner.A_, learner.get_mahalanobis_matrix()) and learner.A_.shape == (D, D),
    "w_": lambda learner: learner.w_.ndim == 1 and (learner.w_ > 0).all() and np.ptp(learner.w_) < 1e-12,
    "balance_": lambda learner: 0 < learner.balance_ <= learner.balance_param,
    "threshold_": lambda learner: isinstance(learner.threshold_, float) and learner.threshold_ > 0,
}


@pytest.mark.parametrize(
    ("name", "attribute"), [(name, attribute) for name in FIT for attribute in FIT[name][1].split()]
)
def test_learned_attributes_are_of_their_kind(name, attribute):
    assert LEARNED[attribute](fitted(name))


def test_chunks_may_be_a_keyword():
    assert_array_equal(make("RCA").fit(X, chunks=CHUNKS).components_, make("RCA").fit(X, CHUNKS).components_)
    assert_array_equal(make("RCA").fit_transform(X, CHUNKS), fitted("RCA").transform(X))


@pytest.mark.parametrize("name", ["ITML", "ITML_Supervised"])
def test_bounds_may_be_given(name):
    learner = make(name).fit(*given(name), bounds=[0.5, 20.0])
    assert_array_equal(learner.bounds_, [0.5, 20.0])
    assert not np.allclose(learner.components_, fitted(name).components_)


def test_weights_of_quadruplets_count_by_their_proportions():
    weights = np.where(np.arange(60) < 30, 3.0, 1.0)
    learner = make("LSML").fit(*given("LSML"), weights=weights)
    assert_allclose(learner.w_ / learner.w_[-1], weights)
    again = make("LSML").fit(*given("LSML"), (10 * weights).tolist())
    assert_allclose(again.components_, learner.components_, rtol=1e-6)
    assert not np.allclose(learner.components_, fitted("LSML").components_)


def test_weights_of_drawn_quadruplets_are_a_parameter():
    learner = make("LSML_Supervised", n_constraints=20, weights=np.arange(1.0, 21)).fit(X, y)
    assert_allclose(learner.w_ / learner.w_[0], np.arange(1.0, 21))


@pytest.mark.parametrize("name", [name for name in FROM_LABELS if "n_constraints" in CONSTRUCTORS[name]])
def test_the_default_number_of_constraints_is_20_times_the_squared_classes(name):
    assert_array_equal(make(name, n_constraints=20 * 3**2).fit(X, y).components_, fitted(name).components_)


@of_pairs
def test_fit_calibrates_on_its_pairs(name):
    pairs, _ = given(name)
    for params in ({"strategy": "accuracy"}, {"strategy": "max_tpr", "min_rate": 0.9}):
        learner = make(name).fit(pairs, SAME, calibration_params=params)
        expected = copy.deepcopy(learner).calibrate_threshold(pairs, SAME, **params).threshold_
        assert learner.threshold_ == expected
    assert fitted(name).threshold_ == make(name).fit(pairs, SAME, calibration_params=None).threshold_


@of_pairs
def test_what_a_strategy_does_not_use_is_ignored(name):
    pairs, _ = given(name)
    learner = copy.deepcopy(fitted(name)).calibrate_threshold(pairs, SAME, beta=2.0, min_rate=0.9)
    assert learner.threshold_ == fitted(name).threshold_


# ------------------------------------------------------------------------------------------------
# 4. Methods of every learner.


@every
def test_transform_is_a_product(name):
    learner = fitted(name)
    z = learner.transform(X)
    assert_allclose(z, X @ learner.components_.T, rtol=1e-12, atol=1e-12)
    assert z.dtype == np.float64
    assert_allclose(learner.transform(csr_array(X)), z, rtol=1e-12, atol=1e-12)
    assert_array_equal(learner.transform(X.tolist()), z)
    M = learner.get_mahalanobis_matrix()
    assert M.shape == (D, D)
    assert_array_equal(M, learner.components_.T @ learner.components_)


@every
def test_only_learners_from_points_have_fit_transform(name):
    assert hasattr(make(name), "fit_transform") == (name not in SIZE)
    if name not in SIZE:
        assert_array_equal(make(name).fit_transform(*given(name)), fitted(name).transform(X))


@every
def test_pair_distance_is_exact_where_it_can_be(name):
    learner, pairs = fitted(name), X[PAIRS]
    d = learner.pair_distance(pairs)
    assert d.shape == (len(PAIRS),)
    assert d.dtype == np.float64
    assert_allclose(d, np.linalg.norm((pairs[:, 0] - pairs[:, 1]) @ learner.components_.T, axis=1), rtol=1e-12)
    assert_array_equal(learner.pair_distance(pairs[:, ::-1]), d)
    assert_array_equal(learner.pair_distance(pairs[:, [0, 0]]), 0)
    assert_array_equal(learner.pair_score(pairs), -d)


@every
@pytest.mark.parametrize("form", [np.ndarray.tolist, lambda a: tuple(map(tuple, a.tolist()))], ids=["lists", "tuples"])
def test_pairs_may_be_lists_and_tuples(name, form):
    assert_array_equal(fitted(name).pair_distance(form(X[PAIRS])), fitted(name).pair_distance(X[PAIRS]))


@every
def test_score_pairs_warns_that_it_is_a_distance(name):
    text = (
        "score_pairs will be deprecated in release 0.7.0. Use pair_score to compute similarity scores, "
        "or pair_distances to compute distances."
    )
    with pytest.warns(FutureWarning) as caught:
        found = fitted(name).score_pairs(X[PAIRS])
    assert [str(warning.message) for warning in caught] == [text]
    assert_array_equal(found, fitted(name).pair_distance(X[PAIRS]))


@every
def test_the_metric_is_a_function_of_two_points(name):
    metric, d = fitted(name).get_metric(), fitted(name).pair_distance(X[None, :2])[0]
    u, v = X[:2]
    assert metric(u, v) == metric(v, u) == pytest.approx(d, rel=1e-12)
    assert type(metric(u, v)) is float
    assert metric(u, u) == 0
    assert metric(u, v, squared=True) == pytest.approx(d**2, rel=1e-12)
    assert metric(u.tolist(), tuple(v)) == metric(u[None], v[None]) == metric(u, v)
    assert pickle.loads(pickle.dumps(metric))(u, v) == metric(u, v)
    for wrong in ((X[:2], X[:2]), (u, v[:-1]), (u[:-1], v[:-1]), (u, 1.0)):
        with pytest.raises(ValueError, match="points of shape"):
            metric(*wrong)


@every
def test_the_metric_of_one_feature_takes_numbers(name):
    learner = make(name).fit(*given(name, X[:, :1]))
    assert learner.get_metric()(3.0, 1.0) == pytest.approx(2 * abs(learner.components_[0, 0]))


UNFITTED = {  # methods and their arguments: of all learners, and of some
    "": {"transform": [X], "pair_distance": [X[PAIRS]], "pair_score": [X[PAIRS]], "score_pairs": [X[PAIRS]]}
    | {"get_metric": [], "get_mahalanobis_matrix": []},
    "ITML MMC SDML SCML LSML": {"decision_function": [X[QUADRUPLETS]], "predict": [X[QUADRUPLETS]]},
    "SCML LSML": {"score": [X[QUADRUPLETS]]},
    "ITML MMC SDML": {"score": [X[PAIRS], SAME], "set_threshold": [1.0], "calibrate_threshold": [X[PAIRS], SAME]},
}


@pytest.mark.parametrize(
    ("name", "method", "arguments"),
    [
        (name, method, arguments)
        for names, methods in UNFITTED.items()
        for name in names.split() or FIT
        for method, arguments in methods.items()
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_not_fitted_says_so(name, method, arguments):
    with pytest.raises(NotFittedError):
        getattr(make(name), method)(*arguments)


# ------------------------------------------------------------------------------------------------
# 4. Learners from pairs.


@of_tuples
def test_tuple_learners_know_their_size_and_classes(name):
    assert getattr(metric_learn, name)._tuple_size == SIZE[name]
    assert_array_equal(fitted(name).classes_, [-1, 1])
    assert is_classifier(fitted(name))


@of_pairs
def test_pairs_up_to_the_threshold_are_similar(name):
    learner, pairs = copy.deepcopy(fitted(name)), X[PAIRS]
    d = learner.pair_distance(pairs)
    assert_array_equal(learner.decision_function(pairs), learner.pair_score(pairs))
    assert learner.set_threshold(d[3]) is learner
    assert learner.threshold_ == d[3]
    assert_array_equal(learner.predict(pairs), 2 * (d <= d[3]) - 1)  # a tie is similar
    assert learner.predict(pairs).dtype == np.int64
    assert learner.score(pairs, SAME) == roc_auc_score(SAME, -d)


@of_pairs
def test_predict_needs_a_threshold(name):
    learner = copy.deepcopy(fitted(name))
    del learner.threshold_
    with pytest.raises(AttributeError, match="threshold.*set_threshold or calibrate_threshold"):
        learner.predict(X[PAIRS])


def quality(d, cut, strategy="accuracy", min_rate=0.0, beta=1.0):
    """What a strategy maximises, counted for "similar up to cut"; -1 where the other rate is too low."""
    tp, fp = np.sum(d[SAME > 0] <= cut), np.sum(d[SAME < 0] <= cut)
    fn, tn = np.sum(SAME > 0) - tp, np.sum(SAME < 0) - fp
    if strategy == "accuracy":
        return (tp + tn) / len(d)
    if strategy == "f_beta":
        return (1 + beta**2) * tp / ((1 + beta**2) * tp + beta**2 * fn + fp)
    rate, other = (tp / (tp + fn), tn / (tn + fp))[:: 1 if strategy == "max_tpr" else -1]
    return rate if other >= min_rate else -1


STRATEGIES = [
    {},
    {"strategy": "accuracy"},
    {"strategy": "f_beta"},
    {"strategy": "f_beta", "beta": 2.0},
    *({"strategy": strategy, "min_rate": rate} for strategy in ("max_tpr", "max_tnr") for rate in (0, 0.3, 0.9, 1.0)),
]


@of_pairs
@pytest.mark.parametrize("params", STRATEGIES, ids=str)
def test_no_threshold_is_better_than_the_calibrated_one(name, params):
    learner, d = copy.deepcopy(fitted(name)), fitted(name).pair_distance(X[PAIRS])
    assert learner.calibrate_threshold(X[PAIRS], SAME, **params) is learner
    best = max(quality(d, cut, **params) for cut in [*d, d.min() - 1])
    assert quality(d, learner.threshold_, **params) == pytest.approx(best, abs=1e-12)


@of_pairs
def test_where_nothing_is_similar_all_pairs_are_rejected(name):
    far = fitted(name).pair_distance(X[PAIRS]).argsort()[-5:]
    labels = np.array([-1, -1, -1, -1, 1])  # the furthest pair is the one called similar
    learner = copy.deepcopy(fitted(name)).calibrate_threshold(X[PAIRS][far], labels)
    assert (learner.predict(X[PAIRS][far]) == -1).all()


BAD_CALIBRATION = [
    ({"strategy": "best"}, "strategy='best'"),
    ({"strategy": "max_tpr"}, "min_rate=None"),
    ({"strategy": "max_tnr", "min_rate": 1.5}, "min_rate=1.5"),
    ({"strategy": "max_tpr", "min_rate": "high"}, "min_rate='high'"),
    ({"strategy": "f_beta", "beta": -1.0}, "beta=-1"),
    ({"strategy": "f_beta", "beta": "much"}, "beta='much'"),
]


@of_pairs
@pytest.mark.parametrize(("params", "message"), BAD_CALIBRATION, ids=str)
def test_calibration_is_checked_before_fitting(name, params, message):
    learner = make(name)
    learner._solve_tuples = None  # fitting would fail
    for call in (
        lambda: learner.fit(X[PAIRS], SAME, calibration_params=params),
        lambda: fitted(name).calibrate_threshold(X[PAIRS], SAME, **params),
        lambda: getattr(metric_learn, name)._validate_calibration_params(**params),
    ):
        with pytest.raises(ValueError, match=message):
            call()


# ------------------------------------------------------------------------------------------------
# 4. Learners from triplets and quadruplets.


def test_triplets_are_ordered_or_not():
    learner, triplets = fitted("SCML"), X[TRIPLETS]
    decision = learner.pair_score(triplets[:, :2]) - learner.pair_score(triplets[:, [0, 2]])
    assert_array_equal(learner.decision_function(triplets), decision)
    assert_array_equal(learner.predict(triplets), np.where(decision > 0, 1, -1))
    assert learner.predict(triplets).dtype == np.int64
    assert_array_equal(learner.predict(triplets[:, [0, 1, 1]]), -1)  # ties
    assert learner.score(triplets) == np.mean(decision > 0)


def test_quadruplets_are_ordered_or_tied():
    learner, quadruplets = fitted("LSML"), X[QUADRUPLETS]
    decision = learner.pair_score(quadruplets[:, :2]) - learner.pair_score(quadruplets[:, 2:])
    assert_array_equal(learner.decision_function(quadruplets), decision)
    assert_array_equal(learner.predict(quadruplets), np.sign(decision))
    assert learner.predict(quadruplets).dtype == np.float64
    ties = quadruplets[:, [0, 1, 0, 1]]
    assert_array_equal(learner.predict(ties), 0)
    assert learner.score(ties) == 0.5
    assert learner.score(quadruplets) == np.mean(decision > 0)


@pytest.mark.parametrize("name", ["SCML", "LSML"])
def test_no_fewer_tuples_are_ordered_than_by_the_euclidean_distance(name):
    (tuples,) = given(name)
    euclidean = copy.deepcopy(fitted(name))
    euclidean.components_ = np.eye(D)
    assert fitted(name).score(tuples) >= euclidean.score(tuples) > 0.5


# ------------------------------------------------------------------------------------------------
# 4. scikit-learn's tools on tuples.


@of_pairs
@pytest.mark.parametrize(
    "scoring", [None, "accuracy", "f1", "roc_auc", "average_precision", "precision", "recall"], ids=str
)
def test_scorers_are_finite(name, scoring):
    scores = cross_val_score(make(name), X[PAIRS], SAME, scoring=scoring, cv=3, error_score="raise")
    assert np.isfinite(scores).all()
    assert scores.mean() > 0.5


@of_pairs
def test_cross_val_predict_is_a_loop_over_folds(name):
    expected = np.zeros(len(PAIRS))
    for train, test in KFold(3).split(PAIRS):
        expected[test] = make(name).fit(X[PAIRS[train]], SAME[train]).predict(X[PAIRS[test]])
    assert_array_equal(cross_val_predict(make(name), X[PAIRS], SAME, cv=KFold(3)), expected)
    assert_array_equal(cross_val_predict(make(name, preprocessor=X), PAIRS, SAME, cv=KFold(3)), expected)


@pytest.mark.parametrize("name", ["SCML", "LSML"])
def test_cross_val_score_is_a_loop_over_folds_without_labels(name):
    (tuples,) = given(name)
    expected = [make(name).fit(tuples[train]).score(tuples[test]) for train, test in KFold(3).split(tuples)]
    assert_array_equal(cross_val_score(make(name), tuples, cv=KFold(3)), expected)


GRIDS = {
    "ITML": {"gamma": [0.1, 10.0]},
    "MMC": {"diagonal": [False, True]},
    "SDML": {"balance_param": [0.1, 0.5]},
    "SCML": {"beta": [1e-5, 1e-3]},
    "LSML": {"prior": ["identity", "covariance"]},
}


@of_tuples
def test_grid_search_keeps_the_best(name):
    search = GridSearchCV(make(name), GRIDS[name], cv=KFold(3), error_score="raise").fit(*given(name))
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.score(*given(name)) == search.best_estimator_.score(*given(name))
    assert_array_equal(search.predict(given(name)[0]), search.best_estimator_.predict(given(name)[0]))


@of_tuples
def test_tuple_learners_end_pipelines(name):
    model = make_pipeline(make(name)).fit(*given(name))
    assert model.score(*given(name)) == fitted(name).score(*given(name))


@pytest.mark.parametrize("name", [name for name in POINTS_LEARNERS if name != "RCA"])  # whose chunks are no classes
def test_learners_from_points_go_before_neighbours(name):
    model = make_pipeline(StandardScaler(), make(name), KNeighborsClassifier(3))
    assert model.fit(X, y).score(X, y) > 0.7


# ------------------------------------------------------------------------------------------------
# 4. Constraints.

PARTIAL = np.where(ROWS % 4 == 0, -1, y)


@pytest.fixture
def constraints():
    return metric_learn.Constraints(PARTIAL)


def test_partial_labels_are_kept(constraints):
    assert_array_equal(constraints.partial_labels, PARTIAL)
    assert metric_learn.Constraints(PARTIAL.tolist()).partial_labels.dtype.kind == "i"


def test_signatures_of_the_generators(constraints):
    for method, wanted in {
        "positive_negative_pairs": {
            "n_constraints": inspect.Parameter.empty,
            "same_length": False,
            "random_state": None,
        },
        "generate_knntriplets": dict.fromkeys(["X", "k_genuine", "k_impostor"], inspect.Parameter.empty),
        "chunks": {"n_chunks": 100, "chunk_size": 2, "random_state": None},
    }.items():
        parameters = inspect.signature(getattr(constraints, method)).parameters
        assert {name: p.default for name, p in parameters.items()} == wanted


@pytest.mark.parametrize("n", [1, 10, 60])
def test_pairs_are_of_one_class_or_of_two(constraints, n):
    a, b, c, d = constraints.positive_negative_pairs(n, random_state=0)
    assert len(a) == len(b) == len(c) == len(d) == n
    assert (PARTIAL[np.concatenate([a, b, c, d])] >= 0).all()
    assert (PARTIAL[a] == PARTIAL[b]).all()
    assert (a != b).all()
    assert (PARTIAL[c] != PARTIAL[d]).all()
    for pairs in (zip(a, b), zip(c, d)):
        assert len({frozenset(pair) for pair in pairs}) == n


SEEDED = {
    "pairs": lambda constraints, seed: constraints.positive_negative_pairs(10, random_state=seed),
    "chunks": lambda constraints, seed: constraints.chunks(5, random_state=seed),
}


@pytest.mark.parametrize("draw", SEEDED.values(), ids=SEEDED)
def test_the_same_seed_draws_the_same(constraints, draw):
    assert_array_equal(draw(constraints, 0), draw(constraints, 0))
    assert_array_equal(draw(constraints, np.random.RandomState(0)), draw(constraints, 0))
    assert not np.array_equal(draw(constraints, 0), draw(constraints, 1))


@pytest.mark.parametrize(
    ("labels", "kinds"),
    [([0, 0, 1, 1], ["2 positive", "4 negative"]), ([0, 0, 0, 0, 0, 0], ["15 positive", "0 negative"])],
    ids=["few rows", "one class"],
)
def test_too_few_pairs_are_all_pairs_with_a_warning(labels, kinds):
    with pytest.warns(UserWarning, match="Only generated") as caught:
        drawn = metric_learn.Constraints(labels).positive_negative_pairs(100, random_state=0)
    assert [str(warning.message) for warning in caught] == [
        f"Only generated {kind} constraints (requested 100)" for kind in kinds
    ]
    assert [f"{len(drawn[0])} positive", f"{len(drawn[2])} negative"] == kinds


@pytest.mark.filterwarnings("ignore:Only generated")
def test_pairs_may_be_equally_many():
    a, b, c, d = metric_learn.Constraints([0, 0, 1, 1]).positive_negative_pairs(100, same_length=True, random_state=0)
    assert len(a) == len(b) == len(c) == len(d) == 2


def test_knn_triplets_are_all_combinations_of_near_rows(constraints):
    found = constraints.generate_knntriplets(X, 2, 3)
    d = np.linalg.norm(X[:, None] - X, axis=2)
    expected = set()
    for i in ROWS[PARTIAL >= 0]:
        own, other = (ROWS[(PARTIAL >= 0) & ((PARTIAL[i] == PARTIAL) == same) & (i != ROWS)] for same in (True, False))
        near, far = own[d[i, own].argsort()[:2]], other[d[i, other].argsort()[:3]]
        expected |= {(i, j, k) for j in near for k in far}
    assert found.shape == (6 * np.sum(PARTIAL >= 0), 3)
    assert found.dtype == np.intp
    assert set(map(tuple, found.tolist())) == expected


def test_too_few_neighbours_are_all_of_them_with_a_warning():
    with pytest.warns(UserWarning, match="neighbors") as caught:
        triplets = metric_learn.Constraints([0, 0, 0, 1, 1, 1, 1]).generate_knntriplets(X[:7], 3, 4)
    assert [str(warning.message) for warning in caught] == [
        "The class 0 has 3 elements, which is not sufficient to generate 3 genuine neighbors as specified by "
        "k_genuine. Will generate 2 genuine neighbors instead.\n",
        "The class 1 has 3 elements of other classes, which is not sufficient to generate 4 impostor neighbors as "
        "specified by k_impostor. Will generate 3 impostor neighbors instead.\n",
    ]
    assert len(triplets) == 3 * 2 * 4 + 4 * 3 * 3


@pytest.mark.parametrize(("n_chunks", "chunk_size"), [(3, 2), (5, 3), (10, 3)])
def test_chunks_are_of_one_class_and_disjoint(constraints, n_chunks, chunk_size):
    found = constraints.chunks(n_chunks=n_chunks, chunk_size=chunk_size, random_state=0)
    assert found.shape == (N,)
    assert found.dtype.kind == "i"
    assert_array_equal(np.unique(found), np.arange(-1, n_chunks))
    for number in range(n_chunks):
        assert np.sum(found == number) == chunk_size
        assert len(set(PARTIAL[found == number])) == 1
    assert (found[PARTIAL < 0] == -1).all()


def test_too_many_chunks_are_refused():
    text = (
        "Not enough possible chunks of 2 elements in each class to form expected 5 chunks - "
        "maximum number of chunks is 3"
    )
    with pytest.raises(ValueError, match=text):
        metric_learn.Constraints([0, 0, 0, 1, 1, 1, 1]).chunks(n_chunks=5, chunk_size=2)


def test_wrapped_pairs_are_positive_first():
    pairs, labels = metric_learn.constraints.wrap_pairs(X, ([0, 1], [2, 3], [4], [5]))
    assert_array_equal(pairs, X[[[0, 2], [1, 3], [4, 5]]])
    assert_array_equal(labels, [1, 1, -1])


# ------------------------------------------------------------------------------------------------
# 5. Accepted inputs.


def results(name, learner, form):
    """All that a fitted learner says of points and tuples that are formed, or not."""
    found = [learner.components_, learner.transform(form(ROWS)), learner.pair_distance(form(PAIRS))]
    if name in SIZE:
        tuples, *labels = GIVEN[name]
        found += [learner.decision_function(form(tuples)), learner.predict(form(tuples))]
        found += [learner.score(form(tuples), *labels)]
    if name in PAIRS_LEARNERS:
        found += [learner.calibrate_threshold(form(PAIRS), SAME).threshold_]
    return found


def as_paths(rows):
    return np.array([Path(f"images/{i}.png") for i in rows.ravel()], dtype=object).reshape(rows.shape)


SOURCES = {  # the preprocessor, and the indicators of rows
    "array": (X, np.asarray),
    "list": (X.tolist(), np.ndarray.tolist),
    "function of integers": (X.__getitem__, np.asarray),
    "function of strings": (lambda names: X[names.astype(int)], lambda rows: rows.astype(str)),
    "function of paths": (lambda paths: np.array([X[int(path.stem)] for path in paths]), as_paths),
    "function that returns lists": (lambda rows: X[rows].tolist(), np.asarray),
}


@pytest.mark.parametrize(
    ("name", "source"),
    [(name, source) for name in FIT for source in ("array", "function of strings")]
    + [(name, source) for name in ("Covariance", "ITML", "SCML", "LSML") for source in SOURCES],
)
def test_a_preprocessor_changes_no_bit(name, source):
    preprocessor, form = SOURCES[source]
    rows, *rest = GIVEN[name]
    expected = results(name, copy.deepcopy(fitted(name)), X.__getitem__)
    learner = make(name, preprocessor=preprocessor).fit(form(rows), *rest)
    assert callable(learner.preprocessor_)
    for known in (form, X.__getitem__):  # indicators, and formed points, of one learner
        for found, wanted in zip(results(name, learner, known), expected, strict=True):
            assert_array_equal(found, wanted)


@every
def test_formed_points_may_be_fitted_with_a_preprocessor(name):
    learner = make(name, preprocessor=X).fit(*given(name))
    assert_array_equal(learner.components_, fitted(name).components_)


@every
@pytest.mark.filterwarnings("ignore:.* dissimilar pairs are of identical points")
@pytest.mark.parametrize("points", [X[ROWS - ROWS % 2], X.astype(np.float32)], ids=["rows twice", "float32"])
def test_equal_rows_and_float32_are_looked_up_to_the_bit(name, points):
    looked_up, formed = make(name, preprocessor=points).fit(*GIVEN[name]), make(name).fit(*given(name, points))
    assert_array_equal(looked_up.components_, formed.components_)
    assert looked_up.components_.dtype == points.dtype


FORMS = {
    "lists": np.ndarray.tolist,
    "tuples": lambda data: tuple(map(tuple, data.tolist())),
    "data frame": lambda data: pd.DataFrame(data, index=range(100, 100 + len(data))),
    "columns first": np.asfortranarray,
}


@pytest.mark.parametrize(
    ("name", "form"), [(name, form) for name in FIT for form in FORMS if form != "data frame" or name not in SIZE]
)
def test_all_forms_of_data_are_the_same(name, form):
    data, *rest = given(name)
    learner = make(name).fit(FORMS[form](data), *(column.tolist() for column in rest))
    assert_array_equal(learner.components_, fitted(name).components_)


@of_tuples
def test_a_data_frame_may_hold_the_indicators_of_tuples(name):
    rows, *rest = GIVEN[name]
    learner = make(name, preprocessor=pd.DataFrame(X)).fit(pd.DataFrame(rows), *map(pd.Series, rest))
    assert_array_equal(learner.components_, fitted(name).components_)


@every
def test_float32_stays_float32(name):
    learner = make(name).fit(*given(name, X.astype(np.float32)))
    assert learner.components_.dtype == np.float32
    assert learner.transform(X.astype(np.float32)).dtype == np.float32
    assert learner.pair_distance(X[PAIRS].astype(np.float32)).dtype == np.float32
    assert learner.transform(X).dtype == np.float64
    assert np.isfinite(learner.components_).all()


@every
def test_integers_become_float64(name):
    learner = make(name).fit(*given(name, (10 * X).astype(int)))
    assert learner.components_.dtype == np.float64


@of_points
def test_sparse_points_give_the_metric_of_dense_ones(name):
    learner, dense = make(name).fit(csr_array(X), *GIVEN[name][1:]), fitted(name)
    M = dense.get_mahalanobis_matrix()
    tol = 1e-2 if name == "LMNN" else 1e-4  # LMNN stops at changes of a thousandth of the objective
    assert_allclose(learner.get_mahalanobis_matrix(), M, rtol=1e-3, atol=tol * M.max())


@pytest.mark.parametrize("name", [*FROM_LABELS, "NCA", "LMNN", "LFDA"])
@pytest.mark.parametrize("names", [["ant", "bee", "cow"], [3.0, 5.0, 7.0], [10, 20, 30]], ids=str)
def test_classes_have_any_names(name, names):
    learner = make(name).fit(X, np.array(names)[y])
    assert_array_equal(learner.components_, fitted(name).components_)


@pytest.mark.parametrize("name", FROM_LABELS)
def test_rows_of_unknown_class_are_in_no_tuple(name):
    params = {"n_constraints": 40} if "n_constraints" in CONSTRUCTORS[name] else {}
    with pytest.warns(UserWarning, match="12 of 45 labels in y are negative"):
        learner = make(name, **params).fit(X, PARTIAL)
    unnamed = np.array(["ant", "bee", "cow", None], dtype=object)[PARTIAL]
    assert_array_equal(make(name, **params).fit(X, unnamed).components_, learner.components_)
    if name != "SCML_Supervised":  # it scales by the deviations of all rows
        elsewhere = np.where(PARTIAL[:, None] < 0, X + 5, X)
        moved = make(name, **params).fit(elsewhere, unnamed)
        assert_allclose(moved.components_, learner.components_, rtol=1e-6, atol=1e-9)


def test_mlkr_wants_numbers():
    with pytest.raises(ValueError, match=r"\by\b|string"):
        make("MLKR").fit(X, np.array(["ant", "bee", "cow"])[y])


# ------------------------------------------------------------------------------------------------
# 6. Bad input.

BAD_POINTS = {
    "no dimension": lambda: 1.0,
    "one dimension": lambda: X[:, 0],
    "three dimensions": lambda: X[:, None],
    "no row": lambda: X[:0],
    "one row": lambda: X[:1],
    "no feature": lambda: X[:, :0],
    "complex": lambda: X * 1j,
    "NaN": lambda: np.where(X > 1, np.nan, X),
    "infinite": lambda: np.where(X > 1, np.inf, X),
    "words": lambda: np.full(X.shape, "word"),
}


@of_points
@pytest.mark.parametrize("bad", BAD_POINTS)
def test_bad_points_are_refused(name, bad):
    points = BAD_POINTS[bad]()
    n = len(points) if np.ndim(points) else 1
    with pytest.raises(ValueError):  # noqa: PT011
        make(name).fit(points, *(labels[:n] for labels in given(name)[1:]))
    if n > 1:
        with pytest.raises(ValueError):  # noqa: PT011
            fitted(name).transform(points)


BAD_TUPLES = {
    "one dimension": lambda tuples: tuples[:, 0, 0],
    "indicators of nothing": lambda tuples: tuples[:, :, 0],
    "four dimensions": lambda tuples: tuples[..., None],
    "too many points": lambda tuples: tuples[:, [0, *range(tuples.shape[1])]],
    "too few points": lambda tuples: tuples[:, 1:],
    "no tuple": lambda tuples: tuples[:0],
    "no feature": lambda tuples: tuples[:, :, :0],
    "complex": lambda tuples: tuples * 1j,
    "NaN": lambda tuples: np.where(tuples > 1, np.nan, tuples),
}


@of_tuples
@pytest.mark.parametrize("bad", BAD_TUPLES)
def test_bad_tuples_are_refused(name, bad):
    tuples, *rest = given(name)
    wrong = BAD_TUPLES[bad](tuples)
    with pytest.raises(ValueError):  # noqa: PT011
        make(name).fit(wrong, *(labels[: len(wrong)] for labels in rest))
    if bad != "no tuple":
        for method in ("decision_function", "predict"):
            with pytest.raises(ValueError):  # noqa: PT011
                getattr(fitted(name), method)(wrong)


@every
@pytest.mark.parametrize("bad", ["four dimensions", "too many points", "indicators of nothing"])
def test_bad_pairs_are_not_measured(name, bad):
    for method in ("pair_distance", "pair_score"):
        with pytest.raises(ValueError, match="shape"):
            getattr(fitted(name), method)(BAD_TUPLES[bad](X[PAIRS]))


@of_pairs
@pytest.mark.parametrize(
    "labels",
    [2 * SAME, SAME + 0.5, np.ones_like(SAME), SAME[:-1], SAME[:, None] * [1, 1]],
    ids=["twice", "fractions", "one kind", "too few", "two columns"],
)
def test_labels_of_pairs_are_plus_and_minus_one(name, labels):
    with pytest.raises(ValueError, match=r"\by\b"):
        make(name).fit(X[PAIRS], labels)


def fails(indicators):
    raise OSError("no such image")


@every
def test_a_failing_preprocessor_is_named_with_its_cause(name):
    rows, *rest = GIVEN[name]
    learner = copy.deepcopy(fitted(name)).set_params(preprocessor=fails)
    calls = [lambda: learner.fit(rows, *rest), lambda: learner.transform(ROWS), lambda: learner.pair_distance(PAIRS)]
    for call in calls + [lambda: learner.predict(rows)] * (name in SIZE):
        with pytest.raises(PreprocessorError, match="preprocessor") as raised:
            call()
        assert isinstance(raised.value.__cause__, OSError)


BAD_SOURCES = {
    "a number": 5,
    "a word": "images",
    "too few points": X[:3],
    "numbers for points": lambda rows: X[rows, 0],
    "no points": lambda rows: X[:0],
}


@every
@pytest.mark.parametrize("bad", BAD_SOURCES)
def test_preprocessors_that_are_none_are_refused(name, bad):
    rows, *rest = GIVEN[name]
    with pytest.raises(ValueError, match="preprocessor"):
        make(name, preprocessor=BAD_SOURCES[bad]).fit(rows, *rest)


BAD_METRICS = {
    "one dimension": np.ones(D),
    "NaN": np.full((D, D), np.nan),
    "shape": np.eye(D + 1),
    "one row": np.ones((1, D)),
    "asymmetric": np.eye(D) + np.eye(D, k=1),
    "unknown": "other",
    "number": 3,
}
BAD_MAPS = {"columns": np.eye(2, D + 1), "rows": np.ones((D + 1, D)), "one row": np.ones(D), "unknown": "other"}
BAD_PARAMETERS = [
    *((name, "n_components", value) for name in FIT for value in (0, -1, D + 1, 1.5, "two")),
    *((name, "prior", value) for name in PRIORS for value in BAD_METRICS.values()),
    *((name, "init", value) for name in ("MMC", "MMC_Supervised") for value in BAD_METRICS.values()),
    *((name, "init", value) for name in MAPS for value in BAD_MAPS.values()),
    ("MLKR", "init", "lda"),
    *(("SCML", "basis", value) for value in (np.eye(D + 1), np.ones(D), "lda", "other")),
    *(("SCML_Supervised", "basis", value) for value in (np.eye(D + 1), "other")),
    *((name, "n_basis", 0) for name in ("SCML", "SCML_Supervised")),
    ("LFDA", "embedding_type", "other"),
    ("LFDA", "k", 0),
    ("LMNN", "n_neighbors", 0),
    ("LMNN", "regularization", 2.0),
    ("RCA_Supervised", "chunk_size", 16),
    *((name, "gamma", -1.0) for name in ("ITML", "ITML_Supervised", "SCML", "SCML_Supervised")),
    *((name, "max_iter", 0) for name in FIT if "max_iter" in CONSTRUCTORS[name]),
    *((name, "tol", -1.0) for name in FIT if "tol" in CONSTRUCTORS[name]),
    *((name, "n_constraints", 0) for name in FIT if "n_constraints" in CONSTRUCTORS[name]),
    *((name, "random_state", "seed") for name in FIT if "random_state" in CONSTRUCTORS[name]),
    *((name, "verbose", "yes") for name in ITERATIVE),
    ("LSML_Supervised", "weights", [1.0, 2.0]),
]


@pytest.mark.parametrize(("name", "parameter", "value"), BAD_PARAMETERS, ids=text)
def test_bad_parameters_are_named(name, parameter, value):
    with pytest.raises(ValueError, match=rf"\b{parameter}\b") as raised:
        make(name, **{parameter: value}).fit(*given(name))
    if isinstance(value, (str, float, int)):
        assert str(value) in str(raised.value)


def test_an_initial_map_has_n_components_rows():
    for name in MAPS:
        with pytest.raises(ValueError, match="init.*n_components"):
            make(name, init=np.eye(3, D), n_components=2).fit(*given(name))


@pytest.mark.parametrize("name", ["ITML", "ITML_Supervised"])
@pytest.mark.parametrize("bounds", [[1.0], [1.0, 2.0, 3.0], [-1.0, 2.0], "near"], ids=str)
def test_bad_bounds_are_named(name, bounds):
    with pytest.raises(ValueError, match="bounds"):
        make(name).fit(*given(name), bounds=bounds)


@pytest.mark.parametrize(
    "weights", [np.ones(3), -np.ones(60), np.zeros(60), np.full(60, np.nan)], ids=lambda w: str(w[:1])
)
def test_bad_weights_are_named(weights):
    with pytest.raises(ValueError, match="weights"):
        make("LSML").fit(*given("LSML"), weights=weights)


METRICS = [(name, "prior") for name in PRIORS] + [(name, "init") for name in ("MMC", "MMC_Supervised")]
NEGATIVE, SINGULAR = np.diag([1.0, 1.0, 1.0, -1.0]), np.diag([1.0, 1.0, 1.0, 0.0])
TWICE = np.hstack([X, X[:, :1]])  # a feature twice


@pytest.mark.parametrize(("name", "parameter"), METRICS)
def test_a_metric_has_no_negative_eigenvalue(name, parameter):
    with pytest.raises(NonPSDError, match=parameter):
        make(name, **{parameter: NEGATIVE}).fit(*given(name))


@pytest.mark.parametrize("name", PRIORS)
@pytest.mark.parametrize(("prior", "points"), [(SINGULAR, X), ("covariance", TWICE)], ids=["given", "covariance"])
def test_a_prior_is_positive_definite(name, prior, points):
    with pytest.raises(LinAlgError, match="prior"):
        make(name, prior=prior).fit(*given(name, points))


@pytest.mark.parametrize("name", ["MMC", "MMC_Supervised"])
def test_mmc_may_begin_with_a_singular_metric(name):
    assert np.isfinite(make(name, init=SINGULAR).fit(*given(name)).components_).all()


@pytest.mark.parametrize(
    ("name", "params"),
    [("Covariance", {}), ("MMC", {"init": "covariance"}), ("MMC_Supervised", {"init": "covariance"})],
)
def test_the_pseudo_inverse_of_a_singular_covariance_serves(name, params):
    with pytest.warns(UserWarning, match="rank 4 < 5; its pseudo-inverse is used"):
        learner = make(name, **params).fit(*given(name, TWICE))
    assert np.isfinite(learner.components_).all()


@pytest.mark.parametrize(
    ("name", "parameter", "value"),
    [
        ("LFDA", "k", 50),
        ("LMNN", "n_neighbors", 15),
        ("SCML_Supervised", "k_genuine", 20),
        ("SCML_Supervised", "k_impostor", 40),
    ],
)
def test_fewer_neighbours_than_asked_for_are_all_of_them(name, parameter, value):
    with pytest.warns(UserWarning, match=rf"\b{parameter}\b"):
        learner = make(name, **{parameter: value}).fit(X, y)
    assert np.isfinite(learner.components_).all()


@pytest.mark.parametrize("name", [name for name in FROM_LABELS if "n_constraints" in CONSTRUCTORS[name]])
def test_fewer_constraints_than_asked_for_are_all_of_them(name):
    with pytest.warns(UserWarning, match="n_constraints=400"):
        make(name, n_constraints=400).fit(X, y)  # 315 pairs are of one class
    make(name).fit(X[:12], y[:12])  # of the default nothing is said


@pytest.mark.parametrize("name", [name for name in FIT if "max_iter" in CONSTRUCTORS[name]])
def test_too_few_iterations_are_told(name):
    strict = {"tol": 0.0, "convergence_tol": 0.0, "min_iter": 1}
    tol = {parameter: strict[parameter] for parameter in strict if parameter in CONSTRUCTORS[name]}
    with pytest.warns(ConvergenceWarning, match="max_iter"):
        learner = make(name, max_iter=1, **tol).fit(*given(name))
    assert learner.n_iter_ == 1
    assert np.isfinite(learner.components_).all()


@pytest.mark.parametrize("name", ITERATIVE)
def test_verbose_shows_the_progress(name, capsys):
    make(name, verbose=True).fit(*given(name))
    shown = capsys.readouterr()
    assert name.partition("_")[0] in shown.err
    assert "objective" in shown.err
    assert shown.out == ""
    make(name).fit(*given(name))
    assert capsys.readouterr() == ("", "")


# ------------------------------------------------------------------------------------------------
# 7. What was wrong there and is right here.


@every
def test_scikit_learn_sees_what_the_learners_are(name):
    tags = get_tags(make(name))
    assert tags.transformer_tags.preserves_dtype == ["float64", "float32"]
    assert is_classifier(make(name)) == (name in SIZE)
    assert tags.target_tags.required == (name not in ("Covariance", "SCML", "LSML"))


def test_gamma_of_scml_counts():
    learner = make("SCML_Supervised", gamma=0.5).fit(X, y)
    assert learner.gamma == 0.5
    assert not np.allclose(learner.components_, fitted("SCML_Supervised").components_)


def test_the_callers_weights_stay_as_they_are():
    weights = np.arange(1.0, 61)
    make("LSML").fit(*given("LSML"), weights=weights)
    assert_array_equal(weights, np.arange(1.0, 61))


def test_lmnn_of_one_class_says_so():
    with pytest.raises(ValueError, match=r"\by\b.*class"):
        make("LMNN").fit(X, np.zeros(N, int))


def test_lmnn_without_impostors_is_no_error():
    far = X + 1000 * np.eye(3, D)[y]
    learner = make("LMNN").fit(far, y)
    assert np.isfinite(learner.components_).all()
    assert np.isfinite(learner.transform(far)).all()


@pytest.mark.parametrize("name", POINTS_LEARNERS)
def test_defaults_fit_iris(name):
    iris, classes = load_iris(return_X_y=True)
    labels = np.arange(150) // 10 if name == "RCA" else classes
    embedded = getattr(metric_learn, name)().fit(iris, labels).transform(iris)
    assert KNeighborsClassifier(3).fit(embedded, classes).score(embedded, classes) > 0.9


@every
@pytest.mark.filterwarnings("ignore:the covariance .* its pseudo-inverse is used")
def test_a_feature_twice_and_one_that_is_constant_do_no_harm(name):
    redundant = np.hstack([X, X[:, :1], np.ones((N, 1))])
    assert np.isfinite(make(name).fit(*given(name, redundant)).pair_distance(redundant[PAIRS])).all()


@of_pairs
@pytest.mark.filterwarnings("ignore:.* dissimilar pairs are of identical points")
def test_points_paired_with_themselves_do_no_harm(name):
    pairs, labels = np.vstack([PAIRS, [[0, 0], [1, 1], [2, 2]]]), np.append(SAME, [1, 1, -1])
    assert np.isfinite(make(name).fit(X[pairs], labels).components_).all()


def test_small_classes_do_not_shrink_the_neighbourhoods_of_others():
    few = np.r_[np.flatnonzero(y != 2), np.flatnonzero(y == 2)[:5]]
    found = []
    for small in (-1, 9):  # the small class is the first one, and the last
        with pytest.warns(UserWarning, match=r"k=9 is too large for 1 of 3 classes"):
            found.append(make("LFDA", k=9).fit(X[few], np.where(y[few] == 2, small, y[few])).get_mahalanobis_matrix())
    assert_allclose(found[0], found[1], rtol=1e-8)


def test_chunks_are_of_all_classes_alike():
    labels = np.repeat([0, 1, 2], 200)
    drawn = [labels[metric_learn.Constraints(labels).chunks(1, random_state=seed) == 0][0] for seed in range(150)]
    assert np.bincount(drawn, minlength=3).min() > 30


def test_the_preprocessor_may_be_changed_after_fit():
    learner = make("ITML", preprocessor=X).fit(PAIRS, SAME)
    learner.set_params(preprocessor=X[::-1])
    assert_array_equal(learner.pair_distance(PAIRS), fitted("ITML").pair_distance(X[::-1][PAIRS]))
