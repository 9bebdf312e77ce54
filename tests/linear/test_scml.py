"""SCML: the optimum against linear programming, gradients, bases in closed form, and data with nothing to learn."""

import warnings

import numpy as np
import pytest
from discovery import tiny_points
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import eigh
from scipy.optimize import approx_fprime, linprog
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.exceptions import ConvergenceWarning

from metricnets._linalg import standardized
from metricnets.constraints import knn_triplets
from metricnets.linear._scml import SCML, SCML_Supervised
from metricnets.linear._solvers import local_discriminants, sparse_weights

X, y = tiny_points()
rng = np.random.default_rng(0)
triplets = knn_triplets(X, y, 3, 4)
axes = rng.normal(size=(12, 4))


def objective(M, X, triplets, beta=0.0, w=0.0):
    """The hinge of every triplet, one by one, and the penalty."""
    total = 0.0
    for a, b, c in triplets:
        u, v = X[a] - X[b], X[a] - X[c]
        total += max(0, 1 + u @ M @ u - v @ M @ v)
    return total / len(triplets) + beta * np.sum(w)


def optimum(X, triplets, basis, beta):
    """Least objective over all w >= 0, by linear programming."""
    z, (a, b, c) = X @ basis.T, triplets.T
    gains = (z[a] - z[c]) ** 2 - (z[a] - z[b]) ** 2  # (n_triplets, n_basis)
    m = len(triplets)
    return linprog(
        np.r_[np.full(len(basis), beta), np.full(m, 1 / m)], A_ub=-np.hstack([gains, np.eye(m)]), b_ub=-np.ones(m)
    ).fun


def weights_of(M, basis):
    """The weights that make M, where the basis is small enough to tell."""
    products = np.einsum("bi,bj->bij", basis, basis).reshape(len(basis), -1)
    return np.linalg.lstsq(products.T, M.ravel(), rcond=None)[0]


@pytest.mark.parametrize("beta", [0, 1e-5, 1e-3, 0.1])
def test_the_objective_is_within_the_rounding_of_its_least_value(beta):
    basis = axes[:9]
    learner = SCML_Supervised(k_impostor=4, beta=beta, basis=basis).fit(X, y)
    w = weights_of(learner.get_mahalanobis_matrix(), basis)
    assert w.min() > -1e-9
    value = objective(learner.get_mahalanobis_matrix(), X, triplets, beta, w)
    least = optimum(X, triplets, basis, beta)
    assert least - 1e-9 <= value <= least + learner.gamma / 2 + 1e-4


@pytest.mark.parametrize("basis", ["lda", "triplet_diffs"])
@pytest.mark.parametrize("gamma", [5e-3, 0.1])
def test_it_is_for_bases_that_are_made_too(basis, gamma):
    learner = SCML_Supervised(k_impostor=4, basis=basis, n_basis=40, gamma=gamma, beta=1e-3, random_state=0)
    Z, scale = standardized(X)
    made, _ = learner._priced(learner.basis, Z, scale, triplets, y)
    M = learner.fit(X, y).get_mahalanobis_matrix()
    value = objective(M, X, triplets) + 1e-3 * np.trace(M)  # the bases are of unit norm
    made = made / scale
    made /= np.linalg.norm(made, axis=1, keepdims=True)
    least = optimum(X, triplets, made, 1e-3)
    assert least - 1e-9 <= value <= least + gamma / 2 + 1e-4


def test_units_of_the_given_basis_are_those_of_its_weights():
    long = axes * np.logspace(-2, 2, 12)[:, None]
    M = SCML_Supervised(k_impostor=4, beta=1e-2, basis=long).fit(X, y).get_mahalanobis_matrix()
    least = optimum(X, triplets, long, 1e-2)
    assert objective(M, X, triplets) <= least + 5e-3 / 2 + 1e-4


def test_a_smaller_gamma_is_finer():
    values = []
    for gamma in (1.0, 1e-2):
        M = SCML_Supervised(k_impostor=4, basis=axes, gamma=gamma).fit(X, y).get_mahalanobis_matrix()
        values.append(objective(M, X, triplets))
    assert values[1] < values[0]


def test_much_beta_makes_few_and_small_weights():
    Z, _ = standardized(X)
    n_used, sums = [], []
    for beta in (1e-5, 1e-2, 0.3):
        w, _, _ = sparse_weights.sparse_weights(
            Z, triplets, axes, np.full(12, beta), gamma=5e-3, max_iter=1000, report=lambda value, w: None
        )
        n_used.append((w > 0).sum())
        sums.append(w.sum())
    assert 0 < n_used[-1] < 12
    assert sums[0] > sums[1] > sums[2]


def test_gradient_of_the_distances():
    a, b, near, far = sparse_weights.shared_pairs(triplets, len(X))
    assert len({*zip(a, b)}) == len(a)
    assert (np.lexsort([b, a]) == np.arange(len(a))).all()
    for t, (i, j, k) in enumerate(triplets[:50]):
        assert {a[near[t]], b[near[t]]} == {i, j}
        assert {a[far[t]], b[far[t]]} == {i, k}
    M = axes.T @ axes
    differences = X[a] - X[b]
    assert_allclose(sparse_weights.squared_distances(X, M, a, b), np.einsum("pi,ij,pj->p", differences, M, differences))
    weights = rng.normal(size=len(a)) * (rng.random(len(a)) < 0.5)
    G = sparse_weights.weighted_scatter(X, weights, a, b)
    assert_allclose((G + G.T) / 2, (differences.T * weights) @ differences, atol=1e-9)


def test_distances_do_not_depend_on_the_blocks(monkeypatch):
    a, b = rng.integers(45, size=(2, 100))
    whole = sparse_weights.squared_distances(X, axes.T @ axes, a, b)
    monkeypatch.setattr(sparse_weights, "BLOCK", 28)
    assert_allclose(sparse_weights.squared_distances(X, axes.T @ axes, a, b), whole)


def test_rounded_hinge():
    margins = np.array([-1, -1e-9, 0.01, 0.1, 0.3, 2])
    losses, slopes = sparse_weights.rounded_hinge(margins, 0.2)
    assert (losses <= np.maximum(margins, 0) + 1e-15).all()
    assert (losses >= np.maximum(margins, 0) - 0.1 - 1e-15).all()
    for margin, slope in zip(margins, slopes):
        numeric = approx_fprime(np.array([margin]), lambda t: sparse_weights.rounded_hinge(t, 0.2)[0][0], 1e-7)
        assert slope == pytest.approx(numeric[0], abs=1e-5)


def test_triplet_directions_lead_to_the_greatest_gain():
    found = local_discriminants.triplet_directions(X, triplets[:30], 30, np.random.RandomState(0))
    expected = []
    for a, b, c in triplets[:30]:
        values, vectors = eigh(np.outer(X[a] - X[c], X[a] - X[c]) - np.outer(X[a] - X[b], X[a] - X[b]))
        if values[-1] > 1e-9:
            expected.append(vectors[:, -1])
    assert len(found) == len(expected)
    assert_allclose(np.abs(found @ np.array(expected).T).max(axis=0), 1)  # each is there, up to its sign


def test_discriminants_are_those_of_fisher_but_for_the_ridge():
    own = [np.flatnonzero(y == c)[:9] for c in range(3)]
    groups = [np.array([rows, rows[::-1]]) for rows in own]  # two cases, of the same rows
    found = local_discriminants.discriminants(X, groups, 2)
    rows = [X[g] for g in own]
    within = sum(np.cov(r.T, ddof=0) * 9 for r in rows)
    within += np.trace(within) / 27 / 4 * np.eye(4)
    _, vectors = eigh(np.cov(np.array([r.mean(axis=0) for r in rows]).T), within)
    expected = vectors[:, :1:-1].T / np.linalg.norm(vectors[:, :1:-1], axis=0)[:, None]
    assert found.shape == (4, 4)
    for case in (found[:2], found[2:]):
        assert_allclose(np.abs((case * expected).sum(axis=1)), 1)


def test_discriminants_of_groups_of_different_sizes():
    groups = [np.flatnonzero(y == c)[None, : 5 + 3 * c] for c in range(3)]
    assert_allclose(np.linalg.norm(local_discriminants.discriminants(X, groups, 2), axis=1), 1)
    assert local_discriminants.discriminants(np.ones((45, 4)), groups, 2).shape == (0, 4)


@pytest.mark.parametrize(("n_classes", "n_basis"), [(2, 7), (3, 50), (9, 100)])
def test_local_discriminants_are_unit_vectors_of_the_number_asked_for(n_classes, n_basis):
    basis = local_discriminants.local_discriminants(X, np.arange(45) % n_classes, n_basis, np.random.RandomState(0))
    assert basis.shape == (n_basis, 4)
    assert_allclose(np.linalg.norm(basis, axis=1), 1)


def test_triplets_and_labels_agree():
    by_triplets = SCML(basis=axes).fit(X[triplets])
    by_labels = SCML_Supervised(k_impostor=4, basis=axes).fit(X, y)
    # The triplets come without the points that are in none, so only nearly the same is computed.
    assert objective(by_triplets.get_mahalanobis_matrix(), X, triplets) == pytest.approx(
        objective(by_labels.get_mahalanobis_matrix(), X, triplets), abs=5e-3
    )
    assert by_triplets.score(X[triplets]) > 0.7


def test_triplets_that_can_be_satisfied_are():
    a, b, c = (rng.normal(size=(40, 3)) for _ in range(3))
    b[:, 0], c[:, 0] = a[:, 0] + 0.1, a[:, 0] + 1  # only the first feature tells
    learner = SCML(random_state=0).fit(np.stack([a, b, c], axis=1))
    assert learner.score(np.stack([a, b, c], axis=1)) == 1


def test_components_are_the_leading_ones_of_the_metric():
    M = SCML_Supervised(k_impostor=4, random_state=0).fit(X, y).get_mahalanobis_matrix()
    learner = SCML_Supervised(k_impostor=4, n_components=2, random_state=0).fit(X, y)
    values, vectors = eigh(M)
    expected = (vectors[:, 2:] * values[2:]) @ vectors[:, 2:].T
    assert learner.components_.shape == (2, 4)
    assert_allclose(learner.get_mahalanobis_matrix(), expected, atol=1e-9)


def test_labels_may_be_names_and_unknown():
    learner = SCML_Supervised(k_impostor=4, random_state=0)
    L = learner.fit(X, y).components_
    assert_array_equal(learner.fit(X, np.array(["a", "b", "c"])[y]).components_, L)
    partial = np.where(np.arange(45) % 5 == 0, -1, y)
    known = learner.fit(X[partial >= 0], y[partial >= 0]).components_
    with pytest.warns(UserWarning, match="9 of 45 labels in y are negative"):
        assert np.isfinite(learner.fit(X, partial).components_).all()
    assert known.shape == L.shape


def test_the_same_seed_gives_the_same_bits():
    for basis in ("lda", "triplet_diffs"):
        first, again, other = (SCML_Supervised(basis=basis, n_basis=20, random_state=s).fit(X, y) for s in (0, 0, 1))
        assert_array_equal(first.components_, again.components_)
        assert not np.array_equal(first.components_, other.components_)


def test_gamma_is_used_by_both():
    for make in (
        lambda **params: SCML(**params).fit(X[triplets]),
        lambda **params: SCML_Supervised(**params).fit(X, y),
    ):
        coarse, fine = (make(basis=axes, gamma=gamma).components_ for gamma in (1.0, 5e-3))
        assert not np.allclose(coarse, fine)


def test_too_few_iterations_are_told():
    with pytest.warns(ConvergenceWarning, match="max_iter=2"):
        learner = SCML_Supervised(max_iter=2, random_state=0).fit(X, y)
    assert learner.n_iter_ == 2


@pytest.mark.parametrize("load", [load_iris, load_wine, load_breast_cancer])
def test_defaults_fit_the_usual_data_with_a_lower_objective_than_no_metric(load):
    data, classes = load(return_X_y=True)
    learner = SCML_Supervised(random_state=0).fit(data, classes)
    made = knn_triplets(data, classes, 3, 10)[::200]
    assert objective(learner.get_mahalanobis_matrix(), data, made) < 0.5
    assert 1 <= learner.n_iter_ < learner.max_iter


def test_where_no_basis_is_worth_its_weight_all_get_the_same():
    with pytest.warns(UserWarning, match=r"beta=100 makes all weights 0"):
        learner = SCML_Supervised(beta=100, basis=np.eye(4)).fit(X, y)
    assert_allclose(learner.get_mahalanobis_matrix(), np.diag(1 / X.var(axis=0)) / 4, rtol=1e-9)
    with pytest.warns(UserWarning, match="makes all weights 0"):
        assert np.isfinite(SCML_Supervised(random_state=0).fit(np.ones((45, 4)), y).components_).all()


def test_bad_input_is_named():
    with pytest.raises(ValueError, match=r"basis has shape \(12, 3\); it needs 4 columns"):
        SCML_Supervised(basis=axes[:, :3]).fit(X, y)
    with pytest.raises(ValueError, match=r"basis has shape \(2, 4\).*row that is not zero"):
        SCML(basis=np.zeros((2, 4))).fit(X[triplets])
    with pytest.raises(ValueError, match="basis contains NaN"):
        SCML(basis=np.full((2, 4), np.nan)).fit(X[triplets])
    with pytest.raises(ValueError, match="'basis'"):
        SCML(basis="lda").fit(X[triplets])
    with pytest.raises(ValueError, match="y gives no triplets"):
        SCML_Supervised().fit(X, np.zeros(45, int))
    with pytest.raises(ValueError, match="'gamma'"):
        SCML_Supervised(gamma=0).fit(X, y)


@pytest.mark.parametrize("seed", range(25))
def test_hostile_data_give_a_finite_metric(seed):
    rng = np.random.default_rng(seed)
    n, d = rng.integers(2, 20), rng.integers(1, 6)
    Z = rng.normal(size=(n, d)) * 10.0 ** rng.uniform(-8, 8, size=d) + rng.choice([0, 1e6])
    Z[:, rng.random(d) < 0.3] = 0.1
    Z = Z[rng.integers(n, size=n)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", UserWarning)
        for learner, args in (
            (SCML(random_state=0), (Z[rng.integers(n, size=(9, 3))],)),
            (SCML_Supervised(random_state=0, n_components=1), (Z, np.arange(n) // 2 % 3 if n > 2 else [0, 0])),
        ):
            if n < 3 and len(args) == 2:
                continue
            learner.fit(*args)
            assert np.isfinite(learner.components_).all()
            assert np.isfinite(learner.transform(Z)).all()


def test_the_progress_bar_shows_when_asked_for(capsys):
    SCML_Supervised(n_basis=5, random_state=0).fit(X, y)
    assert capsys.readouterr() == ("", "")
    SCML_Supervised(n_basis=5, verbose=True, random_state=0).fit(X, y)
    assert "objective" in capsys.readouterr().err


def test_nothing_of_the_caller_changes():
    given, basis, made = X.copy(), axes.copy(), X[triplets]
    SCML_Supervised(basis=basis).fit(given, y)
    SCML(basis=basis).fit(made)
    assert_array_equal(given, X)
    assert_array_equal(basis, axes)
    assert_array_equal(made, X[triplets])


def test_single_precision_and_indicators():
    learner = SCML(basis=axes).fit(X[triplets])
    assert SCML(basis=axes).fit(X[triplets].astype(np.float32)).components_.dtype == np.float32
    assert_array_equal(SCML(basis=axes, preprocessor=X).fit(triplets).components_, learner.components_)
