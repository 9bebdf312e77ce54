"""NearestClassMean: scikit-learn's NearestCentroid, classes that are added, probabilities."""

import numpy as np
import pytest
from discovery import needs_torch, tiny_points
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from metricnets import LDA, Covariance, NearestClassMean

X, Y = tiny_points()


def naive_loss(z, y, scale, weights):
    """Mean negative log-likelihood, every copy of a sample left out of the mean of its class."""
    z, y = z.repeat(weights, axis=0), y.repeat(weights)
    total = 0
    for i in range(len(y)):
        rest = np.arange(len(y)) != i
        d2 = np.array([((z[i] - z[rest & (y == c)].mean(axis=0)) ** 2).sum() for c in np.unique(y)])
        total += np.log(np.exp(-scale * d2).sum()) + scale * d2[np.unique(y) == y[i]][0]
    return total / len(y)


def test_without_a_metric_it_is_scikit_learns_nearest_centroid():
    expected = NearestCentroid().fit(X, Y)
    for points in (X, csr_array(X)):
        model = NearestClassMean().fit(points, Y)
        assert_allclose(model.means_, expected.centroids_)
        assert_array_equal(model.predict(points), expected.predict(X))


def test_with_a_metric_it_is_that_of_embedded_points():
    z = LDA().fit_transform(X, Y)
    expected = NearestClassMean().fit(z, Y).predict_proba(z)
    for metric in (LDA(), LDA().fit(X, Y), LDA().fit(X, Y).get_metric()):
        assert_allclose(NearestClassMean(metric=metric).fit(X, Y).predict_proba(X), expected, atol=1e-6)


def test_a_function_measures_the_distance_to_means_of_points():
    model = NearestClassMean(metric=lambda u, v: np.abs(u - v).max()).fit(X, Y)
    means = [X[c == Y].mean(axis=0) for c in range(3)]
    expected = [min(range(3), key=lambda c: np.abs(x - means[c]).max()) for x in X]
    assert_array_equal(model.predict(X), expected)


def test_the_scale_maximises_the_likelihood_without_oneself():
    weights = np.random.default_rng(0).integers(1, 4, len(Y))
    best = NearestClassMean().fit(X, Y, sample_weight=weights).scale_
    losses = [naive_loss(X, Y, best * factor, weights) for factor in (0.95, 1, 1.05)]
    assert losses[1] == min(losses)
    d2 = ((X[:, None] - NearestClassMean().fit(X, Y).means_) ** 2).sum(axis=2)
    p = np.exp(-0.3 * d2) / np.exp(-0.3 * d2).sum(axis=1, keepdims=True)
    assert_allclose(NearestClassMean(scale=0.3).fit(X, Y).predict_proba(X), p)


def test_added_samples_and_classes_give_the_means_of_all():
    metric, order = Covariance().fit(X), np.argsort(Y, kind="stable")
    whole = NearestClassMean(metric=metric).fit(X, Y)
    parts = NearestClassMean(metric=metric).fit(X[order[:20]], Y[order[:20]])
    scale = parts.scale_
    for rows in np.array_split(order[20:], 3):
        parts.partial_fit(X[rows], Y[rows])
    assert_array_equal(parts.classes_, [0, 1, 2])
    assert_array_equal(parts.class_count_, whole.class_count_)
    assert parts.scale_ == scale
    assert_array_equal(parts.predict(X), whole.predict(X))


def test_a_stream_begins_with_a_batch_of_one_class():
    model = NearestClassMean().partial_fit(X[Y == 1], Y[Y == 1])
    assert model.scale_ is None
    assert_array_equal(model.predict_proba(X), np.ones((45, 1)))
    model.partial_fit(X[Y != 1], Y[Y != 1])
    assert_array_equal(model.predict(X), NearestClassMean().fit(X, Y).predict(X))
    assert model.scale_ > 0


def test_labels_of_two_kinds_and_a_failed_batch_change_nothing():
    model = NearestClassMean().fit(X, Y)
    before = vars(model).copy()
    for points, labels, message in ((X, Y.astype(str), "labels of one type"), (X[:, :2], Y, "features")):
        with pytest.raises(ValueError, match=message):
            model.partial_fit(points, labels)
    assert vars(model) == before


def test_parameters_of_the_metric_can_be_searched_in_a_pipeline():
    model = make_pipeline(StandardScaler(), NearestClassMean(metric=LDA()))
    search = GridSearchCV(model, {"nearestclassmean__metric__n_components": [1, 2]}, cv=3).fit(X, Y)
    assert search.best_score_ > 0.5


@needs_torch
def test_the_linear_layer_of_a_network_is_a_metric_too():
    from metricnets import Mahalanobis

    metric = Mahalanobis(max_epochs=1, random_state=0).fit(X, Y)
    z = metric.transform(X)
    assert_array_equal(NearestClassMean(metric=metric).fit(X, Y).predict(X), NearestClassMean().fit(z, Y).predict(z))
