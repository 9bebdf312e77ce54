"""Export of what ``transform`` does to ONNX: ``to_onnx``."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from metricnets._atomic import path_of, write_whole
from metricnets._lazy import needed
from metricnets._numpy_networks import Affine, Chain, Standardized
from metricnets._version import __version__
from metricnets.base import Distance, MetricMixin
from metricnets.persistence._graph import FLOAT, Graph
from metricnets.persistence._names import name_of
from metricnets.persistence._operators import add_function

OPSET, IR_VERSION = 17, 8  # old enough for servers of 2022


def to_onnx(estimator: Any, path: str | os.PathLike[str]) -> None:
    """Export what ``transform`` does to a file in the ONNX format.

    The file is for servers without Python.  Its graph has an input ``X``, of shape (n, n_features), and an output
    ``Z``, of shape (n, n_components), both float32.  It computes in single precision, and standardises in double.

    Parameters
    ----------
    estimator : object
        A fitted metric learner of this package, what its ``get_metric`` returned, or a pipeline of
        ``StandardScaler``, ``MinMaxScaler``, ``MaxAbsScaler`` or ``PCA`` and a metric learner.
    path : str or path-like
        File to write, such as ``"metric.onnx"``.

    Raises
    ------
    TypeError
        If a part of the estimator has no operators here, such as a ``module`` of your own, which
        :func:`torch.onnx.export` exports, or if points are not vectors.
    ImportError
        If onnx is not installed.

    See Also
    --------
    save : Save an estimator, with its parameters.

    Examples
    --------
    >>> from metricnets import Covariance, to_onnx
    >>> metric = Covariance().fit([[0.0, 0.0], [2.0, 0.0], [0.0, 4.0], [2.0, 4.0], [1.0, 2.0]])
    >>> to_onnx(metric, "metric.onnx")  # doctest: +SKIP
    """
    onnx, path = needed("onnx", "to_onnx"), path_of(path)
    function, n_features = _function(estimator)
    graph = Graph(onnx)
    try:
        graph.add("Identity", add_function(graph, function, "X"))
    except TypeError as error:
        raise TypeError(f"{type(estimator).__name__} cannot be exported to ONNX: {error}") from None
    graph.operators[-1].output[0] = "Z"
    sizes = {"X": n_features, "Z": function(np.zeros((1, n_features))).shape[1]}
    ends = [onnx.helper.make_tensor_value_info(name, FLOAT, ["n", size]) for name, size in sizes.items()]
    whole = onnx.helper.make_graph(graph.operators, type(estimator).__name__, ends[:1], ends[1:], graph.constants)
    versions = {"opset_imports": [onnx.helper.make_opsetid("", OPSET)], "ir_version": IR_VERSION}
    model = onnx.helper.make_model(whole, producer_name="metricnets", producer_version=__version__, **versions)
    onnx.checker.check_model(model)
    write_whole(path, model.SerializeToString())


def _function(estimator: Any) -> tuple[Callable[[np.ndarray], np.ndarray], int]:
    """What ``transform`` does as a function of NumPy arrays, and the number of features."""
    name = name_of(type(estimator))
    if name == "sklearn.pipeline.Pipeline":
        parts = [_function(step) for _, step in estimator.steps if step not in (None, "passthrough")]
        return Chain([function for function, _ in parts]), parts[0][1]
    if isinstance(estimator, Distance):
        if len(estimator.shape) != 1:
            raise TypeError(f"points of shape {estimator.shape} cannot be exported: they should be vectors.")
        return estimator.embed, estimator.size
    if isinstance(estimator, MetricMixin):
        return _function(estimator.get_metric())
    if name not in SCALERS:
        raise TypeError(
            f"{type(estimator).__name__} cannot be exported to ONNX; skl2onnx exports other steps. Leave out a "
            "predictor at the end, to_onnx(pipeline[:-1], path), or export the best_estimator_ of a search."
        )
    check_is_fitted(estimator)
    return SCALERS[name](estimator), estimator.n_features_in_


def _of_standard_scaler(scaler):
    mean, scale = scaler.mean_ if scaler.with_mean else 0.0, scaler.scale_ if scaler.with_std else 1.0
    return Standardized(0.0, mean, scale)


def _of_min_max_scaler(scaler):
    if scaler.clip:
        raise TypeError("MinMaxScaler(clip=True) cannot be exported to ONNX.")
    return Standardized(0.0, -scaler.min_ / scaler.scale_, 1 / scaler.scale_)


def _of_pca(pca):
    scale = np.sqrt(pca.explained_variance_)[:, None] if pca.whiten else 1.0
    return Chain([Standardized(0.0, pca.mean_, 1.0), Affine(pca.components_ / scale)])


SCALERS = {
    "sklearn.decomposition.PCA": _of_pca,
    "sklearn.preprocessing.MaxAbsScaler": lambda scaler: Standardized(0.0, 0.0, scaler.scale_),
    "sklearn.preprocessing.MinMaxScaler": _of_min_max_scaler,
    "sklearn.preprocessing.StandardScaler": _of_standard_scaler,
}
