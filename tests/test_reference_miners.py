"""Agreement of the miners with those of pytorch-metric-learning, as sets of pairs.

Its miners of triplets (a, p, n) are compared by the pairs (a, p) and (a, n) of these triplets.  Not compared are
``moderate_positives`` and ``flip_positives``, which it does not have.  Its DistanceWeightedMiner draws a negative for
each positive, with replacement, and ours without, so only the first draw has the same distribution; and it draws the
positives too, which ours all keeps.
"""

import numpy as np
import pytest
import torch

from metricnets import miners

pml_miners = pytest.importorskip("pytorch_metric_learning.miners", reason="an optional peer")
pml_distances = pytest.importorskip("pytorch_metric_learning.distances")
EUCLIDEAN = pml_distances.LpDistance(normalize_embeddings=False)


def batch(seed=0, n=40, n_classes=7, k=6):
    rng = np.random.default_rng(seed)
    labels = torch.tensor(rng.integers(n_classes, size=n))
    z = torch.tensor(rng.normal(size=(n, k)) + rng.normal(size=(n_classes, k))[labels])
    r = (labels[:, None] == labels).double().fill_diagonal_(torch.nan)
    return z, labels, r


def pairs(r):
    return set(zip(*(index.tolist() for index in (r == r).nonzero(as_tuple=True))))


def theirs(miner, z, labels):
    """The pairs of the indices of a miner: (a, p, n), or (a, p) and (a, n)."""
    indices = [index.tolist() for index in miner(z, labels)]
    a, p, other, n = indices if len(indices) == 4 else (indices[0], indices[1], indices[0], indices[2])
    return set(zip(a, p)) | set(zip(other, n))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("ours", "options", "peer"),
    [
        ("hard", {}, lambda: pml_miners.BatchHardMiner(distance=EUCLIDEAN)),
        (
            "easy_positives",
            {"fraction": 1e-6},
            lambda: pml_miners.BatchEasyHardMiner(pos_strategy="easy", neg_strategy="all", distance=EUCLIDEAN),
        ),
        ("multi_similarity", {}, lambda: pml_miners.MultiSimilarityMiner()),
        ("multi_similarity", {"epsilon": 0.4}, lambda: pml_miners.MultiSimilarityMiner(epsilon=0.4)),
        ("angular", {}, lambda: pml_miners.AngularMiner()),
        ("angular", {"angle": 40}, lambda: pml_miners.AngularMiner(angle=40)),
        (
            "semi_hard",
            {"margin": 0.3},
            lambda: pml_miners.TripletMarginMiner(margin=0.3, type_of_triplets="semihard", distance=EUCLIDEAN),
        ),
    ],
    ids=lambda value: str(value) if isinstance(value, str | dict) else "",
)
def test_pairs_are_those_of_the_peer(ours, options, peer, seed):
    z, labels, r = batch(seed)
    found = pairs(getattr(miners, ours)(z, r, **options))
    assert found
    assert found == theirs(peer(), z, labels)


def test_first_negatives_are_drawn_with_the_probabilities_of_the_peer():
    z, labels, r = batch(n=12, n_classes=6, k=4)
    labels = torch.arange(12) // 2  # one positive each: one negative is drawn
    r = (labels[:, None] == labels).double().fill_diagonal_(torch.nan)
    n_draws, ours, peers = 3000, torch.zeros(12, 12), torch.zeros(12, 12)
    generator, peer = torch.Generator().manual_seed(0), pml_miners.DistanceWeightedMiner()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        for _ in range(n_draws):
            ours += miners.distance_weighted(z, r, generator=generator) == 0
            a, _, n = peer(z, labels)
            peers.index_put_((a, n), torch.ones(len(a)), accumulate=True)
    share = peers / peers.sum(1, keepdim=True).clamp_min(1)  # the peer draws as often as the class has rows
    assert ours.sum() > 0
    np.testing.assert_allclose(ours / n_draws, share, atol=0.04)
