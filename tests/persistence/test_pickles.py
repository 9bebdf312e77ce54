"""Pickles: they name the version that wrote them, and another version warns."""

import copy
import pickle
import warnings

import joblib
import numpy as np
import pytest
from discovery import ESTIMATORS, METRICS, fitted, tiny_points
from sklearn.base import clone
from sklearn.exceptions import InconsistentVersionWarning as InconsistentScikitLearnWarning
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from metricnets import LDA, MLKNN, RAML
from metricnets.exceptions import InconsistentVersionWarning


class ByPickle:
    dump, load = staticmethod(pickle.dumps), staticmethod(pickle.loads)


class ByJoblib:
    def __init__(self, path):
        self.path = path

    def dump(self, thing):
        joblib.dump(thing, self.path)
        return self.path

    load = staticmethod(joblib.load)


@pytest.fixture(params=["pickle", "joblib"])
def way(request, tmp_path):
    return ByPickle() if request.param == "pickle" else ByJoblib(tmp_path / "thing.joblib")


@pytest.fixture
def by_another_version(monkeypatch):
    """A function that writes a thing as another version would."""

    def dump(thing, way, version="0.0.9"):
        with monkeypatch.context() as patch:
            patch.setattr("metricnets._pickles.__version__", version)
            return way.dump(thing)

    return dump


@pytest.mark.parametrize("name", METRICS)
def test_a_learner_and_its_distance_are_the_same_after_a_pickle(name, way):
    learner = fitted(name)
    read = way.load(way.dump(learner))
    np.testing.assert_array_equal(read.transform(np.eye(4)), learner.transform(np.eye(4)))
    assert vars(read).keys() == vars(learner).keys()
    a, b = np.eye(4)[:2]
    assert way.load(way.dump(learner.get_metric()))(a, b) == learner.get_metric()(a, b)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_a_pickle_of_another_version_is_read_with_a_warning(name, way, by_another_version):
    estimator = ESTIMATORS[name]()
    with pytest.warns(InconsistentVersionWarning, match=rf"{name} was written by metricnets 0\.0\.9 and is read by"):
        read = way.load(by_another_version(estimator, way))
    assert repr(read.get_params()) == repr(estimator.get_params())
    assert vars(read).keys() == vars(estimator).keys()


def test_the_warning_says_what_and_where(by_another_version):
    written = by_another_version(LDA(), ByPickle)
    with pytest.warns(InconsistentVersionWarning) as caught:
        pickle.loads(written)
    warning = caught[0]
    assert warning.filename == __file__
    assert (warning.message.name, warning.message.written_by) == ("LDA", "0.0.9")
    assert str(pickle.loads(pickle.dumps(warning.message))) == str(warning.message)


def test_a_pickle_without_a_version_is_one_of_another_version():
    learner = LDA()
    state = learner.__getstate__()
    del state["_metricnets_version"]
    with pytest.warns(InconsistentVersionWarning, match="of an unknown version"):
        learner.__setstate__(state)


def test_a_distance_warns_too(way, by_another_version):
    distance = fitted("LDA").get_metric()
    with pytest.warns(InconsistentVersionWarning, match="Distance"):
        read = way.load(by_another_version(distance, way))
    assert read([0, 0, 0, 0], [1, 2, 3, 4]) == distance([0, 0, 0, 0], [1, 2, 3, 4])


def test_parts_of_pipelines_and_of_predictors_warn_each_for_itself(way, by_another_version, monkeypatch):
    X, y = tiny_points()
    model = make_pipeline(StandardScaler(), MLKNN(metric=RAML())).fit(X, np.eye(3)[y])
    with monkeypatch.context() as patch:
        patch.setattr("sklearn.base.__version__", "1.0")
        written = by_another_version(model, way)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        way.load(written)
    ours = {w.message.name for w in caught if w.category is InconsistentVersionWarning}
    theirs = {w.message.estimator_name for w in caught if w.category is InconsistentScikitLearnWarning}
    assert ours == {"MLKNN", "RAML"}
    assert theirs >= {"Pipeline", "StandardScaler", "NearestNeighbors"}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_copies_and_attributes_know_no_version(name):
    estimator = ESTIMATORS[name]()
    assert vars(estimator) == estimator.get_params(deep=False)
    for copied in (copy.copy(estimator), copy.deepcopy(estimator), clone(estimator)):
        assert vars(copied).keys() == vars(estimator).keys()
    state = estimator.__getstate__()
    assert state.keys() - vars(estimator).keys() == {"_metricnets_version"}
