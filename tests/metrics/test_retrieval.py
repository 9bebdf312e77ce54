"""Scores of retrieval, against loops over queries, scikit-learn and pytorch-metric-learning."""

import tracemalloc

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.metrics import average_precision_score

from metricnets.metrics import (
    _ranks,
    cmc,
    map_at_r,
    mean_average_precision,
    precision_at_k,
    r_precision,
    recall_at_k,
    retrieval_scores,
)

KS = (1, 3, 10, 400)


def queries_and_gallery(seed=0, ties=False):
    """Embeddings of a few classes of unequal size; class 9 is not in the gallery."""
    rng = np.random.default_rng(seed)
    y, y_gallery = rng.integers(6, size=40), rng.integers(5, size=90)
    y[y == 5] = 9
    z, z_gallery = (rng.normal(size=(len(c), 3)) + np.eye(10, 3)[c] for c in (y, y_gallery))
    return (np.round(z), y, np.round(z_gallery), y_gallery) if ties else (z, y, z_gallery, y_gallery)


def naive(d, y, y_gallery, alone, ks):
    """The scores, counted: rows that do not match come first among those at one distance."""
    found = []
    for i, (row, own) in enumerate(zip(d, y)):
        match = y_gallery == own
        keep = np.arange(len(match)) != i if alone else np.full(len(match), True)
        relevant = match[keep][np.lexsort([match[keep], row[keep]])]
        n_match = relevant.sum()
        if n_match:
            precision = np.cumsum(relevant) / np.arange(1, len(relevant) + 1)
            first = (precision * relevant)[:n_match].sum() / n_match, relevant[:n_match].mean()
            at_k = [relevant[:k].sum() / k for k in ks]
            at_k += [relevant[:k].sum() / n_match for k in ks] + [relevant[:k].any() for k in ks]
            found.append([(precision * relevant).sum() / n_match, *first, *at_k])
    return np.mean(found, axis=0), len(found)


def as_row(scores):
    named = [scores[name] for name in ("mean_average_precision", "map_at_r", "r_precision")]
    return np.concatenate([named, *(scores[name] for name in ("precision_at_k", "recall_at_k", "cmc"))])


@pytest.mark.parametrize("chunk", [1, 400, 2**22])
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("alone", [False, True])
def test_scores_are_what_a_loop_finds(alone, ties, chunk, monkeypatch):
    monkeypatch.setattr(_ranks, "CHUNK", chunk)
    z, y, z_gallery, y_gallery = queries_and_gallery(ties=ties)
    if alone:
        d, y_gallery, scores = cdist(z, z), y, retrieval_scores(z, y, k=KS)
    else:
        d, scores = cdist(z, z_gallery), retrieval_scores(z, y, z_gallery, y_gallery, k=KS)
    expected, n_queries = naive(d, y, y_gallery, alone, KS)
    np.testing.assert_allclose(as_row(scores), expected)
    assert scores["n_queries"] == n_queries


def test_cosine_looks_at_angles():
    z, y, z_gallery, y_gallery = queries_and_gallery()
    expected, _ = naive(cdist(z, z_gallery, "cosine"), y, y_gallery, False, KS)
    np.testing.assert_allclose(as_row(retrieval_scores(z, y, z_gallery, y_gallery, k=KS, metric="cosine")), expected)
    longer = np.linspace(0.1, 7, len(z))[:, None] * z
    assert map_at_r(longer, y, metric="cosine") == pytest.approx(map_at_r(z, y, metric="cosine"))


def test_average_precision_is_that_of_scikit_learn():
    z, y, z_gallery, y_gallery = queries_and_gallery()
    known = y != 9
    each = [average_precision_score(y_gallery == c, -d) for c, d in zip(y[known], cdist(z, z_gallery)[known])]
    assert mean_average_precision(z, y, z_gallery, y_gallery) == pytest.approx(np.mean(each))


@pytest.mark.parametrize("alone", [False, True])
def test_agreement_with_pytorch_metric_learning(alone):
    torch = pytest.importorskip("torch")
    accuracy = pytest.importorskip("pytorch_metric_learning.utils.accuracy_calculator")
    z, y, z_gallery, y_gallery = map(torch.as_tensor, queries_and_gallery())
    names = ("mean_average_precision_at_r", "r_precision", "precision_at_1", "mean_average_precision")
    calculator = accuracy.AccuracyCalculator(names, k=len(z) - 1 if alone else len(z_gallery), knn_func=NearestRows())
    theirs = calculator.get_accuracy(z, y, *(() if alone else (z_gallery, y_gallery)))
    ours = retrieval_scores(*((z, y) if alone else (z, y, z_gallery, y_gallery)), k=1)
    expected = [theirs[name] for name in names]
    got = [ours[name] for name in ("map_at_r", "r_precision", "precision_at_k", "mean_average_precision")]
    np.testing.assert_allclose(got, expected, rtol=1e-6)


class NearestRows:
    """What pytorch-metric-learning asks for its neighbours, without faiss."""

    def __call__(self, query, k, reference, ref_includes_query):
        import torch

        d, rows = torch.cdist(query, reference).topk(k + ref_includes_query, largest=False)
        return (d[:, 1:], rows[:, 1:]) if ref_includes_query else (d, rows)


def test_the_others_are_views():
    z, y, z_gallery, y_gallery = queries_and_gallery()
    scores = retrieval_scores(z, y, z_gallery, y_gallery, k=KS)
    for view in (mean_average_precision, map_at_r, r_precision):
        assert view(z, y, z_gallery, y_gallery) == scores[view.__name__]
        assert isinstance(scores[view.__name__], float)
    np.testing.assert_array_equal(cmc(z, y, z_gallery, y_gallery, k=KS), scores["cmc"])
    np.testing.assert_array_equal(precision_at_k(z, y, z_gallery, y_gallery, k=KS), scores["precision_at_k"])
    np.testing.assert_array_equal(recall_at_k(z, y, z_gallery, y_gallery, k=KS), scores["recall_at_k"])
    assert precision_at_k(z, y, z_gallery, y_gallery, k=3) == scores["precision_at_k"][1]


@pytest.mark.parametrize("ties", [False, True])
def test_the_order_of_rows_and_the_names_of_classes_do_not_matter(ties):
    z, y, z_gallery, y_gallery = queries_and_gallery(ties=ties)
    rng = np.random.default_rng(1)
    a, b = rng.permutation(len(z)), rng.permutation(len(z_gallery))
    names = np.array(list("qwertyuiop"))
    shuffled = retrieval_scores(z[a], names[y[a]], z_gallery[b], names[y_gallery[b]])
    np.testing.assert_allclose(as_row(shuffled), as_row(retrieval_scores(z, y, z_gallery, y_gallery)))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_equal_points_are_ties_wherever_they_stand(metric, dtype):
    rng = np.random.default_rng(0)
    z, gallery = rng.normal(size=(53, 17)).astype(dtype), rng.normal(size=(101, 17)).astype(dtype)
    z_gallery, y_gallery = np.repeat(gallery, 2, axis=0), np.tile([0, 1], 101)  # each point once in either class
    order = rng.permutation(202)
    scores = retrieval_scores(z, np.arange(53) % 2, z_gallery[order], y_gallery[order], k=[1, 2], metric=metric)
    assert scores["mean_average_precision"] == pytest.approx(0.5, abs=1e-5)  # 1/2, 2/4, 3/6, ...
    np.testing.assert_array_equal(scores["cmc"], [0, 1])


def test_what_has_collapsed_scores_as_badly_as_it_should():
    y = np.repeat([0, 1], 10)
    scores = retrieval_scores(np.ones((20, 2)), y)
    assert [scores["map_at_r"], scores["r_precision"], *scores["cmc"][:2]] == [0, 0, 0, 0]
    assert scores["cmc"][2] == 0  # ten rows of the other class come first
    assert mean_average_precision(np.ones((20, 2)), y) == pytest.approx(np.mean(np.arange(1, 10) / np.arange(11, 20)))


def test_far_from_the_origin_nothing_is_lost():
    z, y, z_gallery, y_gallery = queries_and_gallery()
    near, far = (map_at_r(z + shift, y, z_gallery + shift, y_gallery) for shift in (0, 2.0**20))
    assert far == pytest.approx(near, abs=1e-6)


def test_single_precision_stays_and_agrees():
    z, y, z_gallery, y_gallery = queries_and_gallery()
    single = retrieval_scores(z.astype(np.float32), y, z_gallery.astype(np.float32), y_gallery)
    np.testing.assert_allclose(as_row(single), as_row(retrieval_scores(z, y, z_gallery, y_gallery)), atol=1e-3)


def test_memory_is_that_of_a_chunk(monkeypatch):
    monkeypatch.setattr(_ranks, "CHUNK", 2**16)
    rng = np.random.default_rng(0)
    z, y = rng.normal(size=(1500, 2)), rng.integers(3, size=1500)
    retrieval_scores(z[:50], y[:50])
    tracemalloc.start()
    try:
        retrieval_scores(z, y)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 16 * 2**16 + 50 * z.nbytes < 8 * len(z) ** 2 / 5


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (([[1.0]], [0, 1]), {}, "z has 1 rows and y 2"),
        (([[1.0], [2.0]], [0, 0], [[1.0]], [0, 1]), {}, "z_gallery 1 and y_gallery 2"),
        (([[1.0], [2.0]], [0, 0], [[1.0, 2.0]], [0]), {}, "z has 1 columns and z_gallery 2"),
        (([[1.0], [2.0]], [0, 0], [[1.0]]), {}, "z_gallery and y_gallery should be given together"),
        (([[1.0], [2.0]], [0, 1]), {}, "no query has a sample of its class"),
        (([[1.0], [np.nan]], [0, 0]), {}, "z contains NaN"),
        (([[1.0], [2.0]], [0, 0]), {"k": 0}, "k=0 should be"),
        (([[1.0], [2.0]], [0, 0]), {"k": [1.5]}, r"k=\[1.5\] should be"),
        (([[1.0], [2.0]], [0, 0]), {"metric": "manhattan"}, "metric='manhattan' is unknown"),
    ],
)
def test_what_is_wrong_is_named(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        retrieval_scores(*arguments, **options)


def test_close_directions_in_single_precision():
    rng = np.random.default_rng(0)
    y = np.repeat(np.arange(20), 5)
    z = np.eye(1, 8).repeat(100, 0) + 1e-3 * rng.normal(size=(20, 8))[y] + 1e-6 * rng.normal(size=(100, 8))
    assert map_at_r(z.astype(np.float32), y, metric="cosine") == map_at_r(z, y, metric="cosine") == 1
