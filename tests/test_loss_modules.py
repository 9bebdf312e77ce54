"""The losses that own parameters, each against a naive loop, and the laws that all of them keep."""

import copy
import inspect
import pickle

import numpy as np
import pytest
import torch
from module_references import NAIVE, OPTIONS, RENAMED
from torch import nn

from metricnets import losses

N_CLASSES, N_COMPONENTS = 5, 3
NO_GRADCHECK = {"margin": "the probabilities of negatives are constants in its gradient"}
LARGEST = {torch.float16: 3e4, torch.bfloat16: 1e7, torch.float32: 1e7, torch.float64: 1e60}


MODULES = {name: entry.loss for name, entry in losses.CATALOGUE.items() if isinstance(entry.loss, type)}


def cases(options_of=OPTIONS):
    return [
        pytest.param(name, options, id="-".join([name, *map(str, options.values())]))
        for name in MODULES
        for options in options_of[name]
    ]


every_case = pytest.mark.parametrize(("name", "options"), cases())
every_dtype = pytest.mark.parametrize("dtype", LARGEST, ids=str)


def sample(seed=0, dtype=torch.float64):
    """Embeddings and codes: a class of one row, a class without rows, and rows of unknown class."""
    rng = np.random.default_rng(seed)
    codes = rng.permutation([0, 0, 0, 0, 1, 1, 1, 2, -1, -1, 4, 4])
    return torch.tensor(rng.normal(size=(len(codes), N_COMPONENTS)), dtype=dtype), torch.tensor(codes)


def made(name, options, dtype=torch.float64, seed=0):
    """A module whose parameters and buffers are other than at the start."""
    generator = torch.Generator().manual_seed(seed)
    given = {"generator": generator} if "generator" in inspect.signature(MODULES[name]).parameters else {}
    module = MODULES[name](N_COMPONENTS, N_CLASSES, **given, **options).to(dtype)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter += torch.randn(parameter.shape, generator=generator).to(dtype) / 5
    for other in range(3):
        module(*sample(other, dtype=dtype))  # what has a state has one now
    return module.eval()


def gradients(module, z, codes):
    module.zero_grad()
    z = z.clone().requires_grad_()
    loss = module(z, codes)
    loss.backward()
    return loss.detach(), z.grad, [p.grad for p in module.parameters() if p.grad is not None]


def naive(name, options, module, z, codes):
    z, codes = z[codes >= 0].numpy(), codes[codes >= 0].numpy()
    renamed = {RENAMED.get(name, {}).get(key, key): value for key, value in options.items()}
    renamed.pop(None, None)
    taken = inspect.signature(NAIVE[name]).parameters
    state = {key: value.numpy() for key, value in module.state_dict().items() if key in taken}
    return NAIVE[name](z, codes, **state, **renamed)


def test_the_tables_are_complete():
    assert sorted(NAIVE) == sorted(OPTIONS) == sorted(MODULES)
    assert {cls.__name__ for cls in MODULES.values()} <= {*losses.__all__}


@pytest.mark.parametrize("name", MODULES)
def test_every_module_has_one_signature_and_every_option_is_varied(name):
    parameters = inspect.signature(MODULES[name]).parameters
    assert [*parameters][:2] == ["n_components", "n_classes"]
    for option in (p for p in parameters.values() if p.kind is p.KEYWORD_ONLY and p.name != "generator"):
        tried = [options.get(option.name, option.default) for options in OPTIONS[name]]
        assert any(value != option.default for value in tried), option.name


@every_case
@pytest.mark.parametrize("seed", range(3))
def test_equals_the_naive_loop(name, options, seed):
    module, (z, codes) = made(name, options, seed=seed), sample(seed)
    assert module(z, codes).item() == pytest.approx(naive(name, options, module, z, codes), rel=1e-9)


@every_case
def test_gradient_is_the_numerical_one(name, options):
    if name in NO_GRADCHECK and options.get("distance_weighted", True):
        pytest.skip(NO_GRADCHECK[name])
    module, (z, codes) = made(name, options), sample(1)

    def loss(z, *parameters):
        names = [key for key, _ in module.named_parameters()]
        return torch.func.functional_call(module, dict(zip(names, parameters)), (z, codes))

    parameters = [p.detach().clone().requires_grad_() for p in module.parameters()]
    assert torch.autograd.gradcheck(loss, (z.requires_grad_(), *parameters))


@every_case
def test_order_of_rows_does_not_matter(name, options):
    module, (z, codes) = made(name, options), sample()
    p = torch.tensor(np.random.default_rng(1).permutation(len(z)))
    torch.testing.assert_close(module(z[p], codes[p]), module(z, codes))


@every_case
def test_rows_of_unknown_class_change_neither_value_nor_gradient(name, options):
    module, (z, codes) = made(name, options), sample()
    value, slope, of_parameters = gradients(module, z, codes)
    known = codes >= 0
    expected_value, expected_slope, expected = gradients(module, z[known], codes[known])
    torch.testing.assert_close(value, expected_value)
    torch.testing.assert_close(slope[known], expected_slope)
    torch.testing.assert_close(of_parameters, expected)
    assert not slope[~known].any()


@every_case
@pytest.mark.parametrize("dtype", [torch.float16, torch.float64])
def test_without_known_rows_the_loss_is_0_and_has_a_graph(name, options, dtype):
    module = made(name, options, dtype=torch.float32).train()
    before = copy.deepcopy(module.state_dict())
    for n in (0, 1, 5):
        z = torch.ones(n, N_COMPONENTS, dtype=dtype)
        value, slope, _ = gradients(module, z, torch.full((n,), -1))
        assert value.item() == 0
        assert value.shape == ()
        assert torch.equal(slope, torch.zeros_like(z))
    torch.testing.assert_close(module.state_dict(), before)


@every_case
@every_dtype
def test_value_and_gradients_are_finite(name, options, dtype):
    module = made(name, options, dtype=torch.float64 if dtype == torch.float64 else torch.float32)
    z, codes = sample(dtype=torch.float64)
    directions = next((p for p in module.parameters() if p.shape[-1] == N_COMPONENTS), z).detach().reshape(-1, 3)
    at = directions[codes.clamp_min(0) % len(directions)]
    places = {
        "at 0": z * 0,
        "coincident": z * 0 + 7.3,
        "at the weights": at,
        "opposite": -at,
        "two places": torch.where(torch.arange(len(z))[:, None] % 2 == 0, 0.3, -0.9).expand_as(z),
        "near": z * (1e-6 if dtype == torch.float16 else 1e-20),
        "far": z / z.abs().max() * LARGEST[dtype],
    }
    for place in places:
        for of_rows in (
            codes,
            codes * 0,
            torch.arange(N_CLASSES),
            codes[:1] * 0,
        ):  # also one class, and one row of each
            value, slope, of_parameters = gradients(module, places[place].to(dtype)[: len(of_rows)], of_rows)
            assert value.isfinite(), (place, of_rows)
            assert slope.isfinite().all(), (place, of_rows)
            assert slope.dtype == dtype
            assert all(g.isfinite().all() for g in of_parameters), (place, of_rows)


@every_case
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("of_weights", [torch.float32, torch.float64])
def test_every_precision_gives_the_same_loss(name, options, dtype, of_weights):
    z, codes = sample(dtype=torch.float16)
    exact = made(name, options).float().double()(z.double(), codes)
    value = made(name, options).float().to(of_weights)(z.to(dtype), codes)
    assert value.dtype == torch.promote_types(dtype, torch.float32)
    torch.testing.assert_close(value.double(), exact, rtol=1e-4, atol=1e-5)


@every_case
def test_state_pickle_and_copy(name, options):
    module, (z, codes) = made(name, options), sample()
    other = made(name, options, seed=1)
    other.load_state_dict(module.state_dict())
    expected = module(z, codes)
    for same in (other, pickle.loads(pickle.dumps(module)), copy.deepcopy(module)):
        assert torch.equal(same(z, codes), expected)


@every_case
def test_weights_come_from_the_generator(name, options):
    before = torch.get_rng_state()
    if "generator" not in inspect.signature(MODULES[name]).parameters:
        first, same = (MODULES[name](N_COMPONENTS, N_CLASSES, **options).state_dict() for _ in range(2))
    else:
        first, same, other = (
            MODULES[name](
                N_COMPONENTS, N_CLASSES, generator=torch.Generator().manual_seed(seed), **options
            ).state_dict()
            for seed in (0, 0, 1)
        )
        assert all(not torch.equal(first[key], other[key]) for key in first if key != "bias")
    torch.testing.assert_close(first, same, rtol=0, atol=0)
    assert torch.equal(torch.get_rng_state(), before)


@every_case
def test_evaluation_changes_nothing(name, options):
    module = made(name, options).eval()
    before = copy.deepcopy(module.state_dict())
    for seed in range(3):
        module(*sample(seed))
    torch.testing.assert_close(module.state_dict(), before, rtol=0, atol=0)


@every_case
def test_a_start_at_embeddings_moves_the_places_of_classes_with_rows_alone(name, options):
    module, (z, codes) = made(name, options), sample()
    before = copy.deepcopy(module.state_dict())
    module.start_at(z, codes)
    says = "starts" in MODULES[name].__doc__ and "class means" in " ".join(MODULES[name].__doc__.split())
    moved = {key for key, value in module.state_dict().items() if not torch.equal(value, before[key])}
    assert moved == ({"centers" if "centers" in before else "weight"} if says else set())
    for key in moved:
        change = (module.state_dict()[key] - before[key]).flatten(1).abs().amax(1)
        assert change.isfinite().all()
        assert (change > 0).tolist() == [True, True, True, False, True]  # no row is of class 3


def test_centers_start_at_class_means():
    z, codes = sample()
    center, cosface = made("center", {}), made("cosface", {})
    for module in (center, cosface):
        module.start_at(z, codes)
    torch.testing.assert_close(center.centers[0], z[codes == 0].mean(0))
    expected = nn.functional.normalize(nn.functional.normalize(z[codes == 0]).mean(0), dim=0)
    torch.testing.assert_close(cosface.weight[0, 0], expected)


# --- classifiers

CLASSIFIERS = [name for name, cls in MODULES.items() if hasattr(cls, "logits")]


@pytest.mark.parametrize("name", CLASSIFIERS)
def test_training_makes_the_logits_classify(name):
    """Points at the corners of a simplex, moved along by the loss with its weights, find their classes."""
    module = MODULES[name](4, 4, generator=torch.Generator().manual_seed(0))
    codes = torch.arange(4).repeat(5)
    z = nn.Parameter(torch.eye(4)[codes] + torch.randn(20, 4, generator=torch.Generator().manual_seed(1)) / 3)
    optimizer = torch.optim.Adam([z, *module.parameters()], lr=0.05)
    for _ in range(200):
        optimizer.zero_grad()
        module(z, codes).backward()
        optimizer.step()
    assert (module.logits(z).argmax(1) == codes).all()
    assert module.logits(z).shape == (20, 4)


WITHOUT_MARGIN = {
    "cosface": {"margin": 0},
    "arcface": {"margin": 0},
    "sphereface": {"margin": 1},
    "soft_triple": {"margin": 0, "weight": 0},
}


@pytest.mark.parametrize("name", WITHOUT_MARGIN)
def test_without_a_margin_the_loss_is_the_cross_entropy_of_the_logits(name):
    module, (z, codes) = made(name, WITHOUT_MARGIN[name]), sample()
    known = codes >= 0
    expected = nn.functional.cross_entropy(module.logits(z)[known], codes[known])
    torch.testing.assert_close(module(z, codes), expected)


@pytest.mark.parametrize("name", ["arcface", "sphereface"])
def test_the_loss_falls_with_the_angle_everywhere(name):
    angles = torch.linspace(0, torch.pi, 400, dtype=torch.float64)
    z = torch.stack([angles.cos(), angles.sin()], 1)
    module = MODULES[name](2, 2, scale=4.0).double()
    module.weight.data = torch.tensor([[[1.0, 0.0]], [[0.0, 0.0]]], dtype=torch.float64)
    each = torch.stack([module(row[None], torch.tensor([0])) for row in z])
    assert (each.diff() > 0).all()


# --- what is special


def test_distance_weighted_negatives_count_as_often_as_they_would_be_drawn():
    """The mean over many draws of one negative for each similar pair is the loss."""
    z, codes = sample(2)
    z, codes = torch.cat([z, z + 0.3]), torch.cat([codes, codes])
    module = losses.Margin(3, 5, weight=0.0)
    u = nn.functional.normalize(z[codes >= 0]).numpy()
    known, rng = codes[codes >= 0].numpy(), np.random.default_rng(0)
    d = np.sqrt(((u[:, None] - u) ** 2).sum(2))
    total, active = 0.0, 0
    for a in range(len(u)):
        negatives = np.flatnonzero((known != known[a]) & (d[a] < 1.4))
        weights = 1 / np.maximum(d[a, negatives], 0.5)
        for p in np.flatnonzero((known == known[a]) & (np.arange(len(u)) != a)):
            drawn = d[a, rng.choice(negatives, 3000, p=weights / weights.sum())]
            pull, push = max(0.2 + d[a, p] - 1.2, 0), np.maximum(0.2 + 1.2 - drawn, 0)
            total, active = total + (pull + push).sum(), active + (push > 0).sum() + 3000 * (pull > 0)
    assert module(z, codes).item() == pytest.approx(total / active, rel=1e-2)


def test_beta_stays_near_its_start_where_all_pairs_are_similar_or_far():
    codes = torch.tensor([0, 0, 1, 1])
    z = torch.tensor([[1.0, 0], [0.8, 0.6], [0, 1.0], [0.6, 0.8]])
    module = losses.Margin(2, 2)
    optimizer = torch.optim.Adam(module.parameters(), lr=0.01)
    for _ in range(2000):
        optimizer.zero_grad()
        module(z, codes).backward()
        optimizer.step()
    assert ((module.beta - 1.2).abs() < 0.6).all()


def test_margins_grow_with_the_level_at_which_classes_are_joined():
    """Two near classes and a far one: the near ones are joined first."""
    places = torch.tensor([[1.0, 0, 0], [0.9, 0.436, 0], [0, 0, 1.0]])
    codes = torch.arange(3).repeat_interleave(4)
    noise = torch.randn(12, 3, generator=torch.Generator().manual_seed(0)) / 20
    module = losses.HierarchicalTriplet(3, 4, n_calls=2)
    z = places[codes] + noise
    module(z, codes)
    assert (module.margins == 0.1).all()
    module(z, codes)
    margins = module.margins[:3, :3]
    assert (margins[[0, 1], [2, 2]] > margins[[0, 1], [1, 0]] + 0.5).all()
    assert (module.margins[3] == 0.1).all()  # a class without rows
    u = nn.functional.normalize(z)
    means = torch.stack([u[codes == k].mean(0) for k in range(3)])
    within = 2 - 2 * (means**2).sum(1)
    step = (4 - within.mean()) / 16
    for a, n in [(0, 1), (0, 2), (2, 1)]:
        joined = min(
            (2 - 2 * means[i] @ means[j]).item() for i, j in ([(0, 1)] if {a, n} == {0, 1} else [(0, 2), (1, 2)])
        )
        level = np.ceil((joined - within.mean().item()) / step.item())
        expected = 0.1 + within.mean() + level * step - within[a]
        assert margins[a, n].item() == pytest.approx(expected.item(), abs=1e-5)


def test_running_means_move_by_their_momentum():
    module = losses.HierarchicalTriplet(2, 2, momentum=0.75)
    for z in ([[1.0, 0.0]], [[0.0, 2.0]]):
        module(torch.tensor(z), torch.tensor([0]))
    torch.testing.assert_close(module.means, torch.tensor([[0.75, 0.25], [0.0, 0.0]]))
    assert module.seen.tolist() == [True, False]


@pytest.mark.parametrize("n", [3, 40])
def test_chi_square_in_parts_is_the_whole(n, monkeypatch):
    from metricnets.losses import _verification

    z = torch.rand(n, 4, dtype=torch.float64)
    codes = torch.arange(n) % 3
    module = losses.ChiSquareVerification(4, 3)
    monkeypatch.setattr(_verification, "N_NUMBERS", n * z.numel())
    expected = gradients(module, z, codes)
    monkeypatch.setattr(_verification, "N_NUMBERS", 7 * z.numel())
    torch.testing.assert_close(gradients(module, z, codes), expected)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
@pytest.mark.parametrize("name", ["chi_square_verification", "l1_verification"])
def test_logits_of_pairs_are_those_of_the_loss(name, dtype):
    module, z = made(name, {}, dtype=torch.float32), sample(dtype=dtype)[0][:2]
    logits = module.pair_logits(z, z.flip(0))
    assert torch.equal(logits, logits.flip(0))
    assert not logits.requires_grad
    for codes, sign in (([0, 0], -1), ([0, 1], 1)):
        expected = torch.nn.functional.softplus(sign * logits[0]) / 2
        torch.testing.assert_close(
            module(z, torch.tensor(codes)), expected.to(torch.promote_types(dtype, torch.float32))
        )
