"""Networks in NumPy: they load without PyTorch, and take a few microseconds for a point, where PyTorch takes tens."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike
from scipy.spatial.distance import cdist
from scipy.special import erf


class Linear:
    """Linear map, x ↦ L x for each row, or for one point."""

    def __init__(self, components: np.ndarray) -> None:
        self.components = components

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return x @ self.components.T


class Affine:
    """Affine layer, x ↦ x Wᵀ + b for each row."""

    def __init__(self, weight: ArrayLike, bias: ArrayLike = 0.0):
        self.weight, self.bias = np.asarray(weight, dtype=float), np.asarray(bias, dtype=float)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return x @ self.weight.T + self.bias


class Chain:
    """Composition of functions, applied in this order."""

    def __init__(self, steps: list[Callable]):
        self.steps = steps

    def __call__(self, x: np.ndarray) -> np.ndarray:
        for step in self.steps:
            x = step(x)
        return x


class SideBySide:
    """Concatenation of the outputs of several functions, each times its factor."""

    def __init__(self, members: list[Callable], factors: list[float]):
        self.members, self.factors = members, factors

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return np.hstack([factor * member(x) for member, factor in zip(self.members, self.factors)])


class Average:
    """Mean of the outputs of several functions."""

    def __init__(self, members: list[Callable]):
        self.members = members

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return sum(member(x) for member in self.members) / len(self.members)


class Total:
    """Sum of the outputs of several functions."""

    def __init__(self, members: list[Callable]):
        self.members = members

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return sum(member(x) for member in self.members)


class Residual:
    """Residual function, x ↦ x + f(scale · x)."""

    def __init__(self, function: Callable, scale: np.ndarray):
        self.function, self.scale = function, scale

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return x + self.function(self.scale * x)


class SubspaceNorms:
    """Roots of a small number plus the sum of squares of each group of ``size`` features."""

    def __init__(self, size: int, tiny: float):
        self.size, self.tiny = size, tiny

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return np.sqrt((x**2).reshape(len(x), -1, self.size).sum(axis=2) + self.tiny)


class GaussianKernels:
    """Gaussian kernels of each point and some landmarks, x ↦ exp(−‖x − c‖² / scale)."""

    def __init__(self, landmarks: np.ndarray, scale: float):
        self.landmarks, self.scale = landmarks, scale

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return np.exp(cdist(x, self.landmarks, "sqeuclidean") / -self.scale)


class Standardized:
    """Standardisation, x ↦ (x − origin − mean) / scale."""

    def __init__(self, origin: np.ndarray, mean: np.ndarray, scale: np.ndarray):
        self.origin, self.mean, self.scale = origin, mean, scale

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return (x - self.origin - self.mean) / self.scale


def nonsaturating(z: np.ndarray) -> np.ndarray:
    """Non-saturating sigmoid, see :class:`metricnets.networks.NonSaturatingSigmoid`."""
    return 2 * np.sinh(np.arcsinh(1.5 * z) / 3)


def relu(z: np.ndarray) -> np.ndarray:
    """Rectified linear unit, max(z, 0)."""
    return np.maximum(z, 0)


def gelu(z: np.ndarray) -> np.ndarray:
    """Gaussian error linear unit, z Φ(z)."""
    return 0.5 * z * (1 + erf(z / np.sqrt(2)))


def unit_norm(z: np.ndarray) -> np.ndarray:
    """Scale each row to unit Euclidean norm."""
    return z / np.maximum(np.linalg.norm(z, axis=-1, keepdims=True), 1e-12)


def lifted(z: np.ndarray, place: int) -> np.ndarray:
    """Append two columns that give rows of norm below 1 unit norm, see :class:`metricnets.networks.Lift`."""
    rest = np.sqrt(np.maximum(1 - (z**2).sum(axis=1, keepdims=True), 0))
    columns = (rest, np.zeros_like(rest))
    return np.hstack([z, columns[place], columns[1 - place]])
