"""LDA: the optimum in closed form for every solver, and what remains of it where scatters are singular."""

import re
import warnings

import numpy as np
import pytest
from discovery import tiny_points
from scipy.linalg import eigh
from scipy.spatial.distance import pdist
from sklearn.covariance import EmpiricalCovariance, ledoit_wolf
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.preprocessing import StandardScaler

from metricnets import LDA

X, y = tiny_points()
SOLVERS = {
    "svd": {"solver": "svd"},
    "eigen": {"solver": "eigen"},
    "lsqr": {"solver": "lsqr"},
    "shrunk": {"solver": "eigen", "shrinkage": 0.4},
    "auto": {"solver": "lsqr", "shrinkage": "auto"},
    "estimator": {"solver": "eigen", "covariance_estimator": EmpiricalCovariance()},
}
# With the solver 'svd', old releases of scikit-learn divide S_w by n - n_classes, new ones by n.
SVD_UNBIASED = np.ptp(LinearDiscriminantAnalysis().fit_transform([[0.0], [2.0], [9.0], [11.0]], [0, 0, 1, 1])) < 9
every = pytest.mark.parametrize("params", SOLVERS.values(), ids=SOLVERS)


def covariance_of(rows, params):
    """Covariance of one class as the setting asks for it."""
    shrinkage = params.get("shrinkage")
    if shrinkage == "auto":
        scaler = StandardScaler().fit(rows)
        return scaler.scale_[:, None] * ledoit_wolf(scaler.transform(rows))[0] * scaler.scale_
    S = np.cov(rows.T, ddof=0)
    if shrinkage:
        S = (1 - shrinkage) * S + shrinkage * np.trace(S) / len(S) * np.eye(len(S))
    return S


def scatters(X, y, params, priors=None):
    """S_w, S_b and the class means, class by class."""
    classes = np.unique(y)
    priors = [np.mean(y == c) for c in classes] if priors is None else priors
    means = np.array([X[y == c].mean(axis=0) for c in classes])
    within = sum(p * covariance_of(X[y == c], params) for p, c in zip(priors, classes))
    if params["solver"] == "svd" and SVD_UNBIASED:
        within = within * len(X) / (len(X) - len(classes))
    deviations = means - np.dot(priors, means)
    return within, sum(p * np.outer(m, m) for p, m in zip(priors, deviations)), means


def fit(X, y, params, **more):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return LDA(**params, **more).fit(X, y)


@every
def test_the_rows_solve_the_generalised_eigenproblem(params):
    L = fit(X, y, params).components_
    within, between, _ = scatters(X, y, params)
    values = eigh(between, within, eigvals_only=True)[::-1]
    np.testing.assert_allclose(L @ within @ L.T, np.eye(2), atol=1e-8)
    np.testing.assert_allclose(L @ between @ L.T, np.diag(values[:2]), atol=1e-8)


@every
def test_class_means_are_as_far_apart_as_mahalanobis_says(params):
    within, _, means = scatters(X, y, params)
    lda = fit(X, y, params)
    for a, b in [(0, 1), (0, 2), (1, 2)]:
        expected = (means[a] - means[b]) @ np.linalg.solve(within, means[a] - means[b])
        assert lda.pair_distance(means[None, [a, b]])[0] ** 2 == pytest.approx(expected, rel=1e-6)


@every
def test_fewer_components_are_the_first_ones(params):
    np.testing.assert_array_equal(fit(X, y, params, n_components=1).components_, fit(X, y, params).components_[:1])


@pytest.mark.parametrize("solver", ["eigen", "lsqr"])
def test_priors_weigh_the_classes(solver):
    priors = [0.5, 0.1, 0.4]
    within, between, _ = scatters(X, y, {"solver": solver}, priors)
    L = fit(X, y, {"solver": solver}, priors=priors).components_
    np.testing.assert_allclose(L @ within @ L.T, np.eye(2), atol=1e-8)
    np.testing.assert_allclose(L @ between @ L.T, np.diag(eigh(between, within, eigvals_only=True)[:1:-1]), atol=1e-8)


def test_two_classes_have_one_direction():
    few = y < 2
    L = LDA().fit(X[few], y[few]).components_
    within, _, means = scatters(X[few], y[few], {"solver": "svd"})
    normal = np.linalg.solve(within, means[1] - means[0])
    assert abs(L[0] @ normal) == pytest.approx(np.linalg.norm(L) * np.linalg.norm(normal))


def test_more_classes_than_features_leave_all_features():
    assert LDA().fit(X[:, :2], np.arange(45) % 7).components_.shape == (2, 2)


SINGULAR = {
    "a column twice": lambda X: np.hstack([X, X[:, :1]]),
    "a constant column": lambda X: np.hstack([X, np.full((len(X), 1), 0.1)]),
    "a sum of columns": lambda X: np.hstack([X, X[:, :1] + X[:, 1:2]]),
}


def test_nearly_collinear_columns_keep_their_digits():
    near = np.hstack([X, X[:, :1] + 3e-4 * X[:, ::-1][:, :1] + 1e-4 * X[:, 1:2] ** 2])
    L = fit(near, y, {"solver": "svd"}, tol=1e-8).components_
    within, _, _ = scatters(near, y, {"solver": "svd"})
    np.testing.assert_allclose(L @ within @ L.T, np.eye(2), atol=1e-8)
    expected = LinearDiscriminantAnalysis(tol=1e-8).fit(near, y).transform(near)[:, :2]
    np.testing.assert_allclose(pdist(near @ L.T), pdist(expected), rtol=1e-7)


@pytest.mark.parametrize("solver", ["svd", "eigen", "lsqr"])
@pytest.mark.parametrize("widen", SINGULAR.values(), ids=SINGULAR)
def test_redundant_columns_change_no_distance(solver, widen):
    pairs = np.arange(44).reshape(22, 2)
    d = fit(X, y, {"solver": solver}).pair_distance(X[pairs])
    wide = fit(widen(X), y, {"solver": solver})
    assert wide.components_.shape == (2, 5)
    np.testing.assert_allclose(wide.pair_distance(widen(X)[pairs]), d, rtol=1e-6)


@every
@pytest.mark.parametrize("widen", SINGULAR.values(), ids=SINGULAR)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_with_redundant_columns_all_is_finite(params, widen, dtype):
    lda = fit(widen(X).astype(dtype), y, params)
    assert np.isfinite(lda.components_).all()
    assert lda.components_.dtype == dtype
    z = lda.transform(widen(X))
    assert np.abs(z).max() < 1e3
    assert len({tuple(row) for row in z}) == len(X)


@every
def test_more_columns_than_rows_separate_the_classes(params):
    rng = np.random.default_rng(0)
    wide = np.hstack([X, rng.normal(size=(45, 60))])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        lda = LDA(**params).fit(wide, y)
    wanted = [] if {"shrinkage", "covariance_estimator"} & set(params) else [r"42 degrees.* 64 features.*='auto'"]
    assert all(re.search(*pair) for pair in zip(wanted, [str(w.message) for w in caught], strict=True))
    z = lda.transform(wide)
    assert z.shape == (45, 2)
    assert np.isfinite(z).all()
    means = np.array([z[y == c].mean(axis=0) for c in range(3)])
    assert (np.argmin(np.linalg.norm(z[:, None] - means, axis=2), axis=1) == y).mean() > 0.9


@pytest.mark.parametrize("names", [["a"], [3]], ids=str)
def test_one_class_is_not_enough(names):
    with pytest.raises(ValueError, match=r"y has one class only.*at least two"):
        LDA().fit(X, np.repeat(names, 45))


def test_too_many_components_are_refused():
    with pytest.raises(ValueError, match=r"n_components=3 is more than min\(n_classes - 1, n_features\) = 2"):
        LDA(n_components=3).fit(X, y)


def test_real_targets_are_refused():
    with pytest.raises(ValueError, match="label type"):
        LDA().fit(X, y + 0.5 * X[:, 0])


@pytest.mark.filterwarnings("ignore:Only one sample available")  # scikit-learn's, for each such class
@pytest.mark.parametrize("solver", ["svd", "eigen"])
def test_a_class_of_one_row_does_no_harm(solver):
    lda = LDA(solver=solver).fit(X, np.r_[3, y[1:]])
    assert np.isfinite(lda.components_).all()
    assert lda.components_.shape == (3, 4)


@pytest.mark.parametrize("solver", ["svd", "eigen"])
def test_without_any_scatter_within_it_says_so(solver):
    with pytest.raises(ValueError, match="no class has two different samples"):
        LDA(solver=solver).fit(np.repeat(np.eye(3, 4), 5, axis=0), np.repeat([0, 1, 2], 5))
    with pytest.raises(ValueError, match="no class has two different samples"):
        LDA(solver=solver).fit(X[:4], [0, 1, 2, 3])
