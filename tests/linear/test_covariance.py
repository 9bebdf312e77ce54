"""Covariance: the inverse covariance, in closed form, singular or not."""

import warnings

import numpy as np
import pytest

from metricnets import Covariance

rng = np.random.default_rng(0)
X = rng.normal(size=(40, 4)) @ rng.normal(size=(4, 4)) + 5


def test_metric_is_the_inverse_covariance():
    np.testing.assert_allclose(Covariance().fit(X).get_mahalanobis_matrix() @ np.cov(X.T), np.eye(4), atol=1e-10)


def test_transformed_points_are_white():
    np.testing.assert_allclose(np.cov(Covariance().fit_transform(X).T), np.eye(4), atol=1e-10)


def test_distances_do_not_depend_on_units_or_axes():
    A = rng.normal(size=(4, 4)) * [1e3, 1, 1e-3, 1]
    pairs = X.reshape(20, 2, 4)
    d = Covariance().fit(X).pair_distance(pairs)
    np.testing.assert_allclose(Covariance().fit(X @ A + 7).pair_distance(pairs @ A + 7), d, rtol=1e-6)


def test_labels_are_not_used():
    y = np.arange(40) % 3
    np.testing.assert_array_equal(Covariance().fit(X, y).components_, Covariance().fit(X).components_)


def test_one_feature_is_divided_by_its_deviation():
    x = X[:, :1]
    assert Covariance().fit(x).components_ ** 2 == pytest.approx(1 / np.var(x, ddof=1))


SINGULAR = {
    "a column twice": np.hstack([X, X[:, :1]]),
    "a constant column": np.hstack([X, np.ones((40, 1))]),
    "fewer rows than columns": X[:3],
    "two rows": X[:2],
    "all rows the same": np.ones((5, 3)) * 0.1,
}


@pytest.mark.parametrize("X", SINGULAR.values(), ids=SINGULAR)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_of_a_singular_covariance_the_pseudo_inverse_serves(X, dtype):
    X = X.astype(dtype)
    rank = np.linalg.matrix_rank(X - X.mean(axis=0), tol=1e-4)
    with pytest.warns(UserWarning, match=rf"rank {rank} < {X.shape[1]}; its pseudo-inverse is used") as record:
        M = Covariance().fit(X).get_mahalanobis_matrix()
    assert record[0].filename == __file__
    expected = np.linalg.pinv(np.cov(X.astype(float).T), rcond=1e-6, hermitian=True)
    np.testing.assert_allclose(M, expected, rtol=1e-6 if dtype == np.float64 else 1e-3, atol=1e-4 * np.abs(M).max())


def test_a_column_twice_changes_no_distance():
    with pytest.warns(UserWarning, match="rank 4 < 5"):
        doubled = Covariance().fit(SINGULAR["a column twice"])
    pairs = np.arange(40).reshape(20, 2)
    np.testing.assert_allclose(
        doubled.pair_distance(SINGULAR["a column twice"][pairs]), Covariance().fit(X).pair_distance(X[pairs])
    )


def test_full_rank_gives_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Covariance().fit(X)
        Covariance().fit(X.astype(np.float32))
