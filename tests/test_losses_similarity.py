"""Circle and multi-similarity losses: constant weights, large scales, negatives and positives alone, messages."""

import numpy as np
import pytest
import torch
from test_losses import gradient, sample

from metricnets import losses
from metricnets.losses._ops import cosines


def test_circle_gradient_is_that_of_similarities_whose_weights_are_constants():
    z, r = sample(1)
    weights = cosines(z)

    def with_constant_weights(z):
        margin, scale, s = 0.25, 5.0, cosines(z)
        positives = torch.exp(-scale * (1 + margin - weights).clamp_min(0) * (s - 1 + margin)) * (r > 0.5)
        negatives = torch.exp(scale * (weights + margin).clamp_min(0) * (s - margin)) * (r <= 0.5)
        both = (r > 0.5).any(1) & (r <= 0.5).any(1)
        return torch.log1p(positives.sum(1) * negatives.sum(1))[both].mean()

    assert torch.autograd.gradcheck(with_constant_weights, z.clone().requires_grad_())
    z.requires_grad_()
    expected = torch.autograd.grad(with_constant_weights(z), z)[0]
    _, slope = gradient("circle", {"margin": 0.25, "scale": 5.0}, z.detach(), r)
    torch.testing.assert_close(slope, expected)


@pytest.mark.parametrize(("name", "options"), [("circle", {"scale": 1e4}), ("multi_similarity", {"beta": 1e4})])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_huge_scales_do_not_overflow(name, options, dtype):
    z, r = sample(dtype=dtype)
    value, slope = gradient(name, options, z, r)
    exact = getattr(losses, name)(z.double(), r.double(), **options)
    torch.testing.assert_close(value.double(), exact, rtol=1e-4, atol=0)
    assert slope.isfinite().all()


@pytest.mark.parametrize("name", ["circle", "multi_similarity", "supcon", "info_nce", "siglip"])
def test_losses_of_cosines_do_not_depend_on_norms(name):
    z, r = sample()
    norms = torch.tensor(10 ** np.random.default_rng(0).uniform(-5, 5, size=(len(z), 1)))
    torch.testing.assert_close(getattr(losses, name)(z * norms, r), getattr(losses, name)(z, r))


def test_cosines_of_rows_of_zeros_are_0_and_without_gradient():
    z = torch.tensor([[3.0, 4.0], [0.0, 0.0], [0.0, 2.0]], requires_grad=True)
    s = cosines(z)
    torch.testing.assert_close(s, torch.tensor([[1, 0, 0.8], [0, 0, 0], [0.8, 0, 1]]))
    s.sum().backward()
    assert not z.grad[1].any()
    assert z.grad[0].any()
