"""AAKNN: the mean of the neighbours' rows, with metrics of every kind."""

import numpy as np
import pytest
from discovery import needs_torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone, is_regressor
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from metricnets import AAKNN, Covariance

QUICK = {"max_epochs": 2, "device": "cpu", "random_state": 0}


@pytest.fixture
def distributions():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    return X, rng.dirichlet([1, 2, 3], size=60)


@pytest.mark.parametrize("k", [1, 3, 60])
def test_it_is_the_mean_of_the_neighbours(distributions, k):
    X, Y = distributions
    X_new = np.random.default_rng(1).normal(size=(20, 4))
    p = AAKNN(n_neighbors=k).fit(X, Y).predict(X_new)
    for x, row in zip(X_new, p):
        near = np.argsort([np.linalg.norm(x - other) for other in X])[:k]
        assert_allclose(row, np.mean([Y[i] for i in near], axis=0))
    assert_allclose(p.sum(axis=1), 1)
    assert_allclose(p, KNeighborsRegressor(k).fit(X, Y).predict(X_new))


def test_real_targets_of_any_shape_are_averaged(distributions):
    X, Y = distributions
    for y in (Y[:, 0], Y[:, :1], (Y[:, 0] * 10).astype(int)):
        expected = KNeighborsRegressor().fit(X, y).predict(X)
        assert_allclose(AAKNN().fit(X, y).predict(X), expected)
        assert expected.shape == y.shape
    assert is_regressor(AAKNN())
    assert not hasattr(AAKNN(), "predict_proba")


def test_metrics_of_every_kind(distributions):
    X, Y = distributions
    covariance = Covariance().fit(X)
    z = covariance.transform(X)
    expected = AAKNN().fit(z, Y).predict(z)
    for metric in (covariance, Covariance(), covariance.get_metric(), lambda u, v: covariance.get_metric()(u, v)):
        assert_allclose(AAKNN(metric=metric).fit(X, Y).predict(X), expected)
    assert clone(AAKNN(metric=covariance)).metric is covariance


@needs_torch
def test_a_deep_metric_is_learned_from_the_distributions(distributions):
    from metricnets import HRAML

    X, Y = distributions
    z = HRAML(**QUICK).fit(X, Y).transform(X)
    aaknn = AAKNN(metric=HRAML(**QUICK)).fit(X, Y)
    assert_array_equal(aaknn.predict(X), AAKNN().fit(z, Y).predict(z))
    pipeline = make_pipeline(MinMaxScaler(), AAKNN(metric=HRAML(**QUICK)))
    search = GridSearchCV(pipeline, {"aaknn__metric__scale": [1.0, 2.0]}, cv=2).fit(X, Y)
    assert search.predict(X).shape == Y.shape


def test_what_is_refused(distributions):
    X, Y = distributions
    with pytest.raises(ValueError, match="n_neighbors=5 needs at least 5 rows, but n_samples=4"):
        AAKNN().fit(X[:4], Y[:4])
    for wrong, message in ((Y * np.nan, "NaN"), (Y[:-1], "inconsistent"), (np.full(Y.shape, "a"), "convert")):
        with pytest.raises(ValueError, match=message):
            AAKNN().fit(X, wrong)
    with pytest.raises(ValueError, match="features"):
        AAKNN().fit(X, Y).predict(X[:, :2])
