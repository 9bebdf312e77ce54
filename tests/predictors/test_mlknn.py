"""MLKNN: the definition by hand and by a naive loop in exact fractions, metrics of every kind, wrong input."""

import pickle
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.datasets import make_multilabel_classification
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import average_precision_score, make_scorer
from sklearn.model_selection import GridSearchCV, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils import get_tags

from metricnets import ITML, LDA, MLKNN, RAML, SCML, Covariance
from metricnets.predictors._mlknn import posteriors, tally

pytest.importorskip("torch")  # half of these tests take HRAML for a metric; test_aaknn does without
from metricnets import DDML, HRAML, EmbeddingNet

QUICK = {"max_epochs": 2, "device": "cpu", "random_state": 0}


@pytest.fixture
def sets():
    X, Y = make_multilabel_classification(80, 6, n_classes=3, random_state=0)
    return X + np.random.default_rng(0).normal(size=X.shape) / 10, Y  # no two rows equally near


def nearest(X, x, k, but=None):
    """Rows of the k nearest points, the first ones among equally near."""
    d = sorted((sum((a - b) ** 2 for a, b in zip(row, x)), i) for i, row in enumerate(X) if i != but)
    return [i for _, i in d[:k]]


def naive(X, Y, X_new, k, s):
    """ML-kNN as it is defined, in fractions."""
    s, n, n_labels = Fraction(s), len(X), len(Y[0])
    p = [[0.0] * n_labels for _ in X_new]
    for label in range(n_labels):
        have = [int(row[label]) for row in Y]
        c = {0: [0] * (k + 1), 1: [0] * (k + 1)}
        for i in range(n):
            c[have[i]][sum(have[j] for j in nearest(X, X[i], k, but=i))] += 1
        prior = {1: (s + sum(have)) / (2 * s + n)}
        prior[0] = 1 - prior[1]
        for t, x in enumerate(X_new):
            j = sum(have[i] for i in nearest(X, x, k))
            joint = [prior[b] * (s + c[b][j]) / (s * (k + 1) + sum(c[b])) for b in (0, 1)]
            p[t][label] = float(joint[1] / (joint[0] + joint[1]))
    return np.array(p)


@pytest.mark.parametrize("smoothing", [1, 0.5, 3])
@pytest.mark.parametrize("k", [1, 4, 10])
def test_it_is_the_definition_to_the_bit(k, smoothing):
    for seed in range(4):
        rng = np.random.default_rng(seed)
        X, X_new = rng.normal(size=(30, 3)), rng.normal(size=(20, 3))
        Y = (rng.random((30, 4)) < [0, 0.2, 0.5, 1]).astype(int)  # a label that none has, and one that all have
        expected = naive(X, Y, X_new, k, smoothing)
        mlknn = MLKNN(n_neighbors=k, smoothing=smoothing).fit(X, Y)
        assert_array_equal(mlknn.predict_proba(X_new), expected)
        assert_array_equal(mlknn.predict(X_new), expected > 0.5)


def test_rows_that_occur_several_times_are_neighbours_of_each_other():
    rng = np.random.default_rng(0)
    X, Y = np.repeat(rng.normal(size=(8, 2)), 4, axis=0), np.repeat(rng.integers(2, size=(8, 3)), 4, axis=0)
    for k in (2, 3, 4, 7):  # with equal label sets it does not matter which of the copies is taken
        assert_array_equal(MLKNN(n_neighbors=k).fit(X, Y).predict_proba(X), naive(X, Y, X, k, 1))


def test_by_hand():
    # Of four points on a line two have the label.  Neighbours with it, k = 1: 1, 1, 0, 0.
    X, Y = [[0.0], [1.0], [10.0], [11.0]], [[1, 0], [1, 0], [0, 0], [0, 0]]
    mlknn = MLKNN(n_neighbors=1).fit(X, Y)
    # P(1 | H1) = (1 + 2) / (2 + 2), P(1 | H0) = 1 / 4; the priors are 1/2
    assert_allclose(mlknn.predict_proba([[0.4], [10.4]])[:, 0], [3 / 4, 1 / 4])
    # No row has the second: priors 1/6 and 5/6, P(0 | H1) = 1/2, P(0 | H0) = 5/6
    assert_allclose(mlknn.predict_proba([[0.4]])[0, 1], (1 / 12) / (1 / 12 + 25 / 36))


def test_a_tie_is_a_label_not_given():
    X, Y = [[0.0], [1.0], [10.0], [11.0]], [[1, 0], [0, 1], [1, 0], [0, 1]]
    mlknn = MLKNN(n_neighbors=3).fit(X, Y)
    assert_array_equal(mlknn.posteriors_[:, [0, 3]], 0.5)  # never counted, with the label or without
    c = tally(np.array([[0], [1], [1]]), np.array([[2], [0], [2]]), 2)
    assert_array_equal(c, [[[0, 0, 1]], [[1, 0, 1]]])
    # n₁ = 2, n₀ = 1: (1 + 2)(1 + 0)(3 + 1) = 12 to (1 + 1)(1 + 0)(3 + 2) = 10 where nothing was counted
    assert_array_equal(posteriors(c, 1)[0, 1], 12 / 22)
    far = MLKNN(n_neighbors=1).fit([[0.0], [1.0], [4.0], [5.0]], [[1, 1], [0, 1], [1, 0], [0, 0]])
    tied = far.predict_proba([[0.1]])[0, 0]
    assert tied == Fraction(1, 4)  # the neighbour of a row with the label never has it


@pytest.mark.parametrize("smoothing", [1e-300, 1e-12, 1e300])
def test_extreme_smoothing(sets, smoothing):
    p = MLKNN(smoothing=smoothing).fit(*sets).predict_proba(sets[0])
    assert np.isfinite(p).all()
    if smoothing > 1:
        assert_allclose(p, 0.5)


def test_classes_are_sets_of_one_label(points):
    X, y = points
    names = np.array(["a", "b", "c"])[y]
    by_class, by_set = MLKNN().fit(X, names), MLKNN().fit(X, np.eye(3)[y])
    p = by_set.predict_proba(X)
    assert_allclose(by_class.predict_proba(X), p / p.sum(axis=1, keepdims=True))
    assert_array_equal(by_class.predict(X), np.array(["a", "b", "c"])[p.argmax(axis=1)])
    with pytest.warns(DataConversionWarning):
        assert_array_equal(MLKNN().fit(X, names[:, None]).predict(X), by_class.predict(X))
    two = MLKNN().fit(X, y == 0).predict_proba(X)  # the two columns say the same
    assert_array_equal(two.argmax(axis=1), MLKNN().fit(X, np.c_[y == 0, y > 0]).predict_proba(X)[:, 0] > 0.5)


@pytest.mark.parametrize("n_labels", [2, 3])
def test_scorers_read_the_probabilities(sets, n_labels):
    X, Y = sets[0], sets[1][:, :n_labels]
    mlknn = MLKNN().fit(X, Y)
    scorer = make_scorer(average_precision_score, response_method="predict_proba", average="micro")
    assert scorer(mlknn, X, Y) == average_precision_score(Y, mlknn.predict_proba(X), average="micro")
    assert cross_val_predict(mlknn, X, Y, cv=3, method="predict_proba").shape == Y.shape


# ------------------------------------------------------------------------------------------------
# The metric.


def test_a_learner_that_is_not_fitted_is_fitted_within(sets):
    X, Y = sets
    hraml = HRAML(**QUICK)
    mlknn = MLKNN(metric=hraml).fit(X, Y)
    assert not hasattr(hraml, "module_")
    z = HRAML(**QUICK).fit(X, Y).transform(X)
    assert_array_equal(mlknn.metric_.transform(X), z)
    assert_array_equal(mlknn.predict_proba(X), MLKNN().fit(z, Y).predict_proba(z))
    copy = clone(mlknn)
    assert copy.metric is not hraml
    assert_array_equal(copy.fit(X, Y).predict_proba(X), mlknn.predict_proba(X))


def test_a_fitted_learner_stays_as_it_is(sets):
    X, Y = sets
    lda = LDA().fit(X[::2], Y[::2, 0])
    mlknn = MLKNN(metric=lda).fit(X, Y)
    assert mlknn.metric_ is lda
    assert clone(mlknn).metric is lda
    z = lda.transform(X)
    expected = MLKNN().fit(z, Y).predict_proba(z)
    assert_array_equal(mlknn.predict_proba(X), expected)
    assert np.isfinite(cross_val_score(mlknn, X, Y, cv=3)).all()
    frozen = GridSearchCV(MLKNN(), {"metric": [None, FrozenEstimator(lda)]}, cv=3).fit(X, Y)
    assert np.isfinite(frozen.cv_results_["mean_test_score"]).all()
    assert_array_equal(MLKNN(metric=FrozenEstimator(lda)).fit(X, Y).predict_proba(X), expected)


def test_functions_are_metrics(sets):
    X, Y = sets
    covariance = Covariance().fit(X)
    p = MLKNN(metric=covariance).fit(X, Y).predict_proba(X)
    distance = covariance.get_metric()
    assert_array_equal(MLKNN(metric=distance).fit(X, Y).predict_proba(X), p)
    assert_array_equal(MLKNN(metric=lambda u, v: distance(u, v)).fit(X, Y).predict_proba(X), p)
    z = MinMaxScaler().fit_transform(X)
    deep = HRAML(**QUICK).fit(z, Y)
    assert_allclose(
        MLKNN(metric=deep.get_metric()).fit(z, Y).predict_proba(z), MLKNN(metric=deep).fit(z, Y).predict_proba(z)
    )


def test_a_function_need_not_obey_the_triangle_inequality(sets):
    X, Y = sets
    squared = MLKNN(metric=lambda u, v: ((u - v) ** 2).sum()).fit(X, Y)
    assert_array_equal(squared.predict_proba(X), MLKNN().fit(X, Y).predict_proba(X))


def test_pipelines_and_searches(sets):
    X, Y = sets
    inside = MLKNN(metric=make_pipeline(StandardScaler(), Covariance())).fit(X, Y)
    outside = make_pipeline(StandardScaler(), Covariance(), MLKNN()).fit(X, Y)
    assert_array_equal(inside.predict_proba(X), outside.predict_proba(X))
    pipeline = make_pipeline(MinMaxScaler(), MLKNN(metric=HRAML(**QUICK)))
    grid = {"mlknn__n_neighbors": [3, 5], "mlknn__metric__scale": [1.0, 2.0]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, Y)
    assert search.best_estimator_[-1].metric_.scale == search.best_params_["mlknn__metric__scale"]
    assert search.predict(X).shape == Y.shape


def test_frames_sparse_and_pickles(sets):
    X, Y = sets
    p = MLKNN().fit(X, Y).predict_proba(X)
    frame, labels = pd.DataFrame(X, columns=list("abcdef")), pd.DataFrame(Y, columns=list("xyz"))
    for metric in (None, HRAML(**QUICK), Covariance().fit(frame)):
        mlknn = MLKNN(metric=metric).fit(frame, labels)
        assert_array_equal(mlknn.feature_names_in_, list("abcdef"))
        assert_array_equal(pickle.loads(pickle.dumps(mlknn)).predict(frame), mlknn.predict(frame))
    assert_array_equal(MLKNN().fit(X, csr_array(Y)).predict_proba(X), p)
    assert_array_equal(MLKNN().fit(csr_array(X), Y.astype(bool)).predict_proba(csr_array(X)), p)


def test_the_right_metric_helps():
    rng = np.random.default_rng(0)
    signal = rng.normal(size=(400, 2))
    X, Y = np.hstack([signal, 5 * rng.normal(size=(400, 8))]), (signal > 0).astype(int)
    raw = MLKNN().fit(X[:200], Y[:200]).score(X[200:], Y[200:])
    learned = MLKNN(metric=HRAML(random_state=0, device="cpu", max_epochs=30)).fit(X[:200], Y[:200])
    assert learned.score(X[200:], Y[200:]) > raw + 0.2


# ------------------------------------------------------------------------------------------------
# What is refused.


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda Y: -Y, r"Unknown label type.*entries 0 and 1; it has -1\.  Convert .* with \(y > 0\)"),
        (lambda Y: Y * 2, "Unknown label type.*entries 0 and 1; it has 2"),
        (lambda Y: [list(np.flatnonzero(row)) for row in Y], "MultiLabelBinarizer"),
        (lambda Y: [set(np.flatnonzero(row)) for row in Y], "MultiLabelBinarizer"),
        (lambda Y: [frozenset(np.flatnonzero(row)) for row in Y], "MultiLabelBinarizer"),
        (lambda Y: Y * 0.5, "Unknown label type"),
        (lambda Y: Y.astype(str), "Unknown label type"),
        (lambda Y: np.where(Y, np.nan, 0), "NaN"),
        (lambda Y: Y[:-1], "inconsistent numbers of samples"),
        (lambda Y: Y[:, :0], "0 feature"),
        (lambda Y: Y[:, :, None], "dim 3"),
        (lambda Y: Y[:, 0] * 0.5, "Unknown label type"),
        (lambda Y: None, "requires y"),
    ],
)
@pytest.mark.parametrize("metric", [None, HRAML(**QUICK)], ids=["none", "HRAML"])
def test_wrong_targets(sets, metric, spoil, message):
    X, Y = sets
    mlknn = MLKNN(metric=metric)
    with pytest.raises(ValueError, match=message):
        mlknn.fit(X, spoil(Y))
    assert vars(mlknn) == vars(MLKNN(metric=metric))


@pytest.mark.parametrize("metric", [None, HRAML(**QUICK), np.dot], ids=["none", "HRAML", "function"])
def test_too_few_rows(sets, metric):
    X, Y = sets
    with pytest.raises(ValueError, match="n_neighbors=10 needs at least 11 rows, but n_samples=10"):
        MLKNN(metric=metric).fit(X[:10], Y[:10])


def test_wrong_points(sets):
    X, Y = sets
    for metric in (None, Covariance(), HRAML(**QUICK), Covariance().fit(X), lambda u, v: abs(u - v).sum()):
        mlknn = MLKNN(metric=metric).fit(X, Y)
        for wrong in (X[:, :4], X * np.nan):
            with pytest.raises(ValueError, match="features|shape|NaN"):
                mlknn.predict(wrong)
        with pytest.raises(NotFittedError, match="MLKNN"):
            clone(mlknn).predict(X)
    with pytest.raises(ValueError, match="X has 4 features, but metric is for points of shape"):
        MLKNN(metric=Covariance().fit(X).get_metric()).fit(X[:, :4], Y)
    with pytest.raises(ValueError, match="features|shape"):
        MLKNN(metric=Covariance().fit(X[:, :4])).fit(X, Y)


def test_parameters_of_a_fitted_metric_cannot_be_searched():
    X, Y = make_multilabel_classification(40, random_state=0)
    learner = HRAML(max_epochs=1, random_state=0).fit(X, Y)
    with pytest.raises(ValueError, match="metric__scale cannot be set: metric is fitted"):
        MLKNN(metric=learner).set_params(metric__scale=0.7)
    assert learner.scale == 1.5
    assert MLKNN(metric=HRAML()).set_params(metric__scale=0.7).metric.scale == 0.7


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        (LDA(), r"metric=LDA\(\) learns from one target of each point.*shape \(80, 3\)"),
        (DDML(), r"metric=DDML\(\) learns from one target"),
        (ITML(), r"metric=ITML\(\) learns from tuples of 2 points"),
        (SCML(), r"metric=SCML\(\) learns from tuples of 3 points"),
    ],
)
def test_what_does_not_learn_from_label_sets_is_refused(sets, metric, message):
    with pytest.raises(ValueError, match=message):
        MLKNN(metric=metric).fit(*sets)


def test_what_was_fitted_to_classes_or_pairs_serves(sets):
    X, Y = sets
    for metric in (LDA().fit(X, Y[:, 0]), ITML().fit(X[[[0, 1], [2, 3]]], [1, -1])):
        expected = MLKNN().fit(metric.transform(X), Y).predict_proba(metric.transform(X))
        assert_array_equal(MLKNN(metric=metric).fit(X, Y).predict_proba(X), expected)


def test_learners_that_take_label_sets_say_so():
    for metric, takes in ((RAML(), True), (HRAML(), True), (HRAML(relation="same_class"), False), (DDML(), False)):
        assert get_tags(metric).target_tags.multi_output is takes
    assert get_tags(EmbeddingNet(relation=np.equal)).target_tags.multi_output


def test_a_function_that_returns_no_number_is_no_metric(sets):
    with pytest.raises(ValueError, match="metric=.* returned NaN or infinity"):
        MLKNN(metric=lambda u, v: np.nan).fit(*sets)


def test_a_class_is_no_metric():
    with pytest.raises(ValueError, match=r"metric=HRAML is a class; give an instance, HRAML\(\)"):
        MLKNN(metric=HRAML).fit(*make_multilabel_classification(40, random_state=0))
