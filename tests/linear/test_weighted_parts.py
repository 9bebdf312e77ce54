"""Weights in the functions of which linear learners consist: pairs, neighbours, objectives, starts, thresholds."""

from functools import partial

import numpy as np
import pytest
from discovery import SPOILS, tiny_points
from numpy.testing import assert_allclose
from scipy.sparse import csr_array

from metricnets import calibration
from metricnets._class_scatter import covariance, weighted_discriminants
from metricnets._initialization import initial_components
from metricnets._neighbors import counted_within, nearest_within
from metricnets._weighted_draws import weighted_pairs
from metricnets.linear import _mlkr, _nca, _raml
from metricnets.linear._pairwise.all_pairs import AllPairs
from metricnets.linear._pairwise.large_margins import LargeMargins, best_scale
from metricnets.linear._pairwise.near_pairs import NearPairs
from metricnets.linear._pairwise.soft_neighbors import dense_loss, soft_loss, sparse_loss

X, y = tiny_points()
W = np.random.default_rng(0).integers(0, 4, len(X))
REPEATED = np.repeat(np.arange(len(X)), W)


@pytest.mark.parametrize("n", [40, 12])
def test_the_regressions_of_raml_are_those_of_repeated_doublets(n):
    rng = np.random.default_rng(0)
    differences, g, weights = rng.normal(size=(n, 5)), rng.normal(size=n), rng.integers(1, 4, n)
    rows, shares = np.repeat(np.arange(n), weights), weights / weights.mean()
    svr = partial(_raml.support_vectors, alpha=0.3, epsilon=0.1, max_iter=100_000, tol=1e-8)
    for regress, atol in ((partial(_raml.ridge, alpha=0.3), 1e-9), (svr, 1e-6)):
        (M, b, *_), expected = regress(differences, g, shares), regress(differences[rows], g[rows])
        assert_allclose(M, expected[0], atol=atol)
        assert b == pytest.approx(expected[1], abs=atol)


@pytest.mark.parametrize("similar", [True, False])
def test_pairs_are_those_of_repeated_samples(similar):
    codes, weights = np.array([0, 1, 0, 1, 2, -1]), np.array([3.0, 2, 1, 1, 2, 4])
    rows = np.repeat(np.arange(6), weights.astype(int))
    i, j = np.triu_indices(len(rows), 1)
    known = (codes[rows[i]] >= 0) & (codes[rows[j]] >= 0) & ((codes[rows[i]] == codes[rows[j]]) == similar)
    expected = np.zeros((6, 6))
    np.add.at(expected, tuple(np.sort([rows[i[known]], rows[j[known]]], axis=0)), 1)
    pairs, counts = weighted_pairs(codes, weights, 1000, np.random.RandomState(0), similar=similar)
    found = np.zeros((6, 6))
    np.add.at(found, tuple(np.sort(pairs.T, axis=0)), counts)
    assert_allclose(found, expected)
    few, counts = weighted_pairs(codes, weights, 3, np.random.RandomState(0), similar=similar)
    assert_allclose(counts, 1)
    drawn = np.zeros((6, 6))
    for seed in range(1000):
        few, _ = weighted_pairs(codes, weights, 3, np.random.RandomState(seed), similar=similar)
        np.add.at(drawn, tuple(np.sort(few.T, axis=0)), 1)
    assert_allclose(drawn / drawn.sum(), expected / expected.sum(), atol=0.04)
    assert (drawn[expected == 0] == 0).all()


def test_light_samples_form_few_pairs():
    _, counts = weighted_pairs(np.repeat([0, 1], 50), np.full(100, 0.1), 200, np.random.RandomState(0), similar=False)
    assert_allclose(counts, 25 / 200)
    _, counts = weighted_pairs(np.repeat([0, 1], 5), np.full(10, 0.1), 200, np.random.RandomState(0), similar=True)
    assert_allclose(counts.sum(), 2 * 10 * 0.01)


@pytest.mark.parametrize("k", [1, 3, 5])
def test_the_objective_of_lmnn_is_that_of_repeated_samples(k):
    order = np.argsort(y[W > 0], kind="stable")
    Z, codes, weights = X[W > 0][order], y[W > 0][order], W[W > 0][order].astype(float)
    rows = np.repeat(np.arange(len(Z)), weights.astype(int))
    near, counts = counted_within(Z, codes, k, weights)
    assert_allclose(counts.sum(axis=1), k)
    loss = LargeMargins(Z, near, codes, 0.3, counts * weights[:, None], weights)
    near = nearest_within(Z[rows], codes[rows], k)
    expected = LargeMargins(Z[rows], near, codes[rows], 0.3)
    L = np.random.default_rng(0).normal(size=(2, 4))
    for found, right in zip(loss(L), expected(L)):
        assert_allclose(found, right, rtol=1e-9)
    assert loss.at_zero == pytest.approx(expected.at_zero)
    scale = best_scale(Z @ L.T, loss.near, codes, 0.3, loss.counts, weights, n_rows=1000)
    assert scale == pytest.approx(best_scale(Z[rows] @ L.T, near, codes[rows], 0.3, n_rows=1000))


def test_light_samples_have_more_targets():
    near, counts = counted_within(X, y, 2, np.full(45, 0.5))
    assert near.shape == (45, 4)
    assert_allclose(counts, 0.5)
    _, counts = counted_within(X, y, 2, np.full(45, 1e-6))
    assert counts.shape == (45, 8)


@pytest.mark.parametrize("scale", [0.3, 2.0, 40.0])
@pytest.mark.parametrize("loss", [_nca.ClassLoss, _mlkr.RegressionLoss])
def test_soft_neighbours_are_those_of_repeated_samples(loss, scale):
    order = np.argsort(y[W > 0], kind="stable")
    Z, targets, weights = X[W > 0][order], y[W > 0][order].astype(float), W[W > 0][order].astype(float)
    Z = Z - Z.mean(axis=0)
    rows, L = np.repeat(np.arange(len(Z)), weights.astype(int)), scale * np.eye(2, 4)
    n = len(rows)
    expected = dense_loss(loss(targets[rows]), L, Z[rows], Z[rows] @ L.T, AllPairs(n))
    near, every = NearPairs(len(Z), weights), AllPairs(len(Z), weights)
    found = [dense_loss(loss(targets, weights), L, Z, Z @ L.T, every)]
    found.append(soft_loss(loss(targets, weights), L, csr_array(Z), near, every))
    pairs = near(Z @ L.T)
    found += [] if pairs is None else [sparse_loss(loss(targets, weights), Z, Z @ L.T, *pairs, weights)]
    for value, gradient in found:
        assert value == pytest.approx(expected[0], rel=1e-8)
        assert_allclose(gradient, expected[1], rtol=1e-6, atol=1e-7 * scale)


@pytest.mark.parametrize("init", ["lda", "pca"])
@pytest.mark.parametrize("shift", [0, 1])
def test_initial_maps_are_those_of_repeated_samples(init, shift):
    wide = np.hstack([X, X**2, X**3])[:, : 12 if shift else 4]
    found = initial_components(init, 2, wide, y, None, np.maximum(W, 1.0))
    rows = np.repeat(np.arange(45), np.maximum(W, 1))
    expected = initial_components(init, 2, wide[rows], y[rows], None)
    assert_allclose(np.abs(found), np.abs(expected), rtol=1e-6, atol=1e-9)


def test_covariances_and_discriminants_of_spoilt_samples_are_finite():
    weights = np.random.default_rng(0).uniform(0.2, 3, 45)
    for spoil in SPOILS.values():
        Z = spoil(X)
        codes, w = np.arange(len(Z)) % 2, weights[: len(Z)]
        assert np.isfinite(covariance(Z, w, "auto")).all()
        assert np.isfinite(weighted_discriminants(Z, codes, w)).all()


def test_the_threshold_is_that_of_repeated_pairs():
    rng = np.random.default_rng(0)
    scores, signs, weights = rng.normal(size=60).round(1), rng.choice([-1, 1], 60), rng.integers(0, 4, 60)
    rows = np.repeat(np.arange(60), weights)
    for options in (
        {},
        {"strategy": "f_beta"},
        {"strategy": "max_tpr", "min_rate": 0.7},
        {"strategy": "max_tnr", "min_rate": 0.7},
    ):
        found = calibration.threshold(scores, signs, **options, sample_weight=weights)
        assert found == calibration.threshold(scores[rows], signs[rows], **options)
