"""scikit-learn's own estimator checks, with metadata routing off and on; our list for tuple learners."""

import copy
import inspect
import pickle

import numpy as np
import pytest
import sklearn
from discovery import ESTIMATORS, EXPECTED_FAILURES, MATCHED, TUPLE_LEARNERS, exact, quick, training_data
from numpy.testing import assert_array_equal
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import check_is_fitted


class SelfQueryAdapter(ESTIMATORS["QueryAdapter"]):
    """Queries that are their own documents: scikit-learn's checks have one table, and classes."""

    def fit(self, X, y=None):
        return super().fit(X, X)


OTHERS = {*TUPLE_LEARNERS, *MATCHED, "PairsClassifier"}
POINTS = [*(quick(name) for name in ESTIMATORS if name not in OTHERS), SelfQueryAdapter()]


@pytest.mark.filterwarnings("ignore:k_(genuine|impostor)=.* is too many")  # the data of the checks are few
@pytest.mark.filterwarnings("ignore:the .* has .*(degrees of freedom|rank)")
@pytest.mark.filterwarnings("ignore:only .* pairs drawn")
@pytest.mark.filterwarnings("ignore:.* dissimilar pairs are of identical points")  # sparse rows of zeros
@pytest.mark.filterwarnings("ignore:beta=.* makes all weights 0")  # sparse rows without structure
@pytest.mark.filterwarnings("ignore:(dis|less )similar (pairs|samples) are not farther apart")
@pytest.mark.parametrize("routing", [False, True], ids=["routing off", "routing on"])
@parametrize_with_checks(
    POINTS, expected_failed_checks=lambda estimator: EXPECTED_FAILURES.get(type(estimator).__name__, {})
)
def test_scikit_learn_checks(estimator, check, routing):
    with sklearn.config_context(enable_metadata_routing=routing):
        check(exact(estimator, check))


# --- learners from tuples: what scikit-learn checks of others, on tuples


def check_constructor_sets_nothing_else(learner, tuples, y):
    assert set(vars(learner)) == set(inspect.signature(type(learner)).parameters)


def check_clone_and_repr(learner, tuples, y):
    assert repr(clone(learner)) == repr(learner)
    assert "<div" in learner._repr_html_()


def check_fit_returns_self_and_keeps_parameters(learner, tuples, y):
    before = learner.get_params()
    assert learner.fit(tuples, y) is learner
    assert learner.get_params() == before


def check_fit_adds_only_learned_attributes(learner, tuples, y):
    learner.fit(tuples, y)
    added = set(vars(learner)) - set(learner.get_params())
    assert all(name.startswith("_") or name.endswith("_") for name in added)


def check_unfitted(learner, tuples, y):
    for call in (
        lambda: learner.predict(tuples),
        lambda: learner.decision_function(tuples),
        lambda: learner.score(tuples, y),
        lambda: learner.pair_distance(tuples[:, :2]),
        lambda: learner.pair_score(tuples[:, :2]),
        lambda: learner.transform(tuples[:, 0]),
        lambda: learner.get_metric(),
        lambda: check_is_fitted(learner),
    ):
        with pytest.raises(NotFittedError):
            call()


def check_input_is_not_changed(learner, tuples, y):
    tuples_before, y_before = tuples.copy(), copy.copy(y)
    tuples.setflags(write=False)
    if y is not None:
        y.setflags(write=False)
    learner.fit(tuples, y).predict(tuples)
    assert_array_equal(tuples, tuples_before)
    assert_array_equal(y, y_before)


def check_idempotent_and_refit(learner, tuples, y):
    first = learner.fit(tuples, y).decision_function(tuples)
    assert_array_equal(learner.fit(tuples, y).decision_function(tuples), first)
    other = clone(learner).fit(tuples[::-1] * 2, None if y is None else y[::-1])
    other.fit(tuples, y)
    assert_array_equal(other.decision_function(tuples), first)


def check_methods_agree(learner, tuples, y):
    learner.fit(tuples, y)
    assert_array_equal(learner.pair_score(tuples[:, :2]), -learner.pair_distance(tuples[:, :2]))
    if tuples.shape[1] == 2:
        assert_array_equal(learner.decision_function(tuples), learner.pair_score(tuples))
    assert set(learner.predict(tuples)) <= {-1, 1}
    halves = [learner.decision_function(half) for half in np.array_split(tuples, 2)]
    np.testing.assert_allclose(np.concatenate(halves), learner.decision_function(tuples), atol=1e-7)
    order = np.random.default_rng(0).permutation(len(tuples))
    np.testing.assert_allclose(
        learner.decision_function(tuples[order]), learner.decision_function(tuples)[order], atol=1e-7
    )


def check_lists_are_accepted(learner, tuples, y):
    expected = learner.fit(tuples, y).decision_function(tuples)
    assert_array_equal(
        learner.fit(tuples.tolist(), None if y is None else y.tolist()).decision_function(tuples.tolist()), expected
    )


def check_float32_and_integers(learner, tuples, y):
    for dtype in (np.float32, np.int64):
        assert np.isfinite(learner.fit(tuples.astype(dtype), y).decision_function(tuples.astype(dtype))).all()
    assert learner.fit(tuples.astype(np.float32), y).decision_function(tuples.astype(np.float32)).dtype == np.float32


def check_pickle(learner, tuples, y):
    learner.fit(tuples, y)
    assert_array_equal(pickle.loads(pickle.dumps(learner)).decision_function(tuples), learner.decision_function(tuples))


def check_bad_values(learner, tuples, y):
    for bad in (np.nan, np.inf):
        spoilt = tuples.copy()
        spoilt[1, 0, 0] = bad
        with pytest.raises(ValueError, match="NaN|infinity"):
            learner.fit(spoilt, y)
    learner.fit(tuples, y)
    with pytest.raises(ValueError, match="NaN|infinity"):
        learner.predict(spoilt)
    with pytest.raises(ValueError, match="[Cc]omplex"):
        learner.fit(tuples * 1j, y)


def check_wrong_shapes(learner, tuples, y):
    for wrong in (tuples[:, 0], tuples[:, :1], tuples[:, [0, 1, 1, 1, 1]], tuples[0, 0], tuples[:0]):
        with pytest.raises(ValueError, match="shape|minimum|labels|0 sample"):
            learner.fit(wrong, None if y is None else y[: len(wrong)])
    learner.fit(tuples, y)
    for wrong in (tuples[:, :, :2], tuples[:, :1]):
        with pytest.raises(ValueError, match="shape|features"):
            learner.predict(wrong)
    with pytest.raises(ValueError, match="features"):
        learner.transform(tuples[:, 0, :2])


def check_wrong_labels(learner, tuples, y):
    if y is None:
        return
    for wrong in (y * 2, y + 1, np.ones_like(y), y.astype(str), y[:-1]):
        with pytest.raises(ValueError, match=r"\by\b"):
            learner.fit(tuples, wrong)
    with pytest.raises((ValueError, TypeError)):
        learner.fit(tuples, None)


def check_tags(learner, tuples, y):
    assert is_classifier(learner)
    assert get_tags(learner).target_tags.required == (y is not None)
    assert learner.fit(tuples, y).n_features_in_ == tuples.shape[2]
    assert_array_equal(learner.classes_, [-1, 1])


def check_pipeline(learner, tuples, y):
    expected = learner.fit(tuples, y).score(tuples, y)
    assert make_pipeline(clone(learner)).fit(tuples, y).score(tuples, y) == expected


TUPLE_CHECKS = [
    check for name, check in sorted(globals().items()) if name.startswith("check_") and name != "check_is_fitted"
]


@pytest.mark.parametrize("routing", [False, True], ids=["routing off", "routing on"])
@pytest.mark.parametrize("check", TUPLE_CHECKS)
@pytest.mark.parametrize("name", TUPLE_LEARNERS)
def test_tuple_learner_checks(name, check, routing):
    with sklearn.config_context(enable_metadata_routing=routing):
        check(quick(name), *training_data(name))
