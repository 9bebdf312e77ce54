"""FaissKNeighborsTransformer: scikit-learn's neighbours, up to what an approximate index misses."""

import pickle

import numpy as np
import pytest
from sklearn.neighbors import KNeighborsClassifier, KNeighborsTransformer, NearestNeighbors
from sklearn.pipeline import make_pipeline

from metricnets import LDA, FaissKNeighborsTransformer

RNG = np.random.default_rng(0)
X, QUERIES = RNG.normal(size=(600, 8)), RNG.normal(size=(50, 8))
Y = (X[:, 0] > 0).astype(int)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_the_flat_index_finds_what_scikit_learn_finds(metric):
    distances, indices = FaissKNeighborsTransformer(metric=metric).fit(X).kneighbors(QUERIES, 7)
    exact, expected = NearestNeighbors(metric=metric).fit(X).kneighbors(QUERIES, 7)
    np.testing.assert_array_equal(indices, expected)
    np.testing.assert_allclose(distances, exact, atol=1e-6)


def test_far_from_the_origin_the_neighbours_are_the_same():
    here, there = (FaissKNeighborsTransformer().fit(X + far).kneighbors(QUERIES + far) for far in (0, 1e6))
    np.testing.assert_array_equal(there[1], here[1])
    np.testing.assert_allclose(there[0], here[0], atol=1e-5)


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
@pytest.mark.parametrize("unit", [1e-30, 1e30])
def test_units_do_not_matter(metric, unit):
    distances, indices = FaissKNeighborsTransformer(metric=metric).fit(X * unit).kneighbors(QUERIES * unit)
    exact, expected = NearestNeighbors(metric=metric).fit(X).kneighbors(QUERIES, 5)
    np.testing.assert_array_equal(indices, expected)
    np.testing.assert_allclose(distances, exact * (unit if metric == "euclidean" else 1), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("factory", "params"), [("Flat", None), ("HNSW32", {"efSearch": 500}), ("IVF8,Flat", {"nprobe": 8})]
)
def test_distances_of_near_points_keep_their_digits(factory, params):
    rng = np.random.default_rng(1)
    points = rng.normal(size=(500, 64))
    queries = points[:100] + 1e-4 * rng.normal(size=(100, 64))
    model = FaissKNeighborsTransformer(n_neighbors=1, factory=factory, search_params=params).fit(points)
    distances = model.kneighbors(queries)[0][:, 0]
    np.testing.assert_allclose(distances, np.linalg.norm(queries - points[:100], axis=1), rtol=1e-2)


@pytest.mark.parametrize("mode", ["distance", "connectivity"])
def test_the_graph_is_that_of_scikit_learn(mode):
    graphs = [
        cls(n_neighbors=3, mode=mode).fit(X).transform(QUERIES)
        for cls in (FaissKNeighborsTransformer, KNeighborsTransformer)
    ]
    np.testing.assert_allclose(*(graph.toarray() for graph in graphs), atol=1e-6)


def test_a_pipeline_predicts_as_neighbours_do():
    model = make_pipeline(LDA(), FaissKNeighborsTransformer(), KNeighborsClassifier(metric="precomputed")).fit(X, Y)
    expected = make_pipeline(LDA(), KNeighborsClassifier()).fit(X, Y)
    np.testing.assert_array_equal(model.predict(QUERIES), expected.predict(QUERIES))


@pytest.mark.parametrize(
    ("factory", "name", "few", "many"), [("HNSW8", "efSearch", 8, 200), ("IVF8,Flat", "nprobe", 1, 8)]
)
def test_a_wider_search_finds_all(factory, name, few, many):
    exact = NearestNeighbors(n_neighbors=5).fit(X).kneighbors(QUERIES, return_distance=False)
    recall = []
    for width in (few, many):
        model = FaissKNeighborsTransformer(factory=factory, search_params={name: width}).fit(X)
        found = model.kneighbors(QUERIES, return_distance=False)
        recall.append(np.mean([np.isin(*rows).mean() for rows in zip(exact, found)]))
        again = pickle.loads(pickle.dumps(model)).kneighbors(QUERIES, return_distance=False)
        np.testing.assert_array_equal(again, found)
    assert recall[0] < recall[1]
    assert recall[1] > 0.99


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"factory": "nonsense"}, "factory='nonsense'"),
        ({"search_params": {"nonsense": 3}}, r"search_params=\{'nonsense': 3\}"),
        ({"factory": "HNSW8", "search_params": {"efSearch": "many"}}, r"search_params=\{'efSearch': 'many'\}"),
        ({"factory": "IVF700,Flat"}, "factory='IVF700,Flat'"),
    ],
)
def test_what_faiss_does_not_take_is_named(params, message):
    with pytest.raises(ValueError, match=message):
        FaissKNeighborsTransformer(**params).fit(X)


def test_a_search_that_visits_too_few_says_so():
    model = FaissKNeighborsTransformer(factory="IVF8,Flat").fit(X)
    with pytest.raises(ValueError, match="search_params"):
        model.kneighbors(QUERIES, 500)


def test_more_neighbours_than_samples_say_why():
    few = FaissKNeighborsTransformer().fit(X[:5])
    for call, message in {
        lambda: few.transform(X): "n_neighbors=5 should be less than the number of samples, 5, as with mode='distance'",
        lambda: few.kneighbors(X, 6): "n_neighbors=6 is larger than the number of samples, 5",
        lambda: few.kneighbors(X, 2.0): "n_neighbors=2.0 should be an integer from 1",
    }.items():
        with pytest.raises(ValueError, match=message):
            call()
    assert few.set_params(mode="connectivity").transform(X[:5]).nnz == 25
