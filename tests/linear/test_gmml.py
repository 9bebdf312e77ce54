"""GMML: the closed form is the minimum, the Riccati root and a geodesic, whatever the data."""

import warnings

import numpy as np
import pytest
from discovery import SPOILS, tiny_pairs, tiny_points
from scipy.linalg import eigvalsh
from scipy.optimize import minimize

from metricnets.constraints import negative_pairs, positive_pairs
from metricnets.linear._gmml import GMML, GMML_Supervised, geodesic

X, classes = tiny_points()
pairs, y = tiny_pairs()


def random_scatter(seed, d=5):
    rows = np.random.default_rng(seed).normal(size=(3 * d, d)) * np.geomspace(0.1, 10, d)
    return rows.T @ rows / len(rows)


def distance(A, B):
    """Riemannian distance of two positive definite matrices."""
    return np.linalg.norm(np.log(eigvalsh(A, B)))


def scatters(pairs, y, prior, regularization):
    """S + λ prior⁻¹ and D + λ prior, pair by pair."""
    found = []
    for side, target in ((1, np.linalg.inv(prior)), (-1, prior)):
        chosen = [a - b for (a, b), label in zip(pairs, y) if label == side]
        M = sum(np.outer(t, t) for t in chosen) / len(chosen)
        found.append(M + regularization * np.trace(M) / np.trace(target) * target)
    return found


def fit(pairs, y, **params):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return GMML(**params).fit(pairs, y)


S, D = random_scatter(0), random_scatter(1)


def test_the_mean_is_the_root_of_riccatis_equation():
    A = geodesic(S, D, 0.5)
    np.testing.assert_allclose(A @ S @ A, D, atol=1e-10 * np.abs(D).max())
    np.testing.assert_array_equal(A, A.T)


def test_the_ends_are_one_scatter_alone():
    np.testing.assert_allclose(geodesic(S, D, 0.0), np.linalg.inv(S), rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(geodesic(S, D, 1.0), D, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("t", [0.1, 0.25, 0.5, 0.9])
def test_points_lie_on_the_geodesic_at_their_share_of_its_length(t):
    start, A = np.linalg.inv(S), geodesic(S, D, t)
    whole = distance(start, D)
    assert distance(start, A) == pytest.approx(t * whole)
    assert distance(A, D) == pytest.approx((1 - t) * whole)


def test_the_mean_of_two_points_is_halfway_between():
    A, B = geodesic(S, D, 0.2), geodesic(S, D, 0.6)
    np.testing.assert_allclose(geodesic(np.linalg.inv(A), B, 0.5), geodesic(S, D, 0.4), rtol=1e-7, atol=1e-9)


def test_swapping_the_scatters_inverts_the_mean():
    np.testing.assert_allclose(geodesic(D, S, 0.5) @ geodesic(S, D, 0.5), np.eye(5), atol=1e-9)


@pytest.mark.parametrize("regularization", [0.0, 0.1, 2.0])
def test_the_metric_minimises_the_objective(regularization):
    S, D = scatters(pairs, y, np.eye(4), regularization)

    def objective(entries):
        L = np.zeros((4, 4))
        L[np.tril_indices(4)] = entries
        A = L @ L.T + 1e-12 * np.eye(4)
        return np.trace(A @ S) + np.trace(np.linalg.solve(A, D))

    best = minimize(objective, np.eye(4)[np.tril_indices(4)], method="BFGS", options={"gtol": 1e-9}).fun
    A = fit(pairs, y, regularization=regularization).get_mahalanobis_matrix()
    assert np.trace(A @ S) + np.trace(np.linalg.solve(A, D)) == pytest.approx(best, rel=1e-7)


@pytest.mark.parametrize("t", [0.0, 0.3, 1.0])
def test_the_estimator_follows_the_formula(t):
    A = fit(pairs, y, t=t, prior=np.diag([1.0, 2, 3, 4])).get_mahalanobis_matrix()
    S, D = scatters(pairs, y, np.diag([1.0, 2, 3, 4]), 0.1)
    values, vectors = np.linalg.eig(S @ D)  # S⁻¹ #_t D = S⁻¹ (S D)^t
    expected = np.linalg.solve(S, (vectors * values**t) @ np.linalg.inv(vectors))
    np.testing.assert_allclose(A, expected, rtol=1e-8, atol=1e-10)


def test_much_regularization_leaves_the_prior():
    prior = np.diag([1.0, 2, 3, 4])
    A = fit(pairs, y, prior=prior, regularization=1e9).get_mahalanobis_matrix()
    np.testing.assert_allclose(A / A[0, 0], prior, atol=1e-7)


def test_turning_the_points_changes_no_distance():
    Q = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0]
    turned = GMML().fit(pairs @ Q, y)
    np.testing.assert_allclose(turned.pair_distance(pairs @ Q), GMML().fit(pairs, y).pair_distance(pairs))


def test_the_unit_of_the_points_changes_only_the_unit_of_distances():
    np.testing.assert_allclose(GMML().fit(1e6 * pairs, y).components_, GMML().fit(pairs, y).components_, rtol=1e-9)


@pytest.mark.parametrize("k", [1, 2])
def test_fewer_components_are_the_leading_ones(k):
    L, A = fit(pairs, y, n_components=k).components_, fit(pairs, y).get_mahalanobis_matrix()
    np.testing.assert_allclose(L @ L.T, np.diag(eigvalsh(A)[::-1][:k]), atol=1e-9)
    np.testing.assert_allclose(A @ L.T, L.T @ (L @ L.T), atol=1e-8)


def test_similar_pairs_come_nearer_and_dissimilar_ones_go_farther():
    gmml = fit(pairs, y)
    plain, learned = np.linalg.norm(pairs[:, 0] - pairs[:, 1], axis=1), gmml.pair_distance(pairs)
    assert learned[y < 0].mean() / learned[y > 0].mean() > plain[y < 0].mean() / plain[y > 0].mean()


def test_classes_become_pairs():
    rng = np.random.RandomState(3)
    drawn = [positive_pairs(classes, 60, rng), negative_pairs(classes, 60, rng)]
    by_pairs = GMML().fit(X[np.concatenate(drawn)], np.repeat([1, -1], 60))
    by_classes = GMML_Supervised(n_constraints=60, random_state=3).fit(X, classes)
    np.testing.assert_allclose(by_classes.components_, by_pairs.components_, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("prior", ["identity", "covariance", "random"])
def test_the_same_seed_gives_the_same_bits(prior):
    one, two = (GMML(prior=prior, random_state=5).fit(pairs, y).components_ for _ in range(2))
    np.testing.assert_array_equal(one, two)


def test_singular_scatters_without_regularization_are_refused():
    flat = pairs * [1, 1, 1, 0]
    with pytest.raises(ValueError, match=r"regularization=0.0 leaves the scatter of the similar pairs singular"):
        GMML(regularization=0.0).fit(flat, y)
    same = pairs.copy()
    same[y < 0, 1] = same[y < 0, 0]
    with pytest.raises(ValueError, match=r"scatter of the dissimilar pairs singular; raise it"):
        GMML(regularization=0).fit(same, y)


@pytest.mark.parametrize("params", [{"t": 1.1}, {"t": -0.1}, {"regularization": -1}, {"prior": "lda"}], ids=str)
def test_parameters_out_of_range_are_refused(params):
    with pytest.raises(ValueError, match=next(iter(params))):
        GMML(**params).fit(pairs, y)


def test_equal_points_leave_the_prior():
    prior = np.diag([1.0, 2, 3, 4])
    A = fit(np.ones((6, 2, 4)), [1, 1, 1, -1, -1, -1], prior=prior).get_mahalanobis_matrix()
    np.testing.assert_allclose(A / A[0, 0], prior)


@pytest.mark.parametrize("params", [{}, {"t": 0.0}, {"t": 1.0}, {"n_components": 1}, {"regularization": 1e-6}], ids=str)
@pytest.mark.parametrize("spoil", SPOILS.values(), ids=SPOILS)
def test_hostile_data_give_a_finite_metric(spoil, params):
    spoilt = spoil(X)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gmml = GMML_Supervised(random_state=0, **params).fit(spoilt, classes[: len(spoilt)])
    assert np.isfinite(gmml.get_mahalanobis_matrix()).all()
    assert np.ptp(gmml.transform(spoilt), axis=0).any()
