"""On another device than the CPU: nothing is made on the CPU on the way, and the numbers are those of the CPU."""

import copy
import inspect
from functools import partial

import numpy as np
import pytest
import torch
from deep_learners import BUILT_IN, points_of
from discovery import quick, tiny_points, training_data
from other_device import NAME, OtherDevice
from test_losses import FUNCTIONS, RELATIONAL, sample, two_samples
from test_relations import INSTANCES, TARGETS

from metricnets import divergences, losses, miners, networks, relations
from metricnets.deep._training import loop
from metricnets.deep._training.consistency import consistency

MODULES = {name: entry.loss for name, entry in losses.CATALOGUE.items() if isinstance(entry.loss, type)}
CODES = torch.tensor([0, 1, 2, -1, 0, 1, 2, 3, 0])
X, CLASSES = tiny_points()


def test_the_other_device_is_as_strict_as_a_gpu():
    with OtherDevice():
        a = torch.ones(3).to(NAME)
        assert (a.device.type, (a + 1).device.type, (a + torch.tensor(1.0)).tolist()) == (NAME, NAME, [2.0] * 3)
        assert torch.equal((a * 2).cpu(), torch.full((3,), 2.0))
        with pytest.raises(RuntimeError, match="tensors of two devices"):
            a + torch.ones(3)
        with pytest.raises(RuntimeError, match="generator of the CPU on another device"):
            torch.rand(3, device=NAME, generator=torch.Generator())
        with pytest.raises(RuntimeError, match="not supported"):
            a.numpy()


def outcome(function, *args):
    """What a function gives, and its gradients by floating-point arguments and its parameters."""
    args = [arg.clone().requires_grad_(arg.is_floating_point()) for arg in args]
    result = function(*args)
    parameters = function.parameters() if isinstance(function, torch.nn.Module) else ()
    learnt = [value for value in (*args, *parameters) if value.requires_grad]
    grads = torch.autograd.grad(result.sum(), learnt, allow_unused=True) if result.requires_grad else []
    return [result.detach(), *(grad for grad in grads if grad is not None)]


def assert_the_same(function, *args):
    here = outcome(function, *args)
    with OtherDevice():
        moved = copy.deepcopy(function).to(NAME) if isinstance(function, torch.nn.Module) else function
        elsewhere = outcome(moved, *(arg.to(NAME) for arg in args))
        assert {part.device.type for part in elsewhere} == {NAME}
        for one, other in zip(elsewhere, here, strict=True):
            torch.testing.assert_close(one.cpu(), other, equal_nan=True)


@pytest.mark.parametrize("name", RELATIONAL)
def test_losses(name):
    z, r = sample()
    assert_the_same(FUNCTIONS[name], z, r)
    assert_the_same(FUNCTIONS[name], z.half(), torch.full_like(r, torch.nan))


@pytest.mark.parametrize("name", MODULES)
def test_losses_with_parameters(name):
    random = {"generator": torch.Generator()} if "generator" in inspect.signature(MODULES[name]).parameters else {}
    loss, z = MODULES[name](3, 4, **random), sample(dtype=torch.float32)[0]
    loss.start_at(z, CODES)
    assert_the_same(loss, z, CODES)
    assert_the_same(loss, z, torch.full_like(CODES, -1))


@pytest.mark.parametrize("name", miners.__all__)
def test_miners(name):
    mine = getattr(miners, name)
    draws = "generator" in inspect.signature(mine).parameters

    def mined(z, r):
        return mine(z, r, **{"generator": torch.Generator().manual_seed(0)} if draws else {})

    assert_the_same(mined, *sample())


@pytest.mark.parametrize("name", relations.__all__)
def test_relations(name):
    relation = INSTANCES.get(name, getattr(relations, name))
    for targets in TARGETS[name]:
        assert_the_same(relation, torch.as_tensor(targets), torch.as_tensor(targets[:4]))


def test_divergences_and_consistency():
    z, _ = sample()
    for function in (divergences.linear_mmd, divergences.multi_kernel_mmd):
        assert_the_same(function, *two_samples())
    assert_the_same(lambda z, y: divergences.class_discrepancy(z, y, torch.arange(9, device=z.device) < 5), z, CODES)
    assert_the_same(lambda z, y: consistency(z + 1, z - 1, z, y), z, CODES)


NETWORKS = {
    "a sum of two": networks.Sum([networks.mlp(3, 2), networks.mlp(3, 2)]),
    "standardised": networks.Standardize([1.0, 2.0, 3.0], 0.5, 2.0),
    "kernels": networks.GaussianKernel(np.eye(3), 2.0),
    "beside the points": networks.Skip(networks.mlp(3, 2), torch.ones(3), torch.tensor(0.5)),
    "plus the points": networks.Residual(networks.mlp(3, 3, normalize=True), 2.0),
    "norms": torch.nn.Sequential(networks.SubspaceNorm(3), networks.Lift(0)),
}


@pytest.mark.parametrize("kind", NETWORKS)
def test_networks(kind):
    assert_the_same(NETWORKS[kind], sample(dtype=torch.float32)[0])


LEARNERS = {
    **{name: (name, {"max_epochs": 2}) for name in BUILT_IN},
    "dropout": ("EmbeddingNet", {"dropout": 0.3, "input_dropout": 0.1, "n_networks": 2, "early_stopping": True}),
    "a memory of past batches": ("EmbeddingNet", {"memory": 20, "batch_size": 16, "loss": "contrastive"}),
    "a drawing miner": ("EmbeddingNet", {"miner": "distance_weighted", "early_stopping": True}),
    "proxies": ("EmbeddingNet", {"loss": "proxy_anchor", "early_stopping": True}),
    "a user's loss": ("EmbeddingNet", {"loss": lambda z, r: (z.sum(1) * r.nan_to_num().sum(1)).mean()}),
    "a user's optimiser": ("DDML", {"optimizer": torch.optim.SGD, "init": "dae"}),
    "a user's module": ("DDML", {"hidden": (128,), "module": lambda shape: torch.nn.Linear(*shape, 3)}),
    "jitter": ("DDMLPairs", {"jitter": 0.5}),
}


@pytest.fixture
def not_fused(monkeypatch):
    """PyTorch's fused optimisers know the devices that they can be on, and which have autocast is asked by name."""
    builds = {name: partial(without_fused, build) for name, build in loop.OPTIMIZERS.items()}
    monkeypatch.setattr(loop, "OPTIMIZERS", builds)
    enabled = torch.is_autocast_enabled
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda kind: kind != NAME and enabled(kind))


def without_fused(build, *args, fused, **params):
    return build(*args, **params)


def embedded(learner, name):
    data = training_data(name)
    more = {"sample_domain": np.resize([1, -2], len(data[1]))} if name == "DTML" else {}
    return learner.fit(*data, **more).transform(points_of(data[0], name))


@pytest.mark.parametrize("kind", LEARNERS)
def test_fits(kind, not_fused):
    name, params = LEARNERS[kind]
    here = quick(name, **params)
    z = embedded(here, name)
    with OtherDevice():
        there = quick(name, device=NAME, **params)
        np.testing.assert_array_equal(embedded(there, name), z)
    assert {type(value) for value in there.module_.state_dict().values()} <= {torch.Tensor}
    assert [epoch["train_loss"] for epoch in there.history_] == [epoch["train_loss"] for epoch in here.history_]


def test_a_stream(not_fused):
    def stream(device):
        learner = quick("EmbeddingNet", loss="proxy_nca", device=device)
        return learner.partial_fit(X[:20], CLASSES[:20]).partial_fit(X[20:], CLASSES[20:]).transform(X)

    with OtherDevice():
        elsewhere = stream(NAME)
    np.testing.assert_array_equal(elsewhere, stream("cpu"))
