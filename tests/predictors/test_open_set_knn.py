"""OpenSetKNN: scikit-learn's nearest neighbours if nothing is rejected, scores by a naive loop, what is held out."""

import numpy as np
import pytest
from discovery import tiny_points
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from sklearn.kernel_ridge import KernelRidge
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from metricnets import LDA, OpenSetKNN
from metricnets._groups import places_in_groups
from metricnets.predictors._classes.open_set import clearly_best

X, Y = tiny_points()
NEW = np.random.default_rng(1).normal(size=(20, 4)) * 3


def blobs(n_classes, n=12, seed=0):
    rng = np.random.default_rng(seed)
    y = np.repeat(np.arange(n_classes), n)
    return rng.normal(size=(n_classes, 6))[y] * 3 + rng.normal(size=(len(y), 6)), y


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("form", [np.asarray, csr_array])
def test_if_nothing_is_rejected_it_is_scikit_learns_classifier(k, form):
    model = OpenSetKNN(n_neighbors=k, rejection_rate=0).fit(form(X), Y)
    assert model.offset_ == -np.inf
    assert_array_equal(model.predict(form(NEW)), KNeighborsClassifier(k).fit(X, Y).predict(NEW))


@pytest.mark.parametrize("k", [1, 4, 20])
def test_scores_by_a_loop(k):
    rows = np.sort([np.sort(np.linalg.norm(X - x, axis=1))[1 : k + 1] for x in X])
    expected = {"distance": [], "relative": []}
    for x in NEW:
        t = sorted(np.sort(np.linalg.norm(X[c == Y] - x, axis=1))[:k].mean() for c in range(3))
        expected["distance"].append(-t[0] / np.median(rows))
        expected["relative"].append(-(t[0] ** 2) / t[1] / np.median(rows))
    for novelty, scores in expected.items():
        model = OpenSetKNN(n_neighbors=k, novelty=novelty, rejection_rate=0).fit(X, Y)
        assert_allclose(model.score_samples(NEW), scores)


def spacing(points, k=5):
    """Mean distance of the k nearest samples to their own k neighbours."""
    own = np.array([np.sort(np.linalg.norm(X - x, axis=1))[1 : k + 1].mean() for x in X])
    return np.array([own[np.argsort(np.linalg.norm(X - x, axis=1))[:k]].mean() for x in points])


@pytest.mark.parametrize("form", [np.asarray, csr_array])
def test_votes_are_those_of_scikit_learns_kernel_ridge(form):
    """All 45 samples are among the 100 nearest."""
    unit = np.median(np.sort([np.sort(np.linalg.norm(X - x, axis=1))[1:6] for x in X]))
    ridge = KernelRidge(alpha=0.2, kernel="rbf", gamma=1 / (1.25 * unit) ** 2).fit(X, np.eye(3)[Y])
    nearest = np.linalg.norm(NEW[:, None] - X, axis=2).min(axis=1)
    expected = -nearest / unit * np.exp(-2 * ridge.predict(NEW).max(axis=1)) / np.sqrt(spacing(NEW) / unit)
    assert_allclose(OpenSetKNN(rejection_rate=0).fit(form(X), Y).score_samples(form(NEW)), expected)


def test_votes_of_the_nearest_samples_alone_in_parts(monkeypatch):
    monkeypatch.setattr("metricnets.predictors._classes.novelty.N_LOCAL", 7)
    monkeypatch.setattr("metricnets._local_votes.NUMBERS", 1)
    model = OpenSetKNN(rejection_rate=0).fit(X, Y)
    unit = np.median(np.sort([np.sort(np.linalg.norm(X - x, axis=1))[1:6] for x in X]))
    width, around = 1.25 * unit, spacing(NEW)
    for x, score, own in zip(NEW, model.score_samples(NEW), around):
        near = np.argsort(np.linalg.norm(X - x, axis=1))[:7]
        ridge = KernelRidge(alpha=0.2, kernel="rbf", gamma=1 / width**2).fit(X[near], np.eye(3)[Y[near]])
        vote = ridge.predict(x[None]).max()
        expected = -np.linalg.norm(X[near[0]] - x) / unit * np.exp(-2 * vote) / np.sqrt(own / unit)
        assert score == pytest.approx(expected)


def test_functions_have_no_kernel():
    def distance(u, v):
        return np.abs(u - v).sum()

    scores = [OpenSetKNN(metric=distance, novelty=n, rejection_rate=0).fit(X, Y) for n in ("auto", "relative")]
    assert_array_equal(*(model.score_samples(NEW) for model in scores))
    with pytest.raises(ValueError, match="novelty='kernel' needs embeddings"):
        OpenSetKNN(metric=distance, novelty="kernel").fit(X, Y)


def test_units_change_nothing():
    model, other = OpenSetKNN().fit(X, Y), OpenSetKNN().fit(X * 1000, Y)
    assert_allclose(other.score_samples(NEW * 1000), model.score_samples(NEW))
    assert other.offset_ == pytest.approx(model.offset_)


@pytest.mark.parametrize(("novelty", "right"), [("relative", 0.9), ("kernel", 0.85)])
@pytest.mark.parametrize("metric", [None, LDA()], ids=["none", "LDA"])
def test_a_class_that_was_not_there_is_rejected(metric, novelty, right):
    A, a = blobs(8)
    known = a < 6
    train, test = known & (places_in_groups(a) < 8), ~known | (places_in_groups(a) >= 8)
    model = OpenSetKNN(metric=metric, novelty=novelty).fit(A[train], a[train])
    rejected = model.predict(A[test]) == -1
    assert np.mean(rejected == ~known[test]) > right
    assert roc_auc_score(known[test], model.score_samples(A[test])) > 0.95


def test_a_rate_is_the_share_of_held_out_samples_that_are_rejected():
    A, a = blobs(4, 60)
    half = np.arange(len(a)) % 2 == 0
    for rate in (0.1, 0.3):
        model = OpenSetKNN(rejection_rate=rate).fit(A[half], a[half])
        assert np.mean(model.predict(A[~half]) == -1) == pytest.approx(rate, abs=0.08)


@pytest.mark.parametrize("rate", [0.2, "auto"])
def test_what_is_held_out_is_scored_by_what_was_fitted_to_the_others(rate):
    seen = []

    class Spy(LDA):
        """Which samples it is fitted to."""

        def fit(self, X, y, sample_weight=None):
            seen.append((X, y))
            return super().fit(X, y)

    OpenSetKNN(metric=Spy(), rejection_rate=rate).fit(X, Y)
    assert [len(np.unique(y)) for _, y in seen] == [3, *([2] * 3 if rate == "auto" else [3] * 3)]
    assert all(len(points) < len(X) for points, _ in seen[1:])


def test_a_metric_that_is_fitted_is_not_fitted_again():
    metric = LDA().fit(X, Y)
    model = OpenSetKNN(metric=metric).fit(X, Y)
    assert model.metric_ is metric
    assert_array_equal(model.predict(X), OpenSetKNN().fit(metric.transform(X), Y).predict(metric.transform(X)))


def test_labels_of_none():
    far = np.full((1, 4), 100.0)
    for y, label in ((Y, -1), (Y - 2, -3), (np.array(["a", "b", "c"])[Y], "unknown"), (Y / 1.0, -1)):
        model = OpenSetKNN().fit(X, y)
        assert model.unknown_label_ == label
        assert_array_equal(model.predict(far), [label])
    assert_array_equal(OpenSetKNN(unknown_label="none").fit(X, Y.astype(str)).predict(far), ["none"])
    with pytest.raises(ValueError, match="unknown_label=2 is a class in y"):
        OpenSetKNN(unknown_label=2).fit(X, Y)
    with pytest.raises(ValueError, match="unknown_label='none' and the classes in y, such as 0, should be of one type"):
        OpenSetKNN(unknown_label="none").fit(X, Y)


@pytest.mark.parametrize("dtype", ["uint8", "uint64", "int8", "bool", "float32"])
def test_the_label_of_none_is_one_whatever_the_type_of_the_classes(dtype):
    model = OpenSetKNN().fit(X, Y.astype(dtype))
    assert_array_equal(model.predict(np.full((2, 4), 100.0)), [-1, -1])
    assert_array_equal(model.predict(X[:1]), Y[:1].astype(dtype))


def test_weights_are_those_of_the_offset():
    weights = np.where(Y == 0, 0, 1)
    two = OpenSetKNN(n_neighbors=3).fit(X, Y, sample_weight=weights)
    assert_array_equal(two.classes_, [1, 2])
    assert two.offset_ == OpenSetKNN(n_neighbors=3).fit(X[Y > 0], Y[Y > 0]).offset_
    heavy = OpenSetKNN(rejection_rate=0.3).fit(X, Y, sample_weight=np.where(X[:, 0] > 0, 9.0, 1.0))
    assert heavy.offset_ != OpenSetKNN(rejection_rate=0.3).fit(X, Y).offset_


def test_few_classes_and_samples():
    two = OpenSetKNN(n_neighbors=1).fit(X[:6], [0, 0, 1, 1, 2, 2])
    assert np.isfinite(two.offset_)
    for points, y, message in (
        (X, np.zeros(45), r"needs 2 of them or more, but y has 1 class\(es\); give a number"),
        (X[:3], [0, 1, 2], "every class has 1 sample"),
    ):
        with pytest.raises(ValueError, match=message):
            OpenSetKNN(n_neighbors=1).fit(points, y)
    with pytest.raises(ValueError, match="needs 3 of them"):
        OpenSetKNN(metric=LDA()).fit(X[Y < 2], Y[Y < 2])
    with pytest.raises(ValueError, match="needs 4 of them or more, but y has 3"):
        OpenSetKNN(metric=LDA(), n_folds=2).fit(X, Y)
    assert_array_equal(OpenSetKNN(rejection_rate=0.1).fit(X, np.zeros(45)).predict(X[:3]), [0, 0, 0])
    assert_array_equal(OpenSetKNN(n_neighbors=1, rejection_rate=0).fit(X[:3], [0, 1, 2]).predict(X[:3]), [0, 1, 2])


def test_parameters_of_the_metric_can_be_searched_in_a_pipeline():
    model = make_pipeline(StandardScaler(), OpenSetKNN(metric=LDA(), rejection_rate=0.1))
    search = GridSearchCV(model, {"opensetknn__metric__n_components": [1, 2]}, cv=3).fit(X, Y)
    assert search.best_score_ > 0.5


@pytest.mark.parametrize("size", [1e200, 1e-200])
def test_huge_and_tiny_numbers_are_points_too(size):
    model, other = OpenSetKNN().fit(X, Y), OpenSetKNN().fit(X * size, Y)
    assert_allclose(other.score_samples(NEW * size), model.score_samples(NEW), rtol=1e-6)
    assert_array_equal(other.predict(NEW * size), model.predict(NEW))
    assert_array_equal(other.kneighbors(NEW * size, return_distance=False), model.kneighbors(NEW)[1])


def test_constant_points_are_not_rejected_silently():
    with pytest.warns(UserWarning, match="OpenSetKNN rejects nothing"):
        model = OpenSetKNN().fit(np.ones((45, 4)), Y)
    assert model.offset_ == -np.inf
    assert set(model.predict(np.ones((3, 4)))) <= {0, 1, 2}


def test_neighbors_are_the_nearest_samples_by_their_place_in_fit():
    weights = np.where(np.arange(45) % 3 == 0, 0.0, 1.0)
    model = OpenSetKNN(n_neighbors=3).fit(X, Y, sample_weight=weights)
    d = np.where(weights > 0, np.linalg.norm(NEW[:, None] - X, axis=2), np.inf)
    for k in (None, 7):
        distances, rows = model.kneighbors(NEW, k)
        assert_array_equal(rows, np.argsort(d, axis=1)[:, : k or 3])
        assert_allclose(distances, np.sort(d, axis=1)[:, : k or 3])
    assert_array_equal(model.kneighbors(NEW, return_distance=False), model.kneighbors(NEW)[1])
    assert (OpenSetKNN().fit(X, Y).kneighbors()[1] != np.arange(45)[:, None]).all()


def test_another_score_is_chosen_if_it_is_clearly_better_on_classes_held_out():
    known = np.repeat([True, False], 50)
    good, bad = known + 0.0, np.arange(100) % 2 + 0.0
    assert clearly_best({"kernel": bad, "distance": good}, known, np.ones(100)) == "distance"
    assert clearly_best({"kernel": good - 1e-3 * bad, "distance": good}, known, np.ones(100)) == "kernel"
    assert OpenSetKNN(novelty="relative").fit(X, Y).novelty_ == "relative"
    assert OpenSetKNN(rejection_rate=0.1).fit(X, Y).novelty_ == "kernel"
