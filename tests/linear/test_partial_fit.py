"""Streams: linear learners whose statistics add up learn from batches what they learn from all samples at once."""

import pickle

import numpy as np
import pytest
import sklearn
from discovery import (
    ESTIMATORS,
    METRICS,
    ONLINE_VIEWS,
    PAIR_LEARNERS,
    POINT_LEARNERS,
    quick,
    tiny_pairs,
    tiny_points,
    training_data,
)
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError

import metricnets
from metricnets._batches import pair_signs
from metricnets._reservoir import Reservoir
from metricnets._scatters import Scatters, pair_scatters
from metricnets.linear._pairwise.class_pairs import class_scatters

STREAMED = [name for name in METRICS if name in metricnets.linear.__all__ and hasattr(ESTIMATORS[name], "partial_fit")]
ONLINE = ["OASIS", "OASIS_Supervised", *ONLINE_VIEWS]  # tests/linear/test_oasis.py, test_multi_view_oasis.py
ADDED = [name for name in STREAMED if name not in ONLINE]
SETTINGS = [
    *((name, {}) for name in ADDED),
    *((name, {"n_components": 2}) for name in ADDED),
    ("LDA", {"n_components": 1}),
    ("LDA", {"solver": "eigen"}),
    ("LDA", {"solver": "lsqr", "shrinkage": 0.3}),
    ("LDA", {"priors": [0.2, 0.3, 0.5]}),
    ("RCA", {"regularization": 0.1}),
    ("GMML", {"t": 0.3, "prior": np.diag([1.0, 2.0, 3.0, 4.0])}),
    ("KISSME_Supervised", {"regularization": 0.01}),
]
CUTS = {"single samples": [1, 2, 3], "one large batch": [44], "of one class": [15, 30]}
X, y = tiny_points()
pairs, similar = tiny_pairs(n_pairs=90)
W = np.random.default_rng(0).integers(0, 4, 90) / 2

few = pytest.mark.filterwarnings("ignore:the .* has .*(degrees of freedom|rank)")
waits = pytest.mark.filterwarnings("ignore:.* has no metric of the batches so far")


def data(name):
    return (pairs, similar) if name in PAIR_LEARNERS else (X, y)


def close(found, expected, rtol=1e-9):
    M, expected = (learner.get_mahalanobis_matrix() for learner in (found, expected))
    assert_allclose(M, expected, rtol=0, atol=rtol * np.abs(expected).max())


def streamed(learner, parts, *arrays, weights=None):
    for rows in parts:
        given = {} if weights is None else {"sample_weight": weights[rows]}
        learner.partial_fit(*(array[rows] for array in arrays), **given)
    return learner


def test_the_learners_are_found():
    assert {"Covariance", "LDA", "RCA", "GMML", "KISSME", "OASIS"} <= set(STREAMED)


# ------------------------------------------------------------------------------------------------
# Equal to the fit on all samples.


@few
@waits
@pytest.mark.parametrize("cuts", CUTS.values(), ids=CUTS)
@pytest.mark.parametrize(("name", "params"), SETTINGS, ids=[f"{name} {params}" for name, params in SETTINGS])
def test_batches_give_the_metric_of_all_samples(name, params, cuts):
    A, b = data(name)
    order = np.argsort(b, kind="stable")
    found = streamed(quick(name, **params), np.split(order, cuts), A, b)
    close(found, quick(name, **params).fit(A, b))


@few
@waits
@pytest.mark.parametrize(("name", "params"), SETTINGS, ids=[f"{name} {params}" for name, params in SETTINGS])
def test_weights_count_as_in_fit(name, params):
    A, b = data(name)
    weights, order = W[: len(A)] + (np.arange(len(A)) < 3), np.random.default_rng(1).permutation(len(A))
    found = streamed(quick(name, **params), np.array_split(order, 4), A, b, weights=weights)
    close(found, quick(name, **params).fit(A, b, sample_weight=weights))


@few
@waits
@pytest.mark.parametrize("name", ADDED)
@pytest.mark.parametrize("change", [lambda A: A + 1e6, lambda A: A * 1e-8, lambda A: A[..., [0, 1, 0, 2]]])
def test_neither_origin_nor_unit_nor_a_repeated_column_matters(name, change):
    A, b = data(name)
    A = change(A)
    close(streamed(quick(name), np.array_split(np.arange(len(A)), 5), A, b), quick(name).fit(A, b), 1e-6)


@few
@waits
@pytest.mark.parametrize("name", ADDED)
def test_a_feature_that_is_constant_up_to_rounding_is_constant(name):
    A, b = data(name)
    rounding = np.resize([0.1 + 0.2, 0.3], A[..., :1].shape)
    A = np.concatenate([A, rounding], axis=-1)
    close(streamed(quick(name), np.array_split(np.arange(len(A)), 5), A, b), quick(name).fit(A, b))


@pytest.mark.parametrize("name", ADDED)
def test_values_whose_squares_vanish_are_refused_as_in_fit(name):
    A, b = data(name)
    for learn in (quick(name).fit, quick(name).partial_fit):
        with pytest.raises(ValueError, match="scale them first"):
            learn(A * 1e-80, b)


@few
@waits
@pytest.mark.parametrize("name", ["Covariance", "LDA", "KISSME_Supervised", "XQDA"])
def test_more_features_than_samples(name):
    wide = np.hstack([X, X**2, np.sin(3 * X)])[:10]
    found = streamed(quick(name), np.array_split(np.arange(10), 3), wide, y[:10])
    expected, some = quick(name).fit(wide, y[:10]), wide[:8].reshape(4, 2, -1)
    assert_allclose(found.pair_distance(some), expected.pair_distance(some), rtol=1e-6)


def test_scatters_add_up_to_those_of_all_points():
    rng = np.random.default_rng(0)
    weights, parts = rng.random(45) + 0.1, np.split(rng.permutation(45), [1, 2, 20])
    for apart in (False, True):
        found = Scatters.of_none(4, apart)
        for rows in parts:
            found = found.merged(Scatters.of(X[rows], y[rows], weights[rows], apart))
        assert_allclose(found.counts, np.bincount(y, weights))
        means = np.stack([np.average(X[y == c], axis=0, weights=weights[y == c]) for c in range(3)])
        assert_allclose(found.means, means)
        within = np.stack([np.cov(X[y == c].T, aweights=weights[y == c], ddof=0) * found.counts[c] for c in range(3)])
        assert_allclose(found.within, within if apart else within.sum(axis=0))
    for a, b in zip(pair_scatters(found), class_scatters(X, y, weights=weights)):
        assert_allclose(a, b)


@waits
def test_the_threshold_is_that_of_all_pairs_as_long_as_they_are_kept():
    found = streamed(quick("GMML"), np.array_split(np.argsort(similar), 6), pairs, similar)
    assert found.threshold_ == pytest.approx(quick("GMML").fit(pairs, similar).threshold_)
    many = np.random.default_rng(0).integers(90, size=3000)
    found = streamed(quick("GMML"), np.array_split(np.sort(many), 3), pairs, similar)
    assert len(found._kept) == 1000
    expected = quick("GMML").fit(pairs[many], similar[many])
    assert found.score(pairs, similar) == pytest.approx(expected.score(pairs, similar))
    assert np.mean(found.predict(pairs) == expected.predict(pairs)) > 0.9


def test_labels_of_pairs_as_they_are_spelled():
    spelled = (similar > 0).astype(int)
    with pytest.warns(UserWarning, match="similar and dissimilar pairs are needed"):
        found = quick("KISSME").partial_fit(pairs[similar > 0], spelled[similar > 0])
    found.partial_fit(pairs[similar < 0], spelled[similar < 0])
    assert_array_equal(found.classes_, [0, 1])
    close(found, quick("KISSME").fit(pairs, spelled))
    with pytest.raises(ValueError, match="y should hold"):
        found.partial_fit(pairs[:2], [-1, -1])
    assert pair_signs([1, 1], 2)[1] is None
    assert pair_signs([True, False], 2)[1].tolist() == [0, 1]


# ------------------------------------------------------------------------------------------------
# The convention of scikit-learn.


@few
@pytest.mark.parametrize("name", ADDED)
def test_a_batch_of_other_features_is_refused_and_loses_nothing(name):
    A, b = data(name)
    learner = streamed(quick(name), [np.arange(30)], A, b)
    before = learner.components_
    for wrong in ((A[..., :3], b), (A[:1] * np.nan, b[:1]), (A, b[:-1]) if name != "Covariance" else (A[..., :3],)):
        with pytest.raises(ValueError):  # noqa: PT011
            learner.partial_fit(*wrong)
        assert learner.components_ is before
    close(learner.partial_fit(A[30:], b[30:]), quick(name).fit(A, b))


@few
@pytest.mark.parametrize("name", ADDED)
def test_fit_starts_anew_and_a_stream_goes_on_from_it(name):
    A, b = data(name)
    learner = streamed(quick(name), [np.arange(30)], A * 3, b).fit(A[:40], b[:40])
    close(learner, quick(name).fit(A[:40], b[:40]))
    close(streamed(learner, [np.arange(40, len(A))], A, b), quick(name).fit(A, b))


@few
@pytest.mark.parametrize("name", ["Covariance", "LDA", "KISSME_Supervised"])
def test_fit_keeps_no_sums_that_are_larger_than_the_samples(name):
    wide = np.hstack([X, X**2, np.sin(3 * X)])[:10]
    with pytest.raises(ValueError, match="call partial_fit from the first batch on"):
        quick(name).fit(wide, y[:10]).partial_fit(wide, y[:10])


@pytest.mark.parametrize("name", [name for name in POINT_LEARNERS if name in ADDED])
def test_weights_that_are_too_large_are_refused_as_in_fit(name):
    for learn in (quick(name).fit, quick(name).partial_fit):
        with pytest.raises(ValueError, match="scale it to a mean of about 1"):
            learn(X, y, sample_weight=1e200)


def test_fit_keeps_no_sums_for_parameters_that_need_all_samples():
    learner = metricnets.LDA(solver="eigen", shrinkage="auto").fit(X, y).set_params(shrinkage=0.1)
    with pytest.raises(ValueError, match="its parameters did not suit a stream"):
        learner.partial_fit(X, y)
    learner = metricnets.GMML(prior="covariance").fit(pairs, similar).set_params(prior="identity")
    with pytest.raises(ValueError, match="its parameters did not suit a stream"):
        learner.partial_fit(pairs, similar)


@few
@pytest.mark.parametrize("name", STREAMED)
def test_a_stream_goes_on_after_a_pickle(name):
    A, b = training_data(name)
    args = [(A[rows],) if b is None else (A[rows], b[rows]) for rows in (slice(0, 30), slice(30, None))]
    learner = quick(name).partial_fit(*args[0])
    again = pickle.loads(pickle.dumps(learner)).partial_fit(*args[1])
    points = args[1][0].reshape(-1, 4)
    assert_array_equal(again.transform(points), learner.partial_fit(*args[1]).transform(points))


@pytest.mark.parametrize("name", [name for name in POINT_LEARNERS if name in ADDED and name != "Covariance"])
def test_samples_of_one_class_are_kept_until_there_are_others(name):
    with pytest.warns(UserWarning, match="has no metric of the batches so far"):
        learner = quick(name).partial_fit(X[:1], y[:1])
    with pytest.raises(NotFittedError):
        learner.transform(X)
    close(streamed(learner, [np.arange(1, 45)], X, y), quick(name).fit(X, y))


@pytest.mark.parametrize(
    ("learner", "reason"),
    [
        (metricnets.LDA(solver="eigen", shrinkage="auto"), "shrinkage='auto'"),
        (metricnets.LDA(solver="eigen", priors=[0.5, 0.5]), "set solver='svd'"),
        (metricnets.GMML(prior="covariance"), "prior='covariance' needs all points"),
    ],
)
def test_parameters_that_need_all_samples(learner, reason):
    assert not hasattr(learner, "partial_fit")
    with pytest.raises(AttributeError) as error:
        learner.partial_fit  # noqa: B018
    assert reason in str(error.value.__cause__ or error.value)


def test_labels_of_another_type_are_refused():
    learner = quick("LDA").partial_fit(X, np.array(["a", "b", "c"])[y])
    with pytest.raises(ValueError, match="use targets of one type"):
        learner.partial_fit(X, y)
    with pytest.raises(ValueError, match="for one sample give"):
        learner.partial_fit(X[0], "a")


@few
@pytest.mark.parametrize("name", ["RCA", "KISSME_Supervised"])
def test_names_and_missing_labels_in_a_list(name):
    names = ["abc"[code] if i % 5 else np.nan for i, code in enumerate(y)]
    found, expected = quick(name), quick(name).fit(X, names)
    close(expected, quick(name).fit(X, np.where(np.arange(45) % 5, y, np.nan)))
    for rows in np.split(np.arange(45), [20]):
        found.partial_fit(X[rows], [names[i] for i in rows])
    close(found, expected)


def test_new_classes_may_come_at_any_time():
    learner = streamed(quick("LDA"), [np.flatnonzero(y < 2), np.flatnonzero(y == 2)], X, y)
    assert learner.components_.shape == (2, 4)


@few
def test_unknown_labels_count_in_the_variance_of_rca_alone():
    chunks = np.where(np.arange(45) % 5, y, -1)
    close(streamed(quick("RCA"), np.split(np.arange(45), [7, 30]), X, chunks), quick("RCA").fit(X, chunks))


@few
def test_weights_are_requested():
    with sklearn.config_context(enable_metadata_routing=True):
        learner = quick("LDA").set_partial_fit_request(sample_weight=True)
        assert learner.get_metadata_routing().partial_fit.requests == {"sample_weight": True}


# ------------------------------------------------------------------------------------------------
# What is kept of a stream.


def test_a_reservoir_is_a_uniform_sample_of_each_class():
    counts = np.zeros(40)
    groups = np.repeat([0, 1], [30, 10])
    for seed in range(300):
        reservoir = Reservoir(8, np.random.default_rng(seed))
        for batch in np.split(np.arange(40), [5, 33, 34]):
            (rows,) = reservoir.joined(batch)
            reservoir = reservoir.after(rows, groups=groups[rows])
        assert len(reservoir) == 8
        assert np.count_nonzero(groups[reservoir.arrays[0]]) == 4
        counts[reservoir.arrays[0]] += 1
    assert_allclose(counts[:30] / 300, 4 / 30, atol=5 * np.sqrt(4 / 30 / 300))
    assert_allclose(counts[30:] / 300, 4 / 10, atol=5 * np.sqrt(4 / 10 / 300))


def test_a_reservoir_does_not_change():
    one = Reservoir(5, np.random.default_rng(0)).after(np.arange(9), groups=np.zeros(9, int))
    rows = one.joined(np.arange(9, 12))
    first, again = (one.after(*rows, groups=np.zeros(8, int)) for _ in range(2))
    assert_array_equal(first.arrays[0], again.arrays[0])
    assert one.n_seen == 9
    assert first.n_seen == 12
