"""Laws of the classes of metric_learn: estimators to scikit-learn, and ours with another constructor."""

import inspect
import pickle
import re

import pytest
from discovery import ESTIMATORS, EXPECTED_FAILURES, PAIR_LEARNERS, QUICK, TUPLE_LEARNERS, exact, training_data
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

import metricnets
from metricnets import metric_learn

NAMES = [name for name in metric_learn.__all__ if hasattr(getattr(metric_learn, name), "fit")]
every = pytest.mark.parametrize("name", NAMES)


def quick(cls, **params):
    """Make an estimator of this class, quick and seeded."""
    known = cls._get_param_names()
    return cls(**{key: value for key, value in QUICK.items() if key in known} | params)


def parameters(cls):
    return {name: p.default for name, p in inspect.signature(cls).parameters.items()}


def without_effect(name):
    """The parameters that ours does not have, with their defaults."""
    ours = parameters(ESTIMATORS[name])
    return {key: value for key, value in parameters(getattr(metric_learn, name)).items() if key not in ours}


@pytest.mark.filterwarnings("ignore:k_(genuine|impostor)=.* is too many")  # the data of the checks are few
@pytest.mark.filterwarnings("ignore:the .* has .*(degrees of freedom|rank)")
@pytest.mark.filterwarnings("ignore:only .* pairs drawn")
@pytest.mark.filterwarnings("ignore:.* dissimilar pairs are of identical points")  # sparse rows of zeros
@pytest.mark.filterwarnings("ignore:beta=.* makes all weights 0")  # sparse rows without structure
@parametrize_with_checks(
    [quick(getattr(metric_learn, name)) for name in NAMES if name not in TUPLE_LEARNERS],
    expected_failed_checks=lambda estimator: EXPECTED_FAILURES.get(type(estimator).__name__, {}),
)
def test_scikit_learn_checks(estimator, check):
    check(exact(estimator, check))


@every
def test_a_class_is_a_subclass_of_ours_with_its_parameters_and_defaults(name):
    cls = getattr(metric_learn, name)
    assert isinstance(cls(), getattr(metricnets, name))
    assert cls.__module__.startswith("metricnets.metric_learn.")
    assert parameters(ESTIMATORS[name]).items() <= parameters(cls).items()


def test_only_these_parameters_have_no_effect():
    assert {name: " ".join(without_effect(name)) for name in NAMES if without_effect(name)} == {
        "LMNN": "min_iter learn_rate",
        **dict.fromkeys(["MMC", "MMC_Supervised"], "max_proj"),
        **dict.fromkeys(["SCML", "SCML_Supervised"], "output_iter batch_size"),
    }


@every
def test_it_learns_what_ours_learns_to_the_bit(name):
    expected = quick(ESTIMATORS[name]).fit(*training_data(name)).components_
    others = {key: value * 3 for key, value in without_effect(name).items()}
    learner = quick(getattr(metric_learn, name), **others).fit(*training_data(name))
    assert_array_equal(learner.components_, expected)
    assert_array_equal(pickle.loads(pickle.dumps(learner)).components_, expected)
    assert_array_equal(clone(learner).fit(*training_data(name)).components_, expected)


@every
def test_parameters_without_effect_are_checked_all_the_same(name):
    for key in without_effect(name):
        with pytest.raises(ValueError, match=f"'{key}' parameter of {name}"):
            quick(getattr(metric_learn, name), **{key: -1}).fit(*training_data(name))


@every
def test_what_metric_learn_alone_has_is_not_in_ours(name):
    ours = quick(ESTIMATORS[name]).fit(*training_data(name))
    for attribute in ("score_pairs", "_validate_calibration_params", "preprocessor_", "labels_", "A_"):
        assert not hasattr(ours, attribute)
    assert hasattr(getattr(metric_learn, name), "_validate_calibration_params") == (name in PAIR_LEARNERS)


@every
def test_repr_and_help_show_the_constructor(name):
    cls = getattr(metric_learn, name)
    first, default = next(iter(parameters(cls).items()))
    assert repr(cls(default)) == f"{name}()"
    assert repr(cls("other")) == f"{name}({first}='other')"
    documentation = f"{cls.__doc__}\n{cls.__init__.__doc__}"
    assert [key for key in parameters(cls) if not re.search(rf"^ *{key} : ", documentation, re.M)] == []


@every
def test_a_subclass_has_the_arguments_by_position_too(name):
    cls = getattr(metric_learn, name)
    child = type("Child", (cls,), {"__doc__": "A subclass."})
    assert parameters(child) == parameters(cls)
    assert child("other").get_params() == cls("other").get_params()
    with pytest.raises(TypeError, match=r"takes \d+ arguments by position"):
        child(*parameters(cls), None)


def test_a_subclass_may_have_its_own_constructor():
    class Steep(metric_learn.LMNN):
        """A subclass."""

        def __init__(self, n_neighbors=5):
            super().__init__("pca", n_neighbors)

    learner = Steep()
    assert (learner.init, learner.n_neighbors) == ("pca", 5)


def test_ours_take_keywords_only_but_for_what_wraps_an_estimator():
    by_position = {
        name: [p.name for p in inspect.signature(cls).parameters.values() if p.kind is not p.KEYWORD_ONLY]
        for name, cls in ESTIMATORS.items()
    }
    found = {name: names for name, names in by_position.items() if names}
    assert found == {"PairsClassifier": ["metric"], "SourceOnly": ["estimator"]}


def test_there_is_nothing_that_metric_learn_does_not_have():
    assert metric_learn.__version__ == "0.7.0"
    with pytest.raises(AttributeError, match="no attribute 'LDA'"):
        metric_learn.LDA  # noqa: B018
