"""KNNOutlierDetector: a naive loop, offsets, metrics, weights."""

import numpy as np
import pytest
from discovery import tiny_points
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from metricnets import ITML, LDA, Covariance, KNNOutlierDetector

X, Y = tiny_points()
NEW = np.random.default_rng(1).normal(size=(20, 4)) * 3


def naive(X, queries, k, aggregate):
    found = []
    for x in queries:
        d = np.sort([np.linalg.norm(x - other) for other in X])
        d = d[1:] if d[0] == 0 else d
        found.append(-aggregate(d[:k]))
    return np.array(found)


@pytest.mark.parametrize("k", [1, 3, 44])
@pytest.mark.parametrize(("aggregate", "function"), [("mean", np.mean), ("largest", np.max)])
def test_it_is_the_distance_to_neighbours_other_than_oneself(k, aggregate, function):
    model = KNNOutlierDetector(n_neighbors=k, aggregate=aggregate).fit(X)
    for queries in (X, NEW):
        assert_allclose(model.score_samples(queries), naive(X, queries, k, function), atol=1e-12)
    d = NearestNeighbors(n_neighbors=k).fit(X).kneighbors()[0]
    assert_allclose(model.score_samples(X), -function(d, axis=1))


def test_one_of_two_equal_samples_is_a_neighbour_of_the_other():
    model = KNNOutlierDetector(n_neighbors=1).fit([[0.0], [0.0], [1.0], [3.0]])
    assert_array_equal(model.score_samples([[0.0], [3.0], [2.5]]), [0, -2, -0.5])


def test_the_offset_is_a_quantile_or_tukeys_fence():
    scores = KNNOutlierDetector().fit(X).score_samples(X)
    model = KNNOutlierDetector(contamination=0.2).fit(X)
    assert model.offset_ == np.quantile(scores, 0.2)
    assert np.mean(model.predict(X) == -1) == 0.2
    low, high = np.quantile(scores, [0.25, 0.75])
    assert KNNOutlierDetector().fit(X).offset_ == pytest.approx(low - 1.5 * (high - low))
    assert_array_equal(model.fit_predict(X), model.predict(X))


def test_weights_are_those_of_the_quantile():
    weights = np.random.default_rng(0).integers(0, 3, len(X))
    kept = weights > 0
    model = KNNOutlierDetector(contamination=0.3).fit(X, sample_weight=weights)
    scores = KNNOutlierDetector().fit(X[kept]).score_samples(X[kept]).repeat(weights[kept])
    assert model.offset_ == np.quantile(scores, 0.3, method="inverted_cdf")


def test_labels_are_for_the_metric_alone():
    z = LDA().fit_transform(X, Y)
    expected = KNNOutlierDetector().fit(z).score_samples(z)
    assert_allclose(KNNOutlierDetector(metric=LDA()).fit(X, Y).score_samples(X), expected)
    assert_array_equal(
        KNNOutlierDetector().fit(X, Y).score_samples(NEW), KNNOutlierDetector().fit(X).score_samples(NEW)
    )
    fitted = KNNOutlierDetector(metric=LDA().fit(X, Y)).fit(X)
    assert_allclose(fitted.score_samples(X), expected)
    model, weights = KNNOutlierDetector(metric=LDA()), 1.0 + Y
    expected = clone(model).fit(X, Y, sample_weight=weights).predict(X)
    assert_array_equal(model.fit_predict(X, Y, sample_weight=weights), expected)
    with pytest.raises(ValueError, match="requires y"):
        KNNOutlierDetector(metric=LDA()).fit(X)
    with pytest.raises(ValueError, match="learns from tuples"):
        KNNOutlierDetector(metric=ITML()).fit(X, Y)


def test_in_a_pipeline_and_by_a_function():
    model = make_pipeline(StandardScaler(), KNNOutlierDetector(metric=Covariance())).fit(X)
    assert_array_equal(model.predict([[50.0] * 4]), [-1])
    by_function = KNNOutlierDetector(metric=lambda u, v: np.abs(u - v).sum()).fit(X)
    d = np.sort(np.abs(X[:, None] - X).sum(axis=2), axis=1)[:, 1:6]
    assert_allclose(by_function.score_samples(X), -d.mean(axis=1))
    with pytest.raises(ValueError, match="n_neighbors=45 needs at least 46 rows"):
        KNNOutlierDetector(n_neighbors=45).fit(X)
