"""What an unknown label is: one meaning, whatever the labels come in, in all that takes partial labels."""

import functools
import warnings

import numpy as np
import pandas as pd
import pytest
from discovery import ESTIMATORS, PARTIAL, quick, tiny_points
from sklearn.decomposition import PCA
from sklearn.linear_model import Ridge

from metricnets import DTML, RAML, RCA, XQDA, Constraints, SourceOnly
from metricnets._labels import partial_codes
from metricnets._targets import readable, resolve

X, CLASSES = tiny_points()
HIDDEN = np.arange(45) % 5 == 0
Y = np.where(HIDDEN, -1, CLASSES)


def masked(values, mask, dtype=object):
    values = np.asarray(values, dtype=dtype).copy()
    values[HIDDEN] = mask
    return values


NAMES = np.array(["ant", "bee", "cow"], dtype=object)[CLASSES]
SPELLINGS = {
    "-1": Y,
    "other negative numbers": np.where(HIDDEN, -np.arange(45) - 2, CLASSES),
    "-1.0": Y.astype(float),
    "NaN": masked(CLASSES, np.nan, float),
    "a list with None": masked(CLASSES, None).tolist(),
    "a list with NaN": masked(CLASSES, np.nan).tolist(),
    "objects with None": masked(CLASSES, None),
    "a column": masked(CLASSES, np.nan, float)[:, None],
    "names with None": masked(NAMES, None),
    "a list of names with NaN": masked(NAMES, np.nan).tolist(),
    "names with -1": masked(NAMES, -1),
    "Series of names": pd.Series(masked(NAMES, None), index=np.arange(45)[::-1]),
    "Series of strings": pd.Series(masked(NAMES, pd.NA), dtype="string"),
    "Series of numbers": pd.Series(masked(CLASSES, None)).astype(float),
    "Int64": pd.Series(masked(CLASSES, pd.NA), dtype="Int64"),
    "Float64": pd.Series(masked(CLASSES, pd.NA), dtype="Float64"),
    "categorical": pd.Series(masked(NAMES, None)).astype("category"),
    "a categorical": pd.Categorical(masked(NAMES, None), categories=["cow", "bee", "ant", "none"]),
    "NaT": masked(CLASSES, pd.NaT),
}

spelt = pytest.mark.parametrize("y", SPELLINGS.values(), ids=SPELLINGS)
pytestmark = pytest.mark.filterwarnings("ignore:.*labels in y are negative", "ignore:A column-vector y")


@spelt
def test_codes_are_those_of_the_classes_and_minus_one(y):
    np.testing.assert_array_equal(partial_codes(y), Y)
    np.testing.assert_array_equal(Constraints(y).partial_labels[~HIDDEN], Y[~HIDDEN])
    np.testing.assert_array_equal(partial_codes(Constraints(y).partial_labels), Y)


@functools.cache
def embedded(name):
    """Embeddings learned from codes, of which −1 is unknown."""
    return quick(name).fit(X, Y).transform(X)


@spelt
@pytest.mark.parametrize("name", PARTIAL)
def test_every_spelling_gives_the_same_metric(name, y):
    np.testing.assert_array_equal(quick(name).fit(X, y).transform(X), embedded(name))


@spelt
def test_the_relation_of_known_classes(y):
    _, codes, classes = resolve(y, "known_class")
    np.testing.assert_array_equal(codes, Y)
    assert len(classes) == 3
    np.testing.assert_array_equal(resolve(readable(y, "known_class"), "known_class")[1], Y)
    expected = RAML(relation="known_class").fit(X, Y).components_
    np.testing.assert_array_equal(RAML(relation="known_class").fit(X, y).components_, expected)


@spelt
def test_a_predictor_of_the_labelled_rows(y):
    predictor = SourceOnly().fit(X, y)
    np.testing.assert_array_equal(partial_codes(predictor.predict(X[~HIDDEN])), Y[~HIDDEN])
    assert predictor.score(X, y) == 1
    assert len(predictor.classes_) == 3


@spelt
def test_labels_of_target_rows(y):
    settings = {"max_epochs": 1, "n_rounds": 0, "n_components": 2, "device": "cpu", "random_state": 0}
    domain = np.where(HIDDEN, -1, 1)
    z, expected = (DTML(**settings).fit(X, labels, sample_domain=domain).transform(X) for labels in (y, Y))
    np.testing.assert_array_equal(z, expected)


def test_negative_numbers_are_classes_where_there_is_but_one_other_and_targets_for_a_regressor():
    assert list(SourceOnly().fit(X, np.where(HIDDEN, -1, 1)).classes_) == [-1, 1]
    y = X @ [1.0, -2.0, 0.5, 1.0]
    labelled = SourceOnly(estimator=Ridge()).fit(X, np.where(HIDDEN, np.nan, y))
    expected = Ridge().fit(X[~HIDDEN], y[~HIDDEN])
    np.testing.assert_allclose(labelled.predict(X), expected.predict(X))
    assert not hasattr(SourceOnly(estimator=PCA()), "predict")


@pytest.mark.parametrize("name", [name for name in PARTIAL if name != "RCA"])
def test_rows_that_negative_labels_leave_out_are_counted(name):
    with pytest.warns(UserWarning, match="9 of 45 labels in y are negative.*left out.*number the classes from 0"):
        quick(name).fit(X, Y)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quick(name).fit(X, masked(CLASSES, None))  # plainly not known


@pytest.mark.parametrize("name", [*PARTIAL, "MultiTaskNet", "TwoDomainNet"])
def test_one_class_and_negative_labels_are_an_error_that_says_how_to_number_classes(name):
    if name == "RCA":
        return  # a chunk may be the only one
    with pytest.raises(ValueError, match="y has one .*class only.*number the classes from 0"):
        quick(name).fit(X, np.where(CLASSES, 1, -1))


@pytest.mark.parametrize("name", PARTIAL)
def test_labels_that_are_none_are_said(name):
    for y, message in [
        ([None] * 45, "no known class|no chunk has two"),
        (["a", 1, "b"] * 15, "labels of one type"),
        (X[:, 0] + 9, "(?i)unknown label type|whole numbers"),
        (X, "1d array"),
        (Y[:40], "inconsistent"),
        (CLASSES * 1j, "Complex data not supported"),
    ]:
        with pytest.raises(ValueError, match=message):
            quick(name).fit(X, y)


def test_every_learner_of_partial_labels_is_here():
    assert all("Supervised" in name or ESTIMATORS[name] in (RCA, XQDA) for name in PARTIAL)
    assert len(PARTIAL) >= 11


MISSING = {"None among names": ["a", "a", "b", "b", None], "None among numbers": [0, 0, 1, 1, None]}
FOR_ALL_LABELS = ["LDA", "LFDA", "LMNN", "NCA", "DDML", "HRAML", "EmbeddingNet", "Mahalanobis", "MLKNN"]


@pytest.mark.parametrize("labels", MISSING.values(), ids=MISSING)
@pytest.mark.parametrize("name", FOR_ALL_LABELS)
def test_missing_labels_are_refused_by_name_where_all_are_needed(name, labels):
    X, y = np.random.default_rng(0).normal(size=(40, 3)), np.array(labels * 8, dtype=object)
    with pytest.raises(ValueError, match=r"y has 8 labels that are None"):
        quick(name).fit(X, y)


COLUMNS = {
    "strings": pd.Series(["a", "b", None] * 4),
    "nullable": pd.Series([0, 1, None] * 4, dtype="Int64"),
    "categorical": pd.Series(["a", "b", None] * 4, dtype="category"),
    "numbers": pd.Series([0, 1, np.nan] * 4),
    "a list": ["a", "b", None] * 4,
}


@pytest.mark.parametrize("y", COLUMNS.values(), ids=COLUMNS)
@pytest.mark.parametrize(("name", "advice"), [("LDA", "leave these"), ("EmbeddingNet", "unlabeled='label_spreading'")])
def test_missing_labels_of_all_types_are_counted_with_advice(name, advice, y):
    with pytest.raises(ValueError, match=f"y has 4 labels that are None.*{advice}"):
        quick(name).fit(np.eye(12), y)
