"""Scatters of all pairs: those of the pairs one by one."""

from itertools import combinations

import numpy as np
import pytest

from metricnets.linear._pairwise.class_pairs import class_scatters

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 5)) * np.geomspace(0.1, 10, 5) + RNG.normal(size=5)
CODES = RNG.integers(4, size=40)
VIEWS = {"one view": None, "two views": np.arange(40) % 2, "three views": RNG.integers(3, size=40)}


def pair_by_pair(X, codes, views):
    """Mean scatters and numbers of similar and of dissimilar pairs."""
    sums, counts = np.zeros((2, X.shape[1], X.shape[1])), [0, 0]
    for i, j in combinations(range(len(X)), 2):
        if views is None or views[i] != views[j]:
            kind = int(codes[i] != codes[j])
            sums[kind] += np.outer(X[i] - X[j], X[i] - X[j])
            counts[kind] += 1
    return *(total / count for total, count in zip(sums, counts)), *counts


@pytest.mark.parametrize("views", VIEWS.values(), ids=VIEWS)
@pytest.mark.parametrize("codes", [CODES, np.arange(40) // 2], ids=["four classes", "classes of two"])
def test_scatters_are_those_of_the_pairs(codes, views):
    found, expected = class_scatters(X, codes, views), pair_by_pair(X, codes, views)
    assert found[2:] == expected[2:]
    for M, N in zip(found[:2], expected[:2]):
        np.testing.assert_allclose(M, N, rtol=1e-10, atol=1e-10 * np.abs(N).max())


def test_no_pairs_have_no_scatter():
    S, D, *counts = class_scatters(X[:3], np.arange(3))
    assert counts == [0, 3]
    assert not S.any()
    assert D.any()
