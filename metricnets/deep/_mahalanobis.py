"""Mahalanobis: one linear layer, trained with any loss."""

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import nn

from metricnets._params import MaybeCount
from metricnets.deep._supervised import AnyLoss


class Mahalanobis(AnyLoss):
    """Mahalanobis metric, d²(x, x') = (x − x')ᵀ M (x − x') with M = LᵀL, trained with any loss.

    The network is one linear layer without bias, f(x) = Lx.  Training starts at the Euclidean metric, or at
    the principal components if there are fewer components than features, scaled so that the mean squared
    distance of two points is 2.

    Parameters
    ----------
    n_components : int >= 1 or None, default=None
        Number of components, the rows of L, at most the number of features.  None is the number of features.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features)
        The linear map L.

    See Also
    --------
    EmbeddingNet : Network trained with any loss.
    NCA : Linear metric for nearest neighbours, trained with a softmax over distances.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from metricnets import Mahalanobis
    >>> X, y = load_iris(return_X_y=True)
    >>> Mahalanobis(loss="contrastive", random_state=0).fit(X, y).get_mahalanobis_matrix().shape
    (4, 4)
    """

    n_components: MaybeCount = None

    _linear = True

    def get_mahalanobis_matrix(self) -> np.ndarray:
        """Return the matrix of the metric, M = LᵀL.

        Returns
        -------
        M : ndarray of shape (n_features, n_features)
            Positive semi-definite, in double precision.
        """
        check_is_fitted(self)
        return self.components_.T @ self.components_

    @property
    def components_(self) -> np.ndarray:
        """The linear map L, of shape (n_components, n_features)."""
        standardize, linear = self.module_
        return linear.weight.detach().double().numpy() / standardize.scale.item()

    def _network(self, rows, generator):
        n_features = rows.X.shape[1]
        n_components = self.n_components or n_features
        if n_components > n_features:
            raise ValueError(f"n_components={n_components} is more than the {n_features} features of X; lower it.")
        network = nn.Linear(n_features, n_components, bias=False, device="meta", dtype=torch.float32)
        network.to_empty(device="cpu")
        with torch.no_grad():
            network.weight.copy_(torch.from_numpy(principal_start(rows.X.numpy(), n_components)))
        return network


def principal_start(X, n_components):
    """The identity, or the first principal components, scaled so that mean ‖L(x − x')‖² = 2.

    Returns
    -------
    L : ndarray of shape (n_components, n_features)
    """
    centered = (X - X.mean(axis=0)).astype(float)
    if n_components == X.shape[1]:
        L = np.eye(n_components)
    else:
        L = np.linalg.svd(centered, full_matrices=False)[2]
        L = np.vstack([L, np.zeros((n_components, X.shape[1]))])[:n_components]
    spread = ((centered @ L.T) ** 2).sum(axis=1).mean()  # half of the mean squared distance
    return L / np.sqrt(spread) if spread > 0 else L
