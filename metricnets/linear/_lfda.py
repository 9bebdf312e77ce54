"""LFDA: local Fisher discriminant analysis."""

from typing import Literal

import numpy as np
from scipy.linalg import eigh, qr
from scipy.sparse import issparse

from metricnets._arrays import dense
from metricnets._blocks import Blocks
from metricnets._initialization import warn_if_few
from metricnets._labels import class_codes
from metricnets._linalg import in_span, spread_of_columns, squared_norms, with_fixed_signs
from metricnets._params import MaybeCount
from metricnets._scatters import Scatters
from metricnets._weights import mean_of, rows_of, scaled_rows, total_of
from metricnets.exceptions import warn
from metricnets.linear._base import LinearMetric

N_BLOCK = 2**20  # affinities computed at once
LEAST_SHARE = 1e-6  # smallest share of the scatter in a direction that counts as within the classes
SINGULAR = 1e-12  # scatter in a direction, relative to the largest, that may be rounding error


class LFDA(LinearMetric):
    """Local Fisher discriminant analysis (LFDA).

    Keep nearby samples of a class close, and separate the classes.  Pairs of a class of n_c samples are
    weighted by their affinity A_ij = exp(−‖x_i − x_j‖²/(σ_i σ_j)), where σ_i is the distance to the k-th
    neighbour in the class, so that a class may consist of several clusters.  With d_ij = x_i − x_j,

    S_w = ½ Σ_same (A_ij/n_c) d_ij d_ijᵀ,   S_b = ½ Σ_same A_ij (1/n − 1/n_c) d_ij d_ijᵀ + ½ Σ_other (1/n) d_ij d_ijᵀ,

    and the rows of L solve S_b v = λ S_w v, vᵀ S_w v = 1, the largest λ first.  The equivalent problem
    S_w v = μ (S_w + S_b) v, λ = 1/μ − 1, is solved, which is well posed if S_w is singular: shares μ below
    a millionth are raised to a millionth, and directions without any scatter are zero.  The cost is
    O(Σ n_c² d + d³) operations; affinities are computed in blocks of 8 MB, so the memory is O(n d).  ``fit``
    also takes sparse matrices, which stay sparse.

    σ_i is the distance to the k-th neighbour, as in the paper, for any number of features, and a
    small class does not change k for the others.  With few samples for many features the estimate is
    unreliable: there is a warning if the number of samples minus the number of classes is less than twice
    the number of features.

    Parameters
    ----------
    k : int >= 1 or None, default=None
        Which neighbour gives the local scale σ_i.  None takes min(7, n_features − 1), at least
        1.  Classes with fewer samples take their last neighbour, with a warning unless k is None.
    embedding_type : {'weighted', 'orthonormalized', 'plain'}, default='weighted'
        'plain' takes the eigenvectors v unchanged, 'weighted' multiplies them by √λ, and
        'orthonormalized' makes the rows of L orthonormal.

    See Also
    --------
    LDA : Linear discriminant analysis.
    LMNN : Large margins between nearest neighbours of different classes.

    References
    ----------
    M. Sugiyama, "Dimensionality reduction of multimodal labeled data by local Fisher discriminant
    analysis", JMLR 2007.

    Examples
    --------
    >>> from sklearn.datasets import load_wine
    >>> from metricnets import LFDA
    >>> X, y = load_wine(return_X_y=True)
    >>> LFDA(n_components=2).fit_transform(X, y).shape
    (178, 2)
    """

    k: MaybeCount = None
    embedding_type: Literal["weighted", "orthonormalized", "plain"] = "weighted"

    _sparse = "csr"
    _few_dense = True

    def _solve_points(self, X, y, weights):
        codes, n = class_codes(y), X.shape[0]
        if not issparse(X):
            X -= mean_of(X, weights)
        sizes = np.bincount(codes, weights)
        if len(sizes) < 2:
            raise ValueError("y has one class only; LFDA needs at least two.")
        if not any(spread_of_columns(X[codes == code]).any() for code in range(len(sizes))):
            raise ValueError("no class has two different samples; LFDA needs some scatter within the classes.")
        if sizes.max() <= 1:
            raise ValueError(
                f"sample_weight sums to at most {sizes.max():.3g} in a class; a weight counts samples, so scale them "
                "to a mean of 1."
            )
        if self.k is not None and sizes.min() <= self.k:
            warn(
                f"k={self.k} is too large for {np.count_nonzero(sizes <= self.k)} of {len(sizes)} classes, the "
                f"smallest of which has {sizes.min():g} samples; the last neighbour in such a class gives the scale."
            )
        remedy = "Use fewer features, such as principal components, or LDA(solver='eigen', shrinkage='auto')."
        warn_if_few(spread_of_columns(X), total_of(weights, n) - len(sizes), "scatter within classes", remedy)
        Z, basis = in_span(X)
        if basis is not None:
            basis[~X.any(axis=0)] = 0  # exactly, as features are brought to one scale
        within, between = local_scatters(Z, codes, self.k or max(1, min(7, X.shape[1] - 1)), weights)
        V, eigenvalues = directions(within, between, basis)
        if self.embedding_type == "weighted":
            V *= np.sqrt(eigenvalues)
        elif self.embedding_type == "orthonormalized":
            V = qr(V)[0]  # (d, d), completed by directions without scatter
        L = np.zeros((X.shape[1],) * 2)
        L[: V.shape[1]] = V.T
        return with_fixed_signs(L[: self.n_components])


def local_scatters(
    X: np.ndarray, codes: np.ndarray, k: int, weights: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """S_w and S_b of X, centred unless it is sparse, as in `LFDA`; both are sums of positive semi-definite terms.

    S_b is the scatter of the class means plus, for each class, (1 − n_c/n) times its scatter minus its
    local scatter.

    Returns
    -------
    within, between : ndarrays of shape (d, d)
    """
    within, between = np.zeros((2, X.shape[1], X.shape[1]))
    total = total_of(weights, X.shape[0])
    mean = Blocks(X).summed(Scatters.of, Scatters.merged, None, weights).means[0] if issparse(X) else 0.0
    for code in range(codes.max() + 1):
        rows, w = X[codes == code], rows_of(weights, codes == code)
        size = total_of(w, rows.shape[0])
        if issparse(rows):
            *_, (center,), own = Blocks(rows).summed(Scatters.of, Scatters.merged, None, w)
        else:
            center = mean_of(rows, w)
            rows = rows - center
            own = scaled_rows(rows, w)
            own = own.T @ own
        local = local_scatter(rows, min(k, size - 1), w) / size
        within += local
        between += size * np.outer(center - mean, center - mean) + (1 - size / total) * (own - local)
    return within, between


def local_scatter(X: np.ndarray, k: float, weights: np.ndarray | None = None) -> np.ndarray:
    """½ Σ w_i w_j A_ij (x_i − x_j)(x_i − x_j)ᵀ over all pairs of rows, centred or sparse, (d, d), by blocks of rows.

    If the k-th neighbour is at distance 0, up to rounding, the affinity takes its limit, which is 0 for
    different rows.
    """
    n, d = X.shape
    scatter, n_rows, squares = np.zeros((d, d)), max(1, N_BLOCK // n), squared_norms(X)
    if k <= 0 or not squares.any():
        return scatter
    blocks = [slice(start, start + n_rows) for start in range(0, n, n_rows)]
    kth = np.concatenate([kth_smallest(squared_distances(X, squares, block), k, weights) for block in blocks])
    narrow = kth <= 1e-14 * squares
    steepness = 1 / np.sqrt(np.where(narrow, np.inf, kth))  # 1/σ
    for block in blocks:
        A = squared_distances(X, squares, block)
        A *= -steepness[block, None]
        A *= steepness
        np.exp(A, out=A)
        A[narrow[block]] = 0
        A[:, narrow] = 0
        if weights is not None:
            A *= weights[block, None]
            A *= weights
        scatter += X[block].T @ (A.sum(axis=1)[:, None] * dense(X[block]) - A @ X)
    return (scatter + scatter.T) / 2


def kth_smallest(d: np.ndarray, k: float, weights: np.ndarray | None) -> np.ndarray:
    """In each row of d (m, n), the smallest entry up to which the weights of the columns sum to more than k."""
    if weights is None:
        return np.partition(d, k, axis=1)[:, k]
    order = np.argsort(d, axis=1, kind="stable")
    place = np.argmax(np.cumsum(weights[order], axis=1) > k, axis=1)
    return d[np.arange(len(d)), order[np.arange(len(d)), place]]


def squared_distances(X: np.ndarray, squares: np.ndarray, block: slice) -> np.ndarray:
    """‖x_i − x_j‖² between the rows of a block and all rows, (n_block, n)."""
    d = dense((-2 * X[block]) @ X.T)
    d += squares[block, None]
    d += squares
    return d.clip(0, out=d)


def directions(
    within: np.ndarray, between: np.ndarray, basis: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Solve S_b v = λ S_w v with vᵀ S_w v = 1, in the space where there is any scatter.

    Features are brought to one scale first, so that their units do not matter.  The scatters may be of coordinates of
    a ``basis``, see `in_span`.

    Returns
    -------
    V : ndarray of shape (d, rank)
        The columns are the vectors v, that of the largest λ first.
    eigenvalues : ndarray of shape (rank,)
        λ.
    """
    total = within + between
    scale = np.sqrt(np.diag(total) if basis is None else np.einsum("ij,ij->i", basis @ total, basis))
    scale[scale == 0] = 1
    if basis is None:
        units = np.outer(scale, scale)
        within, total = within / units, total / units
    else:
        basis, R = qr(basis / scale[:, None], mode="economic")
        within, total = R @ within @ R.T, R @ total @ R.T
    values, axes = eigh(total)
    kept = values > SINGULAR * values[-1]
    W = axes[:, kept] / np.sqrt(values[kept])  # (r, rank)
    shares, vectors = eigh(W.T @ within @ W)
    shares = shares.clip(LEAST_SHARE, 1)
    V = W @ vectors / np.sqrt(shares)
    return (V if basis is None else basis @ V) / scale[:, None], 1 / shares - 1
