"""Wrong files: each is an error of one kind, and nothing is run."""

import contextlib
import json
import os
import pathlib
import struct

import numpy as np
import pytest
from discovery import fitted, tiny_points
from saved_files import Watch, changed_bytes, changed_content, read, replaced, write
from scipy import sparse
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline

from metricnets import LDA, load, save
from metricnets.exceptions import SavedFileError

X, CLASSES = tiny_points()
WATCH = Watch()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file"


@pytest.mark.parametrize("name", ["LDA", "OASIS", "DDML"])
def test_changed_bytes_are_noticed(name, path):
    save(fitted(name), path)
    data = path.read_bytes()
    for seed in range(60):
        path.write_bytes(changed_bytes(data, seed))
        with pytest.raises(SavedFileError, match=f"^{path} cannot be loaded: "):
            load(path)


@pytest.mark.parametrize("name", ["LDA", "OASIS", "DDML", "MLKNN"])
def test_another_content_is_loaded_or_an_error_whatever_it_says(name, path):
    save(fitted(name), path)
    content, arrays = read(path)
    n_refused = 0
    for seed in range(60):
        write(path, *changed_content(content, arrays, seed))
        with WATCH as done:
            try:
                loaded = load(path)
            except SavedFileError:
                n_refused += 1
                continue
            with contextlib.suppress(Exception):
                (loaded.predict if hasattr(loaded, "predict") else loaded.transform)(X)
    assert n_refused > 10
    assert done == []


def test_what_is_done_to_the_system_is_noticed(tmp_path):
    with WATCH as done:
        (tmp_path / "folder").mkdir()
        (tmp_path / "file").write_text("")
    assert [event for event, _ in done] == ["os.mkdir", "open"]
    done.clear()


def with_header(text):
    return struct.pack("<Q", len(text)) + text.encode() + b"xx"


OTHERS = {
    "nothing": b"",
    "random bytes": np.random.default_rng(0).bytes(10**6),
    "a pickle": b"\x80\x04\x95\x12\x00\x00\x00\x00\x00\x00\x00\x8c\x02os\x94\x8c\x06getcwd\x94\x93\x94)R\x94.",
    "a header of 2 ** 62 bytes": struct.pack("<Q", 2**62) + b"{}",
    "two arrays of one name": with_header(
        '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}'
    ),
    "an array larger than the file": with_header(
        '{"a":{"dtype":"F64","shape":[1099511627776],"data_offsets":[0,8796093022208]}}'
    ),
    "another program's": with_header("{}"),
    "deep JSON": with_header("[" * 100_000),
    "deep JSON within": with_header(json.dumps({"__metadata__": {"metricnets": "[" * 100_000}})),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_other_files_are_refused(kind, path):
    path.write_bytes(OTHERS[kind])
    with pytest.raises(SavedFileError, match=f"^{path} cannot be loaded: "):
        load(path)


def test_no_file_is_the_usual_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing"):
        load(tmp_path / "nothing")
    with pytest.raises(IsADirectoryError):
        load(tmp_path)


def refusal(path, content, arrays):
    write(path, content, arrays)
    with pytest.raises(SavedFileError) as caught:
        load(path)
    return str(caught.value)


@pytest.mark.parametrize("name", ["os.system", "posix.system", "builtins.eval", "metricnets.save", "sklearn.svm.SVC"])
def test_functions_and_classes_that_are_not_known_are_named_and_not_imported(name, path):
    save(LDA(preprocessor=np.log), path)
    content, arrays = read(path)
    assert f"it needs {name}, which" in refusal(path, replaced(content, {"name": "numpy.log"}, {"name": name}), arrays)
    assert f"it needs {name}, which" in refusal(path, replaced(content, "metricnets.LDA", name), arrays)


class Evil:
    def __reduce__(self):
        return (pathlib.Path.mkdir, (pathlib.Path("ran"),))


def test_a_file_that_would_run_code_runs_none(path, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TypeError, match="Evil"):
        save(LDA(preprocessor=Evil()), path)
    save(LDA(preprocessor=np.log), path)
    content, arrays = read(path)
    call = {"partial": [{"name": "os.mkdir"}, {"tuple": ["ran"]}, {"dict": {}}]}
    assert "os.mkdir" in refusal(path, replaced(content, {"name": "numpy.log"}, call), arrays)
    for kind, tree in {"reduce": ["os.mkdir", ["ran"]], "eval": "1"}.items():
        refusal(path, replaced(content, {"name": "numpy.log"}, {kind: tree}), arrays)
    assert not os.path.exists("ran")


@pytest.fixture
def neighbors(path):
    """The content of a file of a classifier by neighbours, of which an array is replaced."""
    save(KNeighborsClassifier(3).fit(X, CLASSES), path)
    content, arrays = read(path)

    def with_arrays(**changed):
        return content, arrays | changed

    return with_arrays


def test_numbers_that_compiled_code_would_believe_are_checked(path, neighbors):
    assert "are not among classes_" in refusal(path, *neighbors(_y=np.full(45, 3)))
    assert "are not among classes_" in refusal(path, *neighbors(_y=np.full(45, -1)))
    assert "no array of shape (n, 4)" in refusal(path, *neighbors(_fit_X=X[:, :3].copy()))
    assert "44 samples to search, and 45 were fitted" in refusal(path, *neighbors(_fit_X=X[:44]))


def test_components_of_another_number_of_features_are_refused(path):
    save(fitted("LDA"), path)
    content, arrays = read(path)
    assert "no array of shape (n, 4)" in refusal(path, content, arrays | {"components_": np.eye(3)})


def test_states_that_numpy_does_not_check_are_checked(path):
    save(LDA(preprocessor=np.random.RandomState(0)), path)
    content, arrays = read(path)
    assert "pos out of range" in refusal(path, replaced(content, 624, 10**6), arrays)
    save(LDA(preprocessor=np.random.default_rng(0)), path)
    content, arrays = read(path)
    assert "pool of 1099511627776" in refusal(path, replaced(content, 4, 2**40), arrays)
    save(LDA(preprocessor=np.ones(3, bool)), path)
    content, arrays = read(path)
    truth = {"preprocessor": np.frombuffer(bytes([1, 2, 0]), bool)}
    assert "truth values other than 0 and 1" in refusal(path, content, truth)
    matrix = sparse.csr_array(np.eye(3))
    save(LDA(preprocessor=matrix), path)
    content, arrays = read(path)
    assert "must be < 3" in refusal(path, content, arrays | {"preprocessor.indices": matrix.indices + 1})


def test_a_folder_of_pickles_is_refused(path):
    save(Pipeline([("lda", LDA())]), path)
    content, arrays = read(path)
    state = content["value"]["object"]["state"]
    state["memory"] = "cache"
    assert "memory='cache', a folder of pickles" in refusal(path, content, arrays)


def test_a_failure_leaves_the_file_as_it_was(path, monkeypatch):
    save(LDA(n_components=2), path)
    before = path.read_bytes()

    def full(*args):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(OSError, match="No space left"):
            save(LDA(), path)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_where_and_what_can_be_written_and_read(path, tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder .*nowhere"):
        save(LDA(), tmp_path / "nowhere" / "file")
    with pytest.raises(IsADirectoryError, match="is a folder"):
        save(LDA(), str(tmp_path))
    with open(path, "w+b") as file:
        for wrong in (lambda: save(LDA(), file), lambda: load(file), lambda: load(3)):
            with pytest.raises(TypeError, match="path=.* should be the name of a file"):
                wrong()
    path.chmod(0o600)
    save(LDA(), str(path))
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_link_stays_a_link(path, tmp_path):
    save(LDA(), path)
    (tmp_path / "link").symlink_to(path)
    save(LDA(n_components=1), tmp_path / "link")
    assert load(path).n_components == 1
    assert (tmp_path / "link").is_symlink()
