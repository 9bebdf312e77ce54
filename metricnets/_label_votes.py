"""Which labels are wrong: votes of neighbours that are held apart, the share of wrong labels, probable classes."""

import numpy as np

from metricnets._neighbors import nearest
from metricnets._weights import mean_of

N_NEIGHBORS = (5, 15, 45)  # of which the number is chosen
N_STEPS = 20  # of the deconvolution


def votes(
    z: np.ndarray,
    codes: np.ndarray,
    held: np.ndarray | None,
    n_classes: int,
    k: int,
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """Shares of the classes among the k nearest labelled points, which one vote for all classes makes positive.

    Parameters
    ----------
    z : ndarray of shape (n, n_components)
    codes : ndarray of int of shape (n,)
        Class codes.
    held : ndarray of shape (n_held, n_components) or None
        Points of which the class is asked; None for each of z by the others.
    n_classes, k : int
    weights : ndarray of shape (n,) or None
        Votes of each point, of mean 1; None for one each.

    Returns
    -------
    shares : ndarray of shape (n_held, n_classes)
        With rows of sum 1.
    """
    k = min(k, len(z) - (held is None))
    near = nearest(z, held, k)  # (n_held, k)
    cells = codes[near] + n_classes * np.arange(len(near))[:, None]
    counted = None if weights is None else weights[near].ravel()
    counts = np.bincount(cells.ravel(), counted, n_classes * len(near)).reshape(-1, n_classes)
    return (counts + 1 / n_classes) / (counts.sum(axis=1, keepdims=True) + 1)


def most_often_right(of_each: list[np.ndarray], codes: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """The shares, of several numbers of neighbours, whose largest ones agree most often with the given classes."""
    return max(of_each, key=lambda p: mean_of(p.argmax(axis=1) == codes, weights))


def confident_joint(p: np.ndarray, codes: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Joint distribution of the given class and the true one (confident learning).

    A sample is counted for its most probable class among those whose probability is at least the mean over the samples
    that are given this class.  Rows are scaled to the frequency of the given classes.

    Parameters
    ----------
    p : ndarray of shape (n, n_classes)
        Probabilities of the classes, of samples that were held apart.
    codes : ndarray of int of shape (n,)
        The given classes.
    weights : ndarray of shape (n,) or None
        How often each sample counts; None for once.

    Returns
    -------
    joint : ndarray of shape (n_classes, n_classes)
        Share of the samples of each given class (row) and true class (column), in all 1.

    References
    ----------
    C. Northcutt, L. Jiang, I. Chuang, "Confident learning: estimating uncertainty in dataset labels", JAIR 2021.
    """
    n_classes, weights = p.shape[1], np.ones(len(p)) if weights is None else weights
    sizes = np.bincount(codes, weights, n_classes)
    levels = np.bincount(codes, weights * p[np.arange(len(p)), codes], n_classes) / np.where(sizes > 0, sizes, 1)
    confident = p >= levels
    some = confident.any(axis=1)
    true = np.where(confident, p, -1.0).argmax(axis=1)
    joint = np.zeros((n_classes, n_classes))
    np.add.at(joint, (codes[some], true[some]), weights[some])
    joint[np.diag_indices(n_classes)] += 1e-9  # a class of which no sample is confident
    return joint / joint.sum(axis=1, keepdims=True) * sizes[:, None] / weights.sum()


def noise_rate(joint: np.ndarray) -> float:
    """Share of the samples whose given class is not the true one."""
    return float(1 - np.trace(joint))


def true_shares(p: np.ndarray, codes: np.ndarray, joint: np.ndarray) -> np.ndarray:
    """Probabilities of the true class of each sample, from those of its given class by neighbours and from its label.

    Neighbours have wrong labels too, so p(g) = Σₜ q(t) P(g given t): q is found by steps of expectation maximisation.
    Then the label g of the sample counts, by Bayes' rule, q(t) P(g given t).

    Parameters
    ----------
    p, codes, joint
        As in, and from, `confident_joint`.

    Returns
    -------
    shares : ndarray of shape (n, n_classes)
        With rows of sum 1.
    """
    given = joint / np.maximum(joint.sum(axis=0), 1e-12)  # P(g given t), columns of sum 1
    given = 0.99 * given + 0.01 / len(given)
    q = np.full_like(p, 1 / p.shape[1])
    for _ in range(N_STEPS):
        q = q * ((p / (q @ given.T)) @ given)
    shares = q * given[codes]
    return shares / shares.sum(axis=1, keepdims=True)


def smallest_losses(
    quality: np.ndarray, codes: np.ndarray, rate: float, weights: np.ndarray | None = None, least: int = 2
) -> np.ndarray:
    """Select all samples but the share ``rate`` of the lowest quality, and at least some of each class.

    Parameters
    ----------
    quality : ndarray of shape (n,)
        Probability of the given class, of which −log is the loss.
    codes : ndarray of int of shape (n,)
    rate : float in [0, 1]
    weights : ndarray of shape (n,) or None
        How often each sample counts; None for once.
    least : int, default=2
        Number of samples of each class that are kept in any case, those of the highest quality.

    Returns
    -------
    kept : ndarray of bool of shape (n,)
    """
    order = np.argsort(quality, kind="stable")
    counts = np.ones(len(quality)) if weights is None else weights[order]
    kept = np.ones(len(quality), bool)
    kept[order[np.cumsum(counts) - counts / 2 < rate * counts.sum()]] = False  # where more than half of it is below
    for code in np.unique(codes):
        rows = np.flatnonzero(codes == code)
        kept[rows[np.argsort(-quality[rows], kind="stable")[:least]]] = True
    return kept
