"""KISSME: the log-likelihood ratio of differences, from pairs and from classes."""

import warnings
from contextlib import nullcontext

import numpy as np
import pytest
from discovery import SPOILS, tiny_pairs, tiny_points
from scipy.stats import multivariate_normal
from sklearn.neighbors import KNeighborsClassifier

from metricnets.linear._kissme import KISSME, KISSME_Supervised

X, classes = tiny_points()
pairs, y = tiny_pairs()
ALL_PAIRS = np.stack(np.triu_indices(45, 1), axis=1)
SIMILAR = classes[ALL_PAIRS[:, 0]] == classes[ALL_PAIRS[:, 1]]


def covariances(pairs, y, share):
    """Of the differences, pair by pair, each with the same multiple of the identity."""
    d = pairs.shape[-1]
    S, D = (sum(np.outer(a - b, a - b) for a, b in pairs[y == side]) / (y == side).sum() for side in (1, -1))
    added = share * np.trace(S) / d * np.eye(d)
    return S + added, D + added


def nearest_psd(M):
    values, vectors = np.linalg.eigh(M)
    return (vectors * values.clip(0)) @ vectors.T


@pytest.mark.parametrize("share", [0.0, 0.3, 10.0])
def test_the_estimator_follows_the_formula(share):
    S, D = covariances(pairs, y, share)
    M = KISSME(regularization=share).fit(pairs, y).get_mahalanobis_matrix()
    np.testing.assert_allclose(M, nearest_psd(np.linalg.inv(S) - np.linalg.inv(D)), rtol=1e-8, atol=1e-10)


def test_the_squared_distance_is_the_log_likelihood_ratio_of_gaussian_differences():
    """Up to a constant and a factor, where dissimilar pairs differ more in every direction."""
    rng = np.random.default_rng(0)
    A, white = rng.normal(size=(3, 3)), np.linalg.qr(rng.normal(size=(50, 3)))[0] * np.sqrt(50)
    S, D = A @ A.T / 3 + 0.2 * np.eye(3), A @ A.T + np.diag([3.0, 2.0, 1.0])
    differences = np.vstack([white @ np.linalg.cholesky(C).T for C in (S, D)])  # with exactly these covariances
    drawn = np.stack([differences, np.zeros_like(differences)], axis=1)
    squared = KISSME(regularization=0.0).fit(drawn, np.repeat([1, -1], 50)).pair_distance(drawn) ** 2
    of_S, of_D = (multivariate_normal(np.zeros(3), C).logpdf for C in (S, D))
    ratio = of_D(differences) - of_S(differences)
    np.testing.assert_allclose(squared, 2 * (ratio - of_D(np.zeros(3)) + of_S(np.zeros(3))), rtol=1e-8)


@pytest.mark.parametrize("k", [None, 2])
def test_classes_are_all_their_pairs(k):
    by_pairs = KISSME(n_components=k).fit(X[ALL_PAIRS], np.where(SIMILAR, 1, -1))
    by_classes = KISSME_Supervised(n_components=k).fit(X, classes)
    np.testing.assert_allclose(by_classes.components_, by_pairs.components_, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("names", [[0, 1, 2], ["a", "b", "c"]])
def test_views_leave_the_pairs_across_them(names):
    view = np.array(names)[np.arange(45) % 3]
    across = view[ALL_PAIRS[:, 0]] != view[ALL_PAIRS[:, 1]]
    by_pairs = KISSME().fit(X[ALL_PAIRS[across]], np.where(SIMILAR[across], 1, -1))
    by_classes = KISSME_Supervised().fit(X, classes, view=view)
    np.testing.assert_allclose(by_classes.components_, by_pairs.components_, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("k", [1, 2])
def test_fewer_components_are_the_leading_ones(k):
    L, M = KISSME(n_components=k).fit(pairs, y).components_, KISSME().fit(pairs, y).get_mahalanobis_matrix()
    np.testing.assert_allclose(L @ L.T, np.diag(np.linalg.eigvalsh(M)[::-1][:k]), atol=1e-9)
    np.testing.assert_allclose(M @ L.T, L.T @ (L @ L.T), atol=1e-8)


def test_without_regularization_the_units_of_the_features_do_not_matter():
    """As long as nothing is clipped: the difference of inverses is that of the points in any units."""
    rng = np.random.default_rng(0)
    y = np.arange(60) // 5
    Z, A = (rng.normal(size=(12, 4)) * 4)[y] + rng.normal(size=(60, 4)), rng.normal(size=(4, 4))
    one, other = (KISSME_Supervised(regularization=0.0).fit(points, y) for points in (Z, Z @ A))
    np.testing.assert_allclose(
        other.transform(Z @ A)[0] @ other.transform(Z @ A)[1], one.transform(Z)[0] @ one.transform(Z)[1]
    )


def test_a_common_unit_does_not_matter():
    one, other = KISSME().fit(pairs, y), KISSME().fit(1e6 * pairs, y)
    np.testing.assert_allclose(other.pair_distance(1e6 * pairs), one.pair_distance(pairs), rtol=1e-7)


def test_directions_in_which_nothing_varies_have_no_weight():
    Z = np.hstack([X, np.zeros((45, 1))])
    M = KISSME_Supervised().fit(Z, classes).get_mahalanobis_matrix()
    np.testing.assert_allclose(M[-1], 0, atol=1e-10)


@pytest.mark.parametrize("n", [30, 40, 45, 60])
def test_about_as_many_samples_as_features_ruin_nothing(n):
    rng = np.random.default_rng(0)
    y, root = np.arange(n) % 5, np.geomspace(1.0, 0.3, 40) * (1 + np.arange(40) % 2)
    centers = rng.normal(size=(5, 40)) * 0.4
    Z, new = (centers[y] + rng.normal(size=(n, 40)) * root for _ in range(2))
    z, z_new = (KISSME_Supervised().fit(Z, y).transform(points) for points in (Z, new))
    plain, learned = (KNeighborsClassifier(1).fit(a, y).score(b, y) for a, b in ((Z, new), (z, z_new)))
    assert learned > plain


def test_singular_covariances_without_regularization_are_refused():
    flat = pairs * [1, 1, 1, 0]
    with pytest.raises(ValueError, match=r"regularization=0.0 leaves the scatter of the similar pairs singular; raise"):
        KISSME(regularization=0.0).fit(flat, y)
    with pytest.raises(ValueError, match="regularization"):
        KISSME(regularization=-1).fit(pairs, y)


def test_views_that_say_nothing_are_refused():
    learner = KISSME_Supervised()
    for view, message in [
        (np.zeros(45), "view has one value only, 0.0; leave it None"),
        ([None, *"ab" * 22], "view is None or NaN for 1 samples"),
        ([0, 1], "inconsistent"),
        (classes, "no similar pairs across views"),
    ]:
        with pytest.raises(ValueError, match=message):
            learner.fit(X, classes, view=view)


@pytest.mark.parametrize("params", [{}, {"n_components": 1}, {"regularization": 1e-6}], ids=str)
@pytest.mark.parametrize("spoil", SPOILS.values(), ids=SPOILS)
def test_hostile_data_give_a_finite_metric(spoil, params):
    spoilt = spoil(X)
    one_feature_counts = spoil is SPOILS["mixed scales"]  # in which these classes do not differ
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.warns(UserWarning, match="in no direction") if one_feature_counts else nullcontext():
            kissme = KISSME_Supervised(**params).fit(spoilt, classes[: len(spoilt)])
    assert np.isfinite(kissme.get_mahalanobis_matrix()).all()
    assert one_feature_counts or np.ptp(kissme.transform(spoilt), axis=0).any()
