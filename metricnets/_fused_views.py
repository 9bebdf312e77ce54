"""Embeddings of several views, joined in one."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from metricnets._expected_views import Expectation, filled
from metricnets._numpy_networks import unit_norm
from metricnets._views import present_views


def shares_of_views(present: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weights of the views of each row, (n, n_views): 0 of those it has not, and the others sum to 1."""
    shares = present * weights
    return shares / shares.sum(axis=1, keepdims=True)


def fused_units(embeddings: list[np.ndarray], present: np.ndarray, weights: np.ndarray, normalize: bool) -> np.ndarray:
    """Embeddings side by side, times the roots of the shares of their views, scaled to unit norm if ``normalize``."""
    shares = shares_of_views(present, weights)
    embeddings = [unit_norm(z) if normalize else z for z in embeddings]
    parts = [np.where(s > 0, z * s**0.5, 0.0) for z, s in zip(embeddings, shares.T[..., None])]
    return np.concatenate(parts, axis=-1)


def fused_parts(X: np.ndarray, columns: list[np.ndarray], weights: np.ndarray, embed: Callable) -> np.ndarray:
    """What a function makes of each view of the rows that have it, times the roots of the shares, side by side."""
    present, parts = present_views(np.isnan(X), columns), []
    for each, has in zip(columns, present.T):
        z = embed(X[has][:, each])
        parts.append(np.zeros((len(X), z.shape[1])))
        parts[-1][has] = z
    return fused_units(parts, present, weights, False)


class Views:
    """Functions of several views, each of its columns of a row, side by side; NaN where a view is missing.

    Parameters
    ----------
    members : list of callable
    columns : list of ndarray of int
    """

    def __init__(self, members: list, columns: list[np.ndarray]):
        self.members, self.columns = members, columns

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return np.hstack(self.parts(x))

    def parts(self, x: np.ndarray) -> list[np.ndarray]:
        """What each function returns."""
        return [member(x[:, columns]) for member, columns in zip(self.members, self.columns)]


class CheckedViews(Views):
    """The same of points as they are given: ValueError if a view is missing in part, or all are."""

    def __call__(self, x: np.ndarray) -> np.ndarray:
        present_views(np.isnan(x), self.columns)
        return super().__call__(x)


class WeightedViews(Views):
    """Embeddings of several views side by side, times the roots of the weights of those a row has; 0 for the others.

    Parameters
    ----------
    members : list of callable
    columns : list of ndarray of int
    weights : ndarray of shape (n_views,)
    """

    def __init__(self, members: list, columns: list[np.ndarray], weights: np.ndarray):
        super().__init__(members, columns)
        self.weights = weights

    def __call__(self, x: np.ndarray) -> np.ndarray:
        present = present_views(np.isnan(x), self.columns)
        return fused_units(self.parts(x), present, self.weights, normalize=False)


class FusedViews(Views):
    """Embeddings of several views side by side, times the roots of their weights; expectations of those missing.

    Parameters
    ----------
    members : list of callable
    columns : list of ndarray of int
    weights : ndarray of shape (n_views,)
    expectation : Expectation
    normalize : bool
        Whether to scale the result to unit norm.
    """

    def __init__(
        self, members: list, columns: list[np.ndarray], weights: np.ndarray, expectation: Expectation, normalize: bool
    ):
        super().__init__(members, columns)
        self.factors = np.repeat(weights**0.5, expectation.sizes)
        self.expectation, self.normalize = expectation, normalize

    def __call__(self, x: np.ndarray) -> np.ndarray:
        present = present_views(np.isnan(x), self.columns)
        parts = [np.where(has[:, None], z, 0.0) for z, has in zip(self.parts(x), present.T)]
        z = filled(np.hstack(parts), present, self.expectation) * self.factors
        return unit_norm(z) if self.normalize else z
