"""A loss of the angles of triangles of embeddings: angular."""

import math

import torch
from torch.nn import functional as F

from metricnets._checks import check_real
from metricnets.losses._ops import cosines, dissimilar, masked_logsumexp, masked_mean


def angular(z: torch.Tensor, r: torch.Tensor, *, angle: float = 45.0) -> torch.Tensor:
    """Angular loss.

    A negative n should see an anchor a and a positive p at an angle below α, which, unlike a margin, does not depend
    on how large the triangle is.  The loss is the mean over positive pairs (a, p) of
    log(1 + Σ_n exp(4 tan²α ⟨a + p, n⟩ − 2 (1 + tan²α) ⟨a, p⟩)), where the embeddings are scaled to unit norm and the
    sum is over the negatives of the anchor.  Memory n_similar_pairs × n.

    Deviation from the paper: a batch may have any number of samples of a class, each pair of which is an
    (a, p).

    Parameters
    ----------
    z : tensor of shape (n, n_components)
        Embeddings.
    r : tensor of shape (n, n)
        Relation; > 0.5 is similar, NaN is unknown.
    angle : float in (0, 90), default=45.0
        α in degrees.  The paper has 36 to 55.

    Returns
    -------
    loss : tensor of shape ()

    Raises
    ------
    ValueError
        Unless 0 < angle < 90.

    See Also
    --------
    npair : Compares ⟨a, n⟩ with ⟨a, p⟩, without p in the first.

    References
    ----------
    J. Wang, F. Zhou, S. Wen, X. Liu, Y. Lin, "Deep metric learning with angular loss", ICCV 2017.

    Examples
    --------
    >>> z = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    >>> r = torch.tensor([[float("nan"), 1, 0], [1, float("nan"), 0], [0, 0, float("nan")]])
    >>> angular(z, r)  # log(1 + exp(4 · 0 - 4 · 1)), for either pair
    tensor(0.0181)
    """
    check_real("angle", angle, "an angle in degrees", above=0, below=90)
    slope = math.tan(math.radians(angle)) ** 2
    s, neg = cosines(z), dissimilar(r)
    a, p = (r > 0.5).nonzero(as_tuple=True)
    sums = s.index_select(0, a) + s.index_select(0, p)  # (n_positive_pairs, n)
    rivals = masked_logsumexp(sums, neg.index_select(0, a), 4 * slope)
    terms = F.softplus(rivals - 2 * (1 + slope) * s[a, p])
    return masked_mean(terms, torch.ones_like(terms))
