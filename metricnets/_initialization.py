"""Initial linear maps and prior metrics, by name or given as an array."""

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import LinAlgError, eigvalsh, svd
from scipy.sparse import issparse
from scipy.sparse.linalg import LinearOperator, svds
from sklearn.covariance import ledoit_wolf
from sklearn.datasets import make_spd_matrix
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.utils.extmath import svd_flip
from sklearn.utils.validation import check_array

from metricnets._blocks import Blocks
from metricnets._class_scatter import class_means, covariance, discriminants_of_scatter, weighted_discriminants
from metricnets._linalg import centered, discriminants, inverse_root, spread_of_columns, standardized
from metricnets._params import random_state_of
from metricnets._scatters import Scatters
from metricnets._weights import mean_of
from metricnets.exceptions import NonPSDError, warn

PLENTY = 2  # degrees of freedom for each feature that the inverse of a covariance needs


def initial_metric(
    prior: str | ArrayLike, X: np.ndarray, rng: np.random.RandomState, *, name: str = "prior", definite: bool = True
) -> np.ndarray:
    """Compute a metric M from its name, or check a given one.

    Parameters
    ----------
    prior : {'identity', 'covariance', 'random'} or array-like of shape (d, d)
        'covariance' is the inverse covariance of X, 'random' a random positive definite matrix.
    X : ndarray of shape (n, d)
    rng : numpy.random.RandomState
    name : str
        Name of the parameter, for messages.
    definite : bool, default=True
        Whether M has to be positive definite, or only positive semi-definite.

    Returns
    -------
    M : ndarray of shape (d, d)

    Raises
    ------
    ValueError
        If an array is not symmetric or not of shape (d, d).
    NonPSDError
        If it has a negative eigenvalue.
    LinAlgError
        If ``definite`` and the array, or the covariance of X, is singular.
    """
    d = X.shape[1]
    if isinstance(prior, str):
        if prior == "covariance":
            return _inverse_covariance(X, name, definite)
        return np.eye(d) if prior == "identity" else make_spd_matrix(d, random_state=rng)
    M = as_matrix(prior, name)
    if M.shape != (d, d):
        raise ValueError(f"{name} has shape {M.shape}; points of {d} features need a matrix of shape ({d}, {d}).")
    if not np.allclose(M, M.T, rtol=1e-6, atol=1e-8 * np.abs(M).max()):
        raise ValueError(f"{name} is not symmetric; use ({name} + {name}.T) / 2.")
    M = (M + M.T) / 2
    values = eigvalsh(M)
    rounding = d * np.finfo(float).eps * np.abs(values).max()
    if values[0] < -rounding:
        raise NonPSDError(f"{name} should be positive semi-definite; its smallest eigenvalue is {values[0]:.3g}.")
    if definite and values[0] <= rounding:
        raise LinAlgError(f"{name} should be positive definite; its smallest eigenvalue is {values[0]:.3g}.")
    return M


def is_identity(prior: str | ArrayLike) -> bool:
    """Whether a prior is the identity by name."""
    return isinstance(prior, str) and prior == "identity"


def metric_in_span(
    prior: str | ArrayLike, X: np.ndarray, basis: np.ndarray | None, rng: np.random.RandomState
) -> tuple[np.ndarray, np.ndarray | None]:
    """The metric of `initial_metric`, M, in the coordinates of `in_span`: basisᵀ M basis.

    Returns
    -------
    small : ndarray of shape (r, r)
    M : ndarray of shape (d, d), or None if that is the identity of more features than points
    """
    if basis is not None and is_identity(prior):
        return np.eye(basis.shape[1]), None
    M = initial_metric(prior, X, rng)
    return (M if basis is None else basis.T @ M @ basis), M


def _inverse_covariance(X, name, definite):
    scatter = np.cov(X, rowvar=False) if len(X) > 1 else np.zeros((X.shape[1], X.shape[1]))
    W = inverse_root(np.atleast_2d(scatter))  # (d, rank)
    d, rank = W.shape
    if rank < d:
        if definite:
            raise LinAlgError(
                f"{name}='covariance' needs an invertible covariance; that of the points has rank {rank} < {d}. "
                f"Use {name}='identity', or remove features that are constant or combinations of others."
            )
        warn(f"the covariance of the points has rank {rank} < {d}; its pseudo-inverse is used.")
    else:
        remedy = f"Use {name}='identity', or fewer features."
        warn_if_few(np.ptp(X, axis=0), len(X) - 1, "covariance of the points", remedy)
    return W @ W.T


def warn_if_few(spread: np.ndarray, n_free: float, covariance: str, remedy: str) -> None:
    """Warn if ``n_free`` degrees of freedom are too few to invert a covariance of the features that have a spread."""
    d = np.count_nonzero(spread)
    if d > 1 and n_free < PLENTY * d:
        warn(
            f"the {covariance} has {n_free:g} degrees of freedom for {d} features, fewer than {PLENTY} for each; its "
            f"inverse inflates directions in which the few samples happen to vary little. {remedy}"
        )


def initial_components(
    init: str | ArrayLike,
    n_components: int | None,
    X: np.ndarray,
    codes: np.ndarray | None,
    random_state: int | np.random.RandomState | None,
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """Compute a linear map L from its name, or check a given one.

    Parameters
    ----------
    init : {'auto', 'pca', 'lda', 'identity', 'random'} or array-like of shape (n_components, d)
        'auto' is 'lda' if there are enough classes for ``n_components``, else 'pca'
        if that reduces the dimension, else 'identity'.
    n_components : int or None
        None takes the number of rows of an array, otherwise d.
    X : ndarray or sparse matrix of shape (n, d)
    codes : ndarray of shape (n,) or None
        Classes; None if there are none.
    random_state : int, RandomState or None
        Seed of 'random'.
    weights : ndarray of shape (n,) or None
        How often each row counts for 'lda' and 'pca'.

    Returns
    -------
    L : ndarray of shape (n_components, d)

    Raises
    ------
    ValueError
        If the array does not have this shape, or there are too few classes or samples for 'lda' or 'pca'.
    """
    n, d = X.shape
    if not isinstance(init, str):
        return _given(init, n_components, d)
    k = n_components or d
    n_classes = 0 if codes is None else len(np.unique(codes))
    if init == "auto":
        enough = k < n_classes < n and k <= d
        init = "lda" if enough else "pca" if k < min(n, d) else "identity"
    if init == "lda":
        if not k < n_classes < n:
            raise ValueError(
                f"init='lda' needs n_components below the number of classes, and more samples than classes; "
                f"n_components is {k}, for {n_classes} classes in {n} samples. Use init='pca' or lower n_components."
            )
        return _discriminants(X if issparse(X) else centered(X), codes, weights, k)
    if init == "pca":
        if k > min(n, d):
            raise ValueError(f"init='pca' has at most {min(n, d)} components here; n_components is {k}.")
        X = X if issparse(X) else centered(X)
        if not spread_of_columns(X).any():
            return np.eye(k, d)
        if weights is not None:
            return _principal(X, weights, k)
        if issparse(X) and k < min(n, d):
            return PCA(k, svd_solver="arpack", random_state=0).fit(X).components_
        return PCA(k, svd_solver="full").fit(X.toarray() if issparse(X) else X).components_
    return np.eye(k, d) if init == "identity" else random_state_of(random_state).standard_normal((k, d))


def _given(init, n_components, d):
    L = as_matrix(init, "init")
    if L.shape[1] != d or len(L) > d or n_components not in (None, len(L)):
        rows = f"at most {d}" if n_components is None else n_components
        raise ValueError(f"init has shape {L.shape}; it needs n_components rows ({rows}) and n_features={d} columns.")
    if np.abs(L).max() > 1e75:  # fourth powers of the embeddings should not overflow
        raise ValueError(f"init reaches {np.abs(L).max():.3g}, beyond 1e75.")
    return L


def _principal(X, weights, k):
    """The k leading principal components of weighted rows."""
    roots, mean = np.sqrt(weights), mean_of(X, weights)
    if not issparse(X) or k == min(X.shape):
        Z = (X.toarray() if issparse(X) else X) - mean
        return svd_flip(*svd(roots[:, None] * Z, full_matrices=False)[::2], u_based_decision=False)[1][:k]
    deviations = LinearOperator(
        X.shape,
        matvec=lambda v: roots * (X @ v.ravel() - mean @ v.ravel()),
        rmatvec=lambda u: X.T @ (roots * u.ravel()) - (roots @ u.ravel()) * mean,
        dtype=float,
    )
    U, _, V = svds(deviations, k, v0=np.random.RandomState(0).uniform(-1, 1, min(X.shape)))
    return svd_flip(U, V[::-1], u_based_decision=False)[1]


def _discriminants(X, codes, weights, k):
    """The k leading discriminants, completed by rows of the identity if there are fewer."""
    if not any(spread_of_columns(X[codes == code]).any() for code in np.unique(codes)):
        return np.eye(k, X.shape[1])
    sizes = np.bincount(codes, weights)
    plenty = sizes.sum() - len(sizes) >= PLENTY * X.shape[1]
    if issparse(X) and plenty:
        _, _, _, means, within = Blocks(X).summed(Scatters.of, Scatters.merged, codes, weights)
        found = discriminants_of_scatter(within, sizes, means, priors=sizes).T[:k]
        return np.vstack([found, np.eye(k, X.shape[1])[len(found) :]])
    X = centered(X.toarray()) if issparse(X) else X
    if weights is not None and plenty:
        found = weighted_discriminants(X, codes, weights).T[:k]
    elif weights is not None:
        means, _ = class_means(X, codes, weights)
        found = discriminants(covariance(X - means[codes], weights, "auto"), means, sizes / sizes.sum())[:k]
    elif plenty:
        found = LinearDiscriminantAnalysis().fit(X, codes).scalings_.T[:k]  # (at most k, d)
    else:  # the unshrunk scatter within classes would be worse than no start
        means = np.stack([X[codes == code].mean(axis=0) for code in range(len(sizes))])
        Z, scale = standardized(X - means[codes])
        found = discriminants(ledoit_wolf(Z)[0] * np.outer(scale, scale), means, sizes / len(X))[:k]
    return np.vstack([found, np.eye(k, X.shape[1])[len(found) :]])


def as_matrix(values: ArrayLike, name: str) -> np.ndarray:
    """Validate a matrix given by the user; raise ValueError with ``name`` if it is not 2-D or not finite."""
    if np.ndim(values) != 2:
        raise ValueError(f"{name} should be a matrix, with 2 dimensions; got {np.ndim(values)}.")
    return check_array(values, dtype=float, input_name=name)
