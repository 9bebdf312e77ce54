"""Patches, their alignment and the places where they are looked for, against closed forms."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose

from metricnets.tracking._alignment import RIDGE, Alignment
from metricnets.tracking._motion import Motion, part_of
from metricnets.tracking._patches import dense, features_at, geometry_of, sampled, window
from metricnets.tracking._samples import variations
from metricnets.tracking._search import aligned

MIDDLE, ZERO = np.array([30.0, 30.0]), np.zeros(1)


def texture(n_planes=1):
    coarse = np.random.default_rng(0).random((n_planes, 16, 16))
    return np.kron(coarse, np.ones((4, 4))).astype(np.float32)  # (n_planes, 64, 64)


def test_patches_of_a_ramp_are_linear():
    ramp = np.add.outer(2.0 * np.arange(40), np.arange(50))
    ((region,),) = sampled(ramp[None], np.array([[20.0, 25.0]]), np.array([1.5]), (5, 7), ZERO, 0.75)
    y = 19.5 + 1.5 * np.arange(-2, 3)
    x = 24.5 + 1.5 * np.arange(-3, 4)
    assert_allclose(region, np.add.outer(2 * y, x), rtol=1e-5)


def test_a_turned_patch_is_the_turned_image():
    image = np.random.default_rng(0).random((1, 31, 31))
    center, step = np.array([[15.5, 15.5]]), np.array([1.0])
    ((turned,),) = sampled(image, center, step, (9, 9), np.array([np.pi / 2]), 0.5)
    ((plain,),) = sampled(image, center, step, (9, 9), ZERO, 0.5)
    assert_allclose(turned, np.rot90(plain, -1), atol=1e-5)


@pytest.mark.parametrize(("n_planes", "angle"), [(1, 0.0), (1, 0.4), (3, 0.0)])
def test_windows_are_patches_and_light_has_no_effect(n_planes, angle):
    image = texture(n_planes)
    geometry = geometry_of(np.array([16.0, 12.0]), 48)
    features, centers = dense(image, geometry, MIDDLE, 1.1, 0.5, angle)
    middle = len(centers) // 2
    assert_allclose(centers[middle], MIDDLE)
    for k in (0, middle):
        (alone,) = features_at(image, geometry, centers[[k]], np.array([1.1]), np.array([angle]), 1.1)
        assert_allclose(features[k], alone, atol=1e-4)
    assert_allclose(np.linalg.norm(features[:, : 5 * np.prod(geometry.shape)], axis=1), 1, rtol=1e-2)
    brighter = 3 * image + (2 if n_planes == 1 else 0)
    assert_allclose(dense(brighter, geometry, MIDDLE, 1.1, 0.5, angle)[0], features, atol=5e-3)


def test_pixels_count_less_towards_the_border_on_all_sides():
    weights = window((9, 7))
    assert weights.max() == weights[4, 3] == 1
    assert weights[0, 0] == weights.min() > 0
    assert_allclose(weights, weights[::-1, ::-1])


def test_alignment_is_ridge_regression_without_the_mean_direction():
    rng = np.random.default_rng(0)
    X, offsets = rng.normal(size=(30, 6)) + 2, rng.normal(size=(30, 4))
    mean = X.mean(axis=0) / np.linalg.norm(X.mean(axis=0))
    P = X @ (np.eye(6) - np.outer(mean, mean))
    expected = np.linalg.solve(P.T @ P + RIDGE * np.sum(P**2) / 30 * np.eye(6), P.T @ (offsets - offsets.mean(axis=0)))
    alignment = Alignment(X, offsets)
    assert_allclose(alignment.map, expected, atol=1e-5)
    assert_allclose(mean @ alignment.map, 0, atol=1e-5)
    assert (np.abs(alignment(100 * X)) <= np.abs(offsets).max(axis=0)).all()


@pytest.mark.parametrize("wrong", [[1.0, 0, 0, 0], [0, -1.0, 0, 0], [0, 0, 0.06, 0], [0, 0, 0, 0.12]])
def test_a_patch_is_aligned_in_place_scale_and_angle(wrong):
    image, geometry = texture(), geometry_of(np.array([24.0, 20.0]), 120)
    true = Motion(MIDDLE, 1.0, 0.0, np.zeros(2))
    alignment = Alignment(*variations(image, geometry, true, 30, np.random.default_rng(0)))
    start = MIDDLE + geometry.step * np.array(wrong[:2]), np.exp(wrong[2]), np.array([wrong[3]])
    for _ in range(12):
        centers, scales, angles, _ = aligned(image, geometry, alignment, *start)
        start = centers[0], scales[0], angles
    found = np.array([*(centers[0] - MIDDLE) / geometry.step, np.log(scales[0]), angles[0]])
    assert np.abs(found / [1, 1, 0.06, 0.12]).max() < 0.4


@pytest.mark.parametrize(
    ("shape", "reach"), [((60, 80), [10.0, 7.0]), ((60, 80), [90.0, 90.0]), ((33, 90), [8.0, 30.0])]
)
def test_the_parts_of_a_frame_cover_it_those_near_a_point_first(shape, reach):
    points = np.indices(shape).reshape(2, -1).T + 0.5
    parts = np.unique([part_of(shape, np.array(reach), MIDDLE, turn) for turn in range(60)], axis=0)
    away = np.abs(points[:, None] - parts) <= reach
    assert away.all(axis=2).any(axis=1).all()
    assert_allclose(part_of(shape, np.array(reach), parts[-1], 0), parts[-1])


def test_evidence_is_added_at_one_place_only():
    motion = Motion(MIDDLE, 1.0, 0.0, np.zeros(2), 5, MIDDLE, 0.2)
    size = np.array([10.0, 10.0])
    assert_allclose(motion.evidence_for(MIDDLE + 2, 0.1, size), 0.3)
    assert_allclose(motion.evidence_for(MIDDLE + 20, 0.1, size), 0.1)
    assert_allclose(motion.evidence_for(MIDDLE + 2, -0.1, size), 0.2)
    assert replace(motion, n_lost=1).evidence_for(MIDDLE, 0.1, size) == 0
