"""MLKR: targets, in whatever unit; more in test_soft_neighbors.py."""

import warnings

import numpy as np
import pytest
from discovery import tiny_points
from sklearn.exceptions import ConvergenceWarning

from metricnets import MLKR

X, y = tiny_points()


def quiet_fit(X, y, **params):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", ConvergenceWarning)
        return MLKR(**params).fit(X, y)


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_units_of_the_targets_do_not_matter(scale):
    L = quiet_fit(X, X[:, 0] + y, max_iter=5).components_
    np.testing.assert_allclose(
        quiet_fit(X, scale * (X[:, 0] + y) + 3 * scale, max_iter=5).components_, L, rtol=1e-5, atol=1e-7
    )


def test_constant_targets_leave_the_start():
    with pytest.warns(UserWarning, match="nothing to learn"):
        mlkr = MLKR(init=np.eye(4)).fit(X, np.full(45, 7.1))
    np.testing.assert_allclose(mlkr.components_, np.eye(4))


@pytest.mark.parametrize("targets", [np.array(["a", "b", "c"])[y], y * 1j], ids=["str", "complex"])
def test_targets_have_to_be_real(targets):
    with pytest.raises(ValueError, match="omplex|convert"):
        MLKR().fit(X, targets)


def test_classes_are_no_start():
    with pytest.raises(ValueError, match="init"):
        MLKR(init="lda").fit(X, y)


def test_it_sees_on_what_the_targets_depend():
    rng = np.random.default_rng(0)
    many = rng.normal(size=(200, 5))
    M = quiet_fit(many, np.sin(2 * many[:, 1])).get_mahalanobis_matrix()
    assert M[1, 1] > 20 * np.delete(np.diag(M), 1).max()
