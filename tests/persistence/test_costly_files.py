"""Small files that would take endless time or memory, or call something: each is refused at once."""

import copy
import sys

import numpy as np
import pytest
from discovery import tiny_points
from saved_files import read, write
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier

from metricnets import LDA, load, save
from metricnets.exceptions import SavedFileError

X, CLASSES = tiny_points()


def endless(kind):
    """Values each of which has the one before twice, so that the last one has 2 ** 60."""
    return [{kind: [1, 1]}, *({kind: [{"same": i}, {"same": i}]} for i in range(60))]


def generator(entropy):
    state = {"state": {"int": "0x1"}, "inc": {"int": "0x1"}}
    state = {"bit_generator": "PCG64", "state": {"dict": state}, "has_uint32": 0, "uinteger": 0}
    seed = {"entropy": entropy, "spawn_key": {"tuple": []}, "pool_size": 4, "n_children_spawned": 0}
    return {"Generator": {"state": {"dict": state}, "seed": {"dict": seed}}}


LAST = {"same": 60}
TENSOR = {"tensor": {"array": {"array": {"name": "a"}}}}
CELLS = {"array": {"name": "a"}}
SPARSE = {"format": "csr_array", "shape": [1, 1], **{part: {"same": 0} for part in ("data", "indices", "indptr")}}
FRAME = [{"list": [{"same": 0}]}, [{"list": [*range(1000)]}, None], [{"list": ["a"]}, None]]
COSTLY = {
    "to print": ([*endless("list"), {"named_tuple": [LAST]}], "more than 67108864 values"),
    "to hash": ([*endless("tuple"), {"RandomState": {"dict": {"bit_generator": LAST}}}], "more than 67108864 values"),
    "to seed": ([*endless("list")[:20], generator({"same": 19})], "the seed of a generator has more than 1000 numbers"),
    "to count": ([generator({"range": [0, 2**40, 1]})], "the seed of a generator has a range"),
    "to shift": ([generator({"int": "0x" + "f" * 10**6})], "integer of more than 65536 bits"),
    "to compare": ([{"dict": [[{"int": hex(k * (2**61 - 1))}, 1] for k in range(3, 300)]}], "hashes are equal"),
    "to multiply": ([{"array": {"objects": [], "shape": [10**4000] * 40}}], "0 entries of an array"),
    "to parse": ([{"dtype": "i4," * 10**5}], "a wrong name of a type of numbers"),
    "to unpack": ([{"partial": [{"name": "numpy.log"}, {"range": [0, 2**40, 1]}, {"dict": {}}]}], "range instead of a"),
    "to copy": ([TENSOR, *[{"tensor": {"array": {"same": 0}}}] * 1000], "two tensors of one array"),
    "to view": ([TENSOR, TENSOR], "KeyError: 'a'"),
    "to check": ([{"array": {"name": "i"}}, *[{"sparse": SPARSE}] * 101], "it uses a ndarray more than 100 times"),
    "to join": ([CELLS, *[{"frame": FRAME}] * 101], "it uses a ndarray more than 100 times"),
    "to import": ([TENSOR, {"torch_dtype": "_inductor"}], "torch._inductor as a type"),
}


@pytest.mark.parametrize("way", COSTLY)
def test_what_would_take_long_is_refused(way, tmp_path):
    values, why = COSTLY[way]
    save(LDA(), tmp_path / "file")
    content, _ = read(tmp_path / "file")
    content["value"]["object"]["state"]["preprocessor"] = {"list": values}
    write(tmp_path / "file", content, {"a": np.zeros(1000), "i": np.zeros(2, int)})
    before = "torch._inductor" in sys.modules
    with pytest.raises(SavedFileError, match=why) as caught:
        load(tmp_path / "file")
    assert len(str(caught.value)) < 1000
    assert ("torch._inductor" in sys.modules) == before


def test_functions_are_not_called_to_build_search_trees(tmp_path):
    calls = []

    def manhattan(a, b):
        calls.append(1)
        return np.abs(a - b).sum()

    model = KNeighborsClassifier(3, algorithm="ball_tree", metric=manhattan).fit(X, CLASSES)
    assert calls
    expected = model.predict_proba(X[:5])
    model.metric = model.effective_metric_ = np.hypot
    save(model, tmp_path / "file")
    loaded = load(tmp_path / "file")
    loaded.effective_metric_ = manhattan
    np.testing.assert_array_equal(loaded.predict_proba(X[:5]), expected)


@pytest.mark.parametrize("metric", [{"name": "numpy.hypot"}, "pyfunc"])
def test_search_trees_that_would_call_a_function_are_refused(metric, tmp_path):
    save(KNeighborsClassifier(3, algorithm="ball_tree").fit(X, CLASSES), tmp_path / "file")
    content, arrays = read(tmp_path / "file")
    content["value"]["object"]["state"]["effective_metric_"] = metric
    write(tmp_path / "file", content, arrays)
    with pytest.raises(SavedFileError, match="search tree whose metric is a function"):
        load(tmp_path / "file")


@pytest.mark.parametrize("name", ["n_features_in_", "n_samples_fit_", "_y"])
def test_numbers_of_another_type_are_refused(name, tmp_path):
    save(KNeighborsClassifier(3).fit(X, CLASSES), tmp_path / "file")
    content, arrays = read(tmp_path / "file")
    content["value"]["object"]["state"][name] = {"partial": [{"name": "numpy.log"}, {"tuple": []}, {"dict": {}}]}
    write(tmp_path / "file", content, arrays)
    with pytest.raises(SavedFileError, match=r"partial instead of an int|are no array|KeyError"):
        load(tmp_path / "file")


def test_a_number_of_threads_that_no_machine_has_is_refused(tmp_path):
    save(KMeans(2, n_init=1, random_state=0).fit(X), tmp_path / "file")
    content, arrays = read(tmp_path / "file")
    content["value"]["object"]["state"]["_n_threads"] = 10**6
    write(tmp_path / "file", content, arrays)
    with pytest.raises(SavedFileError, match="_n_threads=1000000, and a machine has 4096 threads at most"):
        load(tmp_path / "file")
    save(ColumnTransformer([], n_jobs=10**6), tmp_path / "file")
    with pytest.raises(SavedFileError, match="n_jobs=1000000, and a machine has"):
        load(tmp_path / "file")


def test_many_estimators_that_search_the_same_points_are_refused(tmp_path):
    model = KNeighborsClassifier(3, algorithm="kd_tree").fit(X, CLASSES)
    save(LDA(preprocessor=[copy.copy(model) for _ in range(100)]), tmp_path / "file")
    assert len(load(tmp_path / "file").preprocessor) == 100
    save(LDA(preprocessor=[copy.copy(model) for _ in range(101)]), tmp_path / "file")
    with pytest.raises(SavedFileError, match="it uses a ndarray more than 100 times"):
        load(tmp_path / "file")


def test_a_search_with_endless_scorers_is_refused(tmp_path):
    save(GridSearchCV(LDA(), {}, scoring=["accuracy"] * 101), tmp_path / "file")
    content, arrays = read(tmp_path / "file")
    content["value"]["object"]["state"]["scorer_"] = None
    write(tmp_path / "file", content, arrays)
    with pytest.raises(SavedFileError, match="the scorer of a search has no name"):
        load(tmp_path / "file")


@pytest.mark.parametrize("kind", [CountVectorizer, TfidfVectorizer])
def test_texts_that_are_names_of_files_are_refused(kind, tmp_path):
    with pytest.raises(ValueError, match="input='filename', by which it reads files; set it to 'content'"):
        save(kind(input="filename"), tmp_path / "file")
    save(kind(), tmp_path / "file")
    content, arrays = read(tmp_path / "file")
    content["value"]["object"]["state"]["input"] = "filename"
    write(tmp_path / "file", content, arrays)
    with pytest.raises(SavedFileError, match="input='filename', by which it reads files"):
        load(tmp_path / "file")
