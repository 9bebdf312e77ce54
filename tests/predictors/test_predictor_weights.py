"""Weights of samples and pairs in the predictors."""

import numpy as np
import pandas as pd
import pytest
import sklearn
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from metricnets import AAKNN, LDA, MLKNN, PairsClassifier, SourceOnly, calibration
from metricnets.base import MetricMixin


@pytest.fixture
def sets():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 3))
    return X, (X[:, :2] + 0.5 * rng.normal(size=(60, 2)) > 0).astype(int), rng.integers(0, 4, 60)


def naive_posteriors(X, Y, weights, k, s):
    """P(label | j neighbours have it), sample by sample."""
    found = np.zeros((Y.shape[1], k + 1))
    for label in range(Y.shape[1]):
        c = np.zeros((2, k + 1))
        for i, x in enumerate(X):
            distances = ((X - x) ** 2).sum(axis=1)
            distances[i] = np.inf
            c[Y[i, label], Y[np.argsort(distances)[:k], label].sum()] += weights[i]
        prior = (s + c[1].sum()) / (2 * s + c.sum())
        has, has_not = ((s + row) / (s * (k + 1) + row.sum()) for row in (c[1], c[0]))
        found[label] = prior * has / (prior * has + (1 - prior) * has_not)
    return found


def test_mlknn_counts_weights(sets):
    X, Y, weights = sets
    few = weights > 0
    model = MLKNN(n_neighbors=4, smoothing=0.5).fit(X, Y, sample_weight=weights)
    assert_allclose(model.posteriors_, naive_posteriors(X[few], Y[few], weights[few], 4, 0.5))


def test_aaknn_is_a_weighted_mean(sets):
    X, Y, weights = sets
    D = (Y + 0.5) / (Y + 0.5).sum(axis=1, keepdims=True)
    few, queries = weights > 0, X[:5] + 0.1
    found = AAKNN(n_neighbors=4).fit(X, D, sample_weight=weights).predict(queries)
    for x, p in zip(queries, found):
        near = np.argsort(((X[few] - x) ** 2).sum(axis=1))[:4]
        assert_allclose(p, np.average(D[few][near], axis=0, weights=weights[few][near]))
    of_values = AAKNN(n_neighbors=4).fit(X, D[:, 0], sample_weight=weights).predict(queries)
    assert_allclose(of_values, found[:, 0])


@pytest.mark.parametrize("Model", [AAKNN, MLKNN])
@pytest.mark.parametrize("kind", [np.asarray, csr_array, pd.DataFrame])
def test_weight_0_is_to_leave_out_and_1_is_none(sets, Model, kind):
    X, Y, weights = sets
    few = weights > 0
    probability = {AAKNN: "predict", MLKNN: "predict_proba"}[Model]
    one = Model(n_neighbors=3).fit(kind(X), Y, sample_weight=few * 1.0)
    two = Model(n_neighbors=3).fit(kind(X[few]), Y[few])
    assert_array_equal(getattr(one, probability)(kind(X)), getattr(two, probability)(kind(X)))
    with pytest.raises(ValueError, match="sample_weight should not be negative"):
        Model().fit(kind(X), Y, sample_weight=-weights)


class Spy(MetricMixin, sklearn.base.BaseEstimator):
    """A metric that keeps the weights it is given."""

    def fit(self, X, y, sample_weight=None):
        self.weights_ = sample_weight
        return self

    def transform(self, X):
        return X

    def _shape(self):
        return (3,)


def test_a_metric_is_fitted_with_the_weights_if_it_takes_them(sets):
    X, Y, weights = sets
    assert_array_equal(MLKNN(metric=Spy()).fit(X, Y, sample_weight=weights).metric_.weights_, weights[weights > 0])
    assert MLKNN(metric=Spy()).fit(X, Y).metric_.weights_ is None
    MLKNN(metric=make_pipeline(Spy())).fit(X, Y, sample_weight=weights)


@pytest.mark.parametrize("strategy", ["accuracy", "f_beta"])
def test_the_threshold_of_weighted_pairs_is_that_of_repeated_ones(strategy):
    rng = np.random.default_rng(0)
    pairs, weights = rng.normal(size=(80, 2, 2)), rng.integers(0, 4, 80)
    y = np.where(np.linalg.norm(pairs[:, 0] - pairs[:, 1], axis=1) + rng.normal(size=80) < 1.5, 1, -1)
    weighted = PairsClassifier(strategy=strategy).fit(pairs, y, sample_weight=weights)
    repeated = PairsClassifier(strategy=strategy).fit(pairs.repeat(weights, 0), y.repeat(weights))
    assert weighted.threshold_ == pytest.approx(repeated.threshold_)
    scores = weighted.pair_score(pairs)
    assert -weighted.threshold_ == calibration.threshold(scores, y, strategy=strategy, sample_weight=weights)


class TestSourceOnly:
    def test_weights_are_those_of_the_labelled_samples(self):
        rng = np.random.default_rng(0)
        X, weights = rng.normal(size=(40, 2)), rng.integers(0, 4, 40)
        y = np.where(np.arange(40) % 4 == 0, -1, (X[:, 0] > 0) + 0)
        rows = (y >= 0) & (weights > 0)
        expected = LogisticRegression().fit(X[rows], y[rows], weights[rows])
        found = SourceOnly(LogisticRegression()).fit(X, y, sample_weight=weights)
        assert_allclose(found.predict_proba(X), expected.predict_proba(X))

    def test_without_a_predictor_samples_of_weight_0_are_left_out(self):
        X, y = np.arange(6.0)[:, None], np.array([0, 1, 0, 1, 0, -1])
        assert_array_equal(SourceOnly().fit(X, y, sample_weight=[2, 0, 1, 3, 1, 1]).predict(X[:3]), [0, 0, 0])

    def test_messages(self):
        X, y = np.arange(6.0)[:, None], np.array([0, 1, 0, 1, 0, -1])
        with pytest.raises(ValueError, match="estimator=KNeighborsClassifier.* takes no sample_weight"):
            SourceOnly(KNeighborsClassifier(1)).fit(X, y, sample_weight=np.arange(6))
        with pytest.raises(ValueError, match="sample_weight is 0 for all samples that have a label"):
            SourceOnly().fit(X, y, sample_weight=y < 0)

    def test_weights_are_routed_through_a_pipeline(self):
        rng = np.random.default_rng(0)
        X, weights = rng.normal(size=(40, 2)), rng.integers(1, 4, 40)
        y = (X[:, 0] + rng.normal(size=40) > 0) + 0
        with sklearn.config_context(enable_metadata_routing=True):
            last = SourceOnly(LogisticRegression()).set_fit_request(sample_weight=True)
            model = make_pipeline(LDA().set_fit_request(sample_weight=False), last)
            model.fit(X, y, sample_weight=weights, sample_domain=np.ones(40))
        expected = LogisticRegression().fit(LDA().fit_transform(X, y), y, weights)
        assert_allclose(model.predict_proba(X), expected.predict_proba(LDA().fit_transform(X, y)))
