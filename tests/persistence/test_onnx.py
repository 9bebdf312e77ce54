"""Export to ONNX: onnxruntime computes what ``transform`` does."""

from functools import partial

import numpy as np
import onnxruntime
import pytest
from discovery import METRICS, fitted, tiny_points
from scipy.special import expit, softmax
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, Normalizer, StandardScaler
from torch import nn

from metricnets import LDA, Covariance, EmbeddingNet, to_onnx
from metricnets._numpy_networks import Affine, Chain, GaussianKernels, gelu, lifted, nonsaturating, relu, unit_norm
from metricnets.base import Distance

X, CLASSES = tiny_points(seed=1)


@pytest.fixture
def exported(tmp_path):
    """A function that exports an estimator, and returns what onnxruntime makes of points."""
    onnxruntime.set_default_logger_severity(3)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1

    def exported(estimator, points=X):
        to_onnx(estimator, tmp_path / "file")
        session = onnxruntime.InferenceSession(tmp_path / "file", options, providers=["CPUExecutionProvider"])
        return session.run(["Z"], {"X": points.astype(np.float32)})[0]

    return exported


def assert_agree(z, expected):
    assert z.dtype == np.float32
    np.testing.assert_allclose(z, expected, rtol=1e-4, atol=1e-4 * max(1, np.abs(expected).max()))


@pytest.mark.parametrize("name", METRICS)
def test_it_computes_what_transform_does(name, exported):
    assert_agree(exported(fitted(name)), fitted(name).transform(X.astype(np.float32)))


@pytest.mark.parametrize("name", ["MultiViewNet", "MultiViewOASIS"])
def test_missing_views_count_as_in_transform(name, exported):
    views, points = fitted(name), X.astype(np.float32)
    points[::3, :2], points[1::3, 2:] = np.nan, np.nan
    assert_agree(exported(views, points), views.transform(points))


FUNCTIONS = [expit, gelu, nonsaturating, relu, unit_norm, partial(softmax, axis=1), partial(lifted, place=1)]


@pytest.mark.parametrize("function", [*FUNCTIONS, GaussianKernels(X[:5] / 10, 2.0)])
def test_each_function_is_that_of_numpy(function, exported):
    network = Chain([Affine(np.eye(4) / 10), function])
    assert_agree(exported(Distance(network, (4,), linear=False)), network(X))


@pytest.mark.parametrize("step", [StandardScaler(), MinMaxScaler(), MaxAbsScaler(), PCA(3), PCA(2, whiten=True)])
def test_pipelines_with_an_affine_step(step, exported):
    for points in (X, X + 1e4):
        model = make_pipeline(step, "passthrough", Covariance()).fit(points.astype(np.float32))
        expected = model.transform(points.astype(np.float32).astype(float))
        np.testing.assert_allclose(exported(model, points), expected, atol=2e-3 * np.abs(expected).max())


def test_what_has_no_operators_is_named(tmp_path):
    file = tmp_path / "file"
    own = EmbeddingNet(module=nn.Sequential(nn.Linear(4, 3), nn.PReLU()), max_epochs=1, random_state=0).fit(X, CLASSES)
    with pytest.raises(TypeError, match=r"EmbeddingNet cannot be .* TorchEmbedding has no operators here; torch.onnx"):
        to_onnx(own, file)
    with pytest.raises(TypeError, match="Normalizer cannot be exported to ONNX; skl2onnx exports other steps"):
        to_onnx(make_pipeline(Normalizer(), LDA()).fit(X, CLASSES), file)
    with pytest.raises(TypeError, match=r"GridSearchCV cannot .* or export the best_estimator_ of a search"):
        to_onnx(GridSearchCV(LDA(), {}), file)
    with pytest.raises(TypeError, match=r"points of shape \(1, 4, 4\) cannot be exported"):
        to_onnx(Distance(Chain([]), (1, 4, 4), linear=False), file)
    with pytest.raises(NotFittedError):
        to_onnx(LDA(), file)
    assert not file.exists()
