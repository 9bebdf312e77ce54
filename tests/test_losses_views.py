"""Losses of two views: what counts as a pair, duplicates, relations that are not symmetric."""

import pytest
import torch
from test_losses import gradient, sample

from metricnets import losses

M = 4


def matched():
    """Embeddings of two views of four things, all different, and their relation."""
    z = sample(n=2 * M)[0]
    r = torch.eye(M, dtype=z.dtype).repeat(2, 2).fill_diagonal_(torch.nan)
    return z, r


def test_info_nce_is_the_cross_entropy_of_both_directions():
    z, r = matched()
    unit = torch.nn.functional.normalize(z)
    logits = unit[:M] @ unit[M:].T / 0.05
    targets = torch.arange(M)
    expected = torch.nn.functional.cross_entropy(logits, targets) + torch.nn.functional.cross_entropy(logits.T, targets)
    torch.testing.assert_close(losses.info_nce(z, r), expected / 2)


def test_siglip_is_the_log_sigmoid_of_all_pairs_for_each_row():
    z, r = matched()
    unit = torch.nn.functional.normalize(z)
    signs = 2 * torch.eye(M, dtype=z.dtype) - 1
    expected = -torch.nn.functional.logsigmoid(signs * (10 * unit[:M] @ unit[M:].T - 10)).sum() / M
    torch.testing.assert_close(losses.siglip(z, r), expected)


@pytest.mark.parametrize("name", ["info_nce", "siglip"])
def test_duplicates_are_no_negatives(name):
    z, r = matched()
    z[1], z[M + 1] = z[0], z[M]
    with_negatives, _ = gradient(name, {}, z, r)
    unknown = r.clone()
    for i, j in ((0, M + 1), (1, M)):
        r[i, j] = r[j, i] = 1.0
        unknown[i, j] = unknown[j, i] = torch.nan
    value, slope = gradient(name, {}, z, r)
    assert value < with_negatives
    expected, expected_slope = gradient(name, {}, z, unknown)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(slope, expected_slope)


@pytest.mark.parametrize("name", ["info_nce", "siglip", "vicreg"])
def test_pairs_of_one_view_do_not_count(name):
    z, r = matched()
    value = getattr(losses, name)(z, r)
    r[:M, :M] = 1 - r[:M, :M]
    r[M:, M:] = torch.nan
    torch.testing.assert_close(getattr(losses, name)(z, r), value)


@pytest.mark.parametrize("name", ["info_nce", "siglip", "vicreg"])
@pytest.mark.parametrize("grade", [0.5, torch.nan])
def test_matches_that_are_not_similar_are_neither_positives_nor_negatives(name, grade):
    z, r = matched()
    left, right = torch.arange(M), torch.arange(M, 2 * M)
    r[:] = torch.nan
    r[left, right] = r[right, left] = grade
    value, slope = gradient(name, {}, z, r)
    assert value == 0
    assert not slope.any()


def test_vicreg_of_views_with_unit_variance_and_without_correlation_is_the_invariance():
    signs = torch.tensor([[1.0, 1], [1, -1], [-1, 1], [-1, -1]], dtype=torch.float64)
    r = matched()[1]
    torch.testing.assert_close(losses.vicreg(torch.cat([signs, signs]), r), torch.zeros((), dtype=torch.float64))
    shifted = losses.vicreg(torch.cat([signs, signs + 0.2]), r, invariance=3.0)
    assert shifted.item() == pytest.approx(3 * 0.04)


def test_vicreg_of_collapsed_views_has_the_variance_alone():
    z, r = matched()
    assert losses.vicreg(z * 0, r).item() == pytest.approx(25 * (1 - 0.01))
