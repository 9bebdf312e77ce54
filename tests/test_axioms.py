"""What every fitted metric learner promises: a metric, its function, its bits, its precision, its names."""

import copy
import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from discovery import (
    CODES,
    ESTIMATORS,
    METRICS,
    PAIR_LEARNERS,
    PARTIAL,
    POINT_LEARNERS,
    REGRESSION,
    SEVERAL_TASKS,
    TUPLE_LEARNERS,
    TWO_VIEWS,
    fitted,
    quick,
    tiny_points,
    tiny_views,
    training_data,
)
from scipy.sparse import coo_array, csr_matrix
from sklearn.exceptions import NotFittedError
from sklearn.neighbors import KNeighborsClassifier

from metricnets import base
from metricnets.deep._training.embedding import doubled
from metricnets.linear._base import MahalanobisMetric

every = pytest.mark.parametrize("name", METRICS)
of_points = pytest.mark.parametrize("name", POINT_LEARNERS)

X, CLASSES = tiny_points(seed=1)  # not those of the training


def pairs_of(a, b):
    return np.stack([a, b], axis=1)


def all_distances(name):
    n = len(X)
    left, right = np.divmod(np.arange(n * n), n)
    return fitted(name).pair_distance(pairs_of(X[left], X[right])).reshape(n, n)


# ------------------------------------------------------------------------------------------------
# A pseudo-metric: the Euclidean distance of embedded points.


@every
def test_distance_is_symmetric_non_negative_zero_on_itself_and_triangular(name):
    d = all_distances(name)
    assert (d >= 0).all()
    assert d.max() > 0
    np.testing.assert_allclose(d, d.T, rtol=1e-12)
    np.testing.assert_allclose(np.diag(d), 0, atol=1e-12 * d.max())
    assert (d[:, None, :] <= d[:, :, None] + d[None, :, :] + 1e-12 * d.max()).all()


@every
def test_distance_is_the_norm_of_the_difference_of_embeddings(name):
    z = fitted(name).transform(X)
    expected = np.linalg.norm(z[:, None] - z, axis=2)
    np.testing.assert_allclose(all_distances(name), expected, rtol=1e-9, atol=1e-9)


@every
def test_score_is_the_negative_distance(name):
    pairs = pairs_of(X[:-1], X[1:])
    np.testing.assert_array_equal(fitted(name).pair_score(pairs), -fitted(name).pair_distance(pairs))


@every
def test_a_row_is_embedded_alike_in_any_company(name):
    z = fitted(name).transform(X)
    np.testing.assert_allclose(np.vstack([fitted(name).transform(x[None]) for x in X]), z, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(fitted(name).transform(X[::-1]), z[::-1], rtol=1e-9, atol=1e-9)


@of_points
def test_fit_transform_is_fit_then_transform(name):
    X, y = training_data(name)
    np.testing.assert_array_equal(quick(name).fit_transform(X, y), fitted(name).transform(X))


@pytest.mark.parametrize("name", [name for name in METRICS if hasattr(ESTIMATORS[name], "get_mahalanobis_matrix")])
def test_a_linear_metric_is_that_of_its_matrix(name):
    L, M = fitted(name).components_, fitted(name).get_mahalanobis_matrix()
    np.testing.assert_allclose(M, L.T @ L, rtol=1e-12)
    difference = X[:-1] - X[1:]
    expected = np.einsum("id,de,ie->i", difference, M, difference)
    np.testing.assert_allclose(fitted(name).pair_distance(pairs_of(X[:-1], X[1:])) ** 2, expected, rtol=1e-9)
    np.testing.assert_allclose(fitted(name).transform(X), X @ L.T, rtol=1e-9, atol=1e-9)


# ------------------------------------------------------------------------------------------------
# The metric as a function.


@every
def test_metric_function_is_the_distance(name):
    metric, expected = fitted(name).get_metric(), fitted(name).pair_distance(pairs_of(X[:-1], X[1:]))
    assert repr(metric) == f"Distance(shape=(4,), linear={metric.linear})"
    found = [metric(u, v) for u, v in zip(X, X[1:])]
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose([metric(u, v, squared=True) for u, v in zip(X, X[1:])], np.square(found), rtol=1e-12)
    assert isinstance(found[0], float)
    assert metric(X[0].tolist(), X[1].astype(np.float32)) == pytest.approx(found[0], rel=1e-5)


@every
def test_metric_function_outlives_its_estimator(name):
    estimator = copy.deepcopy(fitted(name))
    metric = estimator.get_metric()
    before = metric(X[0], X[1])
    data, y = training_data(name)
    estimator.fit(data * [3, 1, 2, 1] + 1, y)
    assert metric(X[0], X[1]) == before
    assert estimator.get_metric()(X[0], X[1]) != before
    assert pickle.loads(pickle.dumps(metric))(X[0], X[1]) == before


@every
def test_neighbours_are_those_of_the_embedded_points(name):
    estimator = fitted(name)
    by_metric = KNeighborsClassifier(n_neighbors=4, metric=estimator.get_metric()).fit(X, CLASSES)
    by_embedding = KNeighborsClassifier(n_neighbors=4).fit(estimator.transform(X), CLASSES)
    d_metric, found = by_metric.kneighbors(X[:20])
    d_embedding, expected = by_embedding.kneighbors(estimator.transform(X[:20]))
    np.testing.assert_allclose(d_metric, d_embedding, rtol=1e-6, atol=1e-6)
    if name not in CODES:
        np.testing.assert_array_equal(found, expected)


# ------------------------------------------------------------------------------------------------
# Wrong sizes, and no fit.

WRONG = {
    "transform wide": lambda e: e.transform(np.ones((2, 5))),
    "transform narrow": lambda e: e.transform(np.ones((2, 1))),
    "transform one point": lambda e: e.transform(X[0]),
    "transform NaN": lambda e: e.transform(X * np.nan),
    "pairs wide": lambda e: e.pair_distance(np.ones((3, 2, 5))),
    "pairs narrow": lambda e: e.pair_distance(np.ones((3, 2, 1))),
    "triplets": lambda e: e.pair_distance(np.ones((3, 3, 4))),
    "points as pairs": lambda e: e.pair_distance(X),
    "one pair alone": lambda e: e.pair_distance(X[:2]),
    "pairs NaN": lambda e: e.pair_distance(np.full((3, 2, 4), np.nan)),
    "metric wide": lambda e: e.get_metric()(np.ones(5), np.ones(5)),
    "metric narrow": lambda e: e.get_metric()(np.ones(2), np.ones(2)),
    "metric of unequal points": lambda e: e.get_metric()(np.ones(2), np.ones(6)),
    "metric of an unequal pair": lambda e: e.get_metric()(np.ones(4), np.ones(3)),
    "metric of two rows": lambda e: e.get_metric()(np.ones((2, 4)), np.ones((2, 4))),
}


@every
def test_wrong_sizes_and_values_are_refused(name):
    for what, call in WRONG.items():
        try:
            call(fitted(name))
        except ValueError:
            continue
        pytest.fail(f"{what} is taken")


def example(name):
    """One tuple, of the kind that the learner is for."""
    return X[None, : getattr(ESTIMATORS[name], "_tuple_size", 2)]


CALLS = {
    "transform": (X,),
    "pair_distance": (X[None, :2],),
    "pair_score": (X[None, :2],),
    "get_metric": (),
    "get_feature_names_out": (),
    "get_mahalanobis_matrix": (),
    "decision_function": (example,),
    "predict": (example,),
    "score": (example, [1]),
    "set_threshold": (1.0,),
    "calibrate_threshold": (X[None, :2], [1]),
}


@every
def test_what_is_not_fitted_says_so(name):
    for method in [method for method in CALLS if hasattr(quick(name), method)]:
        with pytest.raises(NotFittedError, match=f"This {name} instance is not fitted yet"):
            getattr(quick(name), method)(*(arg(name) if arg is example else arg for arg in CALLS[method]))


# ------------------------------------------------------------------------------------------------
# The same bits for the same seed, and nobody's random state touched.


@every
def test_same_seed_same_bits(name):
    again = quick(name).fit(*training_data(name))
    np.testing.assert_array_equal(again.transform(X), fitted(name).transform(X))
    again.fit(*training_data(name))  # the estimator itself once more
    np.testing.assert_array_equal(again.transform(X), fitted(name).transform(X))


@every
def test_a_pickled_estimator_is_the_same(name):
    copied = pickle.loads(pickle.dumps(fitted(name)))
    np.testing.assert_array_equal(copied.transform(X), fitted(name).transform(X))
    assert copied.get_metric()(X[0], X[1]) == fitted(name).get_metric()(X[0], X[1])


@every
@pytest.mark.parametrize("seed", [0, None], ids=["seeded", "unseeded"])
def test_global_random_states_are_untouched(name, seed):
    estimator = quick(name)
    if "random_state" in estimator.get_params():
        estimator.set_params(random_state=seed)
    numpy_before, torch_before = np.random.get_state(), torch.get_rng_state()
    estimator.fit(*training_data(name)).transform(X)
    estimator.get_metric()(X[0], X[1])
    assert torch.equal(torch.get_rng_state(), torch_before)
    for after, before in zip(np.random.get_state(), numpy_before):
        np.testing.assert_array_equal(after, before)


@pytest.mark.parametrize(
    ("name", "start"),
    [
        (name, key)
        for name in METRICS
        if issubclass(ESTIMATORS[name], MahalanobisMetric)
        for key in ("init", "prior")
        if key in quick(name).get_params()
    ],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # one start in a hundred is that far off
def test_random_starts_do_not_touch_the_global_random_state(name, start):
    before = np.random.get_state()
    quick(name, **{start: "random", "random_state": None}).fit(*training_data(name))
    for now, then in zip(np.random.get_state(), before):
        np.testing.assert_array_equal(now, then)


LAYOUTS = {
    "read-only": np.copy,
    "columns first": lambda a: np.array(a, order="F"),
    "backwards": lambda a: a[::-1].copy()[::-1],
    "every other": lambda a: np.repeat(a, 2, axis=0)[::2],
}


@every
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_data_stay_as_they_are_and_their_layout_does_not_matter(name, dtype):
    given = [training_data(name)[0].astype(dtype), training_data(name)[1], X.astype(dtype)]
    expected = np.abs(quick(name).fit(*given[:2]).transform(given[2]))
    for layout, change in LAYOUTS.items():
        data = [array if array is None else change(array) for array in given]
        for array in data:
            if array is not None:
                array.flags.writeable = False
        z = np.abs(quick(name).fit(*data[:2]).transform(data[2]))  # eigenvectors have no sign
        np.testing.assert_allclose(z, expected, rtol=1e-4, atol=1e-5, err_msg=layout)
        for before, after in zip(given, data):
            np.testing.assert_array_equal(before, after, err_msg=layout)


# ------------------------------------------------------------------------------------------------
# Names of classes, precision, names of columns.


@pytest.mark.parametrize("name", [name for name in POINT_LEARNERS if name not in REGRESSION])
@pytest.mark.parametrize(
    "names",
    [np.array(["apple", "fig", "pear"]), np.array([-7, 2, 900]), np.array([0.0, 1.0, 2.0])],
    ids=["strings", "ints", "floats"],
)
def test_only_the_order_of_class_names_matters(name, names):
    if name in [*PARTIAL, *TWO_VIEWS, *SEVERAL_TASKS, "TwoDomainNet"] and names.dtype == int:
        names = names + 7  # a negative label would be an unknown one
    data, y = training_data(name)
    if name in TWO_VIEWS:
        classes = tiny_views()[2]
        found, expected = (quick(name).fit(data, y, each).transform(X) for each in (names[classes], classes))
        np.testing.assert_array_equal(found, expected)
        return
    if name in SEVERAL_TASKS:
        y, known = y.astype(object), ~np.isnan(y)
        y[known] = names[y[known].astype(int)]
        renamed = quick(name).fit(data, y)
    else:
        renamed = quick(name).fit(data, names[y])
    np.testing.assert_array_equal(renamed.transform(X), fitted(name).transform(X))


@pytest.mark.parametrize("name", [name for name in METRICS if "device" in quick(name).get_params()])
def test_a_network_in_double_precision_is_a_copy(name):
    network, points = fitted(name).module_, torch.from_numpy(training_data(name)[0].reshape(-1, 4)[:9])
    before = copy.deepcopy(network.state_dict())
    found, expected = doubled(network), copy.deepcopy(network).double()
    with torch.no_grad():
        assert torch.equal(found(points), expected(points))
        for tensor in [*found.parameters(), *found.buffers()]:
            tensor.mul_(0)
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())


@every
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_precision_is_kept(name, dtype):
    data, y = training_data(name)
    for estimator in (fitted(name), quick(name).fit(data.astype(dtype), y)):
        z = estimator.transform(X.astype(dtype))
        assert z.dtype == dtype
        assert estimator.pair_distance(pairs_of(X[:3], X[3:6]).astype(dtype)).dtype == dtype
        assert np.isfinite(z).all()
    z = fitted(name).transform(X)
    np.testing.assert_allclose(fitted(name).transform(X.astype(dtype)), z, rtol=1e-4, atol=1e-5 * np.abs(z).max())


@every
@pytest.mark.parametrize("dtype", [int, np.int8, bool, object])
def test_other_types_of_numbers_become_float64(name, dtype):
    whole = (X > 0.5) if dtype is bool else X.round().clip(-100, 100)
    z = fitted(name).transform(whole.astype(dtype))
    assert z.dtype == np.float64
    np.testing.assert_array_equal(z, fitted(name).transform(whole.astype(float)))


@every
def test_columns_of_a_data_frame_have_names(name):
    estimator = copy.deepcopy(fitted(name)).set_output(transform="pandas")
    z = fitted(name).transform(X)
    names = [f"{name.lower()}{k}" for k in range(z.shape[1])]
    assert list(estimator.get_feature_names_out()) == names
    frame = estimator.transform(X)
    assert isinstance(frame, pd.DataFrame)
    assert list(frame.columns) == names
    np.testing.assert_array_equal(frame.to_numpy(), z)


@of_points
def test_names_of_features_are_remembered(name):
    data, y = training_data(name)
    frame = pd.DataFrame(data, columns=list("abcd"), index=range(100, 100 + len(data)))
    estimator = quick(name).fit(frame, pd.Series(y) if y.ndim == 1 else pd.DataFrame(y))
    assert list(estimator.feature_names_in_) == list("abcd")
    assert estimator.n_features_in_ == 4
    z = fitted(name).transform(data)
    np.testing.assert_allclose(np.abs(estimator.transform(frame)), np.abs(z), rtol=1e-6, atol=1e-9)  # sign as above
    with pytest.raises(ValueError, match="feature names"):
        estimator.transform(frame[list("dcba")])


@pytest.mark.parametrize("name", [name for name in METRICS if "random_state" not in quick(name).get_params()])
def test_without_randomness_the_order_of_rows_does_not_matter(name):
    data, y = training_data(name)
    exact = {"tol": 1e-10} if hasattr(fitted(name), "n_iter_") else {}
    order = np.random.default_rng(0).permutation(len(data))
    shuffled = quick(name, **exact).fit(data[order], y if y is None else y[order])
    pairs = pairs_of(X[:-1], X[1:])
    expected = quick(name, **exact).fit(data, y).pair_distance(pairs)
    np.testing.assert_allclose(shuffled.pair_distance(pairs), expected, rtol=1e-6)


# ------------------------------------------------------------------------------------------------
# Learners of tuples.


@every
def test_distances_of_many_pairs_are_those_of_a_few(name, monkeypatch):
    pairs = pairs_of(X[:-1], X[1:])
    expected = fitted(name).pair_distance(pairs)
    monkeypatch.setattr(base, "CHUNK", 7)
    np.testing.assert_allclose(fitted(name).pair_distance(pairs), expected, rtol=1e-9)


@pytest.mark.parametrize("name", TUPLE_LEARNERS)
def test_a_weighted_score_is_that_of_tuples_repeated(name):
    data, y = training_data(name)
    weights = np.arange(len(data)) % 3
    repeated = np.repeat(data, weights, axis=0), None if y is None else np.repeat(y, weights)
    found = fitted(name).score(data, y, sample_weight=weights)
    assert found == pytest.approx(fitted(name).score(*repeated))
    assert found != pytest.approx(fitted(name).score(data, y), abs=1e-12)


@pytest.mark.parametrize("name", TUPLE_LEARNERS)
def test_a_preprocessor_is_asked_once_about_each_point(name):
    data, y = training_data(name)
    table, rows = np.unique(data.reshape(-1, 4), axis=0, return_inverse=True)
    asked = []

    def look_up(indicators):
        asked.extend(indicators)
        return table[indicators]

    estimator = quick(name, preprocessor=look_up).fit(rows.reshape(data.shape[:2]), y)
    asked.clear()
    estimator.pair_distance(rows.reshape(data.shape[:2])[:, :2])
    assert len(asked) == len(set(asked))


@pytest.mark.parametrize("name", PAIR_LEARNERS)
def test_predictions_are_distances_up_to_the_threshold(name):
    estimator = fitted(name)
    pairs, y = training_data(name)
    d = estimator.pair_distance(pairs)
    np.testing.assert_array_equal(estimator.predict(pairs), np.where(d <= estimator.threshold_, 1, -1))
    np.testing.assert_array_equal(estimator.decision_function(pairs), -d)
    positive, negative = d[y == 1][:, None], d[y == -1]
    expected = np.mean((positive < negative) + 0.5 * (positive == negative))  # area under the ROC curve
    assert estimator.score(pairs, y) == pytest.approx(expected)


@pytest.mark.parametrize("name", PAIR_LEARNERS)
def test_the_threshold_may_be_set_and_is_calibrated_as_well_as_can_be(name):
    estimator = copy.deepcopy(fitted(name))
    pairs, y = training_data(name)
    estimator.calibrate_threshold(pairs, y)
    accuracy = np.mean(estimator.predict(pairs) == y)
    for threshold in [*estimator.pair_distance(pairs), -1.0]:
        assert np.mean(estimator.set_threshold(threshold).predict(pairs) == y) <= accuracy
    for wrong in ("far", None, [1.0, 2.0], np.nan):
        with pytest.raises(ValueError, match="is not a number"):
            estimator.set_threshold(wrong)


@pytest.mark.parametrize("name", TUPLE_LEARNERS)
@pytest.mark.parametrize(
    "source",
    [np.asarray, lambda table: table.__getitem__, csr_matrix, coo_array],
    ids=["array", "function", "csr", "coordinates"],
)
def test_indicators_are_looked_up(name, source):
    data, y = training_data(name)
    table, rows = np.unique(data.reshape(-1, 4), axis=0, return_inverse=True)
    indicators = rows.reshape(data.shape[:2])
    estimator = quick(name, preprocessor=source(table)).fit(indicators, y)
    of_indicators, of_points = (estimator.pair_distance(given[:, :2]) for given in (indicators, data))
    np.testing.assert_allclose(of_indicators, of_points, rtol=1e-9)
    np.testing.assert_allclose(estimator.transform(X), fitted(name).transform(X), rtol=1e-4, atol=1e-5)
