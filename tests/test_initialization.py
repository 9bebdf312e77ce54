import numpy as np
import pytest
from numpy.linalg import LinAlgError
from sklearn.decomposition import PCA

from metricnets._initialization import initial_components, initial_metric
from metricnets.exceptions import NonPSDError

X = np.random.default_rng(0).normal(size=(40, 4)) * [1, 2, 3, 4]
CODES = np.arange(40) % 3
RNG = np.random.RandomState


def test_metrics_by_name():
    np.testing.assert_array_equal(initial_metric("identity", X, RNG(0)), np.eye(4))
    np.testing.assert_allclose(initial_metric("covariance", X, RNG(0)) @ np.cov(X.T), np.eye(4), atol=1e-12)
    M = initial_metric("random", X, RNG(0))
    np.testing.assert_array_equal(M, initial_metric("random", X, RNG(0)))
    assert np.linalg.eigvalsh(M)[0] > 0


@pytest.mark.parametrize(
    ("M", "error", "message"),
    [
        (np.eye(3), ValueError, r"init has shape \(3, 3\)"),
        (np.ones((4, 2)), ValueError, "init has shape"),
        (np.triu(np.ones((4, 4))), ValueError, "init is not symmetric"),
        (np.diag([1, 1, 1, -1]), NonPSDError, "smallest eigenvalue is -1"),
        (np.diag([1, 1, 1, 0]), LinAlgError, "init should be positive definite"),
        (np.full((4, 4), np.nan), ValueError, "NaN"),
    ],
)
def test_bad_metrics_are_named(M, error, message):
    with pytest.raises(error, match=message):
        initial_metric(M, X, RNG(0), name="init")


def test_a_singular_covariance_will_do_where_the_metric_may_be_singular():
    doubled = X[:, [0, 1, 1]]
    with pytest.raises(LinAlgError, match="Use prior='identity'"):
        initial_metric("covariance", doubled, RNG(0))
    with pytest.warns(UserWarning, match="rank 2 < 3"):
        M = initial_metric("covariance", doubled, RNG(0), definite=False)
    np.testing.assert_allclose(M, np.linalg.pinv(np.cov(doubled.T)), atol=1e-10)


@pytest.mark.parametrize(
    ("n_components", "codes", "expected"),
    [(2, CODES, "lda"), (3, CODES, "pca"), (4, CODES, "identity"), (2, None, "pca"), (None, None, "identity")],
)
def test_what_auto_takes(n_components, codes, expected):
    found = initial_components("auto", n_components, X, codes, RNG(0))
    np.testing.assert_array_equal(found, initial_components(expected, n_components, X, codes, RNG(0)))
    assert found.shape == (n_components or 4, 4)


def test_components_by_name():
    np.testing.assert_allclose(initial_components("pca", 2, X, None, RNG(0)), PCA(2).fit(X).components_)
    np.testing.assert_array_equal(initial_components("identity", 2, X, None, RNG(0)), np.eye(2, 4))
    assert initial_components("random", 3, X, None, RNG(0)).shape == (3, 4)
    given = np.arange(8.0).reshape(2, 4)
    np.testing.assert_array_equal(initial_components(given, None, X, None, RNG(0)), given)


@pytest.mark.parametrize(
    ("init", "n_components", "message"),
    [
        (np.ones((2, 3)), None, "init has shape"),
        (np.ones((5, 4)), None, "init has shape"),
        (np.ones((2, 4)), 3, "init has shape"),
        ("lda", 3, "init='lda' needs n_components below the number of classes"),
    ],
)
def test_bad_components_are_named(init, n_components, message):
    with pytest.raises(ValueError, match=message):
        initial_components(init, n_components, X, CODES, RNG(0))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("rows", [X * 0, X[:3], np.repeat(X[:4], 10, axis=0), X[:, [0, 0, 0, 0]]])
def test_degenerate_points_have_finite_discriminants(rows):
    codes = np.arange(len(rows)) % 4 // 2
    L = initial_components("auto", 1, rows, codes, RNG(0))
    assert L.shape == (1, 4)
    assert np.isfinite(L).all()
