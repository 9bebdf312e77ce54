"""The expectation of views that are missing, against closed forms."""

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.linear_model import Ridge

from metricnets import _expected_views
from metricnets._expected_views import filled, joint_normal


@pytest.fixture
def z():
    rng = np.random.default_rng(0)
    return rng.normal(size=(60, 5)) @ rng.normal(size=(5, 5)) + 1


def test_it_is_ridge_regression_if_rows_are_whole(z):
    present = np.ones((60, 2), dtype=bool)
    found = joint_normal(z, present, [3, 2])
    assert_allclose(found.covariance, np.cov(z.T, bias=True))
    lacking = np.array([[True, False]] * 60)
    alpha = _expected_views.RIDGE * z[:, :3].var(axis=0).mean() * 60
    expected = Ridge(alpha).fit(z[:, :3], z[:, 3:]).predict(z[:, :3])
    Z = filled(np.where([True] * 3 + [False] * 2, z, 0), lacking, found)
    assert_allclose(Z, np.hstack([z[:, :3], expected]))


def test_maximum_likelihood_if_one_view_is_missing_in_some_rows(z, monkeypatch):
    """It factors: the marginal distribution of the first view, and a regression on rows that have both."""
    monkeypatch.setattr(_expected_views, "RIDGE", 0)
    monkeypatch.setattr(_expected_views, "N_ITER", 300)
    some, present = slice(40), np.column_stack([np.ones(60, bool), np.arange(60) < 40])
    found = joint_normal(np.where(np.repeat(present, [3, 2], axis=1), z, 0), present, [3, 2])
    line = Ridge(1e-9).fit(z[some, :3], z[some, 3:])
    assert_allclose(found.mean, [*z[:, :3].mean(axis=0), *line.predict(z[:, :3]).mean(axis=0)], atol=1e-6)
    C = np.cov(z[:, :3].T, bias=True)
    residual = np.cov((z[some, 3:] - line.predict(z[some, :3])).T, bias=True)
    assert_allclose(found.covariance[:3, 3:], C @ line.coef_.T, atol=1e-5)
    assert_allclose(found.covariance[3:, 3:], residual + line.coef_ @ C @ line.coef_.T, atol=1e-5)


def test_views_that_no_row_has_together_are_expected_at_their_mean(z):
    present = np.arange(60)[:, None] % 2 == [0, 1]
    has = np.repeat(present, [3, 2], axis=1)
    Z = filled(np.where(has, z, 0), present, joint_normal(np.where(has, z, 0), present, [3, 2]))
    assert_allclose(Z[::2, 3:], np.tile(z[1::2, 3:].mean(axis=0), (30, 1)))
