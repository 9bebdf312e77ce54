"""Batches: a table that is stored as a sequence of batches."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone

from metricnets import GMML, LDA, EmbeddingNet, NearestClassMean
from metricnets.datasets import Batches

X = np.random.default_rng(0).normal(size=(40, 3))
LENGTHS = [10, 0, 25, 5]
PARTS = np.split(X, np.cumsum(LENGTHS)[:-1])
INDICES = {
    "slice": slice(3, 37, 5),
    "backwards": slice(None, None, -1),
    "numbers": np.array([39, 0, 12, 12, 9, 10]),
    "negative": np.array([-1, -40]),
    "pairs": np.array([[0, 39], [11, 5]]),
    "mask": np.arange(40) % 3 == 0,
    "none": np.arange(0),
    "scikit-learn's": (np.array([30, 2]), ...),
}


@pytest.mark.parametrize("name", INDICES)
@pytest.mark.parametrize("n_recent", [1, 4])
def test_rows_are_those_of_the_array(name, n_recent):
    batches = Batches([PARTS[0], PARTS[1], sparse.csr_array(PARTS[2]), PARTS[3].tolist()])
    batches.n_recent = n_recent
    assert np.array_equal(batches[INDICES[name]], X[INDICES[name]])
    assert len(batches._recent) <= n_recent


def test_they_look_like_an_array():
    batches = Batches(PARTS)
    assert (batches.shape, batches.ndim, len(batches), batches.dtype) == ((40, 3), 2, 40, np.float64)
    assert np.array_equal(np.asarray(batches), X)
    assert np.asarray(batches, dtype=np.float32).dtype == np.float32
    assert repr(batches) == "Batches(shape=(40, 3), dtype=float64)"
    assert Batches([X.astype(np.float16)]).dtype == np.float32
    assert Batches([X.astype(int), X]).dtype == np.float64


def test_they_are_pickled_without_what_they_have_read():
    batches = Batches(PARTS)
    batches[:]
    copy = pickle.loads(pickle.dumps(batches))
    assert not copy._recent
    assert np.array_equal(copy[::7], X[::7])


def test_a_file_of_numpy_has_all_points(tmp_path):
    copy = Batches(PARTS).to_memmap(tmp_path / "X.npy")
    assert isinstance(copy, np.memmap)
    assert np.array_equal(copy, X)
    assert not copy.flags.writeable


def test_a_copy_that_fails_leaves_no_file(tmp_path):
    batches = Batches([X, X[:, :2]], [40, 40])
    with pytest.raises(ValueError, match="batch 1 has shape"):
        batches.to_memmap(tmp_path / "X.npy")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("batches", "lengths", "error", "message"),
    [
        ((part for part in PARTS), None, TypeError, "got generator"),
        ([], None, ValueError, "no batch"),
        ([X, X[:, :2]], None, ValueError, r"batch 1 has shape \(40, 2\)"),
        ([X.astype(str)], None, ValueError, "should hold real numbers"),
        ([X[0]], None, ValueError, "a row for each"),
        (PARTS, [40], ValueError, "lengths should hold"),
        (PARTS, [10.0, 0, 25, 5], ValueError, "lengths should hold"),
    ],
    ids=["generator", "none", "features", "strings", "vectors", "too few lengths", "fractions"],
)
def test_what_is_no_table_is_refused(batches, lengths, error, message):
    with pytest.raises(error, match=message):
        Batches(batches, lengths)


def test_wrong_lengths_are_said_when_a_batch_is_read():
    with pytest.raises(ValueError, match=r"batch 2 has shape \(25, 3\); it should be \(24, 3\)"):
        Batches(PARTS, [10, 0, 24, 6])[:]


def test_rows_that_do_not_exist_are_an_error():
    with pytest.raises(IndexError, match="40"):
        Batches(PARTS)[np.array([40])]
    with pytest.raises(IndexError, match="whole rows"):
        Batches(PARTS)[:, 0]


@pytest.mark.parametrize("learner", [LDA(), EmbeddingNet(max_epochs=1)], ids=["linear", "deep"])
@pytest.mark.parametrize(
    ("points", "advice"),
    [
        ("x.parquet", r"Batches.from_parquet\('x.parquet'\)"),
        (Path("x.parquet"), r"Batches.from_parquet\('x.parquet'\)"),
        ([X[:20], X[20:]], r"list of 2 arrays: give metricnets.datasets.Batches\(X\)"),
        ([X[:10], X[10:]], r"list of 2 arrays: give metricnets.datasets.Batches\(X\)"),
    ],
    ids=["name", "path", "arrays", "arrays of several lengths"],
)
def test_learners_say_what_to_give_in_place_of_files_and_lists(learner, points, advice):
    y = np.arange(40) % 2
    fitted, nearest = clone(learner).fit(X, y), NearestClassMean(metric=learner)
    for call in (learner.fit, nearest.fit, learner.partial_fit):
        with pytest.raises(ValueError, match=advice) as error:
            call(points, y)
        assert str(error.value).count("Batches") == 1
    for call in (fitted.transform, nearest.fit(X, y).predict):
        with pytest.raises(ValueError, match=advice):
            call(points)


def test_other_errors_of_lists_of_arrays_have_no_advice():
    pairs = [np.eye(2)] * 4
    with pytest.raises(ValueError, match="^y should hold"):
        GMML().fit(pairs, [1, 2, 3, 4])
    with pytest.raises(ValueError, match="^Found array with dim 3"):
        LDA().fit(X, np.arange(40) % 2).transform([np.eye(2)] * 4)


def test_an_arrow_table_of_numbers_is_a_data_frame():
    arrow = pytest.importorskip("pyarrow")
    table = arrow.table({name: X[:, i] for i, name in enumerate("abc")})
    found, expected = LDA().fit(table, np.arange(40) % 2), LDA().fit(X, np.arange(40) % 2)
    assert np.array_equal(found.components_, expected.components_)
    assert found.feature_names_in_.tolist() == ["a", "b", "c"]
    assert np.array_equal(found.transform(table), expected.transform(X))
    with pytest.raises(ValueError, match=r"lists in a column: give metricnets.datasets.Batches.from_arrow\(X\)"):
        LDA().fit(arrow.table({"points": X.tolist()}), np.arange(40) % 2)
    with pytest.raises(ValueError, match=r"lists in a column: give metricnets.datasets.Batches.from_arrow\(X\)"):
        found.transform(arrow.table({"points": X.tolist()}))


def arrow_table(arrow):
    values = arrow.array(X.astype(np.float32).ravel())
    lists = arrow.FixedSizeListArray.from_arrays(values, 3)
    return arrow.table({"points": lists, "a": X[:, 0], "label": arrow.array([str(i) for i in range(40)])})


def test_arrow_tables(monkeypatch):
    arrow = pytest.importorskip("pyarrow")
    monkeypatch.setattr("metricnets.datasets._loading.arrow.N_IN_BATCH", 24)
    table = arrow_table(arrow)
    batches = Batches.from_arrow(table.select(["points"]))
    assert np.array_equal(batches[::3], X.astype(np.float32)[::3])
    assert batches.dtype == np.float32
    assert len(batches.ends) == 5
    both = Batches.from_arrow(arrow.concat_tables([table, table]).select(["a", "points"]))
    assert np.array_equal(both[-40:], np.c_[X[:, 0], X.astype(np.float32)])
    with pytest.raises(ValueError, match="column 'label' holds string"):
        Batches.from_arrow(table)


@pytest.mark.parametrize(
    "points", [[[1.0, 2.0], [3.0]], [[1.0], [2.0, 3.0, 4.0]], [[1.0], None], [[], []], []], ids=str
)
def test_lists_of_several_lengths_are_no_points(points):
    arrow = pytest.importorskip("pyarrow")
    with pytest.raises(ValueError, match="several lengths, or of none"):
        Batches.from_arrow(arrow.table({"points": arrow.array(points, arrow.list_(arrow.float64()))}))[:]


def test_parquet_files(tmp_path):
    arrow, parquet = (pytest.importorskip(name) for name in ("pyarrow", "pyarrow.parquet"))
    for name in "ab":
        parquet.write_table(arrow_table(arrow), tmp_path / f"{name}.parquet", row_group_size=15)
    batches = Batches.from_parquet([tmp_path / "a.parquet", tmp_path / "b.parquet"], columns=["points"])
    assert batches.ends.tolist() == [15, 30, 40, 55, 70, 80]
    assert np.array_equal(pickle.loads(pickle.dumps(batches))[:], np.tile(X.astype(np.float32), (2, 1)))
    assert Batches.from_parquet(str(tmp_path / "a.parquet"), ["a"]).shape == (40, 1)
    with pytest.raises(FileNotFoundError):
        Batches.from_parquet(tmp_path / "c.parquet")
    assert Batches.from_parquet(tmp_path / "a.parquet", "points").shape == batches[:40].shape
    with pytest.raises(ValueError, match=r"a.parquet has no column 'point'; .* Did you mean 'points'"):
        Batches.from_parquet(tmp_path / "a.parquet", ["a", "point"])  # pyarrow reads the others
    (tmp_path / "d.parquet").write_bytes(b"not a table")
    with pytest.raises(ValueError, match="d.parquet is not a Parquet file: "):
        Batches.from_parquet([tmp_path / "a.parquet", tmp_path / "d.parquet"])
