import time

import numpy as np
import pytest

from metricnets.constraints import Constraints, chunks, knn_triplets, negative_pairs, partial_codes, positive_pairs

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


# Sizes of classes, the last of which is not known: with 1000 of them, a search for each would take minutes.
SIZES = {
    "three": [9, 9, 9, 3],
    "large and small": [100, 70, 5, 3, 2, 1, 1, 8],
    "small": [2] * 50 + [1, 5],
    "one": [20, 0],
    "two, one row each": [1, 1, 0],
}


@pytest.mark.filterwarnings("ignore:k_(genuine|impostor)=.* is too many")
@pytest.mark.parametrize("d", [3, 20])
@pytest.mark.parametrize("sizes", SIZES.values(), ids=SIZES)
def test_triplets_are_those_of_a_naive_search(sizes, d):
    codes = RNG(1).permutation(np.repeat([*range(len(sizes) - 1), -1], sizes))
    X = RNG(0).normal(size=(len(codes), d))
    distances = np.linalg.norm(X[:, None] - X, axis=2)
    expected = []
    for a in sorted(np.flatnonzero(codes >= 0), key=lambda row: (codes[row], row)):
        same = [j for j in np.argsort(distances[a]) if codes[j] == codes[a] and j != a]
        other = [j for j in np.argsort(distances[a]) if codes[j] >= 0 and codes[j] != codes[a]]
        expected += [(a, p, n) for p in same[:2] for n in other[:4]]
    found = knn_triplets(X, codes, 2, 4)
    assert found.shape == (len(expected), 3)
    np.testing.assert_array_equal(found, np.reshape(expected, (-1, 3)))


def test_triplets_of_thousands_of_classes_take_a_second():
    codes = np.arange(9000) % 3000
    X = RNG(0).normal(size=(9000, 5)) + RNG(1).normal(size=(3000, 5))[codes] * 3
    begin = time.perf_counter()
    assert knn_triplets(X, codes, 2, 3).shape == (9000 * 6, 3)
    assert time.perf_counter() - begin < 5


def test_warnings_name_classes_by_their_labels():
    X, y = RNG(0).normal(size=(7, 2)), np.array(["fig", "fig", "pear", "pear", "pear", "pear", None], dtype=object)
    with pytest.warns(UserWarning, match="The class fig has 2 elements, .* 2 genuine"):
        Constraints(y).generate_knntriplets(X, 2, 1)
    with pytest.warns(UserWarning, match="The class 7 has 2 elements of other classes"):
        Constraints([7, 7, 7, 7, 4, 4, -1]).generate_knntriplets(X, 1, 3)


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
