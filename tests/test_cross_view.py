"""The protocol of retrieval across views."""

import numpy as np
import pytest
from discovery import needs_torch, quick, tiny_views
from sklearn.cross_decomposition import CCA
from sklearn.decomposition import PCA

from metricnets.metrics import retrieval_scores
from metricnets.protocols import cross_view

X, Y, CLASSES = tiny_views()
SPLITS = [(np.arange(30), np.arange(30, 45)), (np.arange(45) >= 15, np.arange(45) < 15)]


@pytest.mark.parametrize("y", [None, CLASSES], ids=["matched rows", "classes"])
def test_scores_are_those_of_a_fit_by_hand(y):
    found = cross_view(CCA(2), X, Y, y, SPLITS, k=[1, 3])
    for i, (train, test) in enumerate(SPLITS):
        z, z_y = CCA(2).fit(X[train], Y[train]).transform(X[test], Y[test])
        truth = np.arange(15) if y is None else y[test]
        for way, a, b in (("x_to_y", z, z_y), ("y_to_x", z_y, z)):
            expected = retrieval_scores(a, truth, b, truth, k=[1, 3], metric="cosine")
            assert found[f"{way}_mean_average_precision"][i] == pytest.approx(expected["mean_average_precision"])
            np.testing.assert_allclose(found[f"{way}_cmc"][i], expected["cmc"])
    assert found["fit_time"].shape == (2,)


def test_points_themselves_and_functions():
    same = cross_view(None, X, X, None, SPLITS)
    np.testing.assert_array_equal(same["x_to_y_cmc"][:, 0], 1)
    swapped = cross_view(lambda A, B: (A, B[::-1]), X, X, None, SPLITS)
    assert (swapped["x_to_y_mean_average_precision"] < 1).all()


@needs_torch
def test_learners_of_two_views_are_given_the_classes():
    found = cross_view(quick("TwoViewNet"), X, Y, CLASSES, SPLITS[:1], metric="euclidean")
    net = quick("TwoViewNet").fit(X[:30], Y[:30], CLASSES[:30])
    z, z_y = net.transform(X[30:], Y[30:])
    expected = retrieval_scores(z, CLASSES[30:], z_y, CLASSES[30:])["mean_average_precision"]
    assert found["x_to_y_mean_average_precision"][0] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((CCA, X, Y, None, SPLITS), "is a class"),
        (("cca", X, Y, None, SPLITS), "should have transform"),
        ((PCA(1), X, Y, None, SPLITS), "embeds one view only"),
        ((None, X, Y[:3], None, SPLITS), "Y has 3"),
        ((None, X, Y, CLASSES[:3], SPLITS), "y should give a value"),
        ((None, X, Y, None, []), "splits is empty"),
        ((None, X, X, None, [([0, 1], [1, 2])]), "row 1 in both"),
        ((None, X, X, None, [([0, 1], [50])]), "row numbers from 0 to 44"),
        ((lambda A, B: A, X, Y, None, SPLITS), "two arrays"),
    ],
)
def test_wrong_arguments_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        cross_view(*arguments)
