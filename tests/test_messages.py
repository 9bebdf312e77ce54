"""Laws of errors and warnings: they name what to use instead, once, and nothing that does not help."""

import warnings

import numpy as np
import pytest
from discovery import (
    ESTIMATORS,
    POINT_LEARNERS,
    REGRESSION,
    TUPLE_LEARNERS,
    TWO_VIEWS,
    quick,
    tiny_points,
    training_data,
)

X, y = tiny_points()
# RCA learns from chunks, of which one is enough
LEARNING_FROM_CLASSES = [
    name for name in POINT_LEARNERS if name not in ("Covariance", "DeepHashing", "RCA", *TWO_VIEWS)
]


def error_of(function, *args):
    with pytest.raises(ValueError, match="tuples of|no preprocessor") as raised:
        function(*args)
    return str(raised.value)


# ------------------------------------------------------------------------------------------------
# Points where tuples are needed.


@pytest.mark.parametrize("name", TUPLE_LEARNERS)
def test_points_and_classes_are_answered_by_the_learner_that_takes_them(name):
    for_classes = ESTIMATORS[name]._from_labels
    assert for_classes in POINT_LEARNERS
    assert name in ESTIMATORS[for_classes].__doc__
    assert f"{name}_Supervised" not in ESTIMATORS or for_classes == f"{name}_Supervised"
    quick(for_classes).fit(X, y)
    for points in (X, X[:, :2], X[:, 0], X[:, :3].tolist()):
        message = error_of(quick(name).fit, points, y)
        assert message.endswith(f" {for_classes} learns from points and their classes.")
        assert "  " not in message
        assert "FrozenEstimator" not in message


@pytest.mark.parametrize("name", TUPLE_LEARNERS)
def test_frozen_estimators_are_for_learners_that_are_fitted(name):
    tuples, labels = training_data(name)
    fitted = quick(name).fit(tuples, labels)
    assert "FrozenEstimator" in error_of(fitted.fit, X, y)
    for wrong in (tuples[:, :1], np.repeat(tuples, 2, axis=1)):
        message = error_of(fitted.fit, wrong, labels)
        assert "FrozenEstimator" not in message
        assert "points and their classes" not in message
    for method in (fitted.predict, fitted.decision_function):
        assert "FrozenEstimator" not in error_of(method, X)


@pytest.mark.parametrize("name", TUPLE_LEARNERS)
def test_learners_from_tuples_have_no_fit_transform_and_say_what_has(name):
    assert not hasattr(quick(name), "fit_transform")
    other = ESTIMATORS[name]._from_labels
    message = f"{name} learns from tuples.* then transform with points. {other} has fit_transform, for points and their"
    with pytest.raises(AttributeError, match=message):
        quick(name).fit_transform(X)


@pytest.mark.parametrize("name", LEARNING_FROM_CLASSES)
def test_a_missing_y_is_named(name):
    for method in ("fit_transform", "fit"):
        with pytest.raises((TypeError, ValueError), match=f"{name}.*(requires y|argument: 'y')"):
            getattr(quick(name), method)(X)


@pytest.mark.parametrize("name", TUPLE_LEARNERS)
def test_no_tuples_are_not_taken_for_a_wrong_preprocessor(name):
    tuples, labels = training_data(name)
    empty = np.empty((0, np.shape(tuples)[1]), int)
    with pytest.raises(ValueError, match="there are no tuples"):
        quick(name, preprocessor=X).fit(empty, labels[:0] if labels is not None else None)


# ------------------------------------------------------------------------------------------------
# Classes that say nothing, and small classes.


def told(learner, *args):
    """What a fit warns of, or the error that it raises."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            learner.fit(*args)
        except ValueError as error:
            return [str(error)]
    assert {warning.filename for warning in caught if "unique classes" not in str(warning.message)} <= {__file__}
    return [str(warning.message) for warning in caught]


@pytest.mark.parametrize("name", LEARNING_FROM_CLASSES)
def test_a_single_class_is_told(name):
    constant = np.full(45, 1.0 if name in REGRESSION else 1)
    messages = told(quick(name), X, constant)
    assert len(messages) == 1
    assert any(word in messages[0] for word in ("one class only", "same", "dissimilar pair", "triplets", "relation 1"))


@pytest.mark.parametrize("name", LEARNING_FROM_CLASSES)
def test_many_small_classes_are_told_at_most_once_for_each_parameter(name):
    rng = np.random.default_rng(0)
    few, small = rng.normal(size=(24, 4)), np.repeat(np.arange(12), 2)
    messages = [message.partition(" ")[0] for message in told(quick(name), few, small)]
    assert len(messages) == len(set(messages)) <= 2


@pytest.mark.parametrize("labels", [np.array(["a", "b", "c"])[y], np.array(list("abc"), dtype=object)[y]])
def test_label_distributions_are_not_learned_from_names_of_classes(labels):
    with pytest.raises(ValueError, match="MLKNN or scikit-learn's KNeighborsClassifier.*LabelBinarizer"):
        quick("AAKNN").fit(X, labels)
    assert set(quick("MLKNN").fit(X, labels).predict(X)) <= set(labels.tolist())
    quick("AAKNN").fit(X, np.eye(3)[y])
