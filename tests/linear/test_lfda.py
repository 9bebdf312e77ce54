"""LFDA: the scatters against a plain loop over pairs, the eigenproblem, and what remains where it is singular."""

import warnings

import numpy as np
import pytest
from discovery import tiny_points
from scipy.linalg import eigh
from scipy.spatial.distance import cdist
from sklearn.datasets import load_digits
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from metricnets._linalg import centered
from metricnets.linear import _lfda
from metricnets.linear._lda import LDA
from metricnets.linear._lfda import LFDA, local_scatters

X, y = tiny_points()
TYPES = ["weighted", "orthonormalized", "plain"]
every_type = pytest.mark.parametrize("embedding_type", TYPES)


def scatters(X, y, k):
    """S_w and S_b of the definition, pair by pair."""
    n, d = X.shape
    D = cdist(X, X)
    scales = [np.sort(D[i, y == y[i]])[min(k, np.sum(y == y[i]) - 1)] for i in range(n)]
    within, between = np.zeros((2, d, d))
    for i in range(n):
        for j in range(n):
            square, n_class = np.outer(X[i] - X[j], X[i] - X[j]), np.sum(y == y[i])
            if y[i] != y[j]:
                between += square / n / 2
            elif scales[i] * scales[j] > 0:
                A = np.exp(-(D[i, j] ** 2) / (scales[i] * scales[j]))
                within += A / n_class * square / 2
                between += A * (1 / n - 1 / n_class) * square / 2
            else:
                between += 0 * square
    return within, between


def fit(X, y, **params):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return LFDA(**params).fit(X, y)


SETS = {
    "as it is": (X, y),
    "uneven classes": (X[:30], np.repeat([0, 1, 2], [20, 8, 2])),
    "repeated rows": (np.repeat(X[:12], [1, 2, 3] * 4, axis=0), np.repeat(np.arange(12) % 3, [1, 2, 3] * 4)),
    "far away": (X + 1e4, y),
}


@pytest.mark.parametrize("k", [1, 3, 7])
@pytest.mark.parametrize("data", SETS.values(), ids=SETS)
def test_the_scatters_are_sums_over_all_pairs(data, k):
    for found, expected in zip(local_scatters(centered(data[0]), data[1], k), scatters(*data, k)):
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)
        assert eigh(found, eigvals_only=True)[0] > -1e-9


def test_sizes_of_blocks_change_nothing(monkeypatch):
    expected = local_scatters(centered(X), y, 3)
    monkeypatch.setattr(_lfda, "N_BLOCK", 40)
    np.testing.assert_allclose(local_scatters(centered(X), y, 3), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("n_components", [None, 2])
@pytest.mark.parametrize("k", [None, 2, 9])
def test_the_rows_solve_the_generalised_eigenproblem(k, n_components):
    within, between = scatters(X, y, k or 3)
    values = eigh(between, within, eigvals_only=True)[::-1][:n_components]
    L = fit(X, y, k=k, n_components=n_components, embedding_type="plain").components_
    np.testing.assert_allclose(L @ within @ L.T, np.eye(len(values)), atol=1e-8)
    np.testing.assert_allclose(L @ between @ L.T, np.diag(values), atol=1e-8 * values[0])
    weighted = fit(X, y, k=k, n_components=n_components).components_
    np.testing.assert_allclose(weighted, L * np.sqrt(values)[:, None], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("n_components", [None, 1, 3])
def test_orthonormalized_rows_span_the_same_directions(n_components):
    plain = fit(X, y, n_components=n_components, embedding_type="plain").components_
    L = fit(X, y, n_components=n_components, embedding_type="orthonormalized").components_
    np.testing.assert_allclose(L @ L.T, np.eye(len(L)), atol=1e-12)
    for rows in range(1, len(L) + 1):
        np.testing.assert_allclose(plain[:rows] @ L[:rows].T @ L[:rows], plain[:rows], atol=1e-9)


@every_type
def test_the_sign_of_a_row_is_that_of_its_greatest_entry(embedding_type):
    L = fit(X, y, embedding_type=embedding_type).components_
    assert (np.take_along_axis(L, np.abs(L).argmax(axis=1)[:, None], axis=1) > 0).all()


def test_with_equal_affinities_it_is_fishers_analysis(monkeypatch):
    monkeypatch.setattr(_lfda.np, "exp", lambda A, out: np.add(np.multiply(A, 0, out=out), 1, out=out))
    L = fit(X, y, n_components=2, embedding_type="plain").components_
    expected = LDA().fit(X, y).components_
    cosines = np.sum(L * expected, axis=1) / np.linalg.norm(L, axis=1) / np.linalg.norm(expected, axis=1)
    np.testing.assert_allclose(np.abs(cosines), 1, rtol=1e-6)


def test_a_class_may_lie_on_both_sides_of_another():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(120, 2)) * [1, 3] + np.repeat([[-6.0, 0], [0, 0], [6, 0]], 40, axis=0)
    classes = np.repeat([0, 1, 0], 40)
    L = fit(points, classes, n_components=1, k=7).components_
    fisher = LDA(n_components=1).fit(points, classes).components_
    assert abs(L[0, 0]) > 10 * abs(L[0, 1])
    assert abs(fisher[0, 0]) < abs(fisher[0, 1])


@every_type
@pytest.mark.parametrize("factor", [1e-8, 1e8])
def test_the_unit_of_the_data_does_not_matter(factor, embedding_type):
    z = fit(X, y, embedding_type=embedding_type).transform(X)
    unit = factor if embedding_type == "orthonormalized" else 1
    np.testing.assert_allclose(
        fit(X * factor, y, embedding_type=embedding_type).transform(X * factor) / unit, z, rtol=1e-6, atol=1e-8
    )


def test_rotated_and_shuffled_data_give_the_same_distances():
    Q, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(4, 4)))
    order = np.random.default_rng(1).permutation(45)
    pairs = np.arange(44).reshape(22, 2)
    turned = fit((X @ Q + 100)[order], y[order])
    np.testing.assert_allclose(turned.pair_distance((X @ Q + 100)[pairs]), fit(X, y).pair_distance(X[pairs]), rtol=1e-6)


SINGULAR = {
    "a column twice": lambda X: np.hstack([X, X[:, :1]]),
    "a constant column": lambda X: np.hstack([X, np.full((len(X), 1), 0.1)]),
    "a sum of columns": lambda X: np.hstack([X, X[:, :1] + X[:, 1:2]]),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@every_type
@pytest.mark.parametrize("widen", SINGULAR.values(), ids=SINGULAR)
def test_with_redundant_columns_all_is_finite(widen, embedding_type, dtype):
    wide = widen(X).astype(dtype)
    lfda = fit(wide, y, embedding_type=embedding_type)
    assert lfda.components_.shape == (5, 5)
    assert lfda.components_.dtype == dtype
    z = lfda.transform(wide)
    assert np.abs(z - z.mean(axis=0)).max() < 1e3


def test_a_constant_column_changes_no_distance():
    pairs = np.arange(44).reshape(22, 2)
    wide = SINGULAR["a constant column"](X)
    for k in (None, 3):
        expected = fit(X, y, k=3).pair_distance(X[pairs])
        if k is not None:
            np.testing.assert_allclose(fit(wide, y, k=k).pair_distance(wide[pairs]), expected, rtol=1e-6)


@every_type
def test_more_columns_than_rows_separate_the_classes(embedding_type):
    wide = np.hstack([X, np.random.default_rng(0).normal(size=(45, 60))])
    with pytest.warns(UserWarning, match="42 degrees of freedom for 64 features"):
        lfda = LFDA(n_components=3, embedding_type=embedding_type).fit(wide, y)
    z = lfda.transform(wide)
    assert np.isfinite(z).all()
    assert KNeighborsClassifier(1).fit(z[::2], y[::2]).score(z[::2], y[::2]) == 1
    means = np.array([z[y == c].mean(axis=0) for c in range(3)])
    assert (np.argmin(cdist(z, means), axis=1) == y).all()


def test_digits_work_as_they_are():
    points, classes = load_digits(return_X_y=True)
    for steps in ([], [StandardScaler()]):
        learner = make_pipeline(*steps, LFDA(), KNeighborsClassifier(3))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert cross_val_score(learner, points, classes, cv=3).mean() > 0.9


def test_k_is_not_limited_by_the_number_of_features():
    narrow = X[:, :2]
    within, _ = scatters(narrow, y, 9)
    L = fit(narrow, y, k=9, embedding_type="plain").components_
    np.testing.assert_allclose(L @ within @ L.T, np.eye(2), atol=1e-8)
    np.testing.assert_array_equal(fit(narrow, y).components_, fit(narrow, y, k=1).components_)


def test_a_small_class_warns_and_leaves_k_to_the_others():
    data = SETS["uneven classes"]
    within, _ = scatters(*data, 7)
    with pytest.warns(UserWarning, match="k=7 is too large for 1 of 3 classes, the smallest of which has 2 samples"):
        L = LFDA(k=7, embedding_type="plain").fit(*data).components_
    np.testing.assert_allclose(L @ within @ L.T, np.eye(4), atol=1e-8)


def test_rows_that_occur_many_times_have_no_scale():
    points = np.repeat(X[:9], 8, axis=0)
    for embedding_type in TYPES:
        L = fit(points, np.repeat(np.arange(9) % 3, 8), embedding_type=embedding_type).components_
        assert np.isfinite(L).all()
        assert np.ptp(points @ L.T, axis=0).any()


def test_labels_may_be_of_any_kind():
    for labels in (np.array(["a", "b", "c"])[y], y * 10 - 5, y.astype(float)):
        np.testing.assert_array_equal(fit(X, labels).components_, fit(X, y).components_)


@pytest.mark.parametrize(
    ("params", "points", "labels", "match"),
    [
        ({}, X, np.zeros(45), "y has one class only"),
        ({}, X[:4], [0, 1, 2, 3], "no class has two different samples"),
        ({}, np.repeat(np.eye(3, 4), 5, axis=0), np.repeat([0, 1, 2], 5), "no class has two different samples"),
        ({}, np.full((6, 2), 0.1), [0, 0, 0, 1, 1, 1], "no class has two different samples"),
        ({"k": 0}, X, y, "'k'"),
        ({"embedding_type": "orthogonal"}, X, y, "'embedding_type'"),
        ({"n_components": 5}, X, y, "n_components=5"),
        ({}, X, X[:, 0], "label type"),
    ],
)
def test_what_makes_no_sense_is_refused(params, points, labels, match):
    with pytest.raises(ValueError, match=match):
        LFDA(**params).fit(points, labels)


def spoilt(rng):
    """Random points of some classes, with what makes points difficult."""
    n, d = rng.integers(4, 30), rng.integers(1, 7)
    labels = rng.integers(3, size=n)
    points = rng.normal(size=(n, d)) + labels[:, None] * rng.choice([0, 10])
    points = points[rng.integers(len(points) if rng.random() < 0.5 else max(1, n // 3), size=n)]
    points = np.where(rng.random(d) < 0.2, 0.1, points) * 10 ** rng.uniform(-8, 8, size=rng.choice([1, d]))
    return points + rng.choice([0, 1e6]), labels


def test_hostile_data_give_a_finite_map_or_a_clear_error():
    n_fitted = 0
    for case in range(90):
        rng = np.random.default_rng(case)
        points, labels = spoilt(rng)
        lfda = LFDA(embedding_type=rng.choice(TYPES), n_components=rng.choice([None, 1]))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            warnings.filterwarnings("ignore", "the scatter within classes has .* degrees of freedom")
            try:
                z = lfda.fit(points, labels).transform(points)
            except ValueError as error:
                if not str(error).startswith(("y has one class", "no class has two different samples")):
                    raise
                continue
        n_fitted += 1
        assert np.isfinite(z).all()
        assert len(lfda.components_) == (lfda.n_components or points.shape[1])
    assert n_fitted > 40
