"""ITML: the optimum against a general solver and the paper's projections, its bounds, and hostile pairs."""

import warnings

import numpy as np
import pytest
from discovery import tiny_pairs, tiny_points
from scipy.optimize import minimize, minimize_scalar
from scipy.spatial.distance import cdist
from sklearn.datasets import load_iris, load_wine, make_spd_matrix
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler

from metricnets.linear._itml import ITML, ITML_Supervised
from metricnets.linear._solvers.bounds import SlackLoss, default_bounds

BOUNDS = np.array([2.0, 9.0])
PAIRS, Y = tiny_pairs()
DIFFERENT = (PAIRS[:, 0] != PAIRS[:, 1]).any(axis=1)
PAIRS, Y = PAIRS[DIFFERENT][:25], Y[DIFFERENT][:25]


def h(t):
    return t - np.log(t) - 1


def objective(M, pairs, y, bounds=BOUNDS, gamma=1.0, prior=None):
    """The objective with the best slack, pair by pair."""
    d = len(M)
    prior = np.eye(d) if prior is None else prior
    ratio = M @ np.linalg.inv(prior)
    total = np.trace(ratio) - np.linalg.slogdet(ratio)[1] - d
    for (a, b), kind in zip(pairs, y):
        distance = (a - b) @ M @ (a - b)
        total += gamma * (h(max(distance / bounds[0], 1)) if kind > 0 else h(min(distance / bounds[1], 1)))
    return total


def lower(entries, d):
    L = np.zeros((d, d))
    L[np.tril_indices(d)] = entries
    return L


def by_general_solver(pairs, y, **params):
    d = pairs.shape[2]

    def value(entries):
        L = lower(entries, d)
        return objective(L @ L.T, pairs, y, **params)

    L = lower(minimize(value, np.eye(d)[np.tril_indices(d)], tol=1e-12).x, d)
    return L @ L.T


def by_projections(pairs, y, bounds, gamma, n_sweeps):
    """Cyclic Bregman projections, pair by pair, as the paper has them but for its slip in gamma."""
    M, xi, multipliers = np.eye(pairs.shape[2]), np.where(y > 0, *bounds), np.zeros(len(y))
    for _ in range(n_sweeps):
        for c, ((a, b), kind) in enumerate(zip(pairs, y)):
            v = a - b
            p = v @ M @ v
            alpha = min(multipliers[c], kind * gamma / (gamma + 1) * (1 / p - 1 / xi[c]))
            multipliers[c] -= alpha
            xi[c] = gamma * xi[c] / (gamma + kind * alpha * xi[c])
            M = M + kind * alpha / (1 - kind * alpha * p) * np.outer(M @ v, M @ v)
    return M


def metric(pairs, y, bounds=BOUNDS, **params):
    return ITML(**params).fit(pairs, y, bounds=bounds).get_mahalanobis_matrix()


@pytest.mark.parametrize("gamma", [0.1, 1.0, 30.0])
def test_no_metric_is_better(gamma):
    pairs, y = PAIRS[:, :, :3], Y
    M, other = metric(pairs, y, gamma=gamma), by_general_solver(pairs, y, gamma=gamma)
    assert objective(M, pairs, y, gamma=gamma) <= objective(other, pairs, y, gamma=gamma) + 1e-6
    np.testing.assert_allclose(M, other, rtol=0.02, atol=2e-3)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 5.0])
def test_cyclic_projections_lead_there(gamma):
    expected = by_projections(PAIRS, Y, BOUNDS, gamma, n_sweeps=200)
    np.testing.assert_allclose(metric(PAIRS, Y, gamma=gamma, tol=1e-7), expected, rtol=1e-4, atol=1e-6)


def test_prior_takes_the_place_of_the_identity():
    prior = make_spd_matrix(4, random_state=0)
    L = np.linalg.cholesky(prior)
    expected = L @ metric(PAIRS @ L, Y, tol=1e-6) @ L.T
    np.testing.assert_allclose(metric(PAIRS, Y, prior=prior, tol=1e-6), expected, rtol=1e-5, atol=1e-7)
    other = by_general_solver(PAIRS, Y, prior=prior)
    assert objective(expected, PAIRS, Y, prior=prior) <= objective(other, PAIRS, Y, prior=prior) + 1e-6


@pytest.mark.parametrize("kind", [1, -1])
@pytest.mark.parametrize("ratio", [0.3, 5.0])
def test_loss_is_that_of_the_best_slack(kind, ratio):
    end = (ratio, 60.0) if kind > 0 else (1e-9, ratio)
    best = minimize_scalar(h, bounds=end, method="bounded", options={"xatol": 1e-12}).fun
    value, _, _ = SlackLoss(np.array([kind > 0]), 3.0)(np.array([ratio]))
    assert value == pytest.approx(3 * best, abs=1e-6)


def test_force_and_curvature_are_derivatives():
    rng = np.random.default_rng(0)
    p, change = rng.uniform(0.2, 3, 20), rng.normal(size=20)
    loss = SlackLoss(rng.random(20) < 0.5, 0.7)
    eps = 1e-6
    values, forces = zip(*(loss(p * (1 + sign * eps * change))[:2] for sign in (1, -1)))
    _, force, curvature = loss(p)
    assert (values[0] - values[1]) / (2 * eps) == pytest.approx(force @ change, rel=1e-6)
    rows = np.flatnonzero(force)
    slopes = [f / (p * (1 + sign * eps * change)) for f, sign in zip(forces, (1, -1))]
    expected = p * (slopes[0] - slopes[1]) / (2 * eps)
    np.testing.assert_allclose(expected[rows], loss.bend(curvature, change[rows], rows), rtol=1e-5)


def test_one_feature_has_a_closed_form():
    pairs = np.array([[[0.0], [5.0]], [[0.0], [1.0]]])
    # 1/m = 1 + gamma (v²/u − 1/m): only the similar pair breaks its bound.
    M = metric(pairs, [1, -1], bounds=[4.0, 1e-6], gamma=2.0, tol=1e-9)
    assert M[0, 0] == pytest.approx(3 / (1 + 2 * 25 / 4))


def test_bounds_hold_as_the_slack_goes():
    pairs = np.array([[[0.0, 0.0], [10.0, 0.0]], [[0.0, 0.0], [0.0, 1.0]]])
    np.testing.assert_allclose(metric(pairs, [1, -1], bounds=[2, 3], gamma=1e6), np.diag([0.02, 3]), rtol=1e-4)


def test_what_holds_already_changes_nothing():
    np.testing.assert_allclose(metric(PAIRS, Y, bounds=[1e6, 1e-6]), np.eye(4), atol=1e-9)


@pytest.mark.parametrize("n_pairs", [2, 3, 6])
def test_fewer_pairs_than_features(n_pairs):
    pairs = np.random.default_rng(0).normal(size=(n_pairs, 2, 5))
    y = np.where(np.arange(n_pairs) % 2, 1, -1)
    M = metric(pairs, y)
    assert objective(M, pairs, y) <= objective(by_general_solver(pairs, y), pairs, y) + 1e-6
    unseen = np.linalg.svd(pairs[:, 0] - pairs[:, 1])[2][n_pairs:]
    np.testing.assert_allclose(unseen @ M, unseen, atol=1e-9)


def test_pairs_have_no_order():
    order = np.random.default_rng(0).permutation(len(Y))
    np.testing.assert_allclose(metric(PAIRS[order][:, ::-1], Y[order]), metric(PAIRS, Y), rtol=1e-6, atol=1e-9)


def test_rotated_points_give_the_rotated_metric():
    Q = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0]
    rotated = Q.T @ metric(PAIRS @ Q.T, Y, tol=1e-8) @ Q
    np.testing.assert_allclose(rotated, metric(PAIRS, Y, tol=1e-8), rtol=1e-6, atol=1e-8)


def test_tol_bounds_the_relative_error():
    exact = metric(PAIRS, Y, tol=1e-9)
    root = np.linalg.cholesky(exact)
    for tol in (0.3, 1e-1, 1e-2, 1e-4):
        error = np.linalg.solve(root, np.linalg.solve(root, metric(PAIRS, Y, tol=tol) - exact).T)
        assert np.linalg.norm(error) <= 1.5 * tol


def test_unfinished_work_is_reported():
    with pytest.warns(ConvergenceWarning, match=r"ITML did not converge in max_iter=1 iterations; raise"):
        itml = ITML(max_iter=1, gamma=50.0).fit(PAIRS, Y, bounds=BOUNDS)
    assert itml.n_iter_ == 1
    assert 1 < ITML().fit(PAIRS, Y, bounds=BOUNDS).n_iter_ < 30


def test_default_bounds_are_percentiles_of_all_distances():
    X, _ = tiny_points()
    D = np.sort(cdist(X, X).ravel())
    np.testing.assert_allclose(default_bounds(X), np.percentile(D, [5, 95]))
    np.testing.assert_allclose(default_bounds(X + 1e5), np.percentile(D, [5, 95]), rtol=1e-6)


def test_default_bounds_of_few_points_are_not_zero():
    X = np.random.default_rng(0).normal(size=(6, 2))
    D = cdist(X, X)
    np.testing.assert_allclose(default_bounds(X), np.percentile(D[D > 0], [5, 95]))
    assert (default_bounds(X[:1]) > 0).all()


def test_default_bounds_of_many_points_look_at_some():
    X = np.random.default_rng(0).normal(size=(4500, 2))
    np.testing.assert_allclose(default_bounds(X), np.percentile(cdist(X[::3], X[::3]), [5, 95]))


def test_given_bounds_are_kept():
    for bounds in ([1, 4], (1.0, 4.0), np.array([1, 4])):
        np.testing.assert_array_equal(ITML().fit(PAIRS, Y, bounds=bounds).bounds_, [1.0, 4.0])
    X, y = tiny_points()
    np.testing.assert_array_equal(ITML_Supervised(random_state=0).fit(X, y, bounds=[1, 4]).bounds_, [1.0, 4.0])


@pytest.mark.parametrize("bounds", [[1], [1, 2, 3], [0, 1], [-1, 2], [1, np.nan], [1, np.inf], "ab", [None, 1]])
def test_bad_bounds_are_refused(bounds):
    with pytest.raises(ValueError, match=r"bounds should be two positive numbers.*got"):
        ITML().fit(PAIRS, Y, bounds=bounds)


def test_pairs_of_identical_points():
    same = np.repeat(PAIRS[:3, :1], 2, axis=1)
    pairs = np.concatenate([PAIRS, same])
    expected = metric(PAIRS, Y)
    np.testing.assert_allclose(metric(pairs, np.r_[Y, 1, 1, 1]), expected, rtol=1e-9, atol=1e-12)
    with pytest.warns(UserWarning, match="2 dissimilar pairs are of identical points"):
        np.testing.assert_allclose(metric(pairs, np.r_[Y, 1, -1, -1]), expected, rtol=1e-9, atol=1e-12)
    with pytest.warns(UserWarning, match="1 dissimilar pairs"):
        M = ITML().fit(np.ones((2, 2, 3)), [1, -1]).get_mahalanobis_matrix()
    np.testing.assert_allclose(M, np.eye(3))


def test_contradictions_are_weighed():
    pairs = np.concatenate([PAIRS, PAIRS])
    y = np.r_[Y, -Y]
    M = metric(pairs, y, gamma=10.0)
    other = by_general_solver(pairs, y, gamma=10.0)
    assert objective(M, pairs, y, gamma=10.0) <= objective(other, pairs, y, gamma=10.0) + 1e-6


def test_what_was_given_stays_as_it_was():
    pairs, y, bounds = PAIRS.copy(), Y.copy(), BOUNDS.copy()
    first = ITML(prior="random", random_state=3).fit(pairs, y, bounds=bounds).components_
    for now, before in ((pairs, PAIRS), (y, Y), (bounds, BOUNDS)):
        np.testing.assert_array_equal(now, before)
    np.testing.assert_array_equal(ITML(prior="random", random_state=3).fit(pairs, y, bounds=bounds).components_, first)


def test_fewer_components_are_the_leading_ones():
    M = metric(PAIRS, Y)
    L = ITML(n_components=2).fit(PAIRS, Y, bounds=BOUNDS).components_
    np.testing.assert_allclose(L @ L.T, np.diag(np.linalg.eigvalsh(M)[:1:-1]), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("load", [load_iris, load_wine])
@pytest.mark.parametrize("scale", [True, False])
def test_classes_come_apart(load, scale):
    X, y = load(return_X_y=True)
    X = StandardScaler().fit_transform(X) if scale else X
    itml = ITML_Supervised(random_state=0).fit(X, y)
    assert itml.n_iter_ < 40
    same = y[:, None] == y

    def spread(Z):
        D = cdist(Z, Z, "sqeuclidean")
        return D[same].mean() / D[~same].mean()

    assert spread(itml.transform(X)) < 0.8 * spread(X)


@pytest.mark.parametrize("scale", [1e-8, 1e-3, 1e4, 1e8])
def test_points_of_any_scale(scale):
    X, y = load_wine(return_X_y=True)
    itml = ITML_Supervised(random_state=0).fit(scale * X, y)  # without a warning
    assert itml.n_iter_ < 100


def test_labels_may_be_names():
    X, y = tiny_points()
    expected = ITML_Supervised(random_state=0).fit(X, y).components_
    named = ITML_Supervised(random_state=0).fit(X, np.array(["a", "b", "c"])[y])
    np.testing.assert_array_equal(named.components_, expected)


def hostile(rng):
    """Points of hostile shape and scale."""
    n, d = rng.choice([2, 3, 8, 40]), rng.choice([1, 2, 6, 30])
    X = rng.normal(size=(n, d)) * 10.0 ** rng.integers(-8, 9, rng.choice([1, d]))
    spoil = rng.integers(5)
    if spoil == 0:
        X = X[rng.integers(max(1, n // 3), size=n)]
    elif spoil == 1:
        X[:, 0] = 3.0
    elif spoil == 2:
        X = X[:, :1] * rng.normal(size=d)
    elif spoil == 3:
        X = X * 10.0 ** rng.integers(-8, 9, (n, 1))
    return X


@pytest.mark.parametrize("seed", range(50))
def test_hostile_pairs(seed):
    rng = np.random.default_rng(seed)
    X = hostile(rng)
    pairs = X[rng.integers(len(X), size=(rng.choice([2, 9, 60]), 2))]
    y = np.where(np.arange(len(pairs)) % 2, 1, -1)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        warnings.filterwarnings("ignore", "[0-9]+ dissimilar pairs are of identical points")
        itml = ITML(gamma=10.0 ** rng.integers(-2, 3), max_iter=50).fit(pairs, y)
    assert np.isfinite(itml.components_).all()
    assert np.isfinite(itml.pair_distance(pairs)).all()
