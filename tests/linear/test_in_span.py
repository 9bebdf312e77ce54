"""Fewer rows than features: solvers work in the span of the rows, and find the metric that they find without it."""

import importlib

import numpy as np
import pytest
from discovery import ESTIMATORS

from metricnets import _linalg
from metricnets.linear import _lmnn
from metricnets.linear._pairwise import soft_neighbors

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
    "NCA": {"tol": 1e-9, "n_components": 35, "init": "identity", "max_iter": 500},
    "MLKR": {"tol": 1e-12, "n_components": 3, "init": "pca"},
}


def arguments(name):
    if name == "SCML":
        return (X[RNG.permutation(30)[:27].reshape(9, 3)],)
    if name == "ITML":
        rows = np.random.default_rng(1).integers(30, size=(200, 2))
        return X[rows], np.where(y[rows[:, 0]] == y[rows[:, 1]], 1, -1)
    return X, y


def everywhere(name, monkeypatch):
    """Let the solver work in all features."""
    module = soft_neighbors if name in ("NCA", "MLKR") else importlib.import_module(ESTIMATORS[name].__module__)
    if hasattr(module, "in_span"):
        monkeypatch.setattr(module, "in_span", lambda X: (X, None))
    else:
        logdet = importlib.import_module("metricnets.linear._solvers.logdet")
        found = logdet.minimize_logdet
        monkeypatch.setattr(logdet, "minimize_logdet", lambda *a, points, **more: found(*a, **more))


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("scale", [1, 1e-3])
def test_the_metric_is_the_same(name, scale, monkeypatch):
    data = arguments(name)
    data = data[0] * scale, *data[1:]
    within = ESTIMATORS[name](**EXACT[name]).fit(*data)
    everywhere(name, monkeypatch)
    full = ESTIMATORS[name](**EXACT[name]).fit(*data)
    for pairs in (PAIRS, NEW):
        np.testing.assert_allclose(within.pair_distance(pairs), full.pair_distance(pairs), rtol=1e-4)


@pytest.mark.parametrize("k", [40, 35, 10])
def test_large_margins_are_as_large(k, monkeypatch):
    """Many maps are equally good, and rounding decides between them: what is the same is the objective."""
    init, options = np.eye(k, 40), {"n_neighbors": 2, "mu": 0.5, "max_iter": 1000, "tol": 1e-7}
    lowest = []
    for in_span in (_lmnn.in_span, lambda X: (X, None)):
        monkeypatch.setattr(_lmnn, "in_span", in_span)
        reported = []
        L, _, converged = _lmnn.widen_margins(init, X - X.mean(axis=0), y, report=reported.append, **options)
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
