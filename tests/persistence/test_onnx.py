"""Export to ONNX: onnxruntime computes what ``transform`` does."""

import numpy as np
import pytest
from discovery import METRICS, fitted, tiny_points

from metricnets import to_onnx

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")
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
