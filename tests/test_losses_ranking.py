"""Losses of ranks: measures that they become, sizes and order of classes, chunks, messages."""

import numpy as np
import pytest
import torch
from torch.nn.functional import normalize

from metricnets import losses
from metricnets.losses import _ranking
from metricnets.metrics import mean_average_precision

RANKING = {"fast_ap": losses.fast_ap, "recall_at_k": losses.recall_at_k, "smooth_ap": losses.smooth_ap}
every_loss = pytest.mark.parametrize("loss", RANKING.values(), ids=RANKING)


def unequal(seed=0):
    """Embeddings of classes of 1 to 6 rows, in any order, their classes and relation."""
    rng = np.random.default_rng(seed)
    y = torch.tensor(rng.permutation(np.repeat(np.arange(5), [1, 2, 3, 4, 6])))
    z = normalize(torch.tensor(rng.normal(size=(len(y), 4))))
    return z, y, (y[:, None] == y).double().fill_diagonal_(torch.nan)


def ranks_of_matches(z, y):
    """For each row with others of its class, their ranks by cosine."""
    for a in range(len(z)):
        others = sorted((j for j in range(len(z)) if j != a), key=lambda j: -(z[a] @ z[j]).item())
        ranks = [rank for rank, j in enumerate(others, 1) if y[j] == y[a]]
        if ranks:
            yield ranks


@pytest.mark.parametrize("seed", range(3))
def test_smooth_ap_at_a_low_temperature_is_the_mean_average_precision(seed):
    z, y, r = unequal(seed)
    expected = 1 - mean_average_precision(z.numpy(), y.numpy())
    assert losses.smooth_ap(z, r, temperature=1e-8).item() == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_fast_ap_is_the_average_precision_if_distances_are_at_edges(seed):
    rng = np.random.default_rng(seed)
    similar = rng.permutation([1.0] * 4 + [0.0] * 6)  # of the samples at 0.4, 0.8, … 4.0, where rows are retrieved
    cosine = torch.linspace(0.8, -1.0, 10, dtype=torch.float64)
    z = torch.cat([torch.tensor([[1.0, 0.0]]), torch.stack([cosine, (1 - cosine**2).sqrt()], 1)])
    r = torch.full((11, 11), torch.nan, dtype=torch.float64)
    r[0, 1:] = torch.tensor(similar)
    expected = np.mean((similar.cumsum() / np.arange(1, 11))[similar == 1])
    assert losses.fast_ap(z, r).item() == pytest.approx(1 - expected, abs=1e-9)


@pytest.mark.parametrize("k", [1, 3, 7])
def test_recall_at_k_at_low_temperatures_counts_ranks_below_k_and_half_of_rank_k(k):
    z, y, r = unequal()
    recalls = [
        sum(1.0 if rank < k else 0.5 for rank in ranks if rank <= k) / min(k, len(ranks))
        for ranks in ranks_of_matches(z, y)
    ]
    loss = losses.recall_at_k(z, r, ks=(k,), temperature=1e-8, cutoff_temperature=1e-4)
    assert loss.item() == pytest.approx(1 - np.mean(recalls), abs=1e-9)


@every_loss
def test_a_relation_without_dissimilar_samples_is_retrieved_at_best(loss):
    z, _, r = unequal()
    r = torch.where(r == 1, r, torch.nan)
    worse = loss(z, torch.where(r == 1, r, 0.0).fill_diagonal_(torch.nan))
    assert loss(z, r) < worse
    if loss is not losses.recall_at_k:
        assert loss(z, r).item() == 0


@every_loss
def test_only_the_direction_of_embeddings_matters(loss):
    z, _, r = unequal()
    lengths = torch.rand(len(z), 1, dtype=z.dtype, generator=torch.Generator().manual_seed(0)) + 0.1
    torch.testing.assert_close(loss(z * lengths, r), loss(z, r))


@pytest.mark.parametrize("loss", [losses.recall_at_k, losses.smooth_ap])
def test_chunks_change_nothing(loss, monkeypatch):
    z, _, r = unequal()
    results = []
    for chunk in (1, 40, 2**16):  # of one row, of a few, of all
        monkeypatch.setattr(_ranking, "CHUNK", chunk)
        leaf = z.clone().requires_grad_()
        value = loss(leaf, r, temperature=0.1)
        value.backward()
        results.append((value.detach(), leaf.grad))
    for result in results[1:]:
        torch.testing.assert_close(result, results[0])
