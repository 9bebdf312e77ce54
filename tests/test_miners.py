"""Every miner against a naive loop, and the laws that all of them keep; miners by name in a fit."""

import inspect
from itertools import product

import numpy as np
import pytest
import torch
from discovery import quick, tiny_points
from sklearn.base import clone
from test_hostile_losses import LARGEST, N_CASES, hostile_batch
from test_losses import rotation, sample

from metricnets import losses, miners
from metricnets.miners import distance_weighted, flip_positives

# ------------------------------------------------------------------------------------------------
# Naive references: loops over anchors, pairs and triplets, that return the pairs that are kept.


def anchors(r):
    """Each anchor with its positives and its negatives."""
    for a, row in enumerate(r):
        yield a, np.flatnonzero(row > 0.5), np.flatnonzero(row <= 0.5)


def distance(u, v):
    return np.sqrt(np.sum((u - v) ** 2))


def cosine(u, v):
    return u @ v / np.sqrt(u @ u) / np.sqrt(v @ v)


def of_triplets(r, is_chosen):
    """The pairs (a, p) and (a, n) of the chosen triplets."""
    chosen = [(a, p, n) for a, pos, neg in anchors(r) for p, n in product(pos, neg) if is_chosen(a, p, n)]
    return {(a, p) for a, p, _ in chosen} | {(a, n) for a, _, n in chosen}


def naive_hard(z, r):
    kept = set()
    for a, pos, neg in anchors(r):
        if len(pos) and len(neg):
            kept |= {(a, max(pos, key=lambda p: distance(z[a], z[p])))}
            kept |= {(a, min(neg, key=lambda n: distance(z[a], z[n])))}
    return kept


def naive_moderate_positives(z, r):
    kept = set()
    for a, pos, neg in anchors(r):
        if len(pos) and len(neg):
            by_distance = sorted(pos, key=lambda p: distance(z[a], z[p]))
            nearest = min(neg, key=lambda n: distance(z[a], z[n]))
            moderate = [p for p in by_distance if distance(z[a], z[p]) <= distance(z[a], z[nearest])]
            kept |= {(a, nearest), (a, (moderate or by_distance[:1])[-1])}
    return kept


def naive_easy_positives(z, r, fraction=0.25):
    kept = set()
    for a, pos, neg in anchors(r):
        by_distance = sorted(pos, key=lambda p: distance(z[a], z[p]))
        kept |= {(a, p) for p in by_distance[: int(np.ceil(fraction * len(pos)))]} | {(a, n) for n in neg}
    return kept


def naive_semi_hard(z, r, margin=0.2):
    return of_triplets(r, lambda a, p, n: 0 < distance(z[a], z[n]) - distance(z[a], z[p]) < margin)


def naive_multi_similarity(z, r, epsilon=0.1):
    kept = set()
    for a, pos, neg in anchors(r):
        s_p, s_n = ({j: cosine(z[a], z[j]) for j in js} for js in (pos, neg))
        kept |= {(a, n) for n in neg if len(pos) and s_n[n] + epsilon > min(s_p.values())}
        kept |= {(a, p) for p in pos if len(neg) and s_p[p] - epsilon < max(s_n.values())}
    return kept


def naive_angular(z, r, angle=20.0):
    def is_chosen(a, p, n):
        center = (z[a] + z[p]) / 2
        return np.degrees(np.arctan(distance(z[a], z[p]) / (2 * distance(z[n], center)))) > angle

    return of_triplets(r, is_chosen)


def naive_distance_weighted(z, r, cutoff=0.5, nonzero_loss_cutoff=1.4, draws=None):
    """The draws u choose by their largest log w − log(−log u)."""
    kept, k = set(), z.shape[1]
    for a, pos, neg in anchors(r):
        keys = {}
        for n in neg:
            d = np.sqrt(2 - 2 * cosine(z[a], z[n]))
            if d < nonzero_loss_cutoff:
                d = max(d, cutoff)
                density = d ** (k - 2) * (1 - d**2 / 4) ** ((k - 3) / 2)
                keys[n] = -np.log(density) - np.log(-np.log(draws[a, n]))
        if len(pos) and keys:
            drawn = sorted(keys, key=keys.get)[::-1][: len(pos)]
            kept |= {(a, p) for p in pos} | {(a, n) for n in drawn}
    return kept


NAIVE = {
    "angular": naive_angular,
    "distance_weighted": naive_distance_weighted,
    "easy_positives": naive_easy_positives,
    "hard": naive_hard,
    "moderate_positives": naive_moderate_positives,
    "multi_similarity": naive_multi_similarity,
    "semi_hard": naive_semi_hard,
}
OPTIONS = {
    "angular": [{}, {"angle": 50.0}],
    "distance_weighted": [{}, {"cutoff": 0.9, "nonzero_loss_cutoff": 1.9}],
    "easy_positives": [{}, {"fraction": 0.6}],
    "flip_positives": [{}, {"probability": 0.7}],
    "multi_similarity": [{}, {"epsilon": -0.2}],
    "semi_hard": [{}, {"margin": 2.0}],
}
RANDOM = ("distance_weighted", "flip_positives")
OF_ANGLES = ("multi_similarity", "distance_weighted")  # of unit norm: a translation changes them
CHANGES = ("flip_positives",)  # not only forget

cases = pytest.mark.parametrize(
    ("name", "options"),
    [
        pytest.param(name, options, id="-".join([name, *map(str, options.values())]))
        for name in miners.__all__
        for options in OPTIONS.get(name, [{}])
    ],
)


def mined(name, options, z, r, seed=0):
    random = {"generator": torch.Generator().manual_seed(seed)} if name in RANDOM else {}
    return getattr(miners, name)(z, r, **random, **options)


def draws(n, seed=0):
    return torch.rand(n, n, generator=torch.Generator().manual_seed(seed)).numpy()


def pairs(r):
    return set(zip(*(index.tolist() for index in (r == r).nonzero(as_tuple=True))))


def same(a, b):
    torch.testing.assert_close(a, b, rtol=0, atol=0, equal_nan=True)


# ------------------------------------------------------------------------------------------------
# Laws.


def test_every_miner_has_a_reference_and_every_option_is_varied():
    assert sorted([*NAIVE, *CHANGES]) == miners.__all__ == sorted(miners.__all__)
    for name in miners.__all__:
        first, second, *others = inspect.signature(getattr(miners, name)).parameters.values()
        assert (first.name, second.name) == ("z", "r")
        assert all(p.kind is p.KEYWORD_ONLY for p in others)
        for option in others:
            tried = [options.get(option.name, option.default) for options in OPTIONS[name]]
            assert option.name == "generator" or any(value != option.default for value in tried)


@cases
@pytest.mark.parametrize("seed", range(4))
def test_equals_the_naive_loop(name, options, seed):
    if name in CHANGES:
        pytest.skip("see test_flips_are_those_of_the_draws")
    z, r = sample(seed, n=14)
    random = {"draws": draws(14)} if name in RANDOM else {}
    kept = pairs(mined(name, options, z, r))
    assert kept == NAIVE[name](z.numpy(), r.numpy(), **options, **random)
    assert kept or name == "semi_hard"


@cases
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_forgets_pairs_and_changes_neither_arguments_nor_precision(name, options, dtype):
    z, r = sample(n=14, dtype=dtype)
    z.requires_grad_()
    before = r.clone()
    found = mined(name, options, z, r)
    assert found.dtype == dtype
    assert not found.requires_grad
    assert found is not r
    same(r, before)
    kept = found == found
    if name not in CHANGES:
        assert torch.equal(found[kept], r[kept])
    assert found[r != r].isnan().all()


@cases
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_precision_hardly_matters(name, options, dtype):
    z, r = sample(n=14, dtype=dtype)
    exact = mined(name, options, z.double(), r.double())
    same(mined(name, options, z, r).double(), exact)
    same(mined(name, options, z, r.double()), exact)


@cases
def test_order_of_rows_does_not_matter(name, options):
    if name in RANDOM:
        pytest.skip("another order has other draws")
    z, r = sample(n=14)
    p = torch.tensor(np.random.default_rng(1).permutation(len(z)))
    same(mined(name, options, z[p], r[p][:, p]), mined(name, options, z, r)[p][:, p])


@cases
def test_rotation_and_scale_or_translation_change_nothing(name, options):
    z, r = sample(n=14)
    expected = mined(name, options, z, r)
    same(mined(name, options, z @ rotation() * (5 if name in OF_ANGLES else 1), r), expected)
    if name not in OF_ANGLES:
        same(mined(name, options, z + 100, r), expected)


@cases
def test_strangers_of_unknown_relation_change_nothing(name, options):
    if name in RANDOM:
        pytest.skip("more rows have other draws")
    z, r = sample()
    n, strangers = len(z), torch.tensor([[0.1, 0.2, 0.3], [500.0, -1.0, 3.0]], dtype=z.dtype)
    wider = torch.full((n + 2, n + 2), torch.nan, dtype=r.dtype)
    wider[:n, :n] = r
    found = mined(name, options, torch.cat([z, strangers]), wider)
    same(found[:n, :n], mined(name, options, z, r))
    assert found[n:].isnan().all()
    assert found[:, n:].isnan().all()


@cases
@pytest.mark.parametrize("n", [0, 1, 5])
def test_without_pairs_there_are_none(name, options, n):
    assert mined(name, options, torch.ones(n, 3), torch.full((n, n), torch.nan)).isnan().all()


@cases
@pytest.mark.parametrize("grade", [0.0, 1.0])
def test_pairs_of_one_kind_are_left_out_where_kinds_are_compared(name, options, grade):
    z, r = sample()
    r[r == r] = grade
    found = mined(name, options, z, r)
    if name in ("easy_positives", "flip_positives"):
        assert (found == found).any()
    else:
        assert found.isnan().all()


@pytest.mark.parametrize("dtype", LARGEST, ids=str)
@cases
def test_losses_of_hostile_batches_stay_finite(name, options, dtype):
    for case in range(N_CASES // 4):
        z, r, how = hostile_batch(np.random.default_rng([case, *name.encode()]), dtype)
        z.requires_grad_()
        found = mined(name, options, z, r)
        assert (found.isnan() | (found == r) | (name in CHANGES)).all(), (case, how)
        loss = losses.contrastive(z, found) + losses.triplet(z, found)
        loss.backward()
        assert loss.isfinite(), (case, how)
        assert z.grad.isfinite().all(), (case, how)


@pytest.mark.parametrize("place", [0.0, 7.3])
def test_coincident_samples_are_all_the_hardest_and_none_semi_hard(place):
    z, r = sample()
    z = torch.full_like(z, place)
    both = ((r > 0.5).any(1) & (r <= 0.5).any(1))[:, None]
    for name in ("hard", "moderate_positives"):
        same(mined(name, {}, z, r), r.masked_fill(~both, torch.nan))
    same(mined("easy_positives", {}, z, r), r)
    for name in ("semi_hard", "angular"):
        assert mined(name, {}, z, r).isnan().all()


@pytest.mark.parametrize("seed", range(5))
def test_semi_hard_triplets_have_neither_equal_distances_nor_the_whole_margin(seed):
    rng = np.random.default_rng(seed)
    half = rng.integers(6, size=(10, 1)).astype(float)
    z, r = np.vstack([half, -half]), sample(seed, n=20)[1]  # of mean 0, so that distances are exact
    kept = pairs(mined("semi_hard", {"margin": 2.0}, torch.tensor(z), r))
    assert kept == naive_semi_hard(z, r.numpy(), margin=2.0)


# ------------------------------------------------------------------------------------------------
# Random ones.


@pytest.mark.parametrize("probability", [0.0, 0.2, 0.7, 1.0])
def test_flips_are_those_of_the_draws(probability):
    z, r = sample(n=14)
    flipped = (r.numpy() > 0.5) & (draws(14) < probability)
    same(mined("flip_positives", {"probability": probability}, z, r), r.masked_fill(torch.tensor(flipped), 0.0))


def test_negatives_are_drawn_by_their_weights():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(7, 4))
    r = torch.tensor([[torch.nan, 1, 0, 0, 0, 0, 0]]).expand(7, 7).double()
    d = np.sqrt(2 - 2 * np.array([cosine(z[0], z[n]) for n in range(2, 7)]))
    weights = np.where(d < 1.9, 1 / (np.maximum(d, 0.5) ** 2 * np.sqrt(1 - np.maximum(d, 0.5) ** 2 / 4)), 0)
    generator = torch.Generator().manual_seed(0)
    found = [
        distance_weighted(torch.tensor(z), r, nonzero_loss_cutoff=1.9, generator=generator)[0, 2:] == 0
        for _ in range(4000)
    ]
    drawn = torch.stack(found).double()
    assert torch.equal(drawn.sum(1), torch.ones(4000).double())
    np.testing.assert_allclose(drawn.mean(0), weights / weights.sum(), atol=0.03)


@pytest.mark.parametrize("miner", [distance_weighted, flip_positives])
def test_the_generator_decides_and_none_is_the_global_one(miner):
    z, r = sample(n=30)
    first, again, other = (miner(z, r, generator=torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    same(first, again)
    assert pairs(first) != pairs(other) or not torch.equal(first.nan_to_num(), other.nan_to_num())
    torch.manual_seed(0)
    same(miner(z, r), first)


# ------------------------------------------------------------------------------------------------
# In a fit.


def fitted(**params):
    X, y = tiny_points()
    return quick("EmbeddingNet", loss="contrastive", **params).fit(X, y).transform(X)


def seeded_fit(seed, **params):
    torch.manual_seed(seed)
    return fitted(**params)


@pytest.mark.parametrize("name", miners.__all__)
def test_a_name_is_the_function_and_the_same_seed_gives_the_same_bits(name):
    before = torch.random.get_rng_state(), np.random.get_state()[1].copy()
    named = fitted(miner=name)
    assert torch.equal(before[0], torch.random.get_rng_state())
    assert np.array_equal(before[1], np.random.get_state()[1])
    assert np.array_equal(named, fitted(miner=name))
    if name not in RANDOM:
        np.testing.assert_allclose(named, fitted(miner=getattr(miners, name)), rtol=1e-6, atol=1e-6)
    else:  # draws from a copy of the global state, which random_state seeds
        assert np.array_equal(seeded_fit(0, miner=getattr(miners, name)), seeded_fit(1, miner=getattr(miners, name)))


def test_easy_positives_are_the_default_and_a_miner_replaces_them():
    default = fitted(positive_fraction=0.5)
    assert np.array_equal(default, fitted(miner="easy_positives", miner_params={"fraction": 0.5}))
    everything = fitted(positive_fraction=1.0)
    assert np.array_equal(everything, fitted(miner=lambda z, r: r))
    assert np.array_equal(fitted(miner="hard"), fitted(miner="hard", positive_fraction=1.0))
    assert not np.array_equal(default, everything)


@pytest.mark.parametrize("miner", ["semi_hard", miners.semi_hard])
def test_parameters_of_a_miner(miner):
    net = quick("EmbeddingNet", miner=miner, miner_params={"margin": 0.7})
    assert clone(net).get_params()["miner_params"] == {"margin": 0.7}
    wide, narrow = (fitted(miner=miner, miner_params={"margin": margin}) for margin in (0.7, 0.01))
    assert not np.array_equal(wide, narrow)
    with pytest.raises(ValueError, match=r"miner_params has 'margn', .* it takes margin. Did you mean 'margin'"):
        fitted(miner=miner, miner_params={"margn": 0.7})
    with pytest.raises(ValueError, match="margin=-1 should be a finite number, above 0"):
        fitted(miner=miner, miner_params={"margin": -1})


def test_what_a_miner_cannot_do_is_said():
    with pytest.raises(ValueError, match=r"miner_params={'margin': 1} is for a function or a class, and miner=None"):
        fitted(miner_params={"margin": 1})
    with pytest.raises(ValueError, match="miner_params has 'generator', which miner='flip_positives' does not take"):
        fitted(miner="flip_positives", miner_params={"generator": torch.Generator()})
    with pytest.raises(ValueError, match="miner_params has 'a', which miner='hard' does not take; it takes none"):
        fitted(miner="hard", miner_params={"a": 1})
    with pytest.raises(ValueError, match="miner='hard' selects among the pairs of a sample, and sampler='pairs'"):
        fitted(miner="hard", sampler="pairs")
    with pytest.raises(ValueError, match="Did you mean 'semi_hard'"):
        fitted(miner="semihard")
    X, y = tiny_points()
    with pytest.raises(ValueError, match="miner='hard' .* a module as loss takes class codes"):
        quick("EmbeddingNet", loss=torch.nn.CrossEntropyLoss(), miner="hard").fit(X, y)
