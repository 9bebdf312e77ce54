"""Networks that start at the points: distances are kept, and a few labels make them better."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.metrics import pairwise_distances
from sklearn.neighbors import KNeighborsClassifier

import metricnets as mn

ADAPTER = {"init": "identity", "loss": "npair", "n_components": 256, "hidden": (32,), "activation": "identity"}
NOT_TRAINED = {"init": "identity", "lr": 1e-12, "max_epochs": 1, "normalize": False, "random_state": 0}


@pytest.mark.parametrize("make", [mn.EmbeddingNet, mn.DDML, mn.HRAML])
@pytest.mark.parametrize("n", [12, 200])
@pytest.mark.parametrize("n_components", [30, 50])
def test_distances_start_at_those_of_the_points(make, n, n_components):
    rng = np.random.default_rng(0)
    X, unseen = rng.normal(size=(n, 30)) + 5, rng.normal(size=(20, 30))
    z = make(n_components=n_components, **NOT_TRAINED).fit(X, np.arange(n) % 3).transform(unseen)
    assert z.shape == (20, n_components)
    ratio = pairwise_distances(z) / (pairwise_distances(unseen) + np.eye(20))
    assert np.ptp(ratio[~np.eye(20, dtype=bool)]) < 1e-4 * ratio.max()


def test_fewer_components_are_the_principal_ones():
    X = load_digits().data[:200]
    z = mn.EmbeddingNet(n_components=8, **NOT_TRAINED).fit(X, load_digits().target[:200]).transform(X)
    expected = pairwise_distances(PCA(8).fit_transform(X))
    np.testing.assert_allclose(pairwise_distances(z) / z.std(), expected / PCA(8).fit_transform(X).std(), atol=1e-3)


def test_pairs_are_enough():
    X = np.random.default_rng(0).normal(size=(60, 10))
    X[30:] += 2
    members = np.random.default_rng(1).integers(0, 60, (80, 2))
    y = np.where((members[:, 0] < 30) == (members[:, 1] < 30), 1, -1)
    pairs = mn.DDMLPairs(init="identity", preprocessor=X, random_state=0).fit(members, y)
    assert pairs.score(members, y) > 0.95


@pytest.mark.parametrize("count", [2, 5, 10, 20])
def test_a_few_labels_are_enough_to_gain(count):
    X, y = load_digits(return_X_y=True)
    X = (X / np.linalg.norm(X, axis=1, keepdims=True)).astype(np.float32)
    gains = []
    for seed in range(5):
        rows = np.random.default_rng(seed).permutation(len(X))
        few = np.concatenate([rows[y[rows] == c][:count] for c in range(10)])
        rest = np.setdiff1d(rows, few)
        z = mn.EmbeddingNet(**ADAPTER, random_state=seed).fit(X[few], y[few]).transform(X)
        judges = [KNeighborsClassifier(1).fit(points[few], y[few]).score(points[rest], y[rest]) for points in (z, X)]
        gains.append(judges[0] - judges[1])
    assert np.mean(gains) > 0


def test_equal_points_are_kept_equal():
    X = np.ones((20, 4))
    z = mn.EmbeddingNet(**ADAPTER, random_state=0).fit(X, np.arange(20) % 2).transform(X)
    assert np.isfinite(z).all()
    assert np.ptp(z, axis=0).max() == 0


def test_what_did_not_vary_in_training_is_not_learned_from():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(12, 30)), np.arange(12) % 3
    outside = np.linalg.qr((X - X.mean(axis=0)).T, mode="complete")[0][:, 15]  # orthogonal to all differences
    net = mn.EmbeddingNet(**ADAPTER | {"normalize": False}, random_state=0).fit(X, y)
    shift = net.transform(X + outside) - net.transform(X)
    np.testing.assert_allclose(shift, np.broadcast_to(shift[0], shift.shape), atol=1e-5)
    start = mn.EmbeddingNet(**NOT_TRAINED | {"n_components": 256}).fit(X, y)
    assert np.linalg.norm(shift[0]) == pytest.approx(
        np.linalg.norm(start.transform(X[:1] + outside) - start.transform(X[:1])), rel=1e-3
    )
