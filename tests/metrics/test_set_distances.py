"""Distances of sets of points, against naive loops, closed forms and a general optimiser."""

from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import subspace_angles
from scipy.optimize import minimize

from metricnets.metrics import (
    affine_hull_distance,
    convex_hull_distance,
    mean_nearest_distance,
    minimum_distance,
    mutual_subspace_distance,
    one_per_set,
    set_distances,
)

DISTANCES = [
    minimum_distance,
    mean_nearest_distance,
    mutual_subspace_distance,
    affine_hull_distance,
    convex_hull_distance,
]
SYMMETRIC = [distance for distance in DISTANCES if distance is not mean_nearest_distance]
every = pytest.mark.parametrize("distance", DISTANCES)


def two_sets(seed=0, n_a=4, n_b=6, d=9):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_a, d)), rng.normal(size=(n_b, d)) + 1


def test_the_nearest_points_are_those_of_a_double_loop():
    A, B = two_sets()
    rows = [sorted(np.linalg.norm(a - b) for b in B) for a in A]
    assert minimum_distance(A, B) == pytest.approx(min(map(min, rows)))
    assert mean_nearest_distance(A, B) == pytest.approx(np.mean([row[0] for row in rows]))
    assert mean_nearest_distance(A, B, n_neighbors=3) == pytest.approx(np.mean([row[:3] for row in rows]))
    assert mean_nearest_distance(A, B, n_neighbors=99) == pytest.approx(np.mean(rows))


@pytest.mark.parametrize("center", [False, True])
@pytest.mark.parametrize("n_angles", [1, 3])
def test_the_mutual_subspace_distance_is_that_of_scipys_angles(n_angles, center):
    A, B = two_sets()
    rows = [S - center * S.mean(axis=0) for S in (A, B)]
    angles = np.sort(subspace_angles(*(np.linalg.svd(S.T, full_matrices=False)[0][:, :3] for S in rows)))
    found = mutual_subspace_distance(A, B, n_components=3, n_angles=n_angles, center=center)
    assert found == pytest.approx(np.mean(np.sin(angles[:n_angles]) ** 2))


def test_the_affine_hull_distance_is_that_of_least_squares():
    A, B = two_sets()
    differences = np.vstack([A[1:] - A[0], B[1:] - B[0]]).T
    expected = np.linalg.norm(A[0] - B[0] - differences @ np.linalg.lstsq(differences, A[0] - B[0], rcond=None)[0])
    assert affine_hull_distance(A, B, variance=1.0) == pytest.approx(expected)
    assert affine_hull_distance(A, B, variance=0.0) == pytest.approx(np.linalg.norm(A.mean(0) - B.mean(0)))
    shares = [affine_hull_distance(A, B, variance=share) for share in (0.0, 0.5, 0.9, 1.0)]
    assert_array_equal(shares, sorted(shares, reverse=True))


@pytest.mark.parametrize("seed", range(3))
def test_the_convex_hull_distance_is_the_minimum_over_weights(seed):
    A, B = two_sets(seed, 3, 4, 5)

    def distance(weights):
        return np.sum((weights[:3] @ A - weights[3:] @ B) ** 2)

    sums = [{"type": "eq", "fun": lambda w: w[:3].sum() - 1}, {"type": "eq", "fun": lambda w: w[3:].sum() - 1}]
    start = np.r_[np.full(3, 1 / 3), np.full(4, 1 / 4)]
    best = minimize(distance, start, bounds=[(0, 1)] * 7, constraints=sums, options={"ftol": 1e-13, "maxiter": 500})
    assert convex_hull_distance(A, B) == pytest.approx(best.fun**0.5, rel=1e-4)


def test_hulls_contain_one_another():
    A, B = two_sets(3, 3, 3)
    assert affine_hull_distance(A, B, variance=1.0) <= convex_hull_distance(A, B) + 1e-9
    assert convex_hull_distance(A, B) <= minimum_distance(A, B)
    square = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0], [2.0, 2.0]])
    assert convex_hull_distance(square, [[1.0, 1.0]]) == pytest.approx(0, abs=1e-6)


@every
def test_single_points_have_their_own_distance(distance):
    a, b = np.array([[3.0, 0.0, 4.0]]), np.array([[0.0, 0.0, 4.0]])
    cosine = 16 / (5 * 4)
    expected = 1 - cosine**2 if distance is mutual_subspace_distance else 3.0
    assert distance(a, b) == pytest.approx(expected)


@pytest.mark.parametrize("distance", SYMMETRIC)
def test_distances_are_symmetric_and_at_most_the_minimum_of_a_subset(distance):
    A, B = two_sets()
    assert distance(A, B) == pytest.approx(distance(B, A), rel=1e-6)
    assert distance(A, A) == pytest.approx(0, abs=1e-6)
    turn = np.linalg.qr(np.random.default_rng(0).normal(size=(9, 9)))[0]
    assert distance(A @ turn, B @ turn) == pytest.approx(distance(A, B), rel=1e-6)


@every
def test_the_unit_and_the_origin_matter_as_they_should(distance):
    A, B = two_sets()
    d = distance(A, B)
    unit = 1.0 if distance is mutual_subspace_distance else 1e6
    assert distance(A * 1e6, B * 1e6) == pytest.approx(d * unit, rel=1e-6)
    if distance is not mutual_subspace_distance:
        assert distance(A + 100, B + 100) == pytest.approx(d, rel=1e-6)
    assert mutual_subspace_distance(A + 100, B - 100, center=True) == pytest.approx(
        mutual_subspace_distance(A, B, center=True)
    )


@every
@pytest.mark.parametrize("A", [np.zeros((3, 9)), np.ones((3, 9)), np.eye(1, 9)])
def test_points_that_are_all_equal_have_a_finite_distance(distance, A):
    assert np.isfinite(distance(A, two_sets()[1]))
    assert np.isfinite(distance(A, A))


@every
@pytest.mark.parametrize("B", [np.zeros((2, 8)), np.zeros((0, 9)), np.zeros(9), np.full((2, 9), np.nan), None, [["a"]]])
def test_other_points_are_refused(distance, B):
    with pytest.raises(ValueError, match=r"\bB\b"):
        distance(two_sets()[0], B)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (partial(mean_nearest_distance, n_neighbors=0), "n_neighbors"),
        (partial(mutual_subspace_distance, n_components=1.5), "n_components"),
        (partial(mutual_subspace_distance, n_angles=0), "n_angles"),
        (partial(affine_hull_distance, variance=1.5), "variance"),
    ],
)
def test_parameters_out_of_range_are_named(call, name):
    with pytest.raises(ValueError, match=name):
        call(*two_sets())


# ------------------------------------------------------------------------------------------------
# All sets.


@pytest.mark.parametrize("name", ["minimum", "mean_nearest", "mutual_subspace", "affine_hull", "convex_hull"])
def test_all_sets_are_compared_in_the_order_of_their_names(name):
    rng = np.random.default_rng(0)
    X, groups = rng.normal(size=(20, 6)), rng.permutation(np.repeat(["d", "b", "a", "c"], [2, 3, 6, 9]))
    Y, groups_Y = rng.normal(size=(7, 6)), np.array([9, 5, 9, 9, 5, 5, 5])
    one = dict(zip(["minimum", "mean_nearest", "mutual_subspace", "affine_hull", "convex_hull"], DISTANCES))[name]
    expected = [[one(X[groups == s], Y[groups_Y == t]) for t in (5, 9)] for s in "abcd"]
    assert_allclose(set_distances(X, groups, Y, groups_Y, distance=name), expected, rtol=1e-9)
    assert_allclose(set_distances(X, groups, Y, groups_Y, distance=one), expected, rtol=1e-9)
    among = set_distances(X, groups, distance=name)
    assert_allclose(among, set_distances(X, groups, X, groups, distance=name))


X, GROUPS = np.arange(8.0).reshape(4, 2), [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: set_distances(X, None), "groups is None"),
        (lambda: set_distances(X, GROUPS[:3]), "3 entries for 4 rows"),
        (lambda: set_distances(X, [[0, 0, 1, 1]] * 4), "groups should be a 1-D array"),
        (lambda: set_distances(X, [0, 0, np.nan, 1]), "missing"),
        (lambda: set_distances(X, GROUPS, X), "groups_Y is None"),
        (lambda: set_distances(X, GROUPS, X[:, :1], GROUPS), "2 features and Y of 1"),
        (lambda: set_distances(X * np.nan, GROUPS), "NaN"),
        (lambda: set_distances(X, GROUPS, distance="minima"), "distance='minima'"),
        (lambda: set_distances(X, GROUPS, distance=lambda A, B: np.nan), "NaN"),
        (lambda: set_distances(X, GROUPS, distance=lambda A, B: "far"), "not an array of numbers"),
        (lambda: one_per_set(GROUPS, [1, 1, 2, 3]), "y differs within set 1"),
        (lambda: one_per_set(GROUPS, [1, 1, 2]), "4 entries for 3 rows"),
    ],
)
def test_what_is_wrong_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_one_value_for_each_set():
    sets, values = one_per_set(["b", "a", "b", "c"], np.array(["x", "y", "x", "x"]))
    assert_array_equal(sets, ["a", "b", "c"])
    assert_array_equal(values, ["y", "x", "x"])
