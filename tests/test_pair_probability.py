"""Probabilities of pairs: scikit-learn's sigmoid and isotonic calibration, thresholds, priors, old pickles."""

import numpy as np
import pytest
from discovery import PAIR_LEARNERS, quick, tiny_pairs
from numpy.testing import assert_allclose, assert_array_equal
from scipy.special import logit
from scipy.stats import gamma
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import cross_val_score

from metricnets import PairsClassifier

PAIRS, SAME = tiny_pairs(n_pairs=80)
NEW = tiny_pairs(seed=1)[0]


@pytest.fixture
def model():
    return PairsClassifier().fit(PAIRS, SAME)


@pytest.mark.parametrize("name", [*PAIR_LEARNERS, "PairsClassifier"])
def test_every_classifier_of_pairs_has_probabilities_that_fall_with_the_distance(name):
    learner = quick(name).fit(PAIRS, SAME)
    p, d = learner.predict_proba(NEW), learner.pair_distance(NEW)
    assert p.shape == (len(NEW), 2)
    assert_allclose(p.sum(axis=1), 1)
    assert (np.diff(p[np.argsort(d), 1]) <= 0).all()
    assert_array_equal(learner.set_threshold(1e-9).predict_proba(NEW), p)
    with pytest.raises(NotFittedError):
        quick(name).predict_proba(NEW)
    del learner.probability_
    with pytest.raises(AttributeError, match=f"this {name} has no probabilities.*calibrate_proba"):
        learner.predict_proba(NEW)
    assert learner.calibrate_proba(PAIRS, SAME).predict_proba(NEW).shape == p.shape


@pytest.mark.filterwarnings("ignore:Since FrozenEstimator does not appear to accept sample_weight")
@pytest.mark.parametrize("weights", [None, np.random.default_rng(0).integers(0, 4, 80)], ids=["none", "weights"])
@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_it_is_scikit_learns_calibration(model, method, weights):
    other = CalibratedClassifierCV(FrozenEstimator(model), method=method, cv=2, ensemble=False)
    expected = other.fit(PAIRS, SAME, sample_weight=weights).predict_proba(NEW)
    ours = model.calibrate_proba(PAIRS, SAME, method=method, sample_weight=weights).predict_proba(NEW)
    assert_allclose(ours, expected, atol=1e-4)


def test_isotonic_by_scikit_learns_regression(model):
    regression = IsotonicRegression(increasing=False, out_of_bounds="clip").fit(model.pair_distance(PAIRS), SAME > 0)
    p = model.calibrate_proba(PAIRS, SAME, method="isotonic").predict_proba(NEW)[:, 1]
    assert_allclose(p, regression.predict(model.pair_distance(NEW)))


def test_distances_with_gamma_distributions_have_their_log_odds():
    """log f₁ / f₀ of gamma densities is linear in d and log d."""
    rng = np.random.default_rng(0)
    d, same = np.concatenate([rng.gamma(3, 1, 4000), rng.gamma(6, 1.5, 4000)]), np.repeat([1, -1], 4000)
    pairs = np.stack([0 * d, d], axis=1)[:, :, None]
    truth = gamma(3).pdf(d) / (gamma(3).pdf(d) + gamma(6, scale=1.5).pdf(d))
    model = PairsClassifier().fit(pairs, same)
    p = model.predict_proba(pairs)[:, 1]
    assert_allclose(p, truth, atol=0.05)
    terms = np.stack([d, np.log(d + 0.01 * d.mean())], axis=1)
    expected = LogisticRegression(C=1e8, tol=1e-8, max_iter=1000).fit(terms, same)
    assert_allclose(p, expected.predict_proba(terms)[:, 1], atol=1e-3)
    line = model.calibrate_proba(pairs, same, method="sigmoid").predict_proba(pairs)[:, 1]
    assert log_loss(same, p) < log_loss(same, line) - 0.001


def test_equal_points_and_similarities_below_zero_have_finite_odds():
    class Similarity:
        """A negative inner product as a distance."""

        def pair_distance(self, pairs):
            return -(pairs[:, 0] * pairs[:, 1]).sum(axis=1)

    for classifier, pairs in (
        (PairsClassifier(), np.concatenate([PAIRS, PAIRS[:, [0, 0]]])),
        (PairsClassifier(), 0 * np.concatenate([PAIRS, PAIRS])),
        (PairsClassifier(Similarity()), np.concatenate([PAIRS, PAIRS])),
    ):
        p = classifier.fit(pairs, np.concatenate([SAME, SAME])).predict_proba(pairs)
        assert ((p > 0) & (p < 1)).all()


def test_the_mean_probability_is_the_share_of_similar_pairs(model):
    n = np.bincount((SAME + 1) // 2)
    targets = n[1] * (n[1] + 1) / (n[1] + 2) + n[0] / (n[0] + 2)  # Platt's
    assert model.predict_proba(PAIRS)[:, 1].sum() == pytest.approx(targets, rel=1e-4)


def test_a_prior_shifts_the_log_odds(model):
    p = model.predict_proba(NEW)[:, 1]
    rare = model.calibrate_proba(PAIRS, SAME, prior=0.01).predict_proba(NEW)[:, 1]
    assert_allclose(logit(rare) - logit(p), logit(0.01) - logit(np.mean(SAME > 0)))
    steps = model.calibrate_proba(PAIRS, SAME, method="isotonic", prior=0.01).predict_proba(NEW)
    assert ((steps >= 0) & (steps <= 1)).all()


def test_weights_are_repetitions(model):
    weights = np.random.default_rng(0).integers(0, 3, len(SAME))
    once = model.calibrate_proba(PAIRS, SAME, sample_weight=weights).predict_proba(NEW)
    again = model.calibrate_proba(PAIRS.repeat(weights, 0), SAME.repeat(weights)).predict_proba(NEW)
    assert_allclose(once, again, atol=1e-6)


@pytest.mark.parametrize("y", [SAME > 0, (SAME > 0) + 0], ids=["bool", "0 and 1"])
def test_columns_are_those_of_classes(model, y):
    assert_array_equal(PairsClassifier().fit(PAIRS, y).predict_proba(NEW), model.predict_proba(NEW))


@pytest.mark.parametrize("factor", [1e-6, 1.0, 1e6])
def test_pairs_that_can_be_separated_have_finite_odds_in_all_units(factor):
    pairs = np.array([[[0.0], [d]] for d in (1, 2, 3, 7, 8, 9)]) * factor
    p = PairsClassifier().fit(pairs, [1, 1, 1, -1, -1, -1]).predict_proba(pairs)[:, 1]
    assert p.min() > 1e-3
    assert p.max() < 0.999
    assert_allclose(p + p[::-1], 1, atol=1e-5)


def test_distances_that_say_the_opposite_are_not_used():
    pairs = np.array([[[0.0], [d]] for d in (1, 2, 3, 7, 8, 9)])
    p = PairsClassifier().fit(pairs, [-1, -1, -1, 1, 1, 1]).predict_proba(pairs)
    assert_allclose(p, 0.5, atol=1e-6)


def test_scorers_of_probabilities(model):
    assert cross_val_score(model, PAIRS, SAME, scoring="neg_brier_score", cv=3).mean() > -0.25


def test_a_failure_changes_nothing(model):
    before = vars(model).copy()
    for options, message in (
        ({"method": "platt"}, "method='platt' is unknown; use one of gamma, sigmoid, isotonic"),
        ({"prior": 1.0}, "prior=1.0 should be the share of similar pairs"),
        ({"prior": "half"}, "prior='half'"),
        ({"sample_weight": (SAME > 0) + 0}, "of one kind"),
    ):
        with pytest.raises(ValueError, match=message):
            model.calibrate_proba(PAIRS, SAME, **options)
    with pytest.raises(ValueError, match=r"\by\b"):
        model.calibrate_proba(PAIRS, SAME * 2)
    assert vars(model) == before
