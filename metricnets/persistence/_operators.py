"""Operators of ONNX for the functions of which distances in NumPy consist, in single precision."""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import Any

import numpy as np
from scipy.special import expit, softmax

from metricnets import _numpy_networks as networks
from metricnets._codes import signs
from metricnets._fused_views import CheckedViews, FusedViews, Views, WeightedViews
from metricnets.persistence._graph import DOUBLE, FLOAT, Graph

MOST_VIEWS = 6  # of which all combinations may be missing


def add_function(graph: Graph, function: Any, x: str) -> str:
    """Add a function of a batch of points, and return the name of its output; TypeError if it is not known."""
    kind = function.func if isinstance(function, partial) else function
    add = OPERATORS.get(type(function)) or SIMPLE.get(kind)
    if add is None:
        raise TypeError(
            f"{getattr(kind, '__name__', type(kind).__name__)} has no operators here; "
            "torch.onnx.export exports a module of your own, module_."
        )
    return add(graph, function, x)


def _linear(graph, f, x):
    return graph.add("MatMul", x, f.components.T)


def _affine(graph, f, x):
    return graph.add("Add", graph.add("MatMul", x, f.weight.T), f.bias)


def _chain(graph, f, x):
    for step in f.steps:
        x = add_function(graph, step, x)
    return x


def _side_by_side(graph, f, x):
    parts = [graph.add("Mul", add_function(graph, g, x), factor) for g, factor in zip(f.members, f.factors)]
    return graph.add("Concat", *parts, axis=1)


def _total(graph, f, x):
    return graph.add("Sum", *[add_function(graph, member, x) for member in f.members])


def _average(graph, f, x):
    return graph.add("Div", _total(graph, f, x), len(f.members))


def _residual(graph, f, x):
    return graph.add("Add", x, add_function(graph, f.function, graph.add("Mul", x, f.scale)))


def _standardized(graph, f, x):
    """In double precision, so that no digits are lost far from zero."""
    x = graph.add("Cast", x, to=DOUBLE)
    for operator, constant in (("Sub", f.origin), ("Sub", f.mean), ("Div", f.scale)):
        x = graph.add_exact(operator, x, np.asarray(constant, float))
    return graph.add("Cast", x, to=FLOAT)


def _norms(graph, x):
    return graph.add("ReduceL2", x, axes=[1], keepdims=1)


def _subspace_norms(graph, f, x):
    groups = graph.add_exact("Reshape", graph.add("Mul", x, x), np.array([0, -1, f.size]))
    sums = graph.add_exact("ReduceSum", groups, np.array([2]), keepdims=0)
    return graph.add("Sqrt", graph.add("Add", sums, f.tiny))


def _gaussian_kernels(graph, f, x):
    own = graph.add("ReduceSumSquare", x, axes=[1], keepdims=1)
    products = graph.add("MatMul", x, -2 * f.landmarks.T)
    d2 = graph.add("Sum", own, (f.landmarks**2).sum(axis=1)[None], products)
    return graph.add("Exp", graph.add("Div", graph.add("Relu", d2), -f.scale))


def _views(graph, f, x):
    return graph.add("Concat", *_parts(graph, f, x), axis=1)


def _parts(graph, f, x):
    views = [graph.add_exact("Gather", x, np.asarray(columns, np.int64), axis=1) for columns in f.columns]
    return [add_function(graph, member, view) for member, view in zip(f.members, views)]


def _missing(graph, f, x):
    firsts = np.array([columns[0] for columns in f.columns])
    return graph.add("IsNaN", graph.add_exact("Gather", x, firsts, axis=1))


def _scaled(graph, f, x, factors):
    """The parts side by side, each times a column of the factors; 0 where this is 0."""
    parts = []
    for i, part in enumerate(_parts(graph, f, x)):
        factor = graph.add_exact("Gather", factors, np.array([i]), axis=1)
        parts.append(graph.add("Where", graph.add("Greater", factor, 0.0), graph.add("Mul", part, factor), 0.0))
    return graph.add("Concat", *parts, axis=1)


def _weighted_views(graph, f, x):
    weights = graph.add("Where", _missing(graph, f, x), 0.0, f.weights)
    total = graph.add_exact("ReduceSum", weights, np.array([1]), keepdims=1)
    return _scaled(graph, f, x, graph.add("Sqrt", graph.add("Div", weights, total)))


def _fused_views(graph, f, x):
    """For each combination of missing views, what is expected is added to the rows that miss these."""
    if len(f.columns) > MOST_VIEWS:
        raise TypeError(f"{len(f.columns)} views have too many combinations; {MOST_VIEWS} are exported at most.")
    missing = graph.add("Where", _missing(graph, f, x), 1.0, 0.0)
    z = _scaled(graph, f, x, graph.add("Sub", 1.0, missing))
    filled = [z]
    for pattern in product([False, True], repeat=len(f.columns)):
        if not any(pattern) or all(pattern):
            continue
        ((_, columns, B, b),) = f.expectation.of_patterns(~np.array([pattern]))
        weight, bias = np.zeros((len(B), len(B))), np.zeros(len(B))
        weight[:, columns], bias[columns] = B, b
        differing = graph.add("Abs", graph.add("Sub", missing, np.array([pattern], float)))
        n_differing = graph.add_exact("ReduceSum", differing, np.array([1]), keepdims=1)
        of_pattern = graph.add("Where", graph.add("Greater", n_differing, 0.5), 0.0, 1.0)
        expected = graph.add("Add", graph.add("MatMul", z, weight), bias)
        filled.append(graph.add("Mul", of_pattern, expected))
    z = graph.add("Mul", graph.add("Sum", *filled), f.factors)
    return _unit_norm(graph, f, z) if f.normalize else z


def _gelu(graph, f, x):
    half = graph.add("Add", graph.add("Erf", graph.add("Div", x, 2**0.5)), 1.0)
    return graph.add("Mul", graph.add("Mul", x, 0.5), half)


def _nonsaturating(graph, f, x):
    angle = graph.add("Div", graph.add("Asinh", graph.add("Mul", x, 1.5)), 3.0)
    return graph.add("Mul", graph.add("Sinh", angle), 2.0)


def _unit_norm(graph, f, x):
    return graph.add("Div", x, graph.add("Max", _norms(graph, x), 1e-12))


def _lifted(graph, f, x):
    left = graph.add("Sub", 1.0, graph.add("ReduceSumSquare", x, axes=[1], keepdims=1))
    rest = graph.add("Sqrt", graph.add("Relu", left))
    columns = (rest, graph.add("Mul", rest, 0.0))
    return graph.add("Concat", x, columns[f.keywords["place"]], columns[1 - f.keywords["place"]], axis=1)


def _signs(graph, f, x):
    return graph.add("Where", graph.add("Greater", x, 0.0), 1.0, -1.0)


def _operator(name):
    """A function that is one operator."""
    return lambda graph, f, x: graph.add(name, x)


OPERATORS = {
    networks.Affine: _affine,
    networks.Average: _average,
    networks.Chain: _chain,
    networks.GaussianKernels: _gaussian_kernels,
    networks.Linear: _linear,
    networks.Residual: _residual,
    networks.SideBySide: _side_by_side,
    networks.Standardized: _standardized,
    networks.SubspaceNorms: _subspace_norms,
    networks.Total: _total,
    CheckedViews: _views,
    FusedViews: _fused_views,
    Views: _views,
    WeightedViews: _weighted_views,
}
SIMPLE = {
    np.tanh: _operator("Tanh"),
    expit: _operator("Sigmoid"),
    softmax: lambda graph, f, x: graph.add("Softmax", x, axis=f.keywords["axis"]),
    networks.gelu: _gelu,
    networks.lifted: _lifted,
    networks.nonsaturating: _nonsaturating,
    networks.relu: _operator("Relu"),
    networks.unit_norm: _unit_norm,
    signs: _signs,
}
