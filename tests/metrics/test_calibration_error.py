"""Expected calibration error: by a loop, limits, weights, wrong input."""

import numpy as np
import pytest

from metricnets.metrics import expected_calibration_error


def naive(y, p, n_bins):
    total = 0.0
    for low in np.arange(n_bins) / n_bins:
        inside = [i for i in range(len(p)) if low <= p[i] < low + 1 / n_bins or (p[i] == 1 and low == 1 - 1 / n_bins)]
        if inside:
            total += len(inside) / len(p) * abs(np.mean([y[i] for i in inside]) - np.mean([p[i] for i in inside]))
    return total


@pytest.mark.parametrize("n_bins", [1, 4, 16])
def test_by_a_loop(n_bins):
    rng = np.random.default_rng(0)
    p, y = np.r_[rng.random(50), 0, 1], rng.integers(2, size=52)
    assert expected_calibration_error(y, p, n_bins=n_bins) == pytest.approx(naive(y, p, n_bins))
    assert expected_calibration_error(2 * y - 1, p, n_bins=n_bins) == pytest.approx(naive(y, p, n_bins))


def test_limits():
    y = np.array([0, 1, 1, 0])
    assert expected_calibration_error(y, y) == 0
    assert expected_calibration_error(y, 1 - y) == 1
    assert expected_calibration_error(y, [0.5] * 4) == 0
    assert expected_calibration_error(y == 1, [0.75] * 4) == 0.25


def test_weights_are_repetitions():
    rng = np.random.default_rng(0)
    p, y, weights = rng.random(30), rng.integers(2, size=30), rng.integers(0, 4, 30)
    expected = expected_calibration_error(y.repeat(weights), p.repeat(weights))
    assert expected_calibration_error(y, p, sample_weight=weights) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("y", "p", "n_bins", "message"),
    [
        ([0, 1], [0.5], 10, "one probability for each sample"),
        ([0, 2], [0.5, 0.5], 10, "y should hold 1 and either 0 or -1"),
        ([0, 1], [0.5, 1.5], 10, "p should hold probabilities"),
        ([0, 1], [0.5, np.nan], 10, r"\bp\b.*NaN"),
        ([0, 1], [0.5, 0.5], 0, "n_bins=0"),
    ],
)
def test_wrong_input(y, p, n_bins, message):
    with pytest.raises(ValueError, match=message):
        expected_calibration_error(y, p, n_bins=n_bins)
