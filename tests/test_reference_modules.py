"""The losses that own parameters beside those of pytorch-metric-learning, with the same weights, where they coincide.

Where the definitions differ:

- ArcFace: its margin is in degrees, ours in radians; sub-centres are an option of ours and another class there.
- SphereFace: the same with the same factor, which is 1 there and 16 here by default.
- NormalizedSoftmax, ProxyNCA: its ``softmax_scale`` is our 1 / temperature, of squared distances.
- SoftTriple: the penalty on the centres of a class, of the paper, is not there; the same without it.
- Margin: without a penalty (ours is quadratic, theirs is ν β, of the paper), and with all triplets; its miner draws
  negatives by distance, ours all count with the probability of being drawn.
- Center, DeepID2, HierarchicalTriplet, ChiSquareVerification, L1Verification: not there.
- Rows of unknown class, which none of its losses has.
"""

import math

import pytest
import torch

from metricnets import losses

N_CLASSES, N_COMPONENTS = 4, 6
OF_CLASSES = {"num_classes": N_CLASSES, "embedding_size": N_COMPONENTS}
DEGREES = math.degrees(0.5)
CASES = {  # ours, its options, theirs, its options, the name of its weights, whether they are columns
    "cosface": ("CosFace", {}, "CosFaceLoss", {}, "W", True),
    "arcface": ("ArcFace", {}, "ArcFaceLoss", {"margin": DEGREES}, "W", True),
    "arcface, wide": ("ArcFace", {"margin": 2.0}, "ArcFaceLoss", {"margin": math.degrees(2.0)}, "W", True),
    "sub-centres": ("ArcFace", {"n_centers": 3}, "SubCenterArcFaceLoss", {"margin": DEGREES}, "W", True),
    "sphereface": ("SphereFace", {"scale": 1.0}, "SphereFaceLoss", {}, "W", True),
    "normalized softmax": ("NormalizedSoftmax", {}, "NormalizedSoftmaxLoss", {}, "W", True),
    "proxy nca": ("ProxyNCA", {"temperature": 1 / 9}, "ProxyNCALoss", {"softmax_scale": 9}, "proxies", False),
    "proxy anchor": ("ProxyAnchor", {}, "ProxyAnchorLoss", {}, "proxies", False),
    "soft triple": ("SoftTriple", {"weight": 0.0}, "SoftTripleLoss", {}, "fc", True),
}


@pytest.fixture
def theirs():
    return pytest.importorskip("pytorch_metric_learning.losses", reason="an optional peer")


def sample():
    generator = torch.Generator().manual_seed(0)
    z = torch.randn(24, N_COMPONENTS, dtype=torch.float64, generator=generator)
    return z.requires_grad_(), torch.arange(24) % 3  # a class has no row


@pytest.mark.filterwarnings("ignore:__array_wrap__ must accept")  # of its SphereFaceLoss
@pytest.mark.parametrize("case", CASES)
def test_value_gradient_and_logits_agree(theirs, case):
    name, options, their_name, their_options, weights, of_columns = CASES[case]
    ours = getattr(losses, name)(N_COMPONENTS, N_CLASSES, **options).double()
    reference = getattr(theirs, their_name)(**OF_CLASSES, **their_options).double()
    rows = ours.weight.detach().flatten(0, 1)
    getattr(reference, weights).data = rows.T.clone() if of_columns else rows.clone()
    z, codes = sample()
    value, expected = ours(z, codes), reference(z, codes)
    torch.testing.assert_close(value, expected, rtol=1e-5, atol=0)
    (slope, of_weights) = torch.autograd.grad(value, [z, ours.weight])
    (expected_slope, of_their_weights) = torch.autograd.grad(expected, [z, getattr(reference, weights)])
    torch.testing.assert_close(slope, expected_slope, rtol=1e-5, atol=1e-9)
    of_their_weights = of_their_weights.T if of_columns else of_their_weights
    torch.testing.assert_close(of_weights.flatten(0, 1), of_their_weights, rtol=1e-5, atol=1e-9)
    assert torch.equal(ours.logits(z).argmax(1), _nearest(reference, z))


def _nearest(reference, z):
    logits = reference.get_logits(z)
    if reference.__class__.__name__ == "ProxyNCALoss":
        logits = -logits  # distances
    return logits.unflatten(1, (N_CLASSES, -1)).amax(2).argmax(1)


@pytest.mark.parametrize("per_class", [False, True])
@pytest.mark.parametrize("gap", [0.1, 0.5])
def test_margin_agrees_on_all_triplets(theirs, gap, per_class):
    options = {"per_class": per_class, "weight": 0.0, "distance_weighted": False}
    ours = losses.Margin(N_COMPONENTS, N_CLASSES, margin=gap, **options).double()
    reference = theirs.MarginLoss(margin=gap, learn_beta=True, num_classes=N_CLASSES if per_class else None).double()
    ours.beta.data += torch.linspace(-0.3, 0.3, len(ours.beta))
    reference.beta.data = ours.beta.data.clone()
    z, codes = sample()
    value, expected = ours(z, codes), reference(z, codes)
    torch.testing.assert_close(value, expected, rtol=1e-5, atol=0)
    got, wanted = (torch.autograd.grad(v, [z, m.beta]) for v, m in ((value, ours), (expected, reference)))
    torch.testing.assert_close(got, wanted, rtol=1e-5, atol=1e-9)
