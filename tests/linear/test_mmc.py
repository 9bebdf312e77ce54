"""MMC: the optimum that an independent solver finds, its certificate, and what is assumed where pairs are few."""

import warnings

import numpy as np
import pytest
from discovery import tiny_pairs, tiny_points
from scipy.optimize import approx_fprime, minimize
from sklearn.covariance import ledoit_wolf_shrinkage
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from metricnets.exceptions import NonPSDError
from metricnets.linear._mmc import MMC, MMC_Supervised
from metricnets.linear._solvers.shrunk_scatter import shrunk_scatter
from metricnets.linear._solvers.sum_of_distances import Spread, distances

X, classes = tiny_points()
pairs, y = tiny_pairs()
EXACT = {"shrinkage": None, "tol": 1e-8, "max_iter": 1000}
both = pytest.mark.parametrize("diagonal", [False, True], ids=["full", "diagonal"])
SETS = {"iris": load_iris, "wine": load_wine, "breast cancer": load_breast_cancer, "digits": load_digits}


def sums(M, pairs, y):
    """Σ of squared distances of similar pairs and Σ of distances of dissimilar ones, pair by pair."""
    similar = dissimilar = 0.0
    for (a, b), label in zip(pairs, y):
        squared = max((a - b) @ M @ (a - b), 0.0)
        similar, dissimilar = similar + squared * (label > 0), dissimilar + np.sqrt(squared) * (label < 0)
    return similar, dissimilar


def other_optimum(pairs, y, seeds=5):
    """The greatest ratio Σ_D d / sqrt(Σ_S d²) that BFGS finds from some starts."""
    d = pairs.shape[2]

    def cost(flat):
        similar, dissimilar = sums(flat.reshape(d, d).T @ flat.reshape(d, d), pairs, y)
        return -dissimilar / np.sqrt(similar)

    starts = [np.random.default_rng(seed).normal(size=d * d) for seed in range(seeds)]
    return max(-minimize(cost, start, method="BFGS", options={"gtol": 1e-4}).fun for start in starts)


@pytest.mark.parametrize("seed", range(3))
def test_no_other_solver_finds_a_greater_sum(seed):
    few, labels = tiny_pairs(seed, 24)
    M = MMC(**EXACT).fit(few[:, :, :3], labels).get_mahalanobis_matrix()
    similar, dissimilar = sums(M, few[:, :, :3], labels)
    assert similar == pytest.approx(1)
    assert dissimilar == pytest.approx(other_optimum(few[:, :, :3], labels), rel=1e-6)


@pytest.mark.parametrize("c", [0.5, 1.0, 7.0])
def test_the_diagonal_objective_is_as_small_as_another_solver_makes_it(c):
    def cost(a):
        similar, dissimilar = sums(np.diag(a), pairs, y)
        return similar - c * np.log(dissimilar)

    A = MMC(diagonal=True, diagonal_c=c, **EXACT).fit(pairs, y).get_mahalanobis_matrix()
    np.testing.assert_array_equal(A, np.diag(np.diag(A)))
    assert (np.diag(A) >= 0).all()
    scaled = np.ones(4) / 1000
    other = minimize(lambda a: cost(a * scaled), np.ones(4), method="L-BFGS-B", bounds=[(1e-9, None)] * 4)
    assert cost(np.diag(A)) == pytest.approx(other.fun, abs=1e-5 * c)


@both
def test_the_certificate_holds(diagonal):
    mmc = MMC(shrinkage=None, diagonal=diagonal, tol=1e-6, max_iter=1000).fit(pairs, y)
    assert mmc.converged_
    V, M = pairs[:, 0] - pairs[:, 1], mmc.get_mahalanobis_matrix()
    C = V[y > 0].T @ V[y > 0]
    d = np.sqrt(np.einsum("ij,jk,ik->i", V, M, V))
    G = sum(np.outer(v, v) / dist for v, dist, label in zip(V, d, y) if label < 0)
    if diagonal:
        greatest = (np.diag(G) / np.diag(C)).max() * np.vdot(C, M)
    else:
        greatest = np.linalg.eigvals(np.linalg.solve(C, G)).real.max()
    assert greatest / d[y < 0].sum() == pytest.approx(1, abs=3e-6)


@both
def test_the_slope_is_the_derivative_of_the_cost(diagonal):
    rng = np.random.default_rng(0)
    E = rng.normal(size=(9, 3))
    L = rng.normal(size=3 if diagonal else (3, 3))
    cost = Spread(E, -np.inf)
    value, slope = cost(L)
    by_differences = approx_fprime(L.ravel(), lambda flat: cost(flat.reshape(L.shape))[0], 1e-7)
    np.testing.assert_allclose(slope.ravel(), by_differences, atol=1e-5)
    L = np.diag(L) if diagonal else L
    assert value == pytest.approx(-np.log(sum(np.linalg.norm(L @ e) for e in E) / np.linalg.norm(L)))


def test_distances_are_those_of_a_loop():
    rng = np.random.default_rng(0)
    E, L = rng.normal(size=(9, 3)), rng.normal(size=(3, 3))
    norms = [np.linalg.norm(L @ e) for e in E]
    total, G = distances(E, L)
    assert total == pytest.approx(sum(norms))
    np.testing.assert_allclose(G, sum(np.outer(e, e) / norm for e, norm in zip(E, norms)))
    np.testing.assert_allclose(distances(E, np.ones(3))[1], np.diag(distances(E, np.eye(3))[1]))


@both
def test_one_feature_has_a_closed_form(diagonal):
    V = pairs[:, 0, :1] - pairs[:, 1, :1]
    A = MMC(diagonal=diagonal, **EXACT).fit(pairs[:, :, :1], y).get_mahalanobis_matrix()
    assert A.item() == pytest.approx((0.5 if diagonal else 1) / (V[y > 0] ** 2).sum())


def test_a_linear_map_of_the_points_changes_no_distance():
    A = np.random.default_rng(0).normal(size=(4, 4)) * [1e-3, 1, 1, 1e4]
    mapped = pairs @ A
    np.testing.assert_allclose(
        MMC(**EXACT).fit(mapped, y).pair_distance(mapped), MMC(**EXACT).fit(pairs, y).pair_distance(pairs), rtol=1e-3
    )


@both
def test_neither_order_nor_direction_of_pairs_matters(diagonal):
    order = np.random.default_rng(0).permutation(len(y))
    mmc = MMC(diagonal=diagonal, tol=1e-8, max_iter=1000)
    A = mmc.fit(pairs, y).get_mahalanobis_matrix()
    again = mmc.fit(pairs[order][:, ::-1], y[order]).get_mahalanobis_matrix()
    np.testing.assert_allclose(again, A, atol=1e-4 * np.abs(A).max())


def test_without_shrinkage_init_does_not_matter():
    A = MMC(shrinkage=None).fit(pairs, y).get_mahalanobis_matrix()
    for params in [{"init": "covariance"}, {"init": "random", "random_state": 3}, {"shrinkage": 0.0}]:
        np.testing.assert_array_equal(MMC(**{"shrinkage": None} | params).fit(pairs, y).get_mahalanobis_matrix(), A)


@both
@pytest.mark.parametrize("share", [0.2, 0.7, 1.0])
def test_shrinkage_is_the_share_of_what_is_assumed(diagonal, share):
    prior = np.diag([1.0, 2, 3, 4]) + 0.5
    A = MMC(shrinkage=share, init=prior, diagonal=diagonal).fit(pairs, y).get_mahalanobis_matrix()
    V = pairs[y > 0, 0] - pairs[y > 0, 1]
    C = V.T @ V
    C = (1 - share) * C + share * np.diag(np.diag(C))
    prior = np.diag(np.diag(prior)) if diagonal else prior
    assert np.vdot(C, A) == pytest.approx(0.5 if diagonal else 1)
    learned = A - share * prior / np.vdot(C, prior) * np.vdot(C, A)
    assert np.linalg.eigvalsh(learned)[0] >= -1e-10
    assert np.vdot(C, learned) == pytest.approx((1 - share) * np.vdot(C, A), abs=1e-9)


def test_automatic_shrinkage_is_ledoit_and_wolfs():
    V = pairs[y > 0, 0] - pairs[y > 0, 1]
    scaled = V / np.sqrt((V**2).mean(axis=0))
    share = shrunk_scatter(V, V, np.ones(len(V)), None, "auto").share
    assert 0 < share == pytest.approx(min(ledoit_wolf_shrinkage(scaled, assume_centered=True), 0.5))
    np.testing.assert_array_equal(
        MMC().fit(pairs, y).components_, MMC(shrinkage=float(share)).fit(pairs, y).components_
    )


@both
def test_a_feature_that_never_varies_keeps_its_share_of_init_only(diagonal):
    wide = np.concatenate([pairs, np.full((*pairs.shape[:2], 1), 7.0)], axis=2)
    A = MMC(diagonal=diagonal, shrinkage=None).fit(wide, y).get_mahalanobis_matrix()
    assert not A[4].any()
    expected = MMC(diagonal=diagonal, shrinkage=None).fit(pairs, y).get_mahalanobis_matrix()
    np.testing.assert_allclose(A[:4, :4], expected, rtol=1e-4)
    A = MMC(diagonal=diagonal, shrinkage=0.5).fit(wide, y).get_mahalanobis_matrix()
    assert A[4, 4] > 0
    assert not A[4, :4].any()


@both
def test_a_direction_without_similar_scatter_is_the_best_but_finite(diagonal):
    telling = pairs.copy()
    telling[:, :, 0] = np.where(y < 0, 1.0, 0.0)[:, None] * [0.0, 1.0]
    A = MMC(diagonal=diagonal, shrinkage=None).fit(telling, y).get_mahalanobis_matrix()
    assert A[0, 0] > 10 * np.abs(A[1:, 1:]).max()
    assert A[0, 0] < 1e4


def test_where_dissimilar_pairs_are_of_equal_points_init_remains():
    same = pairs.copy()
    same[y < 0, 1] = same[y < 0, 0]
    A = MMC().fit(same, y).get_mahalanobis_matrix()
    np.testing.assert_allclose(A / A[0, 0], np.eye(4), atol=1e-12)
    np.testing.assert_array_equal(MMC(init=np.zeros((4, 4))).fit(same, y).get_mahalanobis_matrix(), np.zeros((4, 4)))


def test_it_says_when_it_did_not_converge():
    with pytest.warns(ConvergenceWarning, match="MMC did not converge in max_iter=1 iterations; raise max_iter or tol"):
        mmc = MMC(max_iter=1, tol=1e-9).fit(pairs, y)
    assert (mmc.n_iter_, mmc.converged_) == (1, False)
    mmc = MMC(max_iter=1000, tol=1e-9).fit(pairs, y)
    assert mmc.converged_
    assert mmc.n_iter_ > 1


@pytest.mark.parametrize(
    ("params", "error", "message"),
    [
        ({"init": np.eye(3)}, ValueError, r"init has shape \(3, 3\)"),
        ({"init": np.triu(np.ones((4, 4)))}, ValueError, "init is not symmetric"),
        ({"init": -np.eye(4)}, NonPSDError, "init"),
        ({"init": "best"}, ValueError, "'init'"),
        ({"max_iter": 0}, ValueError, "'max_iter'"),
        ({"diagonal_c": 0}, ValueError, "'diagonal_c'"),
        ({"shrinkage": 1.5}, ValueError, "'shrinkage'"),
        ({"tol": -1.0}, ValueError, "'tol'"),
    ],
)
def test_what_makes_no_sense_is_refused(params, error, message):
    with pytest.raises(error, match=message):
        MMC(**params).fit(pairs, y)


@both
def test_from_classes_the_pairs_are_drawn_and_the_seed_counts(diagonal):
    before = X.copy()
    mmc = MMC_Supervised(random_state=0, diagonal=diagonal).fit(X, classes)
    np.testing.assert_array_equal(X, before)
    again = MMC_Supervised(random_state=0, diagonal=diagonal).fit(X, classes)
    np.testing.assert_array_equal(mmc.components_, again.components_)
    assert (MMC_Supervised(random_state=1, diagonal=diagonal).fit(X, classes).components_ != mmc.components_).any()
    assert MMC_Supervised(n_components=2).fit(X, classes).components_.shape == (2, 4)


@pytest.mark.parametrize(("name", "least"), [("iris", 0.967), ("wine", 0.939), ("breast cancer", 0.958)])
def test_neighbours_are_found_as_well_as_by_metric_learn(name, least):
    data = SETS[name](return_X_y=True)
    model = make_pipeline(StandardScaler(), MMC_Supervised(random_state=0), KNeighborsClassifier(3))
    scores = cross_val_score(model, *data, cv=StratifiedKFold(5, shuffle=True, random_state=0))
    assert scores.mean() > least - 0.005


@pytest.mark.parametrize("name", SETS)
@both
def test_data_sets_need_no_scaling_to_fit(name, diagonal):
    mmc = MMC_Supervised(random_state=0, diagonal=diagonal, tol=1e-5).fit(*SETS[name](return_X_y=True))
    assert mmc.converged_
    assert np.isfinite(mmc.components_).all()


def hostile(rng):
    """Few points of many sizes, some equal, constant, collinear or rounded, and pairs of them."""
    X = rng.normal(size=(rng.choice([2, 3, 9, 30]), rng.choice([1, 2, 5, 20])))
    for change in rng.choice(6, rng.integers(0, 4), replace=False):
        if change == 0:
            X[rng.integers(len(X), size=len(X) // 2)] = X[0]
        elif change == 1:
            X[:, 0] = 0.1
        elif change == 2:
            X *= 10.0 ** rng.integers(-8, 9, size=X.shape[1])
        elif change == 3:
            X[:, -1] = X.sum(axis=1)
        elif change == 4:
            X = X.round()
        else:
            X[:] = X[0]
    members = rng.integers(len(X), size=(rng.choice([2, 5, 40]), 2))
    return X[members], rng.permutation(np.r_[1, -1, rng.choice([1, -1], len(members) - 2)])


@both
@pytest.mark.parametrize("shrinkage", [None, "auto", 1.0])
def test_hostile_pairs_do_no_harm(diagonal, shrinkage):
    for seed in range(15):
        hard, labels = hostile(np.random.default_rng(seed))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            mmc = MMC(diagonal=diagonal, shrinkage=shrinkage).fit(hard, labels)
        assert np.isfinite(mmc.components_).all()
        assert np.isfinite(mmc.pair_distance(hard)).all()


def test_a_covariance_of_lower_rank_is_told():
    flat = pairs.copy()
    flat[:, :, 0] = 1.0
    with pytest.warns(UserWarning, match="rank 3 < 4"):
        MMC(init="covariance").fit(flat, y)


def test_verbose_reports_each_iteration(capsys):
    MMC(verbose=True).fit(pairs, y)
    assert "MMC" in capsys.readouterr().err
