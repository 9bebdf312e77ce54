"""Distances do not depend on the origin: points far from it give what they give near it, but for rounding.

All points are multiples of 1/64 and offsets powers of two: adding them loses nothing, and what changes is our fault.
"""

import numpy as np
import pytest
from discovery import ESTIMATORS, METRICS, TUPLE_LEARNERS, quick, tiny_points, training_data
from scipy.sparse import csr_array, csr_matrix
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from metricnets import AAKNN, ITML, LDA, MLKNN, MLKR, NCA, RAML, Constraints, Covariance, PairsClassifier
from metricnets._neighbors import nearest, neighborhoods
from metricnets._pseudo_labels import cluster_shares, spread_shares
from metricnets.constraints import knn_triplets
from metricnets.metrics import retrieval_scores
from metricnets.protocols import cross_validate_pairs, gallery_probe

FAR = {np.float64: 2.0**30 * np.array([8, -4, 1, 0]), np.float32: 2.0**12 * np.array([4, -4, 1, 0])}
# How far distances may be off: what is computed in double precision, and from differences, is right to the last digits.
TOLERANCE = {name: 1e-12 for name in METRICS if ESTIMATORS[name].__module__.startswith("metricnets.linear")}
REAL = [(MLKR, {}), (RAML, {"relation": "absolute"}), (RAML, {"relation": "absolute", "solver": "svr"})]

every = pytest.mark.parametrize("name", TOLERANCE)


def on_grid(X):
    return np.round(X * 64) / 64


X, CLASSES = tiny_points(seed=1)
X = on_grid(X)
PAIRS = np.stack([X[:-1], X[1:]], axis=1)


@every
@pytest.mark.parametrize("dtype", FAR)
def test_what_is_learned_does_not_depend_on_the_origin(name, dtype):
    data, y = training_data(name)
    data, far = on_grid(data).astype(dtype), FAR[dtype].astype(dtype)
    near, away = (quick(name).fit(points, y) for points in (data, data + far))
    pairs = PAIRS.astype(dtype)
    found, expected = away.pair_distance(pairs + far), near.pair_distance(pairs)
    np.testing.assert_allclose(found, expected, rtol=max(TOLERANCE[name], np.finfo(dtype).eps))
    metric = away.get_metric()
    np.testing.assert_allclose([metric(*pair) for pair in pairs[:5] + far], expected[:5], rtol=1e-6)


@every
def test_what_is_learned_from_indicators_does_not_depend_on_the_origin(name):
    data, y = training_data(name)
    table, rows = np.unique(on_grid(data).reshape(-1, 4), axis=0, return_inverse=True)
    rows = rows.reshape(data.shape[:-1])
    far = FAR[np.float64]
    near, away = (quick(name, preprocessor=points).fit(rows, y) for points in (table, table + far))
    np.testing.assert_allclose(away.pair_distance(PAIRS + far), near.pair_distance(PAIRS), rtol=TOLERANCE[name])


@pytest.mark.parametrize("name", [name for name in TUPLE_LEARNERS if name in TOLERANCE])
def test_what_is_said_of_tuples_does_not_depend_on_the_origin(name):
    tuples, y = training_data(name)
    tuples, far = on_grid(tuples), FAR[np.float64]
    near, away = quick(name).fit(tuples, y), quick(name).fit(tuples + far, y)
    np.testing.assert_array_equal(away.predict(tuples + far), near.predict(tuples))
    np.testing.assert_allclose(away.decision_function(tuples + far), near.decision_function(tuples), rtol=1e-9)
    assert away.score(tuples + far, y) == near.score(tuples, y)


@every
def test_the_prior_does_not_depend_on_the_origin(name):
    learner = quick(name)
    for parameter, values in {"prior": ["covariance"], "init": ["covariance", "pca", "lda"]}.items():
        for value in values:
            if value in str(learner._parameter_constraints.get(parameter)):
                learner.set_params(**{parameter: value, **({"n_components": 1} if value in ("pca", "lda") else {})})
                data, y = training_data(name)
                data, far = on_grid(data), FAR[np.float64]
                d = learner.fit(data, y).pair_distance(PAIRS)
                np.testing.assert_allclose(learner.fit(data + far, y).pair_distance(PAIRS + far), d, rtol=1e-9)


@pytest.mark.parametrize("learner", [NCA, MLKR])
@pytest.mark.parametrize("kind", [csr_matrix, csr_array])
def test_sparse_columns_without_zeros_are_columns(learner, kind):
    without_zeros = X - X.min(axis=0) + 1
    near, away = (
        learner(n_components=2).fit(kind(points), CLASSES) for points in (without_zeros, without_zeros + 2.0**33)
    )
    np.testing.assert_allclose(away.pair_distance(PAIRS), near.pair_distance(PAIRS), rtol=1e-12)


@pytest.mark.parametrize(("learner", "params"), REAL, ids=lambda value: getattr(value, "__name__", str(value)))
def test_real_targets_may_be_far_too(learner, params):
    y = on_grid(X @ [1, 2, 0, -1])
    d = learner(**params).fit(X, y).pair_distance(PAIRS)
    np.testing.assert_allclose(learner(**params).fit(X, y + 2.0**33).pair_distance(PAIRS), d, rtol=1e-9)


# ------------------------------------------------------------------------------------------------
# Neighbours, in few and in many features: scikit-learn searches them in other ways.

WIDE = on_grid(np.random.default_rng(0).normal(size=(90, 20)) + 2 * np.eye(3, 20)[np.arange(90) % 3])
LABELS = np.arange(90) % 3
SETS = np.column_stack([LABELS == 0, LABELS != 1]).astype(int)
both = pytest.mark.parametrize("Z", [WIDE, WIDE[:, :3]], ids=["20 features", "3 features"])
types = pytest.mark.parametrize(("dtype", "offset"), [(np.float64, 2.0**33), (np.float32, 2.0**14)])
METRIC = {
    "none": lambda Z: None,
    "to be fitted": lambda Z: LDA(),
    "fitted": lambda Z: LDA().fit(Z, LABELS),
    "function": lambda Z: Covariance().fit(Z).get_metric(),
    "pipeline": lambda Z: make_pipeline(StandardScaler(), LDA()),
}


@both
@types
@pytest.mark.parametrize("metric", METRIC.values(), ids=METRIC)
@pytest.mark.parametrize("predictor", [MLKNN, AAKNN])
def test_predictors_do_not_depend_on_the_origin(predictor, metric, Z, dtype, offset):
    near, away = Z.astype(dtype), (Z + offset).astype(dtype)
    expected = predictor(n_neighbors=5, metric=metric(near)).fit(near[:60], LABELS[:60]).predict(near[60:])
    found = predictor(n_neighbors=5, metric=metric(away)).fit(away[:60], LABELS[:60]).predict(away[60:])
    np.testing.assert_array_equal(found, expected)


@both
@pytest.mark.parametrize("kind", [csr_matrix, csr_array])
def test_sparse_points_of_predictors_do_not_depend_on_the_origin(kind, Z):
    Z = np.hstack([Z, np.where(Z[:, :1] > 0.5, Z[:, :1], 0)])
    offset = np.append(np.full(Z.shape[1] - 1, 2.0**33), 0)
    queries = Z[60:] + offset
    expected = MLKNN(n_neighbors=5).fit(Z[:60], SETS[:60]).predict_proba(Z[60:])
    found = MLKNN(n_neighbors=5).fit(kind(Z[:60] + offset), SETS[:60])
    np.testing.assert_array_equal(found.predict_proba(kind(queries)), expected)
    queries[0, 0] = 0  # a zero where the table has none
    np.testing.assert_array_equal(
        found.predict_proba(kind(queries)), MLKNN(n_neighbors=5).fit(Z[:60], SETS[:60]).predict_proba(queries - offset)
    )


@both
@types
def test_neighbours_do_not_depend_on_the_origin(Z, dtype, offset):
    near, away = Z.astype(dtype), (Z + offset).astype(dtype)
    partial = np.where(np.arange(90) % 4 == 0, -1, LABELS)
    functions = [
        lambda Z: nearest(Z[10:], Z[:10], 4),
        lambda Z: nearest(Z, None, 4),
        lambda Z: np.hstack(neighborhoods(Z, LABELS, 3, 4)),
        lambda Z: spread_shares(Z, partial).argmax(axis=1),
        lambda Z: cluster_shares(Z, partial).argmax(axis=1),
        lambda Z: knn_triplets(Z, partial, 2, 3),
        lambda Z: Constraints(partial).generate_knntriplets(Z, 2, 3),
    ]
    for function in functions:
        np.testing.assert_array_equal(function(away), function(near))


# ------------------------------------------------------------------------------------------------
# Scores and protocols.


@both
@types
def test_retrieval_scores_do_not_depend_on_the_origin(Z, dtype, offset):
    near, away = Z.astype(dtype), (Z + offset).astype(dtype)
    for gallery in (None, slice(30, None)):
        found, expected = (
            retrieval_scores(points, LABELS)
            if gallery is None
            else retrieval_scores(points[:30], LABELS[:30], points[gallery], LABELS[gallery])
            for points in (away, near)
        )
        for key, value in expected.items():
            np.testing.assert_array_equal(found[key], value)


@both
@pytest.mark.parametrize("estimator", [None, Covariance(), ITML()], ids=["none", "points", "pairs"])
def test_verification_does_not_depend_on_the_origin(estimator, Z):
    rows = np.random.default_rng(1).integers(90, size=(60, 2))
    same, fold = np.where(LABELS[rows[:, 0]] == LABELS[rows[:, 1]], 1, -1), np.arange(60) % 3
    expected, found = (cross_validate_pairs(estimator, points[rows], same, fold) for points in (Z, Z + 2.0**33))
    np.testing.assert_allclose(found["score"], expected["score"], rtol=1e-5)  # `transform` keeps 20 digits of 53
    np.testing.assert_array_equal(found["test_accuracy"], expected["test_accuracy"])


@both
@pytest.mark.parametrize("estimator", [None, LDA()], ids=["none", "points"])
def test_a_gallery_does_not_depend_on_the_origin(estimator, Z):
    persons, is_probe = np.arange(90) // 6, np.arange(90) % 2 == 0
    splits = [(range(8), range(8, 15)), (range(7, 15), range(7))]
    expected, found = (gallery_probe(estimator, points, persons, is_probe, splits) for points in (Z, Z + 2.0**33))
    for key in ("test_cmc", "test_mean_average_precision"):
        np.testing.assert_array_equal(found[key], expected[key])


@pytest.mark.parametrize("metric", [None, Covariance().fit(WIDE)], ids=["none", "fitted"])
def test_pairs_are_classified_wherever_the_origin_is(metric):
    rows = np.random.default_rng(1).integers(90, size=(60, 2))
    pairs, same = WIDE[rows], np.where(LABELS[rows[:, 0]] == LABELS[rows[:, 1]], 1, -1)
    near, away = (PairsClassifier(metric).fit(points, same) for points in (pairs, pairs + 2.0**33))
    np.testing.assert_array_equal(away.predict(pairs + 2.0**33), near.predict(pairs))
    assert away.threshold_ == near.threshold_
