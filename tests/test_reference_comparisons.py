"""Losses that compare pairs beside those of pytorch-metric-learning, where the definitions coincide.

Binomial deviance, triplet ratio and quadruplets have no counterpart there.
"""

import pytest
import torch
from discovery import tiny_points

from metricnets import losses

pml_distances = pytest.importorskip("pytorch_metric_learning.distances")
pml_losses = pytest.importorskip("pytorch_metric_learning.losses")
pml_miners = pytest.importorskip("pytorch_metric_learning.miners")
pml_reducers = pytest.importorskip("pytorch_metric_learning.reducers")


def embeddings():
    X, y = tiny_points()
    z, labels = torch.tensor(X / 3), torch.tensor(y)
    return z, labels, (labels[:, None] == labels).double().fill_diagonal_(torch.nan)


def as_ours(power=1):
    """Distances of the embeddings as they are, and the mean over all that is compared."""
    distance = pml_distances.LpDistance(normalize_embeddings=False, power=power)
    return {"distance": distance, "reducer": pml_reducers.MeanReducer()}


def agree(ours, theirs):
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=0)


@pytest.mark.parametrize("squared", [False, True])
@pytest.mark.parametrize("select", ["all", "hard"])
def test_soft_triplet(select, squared):
    """Their semi-hard negatives are bounded by a margin, which the soft margin has not."""
    z, labels, r = embeddings()
    options = as_ours(power=2 if squared else 1)
    reference = pml_losses.TripletMarginLoss(margin=0, smooth_loss=True, **options)
    mined = pml_miners.BatchHardMiner(distance=options["distance"])(z, labels) if select == "hard" else None
    agree(losses.soft_triplet(z, r, select=select, squared=squared), reference(z, labels, mined))


@pytest.mark.parametrize(("margin", "pos_margin"), [(1.0, 0.0), (0.3, 0.0), (0.5, 0.2)])
def test_lifted(margin, pos_margin):
    z, labels, r = embeddings()
    reference = pml_losses.LiftedStructureLoss(margin, pos_margin, **as_ours())
    agree(losses.lifted(z, r, margin=margin - pos_margin), reference(z, labels))


@pytest.mark.parametrize(("margin", "pos_margin"), [(1.0, 0.0), (0.3, 0.0), (0.5, 0.2)])
def test_generalized_lifted(margin, pos_margin):
    """Where every anchor has positives and negatives: theirs also averages over those that have not."""
    z, labels, r = embeddings()
    reference = pml_losses.GeneralizedLiftedStructureLoss(margin, pos_margin, **as_ours())
    agree(losses.generalized_lifted(z, r, margin=margin - pos_margin), reference(z, labels))


@pytest.mark.parametrize("angle", [45.0, 36.0])
def test_angular(angle):
    """At unit norm: otherwise theirs scales anchors and positives, and not negatives."""
    z, labels, r = embeddings()
    reference = pml_losses.AngularLoss(alpha=angle)
    agree(losses.angular(z, r, angle=angle), reference(torch.nn.functional.normalize(z), labels))
