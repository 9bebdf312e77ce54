"""LMNN: the objective and its gradient against a plain loop, the optimum, the search, what has no optimum."""

import warnings

import numpy as np
import pytest
from discovery import tiny_points
from scipy.optimize import approx_fprime
from scipy.spatial.distance import cdist
from sklearn.covariance import ledoit_wolf_shrinkage
from sklearn.datasets import load_iris, make_classification
from sklearn.exceptions import ConvergenceWarning
from sklearn.neighbors import KNeighborsClassifier, NearestNeighbors

from metricnets.linear._lmnn import LMNN
from metricnets.linear._pairwise import large_margins
from metricnets.linear._pairwise.large_margins import Impostors, LargeMargins, best_scale, search
from metricnets.linear._pairwise.shrunk_pull import shrunk_pull
from metricnets.linear._solvers.lbfgs import minimize

X, y = tiny_points()


def nearest_targets(X, y, k):
    """The k nearest of the same class, or fewer, as lists of rows."""
    D = cdist(X, X)
    same = [np.flatnonzero((y == y[i]) & (np.arange(len(X)) != i)) for i in range(len(X))]
    return [rows[np.argsort(D[i, rows], kind="stable")][:k] for i, rows in enumerate(same)]


def objective(L, X, y, targets, mu=0.5):
    """Sum over rows, targets and other classes, one by one."""
    D = cdist(X @ L.T, X @ L.T, "sqeuclidean")
    pull = push = 0.0
    for i, near in enumerate(targets):
        for j in near:
            pull += D[i, j]
            push += np.maximum(0, 1 + D[i, j] - D[i, y != y[i]]).sum()
    return (1 - mu) * pull + mu * push


def prepared(X, y, k, mu=0.5):
    """The loss as the solver has it, and the same data for the plain one."""
    order = np.argsort(y, kind="stable")
    X, y = X[order], y[order]
    targets = nearest_targets(X, y, k)
    near = np.array([[*rows, *[i] * (k - len(rows))] for i, rows in enumerate(targets)])
    return LargeMargins(X, near, y, mu), X, y, targets


def fit(X, y, **params):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return LMNN(**params).fit(X, y)


@pytest.mark.parametrize("scale", [0.1, 0.5, 3.0])
@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("rows", [np.arange(45), np.r_[:8], np.repeat(np.r_[:12], 3)], ids=["all", "few", "repeated"])
def test_the_objective_is_the_sum_over_all_triplets(rows, k, scale):
    loss, *data = prepared(X[rows], np.unique(y[rows], return_inverse=True)[1], k, mu=0.3)
    rng = np.random.default_rng(0)
    for _ in range(3):
        L = rng.normal(size=(3, 4)) * scale
        assert loss(L)[0] == pytest.approx(objective(L, *data, mu=0.3), rel=1e-9)
    assert loss.at_zero == pytest.approx(objective(np.zeros((1, 4)), *data, mu=0.3))


def test_the_gradient_is_that_of_the_objective():
    loss, *_ = prepared(X, y, 3, mu=0.3)
    L = np.random.default_rng(1).normal(size=(2, 4)) * 0.4
    numeric = approx_fprime(L.ravel(), lambda v: loss(v.reshape(2, 4))[0], 1e-7)
    np.testing.assert_allclose(loss(L)[1].ravel(), numeric, rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("name", ["N_BLOCK", "N_KEPT", "N_DENSE"])
def test_sizes_of_blocks_change_nothing(name, monkeypatch):
    points, classes = make_classification(300, 5, n_informative=3, n_redundant=1, n_classes=3, random_state=0)
    maps = np.random.default_rng(0).normal(size=(4, 3, 5)) * 0.5
    expected = [prepared(points, classes, 3)[0](L) for L in maps]
    monkeypatch.setattr(large_margins, name, {"N_BLOCK": 1000, "N_KEPT": 100, "N_DENSE": 1000}[name])
    loss, *_ = prepared(points, classes, 3)
    for L, (value, gradient) in zip(maps, expected):
        assert loss(L)[0] == pytest.approx(value, rel=1e-12)
        np.testing.assert_allclose(loss(L)[1], gradient, rtol=1e-9, atol=1e-9 * np.abs(gradient).max())


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e6])
def test_the_search_misses_nothing_and_finds_little_else(scale):
    rng = np.random.default_rng(0)
    z = rng.normal(size=(200, 6)) * scale + 5 * scale
    starts = [0, 50, 60, 200]
    reach, slack = rng.uniform(0, 2, size=(2, 200)) * scale
    found = {pair for i, j in search(z, starts, reach, slack) for pair in zip(i.tolist(), j.tolist())}
    block = np.searchsorted(starts, np.arange(200), side="right")
    other = block[:, None] != block
    excess = cdist(z, z) - (reach[:, None] + slack)
    assert found >= set(zip(*(rows.tolist() for rows in np.nonzero(other & (excess <= 0)))))
    assert found <= set(zip(*(rows.tolist() for rows in np.nonzero(other & (excess <= 1e-2 * scale)))))


def test_pairs_are_kept_as_long_as_none_can_be_missing(monkeypatch):
    searches = []
    monkeypatch.setattr(large_margins, "search", lambda *args: searches.append(1) or search(*args))
    rng = np.random.default_rng(0)
    z, starts = rng.normal(size=(100, 3)), np.array([0, 40, 100])
    other = (np.arange(100) < 40)[:, None] != (np.arange(100) < 40)
    near = Impostors(starts)
    for step in 0.3 * 0.7 ** np.arange(40):
        z = z + step * rng.uniform(-1, 1, size=z.shape)
        reach = np.sqrt(0.5 + np.abs(z[:, 0]))
        found = {pair for i, j in near.within(z, reach) for pair in zip(i.tolist(), j.tolist())}
        assert found >= set(zip(*(rows.tolist() for rows in np.nonzero(other & (cdist(z, z) <= reach[:, None])))))
    assert 5 < len(searches) < 30


def test_in_one_dimension_the_optimum_is_at_a_breakpoint():
    x, targets = X[:, :1], nearest_targets(X[:, :1], y, 3)
    D = cdist(x, x, "sqeuclidean")
    excess = [D[i, j] - D[i, y != y[i]] for i in range(45) for j in targets[i]]
    excess = np.concatenate(excess)
    least = min(objective(np.array([[s**0.5]]), x, y, targets) for s in np.unique(-1 / excess[excess < 0])[::80])
    lmnn = fit(x, y, convergence_tol=1e-9)
    assert objective(lmnn.components_, x, y, targets) <= least * (1 + 1e-9)


@pytest.mark.parametrize("mu", [0.2, 0.5, 1.0])
def test_no_other_metric_has_a_lower_objective(mu):
    targets = nearest_targets(X, y, 2)
    lmnn = fit(X, y, n_neighbors=2, regularization=mu, convergence_tol=1e-7)
    least = objective(lmnn.components_, X, y, targets, mu)
    M, rng = lmnn.get_mahalanobis_matrix(), np.random.default_rng(0)
    for _ in range(15):  # the problem is convex in M: no way from M to another may lead down
        A = rng.normal(size=(4, rng.integers(1, 5)))
        other = A @ A.T / np.trace(A @ A.T) * np.trace(M)
        for share in (1e-3, 0.1, 1):
            L = np.linalg.cholesky((1 - share) * M + share * other + 1e-12 * np.eye(4)).T
            assert objective(L, X, y, targets, mu) >= least * (1 - 1e-4)


@pytest.mark.parametrize("init", ["pca", "identity", "random", "auto"])
def test_the_optimum_does_not_depend_on_where_it_is_sought_from(init):
    targets = nearest_targets(X, y, 3)
    expected = objective(fit(X, y, init=7 * np.eye(4), convergence_tol=1e-6).components_, X, y, targets)
    found = fit(X, y, init=init, convergence_tol=1e-6, random_state=0).components_
    assert objective(found, X, y, targets) == pytest.approx(expected, rel=1e-3)


def test_the_best_scale_is_the_least_of_all_breakpoints():
    loss, points, classes, targets = prepared(X, y, 3)
    D = cdist(points, points, "sqeuclidean")
    excess = np.concatenate([D[i, j] - D[i, classes != classes[i]] for i in range(45) for j in targets[i]])
    scales = -1 / excess[excess < 0]
    best = best_scale(points, loss.near, classes, 0.5)
    assert np.isclose(scales, best, rtol=1e-6).any()
    value = objective(np.eye(4) * best**0.5, points, classes, targets)
    nearby = np.unique(np.r_[scales[::150], best * 0.99, best * 1.01])
    assert all(objective(np.eye(4) * s**0.5, points, classes, targets) >= value * (1 - 1e-9) for s in nearby)


@pytest.mark.parametrize("factor", [2.0**-27, 2.0**27])
def test_the_unit_of_the_data_does_not_matter(factor):
    np.testing.assert_allclose(fit(X * factor, y).transform(X * factor), fit(X, y).transform(X), rtol=1e-6)


def test_rotated_and_shuffled_data_give_the_same_distances():
    Q, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))
    order = np.random.default_rng(1).permutation(45)
    d = fit(X, y, convergence_tol=1e-7).pair_distance(X.reshape(-1, 3, 4)[:, :2])
    turned = fit((X @ Q + 100)[order], y[order], convergence_tol=1e-7)
    np.testing.assert_allclose(turned.pair_distance((X @ Q + 100).reshape(-1, 3, 4)[:, :2]), d, rtol=0.02, atol=0.02)


def test_neighbours_of_other_classes_keep_their_distance():
    points, classes = load_iris(return_X_y=True)
    before = NearestNeighbors(n_neighbors=4).fit(points).kneighbors(points, return_distance=False)
    z = fit(points, classes).transform(points)
    after = NearestNeighbors(n_neighbors=4).fit(z).kneighbors(z, return_distance=False)
    strangers = [(classes[rows[:, 1:]] != classes[:, None]).sum() for rows in (before, after)]
    assert strangers[1] < strangers[0]


def test_classes_far_apart_have_no_impostors_and_come_closer():
    points = np.r_[X, X + 1000.0]
    classes = np.repeat([0, 1], 45)
    lmnn = fit(points, classes)
    targets = nearest_targets(points, classes, 3)
    assert objective(lmnn.components_, points, classes, targets) < objective(np.eye(4), points, classes, targets) / 100
    between = cdist(lmnn.transform(points[:45]), lmnn.transform(points[45:]), "sqeuclidean")
    assert 0.5 < between.min() < 10


def test_fewer_components_are_learned():
    targets = nearest_targets(X, y, 3)
    for params in ({"n_components": 2}, {"init": np.eye(2, 4)}, {"n_components": 3, "init": "pca"}):
        L = fit(X, y, **params).components_
        assert L.shape == (params.get("n_components", 2), 4)
        before = min(objective(np.eye(len(L), 4) * s, X, y, targets) for s in np.geomspace(0.1, 3, 8))
        assert objective(L, X, y, targets) < before


def test_labels_may_be_of_any_kind():
    expected = fit(X, y)
    for labels in (np.array(["a", "b", "c"])[y], y * 10 - 5, y.astype(float)):
        named = fit(X, labels)
        np.testing.assert_array_equal(named.components_, expected.components_)


def test_same_seed_same_bits():
    first = fit(X, y, init="random", random_state=3)
    again = fit(X, y, init="random", random_state=3)
    np.testing.assert_array_equal(first.components_, again.components_)


def test_iterations_are_counted_and_bounded(capsys):
    assert fit(X, y, convergence_tol=1e9).n_iter_ == 10
    with pytest.warns(ConvergenceWarning, match="LMNN did not converge in max_iter=3"):
        lmnn = LMNN(max_iter=3, verbose=True).fit(X, y)
    assert lmnn.n_iter_ == 3
    assert "LMNN" in capsys.readouterr().err


def test_classes_too_small_have_fewer_targets():
    classes = np.where(np.arange(45) < 2, 7, np.where(np.arange(45) < 3, 8, y))
    with pytest.warns(UserWarning, match="n_neighbors=3 is too many for 2 of 5 classes.*1 samples"):
        L = LMNN(convergence_tol=1e-6).fit(X, classes).components_
    targets = nearest_targets(X, classes, 3)
    least = objective(L, X, classes, targets)
    for change in np.random.default_rng(0).normal(size=(20, 4, 4)):
        assert objective(L + 0.01 * change, X, classes, targets) >= least * (1 - 1e-4)


@pytest.mark.parametrize(
    ("params", "labels", "match"),
    [
        ({}, np.zeros(45), "y has one class only"),
        ({"n_neighbors": 2}, None, "no class has two samples; n_neighbors=2"),
        ({"init": np.zeros((2, 4))}, y, "init maps all samples to one point"),
        ({"init": np.eye(3)}, y, r"init has shape \(3, 3\)"),
        ({"regularization": 0.0}, y, "regularization"),
        ({"n_neighbors": 0}, y, "n_neighbors"),
        ({}, X[:, 0], "label type"),
    ],
)
def test_what_makes_no_sense_is_refused(params, labels, match):
    rows = np.arange(45) if labels is not None else np.arange(3)
    with pytest.raises(ValueError, match=match):
        LMNN(**params).fit(X[rows], rows if labels is None else labels)


def test_where_zero_is_best_the_initial_map_is_kept():
    corners = np.array([[0.0, 0.0], [1, 1], [0, 1], [1, 0]])
    with pytest.warns(UserWarning, match=r"no map is better for LMNN than zero.*regularization=0.5 or.*n_neighbors=1"):
        lmnn = LMNN(n_neighbors=1).fit(corners, [0, 0, 1, 1])
    np.testing.assert_array_equal(lmnn.components_, np.eye(2))


def test_rows_all_equal_keep_the_initial_map():
    np.testing.assert_array_equal(fit(np.full((12, 3), 0.1), np.repeat([0, 1, 2], 4)).components_, np.eye(3))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_redundant_columns_are_no_trouble(dtype):
    wide = np.hstack([X, X[:, :1], np.full((45, 1), 0.1), X[:, :1] + X[:, 1:2], 1e8 * X[:, 2:3]]).astype(dtype)
    lmnn = fit(wide, y)
    assert lmnn.components_.dtype == dtype
    assert np.abs(lmnn.transform(wide) - lmnn.transform(wide).mean(axis=0)).max() < 1e3


def spoilt(rng):
    """Random points of some classes, with what makes points difficult."""
    n, d = rng.integers(4, 30), rng.integers(1, 7)
    labels = rng.integers(3, size=n)
    points = rng.normal(size=(n, d)) + labels[:, None] * rng.choice([0, 10])
    points = points[rng.integers(len(points) if rng.random() < 0.5 else max(1, n // 3), size=n)]
    points = np.where(rng.random(d) < 0.2, 0.1, points) * 10 ** rng.uniform(-8, 8, size=rng.choice([1, d]))
    return points + rng.choice([0, 1e6]), labels


def test_hostile_data_give_a_finite_map_or_a_clear_error():
    for case in range(40):
        points, labels = spoilt(np.random.default_rng(case))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", message="n_neighbors|no map is better")
            if len(np.unique(labels)) < 2 or np.bincount(labels).max() < 2:
                with pytest.raises(ValueError, match="y has one class|no class has two samples"):
                    LMNN().fit(points, labels)
                continue
            L = LMNN(n_neighbors=2).fit(points, labels).components_
        assert L.shape == points.shape[1:] * 2
        assert np.isfinite(L).all()


def test_the_solver_finds_the_minimum_of_a_quadratic_and_of_a_kink():
    A = np.diag([1.0, 10, 100])
    for loss, lowest in (
        (lambda x: (x @ A @ x / 2 - x.sum(), A @ x - 1), 1 / np.diag(A)),
        (lambda x: (np.abs(x - 1).sum() + 1, np.where(x > 1, 1.0, -1.0)), np.ones(3)),
    ):
        reported = []
        x, value, n_iter, converged = minimize(
            loss, np.array([3.0, 2, -1]), max_iter=200, tol=1e-12, report=lambda value, x, to=reported: to.append(value)
        )
        np.testing.assert_allclose(x, lowest, atol=1e-3)
        assert converged
        assert value == loss(x)[0] == min(reported)
        assert n_iter <= 200


@pytest.mark.parametrize("rows", [np.arange(45), np.r_[:3, 20:23]], ids=["many", "few"])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_scatter_of_targets_is_shrunk_as_ledoit_and_wolf_do(rows, weighted):
    Z, codes = X[rows] - X[rows].mean(axis=0), np.sort(np.unique(y[rows], return_inverse=True)[1])
    near = np.array([[*near, *[i] * (2 - len(near))] for i, near in enumerate(nearest_targets(Z, codes, 2))])
    times = 1 * (near != np.arange(len(Z))[:, None])
    times[: len(Z) // 2] *= 1 + weighted  # as if these targets were there twice
    i, j = np.repeat(np.arange(len(Z)), 2), near.ravel()
    V = np.repeat(Z[i] - Z[j], times.ravel(), axis=0)
    unit = np.sqrt((V**2).mean(axis=0))
    share = min(0.5, ledoit_wolf_shrinkage(V / unit, assume_centered=True))
    assert share > 0
    C, down = V.T @ V, np.random.default_rng(0).normal(size=(Z.shape[1], 3))
    expected = down.T @ (share * (np.diag(np.diag(C)) - C)) @ down
    found = shrunk_pull(Z, Z.std(axis=0), down, near, times, "auto")
    np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8 * expected.max())


def test_what_is_added_to_the_pull_is_in_objective_and_gradient():
    loss, Z, codes, _ = prepared(X, y, 2)
    A = np.random.default_rng(0).normal(size=(Z.shape[1],) * 2)
    more = LargeMargins(Z, loss.near, codes, 0.5, added=A + A.T)
    L = np.random.default_rng(1).normal(size=(2, Z.shape[1]))
    value, gradient = more(L)
    assert value == pytest.approx(loss(L)[0] + np.trace(L @ (A + A.T) @ L.T))
    numeric = approx_fprime(L.ravel(), lambda of: more(of.reshape(L.shape))[0], 1e-6)
    np.testing.assert_allclose(gradient.ravel(), numeric, rtol=1e-3, atol=1e-3 * np.abs(numeric).max())


def test_few_samples_for_the_features_do_not_mislead():
    """Classes differ in the first of 30 directions; those of little variance fit 24 samples by chance."""
    rng = np.random.default_rng(0)
    rotation = np.linalg.qr(rng.normal(size=(30, 30)))[0]

    def sample(n):
        codes = np.arange(n) % 2
        Z = rng.normal(size=(n, 30)) * np.geomspace(1, 1e-3, 30)
        Z[:, 0] += 5 * codes
        return Z @ rotation, codes

    (Z, codes), (Z_test, codes_test) = sample(24), sample(200)

    def score(shrinkage):
        z = LMNN(shrinkage=shrinkage).fit(Z, codes)
        return KNeighborsClassifier(1).fit(z.transform(Z), codes).score(z.transform(Z_test), codes_test)

    assert score("auto") > 0.9 > score(None)


def test_the_shrinkage_does_not_depend_on_units():
    units, near = np.geomspace(1e-3, 1e3, X.shape[1]), (np.arange(len(X))[:, None] + [1, 2]) % len(X)
    Z, down, times = X - X.mean(axis=0), np.eye(X.shape[1]), np.ones(near.shape)
    plain, scaled = (
        shrunk_pull(Z * unit, Z.std(axis=0) * unit, down / unit[:, None], near, times, "auto")
        for unit in (1 + 0 * units, units)
    )
    np.testing.assert_allclose(scaled, plain, rtol=1e-6, atol=1e-9 * plain.max())
