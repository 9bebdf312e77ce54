"""Easy positives: which similar samples count, and that classes may consist of several clusters."""

import numpy as np
import pytest
import torch
from sklearn.datasets import make_circles, make_classification
from sklearn.neighbors import KNeighborsClassifier

import metricnets as mn
from metricnets.miners import easy_positives
from metricnets.networks import Residual


def batch(n=24, n_classes=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    y = torch.arange(n) % n_classes
    r = (y[:, None] == y).float().fill_diagonal_(torch.nan)
    return torch.randn(n, 5, generator=generator), r


@pytest.mark.parametrize("fraction", [0.01, 0.25, 0.5, 0.9])
def test_the_nearest_share_of_the_similar_samples_is_kept(fraction):
    z, r = batch()
    kept = easy_positives(z, r, fraction=fraction)
    for i in range(len(z)):
        similar = np.flatnonzero((r[i] == 1).numpy())
        distances = (z[i] - z[similar]).norm(dim=1)
        nearest = similar[np.argsort(distances.numpy())[: int(np.ceil(fraction * len(similar)))]]
        assert set(np.flatnonzero((kept[i] == 1).numpy())) == set(nearest)
        assert (kept[i] == 0).equal(r[i] == 0)


def test_a_sample_without_similar_ones_keeps_its_negatives():
    z, r = batch(n=6, n_classes=6)
    kept = easy_positives(z, r)
    assert torch.equal(kept.nan_to_num(-1), r.nan_to_num(-1))


def clusters(seed):
    return make_classification(
        900, 20, n_informative=10, n_redundant=0, n_classes=4, n_clusters_per_class=2, random_state=seed
    )


def circles(seed):
    X, y = make_circles(900, noise=0.1, factor=0.5, random_state=seed)
    return np.c_[X, 0.3 * np.random.default_rng(seed).normal(size=(900, 8))], y


LEARNERS = {
    "triplet": mn.EmbeddingNet(random_state=0),
    "npair": mn.EmbeddingNet(loss="npair", random_state=0),
    "DDML": mn.DDML(random_state=0),
    "Mahalanobis": mn.Mahalanobis(random_state=0),
}


@pytest.mark.parametrize("made", [clusters, circles], ids=["clusters", "circles"])
@pytest.mark.parametrize("name", LEARNERS)
def test_training_gains_on_the_start_and_on_the_points_where_classes_have_several_clusters(name, made):
    X, y = made(0)
    points, unseen = X[:600], X[600:]
    learner = LEARNERS[name].fit(points, y[:600])

    def accuracy(embed):
        return KNeighborsClassifier(3).fit(embed(points), y[:600]).score(embed(unseen), y[600:])

    trained, raw = accuracy(learner.transform), accuracy(np.asarray)
    (residual,) = (part for part in learner.module_.modules() if isinstance(part, Residual))
    torch.nn.init.zeros_([p for p in residual.network.parameters() if p.ndim == 2][-1])
    with torch.no_grad():
        start = accuracy(lambda X: learner.module_(torch.from_numpy(X.astype(np.float32))).numpy())
    assert trained > raw - 0.005
    assert trained >= start
