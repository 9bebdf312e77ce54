"""Scores from lists of neighbours are those from embeddings."""

import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from metricnets.metrics import neighbor_scores, retrieval_scores

RNG = np.random.default_rng(0)
Z, Y = RNG.normal(size=(80, 3)), RNG.integers(6, size=80)
GALLERY, Y_GALLERY = RNG.normal(size=(50, 3)), RNG.integers(5, size=50)


@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.parametrize("k", [3, [1, 4]])
def test_scores_of_exact_neighbours(k, alone):
    gallery = () if alone else (GALLERY, Y_GALLERY)
    neighbors = NearestNeighbors(n_neighbors=5).fit(Z if alone else GALLERY).kneighbors(Z, return_distance=False)
    found, expected = neighbor_scores(neighbors, Y, *gallery[1:], k=k), retrieval_scores(Z, Y, *gallery, k=k)
    for name, value in found.items():
        np.testing.assert_allclose(value, expected[name], err_msg=name)


def test_a_query_that_is_not_among_its_own_neighbours():
    without = [[1, 2], [2, 0], [0, 1]]
    assert neighbor_scores(without, [0, 0, 1], k=1)["cmc"] == 0.5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[0, 1]], [0, 1]), "each query"),
        (([[0], [1]], [0, 0]), "needs 2 neighbours"),
        (([[0, 2], [1, 0]], [0, 0]), "integers from 0 to 1"),
        (([[0, 0.5], [1, 0]], [0, 0]), "integers from 0 to 1"),
        (([[0, 1], [1, 0]], [0, 1]), "no query"),
        (((np.zeros((2, 2)), np.array([[0, 1], [1, 0]])), [0, 0]), "distances too"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        neighbor_scores(*arguments, k=1)
