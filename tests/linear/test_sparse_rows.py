"""Sparse rows in the learners that compare points: what dense rows give, and no dense table.

Those that sum or draw are in test_large_tables.py, NCA and MLKR in test_soft_neighbors.py.
"""

import numpy as np
import pytest
from discovery import METRICS, POINT_LEARNERS, quick, tiny_points
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import coo_matrix, csr_array, csr_matrix
from sklearn.utils import get_tags

import metricnets
from metricnets import _blocks
from metricnets._linalg import centered
from metricnets.linear import _lfda
from metricnets.linear._lmnn import whitening
from metricnets.linear._pairwise import doublets, large_margins
from metricnets.linear._pairwise.centred_rows import CentredRows
from metricnets.linear._pairwise.large_margins import LargeMargins
from metricnets.linear._pairwise.shrunk_pull import shrunk_pull
from metricnets.linear._solvers import local_discriminants, sparse_weights

LINEAR = [name for name in METRICS if name in metricnets.linear.__all__]
COMPARE = [name for name in LINEAR if getattr(metricnets, name).__dict__.get("_few_dense")]
RNG = np.random.default_rng(0)
y = RNG.integers(3, size=90)
X = RNG.normal(size=(90, 6)) + 2 * np.eye(3, 6)[y]
X = np.where(RNG.random((90, 6)) < 0.5, X, 0)
X[:, 5] += 50 + RNG.normal(size=90)  # a column without zeros, far from them; no two distances are equal
W = RNG.integers(1, 4, size=90) / 2
CASES = {
    "LFDA": [{}, {"embedding_type": "orthonormalized"}],
    "LMNN": [{"init": "random", "max_iter": 1}, {"n_components": 2, "max_iter": 1}],
    "RAML": [{}, {"solver": "svr", "max_doublets": 200}],
    "DoubletSVM_Supervised": [{}],
    "SCML_Supervised": [{"n_basis": 40}, {"basis": "triplet_diffs", "n_basis": 40}],
}
ROUNDING = {"SCML_Supervised": 1e-6, "LMNN": 1e-3}  # amplified by the line searches of a few iterations; others 1e-9

pytestmark = [
    pytest.mark.filterwarnings("ignore:LMNN did not converge in max_iter=1"),
    pytest.mark.filterwarnings("ignore:the scatter within classes has 42 degrees of freedom"),
]


def fitted(name, Z, weights=None, classes=y, **params):
    return quick(name, **params).fit(Z, classes, sample_weight=weights)


def test_these_learners_compare_points():
    assert set(COMPARE) == set(CASES)


@pytest.mark.parametrize("name", [name for name in LINEAR if name in POINT_LEARNERS])
def test_the_tag_says_what_fit_takes(name):
    learner, Z = quick(name), csr_matrix(np.abs(X))
    arguments = (Z, X) if name == "QueryAdapter" else (Z, y)
    if get_tags(learner).input_tags.sparse:
        learner.fit(*arguments)
        return
    with pytest.raises((TypeError, ValueError), match="[Ss]parse|dense"):
        learner.fit(*arguments)


@pytest.mark.parametrize("kind", [csr_matrix, csr_array, coo_matrix])
@pytest.mark.parametrize("weights", [None, W], ids=["no weights", "weights"])
@pytest.mark.parametrize(("name", "params"), [(name, params) for name, all_ in CASES.items() for params in all_])
def test_sparse_rows_give_what_dense_ones_give(name, params, weights, kind, small_blocks):
    M, expected = (fitted(name, Z, weights, **params).get_mahalanobis_matrix() for Z in (kind(X), X))
    assert_allclose(M, expected, rtol=0, atol=ROUNDING.get(name, 1e-9) * np.abs(expected).max())


@pytest.fixture
def small_blocks(monkeypatch):
    """Blocks of some rows, none of which may be all of them when it becomes dense."""
    monkeypatch.setattr(_blocks, "BLOCK", 100)
    monkeypatch.setattr(_lfda, "N_BLOCK", 200)
    monkeypatch.setattr(sparse_weights, "SPARSE_BLOCK", 240)
    monkeypatch.setattr(doublets, "BLOCK", 1000)
    for kind in (csr_matrix, csr_array):
        monkeypatch.setattr(kind, "toarray", of_some_rows(kind.toarray))


def of_some_rows(toarray):
    def checked(rows, *args, **kwargs):
        assert rows.shape != X.shape
        return toarray(rows, *args, **kwargs)

    return checked


@pytest.mark.parametrize("name", COMPARE)
def test_fewer_rows_than_features_have_the_bits_of_the_array(name):
    Z, classes = tiny_points()
    Z = np.hstack([np.where(Z > 0, Z, 0), np.eye(45, 46)]).astype(np.float32)
    found, expected = (fitted(name, each, classes=classes, **CASES[name][0]) for each in (csr_matrix(Z), Z))
    assert_array_equal(found.components_, expected.components_)
    assert found.components_.dtype == np.float32


@pytest.mark.parametrize("name", COMPARE)
def test_features_whose_square_does_not_fit_into_memory_are_counted(name, monkeypatch):
    monkeypatch.setattr(_blocks, "memory_of_machine", lambda: 2**20)
    with pytest.raises(ValueError, match=rf"X has 300 features, and {name} needs . matrices of 300 × 300"):
        fitted(name, csr_matrix(np.eye(90, 300)))


@pytest.mark.filterwarnings("ignore:.*(all weights 0|the metric is 0)")
@pytest.mark.parametrize("name", COMPARE)
def test_rows_of_zeros_have_no_metric_or_one_that_is_finite(name):
    if name in ("LFDA", "DoubletSVM_Supervised"):
        with pytest.raises(ValueError, match="different (samples|points)"):
            fitted(name, csr_matrix((90, 6)))
        return
    assert np.isfinite(fitted(name, csr_matrix((90, 6)), **CASES[name][0]).components_).all()


@pytest.mark.parametrize("weights", [None, W], ids=["no weights", "weights"])
def test_large_margins_of_sparse_rows(weights):
    order = np.argsort(y, kind="stable")
    Z, codes, w = X[order], y[order], None if weights is None else weights[order]
    Z = centered(Z)
    Z -= 0 if w is None else w @ Z / w.sum()
    _, deviations, P, _ = whitening(Z, w)
    mean, deviations_sparse, P_sparse, up_sparse = whitening(csr_array(X[order]), w)
    assert_allclose(deviations_sparse, deviations, rtol=1e-9)
    assert_allclose(P @ P.T, P_sparse @ P_sparse.T, rtol=1e-9)
    assert_allclose(up_sparse.T @ P_sparse, np.eye(6), atol=1e-9)
    rows = CentredRows(csr_array(X[order]), mean, P)
    L = np.random.default_rng(0).normal(size=(3, 6))
    assert_allclose(rows @ L.T, Z @ P @ L.T, rtol=1e-9, atol=1e-9)
    near = np.random.default_rng(1).integers(90, size=(90, 2))
    counts = None if w is None else w[:, None] * w[near]
    of_sparse, of_dense = (LargeMargins(each, near, codes, 0.3, counts, w)(L) for each in (rows, Z @ P))
    assert of_sparse[0] == pytest.approx(of_dense[0])
    assert_allclose(of_sparse[1], of_dense[1], atol=1e-9 * np.abs(of_dense[1]).max())
    times = np.ones((90, 2)) if w is None else counts
    added = [shrunk_pull(each, deviations, P, near, times, "auto") for each in (csr_array(X[order]), Z)]
    assert_allclose(*added, atol=1e-9 * np.abs(added[1]).max())


@pytest.mark.parametrize("name", ["N_BLOCK", "N_BLOCKS", "WIDTH"])
def test_a_search_in_other_blocks_finds_the_same_pairs_in_the_same_order(name, monkeypatch):
    z, starts, reach = np.random.default_rng(0).normal(size=(200, 3)), np.array([0, 60, 61, 200]), np.full(200, 0.8)
    of_all = [np.concatenate(each) for each in zip(*large_margins.search(z, starts, reach, 0 * reach))]
    monkeypatch.setattr(large_margins, "N_BLOCK", 700)
    monkeypatch.setattr(large_margins, name, {"N_BLOCK": 150, "N_BLOCKS": 3, "WIDTH": 17}[name])
    found = [np.concatenate(each) for each in zip(*large_margins.search(z, starts, reach, 0 * reach))]
    assert_array_equal(found, of_all)


def test_distinct_sparse_rows_are_counted():
    rows = np.repeat(np.where(X[:, :3] > 0, X[:, :3], 0)[:20], 3, axis=0)
    assert local_discriminants.n_distinct(csr_matrix(rows)) == len(np.unique(rows, axis=0))
