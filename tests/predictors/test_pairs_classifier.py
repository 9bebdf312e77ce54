import numpy as np
import pytest
from discovery import needs_torch
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from metricnets import LDA, PairsClassifier


@pytest.fixture
def lda(points):
    return LDA().fit(*points)


def test_pairs_up_to_the_threshold_are_similar(lda, pairs):
    X, y = pairs
    model = PairsClassifier(lda).fit(X, y)
    d = lda.pair_distance(X)
    np.testing.assert_array_equal(model.predict(X), np.where(d <= model.threshold_, 1, -1))
    np.testing.assert_array_equal(model.decision_function(X), -d)
    best = max(np.mean(np.where(d <= cut, 1, -1) == y) for cut in [-1, *d])
    assert np.mean(model.predict(X) == y) == best


def test_the_strategy_is_that_of_calibration(lda, pairs):
    X, y = pairs
    model = PairsClassifier(lda, strategy="max_tpr", min_rate=0.8).fit(X, y)
    assert np.mean(model.predict(X)[y == -1] == -1) >= 0.8
    with pytest.raises(ValueError, match="min_rate"):
        PairsClassifier(lda, strategy="max_tpr").fit(X, y)


def test_none_is_the_euclidean_distance(pairs):
    X, y = pairs
    np.testing.assert_allclose(PairsClassifier().fit(X, y).pair_distance(X), np.linalg.norm(X[:, 0] - X[:, 1], axis=1))


def test_the_metric_is_kept_by_clone_and_in_searches(lda, pairs):
    X, y = pairs
    assert clone(PairsClassifier(lda)).metric is lda
    assert np.isfinite(cross_val_score(PairsClassifier(lda), X, y, cv=3)).all()
    search = GridSearchCV(PairsClassifier(), {"metric": [None, FrozenEstimator(lda)]}, cv=3).fit(X, y)
    assert search.best_estimator_.threshold_ > 0


@needs_torch
def test_deep_metrics_serve_too(points, pairs):
    from metricnets import DDML

    ddml = DDML(max_epochs=2, random_state=0).fit(*points)
    assert PairsClassifier(ddml).fit(*pairs).score(*pairs) > 0.5


def test_a_pipeline_is_a_metric_by_what_it_transforms_to(points, pairs):
    pipeline = make_pipeline(StandardScaler(), LDA()).fit(*points)
    X, y = pairs
    expected = np.linalg.norm(pipeline.transform(X[:, 0]) - pipeline.transform(X[:, 1]), axis=1)
    np.testing.assert_allclose(PairsClassifier(pipeline).fit(X, y).pair_distance(X), expected)


def test_what_keeps_nothing_of_fit_is_a_metric_too(pairs):
    class Halved:
        def fit(self, X, y=None):
            return self

        def transform(self, X):
            return X / 2

    X, y = pairs
    assert PairsClassifier(Halved()).fit(X, y).threshold_ == pytest.approx(PairsClassifier().fit(X, y).threshold_ / 2)


def test_what_is_missing_is_named(lda, pairs):
    X, y = pairs
    with pytest.raises(NotFittedError, match=r"metric=LDA\(\) is not fitted; fit it first"):
        PairsClassifier(LDA()).fit(X, y)
    with pytest.raises(ValueError, match="metric=LDA is a class"):
        PairsClassifier(LDA).fit(X, y)
    with pytest.raises(NotFittedError, match="PairsClassifier"):
        PairsClassifier(lda).predict(X)
    with pytest.raises(ValueError, match=r"\by\b"):
        PairsClassifier(lda).fit(X, y * 2)


def test_parameters_of_the_fitted_metric_cannot_be_searched():
    X, y = load_iris(return_X_y=True)
    metric = LDA().fit(X, y)
    with pytest.raises(ValueError, match="metric__n_components cannot be set: metric is fitted"):
        PairsClassifier(metric).set_params(metric__n_components=1)
    assert metric.n_components is None
    assert PairsClassifier(metric).set_params(beta=2.0).beta == 2
