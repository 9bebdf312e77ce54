"""NCA: objective and gradient against loops, the search for pairs against all of them, hostile data."""

import warnings

import numpy as np
import pytest
from discovery import tiny_points
from scipy.optimize import approx_fprime, minimize
from sklearn.exceptions import ConvergenceWarning

from metricnets.linear import _near_pairs
from metricnets.linear._nca import NCA, class_loss
from metricnets.linear._near_pairs import NearPairs
from metricnets.linear._soft_neighbors import dense_loss, soft_loss

X, y = tiny_points()
LOSS, SIGN, REGRESSION = class_loss, -1, False
INITS = ["auto", "pca", "lda", "identity", "random"]


def naive(L, X, y):
    """The objective, pair by pair."""
    Z, total = X @ L.T, 0.0
    for i in range(len(X)):
        others = np.delete(np.arange(len(X)), i)
        d = np.sum((Z[i] - Z[others]) ** 2, axis=1)
        p = np.exp(d.min() - d)
        p /= p.sum()
        total += p @ (y[others] == y[i])
    return total


def quiet_fit(X, y, **params):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", message="The number of unique classes")  # scikit-learn's, of few rows
        return NCA(**params).fit(X, y)


def loss_and_gradient(L, X, y):
    near = NearPairs(len(X))
    return soft_loss(LOSS(y), L, X, near), near


@pytest.mark.parametrize("scale", [0.03, 1, 100])
@pytest.mark.parametrize("k", [1, 2, 4])
def test_loss_is_the_naive_one_and_so_is_its_gradient(scale, k):
    rng = np.random.default_rng(k)
    L = scale * rng.normal(size=(k, 4))
    (loss, gradient), near = loss_and_gradient(L, X, y)
    assert loss == pytest.approx(SIGN * naive(L, X, y), rel=1e-9, abs=1e-9)
    assert (near.searched is not None) == (scale == 100)
    step = 1e-6
    numeric = approx_fprime(L.ravel(), lambda flat: SIGN * naive(flat.reshape(k, 4), X, y), step)
    central = (numeric + approx_fprime(L.ravel(), lambda flat: SIGN * naive(flat.reshape(k, 4), X, y), -step)) / 2
    np.testing.assert_allclose(gradient.ravel(), central, rtol=1e-3, atol=1e-4 * (np.abs(central).max() + 1e-4))


def test_remembered_pairs_give_what_a_new_search_gives():
    rng = np.random.default_rng(0)
    many, targets = rng.normal(size=(300, 12)), rng.integers(3, size=300)
    L, near, n_searches = 4 * np.eye(12), NearPairs(300), 0
    for _ in range(30):
        before = near.searched
        found = soft_loss(LOSS(targets), L, many, near)
        n_searches += near.searched is not before
        expected = dense_loss(LOSS(targets), L, many, many @ L.T)
        assert found[0] == pytest.approx(expected[0], rel=1e-9)
        np.testing.assert_allclose(found[1], expected[1], rtol=1e-6, atol=1e-7 * np.abs(expected[1]).max())
        L = L + 0.002 * rng.normal(size=L.shape)
    assert 1 <= n_searches < 15


def test_tiles_of_any_size_give_the_same(monkeypatch):
    L = np.random.default_rng(0).normal(size=(3, 4))
    whole = dense_loss(LOSS(y), L, X, X @ L.T)
    monkeypatch.setattr(_near_pairs, "TILE", 7 * len(X))
    parts = dense_loss(LOSS(y), L, X, X @ L.T)
    assert parts[0] == pytest.approx(whole[0], rel=1e-12)
    np.testing.assert_allclose(parts[1], whole[1], rtol=1e-10, atol=1e-12)


def test_optimum_is_as_good_as_a_general_solver_finds():
    few, targets = X[:20, :2], y[:20]
    init = np.eye(2) / 2
    fitted = quiet_fit(few, targets, init=init)
    general = minimize(lambda flat: SIGN * naive(flat.reshape(2, 2), few, targets), init.ravel(), method="BFGS")
    assert SIGN * naive(fitted.components_, few, targets) <= general.fun + 1e-3 * abs(general.fun) + 1e-3


def test_gradient_vanishes_where_it_stops():
    fitted = quiet_fit(X, y + 0.1 * X[:, 0] if REGRESSION else y, tol=1e-13, max_iter=2000)
    targets = (y + 0.1 * X[:, 0]) if REGRESSION else y
    (loss, gradient), _ = loss_and_gradient(fitted.components_, X, targets)
    assert np.abs(gradient).max() < 2e-3 * max(abs(loss), 1)


def test_it_never_ends_above_its_start():
    init = np.random.default_rng(1).normal(size=(2, 4))
    for max_iter in (1, 2, 5):
        L = quiet_fit(X, y, init=init, max_iter=max_iter).components_
        assert SIGN * naive(L, X, y) <= SIGN * naive(init, X, y) + 1e-9


def test_origin_and_order_do_not_matter():
    L = quiet_fit(X, y, max_iter=3).get_mahalanobis_matrix()
    np.testing.assert_allclose(quiet_fit(X + 100, y, max_iter=3).get_mahalanobis_matrix(), L, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(
        quiet_fit(X[::-1], y[::-1], max_iter=3).get_mahalanobis_matrix(), L, rtol=1e-5, atol=1e-7
    )


@pytest.mark.parametrize("scale", [1e-8, 1e-3, 1e3, 1e8])
def test_a_start_by_name_is_never_flat(scale):
    """The unit of the features hardly matters, though the start that was named has no gradient."""
    fitted = quiet_fit(scale * X, y)
    assert fitted.n_iter_ > 3
    assert SIGN * naive(fitted.components_, scale * X, y) < SIGN * naive(np.eye(4), scale * X, y)


def test_an_array_is_the_start_as_it_is():
    flat = np.full((2, 4), 1e-9)
    np.testing.assert_allclose(quiet_fit(X, y, init=flat).components_, flat)


@pytest.mark.parametrize("init", INITS)
@pytest.mark.parametrize("n_components", [1, 2, None])
def test_components_have_their_shape(init, n_components):
    if init == "lda" and n_components is None:
        return
    assert quiet_fit(X, y, init=init, n_components=n_components, random_state=0).components_.shape == (
        n_components or 4,
        4,
    )


def test_same_seed_same_bits_and_inputs_unchanged():
    given, targets, init = X.copy(), y.copy(), np.eye(2, 4)
    first = quiet_fit(given, targets, init="random", random_state=3).components_
    np.testing.assert_array_equal(quiet_fit(X, y, init="random", random_state=3).components_, first)
    quiet_fit(given, targets, init=init)
    np.testing.assert_array_equal(given, X)
    np.testing.assert_array_equal(targets, y)
    np.testing.assert_array_equal(init, np.eye(2, 4))


def test_too_few_iterations_are_said():
    with pytest.warns(ConvergenceWarning, match="max_iter=1 "):
        assert NCA(max_iter=1).fit(X, y).n_iter_ == 1


@pytest.mark.parametrize("bad", [{"init": "nowhere"}, {"max_iter": 0}, {"tol": -1.0}, {"init": np.eye(3)}], ids=str)
def test_bad_parameters_are_refused(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        NCA(**bad).fit(X, y)


def hostile(rng):
    """Rows, features and targets as bad as they come."""
    n, d = rng.integers(2, 25), rng.integers(1, 6)
    X = rng.normal(size=(n, d))
    if rng.random() < 0.3:
        X = X[rng.integers(n, size=n)]
    if rng.random() < 0.2:
        X[:, rng.integers(d)] = 0.1
    if rng.random() < 0.2:
        X[:, 0] = X[:, -1]
    if rng.random() < 0.1:
        X[:] = X[0]
    if rng.random() < 0.2:
        X = np.round(X)
    X = X * 10.0 ** rng.choice([-8, -3, 0, 3, 8], size=d if rng.random() < 0.4 else 1)
    if rng.random() < 0.2:
        X = X + 1e8
    n_classes = rng.integers(1, n + 1)
    y = rng.integers(n_classes, size=n)
    return X, y, int(rng.integers(1, d + 1)) if rng.random() < 0.5 else None


@pytest.mark.parametrize("seed", range(50))
def test_hostile_data_never_give_nan(seed):
    rng = np.random.default_rng(seed)
    X, y, k = hostile(rng)
    init = rng.choice(["auto", "identity", "random"])
    L = quiet_fit(X, y, n_components=k, init=init, random_state=0, max_iter=20).components_
    assert np.isfinite(L).all()
    assert L.shape == (k or X.shape[1], X.shape[1])


def test_columns_that_do_not_vary_have_no_part():
    wide = np.hstack([X, np.full((45, 1), 0.1)])
    L = quiet_fit(wide, y, init="identity").components_
    np.testing.assert_allclose(L[:4, 4], 0, atol=1e-12)
    np.testing.assert_allclose(L[4, :4], 0, atol=1e-12)


@pytest.mark.parametrize(
    "labels", [np.array(["a", "b", "c"])[y], y - 5, y.astype(float)], ids=["str", "negative", "float"]
)
def test_names_of_classes_do_not_matter(labels):
    np.testing.assert_array_equal(quiet_fit(X, labels).components_, quiet_fit(X, y).components_)


@pytest.mark.parametrize("classes", [np.zeros(45, int), np.arange(45)], ids=["one class", "a class each"])
def test_where_nothing_can_be_learned_it_stays(classes):
    np.testing.assert_allclose(quiet_fit(X, classes, init=np.eye(4)).components_, np.eye(4))


def test_real_targets_are_refused():
    with pytest.raises(ValueError, match="label type"):
        NCA().fit(X, X[:, 0])


def test_noise_is_ignored_and_what_tells_classes_apart_is_kept():
    rng = np.random.default_rng(0)
    classes = np.arange(120) % 2
    noisy = np.hstack([3 * rng.normal(size=(120, 3)), classes[:, None] + 0.1 * rng.normal(size=(120, 1))])
    M = quiet_fit(noisy, classes).get_mahalanobis_matrix()
    assert M[3, 3] > 10 * M[:3, :3].max()
