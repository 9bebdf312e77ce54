"""Agreement of losses of cosines, soft neighbours and views with pytorch-metric-learning, if installed.

MEGM and SigLIP have no peer there.  Where batches have anchors without positives or negatives, its means count them
in other ways: `circle` and `supcon` agree with its average of losses above 0, `multi_similarity` with its mean if each
anchor has a pair, and of `neighborhood` it leaves out anchors whose probability underflows.
"""

import pytest
import torch
from test_reference import embeddings

from metricnets import losses

pml_distances = pytest.importorskip("pytorch_metric_learning.distances", reason="an optional peer")
pml_losses = pytest.importorskip("pytorch_metric_learning.losses", reason="an optional peer")
pml_reducers = pytest.importorskip("pytorch_metric_learning.reducers", reason="an optional peer")

AGREES = {"rtol": 1e-5, "atol": 0}


def with_one_alone():
    z, labels, r = embeddings()
    labels, r = labels.clone(), r.clone()
    labels[0] = 99
    r[0, 1:] = r[1:, 0] = 0
    return z, labels, r


@pytest.mark.parametrize("batch", [embeddings, with_one_alone])
@pytest.mark.parametrize(("margin", "scale"), [(0.4, 80), (0.25, 5)])
def test_circle(batch, margin, scale):
    z, labels, r = batch()
    reference = pml_losses.CircleLoss(m=margin, gamma=scale)
    torch.testing.assert_close(losses.circle(z, r, margin=margin, scale=scale), reference(z, labels), **AGREES)


@pytest.mark.parametrize("batch", [embeddings, with_one_alone])
@pytest.mark.parametrize(("alpha", "beta", "base"), [(2, 50, 0.5), (18, 76, 0.77)])
def test_multi_similarity(batch, alpha, beta, base):
    z, labels, r = batch()
    reference = pml_losses.MultiSimilarityLoss(alpha=alpha, beta=beta, base=base)
    ours = losses.multi_similarity(z, r, alpha=alpha, beta=beta, threshold=base)
    torch.testing.assert_close(ours, reference(z, labels), **AGREES)


@pytest.mark.parametrize("batch", [embeddings, with_one_alone])
@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_supcon(batch, temperature):
    z, labels, r = batch()
    reference = pml_losses.SupConLoss(temperature=temperature)
    torch.testing.assert_close(losses.supcon(z, r, temperature=temperature), reference(z, labels), **AGREES)


@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_neighborhood_of_anchors_with_a_positive(temperature):
    z, labels, r = embeddings()
    distance = pml_distances.LpDistance(power=2, normalize_embeddings=False)
    reference = pml_losses.NCALoss(softmax_scale=1 / temperature, distance=distance)
    torch.testing.assert_close(losses.neighborhood(z, r, temperature=temperature), reference(z, labels), **AGREES)


def views():
    z = embeddings()[0][:44]
    things = torch.arange(22)
    r = (things.repeat(2)[:, None] == things.repeat(2)).double().fill_diagonal_(torch.nan)
    return z[:22], z[22:], things, torch.cat([z[:22], z[22:]]), r


@pytest.mark.parametrize("temperature", [0.05, 1.0])
def test_info_nce_is_the_mean_of_ntxent_in_both_directions(temperature):
    a, b, things, z, r = views()
    reference = pml_losses.NTXentLoss(temperature=temperature)
    same = things.clone()  # of the same tensor it would leave out the matches
    expected = (reference(a, things, ref_emb=b, ref_labels=same) + reference(b, things, ref_emb=a, ref_labels=same)) / 2
    torch.testing.assert_close(losses.info_nce(z, r, temperature=temperature), expected, **AGREES)


@pytest.mark.parametrize("weights", [(25, 25, 1), (3, 7, 0.5)])
def test_vicreg(weights):
    a, b, _, z, r = views()
    invariance, variance, covariance = weights
    reference = pml_losses.VICRegLoss(*weights)
    ours = losses.vicreg(z, r, invariance=invariance, variance=variance, covariance=covariance)
    torch.testing.assert_close(ours, reference(a, ref_emb=b), **AGREES)
