"""Batches that do not fit: cached gradients, losses in blocks of anchors, bfloat16."""

import copy
import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from deep_learners import LEARNERS, data, learner
from sklearn.neighbors import KNeighborsClassifier
from skorch.callbacks import Callback
from torch import nn
from torch.nn import functional as F

from metricnets import DDML, EmbeddingNet, losses, miners, relations
from metricnets.deep._training import blocks
from metricnets.deep._training.blocks import is_large, loss_in_blocks
from metricnets.deep._training.chunks import cached_gradients
from metricnets.deep._training.data import Targets
from metricnets.deep._training.distributed import Processes
from metricnets.deep._training.precision import check_precision
from metricnets.networks import Dropout, mlp

OF_ANCHORS = [name for name, entry in losses.CATALOGUE.items() if entry.of_anchors is not None]
TWO_VIEWS = [name for name, entry in losses.CATALOGUE.items() if entry.needs == "two views"]
RANDOM = ["distance_weighted", "flip_positives"]


class FirstGradient(Callback):
    """The gradient of the first batch, and how many batches there were."""

    def __init__(self):
        self.found, self.n_batches = None, 0

    def on_grad_computed(self, net, named_parameters, **kwargs):
        self.n_batches += 1
        if self.found is None:
            self.found = torch.cat([p.grad.flatten() for _, p in named_parameters if p.grad is not None])


def gradient(points, **params):
    """Gradient of the network and the loss by the first batch, and the fitted learner."""
    first = FirstGradient()
    options = {"max_epochs": 1, "n_components": 4, "init": "glorot", "random_state": 0, "batch_size": 45}
    net = EmbeddingNet(callbacks=[first], **options | params).fit(*points)
    return first.found, net


def assert_equal(a, b, tol=1e-6):
    torch.testing.assert_close(a, b, rtol=0, atol=tol * max(1.0, float(b.abs().max())))


def weights(net):
    return torch.cat([each.flatten().double() for each in net.module_.state_dict().values()])


# ------------------------------------------------------------------------------------------------
# Cached gradients


@pytest.mark.parametrize("name", losses.CATALOGUE)
def test_the_gradient_is_that_of_the_whole_batch_with_dropout(name, monkeypatch):
    points = np.random.default_rng(0).normal(size=(45, 12)), np.arange(45) % 3
    monkeypatch.setattr(blocks, "PAIRS", 45 * 11)  # several blocks of anchors, which do not divide the batch
    whole, plain = gradient(points, loss=name)
    cached, net = gradient(points, loss=name, chunk_size=13)
    assert_equal(cached, whole)
    assert net.history_[0]["train_loss"] == pytest.approx(plain.history_[0]["train_loss"], rel=1e-5)


@pytest.mark.parametrize("name", LEARNERS)
def test_every_deep_learner_learns_the_same(name, monkeypatch):
    monkeypatch.setattr(blocks, "PAIRS", 300)
    options = {"max_epochs": 2, "optimizer": "sgd", "lr": 0.001, "early_stopping": False}
    plain, net = (learner(name, **options, **more).fit(*data(name)) for more in ({}, {"chunk_size": 7}))
    if not name.endswith(" of a module"):  # whose dropout is PyTorch's, and draws for each chunk
        losses_of = [[epoch["train_loss"] for epoch in each.history_] for each in (plain, net)]
        np.testing.assert_allclose(*losses_of, rtol=1e-4)
        assert_equal(weights(net), weights(plain), tol=1e-5)
    again = learner(name, **options, chunk_size=np.int64(7)).fit(*data(name))  # as of a grid that is an array
    assert torch.equal(weights(again), weights(net))


def test_a_chunk_as_large_as_the_batch_changes_no_bit(points):
    for name in ("triplet", "info_nce", "arcface"):
        plain, net = (gradient(points, loss=name, chunk_size=size)[1] for size in (None, 48))
        assert torch.equal(weights(plain), weights(net))


class Recorded(nn.Module):
    """A network with dropout of PyTorch, which notes its masks."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.masks = nn.Linear(4, 16), nn.Linear(16, 3), []

    def forward(self, x):
        h = self.first(x).relu()
        mask = F.dropout(torch.ones_like(h), 0.4, self.training)
        self.masks.append(mask)
        return self.second(h * mask)


def test_modules_of_others_have_the_same_masks_in_both_passes():
    x, r = torch.randn(23, 4), torch.tensor(np.random.default_rng(0).integers(2, size=(23, 23))).float()
    network = Recorded()
    before = torch.default_generator.get_state()
    options = {"size": 6, "generator": torch.default_generator, "device": "cpu"}
    _z, loss = cached_gradients(network, network, partial(losses.supcon, r=r), x, **options)
    found = [p.grad.clone() for p in network.parameters()]
    first, second = network.masks[:4], network.masks[4:]
    assert all(map(torch.equal, first, second))
    assert len({tuple(mask[0].tolist()) for mask in first}) > 1
    after = torch.default_generator.get_state()
    torch.default_generator.set_state(before)
    for rows in x.split(6):
        network(rows)
    assert torch.equal(torch.default_generator.get_state(), after)  # as if there had been one pass

    W, b, V, c = (p.detach().clone().requires_grad_() for p in network.parameters())
    by_hand = losses.supcon((x @ W.T + b).relu() * torch.cat(first) @ V.T + c, r)
    by_hand.backward()
    assert loss.item() == pytest.approx(by_hand.item(), rel=1e-6)
    for mine, plain in zip(found, (W, b, V, c)):
        assert_equal(mine, plain.grad)


@pytest.mark.parametrize("size", [1, 6, 22])
def test_networks_of_several_outputs_and_of_two_rows_for_each_point(size):
    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.frozen = nn.Linear(4, 3), nn.Linear(4, 3), nn.Linear(4, 2).requires_grad_(False)

        def forward(self, x):
            return torch.cat([self.a(x), self.b(x)]), self.frozen(x), self.a(x) * 2

    def loss(z):
        both, fixed, _unused = z
        both.mul_(2)  # in place
        return (both * torch.arange(len(both))[:, None]).sin().sum() + fixed.square().sum()

    network, x = Network(), torch.randn(22, 4)
    output = network(x)
    value = loss(output)
    value.backward()
    plain = [p.grad.clone() for p in network.parameters() if p.grad is not None]
    network.zero_grad()
    z, same = cached_gradients(network, network, loss, x, size=size, generator=torch.default_generator, device="cpu")
    assert isinstance(z, tuple)
    assert same.item() == pytest.approx(value.item(), rel=1e-5)
    found = [p.grad for p in network.parameters() if p.grad is not None]
    for mine, theirs in zip(found, plain, strict=True):
        assert_equal(mine, theirs)


def test_normalization_by_batches_is_by_chunks_and_moves_its_means_once():
    network = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5))
    by_hand, x = copy.deepcopy(network), torch.randn(12, 4)
    options = {"size": 4, "generator": torch.default_generator, "device": "cpu"}
    cached_gradients(network, network, lambda z: z.square().sum(1).sin().sum(), x, **options)
    torch.cat([by_hand(rows) for rows in x.split(4)]).square().sum(1).sin().sum().backward()
    for mine, theirs in zip(network.buffers(), by_hand.buffers()):
        torch.testing.assert_close(mine, theirs)
    for mine, theirs in zip(network.parameters(), by_hand.parameters()):
        assert_equal(mine.grad, theirs.grad)


def test_dropout_of_a_part_of_the_rows_draws_the_same_twice():
    class Some(nn.Module):
        def __init__(self):
            super().__init__()
            self.network, self.masks = mlp(4, 3, dropout=0.5, generator=torch.Generator().manual_seed(0)), []

        def forward(self, x):
            has = x[:, 0] > 0
            return x.new_zeros(len(x), 3).index_copy(0, has.nonzero()[:, 0], self.network(x[has]))

    network, x, seen = Some(), torch.randn(20, 4), []
    Some.__module__ = "metricnets.test"
    layer = next(part for part in network.modules() if isinstance(part, Dropout))
    layer.register_forward_hook(lambda layer, inputs, output: seen.append(output.detach()))
    options = {"size": 6, "generator": layer.generator, "device": "cpu"}
    cached_gradients(network, network, lambda z: z.square().sum(), x, **options)
    assert all(map(torch.equal, seen[:4], seen[4:]))
    assert "forward" not in vars(layer)


def test_weights_memory_and_early_stopping_are_those_of_whole_batches(points, monkeypatch):
    monkeypatch.setattr(blocks, "PAIRS", 300)
    X, y = points
    options = {"max_epochs": 4, "batch_size": 20, "random_state": 0, "n_components": 4, "optimizer": "sgd", "lr": 0.01}
    variants = [
        ({"memory": 25, "loss": "contrastive"}, {}),
        ({"early_stopping": True, "loss": "supcon", "validation_fraction": 0.4}, {}),
        ({"unlabeled": "consistency"}, {}),
        ({"loss": "npair"}, {"sample_weight": np.linspace(0.5, 2, 45)}),
    ]
    for params, more in variants:
        labels = np.where(np.arange(45) < 12, -1, y) if "unlabeled" in params else y
        plain, net = (EmbeddingNet(**options, **params, chunk_size=size).fit(X, labels, **more) for size in (None, 6))
        for a, b in zip(plain.history_, net.history_, strict=True):
            assert {**a, "dur": 0} == pytest.approx({**b, "dur": 0}, rel=1e-4)
        assert_equal(weights(net), weights(plain), tol=1e-5)


def test_optimisers_that_evaluate_the_loss_several_times(points):
    options = {"optimizer": lambda params, lr: torch.optim.LBFGS(params, lr=lr), "dropout": 0.0, "input_dropout": 0.0}
    options |= {"lr": 0.1, "loss": "alignment"}
    plain, net = (gradient(points, chunk_size=size, **options)[1] for size in (None, 10))
    assert_equal(weights(net), weights(plain), tol=1e-4)


def test_errors_name_the_module_and_leave_the_learner_as_it_was(points):
    class Breaks(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(4, 3)

        def forward(self, x):
            if len(x) == 3:
                raise RuntimeError("three points")
            return self.linear(x)

    net = EmbeddingNet(module=Breaks, max_epochs=1, random_state=0).fit(*points)
    before = weights(net)
    with pytest.raises(ValueError, match="module=Sequential raised RuntimeError: three points"):
        net.set_params(chunk_size=7).fit(*points)  # 45 = 6 · 7 + 3
    assert torch.equal(weights(net), before)

    def breaks(z, r):
        raise RuntimeError("no loss")

    with pytest.raises(ValueError, match="^loss=breaks raised RuntimeError: no loss"):
        EmbeddingNet(loss=breaks, chunk_size=7, batch_size=20).fit(*points)
    for wrong in (0, -1, 2.5, "all"):
        with pytest.raises(ValueError, match="chunk_size"):
            DDML(chunk_size=wrong).fit(*points)


# ------------------------------------------------------------------------------------------------
# Blocks of anchors


def problem(pairing=None, n=20, seed=0):
    """Embeddings, targets and the relation of the batch as a whole."""
    rng = np.random.default_rng(seed)
    z, labels = torch.tensor(rng.normal(size=(n, 3))), torch.tensor(rng.integers(-1, 4, size=n))
    row = torch.tensor(rng.integers(3 * n, size=n))
    r = relations.known_class(labels, labels).double().masked_fill(row[:, None] == row, torch.nan)
    first = torch.arange(n // 2)
    if pairing in ("matched", "views"):
        r[first, first + n // 2] = r[first + n // 2, first] = 1
    if pairing == "pairs":
        kept = torch.full_like(r, torch.nan)
        for i in range(n):
            kept[i, (i + n // 2) % n] = r[i, (i + n // 2) % n]
        r = kept
    return z, Targets(labels, row, relation=relations.known_class), r


@pytest.mark.parametrize("name", OF_ANCHORS)
def test_blocks_of_anchors_add_up_to_the_loss_and_its_gradient(name, monkeypatch):
    entry = losses.CATALOGUE[name]
    pairings = ["views"] if name in TWO_VIEWS else [None, "matched", *["pairs"] * entry.single_pairs]
    for pairing in pairings:
        z, targets, r = problem(pairing)
        whole, blocked = (z.clone().requires_grad_() for _ in range(2))
        value = entry.loss(whole, r)
        value.backward()
        for n_anchors in (1, 7, 19):
            monkeypatch.setattr(blocks, "PAIRS", n_anchors * len(z))
            blocked.grad = None
            same = loss_in_blocks(entry.of_anchors, blocked, targets, pairing=pairing)
            (3 * same).backward()
            torch.testing.assert_close(same, value)
            torch.testing.assert_close(blocked.grad, 3 * whole.grad)


class InThread(Processes):
    """One of several processes, which are threads."""

    def __init__(self, rank, brought, barrier):
        self.rank, self.size, self.brought, self.barrier = rank, len(brought), brought, barrier

    def _do(self, collective, sums):
        self.brought[self.rank] = sums.clone()
        self.barrier.wait(timeout=20)
        sums.copy_(torch.stack(self.brought).sum(0))
        self.barrier.wait(timeout=20)


@pytest.mark.parametrize("name", OF_ANCHORS)
def test_processes_that_share_the_anchors_have_the_loss_and_its_gradient(name, monkeypatch):
    entry = losses.CATALOGUE[name]
    pairings = ["views"] if name in TWO_VIEWS else [None, "matched", *["pairs"] * entry.single_pairs]
    for pairing, (size, n_anchors) in itertools.product(pairings, [(2, 20), (3, 20), (3, 2), (7, 1)]):
        z, targets, r = problem(pairing)
        whole = z.clone().requires_grad_()
        value = entry.loss(whole, r)
        value.backward()
        monkeypatch.setattr(blocks, "PAIRS", n_anchors * len(z))

        def of_process(process, z=z, targets=targets, pairing=pairing):
            z = z.clone().requires_grad_()
            same = loss_in_blocks(entry.of_anchors, z, replace(targets, processes=process), pairing=pairing)
            same.backward()
            return same.detach(), z.grad

        brought, barrier = [None] * size, threading.Barrier(size)
        with ThreadPoolExecutor(size) as threads:
            found = list(threads.map(of_process, [InThread(rank, brought, barrier) for rank in range(size)]))
        for same, gradient in found:
            torch.testing.assert_close(same, value.detach())
            torch.testing.assert_close(gradient, whole.grad)
            assert torch.equal(gradient, found[0][1])


def test_small_batches_and_miners_that_draw_are_not_shared():
    two = InThread(0, [None, None], None)
    drawing = partial(miners.flip_positives, generator=torch.Generator())
    for expected, n, mine, pairing in [
        (True, 800, None, None),
        (False, 500, None, None),
        (False, 800, drawing, None),
        (True, 800, miners.easy_positives, "pairs"),
        (False, 801, None, "pairs"),
    ]:
        targets = replace(problem(n=10)[1], processes=two)
        assert is_large(torch.zeros(n, 1), targets, n=None, size=None, mine=mine, pairing=pairing) == expected


@pytest.mark.parametrize("name", [name for name in miners.__all__ if name != "angular"])
def test_miners_select_the_same_pairs_of_each_anchor(name, monkeypatch):
    z, targets, r = problem()
    options = {"generator": torch.Generator().manual_seed(0)} if name in RANDOM else {}
    mine, seen = partial(getattr(miners, name), **options), []

    def noted(z, r):
        seen.append(r)
        return losses.contrastive(z, r)

    monkeypatch.setattr(blocks, "PAIRS", 6 * 20)
    assert loss_in_blocks(noted, z, targets, mine=mine).isfinite()
    seen = [torch.stack([row.roll(start) for row in rows]) for rows, start in zip(seen, (0, 6, 12, 18, 0, 6, 12, 18))]
    counted, found = torch.cat(seen[:4]), torch.cat(seen[4:])
    torch.testing.assert_close(found, counted, equal_nan=True)
    if name in RANDOM:
        options["generator"].manual_seed(0)
        whole = torch.cat([mine(z.roll(-s, 0), r[s : s + 6].roll(-s, 1)).roll(s, 1) for s in (0, 6, 12, 18)])
    else:
        whole = mine(z, r)
    torch.testing.assert_close(found, whole, equal_nan=True)


def test_blocks_need_memory_of_a_part_of_the_pairs(monkeypatch):
    sizes = []
    monkeypatch.setattr(blocks, "PAIRS", 45 * 10)

    def loss(z, r):
        sizes.append(tuple(r.shape))
        return losses.supcon(z, r)

    z, targets, _ = problem(n=45)
    loss_in_blocks(loss, z, targets)
    assert sizes == [(10, 45)] * 4 + [(5, 45)]  # a loss of one mean is computed once


def test_a_relation_of_the_users_keeps_what_it_returns(points, monkeypatch):
    monkeypatch.setattr(blocks, "PAIRS", 300)
    kept = {}

    def keeps(a, b):
        return kept.setdefault((tuple(a.tolist()), tuple(b.tolist())), relations.same_class(a, b))

    def makes(a, b):
        return relations.same_class(a, b)

    options = {"chunk_size": 5, "max_epochs": 2, "random_state": 0, "loss": "npair"}
    one, other = (EmbeddingNet(relation=relation, **options).fit(*points) for relation in (keeps, makes))
    assert torch.equal(weights(one), weights(other))
    assert kept
    assert not any(r.isnan().any() for r in kept.values())


# ------------------------------------------------------------------------------------------------
# bfloat16


def test_bfloat16_is_close_and_leaves_all_else_in_single_precision(points):
    X, y = points
    options = {"max_epochs": 30, "random_state": 0, "n_components": 8, "batch_size": 24}
    single, half, again, cached = (
        EmbeddingNet(**options, **more).fit(X, y)
        for more in ({}, {"precision": "bf16"}, {"precision": "bf16"}, {"precision": "bf16", "chunk_size": 10})
    )
    assert torch.equal(weights(half), weights(again))
    assert not torch.equal(weights(half), weights(single))
    scores = []
    for net in (single, half, cached):
        assert net.history_[0]["train_loss"] == pytest.approx(single.history_[0]["train_loss"], rel=0.03)
        assert net.history_[-1]["train_loss"] == pytest.approx(single.history_[-1]["train_loss"], rel=0.1)
        assert {p.dtype for p in net.module_.parameters()} == {torch.float32}
        assert net.transform(X).dtype == X.dtype
        assert net.transform(X.astype(np.float32)).dtype == np.float32
        scores.append(KNeighborsClassifier(3).fit(net.transform(X[:30]), y[:30]).score(net.transform(X[30:]), y[30:]))
    assert max(scores) - min(scores) <= 1 / 15 + 1e-9


def test_validation_is_in_single_precision(points):
    seen = []

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(4, 3)

        def forward(self, x):
            z = self.linear(x)
            seen.append((self.training, z.dtype))
            return z

    options = {"module": Network, "precision": "bf16", "early_stopping": True, "max_epochs": 2, "random_state": 0}
    net = EmbeddingNet(**options).fit(*points)
    assert {dtype for training, dtype in seen if training} == {torch.bfloat16}
    assert torch.bfloat16 not in {dtype for training, dtype in seen if not training}
    assert type(net.module_[0]) is Network


def test_what_cannot_compute_in_bfloat16_is_said(points):
    with pytest.raises(ValueError, match=r"precision='bf16' needs bfloat16, which device='meta' does not have"):
        check_precision("bf16", "meta")
    with pytest.raises(ValueError, match=r"\{'bf16', 'float32'\}. Got 'bfloat16' instead. Did you mean 'bf16'\?"):
        EmbeddingNet(precision="bfloat16").fit(*points)
    with pytest.raises(ValueError, match="precision"):
        EmbeddingNet(precision="fp16").fit(*points)
