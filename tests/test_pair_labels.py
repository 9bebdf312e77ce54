"""Labels of pairs: every encoding of similar and dissimilar, and what of scikit-learn turns one into another."""

import copy
import functools

import numpy as np
import pandas as pd
import pytest
from discovery import PAIR_LEARNERS, quick, tiny_points
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.model_selection import (
    FixedThresholdClassifier,
    GridSearchCV,
    StratifiedKFold,
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline

from metricnets import Covariance, PairsClassifier, protocols
from metricnets.calibration import threshold

X, CLASSES = tiny_points()
ROWS = np.random.default_rng(0).integers(len(X), size=(40, 2))
PAIRS, SAME = X[ROWS], CLASSES[ROWS[:, 0]] == CLASSES[ROWS[:, 1]]
CUTS = StratifiedKFold(2)
FITTED = Covariance(n_components=1).fit(X)

ENCODINGS = {
    "-1 and 1": np.where(SAME, 1, -1),
    "floats": np.where(SAME, 1.0, -1.0),
    "0 and 1": SAME.astype(int),
    "bytes": SAME.astype(np.uint8),
    "bool": SAME,
    "objects": SAME.astype(int).astype(object),
    "list": np.where(SAME, 1, -1).tolist(),
    "series": pd.Series(np.where(SAME, 1, -1), index=np.arange(40)[::-1]),
    "nullable": pd.Series(SAME, dtype="boolean"),
    "column": SAME.astype(int)[:, None],
}


def learner(name, **params):
    if name != "PairsClassifier":
        return quick(name, **params)
    return PairsClassifier(Covariance(**params).fit(X))


every_learner = pytest.mark.parametrize("name", [*PAIR_LEARNERS, "PairsClassifier"])


@functools.cache
def fitted(name):
    """A learner fitted to -1 and 1: copy it."""
    return learner(name).fit(PAIRS, ENCODINGS["-1 and 1"])


@pytest.mark.parametrize("how", ENCODINGS)
@every_learner
def test_every_encoding_learns_the_same_and_is_predicted_in(name, how):
    y = ENCODINGS[how]
    plain, other = copy.deepcopy(fitted(name)), learner(name).fit(PAIRS, y)
    assert_array_equal(other.classes_, np.unique(np.array(np.ravel(y).tolist())))
    assert other.threshold_ == plain.threshold_
    assert_array_equal(other.decision_function(PAIRS), plain.decision_function(PAIRS))
    assert_array_equal(other.predict(PAIRS), other.classes_[(plain.predict(PAIRS) > 0).astype(int)])
    assert other.score(PAIRS, y) == plain.score(PAIRS, ENCODINGS["-1 and 1"])
    calibrated = plain.calibrate_threshold(PAIRS, y)
    assert calibrated.threshold_ == other.calibrate_threshold(PAIRS, ENCODINGS["-1 and 1"]).threshold_
    assert_array_equal(calibrated.classes_, [-1, 1])


MISSING = {
    "None": [None, *SAME[1:].tolist()],
    "NaN": np.where(np.arange(40) == 3, np.nan, SAME),
    "NA": pd.Series([pd.NA, *SAME[1:]], dtype="boolean"),
}


@pytest.mark.parametrize("how", MISSING)
@every_learner
def test_missing_labels_are_an_error_that_says_so(name, how):
    with pytest.raises(ValueError, match="y has None, NaN or the like; leave out pairs"):
        learner(name).fit(PAIRS, MISSING[how])


@every_learner
def test_other_labels_are_named(name):
    for wrong in (SAME + 1, np.where(SAME, "yes", "no"), np.where(SAME, "1", "0"), SAME * 2, SAME | True):
        with pytest.raises(ValueError, match=r"y should hold \+1 and -1, or 1 and 0, both of them; it holds"):
            learner(name).fit(PAIRS, wrong)
    with pytest.raises(ValueError, match="y is missing; give a label for each pair"):
        learner(name).fit(PAIRS, None)
    with pytest.raises(ValueError, match="there are 40 pairs and 39 labels in y"):
        learner(name).fit(PAIRS, SAME[1:])
    fitted = learner(name).fit(PAIRS, SAME)
    for call in (fitted.score, fitted.calibrate_threshold):
        with pytest.raises(ValueError, match=r"y should hold \+1 and -1"):
            call(PAIRS[SAME], SAME[SAME])


# ------------------------------------------------------------------------------------------------
# scikit-learn encodes labels as 0 and 1 before it fits.

y = ENCODINGS["-1 and 1"]
encodings = pytest.mark.parametrize("y", [y, SAME], ids=["-1 and 1", "bool"])


@every_learner
@encodings
def test_cross_validated_predictions(name, y):
    scores = cross_val_predict(learner(name), PAIRS, y, cv=CUTS, method="decision_function")
    labels = cross_val_predict(learner(name), PAIRS, y, cv=CUTS)
    p = cross_val_predict(learner(name), PAIRS, y, cv=CUTS, method="predict_proba")
    for train, test in CUTS.split(PAIRS, y):
        fitted = learner(name).fit(PAIRS[train], y[train])
        assert_allclose(scores[test], fitted.decision_function(PAIRS[test]))
        assert_array_equal(labels[test], fitted.predict(PAIRS[test]))
        assert_allclose(p[test], fitted.predict_proba(PAIRS[test]))


@every_learner
@encodings
@pytest.mark.parametrize("ensemble", [True, False])
def test_calibrated_probabilities(name, y, ensemble):
    model = CalibratedClassifierCV(learner(name), cv=CUTS, ensemble=ensemble).fit(PAIRS, y)
    p = model.predict_proba(PAIRS)
    assert_array_equal(model.classes_, np.unique(y))
    assert_allclose(p.sum(axis=1), 1)
    assert roc_auc_score(SAME, p[:, 1]) > 0.5
    fitted = FrozenEstimator(learner(name).fit(PAIRS, y))
    assert roc_auc_score(SAME, CalibratedClassifierCV(fitted).fit(PAIRS, y).predict_proba(PAIRS)[:, 1]) > 0.5


@every_learner
@encodings
def test_votes_and_stacks(name, y):
    members = [("a", learner(name)), ("b", PairsClassifier(FITTED))]
    expected = learner(name).fit(PAIRS, y).predict(PAIRS)
    assert_array_equal(VotingClassifier(members[:1]).fit(PAIRS, y).predict(PAIRS), expected)
    assert set(VotingClassifier(members).fit(PAIRS, y).predict(PAIRS)) <= set(np.unique(y))
    stack = StackingClassifier(members, LogisticRegression(), cv=CUTS).fit(PAIRS, y)
    assert stack.score(PAIRS, y) > 0.6


@pytest.mark.parametrize("name", PAIR_LEARNERS)
@encodings
def test_bags_of_indices(name, y):
    bag = BaggingClassifier(quick(name, preprocessor=X), n_estimators=3, random_state=0).fit(ROWS, y)
    assert_array_equal(bag.classes_, np.unique(y))
    assert accuracy_score(y, bag.predict(ROWS)) > 0.5


@every_learner
@encodings
def test_thresholds_of_scikit_learn(name, y):
    tuned = TunedThresholdClassifierCV(learner(name), scoring="accuracy", cv=CUTS).fit(PAIRS, y)
    assert set(tuned.predict(PAIRS)) <= set(np.unique(y))
    fixed = FixedThresholdClassifier(learner(name), threshold=-1.0, response_method="decision_function").fit(PAIRS, y)
    scores = learner(name).fit(PAIRS, y).decision_function(PAIRS)
    assert_array_equal(fixed.predict(PAIRS), np.unique(y)[(scores >= -1.0).astype(int)])


@every_learner
@encodings
@pytest.mark.parametrize("scoring", [None, "accuracy", "f1", "roc_auc"])
def test_searches(name, y, scoring):
    if name == "PairsClassifier":
        grid = {"strategy": ["accuracy", "f_beta"]}
    else:
        grid = {"n_units" if name == "DNLML_ISA" else "n_components": [2]}
    search = GridSearchCV(learner(name), grid, scoring=scoring, cv=3).fit(PAIRS, y)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert set(search.predict(PAIRS)) <= set(np.unique(y))


@every_learner
def test_protocols_take_every_encoding(name):
    fold = np.arange(40) % 3
    found = [
        protocols.cross_validate_pairs(learner(name), PAIRS, y, fold)["score"]
        for y in (ENCODINGS["-1 and 1"], SAME, SAME.astype(int))
    ]
    assert_array_equal(found[0], found[1])
    assert_array_equal(found[0], found[2])


# ------------------------------------------------------------------------------------------------
# What belongs to it.


@every_learner
def test_no_weight_of_recall_is_precision(name):
    fitted = learner(name).fit(PAIRS, SAME).calibrate_threshold(PAIRS, SAME, strategy="f_beta", beta=0)
    d = fitted.pair_distance(PAIRS)
    precision = max(np.mean(SAME[d <= cut]) for cut in d)
    assert np.mean(SAME[fitted.predict(PAIRS)]) == precision
    if name == "PairsClassifier":
        assert PairsClassifier(strategy="f_beta", beta=0).fit(PAIRS, SAME).beta == 0
    else:
        params = {"strategy": "f_beta", "beta": 0}
        assert learner(name).fit(PAIRS, SAME, calibration_params=params).threshold_ > 0


@every_learner
def test_a_threshold_is_the_distance_of_no_pair(name):
    fitted = learner(name).fit(PAIRS, SAME)
    for strategy in ("accuracy", "f_beta", "max_tpr", "max_tnr"):
        fitted.calibrate_threshold(PAIRS, SAME, strategy=strategy, min_rate=0.7 if "max" in strategy else None)
        d = fitted.pair_distance(PAIRS)
        below, above = d[d < fitted.threshold_].max(initial=0), d[d > fitted.threshold_].min(initial=np.inf)
        assert not (d == fitted.threshold_).any()
        if 0 < below < above < np.inf:
            assert fitted.threshold_ == pytest.approx((below + above) / 2)
    assert threshold(-d, np.where(SAME, 1, -1)) == pytest.approx(-fitted.calibrate_threshold(PAIRS, SAME).threshold_)


@pytest.mark.parametrize("name", PAIR_LEARNERS)
def test_an_argument_that_the_strategy_does_not_use_is_refused(name):
    fitted = learner(name).fit(PAIRS, SAME)
    for params in ({"beta": 2.0}, {"min_rate": 0.9}, {"strategy": "f_beta", "min_rate": 0.9}):
        with pytest.raises(ValueError, match=r"(beta|min_rate)=.* has no effect with strategy='.*'; give strategy"):
            fitted.calibrate_threshold(PAIRS, SAME, **params)
        with pytest.raises(ValueError, match="has no effect"):
            learner(name).fit(PAIRS, SAME, calibration_params=params)


@pytest.mark.parametrize("name", PAIR_LEARNERS)
def test_a_fitted_learner_in_a_pipeline_is_frozen(name):
    fitted = learner(name).fit(PAIRS, SAME)
    after = make_pipeline(FrozenEstimator(fitted), LogisticRegression()).fit(X, CLASSES)
    assert after.score(X, CLASSES) == LogisticRegression().fit(fitted.transform(X), CLASSES).score(
        fitted.transform(X), CLASSES
    )
    with pytest.raises(ValueError, match="FrozenEstimator"):
        make_pipeline(fitted, LogisticRegression()).fit(X, CLASSES)
    with pytest.raises(ValueError, match="tuples of 2 points are needed") as raised:
        fitted.predict(X)
    assert "FrozenEstimator" not in str(raised.value)
    with pytest.raises(ValueError, match="tuples of 2 points are needed") as raised:
        learner(name).fit(PAIRS[:, :1], SAME)
    assert "FrozenEstimator" not in str(raised.value)


@every_learner
def test_scores_of_searches_in_every_encoding(name):
    found = [cross_val_score(learner(name), PAIRS, labels, cv=CUTS) for labels in (y, SAME, SAME.astype(int))]
    assert_array_equal(found[0], found[1])
    assert_array_equal(found[0], found[2])
