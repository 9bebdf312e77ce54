"""Fewer rows than features: solvers work in the span of the rows, and find the metric that they find without it."""

import sys
from functools import partial

import numpy as np
import pytest
from discovery import ESTIMATORS

from metricnets import LFDA, Covariance, _linalg
from metricnets._weights import scatter
from metricnets.linear import _lmnn
from metricnets.linear._pairwise.differences import in_units, pair_differences
from metricnets.linear._solvers import graphical_lasso
from metricnets.linear._solvers.relevant_components import whitening, whitening_of_rows

RNG = np.random.default_rng(0)
y = np.arange(30) // 10
X = RNG.normal(size=(30, 40)) * np.geomspace(1, 5, 40) + 3 * np.eye(3, 40)[y]
PAIRS = np.stack([X[:-1], X[1:]], axis=1)
NEW = RNG.normal(size=(20, 2, 40))  # which differ across the span too
EXACT = {
    "SCML_Supervised": {"random_state": 0, "k_impostor": 5},
    "SCML": {"random_state": 0},
    "ITML_Supervised": {"random_state": 0, "tol": 1e-9},
    "ITML": {"tol": 1e-9},
    "LSML_Supervised": {"random_state": 0, "tol": 1e-9},
    "LDML_Supervised": {"random_state": 0, "tol": 1e-8},
    "RAML": {},
    "KISSME_Supervised": {},
    "KISSME": {},
    "XQDA": {},
    "DoubletSVM_Supervised": {},
    "NCA": {"tol": 1e-9, "n_components": 35, "init": "identity", "max_iter": 500},
    "MLKR": {"tol": 1e-12, "n_components": 3, "init": "pca"},
}


def arguments(name):
    if name == "SCML":
        return (X[RNG.permutation(30)[:27].reshape(9, 3)],)
    if name in ("ITML", "KISSME"):
        rows = np.random.default_rng(1).integers(30, size=(200, 2))
        return X[rows], np.where(y[rows[:, 0]] == y[rows[:, 1]], 1, -1)
    return X, y


def everywhere(monkeypatch):
    """Let the solvers work in all features."""
    for name, module in list(sys.modules.items()):
        if name.startswith("metricnets.linear.") and hasattr(module, "in_span"):
            monkeypatch.setattr(module, "in_span", lambda X: (X, None))


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("scale", [1, 1e-3])
def test_the_metric_is_the_same(name, scale, monkeypatch):
    data = arguments(name)
    data = data[0] * scale, *data[1:]
    within = ESTIMATORS[name](**EXACT[name]).fit(*data)
    everywhere(monkeypatch)
    full = ESTIMATORS[name](**EXACT[name]).fit(*data)
    for pairs in (PAIRS, NEW):
        np.testing.assert_allclose(within.pair_distance(pairs), full.pair_distance(pairs), rtol=1e-4)


M0 = (lambda A: A @ A.T / 60 + np.eye(60))(RNG.normal(size=(60, 60)))
WIDE = RNG.normal(size=(30, 60)) * np.geomspace(1, 3, 60) + 2 * np.eye(3, 60)[y]
ALL_PAIRS = np.stack(np.triu_indices(30, 1), axis=1)
PRIORS = {"identity": "identity", "random": "random", "given": M0}
SETTINGS = {
    **{("ITML", name): {"prior": prior, "tol": 1e-11, "gamma": 0.1} for name, prior in PRIORS.items()},
    **{("LSML", name): {"prior": prior, "tol": 1e-11} for name, prior in PRIORS.items()},
    **{("SDML", name): {"prior": prior, "sparsity_param": 1e-3} for name, prior in PRIORS.items()},
    **{("SDML", f"{name}, dense"): {"prior": prior, "sparsity_param": 0.0} for name, prior in PRIORS.items()},
    **{("MMC", name): {"init": prior, "tol": 1e-13} for name, prior in {**PRIORS, "covariance": "covariance"}.items()},
    **{("MMC", f"{share}"): {"shrinkage": share, "tol": 1e-13} for share in (0.01, 0.3, 1.0, None)},
    **{("MMC", f"diagonal, {name}"): {"diagonal": True, "init": prior, "tol": 1e-13} for name, prior in PRIORS.items()},
    ("GMML", "identity"): {"prior": "identity"},
    ("GMML", "near the end"): {"t": 0.9, "regularization": 1e-3},
    ("DMLEig", "default"): {"tol": 1e-9},
    ("DMLEig", "unregularized"): {"tol": 1e-9, "regularization": 0.0},
}


def fitted_to_wide(name, k, settings):
    """The metric of 30 points of 60 features, from all pairs or quadruplets."""
    cls = ESTIMATORS[name]
    seed = {"random_state": 0} if "random_state" in cls._get_param_names() else {}
    learner = cls(
        n_components=k, **{"max_iter": 5000} if "max_iter" in cls._get_param_names() else {}, **seed, **settings
    )
    if name.endswith("_Supervised"):
        return learner.fit(WIDE, y)
    same = y[ALL_PAIRS[:, 0]] == y[ALL_PAIRS[:, 1]]
    if name == "LSML":
        return learner.fit(WIDE[np.hstack([ALL_PAIRS[same], ALL_PAIRS[~same][: same.sum()]])])
    return learner.fit(WIDE[ALL_PAIRS], np.where(same, 1, -1))


@pytest.mark.parametrize("supervised", ["", "_Supervised"])
@pytest.mark.parametrize(("name", "what"), SETTINGS)
@pytest.mark.filterwarnings("ignore:the covariance of the points has rank")
def test_the_metric_is_that_of_all_features(name, what, supervised, monkeypatch):
    monkeypatch.setattr(graphical_lasso, "GAP", 1e-15)
    within = fitted_to_wide(name + supervised, None, SETTINGS[name, what])
    everywhere(monkeypatch)
    full = fitted_to_wide(name + supervised, None, SETTINGS[name, what])
    assert within.components_.shape == (60, 60)
    M, scale = full.get_mahalanobis_matrix(), np.abs(full.components_).max()
    np.testing.assert_allclose(within.get_mahalanobis_matrix(), M, rtol=1e-6, atol=1e-6 * np.abs(M).max())
    np.testing.assert_allclose(within.components_, full.components_, rtol=1e-3, atol=1e-3 * scale)


@pytest.mark.parametrize(("name", "what"), SETTINGS)
@pytest.mark.parametrize("k", [5, 58])
@pytest.mark.filterwarnings("ignore:the covariance of the points has rank")
def test_fewer_components_are_leading_eigenvectors(name, what, k):
    """In units of the features for DML-eig; among equal eigenvalues, as outside of the span, any will do."""
    learner = fitted_to_wide(name, None, SETTINGS[name, what])
    units = in_units(pair_differences(WIDE, ALL_PAIRS))[1] if name == "DMLEig" else np.ones(60)
    M = learner.get_mahalanobis_matrix() * np.outer(units, units)
    L = fitted_to_wide(name, k, SETTINGS[name, what]).components_ * units
    values = np.linalg.eigvalsh(M)[::-1][:k]
    np.testing.assert_allclose(L @ L.T, np.diag(values), atol=1e-8 * values[0])
    np.testing.assert_allclose(L @ M, values[:, None] * L, atol=1e-8 * values[0] ** 1.5)


def note(reported, value, L):
    reported.append(value)


@pytest.mark.parametrize("k", [40, 35, 10])
def test_large_margins_are_as_large(k, monkeypatch):
    """Many maps are equally good, and rounding decides between them: what is the same is the objective."""
    init, options = np.eye(k, 40), {"n_neighbors": 2, "mu": 0.5, "max_iter": 1000, "tol": 1e-7}
    lowest = []
    for in_span in (_lmnn.in_span, lambda X: (X, None)):
        monkeypatch.setattr(_lmnn, "in_span", in_span)
        reported = []
        report = partial(note, reported)
        L, _, converged = _lmnn.widen_margins(init, X - X.mean(axis=0), y, report=report, **options)
        assert converged
        assert L.shape == (k, 40)
        lowest.append(min(reported))
    assert lowest[0] == pytest.approx(lowest[1], rel=1e-4)


@pytest.mark.parametrize("k", [40, 35, 10])
def test_the_loss_of_large_margins_is_that_of_the_part_that_the_points_see(k):
    Z, basis = _lmnn.in_span(X - X.mean(axis=0))
    L = np.random.default_rng(0).normal(size=(k, 40)) / 10
    small, left, rest = _linalg.split(L, basis)
    np.testing.assert_allclose(left @ small @ basis.T + rest, L, atol=1e-12)
    np.testing.assert_allclose(rest @ (X - X.mean(axis=0)).T, 0, atol=1e-12)
    near = (np.arange(30)[:, None] + [3, 6]) % 30
    of_all, of_small = (_lmnn.LargeMargins(points, near, y, 0.5)(of) for points, of in ((Z @ basis.T, L), (Z, small)))
    assert of_small[0] == pytest.approx(of_all[0])
    np.testing.assert_allclose(left @ of_small[1] @ basis.T, of_all[1], atol=1e-9 * np.abs(of_all[1]).max())


OF_ONE_DIFFERENCE = [(name, {}) for name in ("MMC", "DMLEig", "SDML", "ITML", "GMML")] + [("MMC", {"diagonal": True})]


@pytest.mark.parametrize(("name", "params"), OF_ONE_DIFFERENCE)
def test_similar_differences_that_are_all_the_same_but_for_the_sign(name, params):
    """Then an estimated shrinkage may be below 0 by rounding."""
    for seed in range(60):
        X = np.random.default_rng(seed).normal(size=(3, 4 + seed % 9))
        for twice in ([0, 1], [1, 0]):
            pairs, same = X[[[0, 1], twice, [1, 2]]], [1, 1, -1]
            assert np.isfinite(ESTIMATORS[name](**params).fit(pairs, same).pair_distance(pairs)).all()


@pytest.mark.filterwarnings("ignore:the scatter within classes has")
@pytest.mark.parametrize("embedding_type", ["weighted", "plain"])
def test_local_discriminants_are_the_same(embedding_type, monkeypatch):
    constant = X * (np.arange(40) != 3)
    within = LFDA(embedding_type=embedding_type).fit(constant, y)
    everywhere(monkeypatch)
    full = LFDA(embedding_type=embedding_type).fit(constant, y)
    M = full.get_mahalanobis_matrix()
    np.testing.assert_allclose(within.get_mahalanobis_matrix(), M, atol=1e-6 * np.abs(M).max())


@pytest.mark.filterwarnings("ignore:the covariance of X has rank")
def test_a_covariance_of_few_rows_is_that_of_all_features():
    constant = X * (np.arange(40) != 3)
    W = _linalg.inverse_root_of_few(constant - constant.mean(axis=0)) * np.sqrt(29)
    expected = np.linalg.pinv(np.cov(constant.T), rcond=1e-10, hermitian=True)
    assert W.shape == (40, 29)
    for M in (W @ W.T, Covariance().fit(constant).get_mahalanobis_matrix()):
        np.testing.assert_allclose(M, expected, atol=1e-7 * np.abs(expected).max())
    values, vectors = np.linalg.eigh(np.cov(constant.T))
    L = Covariance(n_components=31).fit(constant).components_
    np.testing.assert_allclose(L[:5], with_signs(vectors[:, :-6:-1] / np.sqrt(values[:-6:-1])).T, atol=1e-8)
    assert not L[29:].any()


def with_signs(columns):
    return columns * np.sign(columns[np.abs(columns).argmax(axis=0), np.arange(columns.shape[1])])


@pytest.mark.parametrize("weights", [None, 1.0 + np.arange(30) % 3])
def test_whitening_few_rows_is_whitening_their_covariance(weights):
    Z = X * np.geomspace(1e-3, 1e3, 40) * (np.arange(40) != 3)
    Z = Z - np.average(Z, axis=0, weights=weights)
    (W, scales), (V, expected) = whitening_of_rows(Z, weights), whitening(scatter(Z, weights))
    np.testing.assert_allclose(scales, expected, rtol=1e-6)
    assert not W[3].any()
    np.testing.assert_allclose(W @ W.T, V @ V.T, rtol=1e-6, atol=1e-6 * np.abs(V @ V.T).max())


@pytest.mark.parametrize("k", [None, 5, 38])
def test_the_metric_of_a_tall_factor(k):
    W = RNG.normal(size=(40, 6))
    few, all_of_it = _linalg.components_of_root(W, k), _linalg.components_from_metric(W @ W.T, k)
    np.testing.assert_allclose(few, all_of_it, atol=1e-6)  # roots of the rounding errors of eigenvalues of 0
    assert _linalg.components_of_root(W[:, :0]).shape == (40, 40)
