"""Tables that are read by blocks of rows give the metric of the array: large ones, batches, sparse matrices, Dask."""

import tracemalloc

import numpy as np
import pytest
from discovery import METRICS, PAIR_LEARNERS, POINT_LEARNERS, quick, tiny_pairs, tiny_points
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.sparse import coo_matrix, csr_array, csr_matrix
from sklearn.exceptions import NotFittedError

import metricnets
from metricnets import _blocks, _scatters
from metricnets._scatters import Scatters, of_pairs, sums_by_size
from metricnets.datasets import Batches
from metricnets.linear import _base, _streams
from metricnets.linear._pairwise.class_pairs import class_scatters

BY_BLOCKS = [name for name in METRICS if getattr(getattr(metricnets, name), "_by_blocks", False)]
OF_POINTS = [name for name in BY_BLOCKS if name in POINT_LEARNERS]
OF_PAIRS = [name for name in BY_BLOCKS if name in PAIR_LEARNERS]
DRAWN = [name for name in OF_POINTS if name.endswith("_Supervised") and name != "KISSME_Supervised"]
X, y = tiny_points()
W = np.random.default_rng(0).integers(0, 3, 45) / 2
COUNTS = np.random.default_rng(1).poisson(0.5, (45, 6)) + np.eye(3, 6)[y].astype(int) + [0, 0, 0, 0, 0, 7]

pytestmark = [
    pytest.mark.filterwarnings("ignore:the .* has .*(degrees of freedom|rank)"),
    pytest.mark.filterwarnings("ignore:only .* pairs drawn"),
    pytest.mark.filterwarnings("ignore:.* dissimilar pairs are of identical points"),
]


@pytest.fixture
def tiny_blocks(monkeypatch):
    """Tables of more than ten entries are large, and blocks have seven rows of four features."""
    monkeypatch.setattr(_base, "LARGE", 10)
    monkeypatch.setattr(_streams, "LARGE", 10)
    monkeypatch.setattr(_blocks, "BLOCK", 28)


def learner(name, **params):
    """One that ends its iterations near the limit."""
    tight = {"tol": 1e-12} if name != "LDA" and "tol" in getattr(metricnets, name)._get_param_names() else {}
    return quick(name, **tight, **params)


def fitted(name, Z, classes=y, **params):
    weights = params.pop("sample_weight", None)
    return learner(name, **params).fit(Z, classes, sample_weight=weights)


def close(found, expected, rtol=1e-10):
    M, expected = (each.get_mahalanobis_matrix() for each in (found, expected))
    assert_allclose(M, expected, rtol=0, atol=rtol * np.abs(expected).max())


def test_the_learners_are_found():
    assert {"Covariance", "LDA", "RCA", "RCA_Supervised", "KISSME_Supervised", "GMML_Supervised"} <= set(OF_POINTS)
    assert set(OF_PAIRS) == {"GMML", "KISSME"}


# ------------------------------------------------------------------------------------------------
# Large arrays and memory maps


@pytest.mark.parametrize("weights", [None, W], ids=["no weights", "weights"])
@pytest.mark.parametrize("name", OF_POINTS)
def test_blocks_give_the_metric_of_the_whole(name, weights, request):
    whole = fitted(name, X, sample_weight=weights)
    request.getfixturevalue("tiny_blocks")
    close(fitted(name, X, sample_weight=weights), whole, 1e-7 if name in DRAWN else 1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("name", OF_POINTS)
def test_memory_maps_and_arrays_give_the_same_bits(name, order, dtype, tmp_path, tiny_blocks):
    Z = np.lib.format.open_memmap(tmp_path / "X.npy", "w+", dtype, X.shape, fortran_order=order == "F")
    Z[:] = X
    found = fitted(name, np.load(tmp_path / "X.npy", mmap_mode="r"))
    expected = fitted(name, X.astype(dtype))
    assert_array_equal(found.components_, expected.components_)
    assert found.components_.dtype == dtype
    assert_array_equal(found.transform(Z), expected.transform(X.astype(dtype)))


@pytest.mark.parametrize("dtype", [np.uint8, np.int64, np.float16])
@pytest.mark.parametrize("name", ["LDA", "RCA_Supervised", "MMC_Supervised"])
def test_numbers_of_all_types_are_converted_by_blocks(name, dtype, tiny_blocks):
    found = fitted(name, COUNTS.astype(dtype))
    assert_array_equal(found.components_, fitted(name, COUNTS.astype(float)).components_)


@pytest.mark.parametrize("name", ["KISSME_Supervised", "XQDA"])
def test_many_classes_need_no_matrix_each(name, tiny_blocks):
    classes = np.where(np.arange(45) < 4, -1, np.arange(45) // 3)
    with pytest.warns(UserWarning, match="negative"):
        found = fitted(name, X, classes, sample_weight=W)
    assert found._sums is None
    known = classes >= 0
    close(found, fitted(name, X[known], classes[known], sample_weight=W[known]))


def test_what_needs_all_samples_takes_a_large_array_whole(tiny_blocks):
    params = {"solver": "eigen", "shrinkage": "auto"}
    found = fitted("LDA", X, **params)
    known = np.arange(45) % 3 == 0
    view = known.astype(int)
    across = learner("XQDA").fit(X, y, view=view)
    _base.LARGE = _blocks.LARGE
    assert_array_equal(found.components_, fitted("LDA", X, **params).components_)
    assert_array_equal(across.components_, learner("XQDA").fit(X, y, view=view).components_)


@pytest.mark.parametrize("weights", [None, W], ids=["no weights", "weights"])
def test_nearly_collinear_features_keep_their_digits(weights, request):
    Z = np.column_stack([X, X[:, 0] + X[:, 1] + 1e-4 * X[:, 3] ** 2, np.full(45, 7.0)])
    whole = fitted("LDA", Z, sample_weight=weights, tol=1e-9)
    assert not whole._solves_by(whole._sums)  # squares would lose them
    request.getfixturevalue("tiny_blocks")
    close(fitted("LDA", Z, sample_weight=weights, tol=1e-9), whole, 1e-8)
    da = pytest.importorskip("dask.array")
    close(fitted("LDA", da.from_array(Z, chunks=(8, 6)), sample_weight=weights, tol=1e-9), whole, 1e-8)


@pytest.mark.parametrize("name", ["Covariance", "LDA", "RCA", "KISSME_Supervised", "ITML_Supervised"])
def test_the_table_is_not_copied(name, tmp_path, monkeypatch):
    n, d = 40_000, 64
    monkeypatch.setattr(_base, "LARGE", n)
    monkeypatch.setattr(_blocks, "BLOCK", 2**14)
    Z = np.lib.format.open_memmap(tmp_path / "X.npy", "w+", np.float32, (n, d))
    classes = np.arange(n) % 3
    Z[:] = np.random.default_rng(0).normal(size=(n, d)) + classes[:, None]
    fitted(name, Z[:100], classes[:100])
    tracemalloc.start()
    fitted(name, Z, classes)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    of_labels = 16 * n * 8  # classes, their codes and the like
    assert most < of_labels + 0.5 * Z.nbytes


@pytest.mark.parametrize(
    ("name", "copies"), [("Covariance", 1), ("LDA", 1), ("KISSME_Supervised", 1.7), ("RCA_Supervised", 2)]
)
def test_a_table_that_is_not_large_is_copied_once_or_twice(name, copies):
    n, d = 20_000, 64
    Z, classes = np.random.default_rng(0).normal(size=(n, d)), np.arange(n) % 3
    fitted(name, Z[:100], classes[:100])
    tracemalloc.start()
    fitted(name, Z, classes)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 16 * n * 8 + (copies + 0.2) * Z.nbytes


# ------------------------------------------------------------------------------------------------
# Stored batches

ENDS = [10, 10, 33]


class Stored:
    """Batches that are read from somewhere, and how often each was."""

    def __init__(self, Z):
        self.parts = np.split(Z, ENDS)
        self.reads = [0] * len(self.parts)

    def __len__(self):
        return len(self.parts)

    def __getitem__(self, i):
        self.reads[i] += 1
        return self.parts[i]


def in_batches(Z):
    """A table that keeps two batches, and its batches."""
    stored = Stored(Z)
    batches = Batches(stored, [len(part) for part in stored.parts])
    batches.n_recent = 2
    return batches, stored


@pytest.mark.parametrize("weights", [None, W], ids=["no weights", "weights"])
@pytest.mark.parametrize("name", OF_POINTS)
def test_stored_batches_give_the_metric_of_the_array(name, weights, request, monkeypatch):
    whole = fitted(name, X, sample_weight=weights)
    request.getfixturevalue("tiny_blocks")
    monkeypatch.setattr(Batches, "__array__", None)
    batches, stored = in_batches(X)
    found = fitted(name, batches, sample_weight=weights)
    close(found, whole, 1e-7 if name in DRAWN else 1e-10)
    assert max(stored.reads) <= 2  # the first block is near the origin
    assert_allclose(found.transform(batches), found.transform(X), rtol=1e-12, atol=1e-12)
    assert found.n_features_in_ == 4


@pytest.mark.parametrize("name", ["Covariance", "LMNN", "NCA"])
def test_small_batches_and_what_compares_rows_have_the_bits_of_the_array(name):
    found, expected = fitted(name, in_batches(X)[0]), fitted(name, X)
    assert_array_equal(found.components_, expected.components_)
    assert_array_equal(found.transform(in_batches(X)[0]), expected.transform(X))


def test_what_needs_all_samples_reads_all_batches(tiny_blocks):
    params, batches = {"solver": "eigen", "shrinkage": "auto"}, in_batches(X)[0]
    assert_array_equal(fitted("LDA", batches, **params).components_, fitted("LDA", X, **params).components_)
    across = [learner("XQDA").fit(Z, y, view=np.arange(45) % 2).components_ for Z in (batches, X)]
    assert_array_equal(*across)


def test_batches_of_single_precision(tiny_blocks):
    found = fitted("LDA", in_batches(X.astype(np.float32))[0])
    assert found.components_.dtype == np.float32
    assert found.transform(in_batches(X.astype(np.float32))[0]).dtype == np.float32
    with pytest.raises(ValueError, match="X has 3 features, but LDA is expecting 4"):
        found.transform(in_batches(X[:, :3])[0])
    with pytest.raises(NotFittedError):
        learner("LDA").transform(in_batches(X)[0])


@pytest.mark.parametrize(
    ("Z", "classes", "message"),
    [
        (np.where(np.arange(180).reshape(45, 4) == 161, np.nan, X), y, "Input X contains NaN"),
        (X[:, :, None], y, r"X has shape \(45, 4, 1\)"),
        (X, y[1:], "inconsistent numbers of samples"),
        (X, None, "requires y"),
    ],
    ids=["NaN", "images", "too few classes", "no classes"],
)
def test_batches_that_do_not_suit_leave_the_learner_as_it_was(Z, classes, message, tiny_blocks):
    lda = fitted("LDA", X)
    before = lda.components_
    with pytest.raises(ValueError, match=message):
        lda.fit(in_batches(Z)[0], classes)
    assert lda.components_ is before


# ------------------------------------------------------------------------------------------------
# Sparse rows


@pytest.mark.parametrize(("kind", "share"), [(csr_matrix, 0.0), (csr_array, 1.0), (coo_matrix, 1.0)])
@pytest.mark.parametrize("weights", [None, W], ids=["no weights", "weights"])
@pytest.mark.parametrize("name", OF_POINTS)
def test_sparse_rows_give_the_metric_of_dense_ones(name, weights, kind, share, monkeypatch):
    monkeypatch.setattr(_scatters, "SPARSE", share)
    monkeypatch.setattr(_blocks, "BLOCK", 30)
    dense = fitted(name, COUNTS.astype(float), sample_weight=weights)
    found = fitted(name, kind(COUNTS.astype(float)), sample_weight=weights)
    close(found, dense, 1e-7 if name in DRAWN else 1e-10)
    assert_allclose(found.transform(kind(COUNTS)), found.transform(COUNTS), atol=1e-12)


@pytest.mark.parametrize("name", ["Covariance", "LDA", "RCA", "KISSME_Supervised", "GMML_Supervised"])
def test_sparse_rows_fewer_than_features(name):
    rows = sparse.random(30, 80, density=0.05, format="csr", random_state=0)
    close(fitted(name, rows, y[:30]), fitted(name, rows.toarray(), y[:30]), 1e-8)


@pytest.mark.parametrize("name", ["Covariance", "LDA", "RCA", "KISSME_Supervised", "XQDA"])
@pytest.mark.filterwarnings("ignore:.* has no metric of the batches so far")
def test_sparse_batches_add_up(name):
    streamed = learner(name)
    for rows in np.split(np.argsort(y, kind="stable"), [20, 33]):
        streamed.partial_fit(csr_array(COUNTS.astype(float))[rows], y[rows])
    close(streamed, fitted(name, COUNTS.astype(float)))


def test_sparse_rows_are_never_made_dense():
    n, d = 20_000, 400
    rows = sparse.random(n, d, density=0.01, format="csr", random_state=0)
    classes = np.arange(n) % 3
    tracemalloc.start()
    fitted("LDA", rows, classes)
    fitted("GMML_Supervised", rows, classes)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 8 * n * d / 3


@pytest.mark.parametrize("name", ["Covariance", "RCA_Supervised", "KISSME_Supervised", "MMC_Supervised"])
def test_features_whose_square_does_not_fit_into_memory_are_counted(name, monkeypatch):
    monkeypatch.setattr(_blocks, "memory_of_machine", lambda: 2**20)
    with pytest.raises(ValueError, match=rf"X has 300 features, and {name} needs . matrices of 300 × 300"):
        fitted(name, csr_matrix((45, 300)))
    monkeypatch.setattr(_blocks, "memory_of_machine", lambda: None)
    _blocks.check_square(10**9, name)


def test_what_takes_no_sparse_rows_says_so():
    with pytest.raises(ValueError, match="X is a sparse matrix, .* shrinkage='auto'"):
        fitted("LDA", csr_matrix(X), solver="eigen", shrinkage="auto")
    with pytest.raises(ValueError, match="X is a sparse matrix, and pairs across views need an array"):
        learner("XQDA").fit(csr_matrix(X), y, view=y)


# ------------------------------------------------------------------------------------------------
# Sums


@pytest.mark.parametrize("weights", [None, W[W > 0]], ids=["no weights", "weights"])
@pytest.mark.parametrize("apart", [False, True])
def test_scatters_of_sparse_rows(apart, weights, monkeypatch):
    monkeypatch.setattr(_scatters, "SPARSE", 1.0)
    rows = W > 0
    Z, groups = COUNTS[rows].astype(float), y[rows]
    for found, expected in zip(
        Scatters.of(csr_array(Z), groups, weights, apart), Scatters.of(Z, groups, weights, apart)
    ):
        assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_features_that_are_constant_in_a_sparse_block_have_no_scatter(monkeypatch):
    monkeypatch.setattr(_scatters, "SPARSE", 1.0)
    Z = np.column_stack([np.full(20, 0.1), np.full(20, 1e6 / 3), np.arange(20.0)])
    assert_array_equal(Scatters.of(csr_array(Z), None).within[:2], 0)


def test_scatters_of_points_that_count_as_often_as_their_group_is_large():
    sizes = np.bincount(y, W)
    same, total = sums_by_size(X, y, W, sizes[y])
    found = of_pairs(same.within, total.counts[0] * total.within, sizes, total.own[0])
    rows = W > 0
    for a, b in zip(found, class_scatters(X[rows], y[rows], weights=W[rows])):
        assert_allclose(a, b, rtol=1e-12)


@pytest.mark.parametrize("name", ["LDA", "RCA", "KISSME_Supervised"])
def test_another_fit_may_have_labels_of_another_type(name):
    names = y.astype(str) if name != "RCA" else y + 10
    again = fitted(name, X).fit(X, names)
    assert_array_equal(again.components_, learner(name).fit(X, names).components_)


# ------------------------------------------------------------------------------------------------
# Dask

CHUNKS = {
    "one": (45, 4),
    "single rows": (1, 4),
    "uneven": ((7, 30, 8), 4),
    "an empty one": ((0, 20, 0, 25), 4),
    "of columns": (10, (3, 1)),
}


@pytest.mark.parametrize("chunks", CHUNKS)
@pytest.mark.parametrize("name", OF_POINTS)
def test_arrays_of_dask_give_the_metric_of_arrays(name, chunks):
    weights, chunks = None if chunks == "of columns" else W, CHUNKS[chunks]
    da = pytest.importorskip("dask.array")
    expected = fitted(name, X, sample_weight=weights)
    weights = weights if weights is None else da.from_array(weights, chunks=20)
    found = fitted(name, da.from_array(X, chunks=chunks), da.from_array(y, chunks=11), sample_weight=weights)
    close(found, expected, 1e-7 if name in DRAWN else 1e-10)
    assert found.n_features_in_ == 4


@pytest.mark.parametrize("weights", [None, np.arange(90) % 3], ids=["no weights", "weights"])
@pytest.mark.parametrize("name", OF_PAIRS)
def test_pairs_in_arrays_of_dask(name, weights):
    da = pytest.importorskip("dask.array")
    pairs, similar = tiny_pairs(n_pairs=90)
    params = {"strategy": "f_beta", "beta": 2.0}
    expected = learner(name).fit(pairs, similar, params, sample_weight=weights)
    table = da.from_array(pairs, chunks=(40, 1, 3))
    found = learner(name).fit(table, da.from_array(similar, chunks=50), params, sample_weight=weights)
    close(found, expected)
    assert_allclose(found.threshold_, expected.threshold_, rtol=1e-10)
    assert_allclose(found.predict_proba(pairs), expected.predict_proba(pairs), rtol=1e-7)
    assert_array_equal(found.classes_, expected.classes_)
    close(
        found.partial_fit(pairs, similar),
        learner(name).fit(table, similar, sample_weight=weights).partial_fit(pairs, similar),
    )


def test_data_frames_of_dask_have_names():
    frame = pytest.importorskip("dask.dataframe")
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame(X, columns=["a", "b", "c", "d"]).assign(kind=y)
    parts = frame.from_pandas(table, npartitions=3)
    found = learner("LDA").fit(parts[["a", "b", "c", "d"]], parts["kind"])
    assert_array_equal(found.feature_names_in_, ["a", "b", "c", "d"])
    close(found, fitted("LDA", X))


def test_a_batch_may_follow_an_array_of_dask():
    da = pytest.importorskip("dask.array")
    found = fitted("Covariance", da.from_array(X[:30], chunks=(8, 4)), None).partial_fit(X[30:])
    close(found, fitted("Covariance", X, None))


def test_single_precision_is_kept_by_arrays_of_dask():
    da = pytest.importorskip("dask.array")
    found = fitted("LDA", da.from_array(X.astype(np.float32), chunks=(9, 4)))
    assert found.components_.dtype == np.float32


def refused(da):
    """Arguments of ``fit`` that do not suit, and what the message says."""
    table, spoilt = da.from_array(X, chunks=(9, 4)), X.copy()
    spoilt[40, 1] = np.nan
    return {
        "X has chunks of unknown size": (table[table[:, 0] > 0], y),
        "X should be an array of Dask with 2 dimensions": (table[:, 0], y),
        "X should be an array of Dask with 2 dimensions; got Delayed": (table.to_delayed()[0, 0], y),
        "Input X contains NaN": (da.from_array(spoilt, chunks=(9, 4)), y),
        "inconsistent numbers of samples": (table, y[1:]),
        "requires y": (table, None),
        "LDA needs at least 2": (table[:1], y[:1]),
        "has one class only": (table, np.zeros(45, int)),
    }


@pytest.mark.parametrize("i", range(8))
def test_arrays_of_dask_that_do_not_suit(i):
    da = pytest.importorskip("dask.array")
    message, arguments = list(refused(da).items())[i]
    lda = fitted("LDA", X)
    before = lda.components_
    with pytest.raises(ValueError, match=message):
        lda.fit(*arguments)
    assert lda.components_ is before


def test_parameters_that_do_not_suit_dask():
    da = pytest.importorskip("dask.array")
    pairs, similar = tiny_pairs(n_pairs=90)
    table, parts = da.from_array(X, chunks=(9, 4)), da.from_array(pairs, chunks=(9, 2, 4))
    with pytest.raises(ValueError, match="X is a table of Dask, .* shrinkage='auto'"):
        fitted("LDA", table, solver="eigen", shrinkage="auto")
    with pytest.raises(ValueError, match="n_components=7 is more than the 4 features"):
        fitted("Covariance", table, n_components=7)
    with pytest.raises(ValueError, match="pairs are an array of Dask, .* prior='random'"):
        learner("GMML", prior="random").fit(parts, similar)
    with pytest.raises(ValueError, match=r"pairs should have shape \(n_pairs, 2, n_features\)"):
        learner("GMML").fit(parts[:, :1], similar)
    with pytest.raises(ValueError, match="sample_weight is 0 for all similar or for all dissimilar pairs"):
        learner("KISSME").fit(parts, similar, sample_weight=similar > 0)
