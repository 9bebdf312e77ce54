"""The networks of several views, side by side and fused."""

import numpy as np
import torch
from torch import nn

from metricnets._views import present_views, shares_of_views


class SideBySide(nn.Module):
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
        present_views(x.isnan().cpu().numpy(), self.columns)
        return torch.cat([network(x[:, each]) for network, each in zip(self.networks, self.columns)], dim=1)


class Fused(nn.Module):
    """The embeddings of several views, times the roots of their weights, side by side.

    The weights of the views that a row has are scaled to sum to 1, and columns of the others are 0.

    Parameters
    ----------
    networks : list of torch.nn.Module
    columns : list of ndarray of int
        The columns of each view.
    weights : ndarray of shape (n_views,)
        Positive.
    """

    def __init__(self, networks, columns, weights):
        super().__init__()
        self.networks, self.columns = nn.ModuleList(networks), columns
        self.register_buffer("weights", torch.as_tensor(weights, dtype=torch.float64))

    def forward(self, x):
        present = present_views(x.isnan().cpu().numpy(), self.columns)
        shares = torch.from_numpy(shares_of_views(present, self.weights.cpu().numpy()) ** 0.5).to(x.device)
        parts = zip(self.networks, self.columns, present.T, shares.T)
        return torch.cat([self._part(network, x[:, each], *of_view) for network, each, *of_view in parts], dim=1)

    def _part(self, network, x, present, factors):
        """Embeddings of one view times their factors; the network sees the rows that have it."""
        if present.all():
            z = network(x)
            return z * factors[:, None].to(z.dtype)
        if not present.any():
            return network(torch.zeros_like(x)) * 0
        rows = torch.from_numpy(np.flatnonzero(present)).to(x.device)
        some = network(x[rows])
        z = some.new_zeros(len(x), some.shape[1]).index_copy(0, rows, some)
        return z * factors[:, None].to(z.dtype)
