"""The networks of several views, side by side and fused."""

import numpy as np
import torch
from sklearn.utils import gen_batches
from torch import nn

from metricnets._expected_views import filled, joint_normal
from metricnets._fused_views import shares_of_views
from metricnets._views import present_views
from metricnets.networks import UnitNorm

N_ROWS = 10_000  # samples from which the joint distribution of the embeddings is estimated, at most


class ViewNetworks(nn.Module):
    """A network for each view, side by side: (n, d) points, (n, k) outputs, NaN where a row does not have the view.

    Parameters
    ----------
    networks : list of torch.nn.Module
    columns : list of ndarray of int
        The columns of each view.
    """

    def __init__(self, networks, columns):
        super().__init__()
        self.networks, self.columns = nn.ModuleList(networks), columns

    def forward(self, x):
        return torch.cat([network(x[:, each]) for network, each in zip(self.networks, self.columns)], dim=1)


class Checked(ViewNetworks):
    """The same for points as they are given: ValueError if a view is missing in part, or all are."""

    def forward(self, x):
        present_views(x.isnan().cpu().numpy(), self.columns)
        return super().forward(x)


class Fused(nn.Module):
    """The embeddings of several views, times the roots of their weights, side by side.

    In training, the weights of the views that a row has are scaled to sum to 1, and columns of the others are 0.  Once
    the ``expectation`` of the embeddings is known, it is in these columns.

    Parameters
    ----------
    networks : list of torch.nn.Module
    columns : list of ndarray of int
        The columns of each view.
    weights : ndarray of shape (n_views,)
        Positive.
    normalize : bool
        Whether embeddings have unit norm.
    """

    def __init__(self, networks, columns, weights, normalize):
        super().__init__()
        self.networks, self.columns, self.normalize = nn.ModuleList(networks), columns, normalize
        self.register_buffer("weights", torch.as_tensor(weights, dtype=torch.float64))
        self.expectation = None

    def forward(self, x):
        present = present_views(x.isnan().cpu().numpy(), self.columns)
        parts, weights = self._parts(x, present), self.weights.cpu().numpy()
        if self.training or self.expectation is None:
            factors = shares_of_views(present, weights) ** 0.5
            return torch.cat([z * _like(z, f[:, None]) for z, f in zip(parts, factors.T)], dim=1)
        z = torch.cat(parts, dim=1)
        z = filled(z, present, self.expectation, lambda array: _like(z, array))
        z = z * _like(z, np.repeat(weights**0.5, self.expectation.sizes))
        return UnitNorm()(z) if self.normalize else z

    def _parts(self, x, present):
        """Embeddings of each view, 0 in rows that do not have it, which its network does not see."""
        views = zip(self.networks, self.columns, present.T)
        return [_part(network, x[:, each], has) for network, each, has in views]

    @torch.no_grad()
    def expect(self, x, n_rows):
        """Estimate the expectation of views that are missing from these points, ``n_rows`` at a time."""
        self.eval()
        x = x[:: -(-len(x) // N_ROWS)]
        present = present_views(x.isnan().numpy(), self.columns)
        some = [self._parts(x[part], present[part]) for part in gen_batches(len(x), n_rows)]
        z = np.vstack([torch.cat(parts, dim=1).double().numpy() for parts in some])
        self.expectation = joint_normal(z, present, [z.shape[1] for z in some[0]])


def expect_missing(module, x, n_rows):
    """Let each part of a module that fuses views expect those that are missing."""
    for part in module.modules():
        if isinstance(part, Fused):
            part.expect(x, n_rows)
    return module


def of_view(x, columns):
    """Points of a view, of the rows that have it; zeros if none has."""
    x = x[:, columns]
    has = ~x[:, 0].isnan()
    return x[has] if has.any() else x.nan_to_num()


def _part(network, x, has):
    if has.all():
        return network(x)
    if not has.any():
        return network(torch.zeros_like(x)) * 0
    rows = torch.from_numpy(np.flatnonzero(has)).to(x.device)
    some = network(x[rows])
    return some.new_zeros(len(x), some.shape[1]).index_copy(0, rows, some)


def _like(z, array):
    """A tensor of the array, of the type and on the device of z."""
    return torch.from_numpy(np.ascontiguousarray(array)).to(z)
