"""Smooth losses of triplets: soft margin, ratio."""

import torch

from metricnets.losses._ops import dist, logistic, masked_mean, ratio, sqdist, triplets


def soft_triplet(z: torch.Tensor, r: torch.Tensor, *, select: str = "all", squared: bool = False) -> torch.Tensor:
    """Soft-margin triplet loss, the mean of log(1 + exp(d(a, p) − d(a, n))).

    An anchor a should be nearer to a similar sample p than to a dissimilar sample n, and the nearer the better: the
    loss of a triplet falls with the difference of its distances and never is 0, so there is no margin to choose.  A
    loss that stays at log 2 = 0.69 is that of embeddings that have collapsed to one point.  Memory
    n_similar_pairs × n, unless ``select`` is 'hard'.

    Parameters
    ----------
    z : tensor of shape (n, n_components)
        Embeddings.
    r : tensor of shape (n, n)
        Relation; > 0.5 is similar, NaN is unknown.
    select : {'all', 'hard', 'semihard'}, default='all'
        'all' takes every triplet.  'hard' takes, for every anchor, its furthest positive and its nearest negative.
        'semihard' takes, for every positive pair, all negatives with d(a, p) < d(a, n), as there is no margin that
        bounds them.
    squared : bool, default=False
        Whether d is the squared distance.

    Returns
    -------
    loss : tensor of shape ()

    Raises
    ------
    ValueError
        If ``select`` is unknown.

    See Also
    --------
    triplet : A hinge with a margin.
    triplet_ratio : A bounded loss of the same differences.

    References
    ----------
    A. Hermans, L. Beyer, B. Leibe, "In defense of the triplet loss for person
    re-identification", 2017.

    Examples
    --------
    >>> z = torch.tensor([[0.0], [1.0], [3.0]])
    >>> r = torch.tensor([[float("nan"), 1, 0], [1, float("nan"), 0], [0, 0, float("nan")]])
    >>> soft_triplet(z, r)  # the mean of log(1 + exp(1 - 3)) and log(1 + exp(1 - 2))
    tensor(0.2201)
    """
    differences, chosen = triplets((sqdist if squared else dist)(z, len(r)), r, select)
    return masked_mean(logistic(differences), chosen)


def triplet_ratio(z: torch.Tensor, r: torch.Tensor, *, select: str = "all", squared: bool = False) -> torch.Tensor:
    """Triplet ratio loss, the loss of the triplet network.

    The distances of an anchor a to a similar sample p and to a dissimilar sample n are made a probability by a softmax,
    whose first component should be 0: the mean of d₊² with d₊ = exp d(a, p) / (exp d(a, p) + exp d(a, n)).  A triplet
    has a loss below 1, however wrong it is.  The paper's form, ‖(d₊, d₋) − (0, 1)‖² with d₋ = 1 − d₊, is twice as
    large.  Memory n_similar_pairs × n, unless ``select`` is 'hard'.

    Parameters
    ----------
    z : tensor of shape (n, n_components)
        Embeddings.
    r : tensor of shape (n, n)
        Relation; > 0.5 is similar, NaN is unknown.
    select : {'all', 'hard', 'semihard'}, default='all'
        'all' takes every triplet.  'hard' takes, for every anchor, its furthest positive and its nearest negative.
        'semihard' takes, for every positive pair, all negatives with d(a, p) < d(a, n), as there is no margin that
        bounds them.
    squared : bool, default=False
        Whether d is the squared distance.

    Returns
    -------
    loss : tensor of shape ()

    Raises
    ------
    ValueError
        If ``select`` is unknown.

    See Also
    --------
    soft_triplet : An unbounded loss of the same differences.

    References
    ----------
    E. Hoffer, N. Ailon, "Deep metric learning using triplet network", SIMBAD 2015.

    Examples
    --------
    >>> z = torch.tensor([[0.0], [1.0], [3.0]])
    >>> r = torch.tensor([[float("nan"), 1, 0], [1, float("nan"), 0], [0, 0, float("nan")]])
    >>> triplet_ratio(z, r)  # the mean of 1 / (1 + exp(3 - 1))² and 1 / (1 + exp(2 - 1))²
    tensor(0.0433)
    """
    differences, chosen = triplets((sqdist if squared else dist)(z, len(r)), r, select)
    return masked_mean(ratio(differences), chosen)
