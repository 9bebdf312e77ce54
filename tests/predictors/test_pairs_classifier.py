"""PairsClassifier: threshold and probabilities of pairs, of any fitted metric or on classes that are held out."""

import numpy as np
import pytest
from discovery import needs_torch
from sklearn import config_context
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from metricnets import LDA, PairsClassifier
from metricnets.metrics import expected_calibration_error
from metricnets.predictors._classes.held_out_pairs import folds_of_classes, held_out_distances, pairs_of_classes


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


class Doubling:
    """What transforms points, and is no estimator."""

    def transform(self, X):
        return 2 * X


def test_the_metric_is_kept_by_clone_and_in_searches(lda, pairs):
    X, y = pairs
    for metric in (lda, Doubling(), None):
        assert clone(PairsClassifier(metric)).metric is metric
        assert PairsClassifier(metric).fit(X, y).metric_ is metric
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


# ------------------------------------------------------------------------------------------------
# Classes that are held out.


def blobs(n_classes, n=10, seed=0):
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(n_classes), n)
    return rng.normal(size=(n_classes, 5))[y] * 2 + rng.normal(size=(len(y), 5)), y


def some_pairs(y, seed=0):
    return pairs_of_classes(y, 2000, np.random.RandomState(seed))


class Spy(LDA):
    """Notes the classes and weights that it is fitted to."""

    seen = []

    def fit(self, X, y, sample_weight=None):
        self.seen.append((set(y), None if sample_weight is None else set(sample_weight)))
        return super().fit(X, y, sample_weight=sample_weight)


def test_each_class_is_held_out_once_and_the_metric_learns_from_all(monkeypatch):
    monkeypatch.setattr(Spy, "seen", [])
    X, y = blobs(7)
    model = PairsClassifier(Spy(n_components=2), n_folds=3, random_state=0).fit(X, y + 10)
    everything, *folds = (classes for classes, _ in Spy.seen)
    assert everything == set(range(10, 17))
    assert sorted(c for classes in folds for c in everything - classes) == sorted(everything)
    assert [len(everything - classes) for classes in folds] == [3, 2, 2]
    np.testing.assert_allclose(model.metric_.transform(X), LDA(n_components=2).fit(X, y).transform(X), rtol=1e-9)
    rows, signs = some_pairs(y)
    np.testing.assert_allclose(model.pair_distance(X[rows]), model.metric_.pair_distance(X[rows]))
    assert np.mean(model.predict(X[rows]) == signs) > 0.6


def test_distances_are_those_of_the_fits_that_have_not_seen_the_classes():
    X, y = blobs(6)
    _, d, signs, _ = held_out_distances(LDA(n_components=2), X, y, None, 2, 10**6, np.random.RandomState(0))
    fold = folds_of_classes(y, 2, np.random.RandomState(0))

    def mean_similar(metric, of):
        z = metric.transform(X[of])
        same = np.triu(y[of][:, None] == y[of], 1)
        return np.linalg.norm(z[:, None] - z, axis=2)[same].mean()

    unit, expected = mean_similar(LDA(n_components=2).fit(X, y), y >= 0), []
    for k in range(2):
        metric = LDA(n_components=2).fit(X[fold != k], y[fold != k])
        z, same = metric.transform(X[fold == k]), np.equal.outer(y[fold == k], y[fold == k])
        found = np.linalg.norm(z[:, None] - z, axis=2)[np.triu(same, 1)]
        expected.append(found * unit / mean_similar(metric, fold != k))
    np.testing.assert_allclose(np.sort(d[signs == 1]), np.sort(np.concatenate(expected)), rtol=1e-9)


def test_probabilities_hold_for_new_classes():
    X, y = load_digits(return_X_y=True)
    model = PairsClassifier(LDA(n_components=3), n_folds=3, random_state=0).fit(X[y < 7], y[y < 7])
    rows, signs = some_pairs(y[y >= 7])
    seen = model.metric_.pair_distance(X[y < 7][some_pairs(y[y < 7])[0]])
    naive = PairsClassifier(model.metric_).fit(X[y < 7][some_pairs(y[y < 7])[0]], some_pairs(y[y < 7])[1])
    errors = [expected_calibration_error(signs, m.predict_proba(X[y >= 7][rows])[:, 1]) for m in (model, naive)]
    assert errors[0] < errors[1]
    assert np.isfinite(seen).all()


def test_weights_are_those_of_the_samples(monkeypatch):
    monkeypatch.setattr(Spy, "seen", [])
    X, y = blobs(8)
    weights = np.where(y == 0, 0.0, np.where(X[:, 0] > 0, 2.0, 1.0))
    model = PairsClassifier(Spy(n_components=2), n_folds=2, random_state=0).fit(X, y, sample_weight=weights)
    assert all(classes <= set(range(1, 8)) and given <= {1, 2} for classes, given in Spy.seen)
    other = PairsClassifier(LDA(n_components=2), n_folds=2, random_state=0).fit(X[y > 0], y[y > 0])
    assert model.threshold_ != other.threshold_


def test_what_cannot_be_held_out_is_named(lda, points):
    X, y = blobs(5)
    for metric in (lda, None):
        with pytest.raises(ValueError, match="n_folds=2 fits the metric to classes in turn, and metric="):
            PairsClassifier(metric, n_folds=2).fit(X, y)
    with pytest.raises(ValueError, match="n_folds=3 holds out two classes or more in each fold and needs 6 of them"):
        PairsClassifier(LDA(), n_folds=3).fit(X, y)
    with pytest.raises(ValueError, match="n_folds=2 needs as many classes with two samples or more"):
        PairsClassifier(LDA(), n_folds=2).fit(X[:8], [0, 0, 0, 0, 0, 1, 2, 3])
    with pytest.raises(ValueError, match="y"):
        PairsClassifier(LDA(), n_folds=2).fit(X, X[:, 0])
    with pytest.raises(ValueError, match="n_components=3 is more than") as raised:
        PairsClassifier(LDA(n_components=3), n_folds=2).fit(X, y)
    assert raised.value.__notes__ == ["n_folds=2: the metric was fitted without the classes of a fold, to 2."]
    again = PairsClassifier(LDA(n_components=1), n_folds=2, random_state=3)
    assert clone(again).fit(X, y).threshold_ == again.fit(X, y).threshold_


def test_searches_score_pairs_of_the_points_that_are_held_out():
    X, y = blobs(12)
    model = PairsClassifier(LDA(n_components=2), n_folds=2, random_state=0, n_pairs=10**6)
    scores = cross_val_score(model, X, y, groups=y, cv=GroupKFold(3))
    for score, (train, test) in zip(scores, GroupKFold(3).split(X, y, y)):
        z = clone(model).fit(X[train], y[train]).metric_.transform(X[test])
        i, j = np.triu_indices(len(test), 1)
        d, same = np.linalg.norm(z[i] - z[j], axis=1), y[test][i] == y[test][j]
        assert score == pytest.approx(np.mean(d[same] < d[~same][:, None]))
    search = GridSearchCV(model, {"metric__n_components": [1, 4], "n_folds": [2, 3]}, cv=3, error_score="raise")
    assert search.fit(X, y).best_score_ > 0.6
    rows, signs = some_pairs(y)
    fitted = search.best_estimator_
    assert fitted.score(X[rows], signs) == pytest.approx(roc_auc_score(signs, -fitted.pair_distance(X[rows])))


def test_scores_of_points_count_weights_and_need_both_kinds_of_pairs():
    X, y = blobs(6)
    model = PairsClassifier(LDA(n_components=2), n_folds=2, random_state=0).fit(X, y)
    weights = np.ones(len(y))
    assert model.score(X, y, 2 * weights) == pytest.approx(model.score(X, y))
    weights[y < 3] = 1e-9
    assert model.score(X, y, weights) == pytest.approx(model.score(X[y >= 3], y[y >= 3]), abs=1e-6)
    weights[y < 3] = 0
    assert model.score(X, y, weights) == model.score(X[y >= 3], y[y >= 3])
    for some in (y == 0, np.unique(y, return_index=True)[1]):
        with pytest.raises(ValueError, match="two classes or more, one of them with two samples"):
            model.score(X[some], y[some])
    with pytest.raises(ValueError, match="two classes or more"):
        model.score(X, y, 1.0 * (y == 0))
    with pytest.raises(ValueError, match="X has 3 features, but LDA is expecting 5"):
        model.score(X[:, :3], y)


def test_a_search_leaves_a_metric_that_is_to_be_fitted_as_it_was():
    X, y = blobs(9)
    model = PairsClassifier(LDA(n_components=2), n_folds=2, random_state=0)
    assert clone(model).metric is not model.metric
    search = GridSearchCV(model, {"metric__n_components": [1, 3]}, cv=2, error_score="raise").fit(X, y)
    assert model.metric.n_components == 2
    assert search.best_estimator_.metric.n_components == search.best_params_["metric__n_components"]


@pytest.mark.parametrize("n_folds", [None, 2])
def test_clones_keep_which_metadata_are_requested(n_folds):
    X, y = blobs(9)
    model = PairsClassifier(LDA(n_components=2), n_folds=n_folds, random_state=0)
    if n_folds is None:
        model.metric.fit(X, y)
        rows, y = some_pairs(y)
        X = X[rows]
    weights = np.random.default_rng(0).uniform(0.1, 5, len(y))
    with config_context(enable_metadata_routing=True):
        model.set_fit_request(sample_weight=True)
        nested = clone(make_pipeline(model)).fit(X, y, sample_weight=weights)
    assert nested[-1].threshold_ == clone(model).fit(X, y, sample_weight=weights).threshold_
    assert nested[-1].threshold_ != clone(model).fit(X, y).threshold_
