"""LSML: the optimum against a general solver, its weights, and hostile quadruplets."""

import warnings

import numpy as np
import pytest
from discovery import tiny_points
from scipy.optimize import minimize
from sklearn.datasets import load_iris, load_wine, make_spd_matrix
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler

from metricnets.linear._lsml import LSML, ComparisonLoss, LSML_Supervised

X, CLASSES = tiny_points()
QUADRUPLETS = X[np.random.default_rng(0).integers(len(X), size=(30, 4))]
WEIGHTS = np.random.default_rng(1).uniform(size=30)


def objective(M, quadruplets, weights=None, prior=None):
    """The objective, quadruplet by quadruplet."""
    weights = np.ones(len(quadruplets)) if weights is None else weights
    ratio = M @ np.linalg.inv(np.eye(len(M)) if prior is None else prior)
    total = np.trace(ratio) - np.linalg.slogdet(ratio)[1]
    for weight, (a, b, c, e) in zip(weights / weights.sum(), quadruplets):
        near, far = np.sqrt((a - b) @ M @ (a - b)), np.sqrt((c - e) @ M @ (c - e))
        total += weight * max(near - far, 0) ** 2
    return total


def lower(entries, d):
    L = np.zeros((d, d))
    L[np.tril_indices(d)] = entries
    return L


def by_general_solver(quadruplets, **params):
    d = quadruplets.shape[2]

    def value(entries):
        L = lower(entries, d)
        return objective(L @ L.T, quadruplets, **params)

    L = lower(minimize(value, np.eye(d)[np.tril_indices(d)], tol=1e-12).x, d)
    return L @ L.T


def metric(quadruplets, weights=None, **params):
    return LSML(**params).fit(quadruplets, weights=weights).get_mahalanobis_matrix()


@pytest.mark.parametrize("scale", [0.3, 1.0, 10.0])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_no_metric_is_better(scale, weights):
    quadruplets = scale * QUADRUPLETS[:, :, :3]
    M, other = metric(quadruplets, weights), by_general_solver(quadruplets, weights=weights)
    assert objective(M, quadruplets, weights) <= objective(other, quadruplets, weights) + 1e-6
    np.testing.assert_allclose(M, other, rtol=0.02, atol=2e-3)


def test_prior_takes_the_place_of_the_identity():
    prior = make_spd_matrix(4, random_state=0)
    L = np.linalg.cholesky(prior)
    M = metric(QUADRUPLETS, prior=prior, tol=1e-6)
    np.testing.assert_allclose(M, L @ metric(QUADRUPLETS @ L, tol=1e-6) @ L.T, rtol=1e-5, atol=1e-7)
    other = by_general_solver(QUADRUPLETS, prior=prior)
    assert objective(M, QUADRUPLETS, prior=prior) <= objective(other, QUADRUPLETS, prior=prior) + 1e-6


def test_covariance_as_prior():
    points = np.unique(QUADRUPLETS.reshape(-1, 4), axis=0)
    expected = metric(QUADRUPLETS, prior=np.linalg.inv(np.cov(points.T)), tol=1e-6)
    np.testing.assert_allclose(metric(QUADRUPLETS, prior="covariance", tol=1e-6), expected, rtol=1e-4, atol=1e-6)


def test_force_and_curvature_are_derivatives():
    rng = np.random.default_rng(0)
    p, change = rng.uniform(0.2, 3, 20), rng.normal(size=20)
    loss = ComparisonLoss(rng.random(10))
    eps = 1e-6
    values, forces = zip(*(loss(p * (1 + sign * eps * change))[:2] for sign in (1, -1)))
    _, force, curvature = loss(p)
    assert (values[0] - values[1]) / (2 * eps) == pytest.approx(force @ change, rel=1e-6)
    rows = np.flatnonzero(force)
    slopes = [f / (p * (1 + sign * eps * change)) for f, sign in zip(forces, (1, -1))]
    expected = p * (slopes[0] - slopes[1]) / (2 * eps)
    np.testing.assert_allclose(expected[rows], loss.bend(curvature, change[rows], rows), rtol=1e-5)


def test_loss_is_convex():
    rng = np.random.default_rng(0)
    loss = ComparisonLoss(np.ones(1))
    for _ in range(200):
        p, q = rng.exponential(size=(2, 2))
        assert loss((p + q) / 2)[0] <= (loss(p)[0] + loss(q)[0]) / 2 + 1e-12


def test_one_feature_has_a_closed_form():
    quadruplets = np.array([[[0.0], [5.0], [0.0], [2.0]]])
    # m (5 − 2)² + m − log m
    assert metric(quadruplets, tol=1e-9)[0, 0] == pytest.approx(1 / (1 + 9))


def test_what_holds_already_changes_nothing():
    lsml = LSML().fit([[[0.0, 0.0], [0.0, 1.0], [0.0, 0.0], [2.0, 0.0]]])
    np.testing.assert_allclose(lsml.components_, np.eye(2))
    assert lsml.n_iter_ == 1


def test_redundant_features_share():
    M = metric(np.concatenate([QUADRUPLETS, QUADRUPLETS[..., :1]], axis=2))
    assert np.isfinite(M).all()
    np.testing.assert_allclose(M[0, 0], M[4, 4], rtol=1e-6)


def test_fewer_quadruplets_than_features():
    quadruplets = np.random.default_rng(0).normal(size=(2, 4, 5))
    M = metric(quadruplets)
    assert objective(M, quadruplets) <= objective(by_general_solver(quadruplets), quadruplets) + 1e-6


def test_rotated_points_give_the_rotated_metric():
    Q = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0]
    rotated = Q.T @ metric(QUADRUPLETS @ Q.T, tol=1e-8) @ Q
    np.testing.assert_allclose(rotated, metric(QUADRUPLETS, tol=1e-8), rtol=1e-6, atol=1e-8)


def test_tol_bounds_the_relative_error():
    exact = metric(10 * QUADRUPLETS, tol=1e-9)
    root = np.linalg.cholesky(exact)
    for tol in (0.3, 1e-1, 1e-2, 1e-4):
        error = np.linalg.solve(root, np.linalg.solve(root, metric(10 * QUADRUPLETS, tol=tol) - exact).T)
        assert np.linalg.norm(error) <= 1.5 * tol


def test_weights_count_in_proportion():
    whole = np.arange(1, 31)
    repeated = np.repeat(QUADRUPLETS, whole, axis=0)
    np.testing.assert_allclose(metric(QUADRUPLETS, whole), metric(repeated), rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(metric(QUADRUPLETS, list(7 * whole)), metric(QUADRUPLETS, whole), rtol=1e-9, atol=1e-12)
    lsml = LSML().fit(QUADRUPLETS, weights=whole)
    np.testing.assert_allclose(lsml.w_, whole / whole.sum())
    np.testing.assert_array_equal(whole, np.arange(1, 31))
    np.testing.assert_allclose(LSML().fit(QUADRUPLETS).w_, np.full(30, 1 / 30))


def test_a_quadruplet_of_no_weight_is_as_if_absent():
    weights = np.r_[np.ones(20), np.zeros(10)]
    np.testing.assert_allclose(metric(QUADRUPLETS, weights), metric(QUADRUPLETS[:20]), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("weights", [np.ones(3), -np.ones(30), np.zeros(30), np.full(30, np.nan), np.ones((30, 2))])
def test_bad_weights_are_refused(weights):
    with pytest.raises(ValueError, match="weights|1d array"):
        LSML().fit(QUADRUPLETS, weights=weights)


def test_identical_points_that_should_be_far():
    a, b = [0.0, 0.0], [3.0, 0.0]
    M = metric([[a, b, a, a], [a, a, b, b]], tol=1e-9)
    np.testing.assert_allclose(M, np.diag([1 / (1 + 9 / 2), 1]), rtol=1e-6)


def test_unfinished_work_is_reported():
    with pytest.warns(ConvergenceWarning, match=r"LSML did not converge in max_iter=1 iterations; raise"):
        lsml = LSML(max_iter=1, tol=1e-8).fit(100 * QUADRUPLETS)
    assert lsml.n_iter_ == 1
    assert 1 < LSML().fit(100 * QUADRUPLETS).n_iter_ < 30


def test_same_seed_same_bits():
    first, again = (LSML(prior="random", random_state=3).fit(QUADRUPLETS).components_ for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_fewer_components_are_the_leading_ones():
    L = LSML(n_components=2).fit(QUADRUPLETS).components_
    values = np.linalg.eigvalsh(metric(QUADRUPLETS))[:1:-1]
    np.testing.assert_allclose(L @ L.T, np.diag(values), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("load", [load_iris, load_wine])
@pytest.mark.parametrize("scale", [True, False])
def test_fewer_comparisons_are_broken(load, scale):
    X, y = load(return_X_y=True)
    X = StandardScaler().fit_transform(X) if scale else X
    lsml = LSML_Supervised(random_state=0).fit(X, y)
    assert lsml.n_iter_ < 40
    assert len(lsml.w_) == 20 * 9
    rows = np.random.default_rng(0).integers(len(X), size=(4000, 4))
    quadruplets = X[rows[(y[rows[:, 0]] == y[rows[:, 1]]) & (y[rows[:, 2]] != y[rows[:, 3]])]]

    def broken(Z):
        near, far = (np.linalg.norm(Z[:, i] - Z[:, i + 1], axis=1) for i in (0, 2))
        return np.mean((np.maximum(near - far, 0) / np.median(far)) ** 2)

    assert broken(lsml.transform(quadruplets.reshape(-1, X.shape[1])).reshape(quadruplets.shape)) < broken(quadruplets)


def test_weights_of_drawn_quadruplets():
    weights = np.arange(1.0, 41)
    lsml = LSML_Supervised(n_constraints=40, weights=weights, random_state=0).fit(X, CLASSES)
    np.testing.assert_allclose(lsml.w_, weights / weights.sum())
    np.testing.assert_array_equal(weights, np.arange(1.0, 41))


@pytest.mark.parametrize("scale", [1e-8, 1e-3, 1e4, 1e6])
def test_points_of_any_scale(scale):
    X, y = load_wine(return_X_y=True)
    lsml = LSML_Supervised(random_state=0).fit(scale * X, y)  # without a warning
    assert lsml.n_iter_ < 100


def test_labels_may_be_names():
    expected = LSML_Supervised(random_state=0).fit(X, CLASSES).components_
    named = LSML_Supervised(random_state=0).fit(X, np.array(["a", "b", "c"])[CLASSES])
    np.testing.assert_array_equal(named.components_, expected)


def hostile(rng):
    """Points of hostile shape and scale."""
    n, d = rng.choice([2, 3, 8, 40]), rng.choice([1, 2, 6, 30])
    X = rng.normal(size=(n, d)) * 10.0 ** rng.integers(-8, 9, rng.choice([1, d]))
    spoil = rng.integers(6)
    if spoil == 0:
        X = X[rng.integers(max(1, n // 3), size=n)]
    elif spoil == 1:
        X[:, 0] = 3.0
    elif spoil == 2:
        X = X[:, :1] * rng.normal(size=d)
    elif spoil == 3:
        X = X * 10.0 ** rng.integers(-8, 9, (n, 1))
    elif spoil == 4:
        X[:] = X[0]
    return X


@pytest.mark.parametrize("seed", range(50))
def test_hostile_quadruplets(seed):
    rng = np.random.default_rng(seed)
    X = hostile(rng)
    quadruplets = X[rng.integers(len(X), size=(rng.choice([1, 9, 60]), 4))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        lsml = LSML(max_iter=50).fit(quadruplets)
    assert np.isfinite(lsml.components_).all()
    assert np.isfinite(lsml.pair_distance(quadruplets[:, :2])).all()
