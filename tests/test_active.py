"""Pairs for a person to label: against naive choices of small sets, what was asked, diversity, what is refused."""

import numpy as np
import pytest
from discovery import quick, tiny_points
from sklearn.datasets import load_digits

from metricnets import KISSME, LDA
from metricnets.active import query_pairs

X, CLASSES = tiny_points()
ALL = {(i, j) for i in range(45) for j in range(i + 1, 45)}
everything = {"n_neighbors": 44, "n_per_sample": None, "random_state": 0}


def distances(pairs, z=X):
    return np.linalg.norm(z[pairs[:, 0]] - z[pairs[:, 1]], axis=1)


def naive(score, n):
    pairs = np.array(sorted(ALL))
    return np.sort(score(distances(pairs)))[:n]


def test_the_nearest_and_the_least_certain_of_all_pairs():
    nearest = query_pairs(None, X, 20, strategy="nearest", **everything)
    np.testing.assert_allclose(distances(nearest), naive(lambda d: d, 20))
    uncertain = query_pairs(None, X, 20, threshold=2.0, **everything)
    np.testing.assert_allclose(np.abs(np.log(distances(uncertain) / 2)), naive(lambda d: abs(np.log(d / 2)), 20))


@pytest.mark.parametrize("strategy", ["uncertain", "nearest", "random"])
def test_all_pairs_are_asked_once_in_rounds(strategy):
    asked = np.empty((0, 2), int)
    for _ in range(12):
        params = {"strategy": strategy, "threshold": 2.0, "random_state": len(asked)}
        found = query_pairs(None, X, 90, exclude=asked[:, ::-1], **params)
        assert (found[:, 0] < found[:, 1]).all()
        asked = np.concatenate([asked, found])
    assert len({*map(tuple, asked.tolist())}) == len(asked)
    assert len(asked) > (980 if strategy == "nearest" else 900)  # of 990; random candidates may miss some


def test_a_sample_is_in_few_pairs_unless_there_are_no_others():
    for limit in (1, 2):
        pairs = query_pairs(None, X, 15, strategy="nearest", n_per_sample=limit, random_state=0)
        assert np.bincount(pairs.ravel()).max() == limit
    assert len(query_pairs(None, X, 200, strategy="nearest", n_per_sample=1, random_state=0)) == 200


def test_the_seed_and_the_samples_whose_neighbours_are_searched():
    params = {"threshold": 1.5, "n_queries": 3, "n_per_sample": None}
    pairs = query_pairs(None, X, 10, random_state=0, **params)
    np.testing.assert_array_equal(query_pairs(None, X, 10, random_state=0, **params), pairs)
    most = np.sort(np.bincount(pairs.ravel(), minlength=45))[::-1]
    assert most[:3].sum() >= 10  # each pair has one of the three
    before = np.random.get_state()[1].copy()
    query_pairs(None, X, 10, **params)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


def test_the_threshold_and_the_embedding_are_those_of_the_metric():
    pairs = np.stack([np.arange(44), np.arange(1, 45)], axis=1)
    metric = KISSME(preprocessor=X).fit(pairs, np.where(CLASSES[pairs[:, 0]] == CLASSES[pairs[:, 1]], 1, -1))
    expected = query_pairs(None, metric.transform(X), 9, threshold=max(metric.threshold_, 1e-9), random_state=0)
    np.testing.assert_array_equal(query_pairs(metric, X, 9, random_state=0), expected)
    metric.set_threshold(-1.0)  # no pair is similar: the nearest ones come first
    nearest = query_pairs(None, metric.transform(X), 9, strategy="nearest", n_neighbors=44, random_state=0)
    np.testing.assert_array_equal(query_pairs(metric, X, 9, n_neighbors=44, random_state=0), nearest)


def test_what_is_asked_is_more_often_similar_than_pairs_at_random():
    points, y = load_digits(return_X_y=True)
    share = {}
    for strategy in ("random", "nearest"):
        a, b = query_pairs(None, points[:300], 100, strategy=strategy, random_state=0).T
        share[strategy] = (y[a] == y[b]).mean()
    assert share["random"] < 0.25 < 0.8 < share["nearest"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"strategy": "hard"}, "strategy='hard' is unknown"),
        ({"n_pairs": 0}, "n_pairs=0 should be an integer from 1"),
        ({"n_neighbors": 1.5}, "n_neighbors=1.5 should be an integer from 1"),
        ({"n_per_sample": -1}, "n_per_sample=-1 should be an integer from 1"),
        ({"threshold": None}, "needs a threshold"),
        ({"threshold": 0.0}, "threshold=0.0 should be a finite distance above 0"),
        ({"threshold": np.inf}, "threshold=inf should be a finite distance above 0"),
        ({"exclude": [[0, 45]]}, "exclude should hold pairs of rows of X, integers from 0 to 44"),
        ({"exclude": [[0.5, 1.0]]}, "exclude should hold pairs"),
        ({"exclude": [0, 1]}, r"exclude should hold pairs of rows .* got int64 in shape \(2,\)"),
        ({"metric": LDA()}, "This LDA instance is not fitted yet"),
        ({"X": X[:1]}, "two samples or more"),
        ({"metric": LDA}, r"metric=LDA is a class; give an instance, LDA\(\)"),
    ],
)
def test_what_cannot_be_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        query_pairs(**({"metric": None, "X": X, "threshold": 1.0} | arguments))


def test_copies_are_the_nearest_pairs_and_nothing_is_left_after_all():
    points = np.repeat(X[:3], 2, axis=0)
    pairs = query_pairs(None, points, 3, strategy="nearest", n_per_sample=1, random_state=0)
    assert {*map(tuple, pairs.tolist())} == {(0, 1), (2, 3), (4, 5)}
    every = [(i, j) for i in range(6) for j in range(i)]
    assert query_pairs(None, points, 3, strategy="nearest", exclude=every).shape == (0, 2)


def test_any_metric_will_do():
    metric = quick("LDA").fit(X, CLASSES)
    expected = query_pairs(None, metric.transform(X), 5, strategy="nearest", random_state=0)
    for each in (metric, metric.get_metric()):
        np.testing.assert_array_equal(query_pairs(each, X, 5, strategy="nearest", random_state=0), expected)
