"""Binary codes: Hamming distances of all forms, and scores with ties in random order."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.spatial.distance import cdist
from sklearn.metrics import average_precision_score

from metricnets import _codes
from metricnets.metrics import hamming_distances, hamming_scores, pack_codes, retrieval_scores, unpack_codes


def random_codes(n, n_bits, seed=0):
    return np.random.default_rng(seed).choice([-1.0, 1.0], size=(n, n_bits))


@pytest.mark.parametrize("n_bits", [1, 7, 8, 9, 64, 65, 130])
def test_distances_of_packed_and_of_signs_are_those_of_scipy(n_bits):
    a, b = random_codes(6, n_bits), random_codes(5, n_bits, seed=1)
    expected = np.rint(cdist(a > 0, b > 0, "hamming") * n_bits)
    for form in (
        np.asarray,
        pack_codes,
        lambda c: c.astype(np.int8),
        lambda c: c > 0,
        lambda c: (c > 0).astype(np.uint8),
    ):
        assert_array_equal(hamming_distances(form(a), form(b)), expected)
    assert_array_equal(hamming_distances(pack_codes(a), b), expected)
    assert_allclose(np.sqrt(expected) * 2, cdist(a, b))  # so neighbours are those of the Euclidean distance
    assert_array_equal(unpack_codes(pack_codes(a), n_bits), a)


def test_counts_without_the_function_of_numpy_2():
    words = np.random.default_rng(0).integers(2**64, size=100, dtype=np.uint64)
    words[:4] = np.array([0, 1, 2**63, 2**64 - 1], np.uint64)
    assert_array_equal(_codes.ones_by_sums(words), [int(word).bit_count() for word in words])


def by_permutations(distances, matches, k):
    """Mean over all orders of the samples at equal distances: average precision, precision and recall at k."""
    found = []
    groups = [np.flatnonzero(distances == d) for d in np.unique(distances)]
    for orders in itertools.product(*map(itertools.permutations, groups)):
        hits = matches[list(itertools.chain(*orders))]
        precision = np.cumsum(hits) / np.arange(1, len(hits) + 1)
        found.append([precision[hits].mean(), hits[:k].mean(), hits[:k].sum() / hits.sum()])
    return np.mean(found, axis=0)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("k", [1, 3, 7])
def test_scores_are_means_over_all_orders_of_ties(seed, k):
    rng = np.random.default_rng(seed)
    gallery, queries = random_codes(7, 2, seed), random_codes(3, 2, seed + 10)
    y, y_gallery = rng.integers(2, size=3), np.append([0, 1], rng.integers(2, size=5))
    expected = [by_permutations((gallery != q).sum(axis=1), y_gallery == label, k) for q, label in zip(queries, y)]
    scores = hamming_scores(queries, y, gallery, y_gallery, k=k)
    found = [scores[name] for name in ("mean_average_precision", "precision_at_k", "recall_at_k")]
    assert_allclose(found, np.mean(expected, axis=0))


def test_scores_of_random_orders_lie_around_the_expected_one():
    rng = np.random.default_rng(0)
    gallery, y = random_codes(300, 4), rng.integers(2, size=300)
    distances = hamming_distances(gallery[:1], gallery)[0]
    drawn = [average_precision_score(y == y[0], -distances - rng.random(300)) for _ in range(400)]
    found = hamming_scores(gallery[:1], y[:1], gallery, y)["mean_average_precision"]
    assert abs(np.mean(drawn) - found) < 4 * np.std(drawn) / 20


def test_without_ties_scores_are_those_of_the_euclidean_distance():
    gallery = np.tril(np.ones((12, 12))) * 2 - 1  # at distances of 1 to 12 from the query
    query, y = -np.ones((1, 12)), np.arange(12) % 3
    found, expected = (score(query, [1], gallery, y, k=[1, 5]) for score in (hamming_scores, retrieval_scores))
    for name in ("mean_average_precision", "precision_at_k", "recall_at_k"):
        assert_allclose(found[name], expected[name])
    assert found["precision_within_2"] == 0.5  # rows 0 and 1, of classes 0 and 1


def test_codes_that_are_all_equal_rank_at_random():
    y = np.repeat([0, 1], [30, 70])
    scores = hamming_scores(np.ones((1, 8)), [0], np.ones((100, 8)), y, k=[1, 10, 100])
    assert_allclose(scores["precision_at_k"], 0.3)
    assert_allclose(scores["recall_at_k"], [0.01, 0.1, 1.0])


def test_queries_without_a_match_do_not_count():
    codes = random_codes(4, 8)
    scores = hamming_scores(codes, ["a", "b", "z", "z"], codes, ["a", "b", "a", "b"])
    assert scores["n_queries"] == 2


WRONG = {
    "bits differ": lambda: hamming_distances(np.ones((2, 8)), np.ones((2, 9))),
    "bytes differ": lambda: hamming_distances(np.ones((2, 2), np.uint8), np.ones((2, 8))),
    "not finite": lambda: hamming_distances([[np.nan, 1.0]]),
    "packed codes as a list": lambda: hamming_distances([[129, 3], [7, 0]]),
    "packed codes of another type": lambda: pack_codes(np.array([[129, 3]], np.int16)),
    "no table": lambda: hamming_distances(np.ones(3)),
    "unpack signs": lambda: unpack_codes(np.ones((2, 8)), 8),
    "unpack too many": lambda: unpack_codes(np.ones((2, 1), np.uint8), 9),
    "classes are missing": lambda: hamming_scores(np.ones((2, 8)), [1], np.ones((2, 8)), [1, 2]),
    "no match": lambda: hamming_scores(np.ones((1, 8)), [3], np.ones((2, 8)), [1, 2]),
    "k": lambda: hamming_scores(np.ones((1, 8)), [1], np.ones((2, 8)), [1, 2], k=0),
}


@pytest.mark.parametrize("call", WRONG.values(), ids=WRONG)
def test_wrong_codes_are_refused(call):
    with pytest.raises(ValueError, match="codes|packed|n_bits|class|k="):
        call()
