"""LDML: the likelihood is the naive one, its gradient is right, and the metric found is its maximum."""

import warnings

import numpy as np
import pytest
from discovery import SPOILS, tiny_pairs, tiny_points
from scipy.optimize import check_grad
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning

from metricnets.constraints import negative_pairs, positive_pairs
from metricnets.linear._ldml import LDML, LDML_Supervised, loss_and_gradient

X, classes = tiny_points()
pairs, y = tiny_pairs(n_pairs=80)
TAUS = pairs[:, 0] - pairs[:, 1]
UNITS = np.sqrt((TAUS**2).mean(axis=0))


def fit(pairs=pairs, y=y, **params):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return LDML(**params).fit(pairs, y)


def naive(M, b, regularization, taus=TAUS, units=UNITS):
    """The objective of the docstring, pair by pair."""
    losses = [np.log1p(np.exp(-label * (b - t @ M @ t))) for t, label in zip(taus, y)]
    return np.mean(losses) + regularization / 2 * np.sum((M * np.outer(units, units)) ** 2)


def by_projected_gradient(regularization, n_steps=1500):
    """Least objective by plain projected gradients in (M, b), in which the problem is convex."""
    T = TAUS / UNITS
    M, b, rate = np.eye(4) / 4, 1.0, 0.1
    for _ in range(n_steps):
        residuals = y * expit(-y * (b - np.einsum("ij,jk,ik->i", T, M, T))) / len(y)
        values, vectors = np.linalg.eigh(M - rate * ((T.T * residuals) @ T + regularization * M))
        M, b = (vectors * np.clip(values, 0, None)) @ vectors.T, b + 10 * rate * residuals.sum()
    return naive(M / np.outer(UNITS, UNITS), b, regularization)


@pytest.mark.parametrize("regularization", [0.001, 0.05])
def test_the_metric_is_the_minimum(regularization):
    ldml = fit(regularization=regularization, tol=1e-6)
    reached = naive(ldml.get_mahalanobis_matrix(), ldml.bias_, regularization)
    other = by_projected_gradient(regularization)
    assert other - 1e-3 < reached < other + 1e-7


def test_the_default_tolerance_is_near_the_minimum():
    rough, best = fit(), fit(tol=1e-8)
    objectives = [naive(found.get_mahalanobis_matrix(), found.bias_, 0.1) for found in (rough, best)]
    assert objectives[1] <= objectives[0] <= objectives[1] + 1e-5


@pytest.mark.parametrize("regularization", [0.001, 0.05, 0.5])
def test_the_conditions_of_the_minimum_hold(regularization):
    """The gradient G in M is positive semi-definite and G M = 0; the one in b is 0."""
    ldml = fit(regularization=regularization, tol=1e-7)
    M, T = ldml.get_mahalanobis_matrix() * np.outer(UNITS, UNITS), TAUS / UNITS
    residuals = y * expit(-y * (ldml.bias_ - ldml.pair_distance(pairs) ** 2)) / len(y)
    G = (T.T * residuals) @ T + regularization * M
    assert np.linalg.eigvalsh(G)[0] > -1e-5
    np.testing.assert_allclose(G @ M, 0, atol=1e-5)
    assert abs(residuals.sum()) < 1e-6


def test_as_many_similar_pairs_are_expected_as_there_are():
    ldml = fit(tol=1e-7)
    assert expit(ldml.bias_ - ldml.pair_distance(pairs) ** 2).sum() == pytest.approx((y > 0).sum(), abs=1e-4)


@pytest.mark.parametrize("k", [1, 2, 4])
def test_the_gradient_is_that_of_the_loss(k):
    def unpacked(entries):
        return loss_and_gradient(entries[:-1].reshape(k, 4), entries[-1], TAUS, y, 0.3)

    at = np.random.default_rng(0).normal(size=4 * k + 1) * 0.3
    error = check_grad(lambda e: unpacked(e)[0], lambda e: np.append(unpacked(e)[1].ravel(), unpacked(e)[2]), at)
    assert error < 1e-6
    L = at[:-1].reshape(k, 4)
    assert unpacked(at)[0] == pytest.approx(naive(L.T @ L, at[-1], 0.3, units=np.ones(4)))


def test_units_of_the_features_make_no_difference():
    scales = np.array([1e-8, 1.0, 1e3, 1e8])
    np.testing.assert_allclose(fit(pairs * scales).pair_distance(pairs * scales), fit().pair_distance(pairs), rtol=1e-5)


def test_more_regularization_makes_a_smaller_metric():
    traces = [np.trace(fit(regularization=r).get_mahalanobis_matrix()) for r in (0.0, 0.01, 0.1, 1.0)]
    assert traces == sorted(traces, reverse=True)
    assert traces[0] > 2 * traces[-1]


def test_separable_pairs_have_a_metric():
    apart = X + 50 * np.eye(3, 4)[classes]
    for regularization in (0.0, 0.1):
        ldml = fit(apart[np.arange(44).reshape(22, 2)], np.where(np.diff(classes[:44].reshape(22, 2))[:, 0], -1, 1))
        assert np.isfinite(ldml.components_).all()
        ldml = LDML_Supervised(regularization=regularization, random_state=0).fit(apart, classes)
        assert np.abs(ldml.components_).max() < 1e3


@pytest.mark.parametrize("k", [1, 2, 3])
def test_fewer_components_are_a_stationary_point_of_that_rank(k):
    ldml, whole = fit(n_components=k, tol=1e-6), fit(tol=1e-6)
    L = ldml.components_ * UNITS
    assert L.shape == (k, 4)
    _, by_L, by_b = loss_and_gradient(L, ldml.bias_, TAUS / UNITS, y, 0.1)
    np.testing.assert_allclose(by_L, 0, atol=1e-5)
    assert abs(by_b) < 1e-5
    reached = naive(ldml.get_mahalanobis_matrix(), ldml.bias_, 0.1)
    assert reached >= naive(whole.get_mahalanobis_matrix(), whole.bias_, 0.1) - 1e-8
    assert reached < np.log(2)


def test_the_rank_that_the_minimum_has_is_enough():
    whole = fit(regularization=0.05, tol=1e-7)
    rank = np.linalg.matrix_rank(whole.get_mahalanobis_matrix(), tol=1e-4)
    assert rank < 4
    few = fit(regularization=0.05, tol=1e-7, n_components=rank)
    np.testing.assert_allclose(few.pair_distance(pairs), whole.pair_distance(pairs), rtol=1e-3)


def test_classes_become_pairs():
    rng = np.random.RandomState(3)
    drawn = [positive_pairs(classes, 60, rng), negative_pairs(classes, 60, rng)]
    by_pairs = fit(X[np.concatenate(drawn)], np.repeat([1, -1], 60))
    by_classes = LDML_Supervised(n_constraints=60, random_state=3).fit(X, classes)
    np.testing.assert_allclose(by_classes.components_, by_pairs.components_, rtol=1e-6, atol=1e-9)


def test_the_same_seed_gives_the_same_bits():
    one, two = (LDML_Supervised(random_state=5).fit(X, classes).components_ for _ in range(2))
    np.testing.assert_array_equal(one, two)


def test_too_few_iterations_are_told():
    with pytest.warns(ConvergenceWarning, match="LDML did not converge in max_iter=2"):
        ldml = LDML(max_iter=2).fit(pairs, y)
    assert ldml.n_iter_ == 2


@pytest.mark.parametrize("params", [{"regularization": -1}, {"max_iter": 0}, {"tol": -1.0}], ids=str)
def test_parameters_out_of_range_are_refused(params):
    with pytest.raises(ValueError, match=next(iter(params))):
        LDML(**params).fit(pairs, y)


def test_dissimilar_pairs_of_equal_points_are_refused():
    same = np.where((y < 0)[:, None, None], pairs[:, :1], pairs)
    with pytest.raises(ValueError, match="no dissimilar pair has two different points"):
        LDML().fit(same, y)


def test_progress_is_shown_to_those_who_ask(capsys):
    fit(verbose=True)
    assert "LDML" in capsys.readouterr().err


@pytest.mark.parametrize(
    "params", [{}, {"n_components": 1}, {"regularization": 0.0}, {"regularization": 10.0}], ids=str
)
@pytest.mark.parametrize("spoil", SPOILS.values(), ids=SPOILS)
def test_hostile_data_give_a_finite_metric(spoil, params):
    spoilt = spoil(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ldml = LDML_Supervised(random_state=0, **params).fit(spoilt, classes[: len(spoilt)])
    assert np.isfinite(ldml.get_mahalanobis_matrix()).all()
    assert np.isfinite(ldml.transform(spoilt)).all()
