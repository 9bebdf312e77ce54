"""Symmetric matrices, whose eigenvalues are clipped only in this file; the origin, the span and distances of points."""

import numpy as np
from scipy.linalg import eigh, eigvalsh, qr, svd
from scipy.sparse import csr_matrix, issparse, spmatrix
from sklearn.utils.extmath import row_norms
from sklearn.utils.sparsefuncs import inplace_column_scale, mean_variance_axis

COLLINEAR = 1e-11  # smallest variance, with columns of variance one, that is not rounding even in single precision
ROUNDING = 1e-13  # largest spread of a column, relative to its values, that is rounding


def standardized(
    X: np.ndarray | spmatrix, weights: np.ndarray | None = None, overwrite: bool = False
) -> tuple[np.ndarray | spmatrix, np.ndarray]:
    """Standardise columns of rows, which may be weighted; return them and their standard deviations.

    Constant columns become 0, with a standard deviation of 1.  Sparse columns keep their mean, so that zeros stay
    zeros.
    """
    if issparse(X):
        scale = np.sqrt(mean_variance_axis(X, axis=0, weights=weights)[1])
        constant = scale <= 1e-7 * abs(X).max(axis=0).toarray().ravel()  # up to rounding
        scale[constant] = 1
        X = X.copy()
        inplace_column_scale(X, np.where(constant, 0, 1 / scale))
        return X, scale
    X = centered(X, overwrite)
    if weights is not None:
        X -= weights @ X / weights.sum()
    scale = X.std(axis=0) if weights is None else np.sqrt(weights @ X**2 / weights.sum())
    scale[scale == 0] = 1
    X /= scale
    return X, scale


def components_from_metric(M: np.ndarray, n_components: int | None = None) -> np.ndarray:
    """Factor a positive semi-definite ``M = L.T @ L``.

    Returns
    -------
    L : ndarray of shape (n_components, d)
        The leading eigenvectors times the roots of their eigenvalues, the largest first; for None
        the symmetric root, which is unique.
    """
    values, vectors = eigh(M)
    roots = vectors * np.sqrt(np.clip(values, 0, None))
    if n_components is None:
        return roots @ vectors.T
    return with_fixed_signs(roots.T[::-1][:n_components])


def diagonal_components(weights: np.ndarray, n_components: int | None = None) -> np.ndarray:
    """`components_from_metric` of a diagonal matrix with the entries ``weights`` (d,)."""
    L = np.diag(np.sqrt(weights))
    return L if n_components is None else L[np.argsort(-weights, kind="stable")[:n_components]]


def with_fixed_signs(L: np.ndarray) -> np.ndarray:
    """Flip the signs of rows so that the entry of largest magnitude is positive, as eigenvectors have no sign."""
    largest = np.abs(L).argmax(axis=1)[:, None]
    return L * np.where(np.take_along_axis(L, largest, axis=1) < 0, -1.0, 1.0)


def inverse_root(M: np.ndarray, rescale: bool = True) -> np.ndarray:
    """Factor the pseudo-inverse of a positive semi-definite matrix as ``W @ W.T``.

    The rank is that of the correlation matrix, which does not depend on units: its eigenvalues below
    COLLINEAR count as zero.

    Parameters
    ----------
    M : ndarray of shape (d, d)
    rescale : bool, default=True
        False takes the rank of M itself, as coordinates of a span have no units and may be rounding throughout.

    Returns
    -------
    W : ndarray of shape (d, rank)
    """
    units = np.sqrt(np.diag(M)) if rescale else np.ones(len(M))
    units[units == 0] = 1
    values, vectors = eigh(M / np.outer(units, units))
    kept = values > max(COLLINEAR, len(M) * np.finfo(float).eps) * max(values[-1], 0)
    W = vectors[:, kept] / np.sqrt(values[kept]) / units[:, None]
    if kept.all() or not kept.any():
        return W
    Q, _ = qr(units[:, None] * vectors[:, kept], mode="economic")  # the range of M
    return Q @ (Q.T @ W)


def inverse_root_of_few(Z: np.ndarray) -> np.ndarray:
    """The `inverse_root` of ZᵀZ, up to a rotation of its columns, from fewer rows (n, d) than features."""
    units = np.sqrt(np.einsum("ij,ij->j", Z, Z))
    units[units == 0] = 1
    _, values, vectors = svd(Z / units, full_matrices=False)
    kept = values**2 > max(COLLINEAR, Z.shape[1] * np.finfo(float).eps) * values[0] ** 2
    if not kept.any():
        return np.zeros((Z.shape[1], 0))
    V = vectors[kept].T
    Q, _ = qr(units[:, None] * V, mode="economic")
    return Q @ (Q.T @ (V / values[kept] / units[:, None]))


def components_of_root(W: np.ndarray, n_components: int | None = None) -> np.ndarray:
    """`components_from_metric` of the metric W Wᵀ of a factor W (d, r), which is not formed for few columns."""
    if not 0 < W.shape[1] < len(W):
        return components_from_metric(W @ W.T, n_components)
    Q, R = qr(W, mode="economic")
    return extended_components(R @ R.T, Q, 0.0, n_components)


def singular(M: np.ndarray) -> bool:
    """Whether a positive semi-definite matrix is numerically singular."""
    values = eigvalsh(M)
    return values[0] <= len(M) * np.finfo(M.dtype).eps * values[-1]


def discriminants(within: np.ndarray, means: np.ndarray, priors: np.ndarray) -> np.ndarray:
    """Directions of the largest scatter of the class means, after whitening the scatter within classes.

    Parameters
    ----------
    within : ndarray of shape (d, d)
    means : ndarray of shape (n_classes, d)
    priors : ndarray of shape (n_classes,)

    Returns
    -------
    L : ndarray of shape (rank, d)
        The most discriminating row first; L @ within @ L.T is the identity.
    """
    W = inverse_root(within)  # (d, rank)
    between = np.sqrt(priors)[:, None] * (means - priors @ means) @ W
    _, vectors = eigh(between.T @ between)
    return (W @ vectors[:, ::-1]).T


def in_span(X: np.ndarray | spmatrix) -> tuple[np.ndarray | spmatrix, np.ndarray | None]:
    """Coordinates of points in the space that they span, if they are an array of fewer points than features.

    Returns
    -------
    Z : ndarray of shape (n, min(n, d))
    basis : ndarray of shape (d, n), or None if Z is X
        With orthonormal columns: X = Z basisᵀ.
    """
    if issparse(X) or len(X) >= X.shape[1]:
        return X, None
    basis, R = qr(X.T, mode="economic", check_finite=False)
    return np.ascontiguousarray(R.T), basis


def out_of_span(L: np.ndarray, basis: np.ndarray | None, n_components: int | None = None) -> np.ndarray:
    """Extend a map of the coordinates of `in_span` to all features, with 0 orthogonal to the span.

    With ``n_components`` the result has that many rows; otherwise L is a symmetric root, and so is the result.
    """
    if basis is None:
        return L
    if n_components is None:
        return basis @ L @ basis.T
    return np.pad(with_fixed_signs(L @ basis.T), ((0, n_components - len(L)), (0, 0)))


def extended_components(
    M: np.ndarray, basis: np.ndarray | None, outside: float, n_components: int | None = None
) -> np.ndarray:
    """`components_from_metric` of a metric of the coordinates of `in_span`, extended to all features.

    Orthogonal to the span the metric is ``outside`` times the identity: basis M basisᵀ + outside (I − basis basisᵀ).

    Parameters
    ----------
    M : ndarray of shape (r, r)
    basis : ndarray of shape (d, r), or None if the coordinates are the features
    outside : float >= 0
    n_components : int or None

    Returns
    -------
    L : ndarray of shape (n_components, d)
    """
    if basis is None:
        return components_from_metric(M, n_components)
    d, r = basis.shape
    if n_components is None:
        root = components_from_metric(M)
        root = basis @ (root - np.sqrt(outside) * np.eye(r)) @ basis.T
        root[np.diag_indices(d)] += np.sqrt(outside)
        return root
    inner = components_from_metric(M, r) @ basis.T  # the squared lengths of its rows are the eigenvalues
    n_longer = np.count_nonzero(np.einsum("ij,ij->i", inner, inner) > outside)
    n_outer = np.clip(n_components - n_longer, 0, d - r)
    outer = qr(basis)[0][:, r : r + n_outer].T if n_outer else np.empty((0, d))
    L = np.vstack([inner[:n_longer], np.sqrt(outside) * outer, inner[n_longer:]])
    return with_fixed_signs(L[:n_components])


def split(
    L: np.ndarray, basis: np.ndarray | None, dual: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray | None, np.ndarray | float]:
    """Split L (k, d) into the part that acts on the points of `in_span`, left @ small @ basisᵀ, and the rest.

    Gradients have this form with the same ``left`` and ``basis``, and a rest of 0, so descents in L keep it.
    The columns of ``basis`` are orthonormal, or ``dual`` (d, n) has dualᵀ @ basis = I.

    Returns
    -------
    small : ndarray of shape (min(k, n), n)
        L itself if there is no basis.
    left : ndarray of shape (k, min(k, n)), or None if there is no basis
    rest : ndarray of shape (k, d), or 0
    """
    if basis is None:
        return L, None, 0.0
    inner = L @ (basis if dual is None else dual)
    left, small = qr(inner, mode="economic", check_finite=False)
    return small, left, L - inner @ basis.T


def joined(
    small: np.ndarray, left: np.ndarray | None, basis: np.ndarray | None, rest: np.ndarray | float
) -> np.ndarray:
    """The map L from its parts, the inverse of `split`."""
    return small if basis is None else left @ small @ basis.T + rest


def spread_of_columns(X: np.ndarray | spmatrix) -> np.ndarray:
    """The largest value of each column minus its smallest one."""
    return (X.max(axis=0) - X.min(axis=0)).toarray().ravel() if issparse(X) else np.ptp(X, axis=0)


def squares(X: np.ndarray | spmatrix) -> np.ndarray | spmatrix:
    """Each entry squared."""
    return X.multiply(X) if issparse(X) else X**2


def squared_norms(X: np.ndarray | spmatrix) -> np.ndarray:
    """Squared Euclidean norms of the rows."""
    return row_norms(X, squared=True) if issparse(X) else np.einsum("ij,ij->i", X, X)


def centered(X: np.ndarray, overwrite: bool = False) -> np.ndarray:
    """X minus its mean; columns that are constant up to rounding become 0."""
    Z = near_origin(X, middle(X), overwrite)
    Z -= Z.mean(axis=0)
    return Z


def near_origin(X: np.ndarray | spmatrix, origin: np.ndarray, overwrite: bool = False) -> np.ndarray | spmatrix:
    """X minus a point ``origin`` near its rows; columns that are constant up to rounding become 0."""
    if issparse(X):
        return shifted(X, origin)
    most, least = X.max(axis=0), X.min(axis=0)
    Z = np.subtract(X, origin, out=X if overwrite else None)
    Z[:, most - least <= ROUNDING * np.maximum(most, -least)] = 0
    return Z


def middle(X: np.ndarray | spmatrix) -> np.ndarray:
    """A point near the rows of X, in double precision: the median of each column over a thousand rows.

    It is one of the values of its column, so that differences to nearby values are exact, and integers stay
    integers.  It is 0 for sparse columns with zeros, which are never far from 0.

    Returns
    -------
    origin : ndarray of shape (d,)
    """
    if issparse(X):
        n, d = X.shape
        origin, full = np.zeros(d), np.flatnonzero(np.bincount(X.nonzero()[1], minlength=d) == n)
        origin[full] = middle(X.tocsr()[:: max(1, n // 1000)][:, full].toarray())
        return origin
    rows = X[:: max(1, len(X) // 1000)]
    return np.partition(rows, len(rows) // 2, axis=0)[len(rows) // 2].astype(float)


def shifted(X: np.ndarray | spmatrix, origin: np.ndarray) -> np.ndarray | spmatrix:
    """X minus a point, in double precision; sparse matrices stay sparse."""
    if not issparse(X):
        return X - origin
    return X.astype(float) - csr_matrix(np.ones((X.shape[0], 1))) @ csr_matrix(origin[None])


def squared_distances(Z: np.ndarray, i: np.ndarray, j: np.ndarray) -> np.ndarray:
    """Squared distances of pairs of rows, in blocks that stay in the cache."""
    d = np.empty(len(i))
    size = max(min(2**15 // Z.shape[1], len(i)), 1)
    ends = np.empty((2, size, Z.shape[1]))
    for start in range(0, len(i), size):
        block = slice(start, start + size)
        a, b = ends[:, : len(d[block])]
        np.take(Z, i[block], axis=0, out=a, mode="clip")  # writes directly; 'raise' would make a copy
        np.take(Z, j[block], axis=0, out=b, mode="clip")
        a -= b
        np.einsum("ij,ij->i", a, a, out=d[block])
    return d
