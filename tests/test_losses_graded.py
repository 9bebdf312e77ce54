"""Losses of graded relations: known optima, ties, large scales, pairs known in one order, messages."""

import math

import numpy as np
import pytest
import torch
from test_losses import sample

from metricnets import losses

ORDERED = {"angle": losses.angle, "cosent": losses.cosent}
every_order = pytest.mark.parametrize("loss", ORDERED.values(), ids=ORDERED)


def on_a_line(positions):
    """Embeddings on a line, and a relation with distances squared in proportion to 1 − r."""
    z = torch.tensor(positions, dtype=torch.float64)[:, None]
    d2 = (z - z.T) ** 2
    return z, (1 - d2 / d2.max()).fill_diagonal_(torch.nan)


@every_order
def test_any_increasing_change_of_the_relation_changes_nothing(loss):
    z, r = sample()
    torch.testing.assert_close(loss(z, r.exp() - 3), loss(z, r), rtol=0, atol=0)


@every_order
def test_a_pair_known_in_one_order_of_its_rows_is_known(loss):
    z, r = sample()
    torch.testing.assert_close(loss(z, r.triu(1) + torch.full_like(r, torch.nan).tril()), loss(z, r))


@every_order
def test_pairs_of_one_grade_are_not_compared(loss):
    z, r = sample()
    z.requires_grad_()
    value = loss(z, torch.where(r == r, 0.3, torch.nan))
    value.backward()
    assert value.item() == 0
    assert not z.grad.any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_large_scales_do_not_overflow(dtype):
    z, r = sample(dtype=dtype)
    scale = 1e5
    z.requires_grad_()
    value = losses.cosent(z, r, scale=scale)
    value.backward()
    s = torch.nn.functional.cosine_similarity(z[:, None], z[None], dim=2)
    worst = max((s[r == low].max() - s[r > low].min()).item() for low in (0.0, 0.3, 0.7))
    assert value.item() == pytest.approx(scale * worst, rel=1e-4)
    assert z.grad.isfinite().all()


def test_cosent_of_a_relation_of_real_values_is_its_formula():
    rng = np.random.default_rng(0)
    z = torch.tensor(rng.normal(size=(40, 4)))
    r = torch.tensor(rng.random((40, 40)))
    r = ((r + r.T) / 2).fill_diagonal_(torch.nan)
    i, j = torch.triu_indices(40, 40, 1)
    s = 20 * torch.nn.functional.cosine_similarity(z[i], z[j])
    worse = (s[None] - s[:, None])[r[i, j][:, None] > r[i, j][None]]  # all comparisons of two pairs
    expected = torch.nn.functional.softplus(worse.logsumexp(0))
    torch.testing.assert_close(losses.cosent(z, r), expected)


def test_angle_appends_a_column_of_0():
    z, r = sample()
    padded = torch.cat([z, torch.zeros(len(z), 1)], 1)
    torch.testing.assert_close(losses.angle(z, r), losses.angle(padded, r), rtol=0, atol=0)


@pytest.mark.parametrize("factor", [1.0, 30.0])
def test_log_ratio_is_0_where_distances_are_in_proportion(factor):
    z, r = on_a_line([0.0, 1.0, 3.0, 7.0])
    assert losses.log_ratio(z * factor, r, epsilon=1e-12).item() == pytest.approx(0, abs=1e-12)


def test_log_ratio_of_classes_asks_for_the_ratio_epsilon():
    """One similar and one dissimilar sample: d² + ε should be as ε to 1 + ε."""
    epsilon = 0.01
    r = torch.tensor([[math.nan, 1.0, 0.0], [math.nan] * 3, [math.nan] * 3], dtype=torch.float64)
    for d2, expected in ((4.0, math.log((1 + epsilon) / (4 + epsilon) * (1 + epsilon) / epsilon) ** 2), (0.0, None)):
        z = torch.tensor([[0.0], [1.0 if d2 else 0.0], [max(d2, 1.0) ** 0.5]], dtype=torch.float64)
        assert losses.log_ratio(z, r, epsilon=epsilon).item() == pytest.approx(expected or 0, abs=1e-12)
