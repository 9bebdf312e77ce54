"""Scores of verification, against the definitions tried at every threshold."""

import numpy as np
import pytest
from scipy.interpolate import interp1d
from scipy.optimize import brentq
from sklearn.metrics import roc_curve

from metricnets.metrics import best_threshold_accuracy, equal_error_rate, tar_at_far


def pairs_scored(seed=0, ties=False):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat([1, -1], [30, 50]))
    score = rng.normal(size=80) + 0.7 * y
    return y, np.round(score) if ties else score


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_the_equal_error_rate_is_where_the_curve_meets_the_diagonal(seed, ties):
    y, score = pairs_scored(seed, ties)
    fpr, tpr, _ = roc_curve(y, score)
    steps = np.arange(len(fpr))
    fpr, tpr = interp1d(steps, fpr), interp1d(steps, tpr)
    meet = brentq(lambda t: fpr(t) + tpr(t) - 1, 0, steps[-1])
    assert equal_error_rate(y, score) == pytest.approx(float(fpr(meet)))


def test_the_equal_error_rate_of_known_cases():
    y = np.repeat([0, 1], 10)
    assert equal_error_rate(y, y) == 0
    assert equal_error_rate(y, -y) == 1
    assert equal_error_rate(y, np.ones(20)) == 0.5
    assert equal_error_rate(1 - y, -np.arange(20)) == 0


@pytest.mark.parametrize("ties", [False, True])
def test_accept_rates_are_the_best_of_all_thresholds_that_are_allowed(ties):
    y, score = pairs_scored(ties=ties)
    far = np.linspace(0, 1, 51)
    cuts = [*score, np.inf]
    rates = np.array([[np.mean(score[y == -1] >= cut), np.mean(score[y == 1] >= cut)] for cut in cuts])
    expected = [rates[rates[:, 0] <= allowed + 1e-9, 1].max() for allowed in far]
    np.testing.assert_allclose(tar_at_far(y, score, far), expected)
    np.testing.assert_allclose(tar_at_far(y > 0, score, far.tolist()), expected)
    assert tar_at_far(y, score, 0.1) == expected[5]
    assert isinstance(tar_at_far(y, score, 0.1), float)


@pytest.mark.parametrize("ties", [False, True])
def test_thresholds_are_the_best_on_the_other_folds(ties):
    y, score = pairs_scored(ties=ties)
    fold = np.arange(80) % 5
    for number, accuracy in enumerate(best_threshold_accuracy(y, score, fold)):
        inside = fold == number
        cuts = np.sort([*score[~inside], np.inf])[::-1]
        right = [np.mean((score >= cut)[~inside] == (y > 0)[~inside]) for cut in cuts]
        best = cuts[np.argmax(np.round(right, 9))]
        assert accuracy == np.mean((score >= best)[inside] == (y > 0)[inside])


def test_a_fold_says_nothing_about_its_own_threshold():
    y, score = pairs_scored()
    fold = np.repeat(["a", "b"], 40)
    turned = np.where(fold == "b", -y, y)
    before, after = best_threshold_accuracy(y, score, fold)[1], best_threshold_accuracy(turned, score, fold)[1]
    assert after == pytest.approx(1 - before)


BAD = {
    "one kind": ([1, 1, 1], [0.1, 0.2, 0.3], "y should hold 1 and either 0 or -1, both of them; it holds .1"),
    "three kinds": ([1, 0, -1], [0.1, 0.2, 0.3], "either 0 or -1"),
    "classes": ([1, 2, 1], [0.1, 0.2, 0.3], "it holds .1 2"),
    "lengths": ([1, 0, 1], [0.1, 0.2], "one score for each pair"),
    "nan": ([1, 0, 1], [0.1, 0.2, np.nan], "score contains NaN"),
}


@pytest.mark.parametrize(("y", "score", "message"), BAD.values(), ids=BAD)
@pytest.mark.parametrize("score_of", [(equal_error_rate,), (tar_at_far, 0.1), (best_threshold_accuracy, [0, 1, 1])])
def test_what_is_wrong_is_named(y, score, message, score_of):
    function, *extra = score_of
    with pytest.raises(ValueError, match=message):
        function(y, score, *extra)


def test_wrong_rates_and_folds_are_named():
    y, score = pairs_scored()
    for far in (1.5, -0.1, [0.5, np.nan]):
        with pytest.raises(ValueError, match="far="):
            tar_at_far(y, score, far)
    for fold, message in ((np.zeros(80), "fold is 0.0 throughout"), (np.arange(79), "80 pairs and 79 values in fold")):
        with pytest.raises(ValueError, match=message):
            best_threshold_accuracy(y, score, fold)
