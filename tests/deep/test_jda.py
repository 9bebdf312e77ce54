"""Joint distribution adaptation: the map is the formula, and target samples are labelled where classes moved."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import eigh
from sklearn.cluster import KMeans
from sklearn.neighbors import kneighbors_graph

from metricnets import DTML
from metricnets._numpy_networks import unit_norm
from metricnets._pseudo_labels import cluster_centers, cluster_shares, most_confident, smoothed, spread_shares
from metricnets.deep._dtml import PSEUDO_LABELS
from metricnets.deep._training.jda import RIDGE, discrepancy, jda, within_groups


@pytest.fixture
def domains():
    """Centred points of a source and a moved target, codes with some unknown in the target, and the source mask."""
    rng = np.random.default_rng(0)
    codes = rng.permutation(np.repeat([0, 1, 2], 20))
    X = (rng.normal(size=(60, 6)) + 3 * np.eye(6)[codes]) @ rng.normal(size=(6, 6))
    source = np.arange(60) < 35
    X[~source] += rng.normal(size=6)
    codes[50:] = -1
    return X - X.mean(axis=0), codes, source


def naive(Z, codes, source):
    """C and D, by loops."""
    C, n_known = np.zeros((Z.shape[1], Z.shape[1])), np.sum(codes >= 0)
    for domain in (source, ~source):
        for code in range(3):
            own = Z[domain & (codes == code)]
            C += sum(np.outer(z - own.mean(axis=0), z - own.mean(axis=0)) for z in own) / n_known
    gaps = [Z[source & (codes == c)].mean(axis=0) - Z[~source & (codes == c)].mean(axis=0) for c in range(3)]
    gap = Z[source].mean(axis=0) - Z[~source].mean(axis=0)
    return C, np.outer(gap, gap) + np.mean([np.outer(g, g) for g in gaps], axis=0)


def test_covariance_and_discrepancy_are_those_of_loops(domains):
    C, D = naive(*domains)
    assert_allclose(within_groups(*domains), C, rtol=1e-10)
    assert_allclose(discrepancy(*domains), D, rtol=1e-10)


def test_the_map_is_the_formula(domains):
    X, codes, source = domains
    components = jda(X, codes, source, 3)[0]
    gap = X[source].mean(axis=0) - X[~source].mean(axis=0)
    basis = np.linalg.svd(gap[None])[2][1:]  # any basis orthogonal to the gap gives the same map
    Z = unit_norm(X @ basis.T)
    B = sum(naive(Z, codes, source))
    B += RIDGE * np.trace(B) / 5 * np.eye(5)
    expected = eigh(np.cov(Z.T, bias=True), B)[1][:, ::-1][:, :3].T @ basis
    expected /= np.sqrt(np.mean((X @ expected.T) ** 2))
    assert_allclose(np.abs(components), np.abs(expected), atol=1e-9)


def test_domains_have_the_same_mean_in_it(domains):
    X, codes, source = domains
    Z = X @ jda(X, codes, source, 5)[0].T
    assert_allclose(Z[source].mean(axis=0), Z[~source].mean(axis=0), atol=1e-12)


def test_the_source_alone_has_nothing_to_align(domains):
    X, codes, _ = domains
    everything = np.ones(60, bool)
    components, labels = jda(X, np.where(codes < 0, 0, codes), everything, 9)
    assert not discrepancy(X, codes, everything).any()
    assert components.shape == (9, 6)
    assert np.linalg.matrix_rank(components) == 6
    assert_array_equal(labels, np.where(codes < 0, 0, codes))


def test_centers_are_those_of_k_means_and_one_without_samples_stays(domains):
    X, _, _ = domains
    expected = KMeans(3, init=X[:3], n_init=1, tol=0).fit(X).cluster_centers_
    assert_allclose(cluster_centers(X, X[:3]), expected)
    far = np.full((1, 6), 1e6)
    assert_array_equal(cluster_centers(X, np.vstack([X[:3], far]))[3:], far)


def test_smoothing_is_that_of_dense_matrices(domains):
    X, _, _ = domains
    P = np.random.default_rng(0).dirichlet(np.ones(3), size=60)
    G = kneighbors_graph(X, 4).toarray()
    G = np.maximum(G, G.T)
    S = G / np.sqrt(np.outer(G.sum(axis=1), G.sum(axis=1)))
    F = P
    for _ in range(30):
        F = 0.9 * S @ F + 0.1 * P
    assert_allclose(smoothed(P, X, 4), F / F.sum(axis=1, keepdims=True))
    assert_array_equal(smoothed(P[:1], X[:1], 0), P[:1])


@pytest.mark.parametrize("shares", [cluster_shares, spread_shares])
def test_shares_are_probabilities_whatever_the_codes_are_called(domains, shares):
    X, codes, _ = domains
    p = shares(X, codes)
    assert p.shape == (10, 3)
    assert_allclose(p.sum(axis=1), 1)
    renamed = np.where(codes < 0, -1, np.array([5, 2, 9])[codes])
    assert_allclose(shares(X, renamed), p[:, [1, 0, 2]], atol=1e-9)


def test_clusters_follow_classes_that_moved():
    """Two classes side by side, both of which moved by most of their distance: nearest means are wrong."""
    rng = np.random.default_rng(0)
    y = np.tile([0, 1], 100)
    X = np.column_stack([2.0 * y - 1, np.zeros(200)]) + rng.normal(size=(200, 2)) * 0.1
    X[100:, 0] += 0.9
    codes = np.where(np.arange(200) < 100, y, -1)
    means = np.array([X[codes == code].mean(axis=0) for code in (0, 1)])
    by_means = ((X[100:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
    assert np.mean(by_means == y[100:]) < 0.95
    assert_array_equal(most_confident(codes, cluster_shares(X, codes)), y)


def test_the_most_confident_of_each_class_are_labelled():
    codes = np.array([4, 7, -1, -1, -1, -1, -1])
    shares = np.array([[0.9, 0.1], [0.6, 0.4], [0.8, 0.2], [0.3, 0.7], [0.45, 0.55]])
    assert_array_equal(most_confident(codes, shares), [4, 7, 4, 4, 4, 7, 7])
    assert_array_equal(most_confident(codes, shares, 0.5), [4, 7, 4, -1, 4, 7, -1])


@pytest.mark.parametrize(("name", "shares"), PSEUDO_LABELS.items())
def test_dtml_starts_from_it_and_is_trained_once(domains, name, shares):
    X, codes, source = domains
    y, domain = np.where(source, codes, -1), np.where(source, 1, -1)
    params = {"lr": 1e-12, "max_epochs": 2, "n_rounds": 3, "n_components": 4, "device": "cpu", "random_state": 0}
    dtml = DTML(**params, init="jda", pseudo_labels=name).fit(X, y, sample_domain=domain)
    assert [record["round"] for record in dtml.history_] == [0, 0]
    scaled = ((X - X.mean(axis=0)) / np.sqrt(X.var(axis=0).mean())).astype(np.float32).astype(float)
    components, _ = jda(scaled, np.where(source, codes, -1), source, 4, n_rounds=3, shares=shares)
    assert_allclose(dtml.transform(X), unit_norm(scaled @ components.T), atol=1e-4)
