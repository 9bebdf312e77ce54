"""Hard negatives: against a naive search, wrong labels that are found, and what is refused."""

import numpy as np
import pytest
from discovery import quick, tiny_points
from sklearn.datasets import load_digits, make_blobs
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from metricnets import LDA
from metricnets.inspection import hard_negatives, label_quality

COLUMNS = ["query", "negative", "rank", "distance", "margin"]


def naive(z, y, n_neighbors):
    found = []
    for i in range(len(z)):
        d = {j: np.linalg.norm(z[i] - z[j]) for j in range(len(z)) if j != i and y[j] is not None}
        own = [d[j] for j in d if y[j] == y[i]]
        if y[i] is None or not own:
            continue
        for rank, j in enumerate(sorted(d, key=d.get)[:n_neighbors], 1):
            if y[j] == y[i]:
                break
            found.append((i, j, rank, d[j], min(own) - d[j]))
    return sorted(found, key=lambda row: -row[-1])


@pytest.mark.parametrize("n_neighbors", [1, 3, 200])
@pytest.mark.parametrize("n_classes", [2, 3, 30])  # with classes above 64 samples, and with some of a single one
def test_equals_the_naive_search(n_classes, n_neighbors):
    rng = np.random.default_rng(0)
    z, y = rng.normal(size=(150, 3)), rng.integers(n_classes, size=150).astype(object)
    y[::17] = None
    found = hard_negatives(None, z, y, n_pairs=None, n_neighbors=n_neighbors)
    assert list(found) == COLUMNS
    expected = naive(z, y, n_neighbors)
    assert len(expected) > 20
    for name, column in zip(COLUMNS, zip(*expected)):
        np.testing.assert_allclose(found[name], column)
    first = hard_negatives(None, z, y, n_pairs=7, n_neighbors=n_neighbors)
    for name in COLUMNS:
        np.testing.assert_array_equal(first[name], found[name][:7])


def test_wrong_labels_are_found():
    X, y = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    wrong = rng.choice(len(y), 40, replace=False)
    noisy = y.copy()
    noisy[wrong] = (y[wrong] + rng.integers(1, 10, size=40)) % 10
    found = hard_negatives(None, X, noisy, n_pairs=40)
    assert np.isin(found["query"], wrong).mean() > 0.85  # by chance it would be .02


def test_a_metric_is_that_of_its_embedding():
    X, y = tiny_points()
    learner = LDA().fit(X, y)
    expected = hard_negatives(None, learner.transform(X), y)
    assert len(expected["query"])
    for metric in (learner, learner.get_metric(), make_pipeline(StandardScaler(), LDA()).fit(X, y)):
        found = hard_negatives(metric, X.tolist(), y.tolist())
        np.testing.assert_array_equal(found["query"], expected["query"])
        np.testing.assert_allclose(found["margin"], expected["margin"], rtol=1e-6)
    net = quick("EmbeddingNet").fit(X, y)
    np.testing.assert_array_equal(
        hard_negatives(net, X, y)["negative"], hard_negatives(None, net.transform(X), y)["negative"]
    )


@pytest.mark.parametrize(
    "y",
    [np.arange(20), np.zeros(20, int), np.repeat([0, 1], 10), [None] * 20],
    ids=["all alone", "one class", "far apart", "all unknown"],
)
def test_there_may_be_none(y):
    X = make_blobs([10, 10], centers=[[0, 0], [100, 100]], shuffle=False, random_state=0)[0]
    found = hard_negatives(None, X, y)
    assert {name: len(values) for name, values in found.items()} == dict.fromkeys(COLUMNS, 0)


def test_coincident_samples_of_two_classes_are_hard_unless_one_of_the_own_class_is_there_too():
    X, y = np.array([[0.0], [0.0], [5.0], [9.0], [0.0]]), np.array([-1, 1, -1, 1, 1])
    found = hard_negatives(None, X, y)
    assert set(zip(found["query"], found["rank"], found["margin"])) == {(0, 1, 5.0), (3, 1, 5.0), (2, 1, 1.0)}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_pairs": 0}, "n_pairs=0 should be an integer from 1"),
        ({"n_neighbors": 0}, "n_neighbors=0 should be an integer from 1"),
        ({"n_pairs": 2.5}, "n_pairs=2.5 should be an integer from 1"),
        ({"n_neighbors": "a"}, "n_neighbors='a' should be an integer from 1"),
        ({"y": [0, 1]}, "X has 45 rows and y 2"),
        ({"metric": LDA}, r"metric=LDA is a class; give an instance, LDA\(\)"),
        ({"metric": "euclidean"}, "metric='euclidean' should have transform"),
        ({"X": [[np.nan]] * 45}, "X contains NaN"),
    ],
)
def test_what_cannot_be_is_named(arguments, message):
    X, y = tiny_points()
    with pytest.raises(ValueError, match=message):
        hard_negatives(**({"metric": None, "X": X, "y": y} | arguments))


def test_a_metric_has_to_be_fitted():
    with pytest.raises(NotFittedError):
        hard_negatives(LDA(), *tiny_points())


# --- label quality


def falsified(y, rate=0.15):
    rng = np.random.default_rng(0)
    wrong = rng.random(len(y)) < rate
    return np.where(wrong, (y + rng.integers(1, y.max() + 1, size=len(y))) % (y.max() + 1), y), wrong


@pytest.mark.parametrize("metric", [None, LDA(solver="eigen", shrinkage="auto")], ids=["none", "LDA"])
def test_wrong_labels_are_the_worst_and_what_is_suggested_is_right(metric):
    X, y = load_digits(return_X_y=True)
    X, y = X[:600], y[:600]
    noisy, wrong = falsified(y)
    found = label_quality(metric, X, noisy)
    assert (np.diff(found["quality"]) >= 0).all()
    np.testing.assert_array_equal(np.sort(found["row"]), np.arange(600))
    suspects = found["row"][found["is_wrong"]]
    assert wrong[suspects].mean() > 0.8
    assert wrong[suspects].sum() > 0.8 * wrong.sum()
    assert (found["suggested"] == y[found["row"]])[found["is_wrong"]].mean() > 0.8
    right = label_quality(metric, X, y)
    assert right["is_wrong"].mean() < 0.08


def test_quality_is_the_share_of_the_votes():
    X = np.r_[0:8, 100:108].astype(float)[:, None]
    y = np.repeat(["a", "b"], 8)
    y[0] = "b"
    found = label_quality(None, X, y, cv=None)  # 5 neighbours and half a vote for each class
    quality = dict(zip(found["row"], found["quality"]))
    np.testing.assert_allclose([quality[row] for row in (0, 2, 7)], [0.5 / 6, 4.5 / 6, 5.5 / 6])
    assert (found["row"][0], found["suggested"][0], found["is_wrong"].sum()) == (0, "a", 1)


def test_unknown_classes_are_left_out_and_what_cannot_be_is_named():
    X, y = tiny_points()
    partial = y.astype(object)
    partial[::5] = None
    found = label_quality(None, X, partial)
    np.testing.assert_array_equal(np.sort(found["row"]), np.flatnonzero(np.arange(45) % 5))
    for arguments, message in [
        ({"y": [0, 1]}, "X has 45 rows and y 2"),
        ({"y": np.zeros(45)}, "y has 1 known class"),
        ({"cv": 20}, "cv=20 folds need as many samples of each class; y has 15 of the class 0"),
        ({"cv": 0}, "cv=0 should be an integer from 1"),
        ({"metric": "euclidean"}, "metric='euclidean' should have fit and transform"),
        ({"metric": LDA}, r"metric=LDA is a class; give an instance, LDA\(\)"),
    ]:
        with pytest.raises(ValueError, match=message):
            label_quality(**({"metric": None, "X": X, "y": y} | arguments))
