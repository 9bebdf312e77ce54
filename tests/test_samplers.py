"""Every sampler: rows in range, as many batches as promised, a new order at every pass, the same for a seed."""

import time

import numpy as np
import pytest

from metricnets import samplers
from metricnets.samplers import ClassBalanced, ClassPairs, DomainBalanced, MatchedPairs, Shuffled

CODES = np.random.default_rng(0).permutation(np.repeat([0, 1, 2, 3, 4, -1], [30, 20, 12, 9, 1, 8]))
DOMAIN = np.random.default_rng(0).permutation(np.repeat([1, -1], [50, 21]))

MAKERS = {
    "Shuffled": lambda size, rng: Shuffled(len(CODES), size, rng),
    "ClassBalanced": lambda size, rng: ClassBalanced(CODES, size, rng, n_per_class=4),
    "ClassPairs": lambda size, rng: ClassPairs(CODES, size, rng),
    "MatchedPairs": lambda size, rng: MatchedPairs(CODES, size, rng),
    "DomainBalanced": lambda size, rng: DomainBalanced(DOMAIN, size, rng),
}

every = pytest.mark.parametrize("name", MAKERS)
GENERATORS = {"Generator": np.random.default_rng, "RandomState": np.random.RandomState}


def passes(sampler, n=1):
    return [[rows.tolist() for rows in sampler] for _ in range(n)]


def test_every_sampler_is_here():
    assert sorted(MAKERS) == samplers.__all__


@every
@pytest.mark.parametrize("generator", GENERATORS.values(), ids=GENERATORS)
@pytest.mark.parametrize("size", [1, 2, 7, 16, 1000])
def test_batches_are_index_arrays_in_range_and_as_many_as_promised(name, size, generator):
    sampler = MAKERS[name](size, generator(0))
    for batches in (list(sampler), list(sampler)):
        assert len(batches) == len(sampler) >= 1
        for rows in batches:
            assert rows.dtype.kind == "i"
            assert len(rows) > 0
            assert 0 <= rows.min() <= rows.max() < len(CODES)


@every
def test_every_pass_has_a_new_order_and_a_seed_the_same_orders(name):
    first, second = passes(MAKERS[name](8, np.random.default_rng(0)), 2)
    assert first != second
    assert passes(MAKERS[name](8, np.random.default_rng(0)), 2) == [first, second]
    assert passes(MAKERS[name](8, np.random.default_rng(1))) != [first]


@pytest.mark.parametrize("n", [1, 2, 3, 5, 10, 64, 65, 97])
@pytest.mark.parametrize("size", [1, 2, 3, 8, 32, 100])
def test_shuffled_has_every_row_once_in_batches_of_about_one_size(n, size):
    batches = list(Shuffled(n, size, np.random.default_rng(0)))
    assert sorted(np.concatenate(batches)) == list(range(n))
    sizes = [len(rows) for rows in batches]
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= 1.5 * size
    assert min(sizes) >= min(n, 0.75 * size - 1)
    assert min(sizes) > 1 or size <= 2 or n == 1


@pytest.mark.parametrize(
    ("size", "n_per_class", "n_classes", "n_drawn"),
    [(8, 4, 2, 4), (12, 4, 3, 4), (9, 2, 4, 2), (1, 4, 2, 4), (100, 4, 4, 25), (6, 1, 4, 1)],
)
def test_class_balanced_has_p_classes_with_k_rows_each(size, n_per_class, n_classes, n_drawn):
    codes = np.repeat([0, 1, 2, 3, -1], [40, 30, 30, 28, 10])
    for rows in ClassBalanced(codes, size, np.random.default_rng(0), n_per_class=n_per_class):
        drawn, counts = np.unique(codes[rows], return_counts=True)
        assert len(drawn) == n_classes
        assert set(counts) == {n_drawn}
        assert -1 not in drawn
        assert len(set(rows)) == len(rows)


def test_class_balanced_draws_all_classes_equally_often_and_all_their_rows():
    codes = np.repeat([0, 1, 2, 3, 4], [80, 40, 20, 10, 10])
    sampler = ClassBalanced(codes, 8, np.random.default_rng(0), n_per_class=4)
    batches = [rows for _ in range(40) for rows in sampler]
    expected = len(batches) * 2 / 5
    deviation = (len(batches) * 2 / 5 * 3 / 5) ** 0.5  # of independent draws
    counts = sum(np.bincount(codes[rows], minlength=5) for rows in batches) / 4
    np.testing.assert_allclose(counts, expected, atol=4 * deviation)
    assert set(np.concatenate(batches)) == set(range(len(codes)))
    assert abs(len(sampler) * 8 - len(codes)) <= 4  # a pass is about as many rows as there are


def test_class_balanced_takes_all_of_a_small_class_and_fills_up_with_a_large_one():
    codes = np.repeat([0, 1, 2], [60, 1, 2])
    for rows in ClassBalanced(codes, 12, np.random.default_rng(0), n_per_class=4):
        assert np.bincount(codes[rows]).tolist() == [9, 1, 2]
    few = np.array([0, 0, 0, 0, 0, 0, 1, 2, 2])
    for rows in ClassBalanced(few, 12, np.random.default_rng(0), n_per_class=4):
        assert sorted(rows) == list(range(9))


# Sizes of classes
KINDS = {
    "pairs": [2] * 2000,
    "tiny": [5] * 200,
    "tiny and one alone": [5] * 200 + [1],
    "few large": [500, 300, 400],
    "fewer than asked for": [60, 50],
    "many large": [50] * 30,
    "large and small": [400] * 3 + [3] * 100,
    "one large, one small": [1000, 5],
    "Zipf": (1000 // np.arange(1, 500)).tolist(),
    "half alone": [4] * 100 + [1] * 400,
    "one class, others alone": [100] + [1] * 50,
    "nearly all alone": [100, 2] + [1] * 3000,
    "all alone": [1] * 400,
    "one class": [300],
}


@pytest.mark.parametrize("n_per_class", [1, 2, 8, 40])
@pytest.mark.parametrize("sizes", KINDS.values(), ids=KINDS)
def test_class_balanced_keeps_its_promises_whatever_the_sizes_of_classes(sizes, n_per_class):
    sizes, batch_size = np.array(sizes), 128
    codes = np.random.default_rng(1).permutation(np.repeat(np.arange(-1, len(sizes)), [50, *sizes]))
    sampler = ClassBalanced(codes, batch_size, np.random.default_rng(0), n_per_class=n_per_class)
    n_passes = 12
    batches = [rows for _ in range(n_passes) for rows in sampler]
    assert all(len(set(rows.tolist())) == len(rows) for rows in batches)
    drawn = np.concatenate(batches)
    assert (codes[drawn] >= 0).all()
    # about batch_size rows a batch, and the rows of the table a pass
    n = sizes.sum()
    assert len(drawn) / len(batches) == pytest.approx(min(batch_size, n), rel=0.2)
    assert len(drawn) / n_passes == pytest.approx(n, abs=max(batch_size, 0.1 * n))
    if sizes.max() > 1:  # always something similar
        assert all(np.bincount(codes[rows]).max() > 1 for rows in batches) or n_per_class == 1
    # every class about equally often, but that those alone take at most half of a batch
    turns = sum(np.bincount(codes[rows], minlength=len(sizes)) > 0 for rows in batches)
    for group in (turns[sizes > 1], turns[sizes == 1]):
        if len(group):
            assert group.mean() > 0
            assert np.abs(group - group.mean()).max() <= max(2, 5 * group.mean() ** 0.5)
    if 0 < (sizes == 1).sum() <= n / 4:
        assert turns[sizes == 1].mean() == pytest.approx(turns[sizes > 1].mean(), rel=0.2, abs=1.5)


@pytest.mark.parametrize("n_per_class", [2, 8])
def test_class_balanced_is_quick_for_very_many_classes(n_per_class):
    """60,000 classes took half a minute where each was looked for among all rows."""
    codes = np.random.default_rng(0).permutation(np.arange(240_000) // 4)
    begin = time.process_time()
    batches = list(ClassBalanced(codes, 128, np.random.default_rng(0), n_per_class=n_per_class))
    assert time.process_time() - begin < 3
    assert len(batches) == 240_000 // 128


@pytest.mark.parametrize("size", [4, 8, 9, 64])
def test_class_pairs_are_half_similar_half_not_and_never_a_row_with_itself(size):
    for rows in ClassPairs(CODES, size, np.random.default_rng(0)):
        left, right = np.split(rows, 2)
        n_similar = size // 4
        assert len(left) == 2 * n_similar
        assert (left != right).all()
        assert ((CODES[left] == CODES[right]) == (np.arange(len(left)) < n_similar)).all()
        assert (CODES[rows] >= 0).all()


def test_class_pairs_draw_all_pairs_alike():
    codes = np.array([0, 1, 0, 1, 1, -1, 2])
    sampler = ClassPairs(codes, 400, np.random.default_rng(0))
    drawn = [np.split(rows, 2) for _ in range(50) for rows in sampler]
    counts = np.zeros((2, 7, 7))
    for left, right in drawn:
        np.add.at(counts, ((codes[left] != codes[right]).astype(int), left, right), 1)
    total = counts.sum() / 2
    similar = (codes[:, None] == codes) & ~np.eye(7, dtype=bool) & (codes >= 0) & (codes[:, None] >= 0)
    different = (codes[:, None] != codes) & (codes >= 0) & (codes[:, None] >= 0)
    for possible, found in zip((similar, different), counts):
        assert (possible == (found > 0)).all()
        by_row = possible / np.maximum(possible.sum(axis=1, keepdims=True), 1)  # a row, then one of its partners
        expected = total * by_row / possible.any(axis=1).sum()
        np.testing.assert_allclose(found, expected, atol=5 * np.sqrt(expected.max()))


@pytest.mark.parametrize("codes", [[0, 0, 0], [0, 1, 2], [0, 0, -1]], ids=["one class", "no two alike", "unknown"])
def test_class_pairs_of_one_kind_alone_are_that_kind(codes):
    codes = np.array(codes)
    for rows in ClassPairs(codes, 8, np.random.default_rng(0)):
        left, right = np.split(rows, 2)
        assert len(left) > 0
        assert ((codes[left] == codes[right]) == (codes[0] == codes[1])).all()
        assert (left != right).all()


@pytest.mark.parametrize("size", [1, 2, 3, 8, 9, 64, 1000])
def test_matched_pairs_are_of_one_class_and_take_every_known_row_once(size):
    n_of_class = np.bincount(CODES[CODES >= 0])
    for _ in range(3):
        batches = list(MatchedPairs(CODES, size, np.random.default_rng(0)))
        assert all(len(rows) <= max(2, size) for rows in batches)
        a, p = (np.concatenate(half) for half in zip(*(np.split(rows, 2) for rows in batches)))
        assert (CODES[a] == CODES[p]).all()
        assert ((a == p) == (n_of_class[CODES[a]] == 1)).all()  # itself where it is alone
        n_drawn = np.bincount(np.concatenate([a, p]), minlength=len(CODES))
        assert ((n_drawn > 0) == (CODES >= 0)).all()
        twice = np.bincount(CODES[CODES >= 0], weights=n_drawn[CODES >= 0] - 1)
        assert (twice == n_of_class % 2).all()  # one of an odd number


def test_matched_pairs_draw_all_samples_of_a_class_alike():
    codes = np.array([0, 1, 0, 1, 1, -1, 2, 1])
    sampler = MatchedPairs(codes, 4, np.random.default_rng(0))
    counts, n_passes = np.zeros((8, 8)), 600
    for _ in range(n_passes):
        for rows in sampler:
            np.add.at(counts, tuple(np.split(rows, 2)), 1)
    others = (codes[:, None] == codes) & ~np.eye(8, dtype=bool) & (codes >= 0)
    others[6, 6] = True
    sizes = np.bincount(codes[codes >= 0])
    share = (sizes + 1) // 2 / np.maximum(sizes * (sizes - 1), 1)  # pairs of a pass, over those that are possible
    expected = n_passes * others * share[codes][:, None]
    np.testing.assert_allclose(counts, expected, atol=5 * np.sqrt(n_passes / 4))


@pytest.mark.parametrize(("n_source", "n_target"), [(50, 21), (21, 50), (40, 40)])
@pytest.mark.parametrize("size", [2, 8, 9])
def test_domain_balanced_is_half_source_half_target(n_source, n_target, size):
    domain = np.random.default_rng(1).permutation(np.repeat([3, -2], [n_source, n_target]))
    sampler = DomainBalanced(domain, size, np.random.default_rng(0))
    batches = list(sampler)
    for rows in batches:
        assert np.sum(domain[rows] >= 0) == np.sum(domain[rows] < 0) == size // 2
        assert len(set(rows)) == len(rows)
    counts = np.bincount(np.concatenate(batches), minlength=len(domain))
    for part in (counts[domain >= 0], counts[domain < 0]):
        assert part.max() - part.min() <= 1


def test_domain_balanced_takes_all_of_a_small_domain():
    domain = np.array([1] * 20 + [-1] * 3)
    for rows in DomainBalanced(domain, 16, np.random.default_rng(0)):
        assert np.sum(domain[rows] >= 0) == 8
        assert sorted(rows[domain[rows] < 0]) == [20, 21, 22]


def test_domain_balanced_does_without_a_missing_domain():
    for rows in DomainBalanced(np.ones(10), 4, np.random.default_rng(0)):
        assert len(rows) == 2
