"""Agreement of the losses of ranks with pytorch-metric-learning, if installed."""

import numpy as np
import pytest
import torch

from metricnets import losses


def classes(sizes, seed=0):
    """Embeddings of classes of these sizes, rows in any order, and their relation."""
    rng = np.random.default_rng(seed)
    y = torch.tensor(rng.permutation(np.repeat(np.arange(len(sizes)), sizes)))
    z = torch.tensor(rng.normal(size=(len(y), 5)), requires_grad=True)
    return z, y, (y[:, None] == y).double().fill_diagonal_(torch.nan)


def assert_equal(ours, theirs, z, rtol=1e-9):
    torch.testing.assert_close(ours, theirs, rtol=rtol, atol=0)
    slopes = (torch.autograd.grad(loss, z)[0] for loss in (ours, theirs))
    torch.testing.assert_close(*slopes, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("n_bins", [1, 4, 10])
@pytest.mark.parametrize("sizes", [[4, 4, 4], [1, 2, 5, 9]], ids=["equal classes", "unequal classes"])
def test_fast_ap_agrees_with_pytorch_metric_learning(sizes, n_bins):
    pml_losses = pytest.importorskip("pytorch_metric_learning.losses")
    z, y, r = classes(sizes)
    assert_equal(losses.fast_ap(z, r, n_bins=n_bins), pml_losses.FastAPLoss(num_bins=n_bins)(z, y), z)


@pytest.mark.parametrize("temperature", [0.01, 0.2])
def test_smooth_ap_with_rows_similar_to_themselves_agrees_with_pytorch_metric_learning(temperature):
    """There a row is one of the samples that it should retrieve.

    Version 2.9 takes the number of rows of a class for the number of classes, so these have to be equal, and it wants
    rows sorted by classes of one size.  It computes in single precision.
    """
    pml_losses = pytest.importorskip("pytorch_metric_learning.losses")
    if not hasattr(pml_losses, "SmoothAPLoss"):
        pytest.skip("older versions have no SmoothAPLoss")
    z, y, r = classes([4, 4, 4, 4])
    order = y.argsort()
    reference = pml_losses.SmoothAPLoss(temperature=temperature)(z[order], y[order])
    ours = losses.smooth_ap(z, r.fill_diagonal_(1), temperature=temperature)
    assert_equal(ours.float(), reference, z, rtol=1e-6)
