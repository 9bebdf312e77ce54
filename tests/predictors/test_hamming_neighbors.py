"""HammingNeighbors: the nearest codes, whatever their form, the same ones every time."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.neighbors import NearestNeighbors

from metricnets import HammingNeighbors
from metricnets.metrics import hamming_distances, pack_codes

RNG = np.random.default_rng(0)
DATABASE, QUERIES = RNG.choice([-1.0, 1.0], size=(200, 13)), RNG.choice([-1.0, 1.0], size=(9, 13))


@pytest.mark.parametrize("k", [1, 7, 200])
@pytest.mark.parametrize("n_bits", [1, 13, 300])
def test_neighbours_are_those_of_a_stable_sort(n_bits, k):
    database, queries = RNG.choice([-1.0, 1.0], size=(200, n_bits)), RNG.choice([-1.0, 1.0], size=(9, n_bits))
    d = hamming_distances(queries, database)
    expected = np.argsort(d, axis=1, kind="stable")[:, :k]
    distances, indices = HammingNeighbors(n_neighbors=k).fit(database).kneighbors(queries)
    assert_array_equal(indices, expected)
    assert_array_equal(distances, np.take_along_axis(d, expected, axis=1))
    assert distances.dtype == np.int32


def test_packed_codes_have_the_same_neighbours():
    expected = HammingNeighbors().fit(DATABASE).kneighbors(QUERIES)
    for found, known in zip(HammingNeighbors().fit(pack_codes(DATABASE)).kneighbors(pack_codes(QUERIES)), expected):
        assert_array_equal(found, known)


def test_distances_are_those_of_scikit_learn():
    distances = HammingNeighbors(n_neighbors=8).fit(DATABASE).kneighbors(QUERIES)[0]
    other = NearestNeighbors(n_neighbors=8, metric="hamming").fit(DATABASE > 0).kneighbors(QUERIES > 0)[0]
    assert_array_equal(distances, np.rint(13 * other))


def test_a_code_of_the_database_is_not_its_own_neighbour():
    codes = np.repeat(DATABASE[:4], 2, axis=0)  # each occurs twice
    distances, indices = HammingNeighbors().fit(codes).kneighbors(n_neighbors=1)
    assert_array_equal(indices.ravel(), np.arange(8) ^ 1)
    assert not distances.any()


def test_wrong_numbers_and_forms_are_refused():
    search = HammingNeighbors().fit(DATABASE)
    for k in (0, 201):
        with pytest.raises(ValueError, match="between 1 and 200"):
            search.kneighbors(QUERIES, n_neighbors=k)
    with pytest.raises(ValueError, match="between 1 and 199"):
        search.kneighbors(n_neighbors=200)
    with pytest.raises(ValueError, match="features"):
        search.kneighbors(pack_codes(QUERIES))
    with pytest.raises(ValueError, match="pack both"):
        search.kneighbors((QUERIES > 0).astype(np.uint8))
    with pytest.raises(ValueError, match="an array of uint8"):
        HammingNeighbors().fit(pack_codes(DATABASE).tolist())
    with pytest.raises(ValueError, match="NaN"):
        search.kneighbors(QUERIES * np.nan)
