"""Targets: every kind of y finds its relation and its encoding; what does not fit is named."""

import numpy as np
import pytest

from metricnets import relations
from metricnets._targets import resolve

SETS = np.array([[1, 0, 1], [0, 0, 0], [1, 1, 1], [0, 1, 0]])
DISTRIBUTIONS = np.array([[0.2, 0.8], [0.5, 0.5], [1.0, 0.0]])

AUTO = {
    "ints": ([3, 7, 3], "same_class", [0, 1, 0], [3, 7]),
    "negative ints": ([-1, 1, -1], "same_class", [0, 1, 0], [-1, 1]),
    "whole floats": ([1.0, 2.0, 4.0], "same_class", [0, 1, 2], [1.0, 2.0, 4.0]),
    "strings": (["b", "a", "b"], "same_class", [1, 0, 1], ["a", "b"]),
    "bools": ([True, False, True], "same_class", [1, 0, 1], [False, True]),
    "a column": ([[3], [7], [3]], "same_class", [0, 1, 0], [3, 7]),
    "label sets": (SETS, "jaccard", SETS, None),
    "distributions": (DISTRIBUTIONS, "overlap", DISTRIBUTIONS, None),
    "reals": ([0.5, 1.5, 2.5], "absolute", [0.0, 0.5, 1.0], None),
    "rows of reals": ([[0.5, -1.5], [1.5, 2.5]], "absolute", [[0, 0], [1, 1]], None),
}


@pytest.mark.parametrize(("y", "relation", "targets", "classes"), AUTO.values(), ids=AUTO)
def test_auto_finds_the_relation_and_the_encoding(y, relation, targets, classes):
    found, encoded, names = resolve(np.array(y))
    assert found is getattr(relations, relation)
    np.testing.assert_allclose(encoded, targets, rtol=1e-6)
    assert encoded.dtype == (np.float32 if classes is None else np.int64)
    assert names is None if classes is None else list(names) == classes


@pytest.mark.parametrize("name", sorted(set(relations.__all__) - {"absolute", "known_class", "same_class"}))
@pytest.mark.parametrize("y", [["a", "b", "a"], ["c", "a", "b"]], ids=["two classes", "three"])
def test_relations_of_rows_take_classes_as_one_hot_rows(name, y):
    relation, rows, classes = resolve(np.array(y), name)
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(classes, np.unique(y))
    np.testing.assert_array_equal(rows, np.array(y)[:, None] == classes)
    r = relation(rows, rows)
    same = np.equal.outer(y, y)
    assert (r[same] > 0.99).all()
    assert (r[~same] < 0.5).all()


def test_known_class_leaves_negative_codes_unknown():
    relation, codes, classes = resolve(np.array([5, -1, 2, 5, -3]), "known_class")
    np.testing.assert_array_equal(codes, [1, -1, 0, 1, -1])
    np.testing.assert_array_equal(classes, [2, 5])
    assert relation is relations.known_class


def test_a_function_gets_numbers_as_they_are_and_names_as_codes():
    for y, expected, dtype in [
        ([4, 9], [4, 9], np.int64),
        ([0.5, 1.0], [0.5, 1.0], np.float64),
        (["x", "w"], [1, 0], np.int64),
    ]:
        relation, targets, _ = resolve(np.array(y), np.subtract)
        assert relation is np.subtract
        np.testing.assert_array_equal(targets, expected)
        assert targets.dtype == dtype


@pytest.mark.parametrize(("y", "span"), [(SETS, 3), (DISTRIBUTIONS, 2), ([0, 1, 2, 1], 2), ([[0.5, 0, 1, 0]], 4)])
def test_l1_is_scaled_by_the_greatest_distance_of_such_rows(y, span):
    relation, rows, _ = resolve(np.array(y), "l1")
    np.testing.assert_allclose(relation(rows, rows), relations.l1(rows, rows, span=span))


@pytest.mark.parametrize("scale", [1.0, 37.5])
def test_absolute_does_not_depend_on_the_unit_or_the_origin(scale):
    y = np.random.default_rng(0).normal(size=6)
    relation, targets, _ = resolve(scale * y + 3, "absolute")
    expected = 1 - np.abs(y[:, None] - y) / np.ptp(y)
    np.testing.assert_allclose(relation(targets, targets), expected, rtol=0, atol=1e-6)


ERRORS = {
    "sets of reals": ([[0.5, 1.0]], "hamming", "'hamming' needs label sets"),
    "sets of counts": ([[2, 1]], "jaccard", "'jaccard' needs label sets"),
    "rows not of sum 1": ([[0.5, 0.1]], "overlap", "'overlap' needs distributions"),
    "sets as distributions": (SETS, "hellinger", "'hellinger' needs distributions"),
    "negative mass": ([[-0.5, 1.5]], "symmetric_kl", "'symmetric_kl' needs y without negative"),
    "negative rows": ([[-0.5, 1.5]], "cosine", "'cosine' needs y without negative"),
    "names": ([["a", "b"]], "cosine", "'cosine' needs numbers"),
    "names as reals": (["a", "b"], "absolute", "'absolute' needs numbers"),
    "rows as classes": (SETS, "same_class", "1d array"),
    "reals as classes": ([0.5, 1.5], "known_class", "(?i)label type"),
    "no known class": ([-1, -2], "known_class", "y has no known class"),
    "reals as one-hot": ([0.5, 1.5], "cosine", "(?i)label type"),
    "several classes a row": ([[1, 2], [3, 4]], "auto", "relation='auto'"),
}


@pytest.mark.parametrize(("y", "relation", "message"), ERRORS.values(), ids=ERRORS)
def test_what_does_not_fit_is_said(y, relation, message):
    with pytest.raises(ValueError, match=message):
        resolve(np.array(y), relation)
