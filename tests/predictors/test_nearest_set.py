"""NearestSet: the nearest set by any metric and distance of sets."""

from functools import partial

import numpy as np
import pytest
import sklearn
from discovery import needs_torch, quick
from numpy.testing import assert_array_equal
from scipy.sparse import csr_matrix
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from metricnets import LDA, NearestSet
from metricnets.datasets import make_sets
from metricnets.metrics import mutual_subspace_distance, one_per_set, set_distances


@pytest.fixture(scope="module")
def sets():
    X, y, groups = make_sets(24, 6, noise=1.0, random_state=0)
    order = np.random.default_rng(0).permutation(len(X))
    return X[order], np.array(["a", "b", "c"])[y[order]], groups[order]


@pytest.mark.parametrize(
    "distance", ["minimum", "mean_nearest", "affine_hull", partial(mutual_subspace_distance, n_components=2)]
)
def test_it_is_the_class_of_the_nearest_training_set(sets, distance):
    X, y, groups = sets
    train = groups < 12
    model = NearestSet(distance=distance).fit(X[train], y[train], groups=groups[train])
    classes = one_per_set(groups[train], y[train])[1]
    d = set_distances(X[~train], groups[~train], X[train], groups[train], distance=distance)
    number = np.unique(groups[~train], return_inverse=True)[1]
    assert_array_equal(model.predict(X[~train], groups=groups[~train]), classes[d.argmin(axis=1)][number])
    expected = [[d[i, classes == c].min() for c in model.classes_] for i in number]
    assert_array_equal(model.class_distances(X[~train], groups[~train]), expected)
    truth = one_per_set(groups[~train], y[~train])[1]
    assert model.score(X[~train], y[~train], groups[~train]) == (classes[d.argmin(axis=1)] == truth).mean()


@pytest.mark.parametrize("distance", ["minimum", "affine_hull"])
def test_the_nearest_sets_explain_a_prediction(sets, distance):
    X, y, groups = sets
    train = groups < 12
    model = NearestSet(distance=distance).fit(X[train], y[train], groups=groups[train])
    d = set_distances(X[~train], groups[~train], X[train], groups[train], distance=distance)
    number = np.unique(groups[~train], return_inverse=True)[1]
    distances, indices = model.kneighbors(X[~train], groups[~train], n_neighbors=3)
    assert_array_equal(distances, np.sort(d, axis=1)[number, :3])
    assert_array_equal(np.take_along_axis(d[number], indices, axis=1), distances)
    assert_array_equal(model.set_classes_[indices[:, 0]], model.predict(X[~train], groups[~train]))
    names, classes = one_per_set(groups[train], y[train])
    assert_array_equal(model.set_names_, names)
    assert_array_equal(model.set_classes_, classes)


@pytest.mark.parametrize("n_neighbors", [0, 25, 1.0, None])
def test_a_number_of_nearest_sets_that_there_are_not_is_refused(sets, n_neighbors):
    X, y, groups = sets
    with pytest.raises(ValueError, match=f"n_neighbors={n_neighbors} "):
        NearestSet().fit(X, y, groups).kneighbors(X, groups, n_neighbors=n_neighbors)


def test_without_groups_it_is_the_nearest_neighbour(sets):
    X, y, _ = sets
    expected = KNeighborsClassifier(1).fit(X[:70], y[:70]).predict(X[70:])
    assert_array_equal(NearestSet().fit(X[:70], y[:70]).predict(X[70:]), expected)


def test_a_metric_is_fitted_or_used_as_it_is(sets):
    X, y, groups = sets
    by_hand = NearestSet().fit(LDA().fit_transform(X, y), y, groups=groups)
    for metric in (LDA(), LDA().fit(X, y), make_pipeline(LDA()), LDA().fit(X, y).get_metric()):
        model = NearestSet(metric=metric).fit(X, y, groups=groups)
        assert_array_equal(model.predict(X, groups), by_hand.predict(LDA().fit_transform(X, y), groups))
    fitted = NearestSet(metric=LDA().fit(X, y))
    assert clone(fitted).metric is fitted.metric
    with pytest.raises(ValueError, match="metric is fitted"):
        fitted.set_params(metric__n_components=1)


def test_angles_are_those_of_the_embeddings_whose_origin_stays(sets):
    X, y, groups = sets
    X = X + 5.0
    Z = LDA().fit_transform(X, y)
    inside = NearestSet(metric=LDA(), distance="mutual_subspace").fit(X, y, groups)
    outside = NearestSet(distance="mutual_subspace").fit(Z, y, groups)
    np.testing.assert_allclose(inside.class_distances(X, groups), outside.class_distances(Z, groups), atol=1e-9)


def test_sparse_points_are_those_of_a_dense_table(sets):
    X, y, groups = sets
    found = NearestSet().fit(csr_matrix(X), y, groups).class_distances(csr_matrix(X), groups)
    assert_array_equal(found, NearestSet().fit(X, y, groups).class_distances(X, groups))


@pytest.mark.parametrize("routing", [False, True])
def test_groups_pass_through_pipelines_and_folds(sets, routing):
    X, y, groups = sets
    with sklearn.config_context(enable_metadata_routing=routing):
        model = make_pipeline(StandardScaler(), NearestSet())
        given = {"groups": groups} if routing else {"nearestset__groups": groups}
        predicted = model.fit(X, y, **given).predict(X, groups=groups)
        Z = StandardScaler().fit_transform(X)
        assert_array_equal(predicted, NearestSet().fit(Z, y, groups).predict(Z, groups))
        cv = GroupKFold(3) if not routing else GroupKFold(3).set_split_request(groups=True)
        options = {"params": given} if routing else {"params": given, "groups": groups}
        assert np.mean(cross_val_score(model, X, y, cv=cv, **options)) > 0.5
        if routing:
            search = GridSearchCV(NearestSet(), {"distance": ["minimum", "affine_hull"]}, cv=cv)
            assert search.fit(X, y, groups=groups).best_score_ > 0.5


def test_weights_of_sets_are_the_means_of_their_rows(sets):
    X, y, groups = sets
    model = NearestSet().fit(X[:60], y[:60])
    weights = np.arange(len(X)) % 5.0
    names, number = np.unique(groups, return_inverse=True)
    right = one_per_set(groups, model.predict(X, groups))[1] == one_per_set(groups, y)[1]
    means = [weights[number == i].mean() for i in range(len(names))]
    expected = np.average(right, weights=means)
    assert model.score(X, y, groups, sample_weight=weights) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"groups": [0] * 144}, "y differs within set 0"),
        ({"groups": [0, 1]}, "2 entries for 144 rows"),
        ({"y": [None] * 144}, "None"),
        ({"y": np.linspace(0, 1, 144)}, "label type"),
    ],
)
def test_what_is_wrong_is_named(sets, change, message):
    X, y, groups = sets
    with pytest.raises(ValueError, match=message):
        NearestSet().fit(**{"X": X, "y": y, "groups": groups} | change)


@pytest.mark.parametrize("name", ["NearestSet", pytest.param("MMDML", marks=needs_torch)])
@pytest.mark.parametrize("form", [list, np.stack])
def test_sets_that_are_not_stacked_are_told_how(sets, name, form):
    (X, y, groups), estimator = sets, quick(name)
    names, labels = one_per_set(groups, y)
    with pytest.raises(ValueError, match=r"np.concatenate\(X\)"):
        estimator.fit(form([X[groups == name] for name in names]), labels)
