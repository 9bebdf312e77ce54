"""Relatedness of tasks: counted as by a naive loop, and what it is in the limit of many samples or of independence."""

import itertools

import numpy as np
import pytest
from scipy.special import softmax

from metricnets._relatedness.counting import SMOOTHING, counted, dirichlet_multinomial, reversed_relatedness
from metricnets._relatedness.of_tasks import relatedness_of
from metricnets._tasks import read_tasks

PRIOR = np.array([0.5, 0.3, 0.2])


def naive(a, b, n_a, weights):
    """The mean over the smoothings, with likelihoods as products of the predictions of one sample after another."""
    n_b, logs, matrices = len(PRIOR), [], []
    for s in SMOOTHING:
        counts, log = np.zeros((n_a, n_b)), 0.0
        for c, k, w in zip(a, b, weights):
            for _ in range(w):
                log += np.log((counts[c, k] + s * PRIOR[k]) / (counts[c].sum() + s))
                counts[c, k] += 1
        logs.append(log)
        matrices.append(
            [[(counts[c, k] + s * PRIOR[k]) / (counts[c].sum() + s) for k in range(n_b)] for c in range(n_a)]
        )
    return sum(w * np.array(R) for w, R in zip(softmax(np.log(SMOOTHING) + logs), matrices))


@pytest.mark.parametrize("n", [0, 1, 12])
def test_it_is_that_of_a_naive_loop(n):
    rng = np.random.default_rng(n)
    a, b, weights = rng.integers(4, size=n), rng.integers(3, size=n), rng.integers(1, 3, size=n)
    codes = np.r_[a, [-1, 2, -1]], np.r_[b, [1, -1, -1]]  # not annotated in both
    found = counted(*codes, 4, PRIOR, np.r_[weights, [5, 5, 5]].astype(float))
    np.testing.assert_allclose(found, naive(a, b, 4, weights))
    np.testing.assert_allclose(found.sum(axis=1), 1)


def test_many_samples_show_what_follows_and_what_does_not():
    rng = np.random.default_rng(0)
    a = rng.integers(3, size=600)
    np.testing.assert_allclose(counted(a, a, 3, np.full(3, 1 / 3)), np.eye(3), atol=0.01)
    other = rng.integers(3, size=600)
    for n in (20, 600):
        found = counted(a[:n], other[:n], 3, np.full(3, 1 / 3))
        assert np.abs(found - 1 / 3).max() < 0.1


def test_the_likelihoods_of_all_sequences_sum_to_1():
    alpha = 2.5 * PRIOR
    sequences = itertools.product(range(3), repeat=4)
    total = sum(np.exp(dirichlet_multinomial(np.bincount(each, minlength=3)[None], alpha)) for each in sequences)
    assert total == pytest.approx(1)


def test_it_is_reversed_by_the_theorem_of_bayes():
    rng = np.random.default_rng(0)
    joint = rng.dirichlet(np.ones(12)).reshape(4, 3)
    R = joint / joint.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(reversed_relatedness(R, joint.sum(axis=1)), (joint / joint.sum(axis=0)).T)
    never = np.c_[R, np.zeros(4)]
    np.testing.assert_allclose(reversed_relatedness(never, joint.sum(axis=1))[3], joint.sum(axis=1))


def test_only_tasks_that_are_annotated_together_are_related():
    tasks, codes = read_tasks([["a", 0, None], ["b", 1, None], [None, 0, 5], [None, 1, 6], ["a", None, None]])
    assert set(relatedness_of("counted", tasks, codes)) == {(0, 1), (1, 0), (1, 2), (2, 1)}
    assert len(relatedness_of(None, tasks, codes)) == 0
    assert repr(relatedness_of(None, tasks, codes)) == "Relatedness of no tasks"
