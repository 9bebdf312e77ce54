"""Joint distribution adaptation (JDA): a linear map in closed form in which two domains and their classes are near."""

import numpy as np
from scipy.linalg import eigh, null_space
from sklearn.decomposition import PCA

from metricnets._groups import group_means
from metricnets._labels import UNKNOWN
from metricnets._linalg import COLLINEAR, with_fixed_signs
from metricnets._numpy_networks import unit_norm
from metricnets._pseudo_labels import most_confident

RANK = 100  # number of principal components, at most
RIDGES = (0.3, 1.0, 3.0, 10.0)  # of the mean variance, whose maps label the target together
RIDGE = 2.0  # of the map that is returned


def jda(X, codes, source, n_components, *, n_rounds=0, shares=None):
    """Compute the linear map of joint distribution adaptation, in rounds of labelling the target.

    In principal components of unit norm with covariance S, it consists of the directions v of largest
    vᵀSv / vᵀ(C + D + λ tr(C + D)/r I)v.  C is the covariance within the classes of each domain and D the discrepancy of
    the domains and of their classes, see `discrepancy`.  With unknown classes in the target C and D do without them.

    The paper's C is 0; with C directions do not only align the domains but separate classes, as in linear
    discriminant analysis.  The direction of the difference of the domains' means is left out.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Centred points, not all equal.
    codes : ndarray of shape (n,)
        Class codes; −1 where the class is unknown.
    source : ndarray of bool of shape (n,)
        Whether a point is of the source domain.
    n_components : int
        Number of rows of the map; those after the last direction are 0.
    n_rounds : int, default=0
        Number of times that points of unknown class are labelled, by their mean probabilities in the embeddings of
        maps with several λ.  Round r labels the share r / n_rounds.
    shares : callable or None, default=None
        ``(z, codes) -> probabilities``; needed if n_rounds is above 0.

    Returns
    -------
    components : ndarray of shape (n_components, d)
        Outputs that are not 0 have a mean square of 1.
    labels : ndarray of shape (n,)
        Class codes after the last round.

    References
    ----------
    M. Long et al., "Transfer feature learning with joint distribution adaptation", ICCV 2013; J. Zhang, W. Li,
    P. Ogunbona, "Joint geometrical and statistical alignment for visual domain adaptation", CVPR 2017.
    """
    basis = aligned_basis(X, source)  # (r, d)
    Z, labels = unit_norm(X @ basis.T), codes
    for r in range(1, n_rounds + 1):
        maps = (directions(Z, labels, source, n_components, ridge) for ridge in RIDGES)
        p = sum(shares(unit_norm(Z @ L.T), codes) for L in maps)
        labels = most_confident(codes, p, r / n_rounds)
    found = with_fixed_signs(directions(Z, labels, source, n_components, RIDGE) @ basis)
    components = np.zeros((n_components, X.shape[1]))
    components[: len(found)] = found / np.sqrt(((X @ found.T) ** 2).mean())
    return components, labels


def aligned_basis(X, source):
    """Principal components of the points, orthogonal to the difference of the domains' means, (r, d)."""
    pca = PCA(min(*X.shape, RANK), random_state=0).fit(X)
    basis = pca.components_[pca.explained_variance_ > COLLINEAR * pca.explained_variance_[0]]
    if source.all() or len(basis) == 1:
        return basis
    return null_space((X[source].mean(axis=0) - X[~source].mean(axis=0))[None] @ basis.T).T @ basis


def directions(Z, codes, source, n_components, ridge):
    """Directions of largest variance relative to that within classes and domains, (k, r), the largest first."""
    r = Z.shape[1]
    C = within_groups(Z, codes, source) + discrepancy(Z, codes, source)
    C += (ridge * np.trace(C) / r or 1.0) * np.eye(r)
    S = np.cov(Z, rowvar=False, bias=True).reshape(r, r)
    return eigh(S, C, subset_by_index=[max(0, r - n_components), r - 1])[1].T[::-1]


def within_groups(Z, codes, source):
    """Covariance within the classes of each domain, (r, r)."""
    known = codes != UNKNOWN
    _, number, _, means = group_means(Z[known], 2 * codes[known] + source[known])
    D = Z[known] - means[number]
    return D.T @ D / max(1, len(D))


def discrepancy(Z, codes, source):
    """Outer product of the difference of the domains' means, plus its mean over the classes that both have, (r, r)."""
    if source.all():
        return np.zeros((Z.shape[1], Z.shape[1]))
    difference, known = Z[source].mean(axis=0) - Z[~source].mean(axis=0), codes != UNKNOWN
    if not (~source & known).any():
        return np.outer(difference, difference)
    (a, *_, of_a), (b, *_, of_b) = (group_means(Z[rows], codes[rows]) for rows in (source & known, ~source & known))
    _, in_a, in_b = np.intersect1d(a, b, return_indices=True)
    D = of_a[in_a] - of_b[in_b]  # (n_classes, r)
    return np.outer(difference, difference) + D.T @ D / max(1, len(D))
