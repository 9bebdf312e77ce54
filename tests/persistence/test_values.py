"""Values of parameters and attributes in files: each has the same type and bits afterwards, or is refused by name."""

import datetime
import functools
import io
import json
import os
import threading
from collections import Counter, OrderedDict
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from discovery import tiny_points
from scipy import sparse
from sklearn.ensemble import RandomForestClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from torch import nn

from metricnets import LDA, EmbeddingNet, load, losses, save
from metricnets.exceptions import SavedFileError

NUMBERS = [
    *(float("inf"), -float("inf"), -0.0, 5e-324, 0.1, 2**63, -(2**63), 10**4400, True, None, 1 + 2j, -0.0j),
    *("\ud800é\x00", b"\x00\xff", np.float32(1.1), np.int64(-3), np.str_("é"), np.bool_(True), np.complex128(1j)),
    *(np.datetime64("2020-01-01"), np.dtype(np.float32), np.float64, float, slice(1, None), range(5)),
    *(Path("runs"), np.log, losses.triplet, torch.float32, torch.device("cuda", 1), torch.Size([1, 2])),
]
CONTAINERS = [
    *((1, [2, (3,)]), [], (), {1: 2, (1, "a"): None, None: 3, 2.5: 1, False: 0}, {"a": {"b": [1.5]}}, {3, 1, 2}),
    *(frozenset({"x"}), OrderedDict(b=1, a=2), {np.int64(3): "a"}),
]
ARRAYS = {
    "0-d": np.array(3.0),
    "empty": np.zeros((0, 3)),
    "strings": np.array(["a", "bcd"]),
    "bytes": np.array([b"a"]),
    "complex": np.array([[1 + 2j]]),
    "times": np.array(["2020", "NaT"], "M8[s]"),
    "the other byte order": np.arange(3, dtype=">i4"),
    "objects": np.array([[None, "a"], [1.5, (1, 2)]], object),
    "lists": np.array([None, [1], [2]], object)[1:],
    "columns first": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "a slice": np.arange(10, dtype=np.uint8)[::2],
    "columns of a slice": np.asfortranarray(np.arange(12.0).reshape(3, 4))[:2],
    "truth": np.array([True, False]),
    "half": np.array([np.nan, 65504], np.float16),
    "not finite": np.array([np.nan, np.inf, -np.inf]),
}
TENSORS = [
    *(torch.ones(2, 3).t(), torch.tensor([1.5], dtype=torch.bfloat16), torch.tensor(3), torch.zeros(0, 2)),
    *(torch.tensor([True]), torch.tensor([1j]), torch.ones(2, requires_grad=True)),
    nn.Parameter(torch.ones(2), requires_grad=False),
]


@pytest.fixture
def again(tmp_path):
    def again(value):
        save(LDA(preprocessor=value), tmp_path / "file")
        return load(tmp_path / "file").preprocessor

    return again


def test_numbers_and_containers_are_the_same(again):
    for value, loaded in zip(CONTAINERS, again(CONTAINERS), strict=True):
        assert loaded == value
        assert repr(loaded) == repr(value)
    for value, loaded in zip(NUMBERS, again(NUMBERS), strict=True):
        assert type(loaded) is type(value)
        assert loaded == value
    assert str(again(-0.0)) == "-0.0"
    assert np.isnan(again(float("nan")))


@pytest.mark.parametrize("kind", ARRAYS)
def test_arrays_have_the_same_bytes_and_order(kind, again):
    array = ARRAYS[kind]
    loaded = again(array)
    assert (loaded.dtype, loaded.shape, loaded.tolist().__repr__()) == (array.dtype, array.shape, repr(array.tolist()))
    assert loaded.flags.writeable
    assert loaded.flags.fnc == array.copy(order="K").flags.fnc  # as products may differ in their last bits


def test_tensors_are_the_same(again):
    for tensor, loaded in zip(TENSORS, again(TENSORS), strict=True):
        assert type(loaded) is type(tensor)
        assert torch.equal(loaded, tensor)
        assert (loaded.dtype, loaded.requires_grad) == (tensor.dtype, tensor.requires_grad)
        assert not tensor.numel() or loaded.stride() == tensor.stride()


def test_names_of_arrays_are_text_that_other_programs_read(again, tmp_path):
    value = {"é": np.zeros(3), "\ud800": np.ones(2), "?": np.zeros(1), '"\\\x07': np.zeros(0)}
    loaded = again(value)
    assert [(name, array.tolist()) for name, array in loaded.items()] == [(n, a.tolist()) for n, a in value.items()]
    header = (tmp_path / "file").read_bytes()
    length = int.from_bytes(header[:8], "little")
    places = [part["data_offsets"][0] for name, part in json.loads(header[8 : 8 + length]).items() if name[0] != "_"]
    assert (8 + length) % 8 == 0
    assert places == sorted(places)


def test_sparse_matrices_and_partial_functions(again):
    matrix = sparse.csr_matrix(np.eye(5, 4) * [1.5, 0, 2, 3])
    for value in (matrix, sparse.csc_matrix(matrix)):
        assert type(again(value)) is type(value)
        assert (again(value) != value).nnz == 0
    loss = again(functools.partial(losses.triplet, margin=0.3))
    assert (loss.func, loss.args, loss.keywords) == (losses.triplet, (), {"margin": 0.3})


@pytest.mark.parametrize("bits", ["MT19937", "PCG64", "PCG64DXSM", "Philox", "SFC64"])
def test_generators_go_on_as_they_would_have(bits, again):
    make = getattr(np.random, bits)
    old = np.random.RandomState(make(3)), np.random.Generator(make(3))
    for generator in old:
        generator.normal(size=3), generator.random(5, dtype=np.float32) if generator is old[1] else None
    new = again(old)
    for one, other in zip(new, old, strict=True):
        np.testing.assert_array_equal(one.normal(size=700), other.normal(size=700))
    assert new[1].spawn(1)[0].random() == old[1].spawn(1)[0].random()


def test_what_is_shared_stays_shared_and_what_is_not_stays_apart(again):
    inner, array = [1], np.arange(3)
    first, second, (third,), fourth, other = again([inner, inner, (inner,), array, array])
    assert first is second is third
    assert fourth is other
    assert (again([[1], [1]])[0] is again([[1], [1]])[1]) is False


class Cube:
    """An object whose only attribute is its size."""

    def __init__(self, size):
        self.size = size


def test_objects_of_the_users_are_loaded_if_they_are_trusted(tmp_path):
    save(LDA(preprocessor=Cube(3)), tmp_path / "file")
    with pytest.raises(SavedFileError, match=r"file cannot be loaded: it needs .*\.Cube, .* trusted=\[Cube\]"):
        load(tmp_path / "file")
    assert load(tmp_path / "file", trusted=[Cube]).preprocessor.size == 3
    with pytest.raises(TypeError, match="trusted has 'Cube'; give classes and functions themselves"):
        load(tmp_path / "file", trusted=["Cube"])
    with pytest.raises(TypeError, match="should be a list of classes"):
        load(tmp_path / "file", trusted=Cube)


def test_a_class_of_a_script_is_found_where_it_was_imported_from(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(Cube, "__module__", "__main__")
        save(LDA(preprocessor=Cube(3)), tmp_path / "file")
    assert type(load(tmp_path / "file", trusted=[Cube]).preprocessor) is Cube


FRAMES = {
    "names": pd.DataFrame(np.eye(2), index=["a", "b"], columns=pd.Index(["x", "y"], name="second")),
    "numbers": pd.DataFrame({1: [True, False], 2.5: [0.5, np.nan]}, index=[10, 20]).astype({2.5: np.float32}),
    "one name twice": pd.DataFrame([[1, 2]], columns=["a", "a"]),
}


@pytest.mark.parametrize("kind", FRAMES)
def test_data_frames_of_numbers_are_the_same(kind, again):
    pd.testing.assert_frame_equal(again(FRAMES[kind]), FRAMES[kind], check_index_type="equiv")


def test_arrays_with_a_mask_are_the_same(again):
    for array in (np.ma.array([1, 2], mask=[True, False]), np.ma.array([None, "a"], object), np.ma.zeros((0, 2))):
        loaded = again(array)
        assert (type(loaded), loaded.dtype, loaded.shape) == (type(array), array.dtype, array.shape)
        assert (loaded.tolist(), loaded.data.tolist()) == (array.tolist(), array.data.tolist())


def test_arguments_in_the_wrong_order(tmp_path):
    with pytest.raises(TypeError, match="path=LDA.* should be the name of a file"):
        save(str(tmp_path / "file"), LDA())


def nested(n):
    value = []
    for _ in range(n):
        value = [value]
    return value


CYCLE = []
CYCLE.append(CYCLE)
HOOKED = nn.Linear(2, 2)
HOOKED.register_forward_hook(lambda *_: None)
REFUSED = {
    "a data frame of text": (pd.DataFrame({"a": ["b"]}), "columns that are no numbers; give an array"),
    "a data frame of several levels": (pd.DataFrame(np.eye(2), index=[list("aa"), list("bc")]), "of pandas, .*; give"),
    "a column": (pd.Series([1.0]), "it is of pandas, .*; give an array"),
    "a lambda": (lambda x: x, "a lambda or a function of a function"),
    "a lock": ([threading.Lock()], r"lock"),
    "an iterator": (iter([]), "list_iterator"),
    "records": (np.zeros(2, "i4,f8"), "not supported"),
    "numbers of this machine": (np.zeros(2, np.longdouble), "not supported"),
    "nested keys": ({(1, (2,)): 3}, "as a key"),
    "a dictionary that counts": (Counter("a"), "Counter"),
    "a date": (datetime.date(2020, 1, 1), "datetime.date"),
    "a list that contains itself": (CYCLE, "contains itself"),
    "200 lists": (nested(200), "nested"),
    "a sparse tensor": (torch.ones(2).to_sparse(), "no plain array"),
    "a generator of PyTorch": (torch.Generator(), "Generator"),
    "hooks": (HOOKED, "_forward_hooks, which are code"),
    "a method": ([1].append, "method"),
    "a module": (os, "module"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_saved_is_named(kind, tmp_path):
    value, why = REFUSED[kind]
    with pytest.raises(TypeError, match=rf"(?s)LDA\.preprocessor.*{why}"):
        save(LDA(preprocessor=value), tmp_path / "file")
    assert [*tmp_path.iterdir()] == []


def test_trees_and_folders_of_pickles_are_refused(tmp_path):
    X, y = tiny_points()
    with pytest.raises(TypeError, match=r"estimators_\[0\]\.tree_ cannot be saved: it is of sklearn\.tree"):
        save(RandomForestClassifier(1).fit(X, y), tmp_path / "file")
    with pytest.raises(TypeError, match=r"GridSearchCV cannot be saved with scoring=<.*, or save best_estimator_ a"):
        save(GridSearchCV(LDA(), {"n_components": [1]}, cv=2, scoring=lambda *_: 1.0).fit(X, y), tmp_path / "file")
    with pytest.raises(TypeError, match=r"SearchCV\.param_grid\['C'\] .* of _io\.BytesIO\. Save best_estimator_ alone"):
        save(GridSearchCV(LDA(), {"C": io.BytesIO()}), tmp_path / "file")
    with pytest.raises(ValueError, match="memory='cache', a folder of pickles; set it to None"):
        save(Pipeline([("lda", LDA())], memory="cache"), tmp_path / "file")
    with pytest.raises(TypeError, match=r"EmbeddingNet\.callbacks\[0\]"):
        save(EmbeddingNet(callbacks=[lambda: None]), tmp_path / "file")
