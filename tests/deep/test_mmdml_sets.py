"""MMDML with validation sets of the user, in pipelines and searches, and on sets of odd numbers and sizes."""

import numpy as np
import pytest
import sklearn
from numpy.testing import assert_array_equal
from sklearn.model_selection import GridSearchCV, GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from metricnets import MMDML
from metricnets.datasets import make_sets

QUICK = {"max_epochs": 1, "hidden": (4,), "n_components": 3, "device": "cpu", "random_state": 0}


@pytest.fixture(scope="module")
def sets():
    """12 sets of four points of two classes, of which eight are to train on: X, y, groups, is_train."""
    X, y, groups = make_sets(12, 4, 4, n_classes=2, random_state=0)
    return X, np.array(["a", "b"])[y], groups, groups < 8


def validated(sets, groups_val="own", **changes):
    X, y, groups, train = sets
    groups_val = groups[~train] if isinstance(groups_val, str) else groups_val
    val = {"X_val": X[~train], "y_val": y[~train], "groups_val": groups_val} | changes
    return MMDML(**QUICK | {"early_stopping": True}).fit(X[train], y[train], groups[train], **val)


def test_validation_sets_are_judged_and_are_in_no_manifold(sets):
    _, y, groups, train = sets
    model = validated(sets)
    assert "valid_loss" in model.history_[0]
    assert [len(m) for m in model.manifolds_] == [(y[train] == c).sum() for c in model.classes_]
    same_names = validated(sets, groups[~train] - 8)  # those of training sets, and other sets
    assert same_names.history_[0]["valid_loss"] == model.history_[0]["valid_loss"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y_val": None}, "y_val is not given"),
        ({"X_val": None, "y_val": None}, "groups_val is given without X_val"),
        ({"groups_val": [0, 1]}, "groups_val has 2 entries for 16 rows"),
        ({"y_val": ["a"] * 15 + ["b"], "groups_val": [0] * 16}, "y_val differs within set 0"),
        ({"y_val": ["c"] * 16}, "y_val has the class c"),
        ({"X_val": np.zeros((16, 3))}, "features"),
    ],
)
def test_validation_sets_that_do_not_fit_are_refused(sets, changes, message):
    with pytest.raises(ValueError, match=message):
        validated(sets, **changes)


def test_validation_sets_are_for_early_stopping(sets):
    X, y, groups, _ = sets
    with pytest.raises(ValueError, match="early_stopping=False"):
        MMDML(**QUICK).fit(X, y, groups, X_val=X, y_val=y, groups_val=groups)


@pytest.mark.parametrize("routing", [False, True])
def test_groups_pass_through_a_search(sets, routing):
    X, y, groups, _ = sets
    with sklearn.config_context(enable_metadata_routing=routing):
        pipeline = make_pipeline(StandardScaler(), MMDML(**QUICK))
        folds = GroupKFold(2).set_split_request(groups=True) if routing else GroupKFold(2)
        search = GridSearchCV(pipeline, {"mmdml__alpha": [0.0, 1.0]}, cv=folds)
        given = {"groups": groups} if routing else {"groups": groups, "mmdml__groups": groups}
        search.fit(X, y, **given)
        assert np.isfinite(search.cv_results_["mean_test_score"]).all()
        direct = MMDML(**QUICK | {"alpha": search.best_params_["mmdml__alpha"]})
        Z = StandardScaler().fit_transform(X)
        expected = direct.fit(Z, y, groups).predict(Z, groups)
        assert_array_equal(search.best_estimator_.predict(X, groups=groups), expected)


@pytest.mark.parametrize(
    "sizes",
    [[1] * 12, [40, 1, 1, 2], [30, 1], [3, 3, 3, 3]],
    ids=["one row", "different", "one set a class", "two sets"],
)
def test_sets_of_other_numbers_and_sizes(sizes):
    groups = np.repeat(np.arange(len(sizes)), sizes)
    y = groups % 2
    X = np.random.default_rng(0).normal(size=(len(y), 3)) + 3 * y[:, None]
    model = MMDML(**QUICK | {"shrinkage": "auto"}).fit(X, y, groups)
    assert model.score(X, y, groups) > 0.7
    assert model.class_distances(X, groups).shape == (len(X), 2)
