"""Losses of soft nearest neighbours: neighbourhood components analysis, MEGM."""

import torch
from torch.nn import functional as F

from metricnets._checks import check_positive
from metricnets.losses._ops import (
    among,
    dissimilar,
    known,
    masked_logsumexp,
    masked_mean,
    precise,
    similar,
    sqdist,
)


def neighborhood(z: torch.Tensor, r: torch.Tensor, *, temperature: float = 1.0) -> torch.Tensor:
    """Nonlinear neighbourhood components analysis (NCA).

    Each sample picks one neighbour at random, near ones with higher probability, and should pick a similar one.
    With P the positives of an anchor, the loss is the mean over the anchors that have one of

        −log Σ_{j in P} p_j,   p = softmax(−d² / T) over all samples whose relation to the anchor is known.

    One positive near the anchor is enough, so classes may consist of several clusters.

    Deviation from the paper: it maximises the mean of the probabilities; with their logarithm, the other objective of
    Goldberger et al., far samples have a gradient too.

    Parameters
    ----------
    z : tensor of shape (n, n_components)
        Embeddings.
    r : tensor of shape (n, n)
        Relation; > 0.5 is similar, NaN is unknown.
    temperature : float > 0, default=1.0
        The temperature T of squared distances; 1 in the papers, where embeddings have any norm.  Embeddings of unit
        norm, whose d² is at most 4, need smaller values if there are many classes.

    Returns
    -------
    loss : tensor of shape ()

    Raises
    ------
    ValueError
        If ``temperature`` is not above 0.

    See Also
    --------
    megm : Squared errors instead of logarithms, for graded relations too.
    supcon : Every positive should be a neighbour.
    NCA : Linear metric with this objective.

    References
    ----------
    R. Salakhutdinov, G. Hinton, "Learning a nonlinear embedding by preserving class neighbourhood structure", AISTATS
    2007; J. Goldberger, S. Roweis, G. Hinton, R. Salakhutdinov, "Neighbourhood components analysis", NIPS 2004.

    Examples
    --------
    >>> z = torch.tensor([[0.0], [1.0], [3.0]])
    >>> r = torch.tensor([[float("nan"), 1, 0], [1, float("nan"), 0], [0, 0, float("nan")]])
    >>> neighborhood(z, r)  # log(1 + exp(1 - 9)) and log(1 + exp(1 - 4))
    tensor(0.0245)
    """
    check_positive(temperature=temperature)
    d2 = sqdist(z, len(r))
    rivals = masked_logsumexp(d2, dissimilar(r), -1 / temperature)  # (n,)
    r = similar(r)  # from here on only positives count
    return masked_mean(F.softplus(rivals - masked_logsumexp(d2, r, -1 / temperature)), r.sum(1) > 0)


def megm(z: torch.Tensor, r: torch.Tensor, *, temperature: float = 1.0) -> torch.Tensor:
    """Mean squared error's gradient minimisation (MEGM).

    The relation of each sample with itself, which is 1, is predicted as the mean of its relations with the others,
    weighted by a Gaussian kernel of distances.  The loss is the mean over the anchors with some r > 0 of

        (1 − Σ_j p_j r_j)²,   p = softmax(−d² / T) over all samples whose relation to the anchor is known.

    For classes the sum is the probability that the anchor's class is predicted.  Graded relations count as they are.

    Deviation from the paper: it adds the squared errors of the probabilities of all classes, which r of an anchor does
    not know; for two classes that is twice this loss.

    Parameters
    ----------
    z : tensor of shape (n, n_components)
        Embeddings.
    r : tensor of shape (n, n)
        Relation in [0, 1]; NaN is unknown.
    temperature : float > 0, default=1.0
        The temperature T of squared distances.  Embeddings of unit norm, whose d² is at most 4, need smaller values
        if there are many classes.

    Returns
    -------
    loss : tensor of shape ()

    Raises
    ------
    ValueError
        If ``temperature`` is not above 0.

    See Also
    --------
    neighborhood : Logarithms instead of squared errors, so that far samples count more.
    alignment : Distances that follow graded relations.
    MLKR : Linear metric from the same error of real targets.

    References
    ----------
    N. A. Zaidi, D. M. Squire, D. Suter, "A gradient-based metric learning algorithm for k-NN classifiers", AI 2010;
    O. Batchelor, R. Green, "Object recognition by stochastic metric learning", SEAL 2014, for networks.

    Examples
    --------
    >>> z = torch.tensor([[0.0], [1.0], [3.0]])
    >>> r = torch.tensor([[float("nan"), 1, 0], [1, float("nan"), 0], [0, 0, float("nan")]])
    >>> megm(z, r, temperature=5.0)  # the mean of 1 / (1 + exp(8 / 5))² and 1 / (1 + exp(3 / 5))²
    tensor(0.0769)
    """
    check_positive(temperature=temperature)
    p = among(sqdist(z, len(r)), known(r), -1 / temperature).softmax(1)  # (n, n)
    r = precise(r).nan_to_num(0.0)
    return masked_mean((1 - (p * r).sum(1)) ** 2, r.sum(1) > 0)
