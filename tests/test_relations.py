"""Every relation: a matrix in [0, 1], symmetric, 1 on itself, the same in NumPy and PyTorch; worked examples."""

import pickle

import numpy as np
import pytest
import torch
from discovery import quick, tiny_points
from scipy.sparse import coo_array, csr_matrix
from scipy.spatial.distance import cdist
from scipy.stats import entropy
from sklearn.base import clone
from sklearn.datasets import make_blobs
from sklearn.neighbors import KNeighborsClassifier

from metricnets import EmbeddingNet, relations
from metricnets._targets import resolve
from metricnets.relations import GivenPairs, Tolerance

rng = np.random.default_rng(0)
CODES = rng.integers(4, size=9)
FULL_SETS = (rng.integers(1, 32, size=9)[:, None] >> np.arange(5)) & 1  # none of them empty
SETS = np.vstack([FULL_SETS[:7], np.zeros((2, 5), int)])
DISTRIBUTIONS = np.vstack([rng.dirichlet(np.ones(5), size=7), np.eye(5)[:2]])
REALS = np.r_[0.0, 1.0, rng.random(7)]
LEVELS = rng.integers(2, size=(9, 3))
PAIRS, LABELS = np.array([[0, 1], [5, 2], [3, 8], [4, 4], [7, 0]]), np.array([1, -1, 0.25, 1, 0])

# Those that have parameters of their own
INSTANCES = {"GivenPairs": GivenPairs(PAIRS, LABELS), "Tolerance": Tolerance(0.3)}

# The kinds of targets that a relation is for.
TARGETS = {
    "GivenPairs": [np.arange(9)],
    "Tolerance": [REALS, rng.random((9, 2))],
    "absolute": [REALS, rng.random((9, 2))],
    "cosine": [FULL_SETS, DISTRIBUTIONS],
    "hamming": [SETS],
    "hellinger": [DISTRIBUTIONS],
    "hierarchy": [LEVELS, CODES[:, None]],
    "jaccard": [SETS],
    "known_class": [CODES, CODES - 1],
    "l1": [DISTRIBUTIONS, np.eye(4)[CODES]],
    "overlap": [DISTRIBUTIONS],
    "same_class": [CODES],
    "shared_label": [FULL_SETS],
    "symmetric_kl": [DISTRIBUTIONS],
}

# How far a self-relation may be from 1 with a rounding error of eps, if more than that: a root takes it
# to √eps; the cosine has 1e-12 added to its denominator.
SLACK = {"hellinger": lambda eps: 2 * eps**0.5, "cosine": lambda eps: 1e-11 + 8 * eps}

# These compare targets, so that the result has PyTorch's own precision.
OF_COMPARISONS = ("Tolerance", "hierarchy", "known_class", "same_class", "shared_label")


def scipy_relation(name):
    """1 minus a distance of SciPy."""
    return lambda a, b: 1 - cdist([a], [b], name)[0, 0]


def leading(a, b):
    """Number of leading entries in which two rows agree."""
    return next((k for k, (u, v) in enumerate(zip(a, b)) if u != v), len(a))


def listed(a, b):
    if a == b:
        return 1.0
    found = [max(label, 0) for (i, j), label in zip(PAIRS, LABELS) if {i, j} == {a, b}]
    return found[0] if found else np.nan


# What one entry is, from a formula or from SciPy; arguments are two single targets.
NAIVE = {
    "GivenPairs": listed,
    "Tolerance": lambda a, b: float(np.max(np.abs(a - b)) <= 0.3),
    "absolute": lambda a, b: 1 - np.mean(np.abs(a - b)),
    "cosine": scipy_relation("cosine"),
    "hamming": scipy_relation("hamming"),
    "hellinger": lambda a, b: 1 - np.linalg.norm(np.sqrt(a) - np.sqrt(b)) / np.sqrt(2),
    "hierarchy": lambda a, b: leading(a, b) / len(a),
    "jaccard": lambda a, b: 1 - cdist([a.astype(bool)], [b.astype(bool)], "jaccard")[0, 0],
    "known_class": lambda a, b: np.nan if a < 0 or b < 0 else float(a == b),
    "l1": lambda a, b: 1 - cdist([a], [b], "cityblock")[0, 0] / 2,
    "overlap": lambda a, b: sum(min(p, q) for p, q in zip(a, b)),
    "same_class": lambda a, b: float(a == b),
    "shared_label": lambda a, b: float(any(u and v for u, v in zip(a, b))),
    "symmetric_kl": lambda a, b: 1 / (1 + entropy(a + 1e-12, b + 1e-12) + entropy(b + 1e-12, a + 1e-12)),
}

cases = pytest.mark.parametrize(
    ("name", "y"), [pytest.param(name, y, id=f"{name}-{k}") for name in TARGETS for k, y in enumerate(TARGETS[name])]
)


def related(name, y_a, y_b):
    return INSTANCES.get(name, getattr(relations, name))(y_a, y_b)


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
    if dtype is not None and name not in OF_COMPARISONS:
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


# ------------------------------------------------------------------------------------------------
# Hierarchies, sets with a common label, tolerances, pairs.


@pytest.mark.parametrize("kind", [str, int, float, object])
def test_a_hierarchy_takes_labels_of_any_kind(kind):
    y = np.array([[0, 10], [0, 11], [1, 10]]).astype(kind)
    relation, codes, classes = resolve(y, "hierarchy")
    assert classes is None
    np.testing.assert_array_equal(relation(codes, codes), [[1, 0.5, 0], [0.5, 1, 0], [0, 0, 1]])
    with pytest.raises(ValueError, match="relation='hierarchy' needs y with a column for each level"):
        resolve(y[:, 0], "hierarchy")


@pytest.mark.parametrize("name", ["EmbeddingNet", "HRAML", "RAML"])
@pytest.mark.parametrize("relation", ["hierarchy", "shared_label"])
def test_every_learner_of_a_relation_takes_hierarchies_and_sets(name, relation):
    X, y = tiny_points()
    Y = np.stack([y > 0, y], axis=1).astype(int) if relation == "hierarchy" else np.eye(3, dtype=int)[y]
    assert np.isfinite(quick(name, relation=relation).fit(X, Y).transform(X)).all()


def test_a_hierarchy_of_names_is_learned():
    X, y = make_blobs(120, 5, centers=6, random_state=0)
    names = np.array(
        [["animal", "dog"], ["animal", "cat"], ["animal", "cow"], ["car", "van"], ["car", "bus"], ["x", "y"]]
    )
    net = EmbeddingNet(relation="hierarchy", max_epochs=5, random_state=0).fit(X, names[y])
    assert KNeighborsClassifier().fit(net.transform(X), y).score(net.transform(X), y) > 0.9


def test_tolerance_is_a_value_in_the_unit_of_the_targets():
    relation = Tolerance(5.0)
    assert repr(relation) == "Tolerance(tolerance=5.0)"
    assert relation == pickle.loads(pickle.dumps(relation)) != Tolerance(4.0)
    assert clone(EmbeddingNet(relation=relation)).relation == relation
    X, _ = tiny_points()
    age = 10 * X[:, 0]
    assert np.isfinite(quick("EmbeddingNet", relation=relation).fit(X, age).transform(X)).all()
    with pytest.raises(ValueError, match="tolerance=-1 should be a finite number, at least 0"):
        Tolerance(-1)


MATRIX = np.full((9, 9), np.nan)
MATRIX[tuple(PAIRS.T)] = LABELS
FORMS = {
    "a list": lambda: GivenPairs(PAIRS.tolist(), LABELS.tolist()),
    "both orders": lambda: GivenPairs(np.vstack([PAIRS, PAIRS[:, ::-1]]), np.tile(LABELS, 2)),
    "an array": lambda: GivenPairs(MATRIX),
    "coordinates": lambda: GivenPairs(coo_array((LABELS, tuple(PAIRS.T)), shape=(9, 9))),
    "rows of a larger matrix": lambda: GivenPairs(csr_matrix((LABELS, tuple(PAIRS.T)), shape=(20, 20))),
    "unknown ones": lambda: GivenPairs([*PAIRS.tolist(), [6, 7]], [*LABELS, np.nan]),
    "a pickle": lambda: pickle.loads(pickle.dumps(INSTANCES["GivenPairs"])),
}


@pytest.mark.parametrize("form", FORMS)
def test_pairs_are_given_in_several_forms(form):
    y = np.arange(12)  # more samples than the pairs name
    expected = [[listed(a, b) for b in y] for a in y]
    np.testing.assert_array_equal(FORMS[form]()(y, y), expected)


def test_other_pairs_may_be_dissimilar():
    relation = GivenPairs([[0, 1]], others=0)
    np.testing.assert_array_equal(relation(np.arange(3), np.arange(3)), [[1, 1, 0], [1, 1, 0], [0, 0, 1]])
    assert repr(relation) == "GivenPairs(<1 pairs>, others=0)"
    np.testing.assert_array_equal(GivenPairs(np.empty((0, 2), int))(np.array([0]), np.array([1])), [[np.nan]])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([[0, 1, 2]],), r"pairs should have shape \(n_pairs, 2\) or \(n, n\); got \(1, 3\)"),
        ((csr_matrix((2, 3)),), r"got a sparse matrix of shape \(2, 3\)"),
        (([[0, -1]],), "integers from 0"),
        (([[0, 0.5]],), "integers from 0"),
        (([[0, 1]], [1, 1]), r"labels should have a value for each of 1 pairs; got \(2,\)"),
        (([[0, 1]], [2]), r"labels should hold relations in \[0, 1\], or -1; got 2"),
        (([[0, 1]], None, 3), "others should hold relations in"),
        (([[0, 1], [1, 0]], [1, 0]), "twice, with different relations"),
    ],
)
def test_pairs_that_cannot_be_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        GivenPairs(*arguments)


def test_batches_hold_every_given_pair_once_wherever_its_samples_are():
    y = np.random.default_rng(0).permutation(9)[:8]
    relation = INSTANCES["GivenPairs"]
    batches = relation.batches(y, 4, np.random.default_rng(0))
    present = {tuple(sorted(pair)) for pair in PAIRS if set(pair) <= set(y)}
    assert len(batches) == round(2 * len(present) / 4)
    for _ in range(2):
        drawn = [set(y[rows]) for rows in batches]
        assert len(drawn) == len(batches)
        assert all(any({i, j} <= rows for rows in drawn) for i, j in present)


def test_a_network_learns_from_few_given_pairs_of_many_samples():
    X, y = make_blobs(600, 6, centers=3, random_state=0)
    X = np.hstack([X / 8, np.random.default_rng(0).normal(size=(600, 6)) * 2])
    members = np.random.default_rng(1).integers(600, size=(400, 2))
    relation = GivenPairs(members, np.where(y[members[:, 0]] == y[members[:, 1]], 1, -1))
    settings = {"loss": "contrastive", "relation": relation, "sampler": relation.batches, "random_state": 0}
    z = EmbeddingNet(max_epochs=10, **settings).fit(X, np.arange(600)).transform(X)

    def accuracy(X):
        return KNeighborsClassifier().fit(X[:300], y[:300]).score(X[300:], y[300:])

    assert accuracy(z) > accuracy(X) + 0.05
