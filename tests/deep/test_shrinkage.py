"""Shrinkage of trained networks to their start: what it does, and how it is chosen."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from torch import nn

from metricnets import MMDML, DeepHashing, QuadrupletsNet, TripletsNet
from metricnets.datasets import make_sets
from metricnets.deep._training.comparisons import OfComparisons, two_folds
from metricnets.deep._training.sets import folds_of_sets
from metricnets.deep._training.shrinkage import SHRINKAGES, largest_shrinkage, shrink

QUICK = {"max_epochs": 1, "hidden": (4,), "n_components": 2, "device": "cpu", "random_state": 0}
RNG = np.random.default_rng(0)
X = RNG.normal(size=(20, 3))
TUPLES = {3: RNG.integers(20, size=(30, 3)), 4: RNG.integers(20, size=(30, 4))}


def fitted(cls, **params):
    if cls is DeepHashing:
        return cls(**QUICK | params).fit(X)
    if cls is MMDML:
        points, y, groups = make_sets(12, 3, n_features=3, n_informative=2, random_state=0)
        return cls(**QUICK | params).fit(points, y, groups=groups)
    return cls(preprocessor=X, **QUICK | params).fit(TUPLES[cls._tuple_size])


def outputs(model, points=X):
    return model.continuous_codes(points) if isinstance(model, DeepHashing) else model.transform(points)


@pytest.mark.parametrize("shrinkage", [0.0, 0.25, 1.0])
def test_weights_are_between_those_of_the_start_and_those_that_were_trained(shrinkage):
    network = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3))
    start = {name: torch.zeros_like(value) for name, value in network.state_dict().items()}
    end = {name: value.clone() for name, value in network.state_dict().items()}
    shrink(network, start, shrinkage)
    for name, value in network.state_dict().items():
        assert_allclose(value, (1 - shrinkage) * end[name].float(), rtol=1e-6)


@pytest.mark.parametrize("cls", [TripletsNet, QuadrupletsNet, MMDML, DeepHashing])
def test_with_shrinkage_1_only_the_start_counts(cls):
    start, trained = fitted(cls, lr=1e-12, shrinkage=0.0), fitted(cls, lr=0.1, shrinkage=0.0)
    assert_allclose(outputs(fitted(cls, lr=0.1, shrinkage=1.0)), outputs(start), atol=1e-5)
    assert not np.allclose(outputs(trained), outputs(start), atol=1e-3)


@pytest.mark.parametrize("cls", [TripletsNet, QuadrupletsNet, MMDML])
def test_it_is_chosen_unless_training_is_limited_otherwise(cls):
    assert fitted(cls, shrinkage="auto").shrinkage_ in SHRINKAGES
    for params in ({"early_stopping": True}, {"init": "glorot"}):
        assert fitted(cls, shrinkage="auto", **params).shrinkage_ == 0
    assert fitted(cls, shrinkage=0.3).shrinkage_ == 0.3


def test_few_samples_are_hashed_nearer_to_iterative_quantisation():
    assert fitted(DeepHashing).shrinkage_ == 100 / 120
    assert fitted(DeepHashing, init="pca").shrinkage_ == 0


def test_the_largest_shrinkage_that_is_not_clearly_worse():
    quality = np.zeros((40, 5))
    assert largest_shrinkage(quality) == 1
    quality[:, 2] = 1  # always better
    assert largest_shrinkage(quality) == 0.5
    quality[:, 1] = 1
    quality[0, 1] = 0  # one of forty, 1 standard error
    assert largest_shrinkage(quality) == 0.5
    quality[1, 1], quality[1, 2] = 2, 1  # as often better as worse
    assert largest_shrinkage(quality) == 0.75


def test_nothing_is_learned_from_too_few_comparisons():
    assert two_folds(9, RNG) == []
    a, b = two_folds(21, RNG)
    assert sorted([*a[0], *a[1]]) == list(range(21))
    assert set(a[0]) == set(b[1])
    assert TripletsNet(preprocessor=X, **QUICK).fit(TUPLES[3][:9]).shrinkage_ == 1


def test_folds_have_half_of_the_sets_of_each_class():
    codes, sets = np.repeat([0, 0, 0, 0, 1, 1, 2], 3), np.repeat(np.arange(7), 3)
    for kept, held in folds_of_sets(codes, sets, RNG):
        assert sorted([*kept, *held]) == list(range(21))
        assert not set(sets[kept]) & set(sets[held])
        assert_allclose(np.bincount(codes[held], minlength=3), [6, 3, 0])
    assert folds_of_sets(codes[:12], sets[:12], RNG) == []


def test_the_start_from_comparisons_is_the_simplest_unless_another_is_clearly_better():
    def best(*candidates):  # a list of what was right in each fold for each
        return OfComparisons(np.zeros((4, 4), int)).best([np.stack(fold) for fold in zip(*candidates)])

    same = [np.array([1.0, 0.0, 1.0, 0.0])] * 100  # judged a hundred times
    better = [np.array([1.0, 1.0, 1.0, 0.0])] * 100  # by 0.25, 1.15 standard errors of four
    slightly = [*better[:20], *same[20:]]  # by 0.05, 0.46 standard errors
    assert best(same, same) == 0
    assert best(same, better, same) == 1
    assert best(same, slightly) == 0
    assert best(better, same) == 0
    assert best([np.array([])], [np.array([])]) == 0


def test_a_choice_does_not_change_what_is_drawn():
    chosen = fitted(TripletsNet)
    assert_allclose(outputs(chosen), outputs(fitted(TripletsNet, shrinkage=chosen.shrinkage_)))


@pytest.mark.parametrize("cls", [TripletsNet, QuadrupletsNet])
def test_a_warm_start_is_shrunk_to_the_last_solution(cls):
    model = fitted(cls, shrinkage=0.0, warm_start=True)
    tuples, before = TUPLES[cls._tuple_size], model.transform(X)
    assert_allclose(model.set_params(shrinkage=1.0, lr=0.1).fit(tuples).transform(X), before, atol=1e-5)
    assert not np.allclose(model.set_params(shrinkage=0.5).fit(tuples).transform(X), before, atol=1e-3)


def test_the_shrinkage_of_a_warm_start_is_chosen_from_new_networks():
    model = fitted(TripletsNet, warm_start=True)
    chosen = model.shrinkage_
    assert model.fit(TUPLES[3]).shrinkage_ == chosen
