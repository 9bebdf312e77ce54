"""Facts of the losses that compare pairs: binomial deviance, soft triplets, lifted structure, quadruplets, angular."""

import math

import numpy as np
import pytest
import torch
from test_losses import NAIVE, gradient, sample
from torch.nn.functional import normalize

from metricnets import losses


def half_known(r):
    """The same relation, of which every pair is known in one order only."""
    order = torch.tensor(np.random.default_rng(0).random(r.shape)).triu(1)
    return torch.where((order + (1 - order.T).tril(-1)) > 0.5, r, torch.nan)


@pytest.mark.parametrize("squared", [False, True])
def test_quadruplets_of_many_grades_equal_the_naive_loop(squared):
    """Every pair has a grade of its own, so that all digits of their ranks matter."""
    z, _ = sample(n=14)
    grades = torch.tensor(np.random.default_rng(0).permutation(14 * 14).reshape(14, 14) / 200).triu(1)
    r = (grades + grades.T).fill_diagonal_(torch.nan)
    expected = NAIVE["quadruplet"](z.numpy(), r.numpy(), margin=0.7, squared=squared)
    assert losses.quadruplet(z, r, margin=0.7, squared=squared).item() == pytest.approx(expected, rel=1e-9)


def test_quadruplet_tells_grades_apart_that_are_both_similar():
    z = torch.tensor([[0.0], [3.0], [10.0], [12.0]])
    r = torch.full((4, 4), torch.nan)
    r[0, 1], r[2, 3] = 1.0, 0.9
    assert losses.quadruplet(z, r, margin=0.5).item() == pytest.approx(0.5 + 3 - 2)


@pytest.mark.parametrize("name", ["quadruplet", "two_margin_quadruplet"])
def test_quadruplets_need_a_pair_in_one_order_only(name):
    z, r = sample()
    for value, expected in zip(gradient(name, {}, z, half_known(r)), gradient(name, {}, z, r), strict=True):
        torch.testing.assert_close(value, expected)


def test_without_quadruplets_of_four_samples_two_margins_leave_the_triplets():
    z, r = sample(n=3)
    r[:] = torch.nan
    r[0, 1] = r[1, 0] = 1
    r[0, 2] = r[2, 0] = r[1, 2] = r[2, 1] = 0
    value = losses.two_margin_quadruplet(z, r, margin=2.0, pair_margin=5.0)
    torch.testing.assert_close(value, losses.triplet(z, r, margin=2.0, reduction="all"))


@pytest.mark.parametrize(("name", "expected"), [("soft_triplet", math.log(2)), ("triplet_ratio", 0.25)])
@pytest.mark.parametrize("select", ["all", "hard"])
def test_collapsed_embeddings_have_a_known_loss(name, expected, select):
    z, r = sample()
    assert getattr(losses, name)(z * 0 + 0.3, r, select=select).item() == pytest.approx(expected)


@pytest.mark.parametrize("name", ["soft_triplet", "triplet_ratio"])
def test_an_unknown_selection_is_named(name):
    with pytest.raises(ValueError, match="select='semi-hard' is unknown; .* Did you mean 'semihard'?"):
        getattr(losses, name)(*sample(), select="semi-hard")


def test_generalized_lifted_far_apart_is_the_hardest_triplet():
    z, r = sample()
    far = losses.generalized_lifted(z * 1e5, r, margin=0.2)
    hardest = losses.triplet(z * 1e5, r, margin=0.2, select="hard", reduction="all")
    torch.testing.assert_close(far, hardest, rtol=1e-5, atol=0)


def test_lifted_far_apart_is_half_of_a_squared_hinge():
    z = torch.tensor([[0.0], [1e4], [1.5e4]])
    r = torch.tensor([[torch.nan, 1, 0], [1, torch.nan, 0], [0, 0, torch.nan]])
    assert losses.lifted(z, r).item() == pytest.approx((1e4 + 1 - 0.5e4) ** 2 / 2)


@pytest.mark.parametrize("options", [{}, {"sharpness": 9.0, "threshold": -0.2}])
def test_binomial_deviance_at_unit_norm_is_a_balanced_logistic_loss_of_pairs(options):
    z, r = sample()
    sharpness, threshold = options.get("sharpness", 2.0) / 2, options.get("threshold", 0.5)
    by_distances = losses.logistic_pair(
        normalize(z), r, margin=2 - 2 * threshold, gap=0, sharpness=sharpness, balanced=True
    )
    torch.testing.assert_close(losses.binomial_deviance(z, r, **options), 4 * sharpness * by_distances)


@pytest.mark.parametrize("name", ["angular", "binomial_deviance"])
def test_losses_of_angles_do_not_depend_on_norms_and_rows_of_zeros_stay(name):
    z, r = sample()
    z[2] = 0
    value, slope = gradient(name, {}, z, r)
    torch.testing.assert_close(gradient(name, {}, z * torch.arange(1, 10)[:, None], r)[0], value)
    assert not slope[2].any()
    torch.testing.assert_close((slope * z).sum(1), torch.zeros(9, dtype=z.dtype))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_angular_is_finite_at_angles_whose_tangents_are_large(dtype):
    value, slope = gradient("angular", {"angle": 89.9}, *sample(dtype=dtype))
    assert value.isfinite()
    assert slope.isfinite().all()


@pytest.mark.parametrize("reduction", ["active", "all"])
@pytest.mark.parametrize("select", ["all", "semihard"])
@pytest.mark.parametrize("margin", [0.0, 0.4, 3.0])
@pytest.mark.parametrize("squared", [False, True])
def test_triplets_that_are_many_are_summed_in_the_order_of_their_distances(
    squared, margin, select, reduction, monkeypatch
):
    z, r = sample()
    settings = {"squared": squared, "margin": margin, "select": select, "reduction": reduction}
    one_by_one = [gradient("triplet", settings, z, each) for each in (r, half_known(r), r[:5])]
    monkeypatch.setattr(losses._triplet, "MANY", 0)
    monkeypatch.setattr(losses._triplet, "triplets", None)
    for expected, relation in zip(one_by_one, (r, half_known(r), r[:5])):
        for found, value in zip(gradient("triplet", settings, z, relation), expected, strict=True):
            torch.testing.assert_close(found, value, rtol=1e-10, atol=1e-12)


def test_sums_of_sorted_distances_take_a_share_of_the_memory():
    z, r = sample(n=300)
    z, kept = z.float().requires_grad_(), []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda t: kept.append(t.numel() * t.element_size()) or t, lambda t: t
    ):
        value = losses.triplet(z, r)
    assert (r > 0.5).sum() * 300 > losses._triplet.MANY
    assert sum(kept) < 100 * 300**2
    value.backward()
    assert z.grad.dtype == torch.float32


@pytest.mark.parametrize("reduction", ["active", "all"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_counts_have_the_same_precision_in_blocks_with_many_triplets_and_with_few(dtype, reduction, monkeypatch):
    """As they are added, also over processes that have other blocks."""
    z, r = sample(dtype=dtype)
    found = []
    token = losses._ops.COUNTS.set(lambda count: found.append(count.dtype) or count)
    try:
        for many in (losses._triplet.MANY, 0):
            monkeypatch.setattr(losses._triplet, "MANY", many)
            assert losses.triplet(z, r, reduction=reduction).dtype == dtype
    finally:
        losses._ops.COUNTS.reset(token)
    assert found == [dtype, dtype]
