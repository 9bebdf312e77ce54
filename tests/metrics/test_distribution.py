"""Scores of label distributions, against loops, SciPy and cases with a known answer."""

import math

import numpy as np
import pytest
from scipy.spatial import distance
from scipy.stats import entropy

from metricnets.metrics import (
    canberra,
    chebyshev,
    clark,
    cosine,
    distribution_scores,
    intersection,
    kullback_leibler,
)

LOSSES = [chebyshev, clark, canberra, kullback_leibler]
SCORES = [*LOSSES, cosine, intersection]

NAIVE = {
    chebyshev: distance.chebyshev,
    clark: lambda d, p: math.sqrt(sum(((a - b) / (a + b)) ** 2 for a, b in zip(d, p) if a + b)),
    canberra: distance.canberra,
    kullback_leibler: entropy,
    cosine: lambda d, p: 1 - distance.cosine(d, p),
    intersection: lambda d, p: sum(map(min, d, p)),
}


def distributions(seed=0):
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.ones(6), 20), rng.dirichlet(np.ones(6), 20)


@pytest.mark.parametrize("score", SCORES)
def test_scores_are_means_over_rows_of_what_a_loop_finds(score):
    d, p = distributions()
    assert score(d, p) == pytest.approx(np.mean([NAIVE[score](a, b) for a, b in zip(d, p)]))
    assert isinstance(score(d, p), float)


@pytest.mark.parametrize("score", SCORES)
def test_a_prediction_that_is_right_is_best(score):
    d, p = distributions()
    assert score(d, d) == pytest.approx(0 if score in LOSSES else 1)
    assert (score(d, d) < score(d, p)) == (score in LOSSES)


def test_labels_of_no_weight_add_nothing():
    d, p = distributions()
    zeros = np.zeros((len(d), 3))
    for score in SCORES:
        assert score(np.hstack([d, zeros]), np.hstack([p, zeros])) == pytest.approx(score(d, p))


def test_a_distribution_and_another_without_common_labels():
    d, p = [[1.0, 0.0, 0.0]], [[0.0, 0.5, 0.5]]
    assert [score(d, p) for score in (chebyshev, canberra, cosine, intersection)] == [1, 3, 0, 0]
    assert clark(d, p) == pytest.approx(3**0.5)
    assert kullback_leibler(d, p) == pytest.approx(52 * math.log(2))  # of 1 and the least float above 1, less 1


def test_all_six_at_once():
    d, p = distributions()
    assert distribution_scores(d, p) == {score.__name__: score(d, p) for score in SCORES}


@pytest.mark.parametrize("score", [*SCORES, distribution_scores])
@pytest.mark.parametrize(
    ("d", "p", "message"),
    [
        ([[0.5, 0.5]], [[0.5, 0.25, 0.25]], r"truth has shape \(1, 2\) and predicted \(1, 3\)"),
        ([[0.5, 0.5]], [[0.5, 0.8]], "rows of predicted should sum to 1 within 0.001; they sum to 1.3 to 1.3"),
        ([[1.5, -0.5]], [[0.5, 0.5]], "truth should not be negative; its smallest entry is -0.5"),
        ([[0.5, 0.5]], [[0.5, np.inf]], "predicted contains infinity"),
    ],
)
def test_what_is_wrong_is_named(score, d, p, message):
    with pytest.raises(ValueError, match=message):
        score(d, p)


def test_sums_may_be_off_by_rounding():
    d, p = distributions()
    assert chebyshev(d.astype(np.float32), np.round(p, 4)) == pytest.approx(chebyshev(d, p), abs=1e-4)
