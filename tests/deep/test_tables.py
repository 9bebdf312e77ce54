"""Points that are read some at a time: sparse matrices, large arrays, stored batches."""

import numpy as np
import pytest
import torch
from scipy import sparse
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.utils import get_tags
from torch import nn

import metricnets as mn
from metricnets import _tables
from metricnets.datasets import Batches
from metricnets.deep._training.data import Rows, Targets
from metricnets.deep._training.loop import Part
from metricnets.deep._training.samples import sampler_of
from metricnets.deep._training.tables import Points
from metricnets.samplers import Shuffled

FEW = {"max_epochs": 2, "random_state": 0}
RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 6)).astype(np.float32)
X[X < 0.2] = 0
Y = np.arange(90) % 3
FROM_POINTS = [
    mn.DDML(**FEW),
    mn.DNLML_ISA_Supervised(**FEW),
    mn.DTML(**FEW, beta=0),
    mn.DeepHashing(**FEW),
    mn.EmbeddingNet(**FEW),
    mn.HRAML(**FEW),
    mn.MMDML(**FEW),
    mn.Mahalanobis(**FEW),
    mn.MultiTaskNet(**FEW),
    mn.MultiViewNet(**FEW),
    mn.SupervisedDeepHashing(**FEW),
    mn.TwoDomainNet(**FEW),
]
IN_PARTS = {
    "default": mn.EmbeddingNet(**FEW),
    "several networks": mn.DDML(**FEW, n_networks=2),
    "alignment": mn.HRAML(**FEW),
    "linear": mn.Mahalanobis(**FEW),
    "random weights": mn.EmbeddingNet(**FEW, init="glorot", skip=0.5),
    "principal components": mn.EmbeddingNet(**FEW, init="identity"),
    "autoencoders": mn.DDML(**FEW, init="dae"),
    "early stopping": mn.EmbeddingNet(**FEW, early_stopping=True, validation_fraction=0.3),
    "proxies": mn.EmbeddingNet(**FEW, loss="proxy_anchor"),
    "classes left out": mn.EmbeddingNet(**FEW, class_weight={0: 0.0, 1: 2.0}),
    "codes": mn.SupervisedDeepHashing(**FEW, n_components=8),
    "a module": mn.EmbeddingNet(**FEW, module=nn.Linear(6, 3), normalize=False),
    "spread labels": mn.EmbeddingNet(**FEW, unlabeled="label_spreading"),
}


@pytest.fixture
def large(monkeypatch):
    """As if tables of more than 100 numbers were large."""
    monkeypatch.setattr(_tables, "LARGEST", 100)
    monkeypatch.setattr(_tables, "N_NUMBERS", 120)


def mapped(folder, array):
    """The array in a file that is mapped to memory, read-only."""
    np.save(folder / "X.npy", array)
    return np.load(folder / "X.npy", mmap_mode="r")


def ids(learners):
    return [type(learner).__name__ for learner in learners]


@pytest.mark.filterwarnings("ignore:sample_domain")
@pytest.mark.parametrize("learner", FROM_POINTS, ids=ids(FROM_POINTS))
@pytest.mark.parametrize("form", [sparse.csr_array, sparse.coo_matrix])
def test_sparse_points_give_the_bits_of_dense_ones(learner, form):
    assert get_tags(learner).input_tags.sparse
    expected, found = (clone(learner).fit(points, Y) for points in (X, form(X)))
    assert np.array_equal(found.transform(form(X)), expected.transform(X))
    losses = [[epoch["train_loss"] for epoch in each.history_] for each in (expected, found)]
    assert losses[0] == losses[1]
    assert found.n_features_in_ == 6


@pytest.mark.parametrize("name", IN_PARTS)
def test_large_tables_give_what_small_ones_do(name, large, tmp_path, monkeypatch):
    learner = IN_PARTS[name]
    whole = clone(learner)
    with monkeypatch.context() as context:
        context.setattr(_tables, "LARGEST", 2**26)
        expected = whole.fit(X, Y).transform(X)
    for points in (mapped(tmp_path, X), sparse.csr_array(X)):
        assert clone(learner).fit(points, Y).transform(points) == pytest.approx(expected, abs=1e-5)


def test_integers_are_not_copied_as_floats(large, tmp_path):
    numbers = (10 * X).astype(np.int16)
    net = clone(IN_PARTS["default"])
    found = net.fit(mapped(tmp_path, numbers), Y).transform(mapped(tmp_path, numbers))
    assert found.dtype == np.float64
    assert found == pytest.approx(net.transform(numbers.astype(float)), abs=1e-12)


def test_no_more_rows_are_read_than_a_part_or_a_sample_has(monkeypatch, tmp_path):
    monkeypatch.setattr(_tables, "LARGEST", 1000)
    monkeypatch.setattr(_tables, "N_NUMBERS", 2000)
    rng, sizes = np.random.default_rng(0), []
    points, y = mapped(tmp_path, rng.normal(size=(9000, 8)).astype(np.float32)), rng.integers(3, size=9000)
    read = _tables.Table.__getitem__

    def recorded(self, rows):
        found = read(self, rows)
        sizes.append(len(found))
        return found

    monkeypatch.setattr(_tables.Table, "__getitem__", recorded)
    monkeypatch.setattr("metricnets.deep._training.wccn.N_ROWS", 500)
    monkeypatch.setattr("metricnets.deep._training.wccn.N_JUDGED", 500)
    monkeypatch.setattr("metricnets.deep._training.wccn.N_NUMBERS", 500)
    net = mn.EmbeddingNet(max_epochs=1, batch_size=300, hidden=(), random_state=0).fit(points, y)
    assert max(sizes) <= 600
    assert net.transform(points).shape == (9000, 64)


def test_validation_data_and_weights_are_those_of_arrays(large, monkeypatch):
    weights = np.where(np.arange(60) < 6, 0.0, 1.0 + np.arange(60) % 2)
    net = mn.EmbeddingNet(**FEW, early_stopping=True)
    data = {"sample_weight": weights, "y_val": Y[60:]}
    found = clone(net).fit(sparse.csr_array(X[:60]), Y[:60], X_val=Batches([X[60:80], X[80:]]), **data)
    monkeypatch.setattr(_tables, "LARGEST", 2**26)
    expected = clone(net).fit(X[:60], Y[:60], X_val=X[60:], **data)
    assert found.transform(X) == pytest.approx(expected.transform(X), abs=1e-5)
    assert [epoch["valid_loss"] for epoch in found.history_] == pytest.approx(
        [epoch["valid_loss"] for epoch in expected.history_], abs=1e-5
    )


def test_images_in_a_file_are_read_some_at_a_time(large, tmp_path):
    images = mapped(tmp_path, X.reshape(90, 1, 2, 3))
    net = mn.EmbeddingNet(module=lambda: nn.Sequential(nn.Flatten(), nn.Linear(6, 4)), **FEW).fit(images, Y)
    z = net.transform(images)
    assert np.array_equal(z, net.transform(np.array(images)))
    assert z.shape == (90, 4)


@pytest.mark.parametrize("params", [{}, {"early_stopping": False, "jitter": 1.0}], ids=["held back", "jitter"])
def test_pairs_are_looked_up_some_at_a_time(params, large, tmp_path, monkeypatch):
    pairs = np.random.default_rng(1).integers(90, size=(60, 2))
    similar = Y[pairs[:, 0]] == Y[pairs[:, 1]]
    sources = mapped(tmp_path, X), sparse.csr_array(X), Batches([X[:50], X[50:]])
    found = [mn.DDMLPairs(preprocessor=each, **FEW, **params).fit(pairs, similar) for each in sources]
    distances = [each.pair_distance(pairs) for each in found]
    monkeypatch.setattr(_tables, "LARGEST", 2**26)
    expected = mn.DDMLPairs(preprocessor=X, **FEW, **params).fit(pairs, similar)
    for each, d in zip(found, distances):
        assert d == pytest.approx(expected.pair_distance(pairs), abs=1e-5)
        assert each.threshold_ == pytest.approx(expected.threshold_, abs=1e-5)


def test_batches_of_a_stream_may_be_sparse():
    found, expected = mn.DDML(**FEW), mn.DDML(**FEW)
    for rows in (slice(45), slice(45, 90)):
        found.partial_fit(sparse.csr_matrix(X[rows]), Y[rows])
        expected.partial_fit(X[rows], Y[rows])
    assert np.array_equal(found.transform(X), expected.transform(X))


def test_predictors_on_top_take_sparse_points():
    for predictor in (
        mn.NearestClassMean(metric=mn.DDML(**FEW)),
        make_pipeline(mn.DDML(**FEW), KNeighborsClassifier(3)),
    ):
        found, expected = (clone(predictor).fit(points, Y).predict(points) for points in (sparse.csr_array(X), X))
        assert (found == expected).all()


def test_searches_split_batches():
    net = make_pipeline(mn.DDML(**FEW), KNeighborsClassifier(3))
    assert np.array_equal(cross_val_score(net, Batches([X[:20], X[20:]]), Y, cv=3), cross_val_score(net, X, Y, cv=3))


class Counted(list):
    """A list that counts how often each entry is read."""

    def __init__(self, *args):
        super().__init__(*args)
        self.n_reads = np.zeros(len(self), int)

    def __getitem__(self, i):
        self.n_reads[i] += 1
        return super().__getitem__(i)


def part_of(batches, weights=None):
    """The rows of batches as a part, of which two stored batches are read at a time."""
    batches.n_recent, rng = 2, np.random.default_rng(0)
    part = Part(Rows(Points(None, batches), Targets(torch.from_numpy(Y), weights=weights)), np.arange(90))
    part.sampler = sampler_of(lambda rows: Shuffled(len(rows), 7, rng), part, rng)
    return part


def test_a_pass_reads_each_stored_batch_once():
    stored = Counted(np.split(X, 9))
    part = part_of(Batches(stored))
    for _ in range(3):
        stored.n_reads[:] = 0
        part.rows.X.table._recent.clear()
        assert sum(len(x) for x, _ in part) == 90
        assert (stored.n_reads == 1).all()


def test_a_pass_over_batches_has_every_row_once_in_a_new_order():
    part = part_of(Batches(np.split(X, 9)))
    first, second = (np.concatenate(list(part.sampler)) for _ in range(2))
    assert sorted(first) == sorted(second) == list(range(90))
    assert not (first == second).all()


def test_rows_of_batches_are_drawn_by_their_weights():
    part = part_of(Batches(np.split(X, 9)), np.where(np.arange(90) % 2, 3.0, 1.0))
    counts = np.bincount(np.concatenate([rows for _ in range(8) for rows in part.sampler]))
    assert counts.tolist() == [4, 12] * 45


def test_training_on_batches_learns(large):
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=600)
    points = (4 * np.eye(3, 6)[y] + rng.normal(size=(600, 6))).astype(np.float32)
    batches = Batches(np.split(points, 12))
    batches.n_recent = 3
    z = mn.EmbeddingNet(max_epochs=3, random_state=0).fit(batches, y).transform(batches)
    assert KNeighborsClassifier(3).fit(z[::2], y[::2]).score(z[1::2], y[1::2]) > 0.9


def spoiled(value):
    points = X.copy()
    points[50, 2] = value
    return points


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (spoiled(np.nan), "X contains NaN"),
        (spoiled(np.inf), "X contains infinity"),
        (Batches([spoiled(np.nan)]), "X contains NaN"),
        (sparse.csr_array(spoiled(np.nan)), "X contains NaN"),
        (Batches([X[:1]]), "at least 2 rows"),
        (Batches([X[:80]]), "inconsistent numbers of samples"),
        (X.astype(complex), "[Cc]omplex"),
    ],
    ids=["NaN", "infinity", "batches", "sparse", "one row", "labels", "complex"],
)
def test_wrong_tables_are_refused_and_nothing_is_lost(points, message, large):
    net = mn.EmbeddingNet(**FEW, hidden=()).fit(X, Y)
    before = net.transform(X)
    with pytest.raises(ValueError, match=message):
        net.fit(points, Y)
    assert np.array_equal(net.transform(X), before)


def test_other_features_are_refused(large):
    net = mn.EmbeddingNet(**FEW).fit(X, Y)
    for points in (X[:, :5], sparse.csr_array(X[:, :5]), Batches([X[:, :5]])):
        with pytest.raises(ValueError, match="5 features"):
            net.transform(points)


def test_values_beyond_single_precision_are_refused_with_a_module(large):
    net = mn.EmbeddingNet(**FEW, module=nn.Linear(6, 3))
    with pytest.raises(ValueError, match="float32 cannot take"):
        net.fit(Batches([X.astype(float) * 1e300]), Y)
