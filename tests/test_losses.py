"""Every loss of the catalogue against a naive loop, and the laws that all of them keep."""

import inspect
from itertools import product

import numpy as np
import pytest
import torch
from loss_references import joined
from loss_references.loops import mean

from metricnets import divergences, losses

DISCREPANCIES = ["linear_mmd", "multi_kernel_mmd"]

# ------------------------------------------------------------------------------------------------
# Naive references of discrepancies; those of losses are in loss_references.


def naive_linear_mmd(z_a, z_b):
    return np.sum((sum(z_a) / len(z_a) - sum(z_b) / len(z_b)) ** 2)


def naive_multi_kernel_mmd(z_a, z_b, widths=(0.25, 0.5, 1.0, 2.0, 4.0), s=None):
    everything = [*z_a, *z_b]
    s = mean([np.sum((u - v) ** 2) for u, v in product(everything, repeat=2)]) if s is None else s

    def kernel(u, v):
        return mean([np.exp(-np.sum((u - v) ** 2) / (w * s)) for w in widths])

    own_a, own_b, cross = (mean([kernel(u, v) for u, v in product(*ab)]) for ab in [(z_a, z_a), (z_b, z_b), (z_a, z_b)])
    return own_a + own_b - 2 * cross


NAIVE = joined("NAIVE") | {"linear_mmd": naive_linear_mmd, "multi_kernel_mmd": naive_multi_kernel_mmd}
OPTIONS = joined("OPTIONS") | {"multi_kernel_mmd": [{}, {"widths": (0.3, 3.0)}]}
NOT_OF_DISTANCES = joined("NOT_OF_DISTANCES")
NOT_OF_ANY_BASIS = joined("NOT_OF_ANY_BASIS")
TWO_VIEWS = joined("TWO_VIEWS")
NO_GRADCHECK = joined("NO_GRADCHECK") | {
    "multi_kernel_mmd": "its scale is taken as a constant; see test_multi_kernel_mmd_gradient"
}
RELATIONAL = [name for name, entry in losses.CATALOGUE.items() if not isinstance(entry.loss, type)]
FUNCTIONS = {name: getattr(losses, name) for name in RELATIONAL}
FUNCTIONS |= {name: getattr(divergences, name) for name in DISCREPANCIES}


def cases(names):
    return [
        pytest.param(name, options, id="-".join([name, *map(str, options.values())]))
        for name in names
        for options in OPTIONS.get(name, [{}])
    ]


def evaluate(name, options, *args):
    return FUNCTIONS[name](*args, **options)


def sample(seed=0, n=9, dtype=torch.float64):
    """Embeddings and a relation of grades, a third of it unknown; most rows i and n // 2 + i are similar."""
    rng = np.random.default_rng(seed)
    r = np.triu(rng.choice([0.0, 0.3, 0.7, 1.0, np.nan, np.nan], size=(n, n)), 1)
    first = np.arange(n // 2 - 1)
    r[first, n // 2 + first] = 1
    r += r.T
    np.fill_diagonal(r, np.nan)
    return torch.tensor(rng.normal(size=(n, 3)), dtype=dtype), torch.tensor(r, dtype=dtype)


def two_samples(seed=0, dtype=torch.float64):
    rng = np.random.default_rng(seed)
    return [torch.tensor(rng.normal(size=(n, 3)) + n / 5, dtype=dtype) for n in (4, 6)]


def gradient(name, options, z, *rest):
    z = z.clone().requires_grad_()
    loss = evaluate(name, options, z, *rest)
    loss.backward()
    return loss.detach(), z.grad


def reordered(name, n, rng):
    """Rows in random order; if there are two views, the views are swapped and matched rows stay matched."""
    if name not in TWO_VIEWS:
        return torch.tensor(rng.permutation(n))
    m = n // 2
    order = rng.permutation(m)
    return torch.tensor([*(m + order), *order, *range(2 * m, n)])


def rotation(dtype=torch.float64):
    return torch.linalg.qr(torch.tensor(np.random.default_rng(3).normal(size=(3, 3)), dtype=dtype))[0]


relational = pytest.mark.parametrize(("name", "options"), cases(RELATIONAL))
discrepancy = pytest.mark.parametrize(("name", "options"), cases(DISCREPANCIES))


# ------------------------------------------------------------------------------------------------
# The tables are complete.


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_loss_has_a_reference_and_every_option_is_varied(name):
    assert name in NAIVE
    parameters = inspect.signature(FUNCTIONS[name]).parameters.values()
    for option in (p for p in parameters if p.kind is p.KEYWORD_ONLY):
        tried = [options.get(option.name, option.default) for options in OPTIONS[name]]
        assert any(value != option.default for value in tried), option.name


def test_losses_are_functions_of_z_and_r():
    assert all(list(inspect.signature(FUNCTIONS[name]).parameters)[:2] == ["z", "r"] for name in RELATIONAL)
    assert [*losses.CATALOGUE] == sorted(losses.CATALOGUE)
    assert {*losses.__all__} >= {*RELATIONAL}


# ------------------------------------------------------------------------------------------------
# Losses of embeddings and a relation.


@relational
@pytest.mark.parametrize("seed", range(3))
def test_equals_the_naive_loop(name, options, seed):
    z, r = sample(seed)
    assert evaluate(name, options, z, r).item() == pytest.approx(NAIVE[name](z.numpy(), r.numpy(), **options), rel=1e-9)


@relational
@pytest.mark.parametrize("grade", [0.0, 1.0])
def test_pairs_of_one_kind_alone_equal_the_naive_loop(name, options, grade):
    z, r = sample()
    r[r == r] = grade
    value, slope = gradient(name, options, z, r)
    assert value.item() == pytest.approx(NAIVE[name](z.numpy(), r.numpy(), **options), rel=1e-9)
    assert slope.isfinite().all()


@relational
def test_gradient_is_the_numerical_one(name, options):
    if name in NO_GRADCHECK:
        pytest.skip(NO_GRADCHECK[name])
    z, r = sample(1)
    assert torch.autograd.gradcheck(lambda z: evaluate(name, options, z, r), z.requires_grad_())


@relational
def test_order_of_rows_does_not_matter(name, options):
    z, r = sample()
    p = reordered(name, len(z), np.random.default_rng(1))
    torch.testing.assert_close(evaluate(name, options, z[p], r[p][:, p]), evaluate(name, options, z, r))


@relational
def test_unknown_pairs_change_neither_value_nor_gradient(name, options):
    z, r = sample()
    n, strangers = len(z), torch.tensor([[0.1, 0.2, 0.3], [500.0, -1.0, 3.0]], dtype=z.dtype)
    m = n // 2 if name in TWO_VIEWS else 0  # strangers match each other
    rows = torch.tensor([*range(m), n, *range(m, 2 * m), n + 1, *range(2 * m, n)])
    wider = torch.full((n + 2, n + 2), torch.nan, dtype=r.dtype)
    wider[:n, :n] = r
    value, slope = gradient(name, options, torch.cat([z, strangers])[rows], wider[rows][:, rows])
    expected_value, expected_slope = gradient(name, options, z, r)
    torch.testing.assert_close(value, expected_value)
    torch.testing.assert_close(slope[rows < n], expected_slope)
    assert not slope[rows >= n].any()


@relational
@pytest.mark.parametrize("n", [1, 5])
def test_without_pairs_the_loss_is_0_and_has_a_graph(name, options, n):
    z = torch.ones(n, 3, requires_grad=True)
    loss = evaluate(name, options, z, torch.full((n, n), torch.nan))
    assert loss.item() == 0
    assert loss.shape == ()
    loss.backward()
    assert torch.equal(z.grad, torch.zeros(n, 3))


@relational
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("place", ["at 0", "at 7", "two places", "far apart"])
def test_value_and_gradient_are_finite(name, options, dtype, place):
    z, r = sample(dtype=dtype)
    places = {
        "at 0": z * 0,
        "at 7": z * 0 + 7.3,
        "two places": torch.where(torch.arange(len(z))[:, None] % 2 == 0, 0.3, -0.9).expand_as(z).to(dtype),
        "far apart": z * 1e4,
    }
    value, slope = gradient(name, options, places[place], r)
    assert value.isfinite()
    assert slope.isfinite().all()


@relational
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_precision_is_kept(name, options, dtype):
    z, r = sample(dtype=dtype)
    value, slope = gradient(name, options, z, r)
    assert value.dtype == slope.dtype == dtype
    exact = evaluate(name, options, *sample())
    torch.testing.assert_close(value.double(), exact, rtol=1e-4, atol=1e-6)


@relational
@pytest.mark.parametrize(("dtype", "offset"), [(torch.float64, 1e4), (torch.float32, 30.0)])
def test_translation_and_rotation_change_nothing(name, options, dtype, offset):
    z, r = sample(dtype=dtype)
    z = (z * 2**16).round() / 2**16  # so that the sum with the offset is exact
    tolerance = {"rtol": 1e-8, "atol": 1e-8} if dtype == torch.float64 else {"rtol": 1e-4, "atol": 1e-5}
    expected = evaluate(name, options, z, r)
    if name not in NOT_OF_ANY_BASIS:
        torch.testing.assert_close(evaluate(name, options, z @ rotation(dtype), r), expected, **tolerance)
    if name not in NOT_OF_DISTANCES:
        torch.testing.assert_close(evaluate(name, options, z + offset, r), expected, **tolerance)


@pytest.mark.parametrize(("margin", "gap"), [(1.0, 1.0), (0.5, 1.0), (3.0, -0.1)])
def test_logistic_pair_names_margin_and_gap(margin, gap):
    with pytest.raises(ValueError, match=f"gap={gap} should be at least 0 and below margin={margin}"):
        losses.logistic_pair(*sample(), margin=margin, gap=gap)


@pytest.mark.parametrize(("similar", "d2"), [(1.0, 1.25), (0.0, 1.75)])
def test_logistic_pair_asks_for_distances_on_either_side_of_the_gap(similar, d2):
    """At a sharpness without end the loss is a hinge, 0 where d² is beyond margin ∓ gap."""
    r = torch.tensor([[torch.nan, similar], [similar, torch.nan]], dtype=torch.float64)
    for closer, expected in ((0.01, 0.0), (-0.01, 0.005)):
        wanted = d2 - closer if similar else d2 + closer
        z = torch.tensor([[0.0], [wanted**0.5]], dtype=torch.float64)
        loss = losses.logistic_pair(z, r, margin=1.5, gap=0.25, sharpness=1e5)
        assert loss.item() == pytest.approx(expected, abs=1e-6)


def test_npair_is_0_for_anchors_without_negatives_and_counts_them():
    z, r = sample(n=4)
    r[:] = torch.nan
    r[0, 1] = r[1, 0] = r[2, 3] = r[3, 2] = 1
    r[0, 2] = 0  # the one anchor with a negative, of four
    value, slope = gradient("npair", {}, z, r)
    torch.testing.assert_close(value, torch.log1p(torch.exp((z[0] @ z[2] - z[0] @ z[1]) / 0.2)) / 4)
    assert slope.isfinite().all()
    assert not slope[3].any()


# ------------------------------------------------------------------------------------------------
# Discrepancies of two samples.


@discrepancy
@pytest.mark.parametrize("seed", range(3))
def test_discrepancy_equals_the_naive_loop(name, options, seed):
    z_a, z_b = two_samples(seed)
    expected = NAIVE[name](z_a.numpy(), z_b.numpy(), **options)
    assert evaluate(name, options, z_a, z_b).item() == pytest.approx(expected, rel=1e-9)


@discrepancy
def test_discrepancy_is_a_symmetric_function_of_the_two_sets(name, options):
    z_a, z_b = two_samples()
    value = evaluate(name, options, z_a, z_b)
    assert value > 0
    same = [(z_b, z_a), (z_a.flip(0), z_b), (z_a @ rotation(), z_b @ rotation()), (z_a + 1e3, z_b + 1e3)]
    for other_a, other_b in same:
        torch.testing.assert_close(evaluate(name, options, other_a, other_b), value, rtol=1e-7, atol=0)
    assert evaluate(name, options, z_a, z_a.flip(0)).item() == pytest.approx(0, abs=1e-12)


@discrepancy
def test_discrepancy_gradient_is_the_numerical_one(name, options):
    if name in NO_GRADCHECK:
        pytest.skip(NO_GRADCHECK[name])
    z_a, z_b = two_samples()
    assert torch.autograd.gradcheck(FUNCTIONS[name], (z_a.requires_grad_(), z_b.requires_grad_()))


@pytest.mark.parametrize("options", OPTIONS["multi_kernel_mmd"])
def test_multi_kernel_mmd_gradient(options):
    z_a, z_b = two_samples()
    _, slope = gradient("multi_kernel_mmd", options, z_a, z_b)
    s = torch.cdist(torch.cat([z_a, z_b]), torch.cat([z_a, z_b])).square().mean().item()
    step, numerical = 1e-6, torch.zeros_like(z_a)
    for place in np.ndindex(*z_a.shape):
        up, down = z_a.numpy().copy(), z_a.numpy().copy()
        up[place] += step
        down[place] -= step
        above, below = (naive_multi_kernel_mmd(moved, z_b.numpy(), **options, s=s) for moved in (up, down))
        numerical[place] = (above - below) / (2 * step)
    torch.testing.assert_close(slope, numerical, rtol=1e-5, atol=1e-8)


@discrepancy
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("place", [0.0, 7.3, 1e4])
@pytest.mark.parametrize("spread", [0.0, 1e-6, 1.0, 1e4])
def test_discrepancy_is_finite_and_keeps_the_precision(name, options, dtype, place, spread):
    z_a, z_b = (place + spread * z for z in two_samples(dtype=dtype))
    value, slope = gradient(name, options, z_a, z_b)
    assert value.dtype == slope.dtype == dtype
    assert value.isfinite()
    assert slope.isfinite().all()
