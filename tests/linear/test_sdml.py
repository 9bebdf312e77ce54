"""SDML: the graphical lasso's conditions of optimality, and the balance at which there is an optimum."""

import warnings

import numpy as np
import pytest
from discovery import tiny_pairs, tiny_points
from scipy.linalg import LinAlgError, eigvalsh
from scipy.optimize import minimize
from sklearn import covariance
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from metricnets.linear._sdml import SDML, SDML_Supervised
from metricnets.linear._solvers import graphical_lasso
from metricnets.linear._solvers.conjugate_gradient import conjugate_gradient
from metricnets.linear._solvers.graphical_lasso import Sandwich, _newton, _split, sparse_inverse

X, classes = tiny_points()
pairs, y = tiny_pairs()
SETS = {"iris": load_iris, "wine": load_wine, "breast cancer": load_breast_cancer, "digits": load_digits}
SMALL = 1e-4  # a balance at which P of `pairs` is positive definite


def loss_matrix(prior, pairs, y, balance):
    """P, pair by pair."""
    P = np.linalg.inv(prior)
    for (a, b), label in zip(pairs, y):
        P = P + balance * label * np.outer(a - b, a - b)
    return P


def objective(M, P, penalty):
    off = np.abs(M).sum() - np.abs(np.diag(M)).sum()
    return np.trace(P @ M) - np.linalg.slogdet(M)[1] + penalty * off


def solve(P, penalty):
    M, _, converged = sparse_inverse(P, penalty, lambda value, M: None)
    assert converged
    return M


def random_loss(d, seed=0, n=None):
    """A positive definite matrix of correlated features of several scales."""
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(n or 2 * d, d)) @ (np.eye(d) + rng.normal(size=(d, d)) / 2)
    return A.T @ A / len(A) + 0.01 * np.eye(d)


@pytest.mark.parametrize("penalty", [0.0, 0.01, 0.1, 1.0])
@pytest.mark.parametrize("d", [2, 5, 20])
def test_the_conditions_of_optimality_hold(d, penalty):
    P = random_loss(d)
    M = solve(P, penalty)
    slope = P - np.linalg.inv(M)
    off = ~np.eye(d, dtype=bool)
    assert np.linalg.eigvalsh(M)[0] > 0
    np.testing.assert_allclose(np.diag(slope), 0, atol=1e-3 * P.max())
    np.testing.assert_allclose(slope[off & (M != 0)], -penalty * np.sign(M[off & (M != 0)]), atol=1e-3 * P.max())
    assert (np.abs(slope[off]) <= penalty + 1e-3 * P.max()).all()


@pytest.mark.parametrize("penalty", [0.02, 0.3])
def test_it_is_the_graphical_lasso(penalty):
    P = random_loss(5, n=100)
    M, other = solve(P, penalty), covariance.graphical_lasso(P, penalty, tol=1e-6, enet_tol=1e-10, max_iter=200)[1]
    assert objective(M, P, penalty) <= objective(other, P, penalty) + 1e-6
    np.testing.assert_allclose(M, other, atol=1e-3 * np.abs(M).max())


def test_a_general_solver_finds_nothing_better():
    P, penalty = random_loss(3), 0.1

    def cost(flat):
        L = np.zeros((3, 3))
        L[np.tril_indices(3)] = flat
        return objective(L @ L.T + 1e-12 * np.eye(3), P, penalty)

    start = np.eye(3)[np.tril_indices(3)]
    other = minimize(cost, start, method="Nelder-Mead", options={"maxiter": 1500, "fatol": 1e-7, "xatol": 1e-5})
    assert objective(solve(P, penalty), P, penalty) == pytest.approx(other.fun, abs=1e-5)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_closed_forms(scale):
    P = random_loss(2) * scale
    np.testing.assert_allclose(solve(P, 0.0), np.linalg.inv(P), rtol=1e-6)
    np.testing.assert_allclose(solve(P, 1e3 * scale), np.diag(1 / np.diag(P)), rtol=1e-6)
    penalty = abs(P[0, 1]) / 3
    shrunk = P + np.array([[0, -1], [-1, 0]]) * penalty * np.sign(P[0, 1])
    np.testing.assert_allclose(solve(P, penalty), np.linalg.inv(shrunk), rtol=1e-3)
    np.testing.assert_allclose(solve(P[:1, :1], 1.0), 1 / P[:1, :1], rtol=1e-6)


def test_the_penalty_is_of_the_features_as_they_are():
    P, units = random_loss(6), 10.0 ** np.arange(-3, 3)
    np.testing.assert_allclose(
        solve(P * np.outer(units, units), 0.0) * np.outer(units, units), solve(P, 0.0), rtol=1e-5, atol=1e-7
    )
    blocks = np.block([[random_loss(3, 1), np.zeros((3, 2))], [np.zeros((2, 3)), random_loss(2, 2)]])
    M = solve(blocks, 0.05)
    assert not M[:3, 3:].any()
    np.testing.assert_allclose(M[:3, :3], solve(random_loss(3, 1), 0.05), rtol=2e-3, atol=1e-3)


def test_both_solvers_find_the_same():
    P = random_loss(12)
    weights = np.full((12, 12), 0.1) - 0.1 * np.eye(12)
    M, _, converged = _newton(P, weights, lambda value, M: None)
    Z, _, agreed = _split(np.eye(12), P, weights, lambda value, M: None)
    assert converged
    assert agreed
    assert objective(Z, P, 0.1) == pytest.approx(objective(M, P, 0.1), abs=2 * 12e-6)


def test_conjugate_gradients_solve_newtons_equations_on_the_free_entries():
    M = random_loss(6)
    W = np.linalg.inv(M)
    rng = np.random.default_rng(0)
    slope, free = rng.normal(size=(6, 6)), rng.random((6, 6)) < 0.6
    slope, free = slope + slope.T, free | free.T | np.eye(6, dtype=bool)
    E = conjugate_gradient(Sandwich(W, free), -slope * free, M=Sandwich(M, free), tol=0.1, max_iter=50)
    assert not E[~free].any()
    R, R0 = free * (W @ E @ W + slope), free * slope
    assert np.vdot(R, M @ R @ M) < 0.011 * np.vdot(R0, M @ R0 @ M)
    assert np.vdot(slope, E) < 0
    every = np.ones((6, 6), bool)
    E = conjugate_gradient(Sandwich(W, every), slope, tol=1e-12, max_iter=100)
    np.testing.assert_allclose(E, M @ slope @ M, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("prior", ["identity", "given"])
def test_where_the_loss_matrix_is_definite_the_papers_problem_is_solved(prior):
    M0 = np.eye(4) if prior == "identity" else np.diag([1.0, 2, 3, 4]) + 0.3
    P = loss_matrix(M0, pairs, y, SMALL)
    assert eigvalsh(P)[0] > 0
    sdml = SDML(balance_param=SMALL, prior=M0 if prior == "given" else prior).fit(pairs, y)
    assert sdml.balance_ == SMALL
    np.testing.assert_allclose(sdml.get_mahalanobis_matrix(), solve(P, 0.01), rtol=1e-9, atol=1e-12)


def test_without_balance_or_penalty_the_prior_remains():
    M0 = np.diag([1.0, 2, 3, 4]) + 0.3
    sdml = SDML(balance_param=0.0, sparsity_param=0.0, prior=M0).fit(pairs, y)
    np.testing.assert_allclose(sdml.get_mahalanobis_matrix(), M0, rtol=1e-8)


def test_the_balance_is_lowered_until_a_tenth_of_the_prior_is_left():
    M0 = np.diag([1.0, 2, 3, 4]) + 0.3
    sdml = SDML(prior=M0).fit(pairs, y)
    assert sdml.balance_ < 0.5
    P = loss_matrix(M0, pairs, y, sdml.balance_)
    assert eigvalsh(P, np.linalg.inv(M0))[0] == pytest.approx(0.1)
    np.testing.assert_allclose(sdml.get_mahalanobis_matrix(), solve(P, 0.01), rtol=1e-9, atol=1e-12)
    np.testing.assert_array_equal(SDML(balance_param=1e9, prior=M0).fit(pairs, y).components_, sdml.components_)
    again = SDML(balance_param=sdml.balance_, prior=M0).fit(pairs, y)
    np.testing.assert_allclose(again.components_, sdml.components_, rtol=1e-9)


def test_similar_pairs_get_near_and_dissimilar_ones_far():
    z = SDML_Supervised(random_state=0).fit_transform(X, classes)
    same = classes[:, None] == classes
    ratios = []
    for points in (X, z):
        d = np.linalg.norm(points[:, None] - points, axis=2)
        ratios.append(d[~same].mean() / d[same].mean())
    assert ratios[1] > ratios[0]


def test_a_greater_penalty_leaves_more_zeros():
    P = random_loss(20)
    zeros = [np.count_nonzero(solve(P, penalty) == 0) for penalty in (0.01, 0.1, 0.5, 10.0)]
    assert zeros == sorted(zeros)
    assert zeros[-1] == 380


def test_ill_conditioned_problems_are_solved_too():
    data, target = load_breast_cancer(return_X_y=True)
    sdml = SDML_Supervised(prior="covariance", random_state=0).fit(StandardScaler().fit_transform(data), target)
    assert sdml.n_iter_ > graphical_lasso.MAX_ITER  # so that both solvers were at work


def test_it_says_when_it_did_not_converge(monkeypatch):
    monkeypatch.setattr(graphical_lasso, "MAX_ITER", 1)
    monkeypatch.setattr(graphical_lasso, "MAX_SPLITS", 1)
    with pytest.warns(ConvergenceWarning, match="SDML did not converge.*Scale the features"):
        SDML(balance_param=SMALL, sparsity_param=0.1, prior=np.diag([1.0, 2, 3, 4]) + 0.9).fit(pairs, y)


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"prior": np.eye(3)}, ValueError, r"prior has shape \(3, 3\)"),
        ({"prior": np.diag([1.0, 1, 1, 0])}, LinAlgError, "prior should be positive definite"),
        ({"prior": "best"}, ValueError, "'prior'"),
        ({"balance_param": -1.0}, ValueError, "'balance_param'"),
        ({"sparsity_param": -1.0}, ValueError, "'sparsity_param'"),
    ],
)
def test_what_makes_no_sense_is_refused(params, error, message):
    with pytest.raises(error, match=message):
        SDML(**params).fit(pairs, y)


def test_from_classes_the_pairs_are_drawn_and_the_seed_counts():
    before = X.copy()
    sdml = SDML_Supervised(random_state=0).fit(X, classes)
    np.testing.assert_array_equal(X, before)
    np.testing.assert_array_equal(SDML_Supervised(random_state=0).fit(X, classes).components_, sdml.components_)
    assert (SDML_Supervised(random_state=1).fit(X, classes).components_ != sdml.components_).any()
    assert SDML_Supervised(n_components=2).fit(X, classes).components_.shape == (2, 4)


@pytest.mark.parametrize("name", SETS)
@pytest.mark.parametrize("scaled", [True, False], ids=["standardised", "raw"])
def test_defaults_fit_every_data_set_and_find_neighbours(name, scaled):
    data, target = SETS[name](return_X_y=True)
    first = [StandardScaler()] if scaled else []
    folds = StratifiedKFold(3, shuffle=True, random_state=0)
    raw, learned = (
        cross_val_score(make_pipeline(*first, *steps, KNeighborsClassifier(3)), data, target, cv=folds).mean()
        for steps in ([], [SDML_Supervised(random_state=0)])
    )
    assert learned > raw - 0.03


def hostile(rng):
    """Few points of many sizes, some equal, constant, collinear or rounded, and pairs of them."""
    X = rng.normal(size=(rng.choice([2, 3, 9, 30]), rng.choice([1, 2, 5, 20])))
    for change in rng.choice(6, rng.integers(0, 4), replace=False):
        if change == 0:
            X[rng.integers(len(X), size=len(X) // 2)] = X[0]
        elif change == 1:
            X[:, 0] = 0.1
        elif change == 2:
            X *= 10.0 ** rng.integers(-8, 9, size=X.shape[1])
        elif change == 3:
            X[:, -1] = X.sum(axis=1)
        elif change == 4:
            X = X.round()
        else:
            X[:] = X[0]
    members = rng.integers(len(X), size=(rng.choice([2, 5, 40]), 2))
    return X[members], rng.permutation(np.r_[1, -1, rng.choice([1, -1], len(members) - 2)])


@pytest.mark.parametrize(
    "params",
    [{}, {"balance_param": 1e6, "sparsity_param": 1.0, "prior": "random", "random_state": 0}],
    ids=["defaults", "great"],
)
def test_hostile_pairs_do_no_harm(params):
    for seed in range(10):
        hard, labels = hostile(np.random.default_rng(seed))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            sdml = SDML(**params).fit(hard, labels)
        assert np.isfinite(sdml.components_).all()
        assert np.isfinite(sdml.pair_distance(hard)).all()


def test_verbose_reports_each_iteration(capsys):
    SDML(verbose=True).fit(pairs, y)
    assert "SDML" in capsys.readouterr().err
