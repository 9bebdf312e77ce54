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


@pytest.mark.parametrize("name", ["cosine", "hellinger", "l1", "overlap", "symmetric_kl"])
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
    "classes as sets": (
        [3, 7, 3],
        "jaccard",
        r"'jaccard' compares label sets.*shape \(3,\); set relation='same_class'",
    ),
    "names as sets": (["a", "b"], "hamming", "'hamming' compares label sets"),
    "a column as sets": ([[1], [0]], "shared_label", "'shared_label' compares label sets"),
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


def test_unknown_relations_are_named_with_those_that_are_known():
    with pytest.raises(ValueError, match="relation='jacard' is unknown.*'hamming'.*Did you mean 'jaccard'"):
        resolve(SETS, "jacard")


# ------------------------------------------------------------------------------------------------
# Real targets: their origin does not matter; whole numbers may be quantities.


def near(y_a, y_b):
    return 1 - abs(y_a[:, None] - y_b[None, :]) / 8


@pytest.mark.parametrize("relation", ["absolute", near], ids=["absolute", "a function"])
@pytest.mark.parametrize("shift", [2.0**20, -(2.0**30)])
@pytest.mark.parametrize("columns", [(), (3,)], ids=["numbers", "rows"])
def test_the_origin_of_real_targets_does_not_matter(relation, shift, columns):
    if columns and relation is near:
        columns, shift = (), shift / 2
    y = np.random.default_rng(0).integers(-256, 256, size=(40, *columns)) / 64  # exact in binary
    (of_y, targets, _), (of_shifted, shifted, _) = resolve(y, relation), resolve(y + shift, relation)
    np.testing.assert_array_equal(of_shifted(shifted, shifted), of_y(targets, targets))
    if relation == "absolute":
        np.testing.assert_array_equal(shifted, targets)
        assert targets.min() == 0
        assert targets.max() == 1


def test_constant_targets_stay_numbers():
    _, targets, _ = resolve(np.array([[1.5, 0.0], [1.5, 2.0]]), "absolute")
    np.testing.assert_array_equal(targets, [[0, 0], [0, 1]])


rng = np.random.default_rng(0)
QUANTITIES = {"prices": rng.integers(10_000, size=500), "counts": rng.poisson(5000, size=500) * 1.0}
IDS = {
    "numbered classes": rng.permutation(np.arange(400) // 2),
    "numbers with gaps": rng.permutation(np.repeat(np.arange(200) * 7, 4)),
    "few values": rng.integers(60, size=500) * 100,
    "names": np.array([f"person {k}" for k in range(300)]),
}


@pytest.mark.parametrize("y", QUANTITIES.values(), ids=QUANTITIES)
def test_whole_numbers_that_look_like_quantities_are_warned_of(y):
    with pytest.warns(UserWarning, match="different whole numbers.*relation='absolute' if they are quantities"):
        assert resolve(y)[0] is relations.same_class
    for relation in ("absolute", "same_class", near):
        resolve(y, relation)  # and no warning: it was named


@pytest.mark.parametrize("y", IDS.values(), ids=IDS)
def test_classes_are_not_warned_of_however_many(y):
    assert resolve(y)[0] is relations.same_class
