"""RCA: the inverse covariance within chunks, its reduction of the dimension, and where that is singular."""

import warnings

import numpy as np
import pytest
from discovery import tiny_points
from numpy.testing import assert_allclose, assert_array_equal
from scipy.linalg import eigh, subspace_angles
from scipy.optimize import minimize
from sklearn.datasets import load_breast_cancer, load_digits, load_iris, load_wine
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from metricnets.constraints import chunks as draw
from metricnets.linear._rca import RCA, RCA_Supervised
from metricnets.linear._solvers.relevant_components import relevant_components

X, y = tiny_points()
chunks = np.where(np.arange(45) % 4 == 0, -1, y * 2 + np.arange(45) % 2)


def within(X, chunks):
    """Covariance within chunks, point by point."""
    C, n = np.zeros((X.shape[1], X.shape[1])), 0
    for x, chunk in zip(X, chunks):
        if chunk >= 0:
            deviation = x - X[chunks == chunk].mean(axis=0)
            C, n = C + np.outer(deviation, deviation), n + 1
    return C / n


def test_the_metric_is_the_inverse_covariance_within_chunks():
    learner = RCA().fit(X, chunks)
    assert_allclose(learner.get_mahalanobis_matrix(), np.linalg.inv(within(X, chunks)), rtol=1e-9, atol=1e-9)
    assert_allclose(learner.components_, learner.components_.T, atol=1e-12)


def test_within_chunks_the_embedding_is_white():
    for k in (None, 1, 2, 4):
        z = RCA(n_components=k).fit(X, chunks).transform(X)
        assert_allclose(within(z, chunks), np.eye(z.shape[1]), atol=1e-9)


def test_the_metric_has_the_least_inner_distances_of_its_determinant():
    C, d = within(X, chunks), X.shape[1]
    M = RCA().fit(X, chunks).get_mahalanobis_matrix()

    def inner(flat):  # of the metric in this direction that has determinant one
        L = flat.reshape(d, d)
        return np.trace(L.T @ L @ C) / np.abs(np.linalg.det(L)) ** (2 / d)

    found = minimize(inner, np.eye(d).ravel()).fun
    assert np.trace(M @ C) / np.linalg.det(M) ** (1 / d) == pytest.approx(found, rel=1e-5)


@pytest.mark.parametrize("k", [1, 2, 3])
def test_fewer_components_have_the_greatest_ratio_of_variances(k):
    C, S = within(X, chunks), np.cov(X.T, ddof=0)
    L = RCA(n_components=k).fit(X, chunks).components_
    values, vectors = eigh(S, C)
    assert np.rad2deg(subspace_angles(L.T, vectors[:, ::-1][:, :k]).max()) < 1e-4
    assert_allclose(L @ S @ L.T, np.diag(values[::-1][:k]), atol=1e-9)


def test_names_and_order_of_chunks_do_not_matter():
    L = RCA().fit(X, chunks).components_
    order = np.random.default_rng(0).permutation(45)
    assert_allclose(RCA().fit(X[order], chunks[order]).components_, L, rtol=1e-9, atol=1e-9)
    assert_allclose(RCA().fit(X, np.where(chunks < 0, -7, 100 - chunks)).components_, L, rtol=1e-9, atol=1e-9)


def test_chunks_of_one_point_count_as_points_only():
    alone = chunks.copy()
    alone[np.flatnonzero(chunks < 0)[:5]] = 50 + np.arange(5)
    C = within(X, chunks) * (chunks >= 0).sum() / (alone >= 0).sum()
    assert_allclose(RCA().fit(X, alone).get_mahalanobis_matrix(), np.linalg.inv(C), rtol=1e-9, atol=1e-9)


UNITS = np.diag(10.0 ** np.array([-3, 2, 4, 0]))


@pytest.mark.parametrize("A", [np.random.default_rng(0).normal(size=(4, 4)), UNITS], ids=["any", "units"])
def test_linear_maps_of_the_points_change_no_distance(A):
    d, other = (RCA().fit(Z, y).pair_distance(Z[np.arange(44).reshape(22, 2)]) for Z in (X, X @ A + 5))
    assert_allclose(other, d, rtol=1e-6)


@pytest.mark.parametrize("n_chunked", [14, 8, 5], ids=["few", "fewer", "singular"])
def test_units_of_features_change_no_distance_even_where_points_are_few(n_chunked):
    few = np.where(np.arange(45) < n_chunked, y, -1)
    with pytest.warns(UserWarning, match="shrunk towards"):
        d, other = (RCA().fit(Z, few).pair_distance(Z[np.arange(44).reshape(22, 2)]) for Z in (X, X @ UNITS))
    assert_allclose(other, d, rtol=1e-6)


def test_a_singular_covariance_is_shrunk_towards_a_diagonal():
    few = np.where(np.isin(np.arange(45), [0, 1, 2, 3, 4, 5]), np.arange(45) // 2, -1)  # 3 differences in 4 features
    with pytest.warns(UserWarning, match=r"rank 3 < 4.*shrunk towards"):
        M = RCA().fit(X, few).get_mahalanobis_matrix()
    C, D = within(X, few), np.diag(X.var(axis=0))
    t = np.trace(np.linalg.solve(D, C)) / 4
    assert_allclose(M, np.linalg.inv((3 * C + 4 * t * D) / (3 + 4)), rtol=1e-8)


@pytest.mark.parametrize(("n_chunks", "n_more"), [(4, 4), (6, 3), (10, 1), (12, 0)])
def test_few_degrees_of_freedom_shrink_it_the_less_the_more_they_are(n_chunks, n_more):
    few = np.where(np.arange(45) < 2 * n_chunks, np.arange(45) // 2, -1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        M = RCA().fit(X, few).get_mahalanobis_matrix()
    assert [f"{n_chunks} degrees of freedom, fewer than 3 for each of 4" in str(w.message) for w in caught] == [
        True
    ] * (n_more > 0)
    C, D = within(X, few), np.diag(X.var(axis=0))
    t = np.trace(np.linalg.solve(D, C)) / 4
    assert_allclose(M, np.linalg.inv((n_chunks * C + n_more * t * D) / (n_chunks + n_more)), rtol=1e-8)


@pytest.mark.parametrize("n_chunked", [45, 8], ids=["many", "few"])
def test_a_regularization_that_is_given_holds_for_any_number_of_chunks(n_chunked):
    some = np.where(np.arange(45) < n_chunked, y, -1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        M = RCA(regularization=0.3).fit(X, some).get_mahalanobis_matrix()
        d, other = (RCA(regularization=0.3).fit(Z, some).pair_distance(Z[[[0, 9], [3, 4]]]) for Z in (X, X @ UNITS))
    C, D = within(X, some), np.diag(X.var(axis=0))
    assert_allclose(M, np.linalg.inv(C + 0.3 * np.trace(np.linalg.solve(D, C)) / 4 * D), rtol=1e-8)
    assert_allclose(other, d, rtol=1e-6)


def test_without_regularization_nothing_is_shrunk_or_it_is_refused():
    M = RCA(regularization=0).fit(X, chunks).get_mahalanobis_matrix()
    assert_allclose(M, RCA().fit(X, chunks).get_mahalanobis_matrix(), rtol=1e-8)
    with pytest.raises(ValueError, match="regularization=0 leaves the covariance within chunks singular; raise it"):
        RCA(regularization=0).fit(X, np.where(np.arange(45) < 4, y, -1))


def test_as_many_degrees_of_freedom_as_features_ruin_nothing():
    rng = np.random.default_rng(0)
    classes = np.arange(300) % 15
    root = np.diag(np.geomspace(0.1, 1, 40))  # of the covariance within classes
    centers = rng.normal(size=(15, 40)) @ root
    Z, Z_test = (centers[classes] + rng.normal(size=(300, 40)) @ root for _ in range(2))

    def accuracy(*steps):
        return make_pipeline(*steps, KNeighborsClassifier(1)).fit(Z, classes).score(Z_test, classes)

    alone = accuracy()
    for n_chunks in (20, 36, 40, 44, 60, 80, 100):  # the inverse is at its worst with 40
        with pytest.warns(UserWarning, match="shrunk"):
            assert accuracy(RCA_Supervised(n_chunks=n_chunks, random_state=0)) > alone


def test_a_direction_without_variance_within_chunks_is_not_dropped():
    Z = np.column_stack([X, y * 1.0])
    with pytest.warns(UserWarning, match="rank 4 < 5"):
        learner = RCA(n_components=1).fit(Z, y)
    z = learner.transform(Z)[:, 0]
    means = np.array([z[y == c].mean() for c in range(3)])
    assert (np.abs(z[:, None] - means).argmin(axis=1) == y).all()


REDUNDANT = {
    "a column twice": lambda X: np.hstack([X, X[:, :1]]),
    "a constant column": lambda X: np.hstack([X, np.full((len(X), 1), 0.1)]),
    "a sum of columns": lambda X: np.hstack([X, X[:, :1] + X[:, 1:2]]),
}


@pytest.mark.parametrize("widen", REDUNDANT.values(), ids=REDUNDANT)
def test_redundant_columns_change_no_distance(widen):
    pairs = np.arange(44).reshape(22, 2)
    with pytest.warns(UserWarning, match="rank 4 < 5, as has that of X; its pseudo-inverse is used"):
        wide = RCA().fit(widen(X), chunks)
    assert_allclose(wide.pair_distance(widen(X)[pairs]), RCA().fit(X, chunks).pair_distance(X[pairs]), rtol=1e-8)
    with pytest.warns(UserWarning, match="rank 4 < 5"):
        L = RCA(n_components=5).fit(widen(X), chunks).components_
    assert L.shape == (5, 5)
    assert_array_equal(L[4], 0)


def test_chunks_of_equal_points_leave_the_variances_of_all():
    Z = np.repeat(X[:20], 2, axis=0)
    A, rank, rank_total = relevant_components(Z, np.arange(40) // 2)
    assert (rank, rank_total) == (0, 4)
    assert_allclose(A.T @ A, np.diag(1 / Z.var(axis=0)) * (20 + 4) / 4, rtol=1e-8, atol=1e-12)


def test_chunks_need_two_points():
    with pytest.raises(ValueError, match="no chunk has two points"):
        RCA().fit(X, np.arange(45))
    with pytest.raises(ValueError, match="no chunk has two points"):
        RCA().fit(X, np.full(45, -1))
    with pytest.raises(ValueError, match="chunks should be whole numbers"):
        RCA().fit(X, y + 0.5)
    with pytest.raises(ValueError, match="n_components=5 is more than the 4 features"):
        RCA(n_components=5).fit(X, chunks)


# --- chunks from classes


def test_with_all_chunks_it_is_rca_of_them():
    pairs = np.sort(y)  # 7 chunks of two rows in every class of 15: all rows but one
    learner = RCA_Supervised(random_state=0).fit(X[np.argsort(y)], pairs)
    drawn = draw(pairs, 100, 2, np.random.RandomState(0))
    assert drawn.max() == 20
    assert_allclose(learner.components_, RCA().fit(X[np.argsort(y)], drawn).components_, rtol=1e-9)


def test_chunks_are_drawn_of_the_size_and_number_asked_for():
    few, many = (RCA_Supervised(n_chunks=n, chunk_size=5, random_state=0).fit(X, y) for n in (4, 9))
    assert not np.allclose(few.components_, many.components_)
    assert_array_equal(
        many.components_, RCA_Supervised(n_chunks=900, chunk_size=5, random_state=0).fit(X, y).components_
    )
    # three chunks of all 15 rows of a class are the classes
    whole = RCA_Supervised(chunk_size=15, random_state=1).fit(X, y)
    assert_allclose(whole.components_, RCA().fit(X, y).components_, rtol=1e-9, atol=1e-12)


def test_names_of_classes_do_not_matter_and_unknown_rows_are_in_no_chunk():
    learner = RCA_Supervised(random_state=0)
    L = learner.fit(X, y).components_
    assert_array_equal(learner.fit(X, np.array(["a", "b", "c"])[y]).components_, L)
    partial = RCA_Supervised(chunk_size=15, n_chunks=2).fit(X, np.where(y == 2, np.nan, y)).components_
    assert_allclose(partial, RCA().fit(X, np.where(y == 2, -1, y)).components_, rtol=1e-9, atol=1e-12)


def test_chunk_sizes_that_cannot_be():
    with pytest.raises(ValueError, match="chunk_size=1"):
        RCA_Supervised(chunk_size=1).fit(X, y)
    with pytest.raises(ValueError, match="chunk_size=16 is more than any class has"):
        RCA_Supervised(chunk_size=16).fit(X, y)
    with pytest.raises(ValueError, match="n_chunks"):
        RCA_Supervised(n_chunks=0).fit(X, y)


@pytest.mark.parametrize("load", [load_iris, load_wine, load_breast_cancer, load_digits])
def test_defaults_fit_the_usual_data(load):
    data, classes = load(return_X_y=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if load is load_digits:
            warnings.filterwarnings("ignore", "the covariance within chunks has rank", UserWarning)
        learner = RCA_Supervised(random_state=0).fit(data, classes)
    assert np.isfinite(learner.transform(data)).all()
    assert np.linalg.matrix_rank(learner.components_) >= min(61, data.shape[1])


@pytest.mark.parametrize("seed", range(25))
def test_hostile_data_give_a_finite_metric(seed):
    rng = np.random.default_rng(seed)
    n, d = rng.integers(2, 20), rng.integers(1, 8)
    Z = rng.normal(size=(n, d)) * 10.0 ** rng.uniform(-8, 8, size=d) + rng.choice([0, 1e6])
    Z[:, rng.random(d) < 0.3] = 0.1
    Z = Z[rng.integers(n, size=n)]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", UserWarning)
        for k in (None, 1):
            learner = RCA(n_components=k).fit(Z, np.arange(n) // 2)
            assert learner.components_.shape == (k or d, d)
            assert np.isfinite(learner.components_).all()
            assert np.abs(learner.transform(Z - Z.mean(axis=0))).max() < 1e9
