"""Random hostile batches: every loss and divergence, in every precision, has a finite value and gradient.

``METRICNETS_CASES=1000 pytest tests/test_hostile_losses.py`` draws so many for each, instead of 40.
"""

import os

import numpy as np
import pytest
import torch
from test_losses import OPTIONS, RELATIONAL, cases, evaluate, gradient, sample

from metricnets import divergences, losses, relations
from metricnets._targets import CLASSES, DISTRIBUTIONS, check_pairs
from metricnets.networks import UnitNorm
from metricnets.relations import hamming, jaccard, known_class, same_class

N_CASES = int(os.environ.get("METRICNETS_CASES", 40))
# The largest coordinates of which squares of squares, and their sums, are numbers
LARGEST = {torch.float16: 4.5, torch.bfloat16: 7.0, torch.float32: 7.0, torch.float64: 60.0}
HALF = {torch.float16: 2e-3, torch.bfloat16: 2e-2}  # and how near gradients in them are to float32's

relational = pytest.mark.parametrize(("name", "options"), cases(RELATIONAL))
every_dtype = pytest.mark.parametrize("dtype", LARGEST, ids=str)


def hostile_batch(rng, dtype):
    """Embeddings and a relation, of few rows, at any scale, some of them coincident; and what they are."""
    n, d = int(rng.choice([0, 1, 2, 3, 9, 40])), int(rng.integers(1, 6))
    scale = 10 ** rng.uniform(-20 if dtype != torch.float16 else -7, LARGEST[dtype])
    z = rng.normal(size=(n, d)).clip(-1, 1) * scale + rng.choice([0, scale])
    place = rng.choice(["apart", "coincident", "two places", "at 0"])
    if place == "coincident" and n:
        z = z[np.zeros(n, int)]
    if place == "two places" and n:
        z = z[np.arange(n) % 2 * (n > 1)]
    z = z * (place != "at 0")
    values = {
        "grades": [0, 0.3, 0.5, 0.7, 1, np.nan], "classes": [0, 1], "one class": [1], "no positives": [0, 0.5],
        "unknown": [np.nan], "nearly unknown": [np.nan] * 20 + [0, 1],
    }  # fmt: skip
    kind = rng.choice(list(values))
    r = np.triu(rng.choice(np.array(values[kind], float), size=(n, n)), 1)
    r = np.where(np.eye(n) > 0, np.nan, r + r.T)
    return torch.tensor(z, dtype=dtype), torch.tensor(r, dtype=dtype), (n, d, f"{scale:.1e}", place, kind)


@every_dtype
@relational
def test_hostile_batches_give_a_finite_value_and_gradient(name, options, dtype):
    for case in range(N_CASES):
        z, r, how = hostile_batch(np.random.default_rng([case, *name.encode()]), dtype)
        value, slope = gradient(name, options, z, r)
        assert value.isfinite(), (case, how)
        assert slope.isfinite().all(), (case, how)
        assert slope.dtype == dtype
        if not (r == r).any():
            assert value == 0, (case, how)


@every_dtype
@pytest.mark.parametrize("name", ["linear_mmd", "multi_kernel_mmd", "class_discrepancy"])
def test_hostile_samples_give_a_finite_discrepancy(name, dtype):
    divergence = getattr(divergences, name)
    for case in range(N_CASES):
        rng = np.random.default_rng([case, *name.encode()])
        z, _, how = hostile_batch(rng, dtype)
        z.requires_grad_()
        n = rng.integers(len(z) + 1)  # 0: one of the samples is empty
        if name == "class_discrepancy":
            value = divergence(z, torch.tensor(rng.integers(-1, 3, size=len(z))), torch.arange(len(z)) < n)
        else:
            value = divergence(z[:n], z[n:])
        value.backward()
        assert value.shape == (), (case, how)
        assert value.isfinite(), (case, how)
        assert z.grad.isfinite().all(), (case, how)
        if name != "class_discrepancy" and n in (0, len(z)):
            assert value == 0, (case, how)


@pytest.mark.parametrize("dtype", HALF, ids=str)
@pytest.mark.parametrize("n", [8, 300])
@relational
def test_half_precision_is_near_single_precision(name, options, n, dtype):
    """From 256 rows on, sums over pairs do not fit into float16."""
    rng = np.random.default_rng(n)
    z = torch.tensor(rng.normal(size=(n, 8)), dtype=torch.float32).to(dtype)
    z[: n // 4] = z[0]  # coincident
    codes = torch.tensor(rng.integers(max(2, n // 8), size=n))
    r = (codes[:, None] == codes).to(dtype).fill_diagonal_(torch.nan)
    value, slope = gradient(name, options, z, r)
    expected, expected_slope = gradient(name, options, z.float(), r.float())
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, expected, rtol=1e-5, atol=1e-6)
    largest = expected_slope.abs().max().item()
    torch.testing.assert_close(slope.float(), expected_slope, rtol=HALF[dtype], atol=HALF[dtype] * largest + 1e-7)


@pytest.mark.parametrize("dtype", HALF, ids=str)
@pytest.mark.parametrize("name", ["linear_mmd", "multi_kernel_mmd"])
def test_discrepancies_in_half_precision_are_near_single_precision(name, dtype):
    rng = np.random.default_rng(0)
    parts = [torch.tensor(rng.normal(size=(n, 3)) + n / 100, dtype=dtype) for n in (200, 312)]
    for options in OPTIONS.get(name, [{}]):
        value, slope = gradient(name, options, *parts)
        expected, expected_slope = gradient(name, options, *(z.float() for z in parts))
        torch.testing.assert_close(value, expected)
        atol = HALF[dtype] * expected_slope.abs().max().item() + 1e-7
        torch.testing.assert_close(slope.float(), expected_slope, rtol=HALF[dtype], atol=atol)


@pytest.mark.parametrize("dtype", HALF, ids=str)
@pytest.mark.parametrize("scale", [0, 1e-4, 1.0, 6e4])
def test_unit_norm_in_half_precision(scale, dtype):
    z = torch.tensor(np.random.default_rng(0).normal(size=(20, 64)).clip(-1, 1) * scale, dtype=dtype)
    z.requires_grad_()
    unit = UnitNorm()(z)
    unit.square().sum().backward()
    assert unit.dtype == dtype
    torch.testing.assert_close(unit.float().norm(dim=1), torch.full((20,), float(scale > 0)), rtol=1e-2, atol=0)
    assert z.grad.isfinite().all()


@pytest.mark.parametrize("name", relations.NAMES)
@pytest.mark.parametrize("n", [0, 1, 2, 30])
def test_relations_of_few_or_empty_targets_stay_in_range(name, n):
    rng = np.random.default_rng(n)
    for rows in (np.zeros((n, 5)), np.eye(5)[rng.integers(5, size=n)], rng.dirichlet(np.full(5, 0.01), size=n)):
        if name in DISTRIBUTIONS and not rows.any():
            continue
        y = rows.argmax(axis=1) - 1 if name in CLASSES else rows
        for given in (y, torch.tensor(y), torch.tensor(y).float() if name not in CLASSES else torch.tensor(y)):
            r = np.asarray(getattr(relations, name)(given, given))
            assert r.shape == (n, n)
            known = r[~np.isnan(r)] if name == "known_class" else r
            assert (known >= -1e-6).all()
            assert (known <= 1 + 1e-6).all()


@relational
def test_the_precision_of_the_relation_may_be_another(name, options):
    z, r = sample()
    expected = evaluate(name, options, z, r.round())
    for dtype in (torch.float16, torch.float32):
        torch.testing.assert_close(evaluate(name, options, z, r.round().to(dtype)), expected)


@pytest.mark.parametrize("option", ["select", "reduction"])
def test_unknown_options_are_named_with_those_that_are_known(option):
    with pytest.raises(ValueError, match=f"{option}='semi-hard' is unknown; it should be one of 'a") as caught:
        losses.triplet(*sample(), **{option: "semi-hard"})
    assert ("Did you mean 'semihard'?" in str(caught.value)) == (option == "select")


def equal(y_a, y_b):
    return (y_a[:, None] == y_b[None, :]) * 1.0


PAIRS = {  # targets, whether some pair is similar, and whether some is not
    "classes": ([0, 0, 1], True, True),
    "one class": ([0, 0, 0], True, False),
    "all alone": ([0, 1, 2], False, True),
    "one row": ([0], False, False),
    "one large class and others alone": ([0] * 100 + list(range(1, 51)), True, True),
    "a thousand classes with one pair": ([*range(1000), 5], True, True),
}


@pytest.mark.parametrize("tensor", [False, True], ids=["NumPy", "PyTorch"])
@pytest.mark.parametrize("function", [None, equal], ids=["codes", "function"])
@pytest.mark.parametrize(("targets", "similar", "dissimilar"), PAIRS.values(), ids=PAIRS)
def test_a_missing_kind_of_pair_is_said(targets, similar, dissimilar, function, tensor):

    targets = torch.tensor(targets) if tensor else np.array(targets)
    arguments = function or same_class, targets, function or "same_class"
    if similar and dissimilar:
        check_pairs(*arguments)
        return
    with pytest.raises(ValueError, match=f"no {'dissimilar' if similar else 'similar'} pair in y.*relation="):
        check_pairs(*arguments)


def test_unknown_rows_make_no_pairs_and_sparse_label_sets_are_never_dissimilar_by_hamming():

    with pytest.raises(ValueError, match="no similar pair in the rows held back"):
        check_pairs(known_class, np.array([-1, -1, 0, 1]), "known_class", where="the rows held back")
    sets = (np.random.default_rng(0).random((300, 40)) < 0.05) * 1.0
    check_pairs(jaccard, sets, "jaccard")
    with pytest.raises(ValueError, match=r"no dissimilar pair in y, .* by relation='hamming'.*'jaccard'"):
        check_pairs(hamming, sets, "hamming")
