"""Independent subspace analysis (ISA): a layer of orthonormal units, pooled in subspaces, and its whitened input."""

import numpy as np
import torch
from scipy.linalg import helmert
from torch import nn
from torch.nn import functional as F

from metricnets.deep._training.data import tensor_of
from metricnets.deep._training.wccn import principal_basis
from metricnets.networks import Skip, Standardize, SubspaceNorm, fixed_linear


class SubspaceLayer(nn.Module):
    """Layer of ISA, x ↦ zⱼ = (Σ_{i ∈ subspace j} (wᵢᵀx + offset)²)^½ with W Wᵀ = I, beside its input.

    W = W₀ Q, where Q = (I + S)⁻¹ (I − S) is the rotation by a skew-symmetric matrix S that is trained, and starts at 0.
    The embedding is ((z − mean) / scale, factor · x), with a mean squared norm of 1 at the start.

    Parameters
    ----------
    X : tensor of shape (n, k)
        Points to start from, centred.
    size : int
        Number of units in a subspace, at most k.
    offset : float
    skip : float
        Mean squared norm of the input in the embedding, relative to that of z.
    weights : ndarray of shape (n,) or None, default=None
        Weights of the points.
    """

    def __init__(self, X, size, offset, skip, weights=None):
        super().__init__()
        k = X.shape[1]
        self.offset, self.pool = offset, SubspaceNorm(min(size, k))
        self.register_buffer("start", torch.from_numpy(paired_units(k, self.pool.size)).float())
        self.turn = nn.Parameter(torch.zeros(k, k, dtype=torch.float32, device="cpu"))
        with torch.no_grad():
            z, w = self.responses(X), tensor_of(np.ones(len(X)) if weights is None else weights, X.dtype)
            w = w / w.sum()
            self.register_buffer("mean", w @ z)
            spread = (w @ (z - self.mean).square().sum(1)).clamp_min(1e-12)
            self.register_buffer("scale", (spread * (1 + skip)).sqrt())
            share = skip / (1 + skip) / (w @ X.square().sum(1)).clamp_min(1e-12)
            self.register_buffer("factor", share.sqrt())

    def weight(self):
        """The orthonormal rows W, (m, k)."""
        skew = self.turn - self.turn.T
        identity = torch.eye(len(skew), dtype=skew.dtype, device=skew.device)
        return self.start @ torch.linalg.solve(identity + skew, identity - skew)

    def responses(self, x):
        """Norms z in the subspaces, (n, m / size)."""
        return self.pool(F.linear(x, self.weight()) + self.offset)

    def embedding(self, z, x):
        """The responses z and their input x side by side, (n, m / size + k)."""
        return torch.cat([(z - self.mean) / self.scale, self.factor * x], dim=1)

    def forward(self, x):
        return self.embedding(self.responses(x), x)


class WithResponses(nn.Module):
    """A `SubspaceLayer` that outputs its embedding and its responses."""

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def forward(self, x):
        z = self.layer.responses(x)
        return self.layer.embedding(z, x), z


@torch.no_grad()
def fixed(layer):
    """The embedding of a `SubspaceLayer` as layers that are not trained."""
    weight = layer.weight()
    linear = fixed_linear(weight, torch.full_like(weight[:, 0], layer.offset))
    pooled = nn.Sequential(linear, layer.pool, Standardize(0.0, layer.mean, layer.scale))
    return Skip(pooled, torch.zeros_like(weight[0]), layer.factor) if layer.factor else pooled


def paired_units(k, size):
    """Orthonormal units (m, k), in subspaces of ``size``, of k features, the most important ones first.

    Subspace j holds the features j, m / size + j, ..., and the first of them is along the mean of its units.  So is an
    offset, with which norms are nearly linear in the first m / size features.
    """
    n_subspaces = k // size
    basis = helmert(size, full=True)  # its first row is the mean
    units = np.eye(k)[: n_subspaces * size].reshape(size, n_subspaces, k)
    return np.einsum("ba,bjk->jak", basis, units).reshape(-1, k)


def unit_variances(layer):
    """A linear layer whose rows that are not 0 are scaled to a mean squared norm of the output of their number."""
    used = layer.weight.any(dim=1) | (layer.bias != 0)
    used[0] = True
    scale = int(used.sum()) ** 0.5
    return fixed_linear(scale * layer.weight[used], scale * layer.bias[used])


def principal_whitening(X, standardize, n_components, n_rows, seed):
    """Principal components of unit variance, as a layer after ``standardize``, from at most ``n_rows`` rows of X."""
    rows = np.random.default_rng(seed).permutation(len(X))[:n_rows]
    Z = standardize(torch.from_numpy(X[rows].astype(float))).numpy()
    basis = principal_basis(Z, np.ones(X.shape[1]), n_components)
    basis = basis / np.std(Z @ basis.T, axis=0)[:, None] if len(basis) else np.eye(1, X.shape[1])
    return fixed_linear(basis, np.zeros(len(basis)))
