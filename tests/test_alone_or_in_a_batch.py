"""What is said of a row does not depend on the rows that are asked about with it."""

import numpy as np
import pytest
from discovery import ESTIMATORS, METRICS, PAIR_LEARNERS, TUPLE_LEARNERS, quick, tiny_points, training_data
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.neighbors import KNeighborsClassifier

from metricnets import (
    AAKNN,
    LDA,
    MLKNN,
    Covariance,
    KNNOutlierDetector,
    NearestClassMean,
    NearestSet,
    OpenSetKNN,
    PairsClassifier,
    SourceOnly,
)

X, Y = tiny_points()
SETS = np.eye(3, dtype=int)[Y]


def one_by_one(method, rows):
    return np.concatenate([method(rows[i : i + 1]) for i in range(len(rows))])


def batches(rows):
    """Rows alone, in halves, backwards, and each beside copies of the first."""
    yield one_by_one
    yield lambda method, rows: np.concatenate([method(part) for part in np.array_split(rows, 3)])
    yield lambda method, rows: method(rows[::-1])[::-1]
    yield lambda method, rows: method(np.concatenate([rows, *[rows[:1]] * 9]))[: len(rows)]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", [*TUPLE_LEARNERS, "PairsClassifier"])
def test_labels_of_training_tuples(name, seed):
    """A threshold next to none of them decides about each as it did when it was chosen."""
    if name == "PairsClassifier":
        tuples, y = training_data("ITML")
        learner = PairsClassifier(LDA().fit(X + seed / 8, Y)).fit(tuples, y)
    else:
        tuples, y = training_data(name)
        tuples = tuples * (1 + seed / 8)
        learner = quick(name).fit(tuples, y)
    expected = learner.predict(tuples)
    for asked in batches(tuples):
        assert_array_equal(asked(learner.predict, tuples), expected)


@pytest.mark.parametrize("precision", [np.float32, np.float64])
@pytest.mark.parametrize("name", PAIR_LEARNERS)
def test_labels_of_pairs_that_occur_twice(name, precision):
    pairs, y = training_data(name)
    pairs, y = np.concatenate([pairs, pairs[:, ::-1]]).astype(precision), np.concatenate([y, y])
    learner = quick(name).fit(pairs, y)
    half = len(y) // 2
    assert_array_equal(learner.predict(pairs)[:half], learner.predict(pairs)[half:])
    assert_array_equal(one_by_one(learner.predict, pairs), learner.predict(pairs))


@pytest.mark.parametrize("name", METRICS)
def test_embeddings_and_distances(name):
    learner = quick(name).fit(*training_data(name))
    points, pairs = X[:15], np.stack([X[:10], X[10:20]], axis=1)
    z, d = learner.transform(points), learner.pair_distance(pairs)
    for asked in batches(points):
        assert_allclose(asked(learner.transform, points), z, rtol=1e-6, atol=1e-6)
    for asked in batches(pairs):
        assert_allclose(asked(learner.pair_distance, pairs), d, rtol=1e-5, atol=1e-6)


# Of points on a grid all distances are exact, and of points that are drawn no two are equal; in 20 dimensions
# scikit-learn compares by products of matrices, below 16 by a tree.  A metric that was learned on a grid makes
# distances that are equal but for rounding, whose order nobody promises.
POINTS = {
    "drawn": X,
    "drawn, 20 columns": np.hstack([X] * 5) + np.random.default_rng(0).normal(size=(45, 20)),
    "a grid": X.round(),
    "a grid, 20 columns": np.hstack([X.round()] * 5),
    "twice": np.concatenate([X[:20], X[:20], X[40:]]).round(2),
}
PREDICTORS = {
    "MLKNN": (lambda: MLKNN(n_neighbors=3), SETS),
    "MLKNN, classes": (lambda: MLKNN(n_neighbors=3), Y),
    "MLKNN, metric": (lambda: MLKNN(n_neighbors=3, metric=Covariance(n_components=2)), SETS),
    "MLKNN, function": (lambda: MLKNN(n_neighbors=3, metric=lambda u, v: np.abs(u - v).max()), SETS),
    "AAKNN": (lambda: AAKNN(n_neighbors=3), SETS / 1.0),
    "AAKNN, metric": (lambda: AAKNN(n_neighbors=3, metric=Covariance()), SETS / 1.0),
    "NearestClassMean": (lambda: NearestClassMean(), Y),
    "OpenSetKNN": (lambda: OpenSetKNN(n_neighbors=3), Y),
    "KNNOutlierDetector": (lambda: KNNOutlierDetector(n_neighbors=3), Y),
    "KNNOutlierDetector, metric": (lambda: KNNOutlierDetector(n_neighbors=3, metric=Covariance()), Y),
    "NearestSet": (lambda: NearestSet(), Y),
    "NearestSet, metric": (lambda: NearestSet(metric=Covariance()), Y),
    "SourceOnly": (lambda: SourceOnly(), Y),
    "SourceOnly, 3": (lambda: SourceOnly(estimator=KNeighborsClassifier(3)), Y),
}


LEARNED = [name for name in PREDICTORS if name.endswith("metric")]
CASES = [(name, kind) for name in PREDICTORS for kind in POINTS if not (name in LEARNED and "grid" in kind)]


@pytest.mark.parametrize(("name", "points"), CASES)
def test_predictions(name, points):
    make, y = PREDICTORS[name]
    rows = POINTS[points]
    model = make().fit(rows, y)
    for method in ("predict", "predict_proba"):
        if not hasattr(model, method):
            continue
        expected = getattr(model, method)(rows)
        for asked in batches(rows):
            assert_array_equal(asked(getattr(model, method), rows), expected)


def test_every_predictor_is_asked():
    predictors = {name for name, cls in ESTIMATORS.items() if cls.__module__.startswith("metricnets.predictors")}
    predictors -= {"HammingNeighbors", "FaissKNeighborsTransformer"}  # they search, and predict nothing
    assert predictors == {name.split(",")[0] for name in PREDICTORS} | {"PairsClassifier"}
