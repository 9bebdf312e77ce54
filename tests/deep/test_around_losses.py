"""What goes around a loss: memory of past batches, the constraint of a metric layer, collapse."""

import threading
from functools import partial

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from skorch.callbacks import Callback

from metricnets import EmbeddingNet, Mahalanobis, losses
from metricnets.deep._mahalanobis import Constrained
from metricnets.deep._training.data import Targets
from metricnets.deep._training.memory import WithMemory
from metricnets.relations import same_class

QUICK = {"max_epochs": 3, "hidden": (8,), "random_state": 0, "device": "cpu"}


class TestMemory:
    def batch(self, rows):
        rows = torch.as_tensor(rows)
        return rows[:, None].double().requires_grad_(), Targets(rows % 2, row=rows, relation=same_class)

    def test_it_keeps_the_newest_embeddings_and_is_used_from_the_second_pass_on(self):
        seen = []
        memory = WithMemory(lambda z, targets, n: seen.append((z.flatten().tolist(), n, targets)) or z.sum(), 3, 4)
        for rows in ([0, 1], [2, 3], [4, 5]):
            memory(*self.batch(rows))
        assert [embeddings for embeddings, *_ in seen] == [[0, 1], [2, 3], [4, 5, 2, 3, 0]]
        assert [n for _, n, _ in seen] == [2, 2, 2]
        assert seen[2][2].row.tolist() == [4, 5, 2, 3, 0]
        assert seen[2][2].labels.tolist() == [0, 1, 0, 1, 0]

    def test_past_embeddings_have_no_gradient(self):
        memory, first, second = WithMemory(lambda z, targets, n: (z**2).sum(), 2, 1), *map(self.batch, ([1, 2], [3, 4]))
        memory(*first)
        memory(*second).backward()
        assert first[0].grad is None
        assert second[0].grad.flatten().tolist() == [6, 8]

    def test_validation_neither_uses_nor_fills_it(self):
        memory = WithMemory(lambda z, targets, n: torch.tensor(float(len(z))), 2, 1).eval()
        assert [memory(*self.batch([0, 1])).item() for _ in range(3)] == [2, 2, 2]
        assert memory.past is None

    def test_the_batch_is_compared_with_the_past_and_a_row_not_with_itself(self):
        relations = []
        net = EmbeddingNet(loss=lambda z, r: relations.append(r.clone()) or (z**2).sum(), memory=4)
        loss = net._criterion(
            None, type("Part", (), {"targets": self.batch([0])[1], "__len__": lambda self: 2})(), None
        )
        loss.train()
        for rows in ([0, 1], [2, 0]):
            loss(*self.batch(rows))
        nan = np.nan  # rows 2 0 of the batch, then 0 1 of the past
        expected = [[nan, 1, 1, 0], [1, nan, nan, 0], [nan] * 4, [nan] * 4]
        assert_array_equal(relations[1].numpy(), expected)

    def test_a_fit_is_reproducible_and_other_than_without(self, points):
        with_memory = partial(EmbeddingNet, memory=20, batch_size=12, n_per_class=2, **QUICK)
        one, two = (with_memory().fit(*points).transform(points[0]) for _ in range(2))
        assert_array_equal(one, two)
        assert not np.allclose(one, with_memory(memory=0).fit(*points).transform(points[0]))

    @pytest.mark.parametrize(
        "params", [{"loss": "cosface"}, {"loss": "info_nce"}, {"sampler": "pairs", "loss": "contrastive"}]
    )
    def test_where_it_makes_no_sense_it_is_refused(self, points, params):
        with pytest.raises(ValueError, match=r"memory=8 is for losses of \(z, r\)"):
            EmbeddingNet(memory=8, **QUICK, **params).fit(*points)


class TestOrthogonality:
    def test_the_penalty_is_that_of_the_trained_factor(self, points):
        X, y = points
        model = Mahalanobis(orthogonality=0.5, max_epochs=2, random_state=0).fit(X, y)
        residual = model.module_[2]
        B = np.eye(4) + residual.network.weight.detach().numpy() * residual.scale.numpy()
        loss = Constrained(lambda z, targets: z.sum(), residual, 0.5)
        expected = 0.5 * ((B @ B.T - np.eye(4)) ** 2).sum()
        assert loss(torch.zeros(2, 4), None).item() == pytest.approx(expected, rel=1e-4)
        assert not list(loss.parameters())

    def test_a_large_weight_keeps_the_start(self, points):
        X, y = points
        start, near, free = (
            Mahalanobis(weight_decay=0.0, random_state=0, **params).fit(X, y).components_
            for params in ({"lr": 1e-12}, {"orthogonality": 100.0}, {})
        )
        far = np.linalg.norm(free.T @ free - start.T @ start)
        assert np.linalg.norm(near.T @ near - start.T @ start) < 0.1 * far

    def test_with_a_loss_that_owns_parameters(self, points):
        model = Mahalanobis(loss="proxy_anchor", orthogonality=1.0, max_epochs=2, random_state=0).fit(*points)
        assert isinstance(model.loss_, losses.ProxyAnchor)


class TestCollapse:
    @pytest.fixture
    def tangled(self):
        """Labels that have nothing to do with the points: the hardest triplets have nothing to hold on to."""
        rng = np.random.default_rng(0)
        return rng.normal(size=(200, 5)), rng.integers(0, 20, 200)

    def test_hardest_triplets_collapse_and_are_told(self, tangled):
        hardest = {"select": "hard", "margin": 0.2}
        params = {"init": "glorot", "positive_fraction": 1.0, "weight_decay": 0.0, "lr": 0.01, "max_epochs": 100}
        net = EmbeddingNet(loss="triplet", loss_params=hardest, random_state=0, **params)
        with pytest.warns(UserWarning, match=r"have collapsed: their mean distance is .*Lower lr \(lr=0.01\)"):
            net.fit(*tangled)
        assert net.history_[-1]["train_loss"] == pytest.approx(0.2, abs=0.05)  # the margin

    def test_a_network_that_learned_is_not_told(self, points):
        EmbeddingNet(loss="triplet", loss_params={"select": "semihard"}, random_state=0).fit(*points)

    def test_points_that_are_all_the_same_are_not_told(self, points):
        X, y = points
        EmbeddingNet(init="glorot", max_epochs=1, random_state=0).fit(0 * X, y)

    def test_points_that_are_sorted_by_class_are_not_told(self):
        rng = np.random.default_rng(0)
        y = np.repeat([0, 1], 300)
        EmbeddingNet(loss="soft_triplet", init="glorot", random_state=0).fit(
            rng.normal(size=(600, 4)) * 0.1 + 6 * y[:, None], y
        )


class TestValidation:
    @pytest.mark.parametrize(
        "params",
        [
            {"memory": 30},
            {"class_weight": {0: 0.1}},
            {"miner": "flip_positives", "miner_params": {"probability": 0.5}},
            {"miner": "distance_weighted"},
            {"loss": "cosface", "class_weight": {0: 0.1}},
        ],
        ids=str,
    )
    def test_its_loss_is_the_same_in_each_epoch_of_a_network_that_stands_still(self, params):
        rng = np.random.default_rng(0)
        X, y = rng.normal(size=(200, 4)), rng.integers(0, 2, 200)
        model = EmbeddingNet(early_stopping=True, validation_fraction=0.5, lr=1e-12, batch_size=200, **QUICK, **params)
        losses = [epoch["valid_loss"] for epoch in model.set_params(sampler="shuffled").fit(X, y).history_]
        assert_allclose(losses, losses[0], rtol=1e-3)

    @pytest.mark.parametrize("params", [{"memory": 30}, {"class_weight": {0: 0.1}, "loss": "cosface"}])
    def test_callbacks_need_no_copy(self, points, params):
        class Locked(Callback):
            lock = threading.Lock()

            def __deepcopy__(self, memo):
                raise TypeError("cannot be copied")

        callback = Locked()
        callback.own = threading.Lock()
        EmbeddingNet(early_stopping=True, validation_fraction=0.4, callbacks=[callback], **QUICK, **params).fit(*points)
