import numpy as np
import pytest

from metricnets.constraints import chunks, knn_triplets, negative_pairs, partial_codes, positive_pairs

RNG = np.random.RandomState


@pytest.mark.parametrize("draw", [positive_pairs, negative_pairs])
def test_all_pairs_are_drawn_if_that_many_are_wanted(draw):
    codes = np.array([2, 0, 1, 0, -1, 2, 2, 3])
    known = np.flatnonzero(codes >= 0)
    same = draw is positive_pairs
    expected = {(i, j) for i in known for j in known if i < j and (codes[i] == codes[j]) == same}
    pairs = draw(codes, 1000, RNG(0))
    assert {tuple(sorted(pair)) for pair in pairs} == expected
    assert len(pairs) == len(expected)


@pytest.mark.parametrize("draw", [positive_pairs, negative_pairs])
def test_all_pairs_are_equally_likely_in_either_order(draw):
    codes = np.array([0, 0, 0, 1, 1])
    counts = np.zeros((5, 5))
    for seed in range(2000):
        np.add.at(counts, tuple(draw(codes, 2, RNG(seed)).T), 1)
    possible = counts[counts > 0]
    expected = 4000 / len(possible)
    assert len(possible) == {positive_pairs: 8, negative_pairs: 12}[draw]
    assert np.abs(possible - expected).max() < 5 * np.sqrt(expected)


def test_pairs_of_many_rows_cost_no_memory_for_all_of_them():
    codes = np.arange(100_000) % 3
    pairs = positive_pairs(codes, 1000, RNG(0))  # of 1.7e9
    assert len(np.unique(np.sort(pairs, axis=1), axis=0)) == 1000
    assert (codes[pairs[:, 0]] == codes[pairs[:, 1]]).all()


def test_of_no_pair_none_is_drawn():
    assert positive_pairs(np.array([0, 1, 2]), 5, RNG(0)).shape == (0, 2)
    assert negative_pairs(np.array([0, 0, -1]), 5, RNG(0)).shape == (0, 2)


def test_triplets_are_those_of_a_naive_search():
    X, codes = RNG(0).normal(size=(30, 3)), RNG(1).randint(3, size=30)
    codes[:3] = -1
    d = np.linalg.norm(X[:, None] - X, axis=2)
    expected = set()
    for a in np.flatnonzero(codes >= 0):
        same = [j for j in np.argsort(d[a]) if codes[j] == codes[a] and j != a]
        other = [j for j in np.argsort(d[a]) if codes[j] >= 0 and codes[j] != codes[a]]
        expected |= {(a, p, n) for p in same[:2] for n in other[:4]}
    found = knn_triplets(X, codes, 2, 4)
    assert set(map(tuple, found)) == expected
    assert len(found) == len(expected)


def test_chunks_are_disjoint_and_of_one_class():
    codes = np.repeat([0, 1, 2, -1], [5, 9, 1, 4])
    numbers = chunks(codes, 100, 2, RNG(0))
    assert numbers.max() + 1 == 2 + 4
    for number in range(numbers.max() + 1):
        members = codes[numbers == number]
        assert len(members) == 2
        assert members[0] == members[1] >= 0
    assert chunks(codes, 3, 2, RNG(0)).max() == 2


def test_labels_that_are_not_known():
    np.testing.assert_array_equal(partial_codes([3.0, np.nan, -2.0, 1.0]), [1, -1, -1, 0])
    np.testing.assert_array_equal(partial_codes(np.array(["x", None, "a"], dtype=object)), [1, -1, 0])
    np.testing.assert_array_equal(partial_codes([True, False]), [1, 0])
