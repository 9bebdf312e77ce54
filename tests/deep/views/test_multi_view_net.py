"""MultiViewNet: the fused distance, views that are missing, their weights, and how columns are given."""

import numpy as np
import pandas as pd
import pytest
from discovery import quick, tiny_points
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.utils import get_tags
from torch import nn

VIEWS = [slice(2), [2, 3]]


def net(**params):
    return quick("MultiViewNet", **{"views": VIEWS} | params)


@pytest.fixture
def points():
    return tiny_points()


@pytest.fixture
def missing(points):
    """Every third row has no first view, and every third no second one."""
    X, row = points[0].copy(), np.arange(45)
    X[row % 3 == 0, :2] = X[row % 3 == 1, 2:] = np.nan
    return X, points[1]


# --- the distance


@pytest.mark.parametrize(
    ("params", "joint"),
    [({}, 0.5), ({"n_networks": 2}, 0.5), ({"init": "identity", "joint_weight": 0.2}, 0.2), ({"init": "glorot"}, 0)],
    ids=str,
)
def test_columns_of_each_network_have_the_norm_of_its_weight(points, params, joint):
    model = net(n_components=5, **params).fit(*points)
    z = model.transform(points[0]).reshape(45, -1, 5)
    expected = np.append(model.view_weights_ * (1 - joint), [joint] * (joint > 0))
    assert_allclose((z**2).sum(axis=2), np.tile(expected, (45, 1)), atol=1e-6)


def test_one_view_is_embedding_net(points):
    X, y = points
    expected = quick("EmbeddingNet").fit(X, y).transform(X)
    assert_allclose(net(views=1).fit(X, y).transform(X), expected, atol=1e-5)


@pytest.mark.parametrize("params", [{}, {"n_networks": 2}, {"init": "glorot", "loss": "cosface"}], ids=str)
def test_rows_without_a_view_have_embeddings_of_unit_norm(missing, params):
    X, y = missing
    model = net(n_components=5, **params).fit(X, y)
    assert_allclose(np.linalg.norm(model.transform(X), axis=1), 1, atol=1e-5)
    distance, pairs = model.get_metric(), np.stack([X[:9], X[9:18]], axis=1)
    assert_allclose([distance(a, b) for a, b in pairs], model.pair_distance(pairs), atol=1e-5)
    assert np.isfinite(model.history_[-1]["train_loss"])


def test_what_a_view_says_does_not_depend_on_others(missing):
    X, y = missing
    model = net(n_components=5, normalize=False).fit(X, y)
    lacking = X[2::3].copy()
    lacking[:, 2:] = np.nan
    assert_allclose(model.transform(lacking)[:, :5], model.transform(X[2::3])[:, :5], atol=1e-6)


def test_a_view_that_another_one_determines_may_as_well_be_missing(points):
    X, y = np.tile(points[0], 2), points[1]
    model = net(views=2).fit(X, y)
    lacking = X.copy()
    lacking[:, 4:] = np.nan
    assert (model.transform(lacking) * model.transform(X)).sum(axis=1).min() > 0.9


def test_joint_network_of_few_whole_rows_has_a_small_weight(missing):
    X, y = missing
    z = net(n_components=5).fit(X, y).transform(tiny_points()[0])
    share = (~np.isnan(X).any(axis=1)).mean() / 2
    assert_allclose((z[:, 10:] ** 2).sum(axis=1), share, atol=1e-6)


def test_rows_learn_with_the_views_they_have(missing):
    X, y = missing
    rows = np.flatnonzero(~np.isnan(X[:, 0]))
    changed = X.copy()
    changed[::3, 2:] *= -3
    before, after = (net().fit(Z, y).transform(X[rows]) for Z in (X, changed))
    assert np.abs(before - after).max() > 1e-3


# --- weights


def test_a_view_of_noise_has_a_small_weight(points):
    X, y = points
    noise = np.random.default_rng(0).normal(size=(45, 4))
    weights = net(views=[slice(4), slice(4, 8)]).fit(np.hstack([X, noise]), y).view_weights_
    assert weights[0] > 0.75
    assert weights.sum() == pytest.approx(1)


def test_two_equal_views_have_equal_weights(points):
    X, y = points
    model = net(views=[slice(4), slice(4)]).fit(X, y)
    assert_allclose(model.view_weights_, 0.5)


def test_weights_that_are_given(points):
    assert_allclose(net(view_weights=[1, 3]).fit(*points).view_weights_, [0.25, 0.75])
    named = net(views={"left": [0, 1], "right": [2, 3]}, view_weights={"right": 3, "left": 1})
    assert_allclose(named.fit(*points).view_weights_, [0.25, 0.75])


def test_a_module_for_each_view(points):
    modules = {"right": nn.Linear(2, 5), "left": lambda shape: nn.Linear(*shape, 3)}
    named = net(views={"left": [0, 1], "right": [2, 3]}, module=modules, hidden=(128,)).fit(*points)
    listed = net(module=[modules["left"], modules["right"]], hidden=(128,)).fit(*points)
    z = named.transform(points[0])
    assert_array_equal(listed.transform(points[0]), z)
    assert_allclose((z[:, :3] ** 2).sum(axis=1), 0.5, atol=1e-6)


# --- columns


def test_columns_by_number_name_or_slice_are_the_same(points):
    X, y = points
    frame = pd.DataFrame(X, columns=["a", "b", "c", "d"])
    expected = net().fit(X, y).transform(X)
    for views, Z in ((2, X), ([[0, 1], [-2, -1]], X), ([["a", "b"], ["c", "d"]], frame), ([[0, 1], ["c", "d"]], frame)):
        assert_array_equal(net(views=views).fit(Z, y).transform(Z), expected)
    named = net(views={"left": ["a", "b"], "right": ["c", "d"]}).partial_fit(frame, y)
    assert_array_equal(named.transform(frame), expected)
    named.partial_fit(frame[:20], y[:20])
    assert list(named.feature_names_in_) == list("abcd")


def test_columns_in_no_view_are_not_used(points):
    X, y = points
    spoilt = X.copy()
    spoilt[:, 3] = np.nan
    model = net(views=[[0, 1], [2]])
    assert_array_equal(model.fit(X, y).transform(X), model.fit(spoilt, y).transform(spoilt))


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"views": 5}, "n_features=4"),
        ({"views": []}, "no view"),
        ({"views": [[0], []]}, r"views\[1\].*no column"),
        ({"views": [[0], [4]]}, "4 features"),
        ({"views": [[0], "b"]}, "list of columns"),
        ({"views": [[0], ["b"]]}, "data frame"),
        ({"view_weights": [1, 0]}, "positive"),
        ({"view_weights": [[1], [1]]}, "positive number for each of 2"),
        ({"view_weights": [1, 1, 1]}, "2 views"),
        ({"view_weights": {"image": 1}}, r"each of the views \[0, 1\]"),
        ({"module": [nn.Linear(2, 3)]}, "2 views"),
        ({"module": [nn.Linear(2, 3), 4]}, "class or function for each view"),
        ({"skip": 1.0}, "skip"),
        ({"activate_output": True}, "activate_output"),
    ],
    ids=str,
)
def test_what_is_wrong_with_parameters_is_said(points, params, message):
    with pytest.raises(ValueError, match=message):
        net(**params).fit(*points)


def test_names_that_a_frame_does_not_have(points):
    frame = pd.DataFrame(points[0], columns=list("abcd"))
    with pytest.raises(ValueError, match="'e', which X has not"):
        net(views=[["a"], ["e"]]).fit(frame, points[1])


def test_nan_that_is_no_missing_view_is_an_error(points):
    X, y = points
    model = net().fit(X, y)
    partly, nothing, never = X.copy(), X.copy(), X.copy()
    partly[3, 0] = nothing[3] = never[:, :2] = np.nan
    for bad, message in ((partly, "some columns of view 0"), (nothing, "without a view")):
        with pytest.raises(ValueError, match=message):
            net().fit(bad, y)
        with pytest.raises(ValueError, match=message):
            model.transform(bad)
        with pytest.raises(ValueError, match=message):
            model.get_metric()(bad[3], X[0])
    with pytest.raises(ValueError, match="view 0 is missing in all rows"):
        net().fit(never, y)
    with pytest.raises(ValueError, match=r"of view 'low', and numbers in others, in 1 rows \(row 3\)"):
        net(views={"low": [0, 1], "high": [2, 3]}).fit(partly, y)
    with pytest.raises(ValueError, match="X is a list of tables"):
        net().fit([X[:, :2], X[:, 2:3]], y)
    with pytest.raises(ValueError, match="infinity"):
        model.transform(np.where(np.isnan(partly), np.inf, partly))


# --- with the rest


def test_tags_say_whether_views_may_be_missing():
    assert get_tags(net()).input_tags.allow_nan
    assert not get_tags(net(views=1)).input_tags.allow_nan


def test_search_and_pipeline(missing):
    X, y = missing
    pipeline = make_pipeline(net(max_epochs=1), KNeighborsClassifier(3))
    search = GridSearchCV(pipeline, {"multiviewnet__view_weights": ["auto", [1, 2]]}, cv=2).fit(X, y)
    assert set(search.predict(X)) <= set(y)
    assert cross_val_score(net(max_epochs=1, loss="cosface"), X, y, cv=2).min() > 0


@pytest.mark.parametrize(
    "params", [{"unlabeled": "label_spreading"}, {"unlabeled": "consistency"}, {"label_noise": "soft_labels"}], ids=str
)
def test_few_and_wrong_labels(missing, params):
    X, y = missing
    partly = np.where(np.arange(45) % 2, y, -1) if "unlabeled" in params else y
    model = net(**params).fit(X, partly)
    assert model.transduction_.shape == (45,)


def test_streams_validation_and_weights(missing):
    X, y = missing
    first = net().partial_fit(X[:30], y[:30]).partial_fit(X[30:], y[30:])
    assert np.isfinite(first.transform(X)).all()
    model = net(early_stopping=True, warm_start=True).fit(X[:30], y[:30], X_val=X[30:], y_val=y[30:])
    weights = model.view_weights_
    assert_array_equal(model.fit(X, y, sample_weight=np.arange(45) % 4).view_weights_, weights)
