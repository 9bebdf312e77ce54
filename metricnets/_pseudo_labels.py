"""Pseudo-labels: classes of samples without a label, from embeddings of samples with and without one."""

import numpy as np
from scipy.sparse import csr_matrix
from scipy.spatial.distance import cdist
from scipy.special import softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.semi_supervised import LabelSpreading

from metricnets._labels import UNKNOWN
from metricnets._linalg import middle, shifted
from metricnets._neighbors import nearest
from metricnets._numpy_networks import unit_norm
from metricnets._runtime import openmp_threads, quiet

N_STEPS = 30  # of k-means and of smoothing, at most
N_SPREAD = 100  # steps of spreading by classes
POWER, ONE_SIDED = 6, 0.25  # of the cosine of neighbours; weight if one is not among the nearest of the other
SMALLEST_COSINE = 0.01  # so that every sample has neighbours
KEPT = 0.1  # weight of a sample's own probabilities in a step of smoothing


def cluster_shares(z: np.ndarray, codes: np.ndarray, n_neighbors: int = 10) -> np.ndarray:
    """Probabilities of the classes of unlabelled samples, by clusters and by nearest neighbours.

    The unlabelled samples are clustered by k-means from the means of the labelled classes, so that clusters follow
    classes that moved.  The probability of a class is the softmax of −d², where d is the distance to the mean or to
    the centre of the cluster, whichever is nearer, after a scaling to a mean squared norm of 1.  It is averaged
    with the class of the nearest labelled sample, so that classes may consist of several clusters.  Both are
    smoothed along nearest neighbours before, see `smoothed`.

    Parameters
    ----------
    z : ndarray of shape (n, n_components)
    codes : ndarray of shape (n,)
        Class codes; −1 where the class is unknown.
    n_neighbors : int, default=10

    Returns
    -------
    shares : ndarray of shape (n_unknown, n_classes)
        With rows of sum 1.

    References
    ----------
    Q. Wang, T. Breckon, "Unsupervised domain adaptation via structured prediction based selective pseudo-labeling",
    AAAI 2020.
    """
    z = shifted(z, middle(z))
    z = z / max(np.sqrt((z**2).sum(axis=1).mean()), 1e-12)
    known = codes != UNKNOWN
    U, classes = z[~known], np.unique(codes[known])
    means = np.array([z[codes == code].mean(axis=0) for code in classes])
    p = np.maximum(_memberships(U, means), _memberships(U, cluster_centers(U, unit_norm(means))))
    of_nearest = codes[known][nearest(z[known], U, 1)] == classes  # (n_unknown, n_classes)
    k = min(n_neighbors, len(U) - 1)
    p, q = smoothed(p, U, k), smoothed(of_nearest.astype(float), U, k)
    p = p - p.min(axis=1, keepdims=True)
    return (p / np.maximum(p.sum(axis=1, keepdims=True), 1e-12) + q) / 2


def _memberships(z, centers):
    """Softmax of the negative squared distances to the centres, (n, n_centers)."""
    return softmax(-cdist(z, centers, "sqeuclidean"), axis=1)


def cluster_centers(z: np.ndarray, centers: np.ndarray) -> np.ndarray:
    """Centres of k-means, which starts from the given ones; a centre without samples stays where it is."""
    nearest_center = None
    for _ in range(N_STEPS):
        before, nearest_center = nearest_center, cdist(z, centers, "sqeuclidean").argmin(axis=1)
        if np.array_equal(before, nearest_center):
            break
        member = nearest_center[:, None] == np.arange(len(centers))  # (n, n_centers)
        sizes = member.sum(axis=0)[:, None]
        centers = np.where(sizes, member.T @ z / np.maximum(sizes, 1), centers)
    return centers


def smoothed(p: np.ndarray, z: np.ndarray, n_neighbors: int) -> np.ndarray:
    """Smooth probabilities along nearest neighbours, F ← 0.9 D^(−1/2) G D^(−1/2) F + 0.1 P, with rows of sum 1.

    G is 1 if one of two samples is among the nearest neighbours of the other, and D has its degrees.

    References
    ----------
    D. Zhou et al., "Learning with local and global consistency", NIPS 2003.
    """
    if not n_neighbors:
        return p
    G, root = _graph(z, n_neighbors)
    F = p
    for _ in range(N_STEPS):
        F = (1 - KEPT) * root[:, None] * (G @ (root[:, None] * F)) + KEPT * p
    return F / F.sum(axis=1, keepdims=True)


def spread_shares(z: np.ndarray, codes: np.ndarray, n_neighbors: int = 10) -> np.ndarray:
    """Probabilities of the classes of unlabelled samples, by spreading the known labels along nearest neighbours.

    The parameters and the result are those of `cluster_shares`.
    """
    spreading = LabelSpreading(kernel="knn", n_neighbors=min(n_neighbors, len(z)), alpha=0.99, max_iter=100)
    with quiet(ConvergenceWarning), openmp_threads():  # 100 steps are enough for the order
        return spreading.fit(shifted(z, middle(z)), codes).label_distributions_[codes == UNKNOWN]


def most_confident(codes: np.ndarray, shares: np.ndarray, share: float = 1.0) -> np.ndarray:
    """Label the most confident of the unlabelled samples of each predicted class.

    Parameters
    ----------
    codes : ndarray of shape (n,)
        Class codes; −1 where the class is unknown.
    shares : ndarray of shape (n_unknown, n_classes)
        Probabilities of the classes, which are in sorted order.
    share : float in (0, 1], default=1.0
        Share of the unknown samples of each predicted class that are labelled: those of the largest probability.

    Returns
    -------
    codes : ndarray of shape (n,)
    """
    labels, unknown, classes = codes.copy(), np.flatnonzero(codes == UNKNOWN), np.unique(codes[codes != UNKNOWN])
    found, confidence = shares.argmax(axis=1), shares.max(axis=1)
    for j in np.unique(found):
        rows = np.flatnonzero(found == j)
        rows = rows[np.argsort(-confidence[rows], kind="stable")][: int(np.ceil(share * len(rows)))]
        labels[unknown[rows]] = classes[j]
    return labels


def class_spread(
    z: np.ndarray,
    codes: np.ndarray,
    n_classes: int,
    weights: np.ndarray | None = None,
    *,
    k: int = 10,
    alpha: float = 0.99,
) -> np.ndarray:
    """Probabilities of the classes of all samples, by label spreading in which classes keep their mass.

    It differs from `spread_shares` in three points, which matter if there are a few labels of each class.  Two samples
    are joined if either is among the nearest of the other, with a weight of c⁶ if both are and of c⁶/4 otherwise, where
    c is their cosine.  What a class has spread in all is scaled to its share of the labels (class mass normalisation),
    so that a class in a dense region gains nothing.

    Parameters
    ----------
    z : ndarray of shape (n, n_components)
    codes : ndarray of int of shape (n,)
        Class codes from 0; −1 where the class is unknown.
    n_classes : int
    weights : ndarray of shape (n,) or None
        How often each label counts; None for once.
    k : int, default=10
        Number of neighbours.
    alpha : float in (0, 1), default=0.99
        Weight of the neighbours in a step of F ← α D^(−1/2) G D^(−1/2) F + (1 − α) Y.

    Returns
    -------
    shares : ndarray of shape (n, n_classes)
        With rows of sum 1; those of the labels where none arrives.

    References
    ----------
    X. Zhu, Z. Ghahramani, J. Lafferty, "Semi-supervised learning using Gaussian fields and harmonic functions", ICML
    2003, for the mass; A. Iscen et al., "Label propagation for deep semi-supervised learning", CVPR 2019, for powers of
    cosines; D. Zhou et al., "Learning with local and global consistency", NIPS 2003.
    """
    G, root = _graph(z, min(k, len(z) - 1), _powers_of_cosines, ONE_SIDED)
    known = np.flatnonzero(codes != UNKNOWN)
    Y = np.zeros((len(z), n_classes))
    Y[known, codes[known]] = 1 if weights is None else weights[known]
    F, sizes = Y, Y.sum(axis=0)
    for _ in range(N_SPREAD):
        F = alpha * root[:, None] * (G @ (root[:, None] * F)) + (1 - alpha) * Y
    F = F * (sizes / np.maximum(F.sum(axis=0), 1e-300))
    mass = F.sum(axis=1, keepdims=True)
    return np.where(mass > 0, F / np.where(mass > 0, mass, 1), sizes / sizes.sum())


def _graph(z, k, weights_of=None, one_sided=1.0):
    """The graph G in which two samples are joined if one is among the k nearest of the other, and D^(−1/2).

    ``weights_of(z, near)`` are the weights of the edges to the neighbours (n, k), 1 without it; times ``one_sided`` if
    only one of two samples is among the nearest of the other.
    """
    near, ends = nearest(z, None, k), np.arange(len(z) + 1) * k
    weights = np.ones(near.shape) if weights_of is None else weights_of(z, near)
    G = csr_matrix((weights.ravel(), near.ravel(), ends), shape=(len(z), len(z)))
    G = one_sided * G.maximum(G.T) + (1 - one_sided) * G.minimum(G.T)
    return G, np.asarray(G.sum(axis=1)).ravel() ** -0.5


def _powers_of_cosines(z, near):
    """The cosine of each sample and its neighbours, at least `SMALLEST_COSINE`, to the power of `POWER`, (n, k)."""
    z = unit_norm(z)
    cosines = np.stack([(z * z[column]).sum(axis=1) for column in near.T], axis=1)
    return cosines.clip(SMALLEST_COSINE) ** POWER
