"""RAML: the regressions are the best of their objectives, doublets are contrasting neighbours, any relation will do."""

import tracemalloc
import warnings

import numpy as np
import pytest
from discovery import SPOILS, tiny_points
from scipy.optimize import minimize
from scipy.sparse import csr_array
from sklearn.exceptions import ConvergenceWarning
from sklearn.kernel_ridge import KernelRidge
from sklearn.svm import SVR

from metricnets import relations
from metricnets._targets import resolve
from metricnets.linear._raml import RAML, graded_doublets, ridge, support_vectors

X, classes = tiny_points()
rng = np.random.default_rng(0)
DIFFERENCES = rng.normal(size=(30, 4)) / 2
G = rng.normal(size=30)
FEATURES = np.array([np.outer(t, t).ravel() for t in DIFFERENCES])
SETS = (X[:, :3] + rng.normal(size=(45, 3)) / 2 > 1).astype(int)
SHARES = np.exp(X[:, :3]) / np.exp(X[:, :3]).sum(axis=1, keepdims=True)


def fit(X=X, y=classes, **params):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return RAML(**params).fit(X, y)


def centring(n):
    return np.eye(n) - 1 / n


# ------------------------------------------------------------------------------------------------
# The regressions.


@pytest.mark.parametrize("alpha", [1e-3, 0.1, 10.0])
@pytest.mark.parametrize("n", [6, 30], ids=["in doublets", "in entries"])
def test_ridge_is_least_squares_in_the_entries_of_the_matrix(n, alpha):
    M, b = ridge(DIFFERENCES[:n], G[:n], alpha=alpha)
    rows = np.vstack([np.c_[FEATURES[:n], np.ones(n)], np.sqrt(n * alpha) * np.eye(17)[:16]])
    expected = np.linalg.lstsq(rows, np.r_[G[:n], np.zeros(16)], rcond=None)[0]
    np.testing.assert_allclose(M, expected[:16].reshape(4, 4), atol=1e-9)
    assert b == pytest.approx(expected[16], abs=1e-9)


@pytest.mark.parametrize("n", [8, 30], ids=["in doublets", "in entries"])
def test_ridge_is_scikit_learns_on_the_centred_kernel(n):
    K = centring(n) @ (DIFFERENCES[:n] @ DIFFERENCES[:n].T) ** 2 @ centring(n)
    peer = KernelRidge(alpha=n * 0.05, kernel="precomputed").fit(K, G[:n] - G[:n].mean())
    expected = np.einsum("n,ni,nj->ij", peer.dual_coef_, DIFFERENCES[:n], DIFFERENCES[:n])
    np.testing.assert_allclose(ridge(DIFFERENCES[:n], G[:n], alpha=0.05)[0], expected, atol=1e-9)


def svr_objective(M, b, alpha, epsilon):
    errors = np.abs([t @ M @ t + b - g for t, g in zip(DIFFERENCES, G)])
    return 2 * np.mean(np.maximum(0, errors - epsilon)) + alpha * np.sum(M**2)


@pytest.mark.parametrize(("alpha", "epsilon"), [(0.01, 0.1), (0.1, 0.5), (1.0, 0.0)])
def test_svr_minimises_the_objective(alpha, epsilon):
    M, b, n_iter = support_vectors(DIFFERENCES, G, alpha=alpha, epsilon=epsilon, max_iter=100_000, tol=1e-8)
    n, F = len(G), np.c_[FEATURES, np.ones(30)]
    found = minimize(  # in the entries, the offset, and a slack for each doublet
        lambda v: alpha * v[:16] @ v[:16] + 2 * v[17:].mean(),
        np.r_[np.zeros(17), np.full(n, 5.0)],
        jac=lambda v: np.r_[2 * alpha * v[:16], 0, np.full(n, 2 / n)],
        bounds=[(None, None)] * 17 + [(0, None)] * n,
        constraints=[
            {"type": "ineq", "fun": lambda v, s=s: s * (G - F @ v[:17]) + epsilon + v[17:],
             "jac": lambda v, s=s: np.hstack([-s * F, np.eye(n)])} for s in (1, -1)
        ],
        method="SLSQP",
        options={"maxiter": 500, "ftol": 1e-13},
    )  # fmt: skip
    assert n_iter > 0
    assert svr_objective(M, b, alpha, epsilon) == pytest.approx(found.fun, rel=1e-6)


def test_svr_is_scikit_learns_on_flattened_products():
    M, b, _ = support_vectors(DIFFERENCES, G, alpha=0.1, epsilon=0.2, max_iter=100_000, tol=1e-8)
    peer = SVR(kernel="linear", C=1 / (30 * 0.1), epsilon=0.2, tol=1e-8).fit(FEATURES, G)
    np.testing.assert_allclose(M.ravel(), peer.coef_[0], atol=1e-5)
    assert b == pytest.approx(peer.intercept_[0], abs=1e-5)


@pytest.mark.parametrize(("solver", "alpha", "atol"), [("krr", 1e-10, 1e-6), ("svr", 1e-3, 0.02)])
@pytest.mark.parametrize("d", [2, 12], ids=["a plane", "a plane in 12 dimensions"])
def test_a_metric_that_explains_the_targets_is_found(solver, alpha, atol, d):
    """With y = Wx, a relation 1 − ‖y − y'‖² / c asks for M = WᵀW / c."""
    W = np.array([[1.0, 0.5], [-0.5, 2.0]])
    plane = rng.normal(size=(25, 2))
    A, y = plane @ np.linalg.qr(rng.normal(size=(d, 2)))[0].T, plane @ W.T
    largest = np.max(np.sum((y[:, None] - y) ** 2, axis=2))

    def relation(a, b):
        return 1 - np.sum((a[:, None] - b[None]) ** 2, axis=2) / largest

    raml = fit(A, y, solver=solver, relation=relation, alpha=alpha, epsilon=0.0, n_neighbors=24)
    z = raml.transform(A)
    expected = np.sum((y[:, None] - y) ** 2, axis=2) / largest
    np.testing.assert_allclose(np.sum((z[:, None] - z) ** 2, axis=2), expected, atol=atol)
    assert raml.bias_ == pytest.approx(0, abs=atol)


# ------------------------------------------------------------------------------------------------
# Doublets.


@pytest.mark.parametrize("k", [1, 3, 60])
@pytest.mark.parametrize(("y", "name"), [(classes, "auto"), (SETS, "jaccard"), (SHARES, "overlap")])
def test_doublets_are_the_nearest_of_the_more_and_of_the_less_alike(y, name, k):
    relation, targets, _ = resolve(y, name)
    r = np.array([[relation(targets[i : i + 1], targets[j : j + 1])[0, 0] for j in range(45)] for i in range(45)])
    mean = r[~np.eye(45, dtype=bool)].mean()
    expected = set()
    for i in range(45):
        near = sorted(set(range(45)) - {i}, key=lambda j, i=i: np.sum((X[i] - X[j]) ** 2))
        for side in ([j for j in near if r[i, j] > mean], [j for j in near if r[i, j] <= mean]):
            expected |= {(min(i, j), max(i, j)) for j in side[:k]}
    pairs, found = graded_doublets(X, targets, relation, k)
    assert len(pairs) == len(expected)
    assert {tuple(pair) for pair in pairs.tolist()} == expected
    np.testing.assert_array_equal(found, r[pairs[:, 0], pairs[:, 1]])


def test_of_classes_these_are_neighbours_of_the_same_and_of_other_classes():
    pairs, r = graded_doublets(X, classes, relations.same_class, 100)
    assert len(pairs) == 45 * 44 / 2
    np.testing.assert_array_equal(r, classes[pairs[:, 0]] == classes[pairs[:, 1]])


def test_rows_of_unknown_class_are_in_no_doublet():
    y = np.where(np.arange(45) < 30, classes, -1)
    known = fit(X[:30], classes[:30])
    partly = fit(X, y, relation="known_class")
    np.testing.assert_allclose(partly.get_mahalanobis_matrix(), known.get_mahalanobis_matrix(), atol=1e-9)


def test_too_many_doublets_are_drawn_from():
    few = [fit(max_doublets=40, random_state=seed).components_ for seed in (0, 0, 1)]
    np.testing.assert_array_equal(few[0], few[1])
    assert not np.allclose(few[0], few[2])
    np.testing.assert_array_equal(fit(random_state=0).components_, fit(random_state=1).components_)


# ------------------------------------------------------------------------------------------------
# The estimator.


def regression(y, name, **params):
    """What `fit` should find, from the functions above."""
    relation, targets, _ = resolve(np.asarray(y), name)
    pairs, r = graded_doublets(X - X.mean(axis=0), targets, relation, 5)
    differences, g = X[pairs[:, 0]] - X[pairs[:, 1]], 1 - r
    unit = np.sqrt(np.mean(np.sum(differences**2, axis=1)))
    M, b = ridge(differences / unit, (g - g.mean()) / g.std(), alpha=0.1)
    values, vectors = np.linalg.eigh(M)
    return g.std() * (vectors * np.maximum(values, 0)) @ vectors.T / unit**2, g.mean() + g.std() * b


@pytest.mark.parametrize(
    ("y", "name"),
    [(classes, "same_class"), (SETS, "jaccard"), (SETS, "hamming"), (SETS, "l1"), (SETS, "cosine"), (SHARES, "l1"),
     (SHARES, "overlap"), (SHARES, "hellinger"), (SHARES, "symmetric_kl"), (X[:, 0], "absolute")],
)  # fmt: skip
def test_the_metric_is_the_projection_of_the_regression(y, name):
    raml = fit(y=y, relation=name)
    M, b = regression(y, name)
    np.testing.assert_allclose(raml.get_mahalanobis_matrix(), M, atol=1e-9)
    assert raml.bias_ == pytest.approx(b)
    assert np.linalg.eigvalsh(raml.get_mahalanobis_matrix()).min() >= -1e-12


@pytest.mark.parametrize(
    ("y", "name"),
    [(np.array(["a", "b", "c"])[classes], "same_class"), (SETS, "jaccard"), (SHARES, "overlap"), (X[:, 0], "absolute")],
)
def test_auto_takes_the_relation_that_suits(y, name):
    np.testing.assert_array_equal(fit(y=y).components_, fit(y=y, relation=name).components_)


def test_hamming_is_l1_as_it_should_be():
    one, two = (fit(y=SETS, relation=name).components_ for name in ("hamming", "l1"))
    np.testing.assert_allclose(one, two, atol=1e-6)


@pytest.mark.parametrize("solver", ["krr", "svr"])
def test_the_scale_of_the_relation_makes_no_difference_but_of_scale(solver):
    def half(a, b):
        return 0.5 + relations.same_class(a, b) / 2

    whole, halved = (fit(relation=r, solver=solver, tol=1e-8) for r in (relations.same_class, half))
    np.testing.assert_allclose(halved.get_mahalanobis_matrix(), whole.get_mahalanobis_matrix() / 2, atol=1e-5)


@pytest.mark.parametrize("solver", ["krr", "svr"])
def test_unit_place_and_turn_of_the_points_change_no_distance(solver):
    Q = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0]
    before = fit(solver=solver, tol=1e-8).transform(X)
    expected = np.linalg.norm(before[:, None] - before, axis=2)
    for moved in (X * 1e-8, X * 1e8, X + 100, X @ Q):
        z = fit(moved, solver=solver, tol=1e-8).transform(moved)
        np.testing.assert_allclose(np.linalg.norm(z[:, None] - z, axis=2), expected, atol=1e-4)


def test_the_order_of_the_rows_makes_no_difference():
    order = np.random.default_rng(1).permutation(45)
    one, two = fit(y=SETS), fit(X[order], SETS[order])
    np.testing.assert_allclose(one.get_mahalanobis_matrix(), two.get_mahalanobis_matrix(), atol=1e-9)


@pytest.mark.parametrize("n_components", [None, 1, 3, 20, 60])
def test_many_features_are_learned_from_in_the_span_of_the_rows(n_components):
    wide = rng.normal(size=(20, 60))
    y = classes[:20]
    raml = fit(wide, y, n_components=n_components)
    turned = np.linalg.svd(wide - wide.mean(axis=0), full_matrices=False)  # the same points in 20 dimensions
    narrow = turned.U * turned.S
    few = fit(narrow, y, n_components=n_components and min(n_components, 20))
    expected = turned.Vh.T @ few.get_mahalanobis_matrix() @ turned.Vh
    np.testing.assert_allclose(raml.get_mahalanobis_matrix(), expected, atol=1e-9)
    assert raml.components_.shape == (n_components or 60, 60)
    if n_components is None:
        np.testing.assert_allclose(raml.components_, raml.components_.T, atol=1e-12)


def test_nothing_of_doublets_by_squared_features_is_made():
    wide = rng.normal(size=(300, 400))
    y = rng.integers(3, size=300)
    tracemalloc.start()
    raml = fit(wide, y, n_neighbors=1, n_components=2)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert raml.components_.shape == (2, 400)
    assert peak < 20e6  # 450 doublets of 400² features are 576 MB; their kernel is 2 MB


# ------------------------------------------------------------------------------------------------
# What is refused, and what is told.


def test_sparse_and_object_label_sets_are_label_sets():
    Y = rng.integers(2, size=(45, 3))
    for given in (csr_array(Y), Y.astype(object)):
        np.testing.assert_array_equal(RAML().fit(X, given).components_, RAML().fit(X, Y).components_)


@pytest.mark.parametrize("y", [np.zeros(45), np.arange(45)])
def test_targets_that_are_all_alike_or_all_different_are_refused(y):
    with pytest.raises(ValueError, match="y gives all pairs of samples the relation [01]; there is nothing to align"):
        RAML().fit(X, y)


def test_relations_of_other_targets_are_refused():
    with pytest.raises(ValueError, match="relation='jaccard' needs label sets"):
        RAML(relation="jaccard").fit(X, SHARES)
    with pytest.raises(ValueError, match="does not know what to do with y"):
        RAML().fit(X, np.round(SHARES * 10))


@pytest.mark.parametrize(
    ("relation", "message"),
    [(lambda a, b: np.ones(3), r"n x m array; got shape \(3,\)"), (lambda a, b: a[:, None] - b, "lie in .0, 1.")],
)
def test_relations_that_are_none_are_refused(relation, message):
    with pytest.raises(ValueError, match=message):
        RAML(relation=relation).fit(X, classes)


@pytest.mark.parametrize(
    "params",
    [{"solver": "ols"}, {"relation": "nearness"}, {"alpha": 0.0}, {"epsilon": -1.0}, {"n_neighbors": 0},
     {"max_doublets": 0}, {"max_iter": 0}, {"tol": 0.0}],
    ids=str,
)  # fmt: skip
def test_parameters_out_of_range_are_refused(params):
    with pytest.raises(ValueError, match=next(iter(params))):
        RAML(**params).fit(X, classes)


def test_too_few_steps_are_told():
    with pytest.warns(ConvergenceWarning, match="max_iter=5"):
        RAML(solver="svr", alpha=1e-6, max_iter=5).fit(X, classes)


def test_points_that_are_all_equal_leave_no_metric():
    with pytest.warns(UserWarning, match="the metric is 0"):
        raml = RAML().fit(X * 0 + 3, classes)
    assert not raml.components_.any()


@pytest.mark.filterwarnings("ignore:less similar samples")
@pytest.mark.parametrize(
    "params", [{}, {"n_components": 1}, {"alpha": 1e-12}, {"n_neighbors": 50}, {"solver": "svr"}], ids=str
)
@pytest.mark.parametrize("spoil", SPOILS.values(), ids=SPOILS)
def test_hostile_data_give_a_finite_metric(spoil, params):
    spoilt = spoil(X)
    raml = RAML(**params).fit(spoilt, classes[: len(spoilt)])
    assert np.isfinite(raml.get_mahalanobis_matrix()).all()
    assert np.isfinite(raml.transform(spoilt)).all()
