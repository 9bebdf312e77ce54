"""Weights: an integer does what repeating a sample or tuple does, 0 what leaving it out does, None what 1 does."""

import inspect

import numpy as np
import pytest
import sklearn
from discovery import ESTIMATORS, ONLINE_VIEWS, POINT_LEARNERS, TUPLE_LEARNERS, quick, tiny_points, training_data
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.metrics import get_scorer
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import metricnets
from metricnets import metric_learn
from metricnets._weights import check_weights
from metricnets.constraints import chunks, knn_triplets
from metricnets.linear import _doublet_svm

WEIGHTED = [
    name
    for name in (*POINT_LEARNERS, *TUPLE_LEARNERS)
    if name in metricnets.linear.__all__ and "sample_weight" in inspect.signature(ESTIMATORS[name].fit).parameters
]
X, y = tiny_points()
W = np.random.default_rng(0).integers(0, 4, len(X))
REPEATED = np.repeat(np.arange(len(X)), W)

# Settings with which nothing is drawn at random, and iterations end near the optimum
EVERY = {"n_constraints": 10_000}
POINTS = [
    ("Covariance", {}),
    ("Covariance", {"n_components": 2}),
    ("LDA", {}),
    ("LDA", {"solver": "eigen", "priors": [0.2, 0.3, 0.5]}),
    ("LDA", {"solver": "lsqr", "shrinkage": "auto"}),
    ("LDA", {"solver": "lsqr", "shrinkage": 0.3}),
    ("LFDA", {"k": 3}),
    ("LFDA", {"k": 3, "embedding_type": "orthonormalized", "n_components": 2}),
    ("RCA", {}),
    ("RCA", {"n_components": 2}),
    ("NCA", {"max_iter": 5}),
    ("NCA", {"n_components": 1, "max_iter": 5}),
    ("MLKR", {"n_components": 2, "max_iter": 5}),
    ("KISSME_Supervised", {}),
    ("XQDA", {}),
    ("GMML_Supervised", EVERY),
    ("GMML_Supervised", EVERY | {"prior": "covariance"}),
    ("ITML_Supervised", EVERY | {"tol": 1e-9}),
    ("SDML_Supervised", EVERY),
    ("MMC_Supervised", EVERY),
    ("LDML_Supervised", EVERY | {"tol": 1e-8}),
    ("DMLEig_Supervised", EVERY | {"tol": 1e-6}),
]
TUPLES = [
    ("KISSME", {}),
    ("GMML", {"t": 0.3}),
    ("ITML", {"tol": 1e-9}),
    ("SDML", {}),
    ("MMC", {"tol": 1e-8}),
    ("MMC", {"diagonal": True, "tol": 1e-8}),
    ("LDML", {"tol": 1e-8}),
    ("LDML", {"n_components": 2, "tol": 1e-8}),
    ("DMLEig", {"tol": 1e-6}),
    ("DoubletSVM", {"tol": 1e-8}),
    ("LSML", {"tol": 1e-9}),
    ("SCML", {"basis": np.eye(4), "gamma": 0.1}),
]
unfinished = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
all_are_drawn = pytest.mark.filterwarnings("ignore:only .* pairs drawn")


def close(found, expected, rtol=1e-6):
    M, expected = (learner.get_mahalanobis_matrix() for learner in (found, expected))
    assert_allclose(M, expected, rtol=0, atol=rtol * np.abs(expected).max())


def tuples_of(name):
    """Tuples, labels or None, and a weight for each."""
    tuples, labels = training_data(name)
    return tuples, labels, np.random.default_rng(1).integers(0, 4, len(tuples))


@unfinished
@all_are_drawn
@pytest.mark.parametrize(("name", "params"), POINTS)
def test_an_integer_weight_of_a_sample_does_what_repeating_it_does(name, params):
    learner = quick(name, **params)
    repeated = quick(name, **params).fit(X[REPEATED], y[REPEATED])
    close(learner.fit(X, y, sample_weight=W), repeated)
    with pytest.raises(AssertionError):  # and the weights matter
        close(learner.fit(X[W > 0], y[W > 0]), repeated, 1e-3)


@pytest.mark.parametrize(("name", "params"), TUPLES)
def test_an_integer_weight_of_a_tuple_does_what_repeating_it_does(name, params):
    tuples, labels, weights = tuples_of(name)
    rows = np.repeat(np.arange(len(tuples)), weights)
    learner = quick(name, **params).fit(tuples, labels, sample_weight=weights) if labels is not None else None
    learner = learner or quick(name, **params).fit(tuples, sample_weight=weights)
    expected = quick(name, **params).fit(tuples[rows], *([] if labels is None else [labels[rows]]))
    close(learner, expected, 1e-4 if name == "DoubletSVM" else 1e-6)
    if labels is not None:
        assert learner.threshold_ == pytest.approx(expected.threshold_, rel=1e-4)


def test_views_are_crossed_with_weights_as_with_repeated_samples():
    view = np.arange(len(X)) % 2
    found = quick("XQDA").fit(X, y, view=view, sample_weight=W)
    close(found, quick("XQDA").fit(X[REPEATED], y[REPEATED], view=view[REPEATED]))


@pytest.mark.parametrize("name", WEIGHTED)
def test_a_weight_of_0_leaves_out_and_a_weight_of_1_changes_nothing(name):
    data = [part for part in training_data(name) if part is not None]
    n, kept = len(data[0]), np.arange(len(data[0])) % 4 > 0
    for weights, rows in ((np.ones(n), slice(None)), (kept, kept), (1, slice(None))):
        found = quick(name).fit(*data, sample_weight=weights)
        close(found, quick(name).fit(*(part[rows] for part in data)), 1e-9)


@pytest.mark.parametrize("name", ["KISSME_Supervised", "LDML_Supervised", "SCML_Supervised", "RCA", "LFDA"])
def test_a_class_without_weight_is_no_class(name):
    weights = (y != 1) * 2.0
    found = quick(name).fit(X, y, sample_weight=weights)
    close(found, quick(name).fit(X[y != 1], y[y != 1] // 2, sample_weight=weights[y != 1]), 1e-9)


@pytest.mark.parametrize("name", ["LDA", "RAML", "DoubletSVM_Supervised", "SCML_Supervised"])
def test_only_the_proportions_of_the_weights_of_samples_matter(name):
    weights, params = np.random.default_rng(2).uniform(0.5, 2, len(X)), {"solver": "eigen"} if name == "LDA" else {}
    learner = quick(name, **params)
    L = learner.fit(X, y, sample_weight=weights).components_
    close(quick(name, **params).fit(X, y, sample_weight=5 * weights), learner, 1e-5)
    assert not np.allclose(L, learner.fit(X, y).components_, rtol=1e-3)


@pytest.mark.parametrize("name", ["KISSME", "GMML", "LDML", "DMLEig", "LSML"])
def test_only_the_proportions_of_the_weights_of_tuples_matter(name):
    tuples, labels, weights = tuples_of(name)
    given = [tuples] if labels is None else [tuples, labels]
    close(*(quick(name).fit(*given, sample_weight=factor * weights) for factor in (1, 5)))


@pytest.mark.parametrize(("name", "parameter"), [("ITML", "gamma"), ("SDML", "balance_param"), ("DoubletSVM", "C")])
def test_a_factor_of_all_weights_is_one_of_the_weight_of_the_loss(name, parameter):
    tuples, labels, weights = tuples_of(name)
    learners = (
        quick(name, **{parameter: 0.01 * 5**i, "tol": 1e-8} if name != "SDML" else {parameter: 0.01 * 5**i})
        for i in (0, 1)
    )
    one, five = learners
    close(one.fit(tuples, labels, sample_weight=5 * weights), five.fit(tuples, labels, sample_weight=weights), 1e-5)


WEIGHTS = np.random.default_rng(2).uniform(0.5, 2, len(X))


def product_of(rows):
    return WEIGHTS[rows].prod(axis=1) / WEIGHTS[rows].prod(axis=1).mean()


def test_doublets_have_the_product_of_the_weights_of_their_samples():
    similar, dissimilar = _doublet_svm.doublets(X, y, 2, 2)
    rows, signs = np.concatenate([similar, dissimilar]), np.repeat([1, -1], [len(similar), len(dissimilar)])
    expected = quick("DoubletSVM", tol=1e-8).fit(X[rows], signs, sample_weight=product_of(rows))
    learner = quick("DoubletSVM_Supervised", tol=1e-8)
    close(learner.fit(X, y, sample_weight=WEIGHTS), expected, 1e-5)
    with pytest.raises(AssertionError):
        close(learner.fit(X, y), expected, 1e-2)


def test_triplets_have_the_product_of_the_weights_of_their_samples():
    rows, params = knn_triplets(X, y, 3, 10), {"basis": np.eye(4), "gamma": 0.1}
    expected = quick("SCML", **params).fit(X[rows], sample_weight=product_of(rows))
    learner = quick("SCML_Supervised", **params)
    close(learner.fit(X, y, sample_weight=WEIGHTS), expected, 1e-2)
    with pytest.raises(AssertionError):
        close(learner.fit(X, y), expected, 2e-2)


def test_chunks_that_are_drawn_have_the_weights_of_their_samples():
    params = {"n_chunks": 20, "regularization": 0.1}
    drawn = chunks(y, 20, 2, np.random.RandomState(0))
    expected = quick("RCA", regularization=0.1).fit(X, drawn, sample_weight=WEIGHTS)
    close(quick("RCA_Supervised", **params).fit(X, y, sample_weight=WEIGHTS), expected)


def test_quadruplets_that_are_drawn_keep_weights_of_their_own():
    own = np.arange(1.0, 51)
    lsml = quick("LSML_Supervised", n_constraints=50, weights=own).fit(X, y, sample_weight=WEIGHTS)
    assert_allclose(lsml.w_, own / own.sum())


# --- what must not pass


BAD = [
    (np.ones(44), "one weight for each of the 45 samples"),
    (np.ones((45, 2)), "shape"),
    (np.r_[np.ones(44), -1], r"sample_weight\[44\] is -1"),
    (np.r_[np.ones(44), np.nan], "sample_weight contains NaN"),
    (np.r_[np.ones(44), np.inf], "sample_weight contains infinity"),
    (np.zeros(45), "zero for all samples"),
    (["a"] * 45, "sample_weight"),
    (np.eye(1, 45).ravel(), "one sample only"),
]


@pytest.mark.parametrize(("weights", "message"), BAD)
def test_bad_weights_are_refused_and_leave_the_learner_as_it_was(weights, message):
    learner = quick("LFDA").fit(X, y)
    before = learner.components_
    with pytest.raises(ValueError, match=message):
        learner.fit(X, y, sample_weight=weights)
    assert learner.components_ is before


@pytest.mark.parametrize("name", ["GMML_Supervised", "RAML", "NCA"])
def test_weights_whose_products_have_no_numbers_are_refused(name):
    for scale in (1e-200, 1e200):
        with pytest.raises(ValueError, match="^sample_weight is at most .*; scale it to a mean of about 1"):
            quick(name).fit(*training_data(name), sample_weight=scale * W)


@pytest.mark.parametrize("name", ["NCA", "MLKR"])
def test_a_sample_of_next_to_no_weight_has_no_effect(name):
    weights = np.append(1e-308, np.ones(len(X) - 1))
    close(quick(name).fit(X, y, sample_weight=weights), quick(name).fit(X[1:], y[1:]))


def test_bad_weights_of_tuples_are_refused():
    pairs, labels = training_data("KISSME")
    with pytest.raises(ValueError, match="for each of the 40 pairs"):
        quick("KISSME").fit(pairs, labels, sample_weight=np.ones(39))
    with pytest.raises(ValueError, match="all similar or for all dissimilar"):
        quick("KISSME").fit(pairs, labels, sample_weight=labels > 0)
    quadruplets, _ = training_data("LSML")
    with pytest.raises(ValueError, match="two names"):
        quick("LSML").fit(quadruplets, np.ones(80), sample_weight=np.ones(80))
    with pytest.raises(ValueError, match="weights is zero for all quadruplets"):
        quick("LSML").fit(quadruplets, np.zeros(80))


def test_weights_that_count_no_sample_are_refused():
    for name in ("Covariance", "LDA", "LFDA"):
        with pytest.raises(ValueError, match="mean of 1"):
            quick(name).fit(X, y, sample_weight=1 / 45)
    with pytest.raises(ValueError, match="covariance_estimator"):
        quick("LDA", solver="eigen", covariance_estimator=sklearn.covariance.LedoitWolf()).fit(X, y, sample_weight=W)


@pytest.mark.parametrize("name", ["OASIS", "OASIS_Supervised", *ONLINE_VIEWS])
def test_learners_from_a_stream_take_no_weights(name):
    data = training_data(name)
    with pytest.raises(TypeError, match="sample_weight"):
        quick(name).fit(*data, sample_weight=np.ones(len(data[0])))


def test_other_spellings_of_weights():
    assert check_weights(None, 3) is None
    assert_array_equal(check_weights(2, 3), [2.0, 2, 2])
    given = np.ones(3)
    assert not np.shares_memory(check_weights(given, 3), given)


# --- where scikit-learn hands weights on


def test_weights_reach_the_learner_in_a_pipeline_and_a_search():
    with sklearn.config_context(enable_metadata_routing=True):
        lfda = quick("LFDA").set_fit_request(sample_weight=True)
        scaler, knn = (
            StandardScaler().set_fit_request(sample_weight=False),
            KNeighborsClassifier(),
        )
        model = make_pipeline(scaler, lfda, knn).fit(X, y, sample_weight=W)
        scaled = StandardScaler().fit_transform(X)
        close(model[1], quick("LFDA").fit(scaled, y, sample_weight=W))
        scorer = get_scorer("accuracy").set_score_request(sample_weight=True)
        search = GridSearchCV(make_pipeline(lfda, knn), {"lfda__k": [2, 5]}, scoring=scorer, cv=3)
        found = search.fit(X, y, sample_weight=W).best_estimator_[0]
        close(found, quick("LFDA", k=found.k).fit(X, y, sample_weight=W))
        gmml = quick("GMML").set_fit_request(sample_weight=True).set_score_request(sample_weight=True)
        pairs, labels, weights = tuples_of("GMML")
        search = GridSearchCV(gmml, {"t": [0.2, 0.8]}, cv=2).fit(pairs, labels, sample_weight=weights)
        close(search.best_estimator_, quick("GMML", **search.best_params_).fit(pairs, labels, sample_weight=weights))


def test_fit_transform_takes_weights():
    found = quick("LDA").fit_transform(X, y, sample_weight=W)
    assert_allclose(found, quick("LDA").fit(X, y, sample_weight=W).transform(X))


@unfinished
@pytest.mark.parametrize("name", ["LMNN", "RCA", "NCA", "ITML_Supervised", "MMC"])
def test_classes_of_metric_learn_take_weights(name):
    data = training_data(name)
    params = {
        key: value
        for key, value in {"random_state": 0, "max_iter": 3}.items()
        if key in ESTIMATORS[name]._get_param_names()
    }
    learner = getattr(metric_learn, name)(**params)
    weights = np.arange(len(data[0])) % 4 > 0
    close(
        learner.fit(*data, sample_weight=weights),
        getattr(metric_learn, name)(**params).fit(*(part[weights] for part in data)),
        1e-9,
    )


@unfinished
@pytest.mark.parametrize("matrix", [np.asarray, csr_array])
def test_sparse_and_dense_samples_have_the_same_weights(matrix):
    counts = np.random.default_rng(0).poisson(0.7, (45, 8)).astype(float)
    params = {"n_components": 2, "max_iter": 4, "init": "pca"}
    found = quick("NCA", **params).fit(matrix(counts), y, sample_weight=W)
    close(found, quick("NCA", **params).fit(matrix(counts[REPEATED]), y[REPEATED]))
