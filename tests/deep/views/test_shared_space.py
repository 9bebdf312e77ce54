"""Starts of two views in closed form: canonical correlations, discriminant analysis, the choice between them."""

import numpy as np
import pytest
from scipy.special import softmax
from sklearn.cross_decomposition import CCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.metrics import average_precision_score
from sklearn.preprocessing import scale

from metricnets.datasets import make_views
from metricnets.deep._training.shared_space import candidates_of, precisions, shared_space
from metricnets.deep._training.two_view_maps import canonical_maps, class_probabilities

X, Y, CLASSES = make_views(120, (5, 4), noise=1.0, random_state=0)
VIEWS = [scale(X), scale(Y)]


def test_without_a_ridge_the_variates_are_those_of_canonical_correlation_analysis():
    (starts,) = canonical_maps(VIEWS, None, None, 3, [1e-12])
    expected = CCA(3, max_iter=10_000, tol=1e-10).fit(*VIEWS).transform(*VIEWS)
    for start, Z, variates in zip(starts, VIEWS, expected):
        correlations = np.abs(np.corrcoef(start(Z).T, variates.T)[:3, 3:].diagonal())
        np.testing.assert_allclose(correlations, 1, atol=1e-3)


def test_without_a_ridge_class_probabilities_are_those_of_discriminant_analysis():
    (starts,) = class_probabilities(VIEWS, CLASSES, None, 3, [1e-12])
    for start, Z in zip(starts, VIEWS):
        lda = LinearDiscriminantAnalysis(solver="lsqr").fit(Z, CLASSES)  # its covariance is that of a population
        unbiased = lda.covariance_ * 120 / 117
        directions = np.linalg.solve(unbiased, lda.means_.T)
        logits = Z @ directions - 0.5 * (lda.means_.T * directions).sum(axis=0) + np.log(lda.priors_)
        np.testing.assert_allclose(start(Z) + 1 / 3, softmax(logits, axis=1), atol=1e-6)


def test_weights_are_repetitions():
    weights = np.arange(120) % 3 + 1.0
    rows = np.repeat(np.arange(120), weights.astype(int))
    for codes in (None, CLASSES):
        (weighted,) = canonical_maps(VIEWS, codes, weights, 2, [0.3])
        (repeated,) = canonical_maps([Z[rows] for Z in VIEWS], None if codes is None else codes[rows], None, 2, [0.3])
        for a, b in zip(weighted, repeated):
            direction = a.weight / np.linalg.norm(a.weight), b.weight / np.linalg.norm(b.weight)
            np.testing.assert_allclose(*direction, atol=1e-8)


def test_unknown_classes_do_not_count():
    partial = np.where(np.arange(120) < 60, CLASSES, -1)
    known = [Z[:60] for Z in VIEWS]
    (of_partial,) = class_probabilities(VIEWS, partial, None, 3, [0.3])
    (of_known,) = class_probabilities(known, CLASSES[:60], None, 3, [0.3])
    for found, expected in zip(of_partial, of_known):
        np.testing.assert_allclose(found.weight, expected.weight)


def test_few_columns_hold_the_largest_combinations_of_probabilities():
    (few,), (all_columns,) = (class_probabilities(VIEWS, CLASSES, None, k, [0.3]) for k in (2, 3))
    gram = [start(VIEWS[0]) @ start(VIEWS[0]).T for start in (few[0], all_columns[0])]
    np.testing.assert_allclose(*gram, atol=1e-9)  # probabilities minus their mean have rank 2


def test_precision_is_the_mean_over_queries_and_directions():
    rng = np.random.default_rng(0)
    z, z_other, truth = rng.normal(size=(8, 3)), rng.normal(size=(8, 3)), rng.random((8, 8)) < 0.4
    truth |= np.eye(8, dtype=bool)
    s = z @ z_other.T
    there = np.mean([average_precision_score(t, row) for t, row in zip(truth, s)])
    back = np.mean([average_precision_score(t, row) for t, row in zip(truth.T, s.T)])
    assert precisions(z, z_other, truth).mean() == pytest.approx((there + back) / 2)


@pytest.mark.parametrize(
    "codes",
    [np.arange(120), CLASSES, np.r_[0, 1, np.full(118, -1)], np.r_[0, 0, np.full(118, -1)], np.arange(120) // 60],
    ids=["a row each", "classes", "two known", "one class", "two classes"],
)
def test_any_classes_have_a_finite_start(codes):
    options = {"normalize": True, "rng": np.random.default_rng(0)}
    quality, _, starts = shared_space(VIEWS, codes, None, 3, candidates_of("auto", codes), **options)
    assert quality.mean() > 0
    assert all(np.isfinite(start(Z)).all() and start(Z).shape == (120, 3) for start, Z in zip(starts, VIEWS))


def test_of_ridges_that_do_equally_well_on_rows_held_back_the_smallest_is_not_taken():
    rng = np.random.default_rng(0)
    common = rng.normal(size=(60, 6))
    views = [common @ rng.normal(size=(6, 40)) for _ in range(2)]  # without noise: all is found with any ridge
    codes, options = np.arange(60), {"normalize": True, "rng": np.random.default_rng(0)}
    *_, starts = shared_space(views, codes, None, 6, candidates_of("cca", codes), **options)
    (expected,) = canonical_maps(views, None, None, 6, [3.0])
    for start, of_ridge in zip(starts, expected):
        np.testing.assert_allclose(start.weight, of_ridge.weight)
