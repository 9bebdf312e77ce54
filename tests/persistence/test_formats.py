"""Files of other versions: older ones are loaded for good, and newer ones say what they need."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file
from saved_files import read, replaced, write
from write_format_1 import PATH, X

from metricnets import DDML, LDA, Covariance, load, save
from metricnets.exceptions import SavedFileError
from metricnets.persistence import _formats, _names


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file"


@pytest.mark.filterwarnings("ignore::metricnets.exceptions.InconsistentVersionWarning")
def test_the_file_of_format_1_is_loaded(path):
    net, metric, stream, values = loaded = load(PATH)
    arrays = load_file(PATH)
    assert read(PATH)[0]["format"] == 1
    assert (type(net), net.hidden, net.n_components, net.random_state) == (DDML, (2,), 2, 0)

    mean, origin, scale = (arrays[f"module_.0.{name}"] for name in ("mean", "origin", "scale"))
    first, top = ([arrays[f"module_.1.{place}.{name}"] for name in ("weight", "bias")] for place in ("0.1", "1.0"))
    z = np.tanh((X - origin - mean) / scale @ first[0].T + first[1]) @ top[0].T + top[1]
    np.testing.assert_allclose(net.transform(X), z, atol=1e-12)
    assert metric(X[0], X[1]) == pytest.approx(np.linalg.norm(z[0] - z[1]))

    matrix = stream.partial_fit(X[8:]).get_mahalanobis_matrix()
    np.testing.assert_allclose(matrix, np.linalg.inv(np.cov(X.T)))

    number, numbers, names, log, objects, infinite, large = values.preprocessor
    assert (number, numbers, names, log, infinite, large) == (1, (2.5, None), {"a": {3}}, np.log, np.inf, 10**30)
    assert objects.tolist() == ["x", None]
    save(loaded, path)
    assert repr(load(path)) == repr(loaded)


def test_a_name_of_before_is_found(path, monkeypatch):
    save([LDA(preprocessor=np.log)], path)
    content, arrays = read(path)
    for today, before in {"metricnets.LDA": "metricnets._first.Discriminants", "numpy.log": "numpy.logarithm"}.items():
        write(path, replaced(content, today, before), arrays)
        with pytest.raises(SavedFileError, match=f"it needs {before}, which"):
            load(path)
        monkeypatch.setitem(_names.RENAMED, before, today)
        (loaded,) = load(path)
        assert (type(loaded), loaded.preprocessor) == (LDA, np.log)


def test_what_has_another_name_is_known_by_that_of_today():
    for before, today in _names.RENAMED.items():
        assert _names.name_of(_names.Names()[before]) == today


def test_older_formats_are_brought_up_step_by_step(path, monkeypatch):
    def renamed(value):  # from 1 to 2: a parameter
        return json.loads(json.dumps(value).replace('"components"', '"n_components"'))

    def halved(value):  # from 2 to 3: its unit
        return replaced(value, {"tuple": [2]}, {"list": [1]})

    save(LDA(n_components=3, preprocessor=[1]), path)
    third, arrays = read(path)
    second = replaced(third, {"list": [1]}, {"tuple": [2]})
    first = json.loads(json.dumps(second).replace('"n_components"', '"components"'))
    monkeypatch.setattr(_formats, "STEPS", (renamed, halved))
    for number, content in enumerate((first, second, third), start=1):
        write(path, content | {"format": number}, arrays)
        loaded = load(path)
        assert (loaded.n_components, loaded.preprocessor) == (3, [1])
    save(loaded, path)
    assert read(path)[0]["format"] == 3


def test_a_newer_format_says_which_version_it_needs(path):
    save(LDA(), path)
    content, arrays = read(path)
    write(path, content | {"format": 2, "versions": {"metricnets": "9.1.0"}}, arrays)
    with pytest.raises(
        SavedFileError, match=r"written by metricnets 9\.1\.0, in format 2, .* up to 1; install metricnets 9\.1\.0 or"
    ):
        load(path)
    for wrong in (0, -1, True, 1.0, "1", None):
        write(path, content | {"format": wrong}, arrays)
        with pytest.raises(SavedFileError, match="its format has no number"):
            load(path)


def test_a_file_as_the_format_is_documented(path):
    state = {"n_components": None, "n_features_in_": 2, "components_": {"array": {"name": "L"}}, "_memory": {"same": 0}}
    value = {"object": {"class": "metricnets.Covariance", "state": state}}
    content = {"format": 1, "versions": {"metricnets": "0.1.0"}, "value": value}
    write(path, content, {"L": np.array([[2.0, 0.0], [0.0, 1.0]])})
    with pytest.warns(UserWarning, match="of an unknown version"):
        loaded = load(path)
    assert isinstance(loaded, Covariance)
    assert loaded.pair_distance([[[0, 0], [3, 8]]]) == 10
    assert loaded._memory is loaded.components_
