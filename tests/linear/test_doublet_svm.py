"""DoubletSVM: the machine is the best one of its objective, its pairs are the neighbours, its metric the projection."""

import warnings

import numpy as np
import pytest
from discovery import SPOILS, tiny_pairs, tiny_points
from scipy.optimize import minimize
from sklearn.exceptions import ConvergenceWarning

from metricnets.linear._doublet_svm import DoubletSVM, DoubletSVM_Supervised, doublets, separating_matrix

X, classes = tiny_points()
pairs, y = tiny_pairs()
TAUS = (pairs[:, 0] - pairs[:, 1]) / np.sqrt(((pairs[:, 0] - pairs[:, 1]) ** 2).sum(axis=1).mean())
UPPER = np.triu_indices(4)


def fit(pairs=pairs, y=y, **params):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return DoubletSVM(**params).fit(pairs, y)


def objective(M, b, C):
    """That of the docstring, pair by pair."""
    return np.sum(M**2) / 2 + C * sum(max(0, 1 - label * (b - t @ M @ t)) for t, label in zip(TAUS, y))


def by_slsqp(C):
    """Least objective by a general solver, in the entries of M, b and a slack for each pair."""
    features = np.array([np.outer(t, t)[UPPER] for t in TAUS]) * np.where(UPPER[0] == UPPER[1], 1, 2)
    n, weights = len(y), np.where(UPPER[0] == UPPER[1], 1, 2)
    A = np.hstack([-y[:, None] * features, y[:, None], np.eye(n)])  # A @ (M, b, slacks) >= 1
    found = minimize(
        lambda v: weights @ v[:10] ** 2 / 2 + C * v[11:].sum(),
        np.r_[np.zeros(11), np.ones(n)],
        jac=lambda v: np.r_[weights * v[:10], 0, np.full(n, C)],
        bounds=[(None, None)] * 11 + [(0, None)] * n,
        constraints={"type": "ineq", "fun": lambda v: A @ v - 1, "jac": lambda v: A},
        method="SLSQP",
        options={"maxiter": 500, "ftol": 1e-12},
    )
    return found.fun


@pytest.mark.parametrize("C", [0.01, 1.0, 10.0])
def test_the_machine_minimises_the_objective(C):
    M, b, n_iter = separating_matrix(TAUS, y, C=C, max_iter=100_000, tol=1e-6)
    assert n_iter > 0
    np.testing.assert_array_equal(M, M.T)
    assert objective(M, b, C) == pytest.approx(by_slsqp(C), rel=1e-6)


@pytest.mark.parametrize("C", [0.1, 1.0, 100.0])
def test_the_metric_is_the_projection(C):
    M, b, n_iter = separating_matrix(TAUS, y, C=C, max_iter=100_000, tol=1e-3)
    values, vectors = np.linalg.eigh(M)
    unit = np.sqrt(((pairs[:, 0] - pairs[:, 1]) ** 2).sum(axis=1).mean())
    svm = fit(C=C)
    expected = (vectors * np.maximum(values, 0)) @ vectors.T / unit**2
    np.testing.assert_allclose(svm.get_mahalanobis_matrix(), expected, atol=1e-9)
    assert svm.bias_ == pytest.approx(b)
    assert svm.n_iter_ == n_iter


def test_a_positive_metric_is_its_own_projection_and_tells_the_pairs_apart():
    rng = np.random.default_rng(0)
    near, far = rng.normal(size=(2, 40, 3))
    far *= 5 / np.linalg.norm(far, axis=1)[:, None]
    near /= np.linalg.norm(near, axis=1)[:, None]
    made = np.stack([np.zeros((80, 3)), np.r_[near, far]], axis=1)
    svm = fit(made, np.repeat([1, -1], 40), C=1e3)
    squares = svm.pair_distance(made) ** 2
    assert squares[:40].max() <= svm.bias_ - 1 + 1e-2
    assert squares[40:].min() >= svm.bias_ + 1 - 1e-2


def test_the_unit_of_the_points_makes_no_difference():
    for unit in (1e-8, 1e8):
        np.testing.assert_allclose(
            fit(pairs * unit).pair_distance(pairs * unit), fit().pair_distance(pairs), rtol=1e-3, atol=1e-3
        )


def test_turning_the_points_changes_no_distance():
    Q = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))[0]
    turned = fit(pairs @ Q, tol=1e-8)
    np.testing.assert_allclose(turned.pair_distance(pairs @ Q), fit(tol=1e-8).pair_distance(pairs), rtol=1e-4)


@pytest.mark.parametrize("k", [1, 2])
def test_fewer_components_are_the_leading_ones(k):
    L, M = fit(n_components=k).components_, fit().get_mahalanobis_matrix()
    np.testing.assert_allclose(L @ L.T, np.diag(np.linalg.eigvalsh(M)[::-1][:k]), atol=1e-9)
    np.testing.assert_allclose(M @ L.T, L.T @ (L @ L.T), atol=1e-8)


@pytest.mark.parametrize(("k_genuine", "k_impostor"), [(1, 1), (2, 3), (14, 30), (20, 60)])
def test_doublets_are_the_neighbours(k_genuine, k_impostor):
    expected = [set(), set()]
    for i in range(45):
        near = sorted(range(45), key=lambda j, i=i: np.sum((X[i] - X[j]) ** 2))
        own = [j for j in near if j != i and classes[j] == classes[i]][:k_genuine]
        other = [j for j in near if classes[j] != classes[i]][:k_impostor]
        expected[0] |= {(min(i, j), max(i, j)) for j in own}
        expected[1] |= {(min(i, j), max(i, j)) for j in other}
    for found, right in zip(doublets(X, classes, k_genuine, k_impostor), expected):
        assert len(found) == len(right)
        assert {tuple(pair) for pair in found.tolist()} == right


def test_classes_become_pairs():
    similar, dissimilar = doublets(X, classes, 2, 2)
    both = np.concatenate([similar, dissimilar])
    labels = np.repeat([1, -1], [len(similar), len(dissimilar)])
    M, b, n_iter = separating_matrix(
        (X[both[:, 0]] - X[both[:, 1]]) / np.sqrt(((X[both[:, 0]] - X[both[:, 1]]) ** 2).sum(axis=1).mean()),
        labels, C=1.0, max_iter=100_000, tol=1e-3,
    )  # fmt: skip
    svm = DoubletSVM_Supervised().fit(X, np.array(["a", "b", "c"])[classes])
    assert (svm.bias_, svm.n_iter_) == (pytest.approx(b), n_iter)
    difference = np.mean([np.outer(a - b, a - b) for a, b in X[both]], axis=0)
    values, vectors = np.linalg.eigh(M)
    expected = (vectors * np.maximum(values, 0)) @ vectors.T / np.trace(difference)
    np.testing.assert_allclose(svm.get_mahalanobis_matrix(), expected, atol=1e-9)


def test_the_same_data_give_the_same_bits():
    one, two = (DoubletSVM_Supervised().fit(X, classes).components_ for _ in range(2))
    np.testing.assert_array_equal(one, two)


def test_a_class_of_one_row_makes_no_similar_pairs():
    similar, dissimilar = doublets(X[:4], np.array([0, 0, 1, 2]), 3, 1)
    assert similar.tolist() == [[0, 1]]
    assert set(dissimilar.ravel()) == {0, 1, 2, 3}
    assert np.isfinite(DoubletSVM_Supervised().fit(X[:4], [5, 5, None, 2]).components_).all()


@pytest.mark.parametrize(("labels", "kind"), [(np.zeros(9), "dissimilar"), (np.arange(9), "similar")])
def test_classes_that_give_no_pairs_are_refused(labels, kind):
    with pytest.raises(ValueError, match=f"y gives no {kind} pairs; it needs two classes"):
        DoubletSVM_Supervised().fit(X[:9], labels)


def test_dissimilar_pairs_of_equal_points_are_refused():
    same = np.where((y < 0)[:, None, None], pairs[:, :1], pairs)
    with pytest.raises(ValueError, match="no dissimilar pair has two different points"):
        DoubletSVM().fit(same, y)


def test_dissimilar_pairs_that_are_nearer_in_every_direction_leave_no_metric():
    wrong = np.array([[[0.0], [3]], [[1], [4]], [[0], [1]], [[1], [2]]])
    with pytest.warns(UserWarning, match="not farther apart than similar ones in any direction; the metric is 0"):
        svm = DoubletSVM(C=1e3).fit(wrong, [1, 1, -1, -1])
    assert not svm.components_.any()


@pytest.mark.parametrize("make", [lambda: DoubletSVM(C=1e6, max_iter=5).fit(pairs, y),
                                  lambda: DoubletSVM_Supervised(C=1e6, max_iter=5).fit(X, classes)])  # fmt: skip
def test_too_few_steps_are_told_once(make):
    with pytest.warns(ConvergenceWarning, match="max_iter=5") as told:
        make()
    assert len(told) == 1


@pytest.mark.parametrize("params", [{"C": 0.0}, {"max_iter": 0}, {"tol": 0.0}], ids=str)
def test_parameters_out_of_range_are_refused(params):
    with pytest.raises(ValueError, match=next(iter(params))):
        DoubletSVM(**params).fit(pairs, y)


# With fewer different rows, the nearest row of another class is the same point, which is refused.
HERE = SPOILS | {"duplicate rows": lambda X: X[np.arange(45) // 2 * 2]}


@pytest.mark.filterwarnings("ignore:dissimilar pairs are not farther apart")
@pytest.mark.parametrize("params", [{}, {"n_components": 1}, {"C": 1e-6}, {"k_genuine": 50, "k_impostor": 5}], ids=str)
@pytest.mark.parametrize("spoil", HERE.values(), ids=HERE)
def test_hostile_data_give_a_finite_metric(spoil, params):
    spoilt = spoil(X)
    svm = DoubletSVM_Supervised(**params).fit(spoilt, classes[: len(spoilt)])
    assert np.isfinite(svm.get_mahalanobis_matrix()).all()
    assert np.isfinite(svm.transform(spoilt)).all()
