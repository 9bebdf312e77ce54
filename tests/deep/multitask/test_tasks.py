"""Several tasks: which points are similar, the maps from which networks start, batches; and targets that are read."""

import numpy as np
import pytest
import torch
from discovery import quick, tiny_tasks
from sklearn.datasets import load_digits

from metricnets._tasks import read_tasks, shares_of
from metricnets.deep._training.scaling import standardization
from metricnets.deep._training.similarity import OfTargets
from metricnets.deep._training.tasks import OfTasks, TaskBatches, maps_of_tasks
from metricnets.deep._training.wccn import bases_of_rows, whitening_layer
from metricnets.relations import known_class

X, Y = tiny_tasks()
CODES = read_tasks(Y)[1]


def test_one_task_is_that_of_its_targets():
    codes = np.maximum(CODES[:, :1], 0)
    several, one = OfTasks(codes, np.ones(1)), OfTargets(torch.from_numpy(codes[:, 0]), known_class)
    kept, held = np.arange(30), np.arange(30, 45)
    np.testing.assert_allclose(several.covariance(X, kept), one.covariance(X, kept))
    truth = several.truth(kept, held)
    assert several.quality(X[None], kept, held, truth) == one.quality(X[None], kept, held, one.truth(kept, held))


def test_of_several_tasks_it_is_the_mean_over_those_that_are_annotated():
    several, rows = OfTasks(CODES, np.array([0.25, 0.75])), np.arange(45)
    parts = []
    for column in CODES.T:
        known = column >= 0
        centred = np.concatenate([X[column == c] - X[column == c].mean(axis=0) for c in np.unique(column[known])])
        parts.append(centred.T @ centred / (known.sum() - len(np.unique(column[known]))))
    np.testing.assert_allclose(several.covariance(X, rows), 0.25 * parts[0] + 0.75 * parts[1])


def test_maps_of_all_tasks_and_of_each_share_the_columns():
    standardize, rows = standardization(X, None), np.arange(45)

    def weight(groups, n_components, codes=CODES):
        options = (None, rows, n_components, True, 0)
        return maps_of_tasks(X, standardize, codes, np.array(groups), *options).weight.numpy()

    W = weight([0, 1], 7)
    assert W.shape == (7, 4)
    own = np.flatnonzero(CODES[:, 1] >= 0)
    assert len(own) < 45
    similarity, bases = OfTasks(CODES[own, 1:], np.ones(1)), bases_of_rows(X, standardize, rows, None, 0)
    alone = whitening_layer(X, standardize, own, similarity, 2, True, 0, bases).weight.numpy()
    np.testing.assert_allclose(W[5:], alone / 3**0.5, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(weight([0, 1], 5), weight([0, 0], 5), rtol=1e-5, atol=1e-6)  # too few columns


def test_batches_have_the_same_share_of_each_task():
    annotated = np.repeat([[True, False], [False, True], [True, True]], [60, 12, 8], axis=0)
    sampler = TaskBatches(annotated, 20, np.random.default_rng(0))
    for _ in range(3):
        batches = list(sampler)
        assert len(batches) == len(sampler) == 4
        assert sorted(np.concatenate(batches)) == list(range(80))
        for rows in batches:
            assert np.abs(annotated[rows].sum(axis=0) - [17, 5]).max() <= 1


def test_a_small_task_counts_as_much_as_a_large_one():
    rng = np.random.default_rng(0)
    truth = rng.integers(2, size=(1300, 2))
    points = rng.normal(size=(1300, 6))
    points[:, :2] += 3 * truth
    y = np.where(np.arange(1300)[:, None] < 1000, [1, 0], [0, 1]) * 1.0
    y = np.where(y == 1, truth, np.nan)[:1020]
    net = quick("MultiTaskNet", max_epochs=5, batch_size=256, coupling=None)
    scores = net.fit(points[:1020], y).task_scores(points[1020:], truth[1020:])
    alone = net.fit(points[1000:1020], y[1000:, 1]).score(points[1020:], truth[1020:, 1])
    assert scores[1] > alone - 0.05 > 0.8
    assert scores[0] > 0.85


def test_a_dozen_tasks_on_digits_do_not_harm_each_other():
    X, digit = load_digits(return_X_y=True)
    rng = np.random.default_rng(0)
    truth = np.stack([np.isin(digit, rng.permutation(10)[:5]) for _ in range(12)], axis=1)
    y = np.where(rng.permuted(np.arange(240) % 12)[:, None] == np.arange(12), truth[:240], -1)
    net = quick("MultiTaskNet", n_components=64, max_epochs=5)
    together = net.fit(X[:240], y).task_scores(X[300:], truth[300:].astype(int))
    assert len(net.relatedness_) == 132
    alone = []
    for task in range(3):
        some = y[:, task] >= 0
        alone.append(net.fit(X[:240][some], y[some, task]).score(X[300:], truth[300:, task].astype(int)))
    assert together[:3].mean() > np.mean(alone) - 0.02
    assert together.mean() > 0.65


@pytest.mark.parametrize("groups", [[0, 1, 2], [0, 1, 1], [3, 3, 3], [0, 5, 0]])
def test_shares(groups):
    shares = shares_of(np.array(groups))
    totals = [shares[np.array(groups) == g].sum() for g in set(groups)]
    np.testing.assert_allclose(totals, 1 / len(totals))
