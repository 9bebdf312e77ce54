"""The protocols, against what one does by hand; and what must not be seen is not seen."""

import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from scipy.sparse import csr_matrix
from sklearn import config_context
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor, NearestCentroid
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler

from metricnets import DTML, ITML, LDA, DDMLPairs, PairsClassifier
from metricnets.metrics import best_threshold_accuracy, equal_error_rate, multilabel_scores, retrieval_scores
from metricnets.protocols import cross_validate_pairs, gallery_probe, multilabel_split, transfer


@pytest.fixture
def verification():
    """Points, pairs of their rows, whether they are similar, and four folds."""
    rng = np.random.default_rng(0)
    classes = rng.integers(4, size=60)
    X = rng.normal(size=(60, 4)) * [1, 1, 5, 5] + 2 * np.eye(4)[classes]
    first = rng.integers(60, size=120)
    members = np.c_[first, (first + rng.integers(1, 60, size=120)) % 60]
    return X, members, np.where(classes[members[:, 0]] == classes[members[:, 1]], 1, -1), np.arange(120) % 4


def without_times(results):
    return {name: values for name, values in results.items() if not name.endswith("_time")}


def same(a, b):
    assert a.keys() == b.keys()
    for name in without_times(a):
        np.testing.assert_array_equal(a[name], b[name])


def test_a_learner_of_pairs_is_fitted_on_the_other_folds(verification):
    X, members, y, fold = verification
    found = cross_validate_pairs(ITML(), members, y, fold, preprocessor=X)
    for number in range(4):
        inside = fold == number
        itml = ITML().fit(X[members[~inside]], y[~inside])
        assert found["test_accuracy"][number] == np.mean(itml.predict(X[members[inside]]) == y[inside])
        assert found["test_roc_auc"][number] == itml.score(X[members[inside]], y[inside])
        assert found["threshold"][number] == -itml.threshold_
    assert found["fold"].tolist() == [0, 1, 2, 3]
    assert (found["fit_time"] > 0).all()


@pytest.mark.parametrize("own_threshold", [True, False])
@pytest.mark.parametrize("estimator", [ITML(), None, PCA(3), DDMLPairs(max_epochs=2, hidden=(8,), random_state=0)])
def test_the_test_fold_has_no_say_in_the_threshold(verification, estimator, own_threshold):
    X, members, y, fold = verification
    turned = np.where(fold == 2, -y, y)
    before, after = (
        cross_validate_pairs(estimator, members, labels, fold, preprocessor=X, own_threshold=own_threshold)
        for labels in (y, turned)
    )
    assert after["threshold"][2] == before["threshold"][2]
    assert after["test_accuracy"][2] == pytest.approx(1 - before["test_accuracy"][2])
    assert after["test_roc_auc"][2] == pytest.approx(1 - before["test_roc_auc"][2])


def test_points_of_the_test_fold_are_not_seen_either(verification):
    X, _, y, fold = verification
    pairs = X[verification[1]]
    moved = pairs + 100 * (fold == 1)[:, None, None]
    before, after = (cross_validate_pairs(PCA(2, whiten=True), p, y, fold)["threshold"] for p in (pairs, moved))
    assert after[1] == before[1]
    assert after[0] != before[0]


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_baselines_are_scored_by_distance_or_cosine(verification, metric):
    X, members, y, fold = verification
    left, right = X[members[:, 0]], X[members[:, 1]]
    if metric == "cosine":
        score = (left * right).sum(axis=1) / np.linalg.norm(left, axis=1) / np.linalg.norm(right, axis=1)
    else:
        score = -np.linalg.norm(left - right, axis=1)
    found = cross_validate_pairs(None, members, y, fold, preprocessor=X, metric=metric)
    np.testing.assert_allclose(found["test_accuracy"], best_threshold_accuracy(y, score, fold))
    same(found, cross_validate_pairs(np.asarray, X[members], y, fold, metric=metric))


def test_formed_pairs_indicators_and_a_preprocessor_of_its_own_are_the_same(verification):
    X, members, y, fold = verification
    found = cross_validate_pairs(ITML(), members, y, fold, preprocessor=X)
    same(found, cross_validate_pairs(ITML(preprocessor=X), members, y, fold))
    formed = cross_validate_pairs(ITML(), X[members], y, fold)
    np.testing.assert_allclose(formed["test_roc_auc"], found["test_roc_auc"])


def test_a_point_counts_once_however_often_it_occurs(verification):
    X, members, y, fold = verification
    formed = cross_validate_pairs(PCA(3, whiten=True), X[members], y, fold)
    same(formed, cross_validate_pairs(PCA(3, whiten=True), members, y, fold, preprocessor=X))


def test_scores_of_all_pairs_are_those_of_their_folds(verification):
    X, members, y, fold = verification
    found = cross_validate_pairs(ITML(), members, y, fold, preprocessor=X)
    for value, error in zip(found["fold"], found["test_equal_error_rate"]):
        assert equal_error_rate(y[fold == value], found["score"][fold == value]) == error


def test_a_preprocessor_within_is_found(verification):
    X, members, y, fold = verification
    search = GridSearchCV(ITML(preprocessor=X), {"gamma": [1.0]}, cv=2)
    itml = ITML(preprocessor=X).fit(members, y)
    for estimator in (search, PairsClassifier(itml), FrozenEstimator(itml), PairsClassifier(FrozenEstimator(itml))):
        same(
            cross_validate_pairs(estimator, members, y, fold),
            cross_validate_pairs(estimator, members, y, fold, preprocessor=X),
        )


def test_searches_and_frozen_metrics_may_be_judged(verification):
    X, members, y, fold = verification
    search = GridSearchCV(ITML(), {"gamma": [0.1, 1.0]}, cv=2)
    assert (cross_validate_pairs(search, members, y, fold, preprocessor=X)["threshold"] < 0).all()
    lda = LDA().fit(X, np.arange(60) % 3)
    frozen = cross_validate_pairs(FrozenEstimator(lda), members, y, fold, preprocessor=X)
    np.testing.assert_allclose(
        frozen["test_roc_auc"], cross_validate_pairs(PairsClassifier(lda), X[members], y, fold)["test_roc_auc"]
    )


def test_jobs_side_by_side_change_nothing(verification):
    X, members, y, fold = verification
    alone = cross_validate_pairs(PCA(3), members, y, fold, preprocessor=X)
    with parallel_config("threading"):
        same(alone, cross_validate_pairs(PCA(3), members, y, fold, preprocessor=X, n_jobs=2))


def test_wrong_pairs_are_named(verification):
    X, members, y, fold = verification
    with pytest.raises(ValueError, match="two folds are needed"):
        cross_validate_pairs(None, members, y, np.zeros(120), preprocessor=X)
    for wrong, got in ((fold[:5], "shape"), (None, "None"), (5, "5"), (KFold(5), "KFold")):
        with pytest.raises(ValueError, match=f"fold should give a value for each of 120 rows; got {got}"):
            cross_validate_pairs(None, members, y, wrong, preprocessor=X)
    with pytest.raises(ValueError, match="fold should hold .* none of them missing"):
        cross_validate_pairs(None, members, y, np.where(fold == 1, np.nan, fold), preprocessor=X)
    with pytest.raises(ValueError, match=r"estimator=ITML is a class; give an instance, ITML\(\)"):
        cross_validate_pairs(ITML, members, y, fold, preprocessor=X)
    with pytest.raises(ValueError, match="no preprocessor"):
        cross_validate_pairs(None, members, y, fold)
    with pytest.raises(ValueError, match="metric='l1'"):
        cross_validate_pairs(None, members, y, fold, preprocessor=X, metric="l1")
    with pytest.raises(ValueError, match="should be an estimator with transform, a function"):
        cross_validate_pairs("euclidean", members, y, fold, preprocessor=X)
    with pytest.raises(ValueError, match=r"estimator=LDA\(\) learns from labels of points"):
        cross_validate_pairs(LDA(), members, y, fold, preprocessor=X)
    with pytest.raises(ValueError, match=r"y should hold \+1 and -1, or 1 and 0"):
        cross_validate_pairs(None, members, y + 1, fold, preprocessor=X)
    found = [cross_validate_pairs(None, members, labels, fold, preprocessor=X) for labels in (y, (y + 1) // 2, y > 0)]
    same(found[0], found[1])
    same(found[0], found[2])


@pytest.fixture
def persons():
    """Twelve persons in two cameras, twice in the second, and two splits of them."""
    rng = np.random.default_rng(0)
    y = np.tile(np.arange(12), 3)
    X = rng.normal(size=(36, 5)) + 2 * rng.normal(size=(12, 5))[y]
    order = rng.permuted(np.tile(np.arange(12), (2, 1)), axis=1)
    return X, y, np.arange(36) < 12, [(split[:6], split[6:]) for split in order]


def test_probes_look_for_their_person_in_the_gallery_of_the_test_part(persons):
    X, y, is_probe, splits = persons
    found = gallery_probe(LDA(n_components=2), X, y, is_probe, iter(splits), k=[1, 2, 6])
    for i, (train, test) in enumerate(splits):
        seen, probe, gallery = np.isin(y, train), np.isin(y, test) & is_probe, np.isin(y, test) & ~is_probe
        z = LDA(n_components=2).fit(X[seen], y[seen]).transform(X)
        scores = retrieval_scores(z[probe], y[probe], z[gallery], y[gallery], k=[1, 2, 6])
        np.testing.assert_array_equal(found["test_cmc"][i], scores["cmc"])
        assert found["test_mean_average_precision"][i] == scores["mean_average_precision"]
    assert found["test_cmc"].shape == (2, 3)
    assert found["n_queries"].tolist() == [6, 6]


def test_test_persons_are_not_seen(persons):
    class Counting(TransformerMixin, BaseEstimator):
        def fit(self, X, y):
            assert set(y) == set(splits[0][0])
            return self

        def transform(self, X):
            return X

    X, y, is_probe, splits = persons
    same(
        gallery_probe(Counting(), X, y, is_probe, splits[:1]),
        gallery_probe(None, X, y, is_probe, splits[:1]),
    )


def failing():
    yield [0], [1]
    raise ValueError("a file is missing")


def test_what_is_not_trained_needs_no_training_person(persons):
    X, y, is_probe, splits = persons
    frozen = FrozenEstimator(LDA().fit(X, y))
    same(gallery_probe(frozen, X, y, is_probe, [([], splits[0][1])]), gallery_probe(frozen, X, y, is_probe, splits[:1]))


def test_wrong_splits_are_named(persons):
    X, y, is_probe, splits = persons
    with pytest.raises(ValueError, match=r"splits\[1\] has persons in both parts"):
        gallery_probe(None, X, y, is_probe, [splits[0], (splits[0][0], splits[0][0])])
    for is_all, what in ((True, "sample of the gallery"), (False, "probe")):
        with pytest.raises(ValueError, match=rf"splits\[0\] has no {what} among the 18 rows"):
            gallery_probe(None, X, y, np.full(36, is_all), splits)
    with pytest.raises(ValueError, match=r"splits\[0\] has no probe among the 0 rows of its test persons"):
        gallery_probe(None, X, y, is_probe, [([0], [99])])
    with pytest.raises(ValueError, match=r"splits\[0\] has no training person"):
        gallery_probe(LDA(), X, y, is_probe, [([99], [0])])
    for wrong in (np.array(["a", "b"])[is_probe.astype(int)], is_probe + 1):
        with pytest.raises(ValueError, match="is_probe should be True or False for each row; it holds"):
            gallery_probe(None, X, y, wrong, splits)
    with pytest.raises(ValueError, match="is_probe should give a value for each of 36 rows; got shape"):
        gallery_probe(None, X, y, is_probe[:5], splits)
    for wrong in ([(0, 1)], [("anna", "bob")]):
        with pytest.raises(ValueError, match=r"splits\[0\] should hold two lists of persons"):
            gallery_probe(None, X, y, is_probe, wrong)
    with pytest.raises(ValueError, match="a file is missing"):
        gallery_probe(None, X, y, is_probe, failing())
    for wrong in (5, KFold(2), splits[0], [1, 2]):
        with pytest.raises(ValueError, match="splits should be a list of .training persons, test persons.; got"):
            gallery_probe(None, X, y, is_probe, wrong)
    with pytest.raises(ValueError, match="estimator=LDA is a class"):
        gallery_probe(LDA, X, y, is_probe, splits)
    with pytest.raises(ValueError, match="k=0"):
        gallery_probe(None, X, y, is_probe, splits, k=0)
    with pytest.raises(ValueError, match="splits is empty"):
        gallery_probe(None, X, y, is_probe, [])


class Adapting(TransformerMixin, BaseEstimator):
    """Centres each domain; the labels of target rows are to be hidden."""

    __metadata_request__fit = {"sample_domain": True}

    def fit(self, X, y, sample_domain=None):
        assert (y[sample_domain < 0] == -1).all()
        assert (y[sample_domain >= 0] >= 0).all()
        self.shift_ = X[sample_domain < 0].mean(axis=0) - X[sample_domain >= 0].mean(axis=0)
        return self

    def transform(self, X):
        return X - self.shift_ * (np.abs(X - self.shift_) < np.abs(X))


@pytest.fixture
def domains():
    """Two classes in three domains, each moved a little further."""
    rng = np.random.default_rng(0)
    y, domain = np.tile(["cat", "dog"], 30), np.repeat(["a", "b", "c"], 20)
    X = rng.normal(size=(60, 2)) + np.where(y == "cat", 0, 3)[:, None] + np.repeat([0, 1, 2], 20)[:, None]
    return X, y, domain


def test_a_predictor_of_the_source_is_judged_on_the_target(domains):
    X, y, domain = domains
    found = transfer(LDA(n_components=1), X, y, domain)
    assert list(zip(found["source"], found["target"])) == [(s, t) for s in "abc" for t in "abc" if s != t]
    for s, t, accuracy in zip(found["source"], found["target"], found["test_accuracy"]):
        z = LDA(n_components=1).fit(X[domain == s], y[domain == s]).transform(X)
        nearest = KNeighborsClassifier(1).fit(z[domain == s], y[domain == s])
        assert accuracy == nearest.score(z[domain == t], y[domain == t])
    centroid = transfer(None, X, y, domain, predictor=NearestCentroid(), tasks=[("a", "c")])
    expected = NearestCentroid().fit(X[domain == "a"], y[domain == "a"]).score(X[domain == "c"], y[domain == "c"])
    assert centroid["test_accuracy"].tolist() == [expected]


def test_a_metric_that_adapts_sees_target_rows_without_labels(domains):
    X, y, domain = domains
    adapted, raw = (transfer(e, X, y, domain, tasks=[("a", "c")]) for e in (Adapting(), None))
    assert adapted["test_accuracy"][0] > raw["test_accuracy"][0]
    pipeline = make_pipeline(FunctionTransformer(), Adapting())
    with pytest.raises(ValueError, match="enable_metadata_routing=True"):
        transfer(pipeline, X, y, domain)
    with config_context(enable_metadata_routing=True):
        same(transfer(pipeline, X, y, domain), transfer(Adapting(), X, y, domain))


def test_wrong_tasks_are_named(domains):
    X, y, domain = domains
    for task in (("a", "a"), ("a", "d")):
        with pytest.raises(ValueError, match="tasks has .* two of the domains"):
            transfer(None, X, y, domain, tasks=[task])
    with pytest.raises(ValueError, match="domain is 0.0 throughout"):
        transfer(None, X, y, np.zeros(60))
    for tasks in ("abc", ("abc", "abf"), [("a", "b", "c")], 5):
        with pytest.raises(ValueError, match="tasks should be a list of .source, target.; got"):
            transfer(None, X, y, domain, tasks=tasks)
    for predictor, message in (
        (KNeighborsRegressor(), "is a regressor"),
        (KNeighborsClassifier, "predictor=KNeighborsClassifier is a class"),
        ("knn", "should be a classifier"),
    ):
        with pytest.raises(ValueError, match=message):
            transfer(None, X, y, domain, predictor=predictor)
    for missing in (np.nan, pd.NA):
        with pytest.raises(ValueError, match="y should hold .* none of them missing"):
            transfer(None, X, np.where(domain == "a", 0, missing), domain)
    with pytest.raises(ValueError, match="DTML is a class"):
        transfer(DTML, X, y, domain)


def test_predictions_may_be_a_column(domains):
    class Column(KNeighborsClassifier):
        def predict(self, X):
            return super().predict(X)[:, None]

    same(transfer(None, *domains, predictor=Column(1)), transfer(None, *domains))


def test_accuracy_is_that_of_predictions_whatever_the_score_of_the_predictor(domains):
    searches = [
        GridSearchCV(KNeighborsClassifier(), {"n_neighbors": [3]}, scoring=s, cv=2) for s in (None, "neg_log_loss")
    ]
    same(*(transfer(None, *domains, predictor=search) for search in searches))


@pytest.mark.parametrize("scaling", [None, "train", "each"])
def test_label_sets_over_a_split(scaling):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(80, 4)) * [1, 10, 100, 1]
    Y = (X / [1, 10, 100, 1] @ rng.normal(size=(4, 3)) > 0).astype(int)
    train, test = np.split(rng.permutation(80), [50])
    model = KNeighborsClassifier(5)
    found = multilabel_split(model, X, Y, train, test, scaling=scaling)
    scaler = MinMaxScaler().fit(X[train])
    seen, unseen = (X[train], X[test]) if scaling is None else (scaler.transform(X[train]), scaler.transform(X[test]))
    if scaling == "each":
        unseen = MinMaxScaler().fit_transform(X[test])
    p = np.column_stack([table[:, 1] for table in KNeighborsClassifier(5).fit(seen, Y[train]).predict_proba(unseen)])
    assert without_times(found) == multilabel_scores(Y[test], p)
    assert not hasattr(model, "classes_")


def test_probabilities_of_one_table_serve_too():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(40, 3))
    Y = (X[:, :2] > 0).astype(int)
    model = MLPClassifier((), solver="lbfgs", max_iter=500, random_state=0)
    assert multilabel_split(model, X, Y, np.arange(30), np.arange(30, 40))["average_precision"] > 0.7


def test_wrong_splits_of_label_sets_are_named():
    X, Y = np.zeros((4, 1)), np.tile([0, 1], (4, 1))
    with pytest.raises(ValueError, match="scaling='test'"):
        multilabel_split(KNeighborsClassifier(), X, Y, [0, 1], [2, 3], scaling="test")
    with pytest.raises(ValueError, match="train and test both have row 1"):
        multilabel_split(KNeighborsClassifier(), X, Y, [0, 1], [1, 2])


def test_a_fold_of_one_kind_is_named_before_any_fit(verification):
    X, members, y, _ = verification
    with pytest.raises(ValueError, match="fold 1 has only similar or only dissimilar pairs"):
        cross_validate_pairs(None, members, y, np.where(y > 0, 0, np.arange(120) % 2), preprocessor=X)


def test_persons_may_be_sets():
    X, y, is_probe = [[0.0], [1.0], [0.1], [2.0]], [5, 6, 5, 6], [True, True, False, False]
    np.testing.assert_array_equal(gallery_probe(None, X, y, is_probe, [(set(), {5, 6})], k=1)["test_cmc"], [0.5])


def test_frames_reach_the_estimator_as_frames(persons, domains):
    def named(X):
        return pd.DataFrame(X, columns=[f"c{i}" for i in range(X.shape[1])])

    by_name = ColumnTransformer([("metric", StandardScaler(), ["c0", "c1"])])
    X, y, is_probe, splits = persons
    some = make_pipeline(FunctionTransformer(), StandardScaler())
    same(gallery_probe(by_name, named(X), y, is_probe, splits), gallery_probe(some, X[:, :2], y, is_probe, splits))
    for estimator in (None, lambda X: X[:, :2]):  # functions get arrays
        same(gallery_probe(estimator, named(X), y, is_probe, splits), gallery_probe(estimator, X, y, is_probe, splits))
    X, y, domain = domains
    same(transfer(by_name, named(X), y, domain), transfer(some, X, y, domain))
    Y = (X > 1).astype(int)
    model, split = KNeighborsClassifier(), (range(40), range(40, 60))
    for scaling in (None, "each"):
        found = multilabel_split(make_pipeline(by_name, model), named(X), Y, *split, scaling=scaling)
        given = multilabel_split(make_pipeline(some, model), X, Y, *split, scaling=scaling)
        assert without_times(found) == without_times(given)
    sparse = multilabel_split(model, csr_matrix(X), Y, *split)
    assert without_times(sparse) == without_times(multilabel_split(model, X, Y, *split))
    with pytest.raises(ValueError, match="scaling='train' makes sparse columns dense"):
        multilabel_split(model, csr_matrix(X), Y, *split, scaling="train")


class TestSplitOfLabelSets:
    X = np.arange(6.0)[:, None]
    Y = np.array([[0, 1], [1, 0], [0, 1], [1, 0], [0, 1], [1, 0]])

    def test_masks_are_rows(self):
        model, mask = KNeighborsClassifier(1), np.arange(6) < 4
        expected = without_times(multilabel_split(model, self.X, self.Y, range(4), [4, 5]))
        assert without_times(multilabel_split(model, self.X, self.Y, mask, ~mask)) == expected
        assert without_times(multilabel_split(model, self.X, csr_matrix(self.Y), range(4), [4, 5])) == expected

    @pytest.mark.parametrize(
        ("changed", "message"),
        [
            ({"test": [-1]}, "test should hold row numbers from 0 to 5"),
            ({"train": [-6, 1]}, "train should hold row numbers from 0 to 5"),
            ({"test": []}, "test should hold row numbers"),
            ({"test": [6]}, "test should hold row numbers from 0 to 5"),
            ({"train": [0.5]}, "train should hold row numbers"),
            ({"train": [True, False]}, r"train should hold row numbers from 0 to 5, or be a mask"),
            (
                {"train": [0, 0, 1, 1, 0, 0], "test": [1, 1, 0, 0, 1, 1]},
                "should be disjoint, and a mask should be of bool",
            ),
            ({"Y": [0, 1, 0, 1, 0, 1]}, "Y should hold 0 and 1"),
            ({"Y": np.eye(6)[:, :1]}, "at least two labels; got shape"),
            ({"Y": np.eye(6)[:5]}, "inconsistent numbers"),
            ({"estimator": KNeighborsClassifier}, "KNeighborsClassifier is a class"),
            ({"estimator": PCA()}, "should have predict_proba"),
        ],
    )
    def test_what_is_wrong_is_named(self, changed, message):
        arguments = {"estimator": KNeighborsClassifier(1), "X": self.X, "Y": self.Y, "train": [0, 1], "test": [4]}
        with pytest.raises(ValueError, match=message):
            multilabel_split(**arguments | changed)
