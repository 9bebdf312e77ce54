"""Files: what is loaded is equal to what was saved, to the last bit."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
import sklearn
import torch
from discovery import ESTIMATORS, fitted, quick, tiny_points, training_data
from saved_files import read, write
from scipy.sparse import issparse
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.feature_selection import SelectKBest
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, PolynomialFeatures, QuantileTransformer, StandardScaler
from torch import nn

from metricnets import (
    DDML,
    DTML,
    LDA,
    EmbeddingNet,
    MultiTaskNet,
    load,
    losses,
    metric_learn,
    miners,
    relations,
    samplers,
    save,
)
from metricnets.datasets import make_tracking_sequence
from metricnets.exceptions import InconsistentVersionWarning
from metricnets.networks import small_conv
from metricnets.tracking import MetricTracker

X, CLASSES = tiny_points(seed=1)
RESULTS = ("transform", "transform_y", "predict", "predict_proba", "decision_function", "kneighbors")


@pytest.fixture
def again(tmp_path):
    """A function that saves a thing and loads it; a file of what it loads has the same bytes."""

    def again(thing, trusted=()):
        save(thing, tmp_path / "first")
        loaded = load(tmp_path / "first", trusted=trusted)
        save(loaded, tmp_path / "second")
        assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()
        return loaded

    return again


def results(estimator, name):
    """What an estimator computes of the data that its methods take, as text and arrays."""
    points, estimator = training_data(name), getattr(estimator, "estimator_", estimator)
    for method in [method for method in RESULTS if hasattr(estimator, method)]:
        takes_tuples = method in ("predict", "predict_proba", "decision_function") and points[0].ndim == 3
        data = points[1] if method == "transform_y" else points[0] if takes_tuples else X
        result = getattr(estimator, method)(data)
        yield from result if isinstance(result, list | tuple) else [result]


@pytest.mark.parametrize("name", ESTIMATORS)
def test_an_estimator_is_the_same_after_a_file(name, again):
    estimator, new = fitted(name), ESTIMATORS[name]()
    loaded = again(estimator, trusted=[type(estimator.index_)] if hasattr(estimator, "index_") else [])  # of FAISS
    assert repr(again(new).get_params()) == repr(new.get_params())
    assert vars(loaded).keys() == vars(estimator).keys()
    assert repr(loaded.get_params()) == repr(estimator.get_params())
    found, expected = [*results(loaded, name)], [*results(estimator, name)]
    assert expected
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(*(part.toarray() if issparse(part) else part for part in (one, other)))
    if hasattr(estimator, "get_metric"):
        assert again(estimator.get_metric())(X[0], X[1]) == estimator.get_metric()(X[0], X[1])


@pytest.mark.parametrize("name", ["EmbeddingNet", "LDA", "OASIS", "KISSME"])
def test_a_stream_goes_on_as_it_would_have(name, again):
    data, y = training_data(name)
    rest = [part for part in (data[20:], y if y is None else y[20:]) if part is not None]
    learner = quick(name).partial_fit(data[:20], *[] if y is None else [y[:20]])
    loaded = again(learner).partial_fit(*rest)
    np.testing.assert_array_equal(loaded.transform(X), learner.partial_fit(*rest).transform(X))


def test_pipelines_with_steps_of_scikit_learn(again):
    columns = make_column_transformer((QuantileTransformer(n_quantiles=9), [0, 1]), remainder="passthrough")
    steps = [columns, PolynomialFeatures(), FunctionTransformer(np.arcsinh), SelectKBest(k=6), StandardScaler()]
    for search in ("kd_tree", "ball_tree", "brute"):
        model = make_pipeline(*steps, LDA(), KNeighborsClassifier(3, weights="distance", algorithm=search))
        model.fit(pd.DataFrame(X, columns=list("abcd")), CLASSES.astype(str).astype(object))
        loaded, points = again(model), pd.DataFrame(X[::-1], columns=list("abcd"))
        np.testing.assert_array_equal(loaded.predict_proba(points), model.predict_proba(points))
        assert [*loaded.feature_names_in_, *loaded.classes_] == [*"abcd", *"012"]


def test_metadata_that_were_asked_for_and_output_in_data_frames(again):
    with sklearn.config_context(enable_metadata_routing=True):
        learner = DTML().set_fit_request(sample_domain=True).set_output(transform="pandas")
        loaded = again(learner)
        assert repr(loaded.get_metadata_routing()) == repr(learner.get_metadata_routing())
    assert loaded._sklearn_output_config == {"transform": "pandas"}


class Scaled(nn.Module):
    """A module with two names for one layer, a buffer, and attributes of several kinds."""

    def __init__(self, shape):
        super().__init__()
        self.first = self.again = nn.Linear(shape[0], shape[0])
        self.register_buffer("factor", torch.arange(4.0).reshape(2, 2).t(), persistent=False)
        self.options, self.weight = {"power": (1, 2)}, nn.Parameter(torch.ones(2, 3).t(), requires_grad=False)

    def forward(self, x):
        return self.again(self.first(x)) * self.factor.sum()


def test_a_module_of_the_users_is_loaded_if_it_is_trusted(again, tmp_path):
    net = EmbeddingNet(module=Scaled, max_epochs=1, random_state=0).fit(X, CLASSES)
    loaded = again(net, trusted=[Scaled])
    np.testing.assert_array_equal(loaded.transform(X), net.transform(X))
    metric = net.get_metric()
    assert again(metric, trusted=[Scaled])(X[0], X[1]) == metric(X[0], X[1])
    module, (old,) = loaded.module_, [part for part in net.module_.modules() if isinstance(part, Scaled)]
    (found,) = [part for part in module.modules() if isinstance(part, Scaled)]
    assert found.first is found.again
    assert (found.options, found.training) == (old.options, False)
    assert found.weight.stride() == old.weight.stride()
    assert not found.weight.requires_grad
    assert found.state_dict().keys() == old.state_dict().keys()


def test_modules_of_layers_that_everybody_has(again):
    network = small_conv((1, 8, 8), 3, channels=(4,))
    network.append(nn.BatchNorm1d(3)).append(nn.Dropout(0.1)).append(nn.Linear(3, 2).to(torch.bfloat16))
    loaded = again(EmbeddingNet(module=network)).module
    assert repr(loaded) == repr(network)
    for name, tensor in network.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor)


def test_functions_and_objects_of_the_vocabulary(again):
    given = relations.GivenPairs([[0, 1], [1, 2]], labels=[1, -1])
    params = {"miner": miners.semi_hard, "sampler": samplers.ClassBalanced, "device": torch.device("cuda", 1)}
    net = again(EmbeddingNet(loss=losses.Matryoshka("triplet", sizes=(2, 4)), relation=given, **params))
    assert net.get_params() | {"relation": given} == EmbeddingNet(**net.get_params()).get_params() | {"relation": given}
    assert (net.loss, net.miner, net.sampler) == (losses.Matryoshka("triplet", sizes=(2, 4)), *[*params.values()][:2])
    np.testing.assert_array_equal(net.relation(np.arange(3), np.arange(3)), given(np.arange(3), np.arange(3)))
    assert isinstance(again(metric_learn.ITML()), metric_learn.ITML)
    assert again(DDML(init="dae", device="cuda")).device == "cuda"


def test_a_tracker_goes_on_with_the_next_frame(again):
    frames, boxes = make_tracking_sequence(8, random_state=0)
    tracker = MetricTracker(metric=PCA(3), random_state=0).init(frames[0], boxes[0])
    tracker.track(frames[1:4])
    np.testing.assert_array_equal(again(tracker).track(frames[4:]), tracker.track(frames[4:]))


def test_tasks_whose_relatedness_is_a_data_frame(again):
    Y = np.where(np.arange(45)[:, None] % 3 == [0, 1], np.nan, CLASSES[:, None])
    related = pd.DataFrame(np.eye(3), index=range(3), columns=range(3))
    net = MultiTaskNet(relatedness={(0, 1): related}, max_epochs=1, random_state=0).fit(X, Y)
    loaded = again(net)
    np.testing.assert_array_equal(loaded.predict(X), net.predict(X))
    pd.testing.assert_frame_equal(loaded.relatedness[0, 1], related, check_index_type="equiv")


def test_a_network_of_another_device_embeds_on_the_cpu(tmp_path):
    net = fitted("DDML")
    save(net, tmp_path / "file")
    content, arrays = read(tmp_path / "file")
    content["value"]["object"]["state"]["device"] = "cuda:9"
    write(tmp_path / "file", content, arrays)
    loaded = load(tmp_path / "file")
    with pytest.warns(UserWarning, match="device='cuda:9' is not available: .*; points are embedded on the CPU"):
        np.testing.assert_array_equal(loaded.transform(X), net.transform(X))
    assert loaded.device == "cuda:9"


@pytest.mark.parametrize("order", ["C", "F"])
def test_saving_takes_no_memory_for_the_file(order, tmp_path):
    large = LDA(preprocessor=[np.ones((500, 1000), order=order), torch.ones(10**6)])  # 8 MB
    tracemalloc.start()
    try:
        save(large, tmp_path / "file")
        assert tracemalloc.get_traced_memory()[1] < 10**6
    finally:
        tracemalloc.stop()


def test_what_is_no_array_may_take_100_mb(tmp_path, monkeypatch):
    monkeypatch.setattr("metricnets.persistence._tensors.LONGEST", 2000)
    with pytest.raises(ValueError, match="what is no array takes [0-9]+ bytes, and a file may have 2000"):
        save(LDA(preprocessor=["x" * 2000]), tmp_path / "file")
    assert [*tmp_path.iterdir()] == []


def test_another_version_warns(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr("metricnets._pickles.__version__", "0.0.9")
        save(LDA(), tmp_path / "file")
    with pytest.warns(InconsistentVersionWarning, match=r"LDA was written by metricnets 0\.0\.9"):
        load(tmp_path / "file")


@pytest.mark.parametrize("name", ["DDML", "LDA", "MLKNN"])
def test_arrays_are_in_a_file_once(name, tmp_path):
    learner = fitted(name)
    save(learner, tmp_path / "file")
    content, arrays = read(tmp_path / "file")
    assert content["versions"]["numpy"] == np.__version__
    kinds = [array.tobytes() for array in arrays.values() if array.size > 4]
    assert len(kinds) == len({*kinds})
