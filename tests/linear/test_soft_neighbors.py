"""NCA and MLKR: objective and gradient against loops, a search for pairs and blocks against all pairs."""

import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from discovery import tiny_points
from scipy.optimize import approx_fprime, minimize
from scipy.sparse import coo_matrix, csr_array
from sklearn.exceptions import ConvergenceWarning

from metricnets import MLKR, NCA
from metricnets.linear._mlkr import RegressionLoss
from metricnets.linear._nca import ClassLoss
from metricnets.linear._pairwise import all_pairs
from metricnets.linear._pairwise.all_pairs import AllPairs
from metricnets.linear._pairwise.near_pairs import NearPairs
from metricnets.linear._pairwise.soft_neighbors import dense_loss, soft_loss

X, y = tiny_points()
X, y = X[np.argsort(y, kind="stable")], np.sort(y)  # as NCA sorts them
BOTH = [
    SimpleNamespace(
        learner=NCA,
        loss=ClassLoss,
        of_row=lambda p, others, own: -(p @ (others == own)),
        unit=lambda n: 1,
        targets=y,
        inits=["auto", "pca", "lda", "identity", "random"],
    ),
    SimpleNamespace(
        learner=MLKR,
        loss=lambda y: RegressionLoss(y.astype(float)),
        of_row=lambda p, others, own: (own - p @ others) ** 2,
        unit=lambda n: 1 / n,
        targets=y + 0.1 * X[:, 0],
        inits=["auto", "pca", "identity", "random"],
    ),
]
both = pytest.mark.parametrize("case", BOTH, ids=lambda case: case.learner.__name__)


def naive(case, L, X, y):
    """The objective, pair by pair."""
    Z, total = X @ L.T, 0.0
    for i in range(len(X)):
        others = np.delete(np.arange(len(X)), i)
        d = np.sum((Z[i] - Z[others]) ** 2, axis=1)
        p = np.exp(d.min() - d)
        total += case.of_row(p / p.sum(), y[others], y[i])
    return total * case.unit(len(X))


def fit(case, X, y, **params):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        return case.learner(**params).fit(X, y)


def loss_and_gradient(case, L, X, y):
    near = NearPairs(len(X))
    return soft_loss(case.loss(y), L, X, near, AllPairs(len(X))), near


def numeric_gradient(case, L, X, y):
    def value(flat):
        return naive(case, flat.reshape(L.shape), X, y)

    return (approx_fprime(L.ravel(), value, 1e-6) + approx_fprime(L.ravel(), value, -1e-6)).reshape(L.shape) / 2


@both
@pytest.mark.parametrize("scale", [0.03, 1, 100])
@pytest.mark.parametrize("k", [1, 2, 4])
def test_loss_is_the_naive_one_and_so_is_its_gradient(case, scale, k):
    L = scale * np.random.default_rng(k).normal(size=(k, 4))
    (loss, gradient), near = loss_and_gradient(case, L, X, y)
    assert loss == pytest.approx(naive(case, L, X, y), rel=1e-9, abs=1e-9)
    assert (near.searched is not None) == (scale == 100)
    expected = numeric_gradient(case, L, X, y)
    np.testing.assert_allclose(gradient, expected, rtol=1e-3, atol=1e-4 * (np.abs(expected).max() + 1e-4))


@both
@pytest.mark.parametrize("kept", [0, 1, 1000])
@pytest.mark.parametrize("scale", [0.03, 1, 8, 1000])
def test_blocks_give_what_loops_give(case, scale, kept, monkeypatch):
    """Whether or not some rows are apart from all others, and all blocks are kept."""
    monkeypatch.setattr(all_pairs, "SIDE", 7)
    monkeypatch.setattr(all_pairs, "KEPT", kept)
    L = scale * np.random.default_rng(0).normal(size=(3, 4))
    every = AllPairs(len(X))
    for _ in range(2):  # in memory that has been used
        loss, gradient = dense_loss(case.loss(y), L, X, X @ L.T, every)
    assert loss == pytest.approx(naive(case, L, X, y), rel=1e-9, abs=1e-9)
    expected = numeric_gradient(case, L, X, y)
    np.testing.assert_allclose(gradient, expected, rtol=1e-3, atol=1e-4 * (np.abs(expected).max() + 1e-4))
    assert (len(every.lonely) > 0) == (scale == 1000)


@both
def test_a_row_far_from_all_others_has_neighbours_too(case):
    far = np.vstack([X, np.full((1, 4), 40.0)])
    targets = np.append(y, y[-1])
    every = AllPairs(len(far))
    loss, gradient = dense_loss(case.loss(targets), np.eye(4), far, far, every)
    np.testing.assert_array_equal(every.lonely, [len(X)])
    assert loss == pytest.approx(naive(case, np.eye(4), far, targets), rel=1e-9)
    np.testing.assert_allclose(gradient, numeric_gradient(case, np.eye(4), far, targets), rtol=1e-3, atol=1e-3)


@both
@pytest.mark.parametrize("k", [1, 4])
def test_rows_apart_are_as_good_one_by_one_as_together(case, k, monkeypatch):
    """In blocks of rows of 7 * 7 numbers, and with products with Z as well as with X."""
    far = np.vstack([X, np.outer([40, -40, 80, 80.5], [1, 0.3, -0.2, 0.1])])
    targets, L = np.append(y, [y[-1]] * 4), np.eye(k, 4) + 0.1
    found = []
    for side in (384, 7):
        monkeypatch.setattr(all_pairs, "SIDE", side)
        every = AllPairs(len(far))
        found.append(dense_loss(case.loss(targets), L, far, far @ L.T, every))
        np.testing.assert_array_equal(every.lonely, [len(X), len(X) + 1])
    (loss, gradient), (other_loss, other_gradient) = found
    assert loss == pytest.approx(naive(case, L, far, targets), rel=1e-9)
    assert other_loss == pytest.approx(loss, rel=1e-12)
    np.testing.assert_allclose(other_gradient, gradient, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(gradient, numeric_gradient(case, L, far, targets), rtol=1e-3, atol=1e-3)


@both
def test_pairs_are_found_soon_after_they_have_become_few(case):
    """Though the search pauses as long as there are far too many."""
    rng = np.random.default_rng(0)
    many, targets = rng.normal(size=(300, 12)), np.sort(rng.integers(3, size=300))
    near, every, calls = NearPairs(300), AllPairs(300), []
    for scale in np.geomspace(0.5, 16, 30):
        L = scale * np.eye(12)
        found = soft_loss(case.loss(targets), L, many, near, every)
        expected = dense_loss(case.loss(targets), L, many, many @ L.T, every)
        assert found[0] == pytest.approx(expected[0], rel=1e-9)
        calls.append((near.searched is not None, NearPairs(300)(many @ L.T) is not None))
    found, at_once = np.argmax(calls, axis=0)
    assert 0 < found <= at_once + 2


@both
def test_remembered_pairs_give_what_a_new_search_gives(case):
    rng = np.random.default_rng(0)
    many, targets = rng.normal(size=(300, 12)), np.sort(rng.integers(3, size=300))
    L, near, every, n_searches = 8 * np.eye(12), NearPairs(300), AllPairs(300), 0
    for _ in range(30):
        before = near.searched
        found = soft_loss(case.loss(targets), L, many, near, every)
        n_searches += near.searched is not before
        expected = dense_loss(case.loss(targets), L, many, many @ L.T, every)
        assert found[0] == pytest.approx(expected[0], rel=1e-9)
        np.testing.assert_allclose(found[1], expected[1], rtol=1e-6, atol=1e-7 * np.abs(expected[1]).max())
        L = L + 0.004 * rng.normal(size=L.shape)
    assert 1 <= n_searches < 15


@both
def test_optimum_is_as_good_as_a_general_solver_finds(case):
    few, targets, init = X[::2, :2], y[::2], np.eye(2) / 2
    found = naive(case, fit(case, few, targets, init=init).components_, few, targets)
    general = minimize(lambda flat: naive(case, flat.reshape(2, 2), few, targets), init.ravel(), method="BFGS")
    assert found <= general.fun + 1e-3 * abs(general.fun) + 1e-3 * case.unit(len(few))


@both
def test_gradient_vanishes_where_it_stops(case):
    fitted = fit(case, X, case.targets, tol=1e-13, max_iter=2000)
    (loss, gradient), _ = loss_and_gradient(case, fitted.components_, X, case.targets)
    assert np.abs(gradient).max() < 2e-3 * max(abs(loss), case.unit(len(X)))


@both
def test_it_never_ends_above_its_start(case):
    init = np.random.default_rng(1).normal(size=(2, 4))
    for max_iter in (1, 2, 5):
        L = fit(case, X, y, init=init, max_iter=max_iter).components_
        assert naive(case, L, X, y) <= naive(case, init, X, y) + 1e-9


@both
def test_origin_and_order_do_not_matter(case):
    M = fit(case, X, y, max_iter=3).get_mahalanobis_matrix()
    for points, targets in [(X + 100, y), (X[::-1], y[::-1])]:
        moved = fit(case, points, targets, max_iter=3).get_mahalanobis_matrix()
        np.testing.assert_allclose(moved, M, rtol=1e-5, atol=1e-7)


@both
@pytest.mark.parametrize("scale", [1e-8, 1e-3, 1e3, 1e8])
def test_a_start_by_name_is_never_flat(case, scale):
    """The unit of the features hardly matters, though the start that was named has no gradient."""
    fitted = fit(case, scale * X, y)
    assert fitted.n_iter_ > 3
    assert naive(case, fitted.components_, scale * X, y) < naive(case, np.eye(4), scale * X, y)


@both
def test_an_array_is_the_start_as_it_is(case):
    flat = np.full((2, 4), 1e-9)
    np.testing.assert_allclose(fit(case, X, y, init=flat).components_, flat)


@pytest.mark.parametrize("n_components", [1, 2, None])
@pytest.mark.parametrize(
    ("case", "init"),
    [(case, init) for case in BOTH for init in case.inits],
    ids=lambda value: value if isinstance(value, str) else value.learner.__name__,
)
def test_components_have_their_shape(case, init, n_components):
    if init == "lda" and n_components is None:
        n_components = 2
    fitted = fit(case, X, y, init=init, n_components=n_components, random_state=0)
    assert fitted.components_.shape == (n_components or 4, 4)


@both
def test_same_seed_same_bits_and_inputs_unchanged(case):
    given, targets, init = X.copy(), y.copy(), np.eye(2, 4)
    first = fit(case, given, targets, init="random", random_state=3).components_
    np.testing.assert_array_equal(fit(case, X, y, init="random", random_state=3).components_, first)
    fit(case, given, targets, init=init)
    np.testing.assert_array_equal(given, X)
    np.testing.assert_array_equal(targets, y)
    np.testing.assert_array_equal(init, np.eye(2, 4))


@both
@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("as_sparse", [csr_array, coo_matrix], ids=lambda kind: kind.__name__)
def test_sparse_points_give_what_dense_ones_give(case, as_sparse, k):
    holes = np.where(np.abs(X) < 0.7, 0, X)
    fitted = fit(case, as_sparse(holes), y, n_components=k, init="pca", max_iter=5)
    expected = fit(case, holes, y, n_components=k, init="pca", max_iter=5)
    found, M = fitted.get_mahalanobis_matrix(), expected.get_mahalanobis_matrix()
    np.testing.assert_allclose(found, M, rtol=1e-5, atol=1e-7 * M.max())
    np.testing.assert_allclose(np.abs(fitted.transform(as_sparse(holes))), np.abs(expected.transform(holes)), rtol=1e-4)


@both
def test_sparse_points_stay_as_they_were_given(case):
    """Neither sorted, nor without duplicates, nor writable."""
    holes = csr_array(np.where(np.abs(X) < 0.7, 0, X))
    data, indices = np.repeat(holes.data[::-1] / 2, 2), np.repeat(holes.indices[::-1], 2)
    indptr = 2 * (holes.nnz - holes.indptr[::-1])
    given = csr_array((data.copy(), indices.copy(), indptr.copy()), shape=holes.shape)
    for part in (given.data, given.indices, given.indptr):
        part.flags.writeable = False
    M = fit(case, given, y[::-1], max_iter=5).get_mahalanobis_matrix()
    np.testing.assert_array_equal(given.data, data)
    np.testing.assert_array_equal(given.indices, indices)
    expected = fit(case, holes.toarray(), y, max_iter=5).get_mahalanobis_matrix()
    np.testing.assert_allclose(M, expected, rtol=1e-5, atol=1e-7 * expected.max())


@both
def test_a_sparse_column_that_does_not_vary_has_no_part(case):
    init = np.random.default_rng(0).normal(size=(2, 5))
    wide = np.hstack([X, np.full((45, 1), 1e10)])
    sparse = fit(case, csr_array(wide), y, init=init, max_iter=5).components_
    np.testing.assert_allclose(sparse, fit(case, wide, y, init=init, max_iter=5).components_, rtol=1e-6)
    np.testing.assert_array_equal(sparse[:, 4], init[:, 4])


@both
@pytest.mark.parametrize("scale", [1e9, 5e9, 1e12, 1e70])
def test_a_start_sharp_beyond_measure_gives_no_nan(case, scale):
    same = np.repeat(np.random.default_rng(0).normal(size=(4, 3)), 15, axis=0)
    L = fit(case, same, np.arange(60) // 20, init=scale * np.eye(3)).components_
    assert np.isfinite(L).all()


def test_a_start_beyond_numbers_is_refused():
    with pytest.raises(ValueError, match="init reaches 1e"):
        NCA(init=1e80 * np.eye(4)).fit(X, y)


@pytest.mark.parametrize("n_rows", [45, 9], ids=["many", "few"])
@pytest.mark.parametrize("weights", [None, np.arange(1, 46) % 3 / 2], ids=["no weights", "weights"])
def test_sparse_points_start_from_the_discriminants_of_dense_ones(n_rows, weights):
    rows = np.argsort(y, kind="stable").reshape(3, 15)[:, : n_rows // 3].ravel()
    holes, weights = np.where(np.abs(X) < 0.7, 0, X)[rows], None if weights is None else weights[rows]
    found, expected = (
        NCA(init="lda", n_components=2, tol=1e9).fit(each, y[rows], sample_weight=weights).get_mahalanobis_matrix()
        for each in (csr_array(holes), holes)
    )  # signs of components are those of eigenvectors
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-10)


@both
def test_sparse_points_that_are_all_the_same_leave_the_start(case):
    same = csr_array(np.tile([0.1, 0.0, 1e8], (len(y), 1)))
    np.testing.assert_array_equal(fit(case, same, y, n_components=2).components_, np.eye(2, 3))


@both
def test_too_few_iterations_are_said(case):
    with pytest.warns(ConvergenceWarning, match="max_iter=1 "):
        assert case.learner(max_iter=1).fit(X, y).n_iter_ == 1


@both
@pytest.mark.parametrize("bad", [{"init": "nowhere"}, {"max_iter": 0}, {"tol": -1.0}, {"init": np.eye(3)}], ids=str)
def test_bad_parameters_are_refused(case, bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        case.learner(**bad).fit(X, y)


@both
def test_columns_that_do_not_vary_have_no_part(case):
    wide = np.hstack([X, np.full((45, 1), 0.1)])
    L = fit(case, wide, y, init="identity").components_
    np.testing.assert_allclose(L[:4, 4], 0, atol=1e-12)
    np.testing.assert_allclose(L[4, :4], 0, atol=1e-12)
