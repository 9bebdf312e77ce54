"""The scale of points before a network, and of those beside it."""

import numpy as np
import torch

from metricnets.deep._training.data import chunks
from metricnets.networks import Skip


def center_and_scale(X, weights=None):
    """Mean of each feature of an array (n, d), and one standard deviation for all that vary.

    ``weights`` say how often a row counts.  Standardised features are left as they are.

    Both are in single precision, so that they do not depend on the order in which rows were summed.
    A chunk of rows is copied at a time.
    """
    weights = np.ones(len(X)) if weights is None else weights
    mean = sum(w @ rows.astype(float) for rows, w in chunks(X, weights)) / weights.sum()
    mean = mean.astype(np.float32)
    variance = sum(w @ ((rows - mean) ** 2).astype(float) for rows, w in chunks(X, weights)) / weights.sum()
    scale = np.float32(np.mean(variance[variance > 1e-10 * variance.max()]) ** 0.5) if variance.any() else np.float32(0)
    return mean, scale if scale > 0 else np.float32(1)


def standardized(X, mean, scale):
    """(X − mean) / scale in single precision, a chunk of rows at a time."""
    Z = np.empty(X.shape, np.float32)
    for rows, out in chunks(X, Z):
        out[:] = (rows - mean) / scale
    return Z


@torch.no_grad()
def fold(network, mean, scale):
    """Let perceptrons that were trained on (x − mean) / scale take x."""
    mean, scale = torch.as_tensor(mean, dtype=torch.float32), float(scale)
    if isinstance(network, Skip):
        network.center, network.factor = mean + scale * network.center, network.factor / scale
        return fold(network.network, mean, scale)
    for member in getattr(network, "members", [network]):
        linear = member[0][0]
        linear.weight /= scale
        linear.bias -= linear.weight @ mean


@torch.no_grad()
def beside_points(network, X, weight):
    """A network with the points beside it: their mean squared distance is ``weight`` times that of the embeddings."""
    center = X.mean(dim=0)
    spread = sum(((part - center) ** 2).sum() for (part,) in chunks(X))
    z = torch.cat([network(part) for (part,) in chunks(X)])
    of_embeddings = ((z - z.mean(dim=0)) ** 2).sum()
    return Skip(network, center, (weight * of_embeddings / spread.clamp_min(1e-30)).sqrt())
