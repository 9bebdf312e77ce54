"""Losses of soft nearest neighbours: far samples, known values, graded relations."""

import pytest
import torch
from test_losses import gradient

from metricnets import losses


def three(grades):
    r = torch.tensor(grades, dtype=torch.float64)
    return torch.cat([torch.cat([torch.tensor([torch.nan]), r])[None], torch.full((2, 3), torch.nan)]).double()


@pytest.mark.parametrize("far", [1e1, 1e3, 1e6])
def test_neighborhood_pulls_positives_however_far(far):
    z = torch.tensor([[0.0], [far], [1.0]], dtype=torch.float64)
    value, slope = gradient("neighborhood", {}, z, three([1.0, 0.0]))
    assert value.item() == pytest.approx(far**2 - 1, rel=1e-9)
    assert slope[1].item() == pytest.approx(2 * far)


@pytest.mark.parametrize("n_classes", [2, 5])
def test_coincident_samples_have_neighbours_by_chance(n_classes):
    codes = torch.arange(20) % n_classes
    r = (codes[:, None] == codes).double().fill_diagonal_(torch.nan)
    share = torch.tensor((20 / n_classes - 1) / 19, dtype=torch.float64)
    z = torch.zeros(20, 2, dtype=torch.float64)
    torch.testing.assert_close(losses.neighborhood(z, r), -share.log())
    torch.testing.assert_close(losses.megm(z, r), (1 - share) ** 2)


def test_megm_is_half_the_squared_error_of_both_class_probabilities():
    z = torch.randn(12, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    onehot = torch.eye(2, dtype=torch.float64)[torch.arange(12) % 2]
    r = (onehot @ onehot.T).fill_diagonal_(torch.nan)
    weights = torch.exp(-(torch.cdist(z, z) ** 2)).fill_diagonal_(0)
    predicted = weights @ onehot / weights.sum(1, keepdim=True)
    torch.testing.assert_close(losses.megm(z, r), ((predicted - onehot) ** 2).sum(1).mean() / 2)


def test_megm_prefers_the_neighbour_of_the_larger_grade():
    z = torch.tensor([[0.0], [1.0], [-1.0]], dtype=torch.float64)
    value, slope = gradient("megm", {}, z, three([0.4, 0.2]))  # neither is similar
    assert value.item() == pytest.approx((1 - 0.3) ** 2)
    assert slope[1] > 0
    assert slope[2] > 0
