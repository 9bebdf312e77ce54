"""Parameters as typed fields: constructors, range checks, documentation; and the promise of a failing fit."""

import ast
import difflib
import inspect
import re
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from discovery import ESTIMATORS, METRICS, needs_torch, quick, training_data
from sklearn.base import clone
from sklearn.utils._param_validation import InvalidParameterError

import metricnets
from metricnets._params import Count, Flag, MaybeCount, MaybeObject, Parametrized, Positive, fitting
from metricnets.exceptions import SYNONYMS

ROOT = Path(metricnets.__file__).parents[1]
# Parameters that may be any object, with the reason; every other rejects a bare object().
ANYTHING = {
    "covariance_estimator": "duck-typed, as in scikit-learn",
    "estimator": "duck-typed, as in scikit-learn",
}
every = pytest.mark.parametrize("cls", ESTIMATORS.values(), ids=ESTIMATORS)


# ------------------------------------------------------------------------------------------------
# Every public estimator.


@every
def test_constructor_has_every_parameter_with_a_plain_type(cls):
    parameters = list(inspect.signature(cls).parameters.values())
    assert sorted(p.name for p in parameters) == sorted(field.name for field in fields(cls))
    by_position = [p.name for p in parameters if p.kind is not inspect.Parameter.KEYWORD_ONLY]
    values = [object() for _ in by_position]
    estimator = cls(*values)
    assert [getattr(estimator, name) for name in by_position] == values
    with pytest.raises(TypeError):
        cls(*values, object())
    for parameter in parameters:
        assert parameter.default is not parameter.empty
        assert not hasattr(parameter.annotation, "__metadata__")


@every
def test_parameters_are_those_that_scikit_learn_sees_and_can_be_cloned(cls):
    given = {field.name: field.default for field in fields(cls)}
    assert cls().get_params(deep=False) == given
    changed = {name: object() for name in given}
    estimator = cls(**changed)
    assert vars(estimator) == changed
    assert vars(cls().set_params(**changed)) == changed
    assert clone(cls()).get_params(deep=False) == given


@every
def test_every_parameter_has_a_check(cls):
    cls()._validate_params()
    for field in fields(cls):
        assert cls._parameter_constraints[field.name]
        wrong = object()
        estimator = cls(**{field.name: wrong})
        if field.name in ANYTHING:
            estimator._validate_params()
            continue
        with pytest.raises(InvalidParameterError) as raised:
            estimator._validate_params()
        assert f"'{field.name}'" in str(raised.value)
        assert repr(wrong) in str(raised.value)


@every
def test_every_parameter_is_documented_with_its_default(cls):
    for field in fields(cls):
        entry = re.search(rf"^{field.name} : (.+)\n    \S", cls.__doc__, flags=re.MULTILINE)
        assert entry, f"{field.name} is described neither in {cls.__name__} nor in an ancestor"
        written = re.search(r"default=(.+)$", entry[1])
        assert written, entry[0]
        assert written[1] == repr(field.default) or ast.literal_eval(written[1]) == field.default, entry[0]


OUT_OF_RANGE = {
    "n_components": 0,
    "max_epochs": 1.5,
    "batch_size": -3,
    "lr": 0.0,
    "weight_decay": -1e-3,
    "dropout": 1.0,
    "validation_fraction": 1.0,
    "n_iter_no_change": "3",
    "optimizer": "newton",
    "activation": "step",
    "normalize": 1,
    "random_state": -1,
    "verbose": -1,
    "checkpoint": 3,
    "hidden": 8,
    "margin": "wide",
    "hard_fraction": 0.0,
    "shrinkage": 1.01,
    "relation": "friendship",
    "loss": "regret",
    "sampler": "fair",
    "loss_params": [],
    "tol": -1.0,
}


@pytest.mark.parametrize("name", METRICS)
def test_fit_names_the_parameter_and_the_value_out_of_range(name):
    data = training_data(name)
    for parameter in OUT_OF_RANGE.keys() & ESTIMATORS[name]().get_params().keys():
        value = OUT_OF_RANGE[parameter]
        with pytest.raises(InvalidParameterError, match=rf"'{parameter}' parameter.*Got {re.escape(repr(value))}"):
            quick(name, **{parameter: value}).fit(*data)


@pytest.mark.parametrize("name", METRICS)
def test_a_failing_fit_leaves_the_estimator_as_it_was(name):
    X, y = training_data(name)
    broken = X.copy()
    broken[-1] = np.nan
    estimator = quick(name)
    before = dict(vars(estimator))
    for _ in range(2):  # not yet fitted, then fitted
        for data in [(broken, y), (X[:0], y if y is None else y[:0]), (np.full(X.shape, "a"), y)]:
            with pytest.raises(ValueError):  # noqa: PT011
                estimator.fit(*data)
            assert list(vars(estimator)) == list(before)
            assert all(vars(estimator)[key] is value for key, value in before.items())
        estimator.fit(X, y)
        before = dict(vars(estimator))


# ------------------------------------------------------------------------------------------------
# The machinery, on estimators of our own.


class Base(Parametrized):
    """A base.

    Parameters
    ----------
    margin : float > 0, default=1.0
        From the base.
    n_rows : int or None, default=None
        Said
        in two lines.
    """

    margin: Positive = 1.0
    n_rows: MaybeCount = None

    def fit(self, fails):
        self.before_ = True
        if fails:
            raise KeyboardInterrupt
        self.after_ = True
        return self

    fit = fitting(fit)


class Child(Base):
    """A child.

    Parameters
    ----------
    kind : {'a', 'b'}, default='a'
    margin : float > 0, default=2.0
        From the child.
    """

    kind: Literal["a", "b"] = "a"
    margin: Positive = 2.0
    flag: Flag = False


def test_a_child_inherits_parameters_and_may_change_them():
    assert Child().get_params() == {"margin": 2.0, "n_rows": None, "kind": "a", "flag": False}
    assert Base().get_params() == {"margin": 1.0, "n_rows": None}
    assert inspect.signature(Child).parameters["margin"].annotation is float
    assert repr(Child(kind="b")) == "Child(kind='b')"
    assert Child() != Child()
    assert len({Child(), Child()}) == 2


def test_the_parameters_of_the_class_come_first():
    assert list(inspect.signature(Child).parameters) == ["kind", "margin", "flag", "n_rows"]
    assert re.findall(r"^(\w+) : ", Child.__doc__, re.M) == ["kind", "margin", "n_rows"]


def test_the_documentation_is_that_of_the_nearest_class():
    doc = Child.__doc__
    assert "From the child." in doc
    assert "From the base." not in doc
    assert "Said\n    in two lines." in doc
    assert "From the base." in Base.__doc__


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"margin": 0}, "'margin' parameter of Child .* Got 0 "),
        ({"n_rows": 0}, "'n_rows' parameter of Child .* Got 0 "),
        ({"n_rows": 2.5}, "'n_rows' parameter of Child .* Got 2.5 "),
        ({"kind": "c"}, "'kind' parameter of Child .* Got 'c' "),
        ({"flag": "yes"}, "'flag' parameter of Child .* Got 'yes' "),
    ],
    ids=str,
)
def test_wrong_values_are_named_when_fitting(wrong, message):
    with pytest.raises(InvalidParameterError, match=message):
        Child(**wrong).fit(fails=False)


@pytest.mark.parametrize("wrong", [{"margn": 1}, {"margin": 1.0, "Margin": 2.0}], ids=str)
def test_a_misspelt_parameter_is_named_with_the_nearest_one(wrong):
    name = list(wrong)[-1]
    with pytest.raises(TypeError, match=f"Child has no parameter '{name}'. Did you mean 'margin'?"):
        Child(**wrong)
    with pytest.raises(ValueError, match=rf"Invalid parameter '{name}' .* Did you mean 'margin'\?"):
        Child().set_params(**wrong)
    with pytest.raises(TypeError, match="Child has no parameter 'xyz'.$"):
        Child(xyz=1)


@pytest.mark.parametrize(
    ("name", "foreign", "ours"),
    [
        ("LMNN", "k", "n_neighbors"),
        ("LMNN", "epochs", "max_iter"),
        ("NCA", "n_epochs", "max_iter"),
        ("ITML_Supervised", "num_constraints", "n_constraints"),
        ("SCML_Supervised", "k", "k_genuine"),
        ("MLKNN", "k", "n_neighbors"),
        *[
            pytest.param("DDML", foreign, ours, marks=needs_torch)
            for foreign, ours in {
                "learning_rate": "lr",
                "n_epochs": "max_epochs",
                "max_iter": "max_epochs",
                "embedding_dim": "n_components",
                "hidden_layer_sizes": "hidden",
                "batchsize": "batch_size",
                "Patience": "n_iter_no_change",
            }.items()
        ],
    ],
)
def test_words_of_other_libraries_are_answered_by_ours(name, foreign, ours):
    cls = ESTIMATORS[name]
    with pytest.raises(TypeError, match=rf"{name} has no parameter '{foreign}'\. Did you mean '{ours}'\?$"):
        cls(**{foreign: 1})
    with pytest.raises(ValueError, match=rf"Invalid parameter '{foreign}' .* Did you mean '{ours}'\?$"):
        cls().set_params(**{foreign: 1})


@every
def test_words_of_other_libraries_are_answered_by_parameters_of_the_class_alone(cls):
    known = {field.name for field in fields(cls)}
    for foreign in SYNONYMS.keys() - known:
        with pytest.raises(TypeError) as raised:
            cls(**{foreign: 1})
        answer = re.search(r"Did you mean '(.*)'\?$", str(raised.value))
        same = [ours for ours in SYNONYMS[foreign] if ours in known]
        assert answer[1] == same[0] if same else answer is None or answer[1] in known


@needs_torch
def test_every_word_of_another_library_has_an_answer():
    known = {field.name for cls in ESTIMATORS.values() for field in fields(cls)}
    assert {ours for answers in SYNONYMS.values() for ours in answers} <= known


def test_a_misspelt_option_is_named_with_the_nearest_one():
    with pytest.raises(InvalidParameterError, match=r"Got 'Covarience' instead. Did you mean 'covariance'\?"):
        metricnets.ITML(prior="Covarience").fit(*training_data("ITML"))
    with pytest.raises(InvalidParameterError, match="Got 'wide' instead.$"):
        Child(margin="wide").fit(fails=False)


@needs_torch
@pytest.mark.parametrize(
    ("wrong", "first"),
    [
        ({"loss": "tripplet"}, ["triplet", "triplet_ratio"]),
        ({"loss": "xyz"}, []),
        ({"miner": "semihard"}, ["semi_hard", "hard"]),
        ({"relation": "jacard"}, ["jaccard"]),
    ],
)
def test_the_options_of_an_error_are_sorted_and_the_nearest_come_first(wrong, first):
    with pytest.raises(ValueError, match="must be a str among") as raised:
        quick("EmbeddingNet", **wrong).fit(*training_data("EmbeddingNet"))
    options = re.findall("'([^']*)'", str(raised.value).partition("{")[2].partition("}")[0])
    assert options[: len(first)] == first
    others = [option for option in options if option not in difflib.get_close_matches(*wrong.values(), options)]
    assert others == sorted(others) == options[-len(others) :]


def test_a_default_is_that_of_the_nearest_class_that_declares_it():
    class Shell(Parametrized):
        """A shell."""

        number: Count = 1

    class Near(Shell):
        """It has a default of its own."""

        number: Count = 2

    class Far(Shell):
        """It has that of the shell."""

        other: Count = 3

    class Both(Far, Near):
        """In this order a dataclass would take that of the shell."""

    assert Both().number == Both.number == 2
    assert inspect.signature(Both).parameters["number"].default == 2


def test_a_type_without_a_check_is_an_error():
    with pytest.raises(TypeError, match="does not say which values are valid"):

        class Unchecked(Parametrized):
            number: int | None = None


def test_without_docstrings_all_works():
    code = "import metricnets; print(metricnets.ITML(gamma=2.0).get_params()['gamma'], metricnets.LDA.__doc__[:4])"
    run = subprocess.run([sys.executable, "-OO", "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert run.stdout.split() == ["2.0", "LDA("]


def test_a_fit_that_fails_changes_nothing():
    estimator = Child()
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(fails=True)
    assert vars(estimator) == Child().get_params()
    estimator.fit(fails=False)
    with pytest.raises(KeyboardInterrupt):
        estimator.fit(fails=True)
    assert estimator.before_
    assert estimator.after_


def test_an_option_may_be_a_name_or_something_else():
    class Choice(Parametrized):
        """A choice."""

        several: Literal["few"] | Count = 3
        anything: Literal["few"] | MaybeObject = None

    for value in ("few", 1, 7):
        Choice(several=value)._validate_params()
    for value in ("many", 0, 1.5, None):
        with pytest.raises(InvalidParameterError, match="several"):
            Choice(several=value)._validate_params()
    Choice(anything=object())._validate_params()
