"""Inferred relatedness: what points say by a naive loop, the limit of counting; predictions combined by relatedness."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.kernel_ridge import KernelRidge

from metricnets._relatedness.class_ratios import FACTORS, RIDGES, class_ratios
from metricnets._relatedness.combination import combined
from metricnets._relatedness.counting import class_frequencies, counted, counts_of, reversed_relatedness
from metricnets._relatedness.inference import inferred, inferred_both
from metricnets._relatedness.of_tasks import relatedness_of
from metricnets._tasks import read_tasks

RNG = np.random.default_rng(0)
SHARES = np.array([0.5, 0.3, 0.2])


def apart(a, b):
    """Codes of two tasks, alternately annotated in one of them."""
    return np.where(np.arange(len(a))[:, None] % 2 == [0, 1], np.c_[a, b], -1)


def relatedness(X, codes):
    tasks, codes = read_tasks(codes)
    return relatedness_of("inferred", tasks, codes, X=X)


def test_points_that_are_left_out_are_predicted_as_by_a_naive_loop():
    X, labels = RNG.normal(size=(12, 3)), np.arange(12) % 2
    X[:, 0] += 3 * labels
    best, kernel = -np.inf, {"kernel": "precomputed"}
    for Z in (X - X.mean(axis=0), (X - X.mean(axis=0)) / X.std(axis=0)):
        products = Z @ Z.T / (Z**2).sum() * 12 + 1
        for ridge in RIDGES:
            left_out = np.empty((12, 2))
            for i in range(12):
                kept = np.arange(12) != i
                ridged = KernelRidge(alpha=ridge, **kernel).fit(products[kept][:, kept], np.eye(2)[labels[kept]])
                left_out[i] = ridged.predict(products[i : i + 1, kept])[0]
            for factor in FACTORS:
                odds = np.exp(factor * left_out)
                likelihood = np.log(odds[np.arange(12), labels] / odds.sum(axis=1)).sum()
                if likelihood > best:
                    fitted = KernelRidge(alpha=ridge, **kernel).fit(products, np.eye(2)[labels])
                    best, odds = likelihood, np.exp(factor * fitted.predict(products))
                    expected = odds / odds.sum(axis=1, keepdims=True) / 0.5
    for unit in (1.0, 1e200, 1e-200):
        found = class_ratios(X * unit, labels[:, None], [np.full(2, 0.5)])[0]
        np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_points_say_nothing_of_random_classes():
    X, codes = RNG.normal(size=(40, 5)), RNG.integers(3, size=(40, 2))
    codes[30:, 1] = -1
    priors = [class_frequencies(column, 3) for column in codes.T]
    for ratios in class_ratios(X, codes, priors, RNG.uniform(1, 2, 40)):
        np.testing.assert_array_equal(ratios, np.ones((40, 3)))


@pytest.mark.parametrize("weights", [None, RNG.integers(1, 4, size=30).astype(float)])
def test_without_such_points_it_is_counted(weights):
    a, b, ones = RNG.integers(-1, 4, size=30), RNG.integers(-1, 3, size=30), np.ones((30, 4))
    counts = counts_of(a, b, (4, 3), weights)
    found = inferred(counts, a, b, ones, ones[:, :3], np.full(4, 0.25), SHARES, weights)
    np.testing.assert_allclose(found, counted(a, b, 4, SHARES, weights), rtol=1e-6)


def test_both_directions_are_of_one_joint_distribution():
    a, b = np.arange(20) % 2, np.arange(20) % 3
    priors, ratios = (np.full(2, 0.5), SHARES), (np.ones((20, 2)), np.ones((20, 3)))
    R, reverse = inferred_both(counts_of(a, b, (2, 3)), (a, b), ratios, priors)
    joint = reverse * (joint_column := (priors[0] @ R))[:, None]
    np.testing.assert_allclose(joint.T.sum(axis=1), joint_column @ reverse)
    np.testing.assert_allclose(reversed_relatedness(reverse, joint_column), R, atol=0.02)


def test_it_needs_no_samples_annotated_in_both_tasks():
    X, y = load_digits(n_class=6, return_X_y=True)
    X, y = X[:150], y[:150]
    R = relatedness(X, apart(y, y % 2))[0, 1]
    np.testing.assert_array_equal(R.argmax(axis=1), np.arange(6) % 2)
    assert R.max(axis=1).min() > 0.75
    R = relatedness(X, apart(y, RNG.integers(2, size=150)))[0, 1]
    assert np.abs(R - R[0]).max() < 0.15


def test_jeffreys_rule_by_a_naive_loop_and_its_limits():
    joint = RNG.dirichlet(np.ones(6)).reshape(2, 3)
    R = {(0, 1): joint / joint.sum(axis=1, keepdims=True), (1, 0): (joint / joint.sum(axis=0)).T}
    p = [RNG.dirichlet(np.ones(2), 4), RNG.dirichlet(np.ones(3), 4)]
    for b, found in enumerate(combined(p, R)):
        to = R[b, 1 - b]
        for i, k in np.ndindex(found.shape):
            own = p[b][i]
            moved = sum(p[1 - b][i, c] * own[k] * to[k, c] / (own @ to[:, c]) for c in range(to.shape[1]))
            assert found[i, k] == pytest.approx((own[k] + moved) / 2)
        np.testing.assert_allclose(found.sum(axis=1), 1)
    independent = {(0, 1): np.tile(SHARES, (2, 1)), (1, 0): np.full((3, 2), 0.5)}
    for own, found in zip(p, combined(p, independent)):
        np.testing.assert_allclose(found, own)
    sure = combined([np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])], {(0, 1): np.eye(2)})
    np.testing.assert_array_equal(sure, [[[1, 0]], [[0, 1]]])  # they exclude each other
