"""DML-eig: the gradient is right, the bound holds, and general solvers and closed forms find nothing better."""

import warnings

import numpy as np
import pytest
from discovery import SPOILS, tiny_pairs, tiny_points
from scipy.linalg import eigh, eigvalsh
from scipy.optimize import check_grad, minimize
from sklearn.exceptions import ConvergenceWarning

from metricnets._linalg import inverse_root
from metricnets.constraints import negative_pairs, positive_pairs
from metricnets.linear._dmleig import DMLEig, DMLEig_Supervised
from metricnets.linear._solvers.eigenvalue_optimization import leading, least_and_gradient, smooth_least, toward, widest

X, classes = tiny_points()
pairs, y = tiny_pairs(n_pairs=60)
UNITS = np.sqrt(((pairs[:, 0] - pairs[:, 1]) ** 2).mean(axis=0))
TAUS = np.random.default_rng(0).normal(size=(40, 5)) * [1, 2, 0.5, 1, 1]


def silent(value, L):
    return None


def fit(pairs=pairs, y=y, **params):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return DMLEig(**params).fit(pairs, y)


def similar_scatter(regularization, pairs=pairs, y=y):
    """Mean scatter of the similar pairs, pair by pair, regularised in the units of the features."""
    units = np.sqrt(((pairs[:, 0] - pairs[:, 1]) ** 2).mean(axis=0))
    chosen = [a - b for (a, b), label in zip(pairs, y) if label == 1]
    return sum(np.outer(t, t) for t in chosen) / len(chosen) + regularization * np.diag(units**2)


def squared(M, taus):
    return np.einsum("ij,jk,ik->i", taus, M, taus)


def by_slsqp(taus, S):
    """Greatest least squared distance while tr(M S) = 1, by a general solver from some starts."""
    d, best = taus.shape[1], 0.0
    for seed in range(2):
        start = np.append(np.eye(d).ravel() + 0.1 * np.random.default_rng(seed).normal(size=d * d), 0.01)

        def metric(entries):
            L = entries[:-1].reshape(d, d)
            return L.T @ L / np.trace(L.T @ L @ S)

        apart = {"type": "ineq", "fun": lambda e: squared(metric(e), taus) - e[-1]}
        found = minimize(lambda e: -e[-1], start, constraints=[apart], method="SLSQP", options={"maxiter": 300})
        best = max(best, squared(metric(found.x), taus).min())
    return best


@pytest.mark.parametrize("k", [1, 5])
@pytest.mark.parametrize("mu", [0.1, 10.0])
def test_the_gradient_is_that_of_the_smooth_minimum(k, mu):
    at = np.random.default_rng(1).normal(size=5 * k)

    def value(entries):
        return least_and_gradient(entries.reshape(k, 5), TAUS, mu)[0]

    assert check_grad(value, lambda e: least_and_gradient(e.reshape(k, 5), TAUS, mu)[1].ravel(), at) < 1e-5
    L = at.reshape(k, 5)
    distances = squared(L.T @ L / np.trace(L.T @ L), TAUS)
    assert value(at) == pytest.approx(-mu * np.log(np.mean(np.exp(-distances / mu))))


def test_the_smooth_minimum_is_near_the_minimum():
    squares = np.random.default_rng(2).exponential(size=30)
    for mu in (1e-12, 1e-4, 1e-2, 1.0, 100.0):
        assert squares.min() <= smooth_least(squares, mu) <= squares.min() + mu * np.log(30) + 1e-12
    assert smooth_least(squares, 1e9) == pytest.approx(squares.mean())


def test_weights_give_an_upper_bound():
    rng = np.random.default_rng(3)
    L, _, _, _ = widest(TAUS, TAUS.shape[1], mu=1e-3, max_iter=1000, tol=1e-3, report=silent)
    least = squared(L.T @ L, TAUS).min()
    assert np.trace(L.T @ L) == pytest.approx(1)
    for _ in range(50):
        bound, v = leading(TAUS, rng.dirichlet(np.full(len(TAUS), 0.1)))
        assert bound > least
        assert np.linalg.norm(v) == pytest.approx(1)


def test_the_gap_is_kept():
    L, n_iter, gap, converged = widest(TAUS, TAUS.shape[1], mu=1e-4, max_iter=1000, tol=1e-3, report=silent)
    assert gap <= 1e-3
    assert converged
    assert n_iter < 1000
    assert squared(L.T @ L, TAUS).min() >= (1 - 2e-3) * by_slsqp(TAUS, np.eye(5))


def test_a_step_of_frank_and_wolfe_goes_up():
    L = np.diag([1.0, 0, 0, 0, 0])  # where the gradient in L cannot leave
    _, v = leading(TAUS, np.full(len(TAUS), 1 / len(TAUS)))
    better = toward(v, L, TAUS, 1.0)
    assert np.trace(better.T @ better) == pytest.approx(1)
    assert smooth_least(squared(better.T @ better, TAUS), 1.0) > smooth_least(squared(L.T @ L, TAUS), 1.0)


@pytest.mark.parametrize("regularization", [0.0, 0.01, 1.0])
def test_the_metric_is_the_widest(regularization):
    dmleig = fit(regularization=regularization, mu=1e-4, tol=1e-3)
    S, M = similar_scatter(regularization), dmleig.get_mahalanobis_matrix()
    apart = pairs[y < 0]
    assert np.trace(M @ S) == pytest.approx(1)
    best = by_slsqp(apart[:, 0] - apart[:, 1], S)
    assert (dmleig.pair_distance(apart) ** 2).min() == pytest.approx(best, rel=5e-3)
    assert (dmleig.pair_distance(pairs[y > 0]) ** 2).mean() <= 1 + 1e-9


def test_one_dissimilar_pair_has_a_closed_form():
    only = np.append(np.flatnonzero(y > 0), np.flatnonzero(y < 0)[0])
    S, t = similar_scatter(0.1, pairs[only], y[only]), pairs[only[-1], 0] - pairs[only[-1], 1]
    w = np.linalg.solve(S, t)
    M = fit(pairs[only], y[only], tol=1e-6).get_mahalanobis_matrix()
    np.testing.assert_allclose(M, np.outer(w, w) / (t @ w), atol=1e-2 * np.abs(M).max())


def test_much_smoothing_maximises_the_mean():
    S, apart = similar_scatter(0.1), pairs[y < 0]
    D = np.mean([np.outer(a - b, a - b) for a, b in apart], axis=0)
    dmleig = fit(mu=1e6, tol=1e-4)
    assert (dmleig.pair_distance(apart) ** 2).mean() == pytest.approx(eigvalsh(D, S)[-1], rel=1e-3)


def test_less_smoothing_makes_a_wider_metric():
    least = [fit(mu=mu, tol=1e-4).pair_distance(pairs[y < 0]).min() for mu in (10.0, 0.1, 0.001)]
    assert least == sorted(least)


def test_whitened_similar_pairs_are_white():
    T = inverse_root(TAUS.T @ TAUS / len(TAUS))
    np.testing.assert_allclose((TAUS @ T).T @ (TAUS @ T) / len(TAUS), np.eye(5), atol=1e-12)
    flat = TAUS * [1, 1, 1, 1, 0]
    assert inverse_root(flat.T @ flat / len(flat)).shape == (5, 4)


def test_units_of_the_features_make_no_difference():
    scales = np.array([1e-8, 1.0, 1e3, 1e8])
    np.testing.assert_allclose(fit(pairs * scales).pair_distance(pairs * scales), fit().pair_distance(pairs), rtol=1e-4)


def test_pairs_that_nothing_sets_apart_are_left_out():
    same = np.repeat(pairs[y < 0][:1, :1], 2, axis=1)
    changed = fit(np.concatenate([pairs * 1.0, same]), np.append(y, -1)).pair_distance(pairs)
    assert changed[y < 0].min() > 0.9 * fit().pair_distance(pairs[y < 0]).min()


@pytest.mark.parametrize("k", [1, 2])
def test_fewer_components_are_the_leading_ones(k):
    whole, few = fit().components_ * UNITS, fit(n_components=k).components_ * UNITS
    values, vectors = eigh(whole.T @ whole)
    np.testing.assert_allclose(few.T @ few, (vectors[:, -k:] * values[-k:]) @ vectors[:, -k:].T, atol=1e-8)


def test_classes_become_pairs():
    rng = np.random.RandomState(3)
    drawn = [positive_pairs(classes, 60, rng), negative_pairs(classes, 60, rng)]
    by_pairs = fit(X[np.concatenate(drawn)], np.repeat([1, -1], 60))
    by_classes = DMLEig_Supervised(n_constraints=60, random_state=3).fit(X, classes)
    np.testing.assert_allclose(by_classes.components_, by_pairs.components_, rtol=1e-3, atol=1e-6)


def test_the_same_seed_gives_the_same_bits():
    one, two = (DMLEig_Supervised(random_state=5).fit(X, classes).components_ for _ in range(2))
    np.testing.assert_array_equal(one, two)


@pytest.mark.parametrize("max_iter", [1, 2, 5])
def test_too_few_iterations_are_told(max_iter):
    with pytest.warns(ConvergenceWarning, match=f"did not converge in max_iter={max_iter} iterations.*gap is"):
        dmleig = DMLEig(max_iter=max_iter, tol=1e-4).fit(pairs, y)
    assert dmleig.n_iter_ == max_iter


@pytest.mark.parametrize("params", [{"mu": 0.0}, {"regularization": -1}, {"max_iter": 0}, {"tol": -1.0}], ids=str)
def test_parameters_out_of_range_are_refused(params):
    with pytest.raises(ValueError, match=next(iter(params))):
        DMLEig(**params).fit(pairs, y)


def test_dissimilar_pairs_of_equal_points_are_refused():
    same = np.where((y < 0)[:, None, None], pairs[:, :1], pairs)
    with pytest.raises(ValueError, match="no dissimilar pair can be separated"):
        DMLEig().fit(same, y)


def test_similar_pairs_of_equal_points_do_no_harm():
    same = np.where((y > 0)[:, None, None], pairs[:, :1], pairs)
    dmleig = fit(same, y)
    assert dmleig.pair_distance(same[y > 0]).max() == 0
    assert dmleig.pair_distance(same[y < 0]).min() > 0
    with pytest.raises(ValueError, match="regularization=0 leaves out"):
        DMLEig(regularization=0.0).fit(same, y)


def test_progress_is_shown_to_those_who_ask(capsys):
    fit(verbose=True)
    assert "DMLEig" in capsys.readouterr().err


@pytest.mark.parametrize(
    "params", [{}, {"n_components": 1}, {"regularization": 0.0}, {"mu": 1e-4, "tol": 0.1}], ids=str
)
@pytest.mark.parametrize("spoil", SPOILS.values(), ids=SPOILS)
def test_hostile_data_give_a_finite_metric(spoil, params):
    spoilt = spoil(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        dmleig = DMLEig_Supervised(random_state=0, **params).fit(spoilt, classes[: len(spoilt)])
    assert np.isfinite(dmleig.get_mahalanobis_matrix()).all()
    assert np.ptp(dmleig.transform(spoilt), axis=0).any()
