"""Mahalanobis: one linear layer, trained with any loss."""

from typing import Literal

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import nn

from metricnets._params import Count, NonNegative
from metricnets.deep._any_loss import AnyLoss
from metricnets.deep._training.wccn import added_from_zero, whitening_layer
from metricnets.networks import linear_layer


class Mahalanobis(AnyLoss):
    """Mahalanobis metric, d²(x, x') = (x − x')ᵀ M (x − x') with M = LᵀL, trained with any loss.

    The network is one linear layer without bias, f(x) = Lx, with L = (I + A) W.  W is within-class covariance
    normalisation, see :ref:`start`: the principal components of the points are whitened by the covariance of similar
    ones, with a ridge that is chosen by cross-validation.  A is trained; it starts at 0, and weight decay draws it
    there.

    Parameters
    ----------
    n_components : int >= 1, default=64
        Number of components, the rows of L; fewer if there are fewer features.
    weight_decay : float >= 0 or 'auto', default=30.0
        Strength of the penalty on A, see :class:`EmbeddingNet`.
    orthogonality : float >= 0, default=0.0
        Weight λ of the penalty λ ‖B Bᵀ − I‖² on the trained factor B = I + A (Shi et al.), which keeps the metric near
        the one it starts from, and B from losing directions.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features)
        The linear map L.

    See Also
    --------
    EmbeddingNet : Network trained with any loss.
    NCA : Linear metric for nearest neighbours, trained with a softmax over distances.

    References
    ----------
    H. Shi et al., "Embedding deep metric for person re-identification: a study against large variations", ECCV 2016,
    for ``orthogonality``.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from metricnets import Mahalanobis
    >>> X, y = load_iris(return_X_y=True)
    >>> Mahalanobis(loss="contrastive", random_state=0).fit(X, y).get_mahalanobis_matrix().shape
    (4, 4)
    """

    n_components: Count = 64
    weight_decay: Literal["auto"] | NonNegative = 30.0
    orthogonality: NonNegative = 0.0

    _linear = _is_whitened = True

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
        standardize, start, residual = self.module_
        W, A = start.weight.detach().double(), residual.network.weight.detach().double()
        return ((W + (residual.scale * A) @ W) / standardize.scale).numpy()

    def _first_layers(self, X, standardize, targets, kept, seed):
        n_components = min(self.n_components, X.shape[1])
        similar, options = self._similarity(targets, kept), {"seed": seed, "n_jobs": self.n_jobs}
        return [whitening_layer(X, standardize, *similar, n_components, False, **options)]

    def _network(self, rows, generator, member):
        n_components = rows.X.shape[1]
        linear = linear_layer(n_components, n_components, False, "glorot", "identity", generator)
        return added_from_zero(linear, linear, rows.X)

    def _criterion(self, network, part, generator):
        loss = super()._criterion(network, part, generator)
        return Constrained(loss, network, self.orthogonality) if self.orthogonality else loss


class Constrained(nn.Module):
    """A loss plus ``weight`` · ‖B Bᵀ − I‖² of a residual linear network B."""

    def __init__(self, loss, network, weight):
        super().__init__()
        self.loss, self.weight = loss, weight
        self._network = [network]  # in a list: its parameters are not those of the loss

    def forward(self, z, targets):
        (network,) = self._network
        identity = torch.eye(len(network.scale), device=z.device)
        B = identity + network.network.weight * network.scale
        return self.loss(z, targets) + self.weight * ((B @ B.T - identity) ** 2).sum()
