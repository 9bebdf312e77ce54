"""Votes of neighbours, the share of wrong labels, true classes, and labels that are spread: against closed forms."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.neighbors import KNeighborsClassifier

from metricnets._label_votes import confident_joint, noise_rate, smallest_losses, true_shares, votes
from metricnets._pseudo_labels import class_spread


@pytest.fixture
def points():
    rng = np.random.default_rng(0)
    codes = rng.permutation(np.repeat([0, 1, 2], 20))
    return rng.normal(size=(60, 2)) + 2 * np.eye(3, 2)[codes], codes


def test_votes_are_those_of_a_nearest_neighbour_classifier_with_one_more(points):
    z, codes = points
    expected = KNeighborsClassifier(5).fit(z[:40], codes[:40]).predict_proba(z[40:])
    assert_allclose(votes(z[:40], codes[:40], z[40:], 3, 5), (5 * expected + 1 / 3) / 6)
    others = np.delete(np.arange(60), 7)
    expected = votes(z[others], codes[others], z[7:8], 3, 5)
    assert_allclose(votes(z, codes, None, 3, 5)[7:8], expected)
    assert_allclose(votes(z[:3], codes[:3], z[3:], 3, 45).sum(axis=1), 1)  # fewer points than neighbours


def test_the_joint_distribution_equals_a_loop(points):
    z, codes = points
    p = votes(z, codes, None, 3, 15)
    levels = [p[codes == c, c].mean() for c in range(3)]
    counted = np.zeros((3, 3))
    for i in range(60):
        able = [c for c in range(3) if p[i, c] >= levels[c]]
        if able:
            counted[codes[i], max(able, key=lambda c: p[i, c])] += 1
    expected = counted / counted.sum(axis=1, keepdims=True) / 3
    joint = confident_joint(p, codes)
    assert_allclose(joint, expected, atol=1e-6)
    assert_allclose(noise_rate(joint), 1 - np.trace(expected), atol=1e-6)


def test_a_weight_of_two_is_a_sample_that_is_there_twice(points):
    z, codes = points
    p, counts = votes(z, codes, None, 3, 15), np.arange(60) % 3 + 1
    twice = np.repeat(np.arange(60), counts)
    assert_allclose(confident_joint(p, codes, counts), confident_joint(p[twice], codes[twice]), atol=1e-9)
    held, all_of_them = z[:5] + 0.1, votes(z[twice], codes[twice], z[:5] + 0.1, 3, len(twice))
    assert_allclose(votes(z, codes, held, 3, 60, counts), all_of_them)
    kept = smallest_losses(np.array([0.1, 0.2, 0.3, 0.4]), np.zeros(4, int), 0.5, np.array([3.0, 1, 1, 1]))
    assert_array_equal(kept, [False, True, True, True])


def test_a_planted_share_of_wrong_labels_is_found():
    rng = np.random.default_rng(0)
    true = rng.integers(4, size=4000)
    given = np.where(rng.random(4000) < 0.25, (true + rng.integers(1, 4, size=4000)) % 4, true)
    confusion = np.full((4, 4), 0.25 / 3) + (0.75 - 0.25 / 3) * np.eye(4)
    p = np.array([rng.multinomial(45, confusion[t]) for t in true]) / 45
    joint = confident_joint(p, given)
    assert abs(noise_rate(joint) - 0.25) < 0.03
    assert (true_shares(p, given, joint).argmax(axis=1) == true).mean() > 0.97
    kept = smallest_losses(p[np.arange(4000), given], given, noise_rate(joint))
    assert (given == true)[kept].mean() > 0.97


def test_labels_that_are_never_wrong_stay():
    p, codes = np.array([[0.1, 0.9], [0.6, 0.4]]), np.array([0, 1])
    assert_array_equal(true_shares(p, codes, np.eye(2) / 2).argmax(axis=1), codes)
    assert smallest_losses(np.array([0.1, 0.2, 0.3, 0.9]), np.array([0, 0, 1, 1]), 1.0).all()  # two of each stay
    assert_array_equal(smallest_losses(np.array([0.1, 0.2, 0.3]), np.zeros(3, int), 0.4), [False, True, True])


def test_spreading_equals_its_closed_form(points):
    z, codes = points
    partial = np.where(np.arange(60) % 6, -1, codes)
    d = np.linalg.norm(z[:, None] - z, axis=2)
    is_near, unit = np.zeros((60, 60)), z / np.linalg.norm(z, axis=1, keepdims=True)
    np.put_along_axis(is_near, np.argsort(d, axis=1)[:, 1:6], 1, axis=1)
    both = is_near * is_near.T
    G = (both + (is_near + is_near.T - 2 * both) / 4) * (unit @ unit.T).clip(0.01) ** 6
    root = G.sum(axis=1) ** -0.5
    weights = np.arange(60) % 5 + 1.0
    Y = (partial[:, None] == np.arange(3)) * weights[:, None]
    F = np.linalg.solve(np.eye(60) - 0.5 * root[:, None] * G * root, 0.5 * Y)
    F *= Y.sum(axis=0) / F.sum(axis=0)  # each class has its share of the labels
    assert_allclose(class_spread(z, partial, 3, weights, k=5, alpha=0.5), F / F.sum(axis=1, keepdims=True), rtol=1e-6)


def test_where_no_label_arrives_shares_are_those_of_the_labels():
    z = np.r_[0:6, 100:106].astype(float)[:, None]
    codes = np.array([0, 0, 1] + [-1] * 9)
    assert_allclose(class_spread(z, codes, 2, k=2)[6:], np.tile([2 / 3, 1 / 3], (6, 1)))
