"""Every relation: a matrix in [0, 1], symmetric, 1 on itself, the same in NumPy and PyTorch; worked examples."""

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from scipy.stats import entropy

from metricnets import relations

rng = np.random.default_rng(0)
CODES = rng.integers(4, size=9)
FULL_SETS = (rng.integers(1, 32, size=9)[:, None] >> np.arange(5)) & 1  # none of them empty
SETS = np.vstack([FULL_SETS[:7], np.zeros((2, 5), int)])
DISTRIBUTIONS = np.vstack([rng.dirichlet(np.ones(5), size=7), np.eye(5)[:2]])
REALS = np.r_[0.0, 1.0, rng.random(7)]

# The kinds of targets that a relation is for.
TARGETS = {
    "absolute": [REALS, rng.random((9, 2))],
    "cosine": [FULL_SETS, DISTRIBUTIONS],
    "hamming": [SETS],
    "hellinger": [DISTRIBUTIONS],
    "jaccard": [SETS],
    "known_class": [CODES, CODES - 1],
    "l1": [DISTRIBUTIONS, np.eye(4)[CODES]],
    "overlap": [DISTRIBUTIONS],
    "same_class": [CODES],
    "symmetric_kl": [DISTRIBUTIONS],
}

# How far a self-relation may be from 1 with a rounding error of eps, if more than that: a root takes it
# to √eps; the cosine has 1e-12 added to its denominator.
SLACK = {"hellinger": lambda eps: 2 * eps**0.5, "cosine": lambda eps: 1e-11 + 8 * eps}


def scipy_relation(name):
    """1 minus a distance of SciPy."""
    return lambda a, b: 1 - cdist([a], [b], name)[0, 0]


# What one entry is, from a formula or from SciPy; arguments are two single targets.
NAIVE = {
    "absolute": lambda a, b: 1 - np.mean(np.abs(a - b)),
    "cosine": scipy_relation("cosine"),
    "hamming": scipy_relation("hamming"),
    "hellinger": lambda a, b: 1 - np.linalg.norm(np.sqrt(a) - np.sqrt(b)) / np.sqrt(2),
    "jaccard": lambda a, b: 1 - cdist([a.astype(bool)], [b.astype(bool)], "jaccard")[0, 0],
    "known_class": lambda a, b: np.nan if a < 0 or b < 0 else float(a == b),
    "l1": lambda a, b: 1 - cdist([a], [b], "cityblock")[0, 0] / 2,
    "overlap": lambda a, b: sum(min(p, q) for p, q in zip(a, b)),
    "same_class": lambda a, b: float(a == b),
    "symmetric_kl": lambda a, b: 1 / (1 + entropy(a + 1e-12, b + 1e-12) + entropy(b + 1e-12, a + 1e-12)),
}

cases = pytest.mark.parametrize(
    ("name", "y"), [pytest.param(name, y, id=f"{name}-{k}") for name in TARGETS for k, y in enumerate(TARGETS[name])]
)


def related(name, y_a, y_b):
    return getattr(relations, name)(y_a, y_b)


def test_the_tables_hold_every_relation():
    assert sorted(TARGETS) == sorted(NAIVE) == relations.__all__


@cases
def test_entries_are_what_the_formula_says(name, y):
    expected = [[NAIVE[name](a, b) for b in y] for a in y]
    np.testing.assert_allclose(related(name, y, y), expected, rtol=1e-9, atol=1e-7)


@cases
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, None])
def test_pytorch_gives_what_numpy_gives(name, y, dtype):
    tensor = torch.from_numpy(y)
    y_a, y_b = (tensor if dtype is None else tensor.to(dtype)).split([4, 5])
    r = related(name, y_a, y_b)
    assert isinstance(r, torch.Tensor)
    if dtype is not None and name not in ("same_class", "known_class"):
        assert r.dtype == dtype
    expected = related(name, y[:4], y[4:])
    np.testing.assert_allclose(r.numpy(), expected, rtol=0, atol=1e-9 if r.dtype == torch.float64 else 1e-3)


@cases
def test_shape_is_that_of_the_two_targets_and_inputs_stay(name, y):
    before = y.copy()
    assert related(name, y[:2], y[3:8]).shape == (2, 5)
    np.testing.assert_array_equal(related(name, y[:2], y[3:8]), related(name, y, y)[:2, 3:8])
    np.testing.assert_array_equal(y, before)


@cases
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_range_symmetry_and_self_relation(name, y, dtype):
    y, eps = y.astype(dtype), np.finfo(dtype).eps
    r = related(name, y, y)
    known = ~np.isnan(r)
    assert (r[known] >= -4 * eps).all()
    assert (r[known] <= 1 + 4 * eps).all()
    np.testing.assert_allclose(r, r.T, rtol=0, atol=8 * eps)
    diagonal = np.diag(r)[np.diag(known)]
    np.testing.assert_allclose(diagonal, 1, rtol=0, atol=SLACK.get(name, lambda eps: 8 * eps)(eps))


@pytest.mark.parametrize("name", ["hellinger", "overlap", "l1", "symmetric_kl", "cosine"])
def test_disjoint_distributions_are_as_unlike_as_can_be(name):
    assert related(name, np.eye(3)[:1], np.eye(3)[1:]) == pytest.approx(0, abs=0.02)


def test_known_class_is_unknown_where_either_class_is():
    r = relations.known_class(np.array([0, -1, 2]), np.array([-1, 2]))
    np.testing.assert_array_equal(r, [[np.nan, 0], [np.nan, np.nan], [np.nan, 1]])


def test_jaccard_of_empty_sets_is_one_and_cosine_with_an_empty_row_zero():
    empty, full = np.zeros((1, 3)), np.ones((1, 3))
    assert relations.jaccard(empty, empty) == 1
    assert relations.jaccard(empty, full) == 0
    assert relations.cosine(empty, full) == relations.cosine(empty, empty) == 0


def test_l1_of_label_sets_with_the_number_of_labels_as_span_is_hamming():
    np.testing.assert_allclose(relations.l1(SETS, SETS, span=SETS.shape[1]), relations.hamming(SETS, SETS))


def test_l1_and_overlap_of_distributions_are_the_same():
    np.testing.assert_allclose(
        relations.l1(DISTRIBUTIONS, DISTRIBUTIONS), relations.overlap(DISTRIBUTIONS, DISTRIBUTIONS)
    )
