"""Verification losses of DeepFace, logistic in learnt weighted distances of features: χ² and L1."""

import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from metricnets.losses._modules import ModuleLoss, pairs_of
from metricnets.losses._ops import EPS, masked_mean, precise

N_NUMBERS = 2**17  # differences that are computed at a time


class Verification(ModuleLoss):
    """Logistic loss of a weighted distance of pairs, with learnt weights >= 0 and a learnt threshold b."""

    def __init__(self, n_components, n_classes):
        super().__init__()
        start = torch.full((n_components,), 4 / n_components**0.5, device="cpu", dtype=torch.float32)
        self.raw_weights = nn.Parameter(start.expm1().log())  # softplus of it is the start
        self.threshold = nn.Parameter(torch.tensor(3.0, device="cpu", dtype=torch.float32))

    @property
    def weights(self) -> torch.Tensor:
        """The weights of the features, (n_components,), which are not negative."""
        return F.softplus(self.raw_weights)

    @torch.no_grad()
    def pair_logits(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        """Compute the logits of the pairs of row i of a and row i of b: the threshold minus their distance.

        Parameters
        ----------
        a : tensor of shape (n, n_components)
            Embeddings.
        b : tensor of shape (n, n_components)
            Embeddings.

        Returns
        -------
        logits : tensor of shape (n,)
            Above 0 where a pair is more likely of one class than of two.
        """
        terms = self._terms(precise(a), precise(b))
        return self.threshold - terms @ self.weights.to(terms.dtype)

    def _loss(self, z, codes):
        distances = self._distances(z, self.weights.to(z.dtype))
        similar, dissimilar = (mask.triu(1) for mask in pairs_of(codes, z.dtype))
        return verification(distances, similar, dissimilar, self.threshold.to(z.dtype))

    def _distances(self, z, weights):
        """Hook: the distances of all embeddings, (n, n), of which those above the diagonal count."""
        raise NotImplementedError

    def _terms(self, a, b):
        """Hook: the distances of rows of a and b before weights, (n, n_components)."""
        raise NotImplementedError


class ChiSquareVerification(Verification):
    """Verification by the weighted χ² distance of DeepFace.

    Two samples are of one class with probability σ(b − χ²), χ² = Σ_i w_i (x_i − y_i)² / (abs(x_i) + abs(y_i)), with
    learnt weights w >= 0 and a learnt threshold b: the mean cross-entropy of similar and that of dissimilar pairs,
    averaged.  It is meant for features that are not negative, such as those of a network that ends in a ReLU; absolute
    values make it a distance of any others too.  Time n² n_components, memory n².

    Deviations from the paper: weights are learnt by the logistic loss, with the network, instead of a linear support
    vector machine on top of it; weights that would become negative are not possible.

    Parameters
    ----------
    n_components : int
        Dimension of the embeddings.
    n_classes : int
        Number of classes, which does not matter; all losses of class codes have this parameter.

    See Also
    --------
    L1Verification : Weighted sum of absolute differences.
    logistic_pair : Logistic loss of squared Euclidean distances.

    References
    ----------
    Y. Taigman, M. Yang, M. Ranzato, L. Wolf, "DeepFace: Closing the gap to human-level performance in face
    verification", CVPR 2014.

    Examples
    --------
    >>> loss = ChiSquareVerification(4, 2)  # weights 2, threshold 3
    >>> loss(torch.tensor([[1.0, 0, 0, 0], [0, 0.5, 0, 0]]), torch.tensor([0, 1])).detach()  # log(1 + exp(3 - 3)) / 2
    tensor(0.3466)
    """

    def _distances(self, z, weights):
        return _ChiSquare.apply(z, weights)

    def _terms(self, a, b):
        return (a - b).square() / (a.abs() + b.abs() + EPS)


class _ChiSquare(torch.autograd.Function):
    """Weighted χ² distances above the diagonal, computed in parts, which are computed again for the gradient."""

    @staticmethod
    def forward(ctx, z, weights):
        ctx.save_for_backward(z, weights)
        distances = z.new_zeros(len(z), len(z))
        for rows, u, difference in ratios(z, triangular=True):
            distances[rows, rows.start :] = u.mul_(difference) @ weights
        return distances

    @staticmethod
    @once_differentiable
    def backward(ctx, gradient):
        """With u = (x − y) / (|x| + |y|) the slopes of (x − y) u are 2u − u² sign x and −2u − u² sign y."""
        z, weights = ctx.saved_tensors
        gradient = gradient.triu(1)
        gradient = gradient + gradient.T
        linear, squared = torch.empty_like(z), torch.empty_like(z)  # Σ_j g u, and Σ_j g u²
        for rows, u, _ in ratios(z, triangular=False):
            linear[rows] = sums(gradient[rows], u)
            squared[rows] = sums(gradient[rows], u.square_())
        return (2 * linear - z.sign() * squared) * weights, (z * linear).sum(0)


def sums(g, u):
    """Σ_j g_ij u_ijk, (n, k)."""
    return torch.bmm(g[:, None], u)[:, 0]


def ratios(z, *, triangular):
    """Yield slices of rows x of z, u = (x − y) / (|x| + |y|) for these and all rows y, and x − y.

    If ``triangular`` then rows y begin with the first x.
    """
    size, sizes = max(1, N_NUMBERS // max(1, z.numel())), z.abs() + EPS / 2
    for start in range(0, len(z), size):
        first = start if triangular else 0
        x, a = (rows[start : start + size, None] for rows in (z, sizes))
        difference, u = x - z[first:], a + sizes[first:]  # (n_rows, n_others, k)
        yield slice(start, start + size), torch.div(difference, u, out=u), difference


class L1Verification(Verification):
    """Verification by the weighted L1 distance of DeepFace's siamese network.

    Two samples are of one class with probability σ(b − Σ_i w_i abs(x_i − y_i)), with learnt weights w >= 0 and a learnt
    threshold b: the mean cross-entropy of similar and that of dissimilar pairs, averaged.

    Deviation from the paper: weights that would become negative are not possible.

    Parameters
    ----------
    n_components : int
        Dimension of the embeddings.
    n_classes : int
        Number of classes, which does not matter; all losses of class codes have this parameter.

    See Also
    --------
    ChiSquareVerification : Differences count more where features are small.
    logistic_pair : Logistic loss of squared Euclidean distances.

    References
    ----------
    Y. Taigman, M. Yang, M. Ranzato, L. Wolf, "DeepFace: Closing the gap to human-level performance in face
    verification", CVPR 2014.

    Examples
    --------
    >>> loss = L1Verification(4, 2)  # weights 2, threshold 3
    >>> loss(torch.tensor([[1.0, 0, 0, 0], [0, 0.5, 0, 0]]), torch.tensor([0, 1])).detach()  # log(1 + exp(3 - 3)) / 2
    tensor(0.3466)
    """

    def _distances(self, z, weights):
        return torch.cdist(z * weights, z * weights, p=1)

    def _terms(self, a, b):
        return (a - b).abs()


def verification(
    distances: torch.Tensor, similar: torch.Tensor, dissimilar: torch.Tensor, threshold: torch.Tensor
) -> torch.Tensor:
    """Cross-entropy of the probabilities σ(b − distance), with equal weight of either kind of pairs, all (n, n)."""
    pull = masked_mean(F.softplus(distances - threshold), similar)
    return (pull + masked_mean(F.softplus(threshold - distances), dissimilar)) / 2
