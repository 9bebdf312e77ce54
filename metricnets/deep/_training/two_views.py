"""Two views as training rows: the columns of both, the relation of their embeddings, and their distances."""

import numpy as np
import torch

from metricnets._pickles import Versioned
from metricnets.base import Distance
from metricnets.deep._training.data import Rows
from metricnets.deep._training.two_networks import points_of_views
from metricnets.relations import known_class


class ViewRows(Rows):
    """Rows of two views side by side: the features of a point of the first, then those of the second.

    Parameters
    ----------
    points : list of two tensor of shape (n, ...)
    targets : Targets
    starts : list of two `Start`, or None
    """

    def __init__(self, points, targets, starts):
        super().__init__(torch.cat([view.flatten(1) for view in points], dim=1), targets)
        self.shapes, self.starts = [tuple(view.shape[1:]) for view in points], starts

    def points(self):
        """Points of either view, in their shapes."""
        return points_of_views(self.X, self.shapes)


def joint_relation(codes, row, across):
    """Relation of the embeddings of `TwoNetworks`, (2n, 2n): 1 for views of one row, and for rows of one class.

    Parameters
    ----------
    codes : tensor of shape (n,)
        Class codes, −1 if unknown.
    row : tensor of shape (n,)
        Row of each sample, which may occur several times.
    across : bool
        Whether pairs of one view are unknown.
    """
    same = row[:, None] == row
    r = known_class(codes, codes).to(torch.float32)
    between = r.masked_fill(same, 1.0)
    within = torch.full_like(r, torch.nan) if across else r.masked_fill(same, torch.nan)
    return torch.cat([torch.cat([within, between], 1), torch.cat([between, within], 1)])


class CrossDistance(Versioned):
    """A learned distance of points of two views, ``(u, v, squared=False) -> float``: picklable, NumPy only.

    Parameters
    ----------
    first, second : Distance
        Those within either view.
    """

    def __init__(self, first: Distance, second: Distance):
        self.first, self.second = first, second

    def __call__(self, u, v, squared=False):
        """Compute the distance of u, a point of the first view, and v, a point of the second view."""
        z = []
        for name, point, view in (("u", u, self.first), ("v", v, self.second)):
            point = np.asarray(point, dtype=float)
            several = len(view.shape) == 1 and point.squeeze().ndim > 1
            if several or point.size != view.size:
                raise ValueError(f"{name} should be a point of shape {view.shape}; got shape {point.shape}.")
            z.append(view.embed(point.reshape(1, *view.shape))[0])
        difference = z[0] - z[1]
        total = float(difference @ difference)
        return total if squared else total**0.5


class WithNeighborsInViews:
    """Batches of rows, followed by their neighbours in the first view and in the second, drawn at random.

    Parameters
    ----------
    sampler : iterable of index arrays
    neighbors : list of two tuple of ndarray of shape (n_rows, k)
        For each view the neighbours of the same class and those of other classes.
    rng : numpy.random.Generator
    """

    def __init__(self, sampler, neighbors, rng):
        self.sampler, self.near, self.rng = sampler, [each for view in neighbors for each in view], rng

    def __iter__(self):
        for rows in self.sampler:
            drawn = [near[rows, self.rng.integers(near.shape[1], size=len(rows))] for near in self.near]
            yield np.concatenate([rows, *drawn])
