"""DNLML-ISA: orthonormal units, the objective by loops, linear and even limits, layers one after the other."""

import numpy as np
import pytest
import torch
from discovery import tiny_pairs, tiny_points
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.metrics import roc_auc_score
from skorch.callbacks import Callback
from torch import nn

from metricnets import DNLML_ISA, DNLML_ISA_Supervised
from metricnets.deep._training.subspaces import SubspaceLayer, WithResponses, fixed, paired_units
from metricnets.exceptions import FitInterrupted

PLAIN = {"init": "pca", "offset": 0.0, "skip": 0.0, "n_layers": 1, "random_state": 0}


def turned(k=5, size=2, offset=0.7, skip=0.5):
    """A layer in double precision whose units are not those of the start."""
    torch.manual_seed(0)
    layer = SubspaceLayer(torch.randn(20, k), size, offset, skip).double()
    layer.turn.data = torch.randn(k, k, dtype=torch.float64) / 3
    return layer


def phases(n=500, seed=0):
    """Pairs of points in four dimensions whose class is the length in a plane, whatever the direction there."""
    rng = np.random.default_rng(seed)
    similar = rng.random(n) < 0.5
    classes = rng.integers(2, size=(n, 1)).repeat(2, axis=1)
    classes[~similar, 1] = 1 - classes[~similar, 0]
    angles, lengths = rng.uniform(0, 2 * np.pi, (n, 2)), 1.0 + classes
    pairs = np.stack([lengths * np.cos(angles), lengths * np.sin(angles), *rng.normal(size=(2, n, 2)) * 1.2], axis=2)
    rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(4, 4)))[0]
    return pairs @ rotation, np.where(similar, 1, -1)


@pytest.mark.parametrize(("k", "size"), [(6, 2), (5, 2), (7, 3), (4, 1), (3, 3)])
def test_units_are_orthonormal_and_the_first_features_are_the_means_of_subspaces(k, size):
    W = paired_units(k, size)
    assert_allclose(W @ W.T, np.eye(k // size * size), atol=1e-12)
    means = W.reshape(-1, size, k).sum(axis=1) / size**0.5
    assert_allclose(means, np.eye(k)[: k // size], atol=1e-12)


def test_units_stay_orthonormal_in_training():
    with torch.no_grad():
        W = turned().weight()
    assert_allclose(W @ W.T, np.eye(4), atol=1e-12)
    model = DNLML_ISA(lr=0.1, max_epochs=5, n_layers=1, random_state=0).fit(*tiny_pairs())
    linear = next(part for part in model.module_[-1].modules() if isinstance(part, nn.Linear))
    W = linear.weight.double().numpy()
    assert_allclose(W @ W.T, np.eye(len(W)), atol=1e-5)
    assert np.abs(W - paired_units(W.shape[1], 2)).max() > 0.05


def test_objective_by_loops():
    layer, points = turned(), torch.randn(6, 5, dtype=torch.float64)
    model, similar = DNLML_ISA(weight=3.0, margin=0.8, sharpness=2.0), np.array([True, False, True])
    loss = model._criterion(layer, None, None)
    with torch.no_grad():
        value = loss(WithResponses(layer)(points), TargetsOf(similar)).item()
        W, mean, scale, factor = layer.weight().numpy(), layer.mean.numpy(), float(layer.scale), float(layer.factor)
    z = np.zeros((6, 2))
    for i, x in enumerate(points.numpy()):
        for j in range(2):
            z[i, j] = sum((W[2 * j + a] @ x + 0.7) ** 2 for a in range(2)) ** 0.5
    e = [np.r_[(row - mean) / scale, factor * x] for row, x in zip(z, points.numpy())]
    e = [row / np.linalg.norm(row) for row in e]
    terms = {True: [], False: []}
    for i in range(3):
        sign, d2 = (1 if similar[i] else -1), np.sum((e[i] - e[i + 3]) ** 2)
        terms[bool(similar[i])].append(np.log1p(np.exp(2.0 * sign * (d2 - 0.8))) / 2.0)
    assert_allclose(value, z.mean() + 3.0 * (np.mean(terms[True]) + np.mean(terms[False])) / 4, rtol=1e-5)


class TargetsOf:
    """Targets of pairs."""

    def __init__(self, similar):
        self.labels = torch.as_tensor(np.where(similar, 1, -1))


def test_gradient_of_the_objective():
    layer, points = turned(k=4), torch.randn(8, 4, dtype=torch.float64)
    loss, targets = DNLML_ISA()._criterion(layer, None, None), TargetsOf([True, False, True, False])

    def objective(turn):
        return loss(torch.func.functional_call(WithResponses(layer), {"layer.turn": turn}, (points,)), targets)

    assert torch.autograd.gradcheck(objective, (layer.turn,))


def test_a_fixed_layer_embeds_as_the_trained_one():
    layer, points = turned(), torch.randn(6, 5, dtype=torch.float64)
    with torch.no_grad():
        assert_allclose(fixed(layer).double()(points), layer(points), atol=1e-6)


def test_with_a_large_offset_single_units_keep_the_distances_of_the_whitened_points():
    pairs, y = tiny_pairs()
    params = PLAIN | {"offset": 50.0, "subspace_size": 1, "normalize": False}
    model = DNLML_ISA(**params).fit(pairs, y)
    with torch.no_grad():
        a, b = (model.module_[:2].double()(torch.from_numpy(pairs[:, i])) for i in range(2))
    ratios = model.pair_distance(pairs) / (a - b).norm(dim=1).numpy()
    assert_allclose(ratios, ratios.mean(), rtol=1e-3)


def test_without_an_offset_opposite_points_are_the_same():
    pairs, y = tiny_pairs()
    model = DNLML_ISA(**PLAIN).fit(np.concatenate([pairs, -pairs]), np.r_[y, y])  # so the mean is 0
    assert_allclose(model.transform(pairs[:, 0]), model.transform(-pairs[:, 0]), atol=1e-5)


def test_finds_the_plane_in_which_only_the_length_counts():
    train, test = phases(), phases(seed=1)
    params = PLAIN | {"normalize": False, "lr": 0.03, "weight_decay": 0.0, "early_stopping": False, "margin": 2.0}
    score = DNLML_ISA(weight=100.0, **params).fit(*train).score(*test)
    assert score > 0.7
    assert score > DNLML_ISA(weight=0.0, **params).fit(*train).score(*test) + 0.05
    linear = params | {"offset": 50.0, "subspace_size": 1, "max_epochs": 2}
    assert DNLML_ISA(weight=100.0, **linear).fit(*train).score(*test) < 0.6


def test_layers_are_trained_one_after_the_other():
    one, two = (DNLML_ISA(n_layers=n, max_epochs=2, random_state=0).fit(*tiny_pairs()) for n in (1, 2))
    lower = one.module_.state_dict()
    assert all(torch.equal(two.module_.state_dict()[name], value) for name, value in lower.items() if name[0] in "012")
    assert [epoch["layer"] for epoch in two.history_] == [0, 0, 1, 1]
    assert_array_equal([e["train_loss"] for e in one.history_], [e["train_loss"] for e in two.history_[:2]])


def test_a_point_of_weight_2_counts_as_two_points():
    X, weights = torch.randn(20, 5, generator=torch.Generator().manual_seed(0)), np.arange(20) % 2 + 1.0
    weighted = SubspaceLayer(X, 2, 0.7, 0.5, weights)
    repeated = SubspaceLayer(X[np.repeat(np.arange(20), weights.astype(int))], 2, 0.7, 0.5)
    for name, buffer in repeated.named_buffers():
        assert_allclose(weighted.get_buffer(name), buffer, rtol=1e-5, atol=1e-6)


def test_an_interrupt_in_an_upper_layer_counts_all_epochs():
    epochs = iter(range(6))

    class Interrupt(Callback):
        def on_epoch_end(self, net, **kwargs):
            if next(epochs) == 5:
                raise KeyboardInterrupt

    model = DNLML_ISA(max_epochs=3, n_layers=4, callbacks=[Interrupt()], random_state=0)
    with pytest.raises(FitInterrupted, match="6 of 12 epochs"):
        model.fit(*tiny_pairs())
    assert [(epoch["layer"], epoch["epoch"]) for epoch in model.history_] == [(i // 3, i % 3 + 1) for i in range(6)]


@pytest.mark.parametrize(
    "change",
    [
        {"n_layers": 1},
        {"n_units": 2},
        {"subspace_size": 1},
        {"offset": 3.0},
        {"weight": 0.0},
        {"margin": 0.2},
        {"sharpness": 1.0},
        {"skip": 0.0},
        {"normalize": False},
        {"init": "pca"},
    ],
)
def test_each_parameter_has_an_effect(change):
    pairs, y = tiny_pairs()
    plain, changed = (DNLML_ISA(max_epochs=2, random_state=0, **params).fit(pairs, y) for params in ({}, change))
    assert not np.allclose(plain.pair_distance(pairs), changed.pair_distance(pairs), rtol=1e-4)


def test_from_classes_better_than_the_euclidean_distance():
    X, y = tiny_points()
    X = X * [1, 1, 30, 1]  # noise
    model = DNLML_ISA_Supervised(max_epochs=5, random_state=0).fit(X, y)
    rows, columns = np.triu_indices(len(X), 1)
    same, euclidean = y[rows] == y[columns], np.linalg.norm(X[rows] - X[columns], axis=1)
    learned = model.pair_score(np.stack([X[rows], X[columns]], axis=1))
    assert roc_auc_score(same, learned) > roc_auc_score(same, -euclidean) + 0.05


def test_points_of_one_feature_and_of_no_variance():
    pairs, y = tiny_pairs()
    for few in (pairs[:, :, :1], np.ones_like(pairs)):
        for init in ("wccn", "pca"):
            model = DNLML_ISA(max_epochs=1, init=init, random_state=0).fit(few, y)
            assert np.isfinite(model.transform(few[:, 0])).all()
