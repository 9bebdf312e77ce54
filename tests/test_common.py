"""scikit-learn's own estimator checks, with metadata routing off and on; our list for tuple learners."""

import inspect
import pickle

import numpy as np
import pytest
import sklearn
from discovery import ESTIMATORS, PAIR_LEARNERS, quick, tiny_pairs
from numpy.testing import assert_array_equal
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import check_is_fitted

POINTS = [quick(name) for name in ESTIMATORS if name not in PAIR_LEARNERS]
EXPECTED_FAILURES = {}  # estimator name -> {check name: reason}: there is none


@pytest.mark.parametrize("routing", [False, True], ids=["routing off", "routing on"])
@parametrize_with_checks(
    POINTS, expected_failed_checks=lambda estimator: EXPECTED_FAILURES.get(type(estimator).__name__, {})
)
def test_scikit_learn_checks(estimator, check, routing):
    with sklearn.config_context(enable_metadata_routing=routing):
        check(estimator)


# --- learners from tuples: what scikit-learn checks of others, on tuples


def check_constructor_sets_nothing_else(learner, pairs, y):
    assert set(vars(learner)) == set(inspect.signature(type(learner)).parameters)


def check_clone_and_repr(learner, pairs, y):
    assert repr(clone(learner)) == repr(learner)
    assert "<div" in learner._repr_html_()


def check_fit_returns_self_and_keeps_parameters(learner, pairs, y):
    before = learner.get_params()
    assert learner.fit(pairs, y) is learner
    assert learner.get_params() == before


def check_fit_adds_only_learned_attributes(learner, pairs, y):
    learner.fit(pairs, y)
    added = set(vars(learner)) - set(learner.get_params())
    assert all(name.startswith("_") or name.endswith("_") for name in added)


def check_unfitted(learner, pairs, y):
    for call in (
        lambda: learner.predict(pairs),
        lambda: learner.decision_function(pairs),
        lambda: learner.score(pairs, y),
        lambda: learner.pair_distance(pairs),
        lambda: learner.pair_score(pairs),
        lambda: learner.transform(pairs[:, 0]),
        lambda: learner.get_metric(),
        lambda: learner.set_threshold(1.0),
        lambda: learner.calibrate_threshold(pairs, y),
        lambda: check_is_fitted(learner),
    ):
        with pytest.raises(NotFittedError):
            call()


def check_input_is_not_changed(learner, pairs, y):
    pairs_before, y_before = pairs.copy(), y.copy()
    pairs.setflags(write=False)
    y.setflags(write=False)
    learner.fit(pairs, y).predict(pairs)
    assert_array_equal(pairs, pairs_before)
    assert_array_equal(y, y_before)


def check_idempotent_and_refit(learner, pairs, y):
    first = learner.fit(pairs, y).decision_function(pairs)
    assert_array_equal(learner.fit(pairs, y).decision_function(pairs), first)
    other = clone(learner).fit(pairs[::-1], y[::-1])
    other.fit(pairs, y)
    assert_array_equal(other.decision_function(pairs), first)


def check_methods_agree(learner, pairs, y):
    learner.fit(pairs, y)
    assert_array_equal(learner.pair_score(pairs), -learner.pair_distance(pairs))
    assert_array_equal(learner.decision_function(pairs), learner.pair_score(pairs))
    assert set(learner.predict(pairs)) <= {-1, 1}
    halves = [learner.decision_function(half) for half in np.array_split(pairs, 2)]
    np.testing.assert_allclose(np.concatenate(halves), learner.decision_function(pairs), atol=1e-7)
    order = np.random.default_rng(0).permutation(len(pairs))
    np.testing.assert_allclose(
        learner.decision_function(pairs[order]), learner.decision_function(pairs)[order], atol=1e-7
    )


def check_lists_are_accepted(learner, pairs, y):
    expected = learner.fit(pairs, y).decision_function(pairs)
    assert_array_equal(learner.fit(pairs.tolist(), y.tolist()).decision_function(pairs.tolist()), expected)


def check_float32_and_integers(learner, pairs, y):
    for dtype in (np.float32, np.int64):
        assert np.isfinite(learner.fit(pairs.astype(dtype), y).decision_function(pairs.astype(dtype))).all()
    assert learner.fit(pairs.astype(np.float32), y).pair_distance(pairs.astype(np.float32)).dtype == np.float32


def check_pickle(learner, pairs, y):
    learner.fit(pairs, y)
    assert_array_equal(pickle.loads(pickle.dumps(learner)).decision_function(pairs), learner.decision_function(pairs))


def check_bad_values(learner, pairs, y):
    for bad in (np.nan, np.inf):
        spoilt = pairs.copy()
        spoilt[1, 0, 0] = bad
        with pytest.raises(ValueError, match="NaN|infinity"):
            learner.fit(spoilt, y)
    learner.fit(pairs, y)
    with pytest.raises(ValueError, match="NaN|infinity"):
        learner.predict(spoilt)
    with pytest.raises(ValueError, match="[Cc]omplex"):
        learner.fit(pairs * 1j, y)


def check_wrong_shapes(learner, pairs, y):
    for wrong in (pairs[:, 0], pairs[:, :1], pairs[:, [0, 1, 1]], pairs[0, 0], pairs[:0]):
        with pytest.raises(ValueError, match="shape|minimum|labels|0 sample"):
            learner.fit(wrong, y[: len(wrong)])
    learner.fit(pairs, y)
    for wrong in (pairs[:, :, :2], pairs[:, :1]):
        with pytest.raises(ValueError, match="shape|features"):
            learner.predict(wrong)
    with pytest.raises(ValueError, match="features"):
        learner.transform(pairs[:, 0, :2])


def check_wrong_labels(learner, pairs, y):
    for wrong in (y * 2, (y > 0).astype(int), np.ones_like(y), y.astype(str), y[:-1]):
        with pytest.raises(ValueError, match=r"\by\b"):
            learner.fit(pairs, wrong)
    with pytest.raises((ValueError, TypeError)):
        learner.fit(pairs, None)


def check_tags(learner, pairs, y):
    assert is_classifier(learner)
    assert get_tags(learner).target_tags.required
    assert learner.fit(pairs, y).n_features_in_ == pairs.shape[2]
    assert_array_equal(learner.classes_, [-1, 1])


def check_pipeline(learner, pairs, y):
    expected = learner.fit(pairs, y).score(pairs, y)
    assert make_pipeline(clone(learner)).fit(pairs, y).score(pairs, y) == expected


TUPLE_CHECKS = [
    check for name, check in sorted(globals().items()) if name.startswith("check_") and name != "check_is_fitted"
]


@pytest.mark.parametrize("routing", [False, True], ids=["routing off", "routing on"])
@pytest.mark.parametrize("check", TUPLE_CHECKS)
@pytest.mark.parametrize("name", PAIR_LEARNERS)
def test_tuple_learner_checks(name, check, routing):
    pairs, y = tiny_pairs()
    with sklearn.config_context(enable_metadata_routing=routing):
        check(quick(name), pairs, y)
