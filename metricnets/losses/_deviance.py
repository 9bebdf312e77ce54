"""A loss that averages over the cosines of pairs: binomial deviance."""

import torch
from torch.nn import functional as F

from metricnets._checks import check_positive, check_real
from metricnets.losses._ops import cosines, dissimilar, masked_mean, similar


def binomial_deviance(
    z: torch.Tensor, r: torch.Tensor, *, sharpness: float = 2.0, threshold: float = 0.5, negative_weight: float = 1.0
) -> torch.Tensor:
    """Binomial deviance, the loss of the Siamese network on cosines.

    Cosines s of similar pairs should be above β, and those of dissimilar pairs below: the mean over similar pairs of
    log(1 + exp(−α (s − β))) plus c times the mean over dissimilar pairs of log(1 + exp(α (s − β))).

    Deviation from the paper: c is a weight of the dissimilar pairs; there it is a factor of their α, which also
    sharpens their loss.

    Parameters
    ----------
    z : tensor of shape (n, n_components)
        Embeddings.
    r : tensor of shape (n, n)
        Relation; > 0.5 is similar, NaN is unknown.
    sharpness : float > 0, default=2.0
        α; with larger values the loss is closer to a hinge.
    threshold : float in [−1, 1], default=0.5
        β, the cosine that separates similar from dissimilar pairs.
    negative_weight : float > 0, default=1.0
        c, the weight of dissimilar pairs.

    Returns
    -------
    loss : tensor of shape ()

    Raises
    ------
    ValueError
        If ``sharpness`` or ``negative_weight`` is not above 0, or ``threshold`` not in [−1, 1].

    See Also
    --------
    logistic_pair : The same loss of squared distances: at unit norm s − β is half of 2 − 2β − d².

    References
    ----------
    D. Yi, Z. Lei, S. Liao, S. Z. Li, "Deep metric learning for person re-identification", ICPR
    2014.

    Examples
    --------
    >>> z, r = torch.tensor([[1.0, 0.0], [5.0, 0.0]]), torch.tensor([[float("nan"), 1.0], [1.0, float("nan")]])
    >>> binomial_deviance(z, r)  # log(1 + exp(-2 · (1 - 0.5)))
    tensor(0.3133)
    """
    check_positive(sharpness=sharpness, negative_weight=negative_weight)
    check_real("threshold", threshold, "a cosine", at_least=-1, at_most=1)
    pos, neg = similar(r), dissimilar(r)
    terms = F.softplus(sharpness * (pos - neg) * (threshold - cosines(z, len(r))))
    return masked_mean(terms, pos) + negative_weight * masked_mean(terms, neg)
