"""Marginal Fisher analysis against loops."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.linalg import eigh

from metricnets.tracking._marginal_fisher import marginal_fisher


def points(seed=0):
    rng = np.random.default_rng(seed)
    codes = np.repeat([0, 1], [12, 20])
    return rng.normal(size=(32, 5)) * [1, 2, 3, 1, 1] + np.outer(codes, [2, 0, 0, 0, 0]), codes


def naive_scatters(X, codes, n_within, n_between):
    scatters = []
    for same, k in ((True, n_within), (False, n_between)):
        differences = []
        for i in range(len(X)):
            others = [j for j in range(len(X)) if j != i and (codes[i] == codes[j]) == same]
            others.sort(key=lambda j: np.sum((X[i] - X[j]) ** 2))
            differences += [np.outer(X[i] - X[j], X[i] - X[j]) for j in others[:k]]
        scatters.append(np.mean(differences, axis=0))
    return scatters


def test_it_solves_the_generalised_eigenvalue_problem_of_naive_scatters():
    X, codes = points()
    S_c, S_b = naive_scatters(X, codes, 3, 4)
    S = 0.8 * S_c + 0.2 * np.trace(S_c) / 5 * np.eye(5)
    expected = eigh(S_b, S, eigvals_only=True)[::-1][:3]
    L = marginal_fisher(X, codes, n_within=3, n_between=4, n_components=3, shrinkage=0.2)
    assert_allclose(L @ S @ L.T, np.eye(3), atol=1e-4)
    assert_allclose(np.diag(L @ S_b @ L.T), expected, rtol=1e-4)


def test_the_first_direction_tells_the_classes_apart():
    X, codes = points()
    X[:, 0] *= 0.1
    L = marginal_fisher(X, codes, n_within=5, n_between=5, n_components=1, shrinkage=0.01)
    gap = np.subtract(*((X[codes == c] @ L[0]).mean() for c in (1, 0)))
    assert abs(gap) > 2 * (X[codes == 0] @ L[0]).std()


@pytest.mark.parametrize("X", [np.zeros((6, 4)), np.repeat([[0.0, 1], [2, 3]], 3, axis=0)])
def test_equal_points_are_no_error(X):
    L = marginal_fisher(X, np.repeat([0, 1], 3), n_within=2, n_between=2, n_components=2, shrinkage=0.1)
    assert np.isfinite(L).all()


def test_principal_components_of_some_samples_are_those_of_copies():
    X, codes = points()
    options = {"n_within": 3, "n_between": 4, "n_components": 2, "shrinkage": 0.2}
    all_of_them, some = (
        marginal_fisher(np.repeat(X, 2, axis=0), np.repeat(codes, 2), **options, n_rows=n) for n in (64, 32)
    )
    assert_allclose(some, all_of_them, atol=1e-5)
