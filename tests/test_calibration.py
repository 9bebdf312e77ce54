"""The threshold: as good as the best of all thresholds, tried one by one."""

import numpy as np
import pytest

from metricnets.calibration import STRATEGIES, check_strategy, threshold

SETTINGS = [
    {"strategy": "accuracy"},
    *({"strategy": "f_beta", "beta": beta} for beta in (0, 0.3, 1.0, 2, 5.0)),
    *({"strategy": strategy, "min_rate": rate} for strategy in ("max_tpr", "max_tnr") for rate in np.arange(11) / 10),
]
settings = pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: "-".join(map(str, setting.values())))


def sample(seed, n_positive, n_negative, ties):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.repeat([1, -1], [n_positive, n_negative]))
    scores = rng.normal(size=len(y)) + 0.8 * y
    return (np.round(scores) if ties else scores), y


SAMPLES = [
    (seed, n_positive, n_negative, ties)
    for seed in range(4)
    for n_positive, n_negative in [(10, 10), (30, 10), (1, 7), (7, 1)]
    for ties in (False, True)
]


def quality(scores, y, cut, strategy, min_rate=0.0, beta=1.0):
    """What a strategy maximises, counted; -1 where the other rate is too low."""
    tp, fn = np.sum((scores >= cut) & (y == 1)), np.sum((scores < cut) & (y == 1))
    tn, fp = np.sum((scores < cut) & (y == -1)), np.sum((scores >= cut) & (y == -1))
    if strategy == "accuracy":
        return (tp + tn) / len(y)
    if strategy == "f_beta":
        return (1 + beta**2) * tp / max((1 + beta**2) * tp + beta**2 * fn + fp, 1e-9)
    rate, other = (tp / (tp + fn), tn / (tn + fp))[:: 1 if strategy == "max_tpr" else -1]
    return rate if other >= min_rate else -1


@settings
def test_no_threshold_is_better(setting):
    for drawn in SAMPLES:
        scores, y = sample(*drawn)
        best = max(quality(scores, y, cut, **setting) for cut in [*scores, scores.max() + 1])
        found = quality(scores, y, threshold(scores, y, **setting), **setting)
        assert found == pytest.approx(best, abs=1e-12), drawn


@settings
@pytest.mark.parametrize("change", [np.exp, np.arctan, lambda s: 7 * s - 100], ids=["exp", "arctan", "affine"])
def test_only_the_order_of_scores_matters(setting, change):
    scores, y = sample(0, 20, 15, False)
    accepted = scores >= threshold(scores, y, **setting)
    changed = change(scores)
    np.testing.assert_array_equal(changed >= threshold(changed, y, **setting), accepted)


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_separable_scores_are_separated(strategy):
    cut = threshold([3.0, -1.0, 0.5, 0.4], [1, -1, 1, -1], strategy=strategy, min_rate=1.0)
    assert cut == pytest.approx(0.45)
    assert isinstance(cut, float)


@settings
def test_it_lies_halfway_between_neighbouring_scores(setting):
    for drawn in SAMPLES:
        scores, y = sample(*drawn)
        cut, values = threshold(scores, y, **setting), np.unique(scores)
        below, above = values[values < cut], values[values > cut]
        assert len(below) + len(above) == len(values), drawn
        if len(below) and len(above):
            assert cut == pytest.approx((below[-1] + above[0]) / 2), drawn
        for scale in (1e-30, 1e30):
            assert threshold(scores * scale, y, **setting) == pytest.approx(cut * scale), drawn


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scores_that_differ_by_rounding_are_one(dtype):
    scores = np.array([0.3, np.nextafter(dtype(0.3), dtype(1)), 0.7, 0.8], dtype)
    cut = threshold(scores, [-1, 1, 1, 1])
    assert cut == pytest.approx(0.5) or cut < 0.29
    assert threshold([0.0, np.finfo(float).tiny], [-1, 1]) > 0  # neighbours of 0 are far apart for their size


def test_huge_scores_overflow_nowhere():
    top = np.finfo(float).max
    for y in ([-1, 1, 1], [1, -1, -1], [-1, -1, 1]):
        assert not np.isnan(threshold([-top, 0.0, top], y))


def test_all_may_be_rejected():
    assert threshold([1.0, 2.0, 3.0, 4.0], [1, -1, -1, -1]) > 4
    assert threshold([-4.0, -3.0, -2.0, -1.0], [1, -1, -1, -1]) == -0.5  # distances: equal points stay similar


ERRORS = {
    "strategy": ({"strategy": "best"}, "strategy='best' is unknown"),
    "no rate": ({"strategy": "max_tpr"}, "min_rate=None"),
    "rate above 1": ({"strategy": "max_tnr", "min_rate": 1.5}, "min_rate=1.5"),
    "rate below 0": ({"strategy": "max_tpr", "min_rate": -0.1}, "min_rate=-0.1"),
    "rate no number": ({"strategy": "max_tpr", "min_rate": "high"}, "min_rate='high'"),
    "beta": ({"strategy": "f_beta", "beta": -1}, "beta=-1"),
    "beta no number": ({"strategy": "f_beta", "beta": None}, "beta=None"),
}


@pytest.mark.parametrize(("arguments", "message"), ERRORS.values(), ids=ERRORS)
def test_arguments_that_make_no_sense_are_named(arguments, message):
    for call in (lambda: check_strategy(**arguments), lambda: threshold([0.0, 1.0], [-1, 1], **arguments)):
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.parametrize("y", [[1, 1], [-1, -1], [0, 1]])
def test_both_kinds_of_pairs_are_needed(y):
    with pytest.raises(ValueError, match="both"):
        threshold([0.0, 1.0], y)
