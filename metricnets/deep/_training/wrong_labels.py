"""Labels that look wrong to samples held apart, left out or softened before training."""

import numpy as np

from metricnets._label_votes import (
    N_NEIGHBORS,
    confident_joint,
    most_often_right,
    noise_rate,
    smallest_losses,
    true_shares,
    votes,
)
from metricnets._labels import UNKNOWN
from metricnets._neighbors import nearest
from metricnets._weights import rows_of
from metricnets.deep._training.revision import Start, held_apart, one_hot

CLEARLY = 0.25  # share of what wrong labels would cost that samples held apart should gain without them


def corrected(
    start: Start,
    codes: np.ndarray,
    n_classes: int,
    rng: np.random.Generator,
    method: str,
    rate: float | None,
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """Class shares of the labelled samples whose labels may be wrong.

    Parameters
    ----------
    start, codes, n_classes, rng, weights
        As in `revision.spread_labels`.
    method : {'small_loss', 'soft_labels'}
        Whether samples of a large loss, −log of the probability of their class by neighbours, have no share, or all
        have the probabilities of their true class.
    rate : float or None
        Share of the samples without a share; None to estimate it, and to leave none out if nearest neighbours predict
        the given classes, wrong ones too, not clearly better without them.

    Returns
    -------
    shares : ndarray of shape (n, n_classes)
        0 for samples without a label.
    """

    def each(z, others, held):
        known = np.flatnonzero(others != UNKNOWN)
        counts = rows_of(weights, known)
        return [votes(z[known], others[known], z[held], n_classes, k, counts) for k in N_NEIGHBORS], z, known

    parts = held_apart(start, codes, each, rng)
    if not parts:  # too few samples to judge any by the others
        return one_hot(codes, n_classes)
    rows = np.concatenate([held for held, _ in parts])
    of_each, given = [np.concatenate(p) for p in zip(*(p for _, (p, _, _) in parts))], codes[rows]
    counts = rows_of(weights, rows)
    p = most_often_right(of_each, given, counts)
    joint, shares = confident_joint(p, given, counts), one_hot(codes, n_classes)
    if method == "soft_labels":
        shares[rows] = true_shares(p, given, joint)
        return shares
    wrong = np.zeros(len(codes), bool)
    estimated = noise_rate(joint) if rate is None else rate
    wrong[rows] = ~smallest_losses(p[np.arange(len(p)), given], given, estimated, counts)
    judged = [(z, known, held) for held, (_, z, known) in parts]
    if rate is None and not is_better_without(wrong, codes, n_classes, judged, weights):
        return shares
    shares[wrong] = 0
    return shares


def is_better_without(
    wrong: np.ndarray, codes: np.ndarray, n_classes: int, judged: list, weights: np.ndarray | None
) -> bool:
    """Whether nearest neighbours predict the given classes of samples held apart clearly better without the wrong ones.

    A sample is the nearest of one sample held apart on average.  If its class is wrong, drawn at random, it makes a
    prediction wrong that would be right if the other class is, and right if this is the same wrong one.

    ``judged`` has embeddings, the rows that are neighbours, and the rows held apart, for each fold.
    """
    weights, gain = np.ones(len(codes)) if weights is None else weights, 0.0
    for z, known, held in judged:
        before, after = (
            codes[others][nearest(z[others], z[held], 1)[:, 0]] == codes[held]
            for others in (known, known[~wrong[known]])
        )
        gain += weights[held] @ after - weights[held] @ before
    rate = weights[wrong].sum() / weights[codes != UNKNOWN].sum()
    expected = weights[wrong].sum() * (1 - rate - rate / (n_classes - 1))
    return bool(gain > max(0.0, CLEARLY * expected))
