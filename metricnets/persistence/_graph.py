"""A graph of ONNX while it is built."""

from __future__ import annotations

from itertools import count
from types import ModuleType
from typing import Any

import numpy as np

FLOAT, DOUBLE = 1, 11  # numbers of types in ONNX


class Graph:
    """Operators and constants of a graph, in the order in which they are computed.

    Parameters
    ----------
    onnx : module
    """

    def __init__(self, onnx: ModuleType) -> None:
        self.onnx, self.operators, self.constants, self._numbers = onnx, [], [], count()

    def add(self, operator: str, *inputs: str | np.ndarray | float, **attributes: Any) -> str:
        """Add an operator, and return the name of its output; what is no name is a constant."""
        names = [each if isinstance(each, str) else self._constant(np.asarray(each, np.float32)) for each in inputs]
        return self._added(operator, names, attributes)

    def add_exact(self, operator: str, name: str, constant: np.ndarray, **attributes: Any) -> str:
        """Add an operator with a constant in double precision, or of integers."""
        return self._added(operator, [name, self._constant(np.asarray(constant))], attributes)

    def _added(self, operator, names, attributes):
        name = f"{operator}_{next(self._numbers)}"
        self.operators.append(self.onnx.helper.make_node(operator, names, [name], **attributes))
        return name

    def _constant(self, array):
        name = f"constant_{next(self._numbers)}"
        self.constants.append(self.onnx.numpy_helper.from_array(array, name))
        return name
