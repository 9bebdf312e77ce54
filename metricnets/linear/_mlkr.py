"""MLKR: the metric of kernel regression."""

import warnings

import numpy as np
from scipy.optimize import minimize
from scipy.sparse import csr_array, triu
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_array, check_random_state

from metricnets._params import Count, Flag, Interval, Real, Seed, checked, one_of
from metricnets._progress import progress
from metricnets.initial import initial_components
from metricnets.linear._base import LinearMetric

Map = checked(np.ndarray, "array-like")
MaybeTolerance = checked(float | None, Interval(Real, 0, None, closed="left"), None)

START = 4.0  # mean squared distance to begin with, over log(n)
NEGLIGIBLE = 1e-10  # share of its row's weight that may be left out
REACH = 1.15  # how far a search looks, of what it must
FAR = 700.0  # squared distance whose weight is still a normal number
TILE = 2**18  # numbers of an array that are worked on at once


class MLKR(
    LinearMetric,
    positional="n_components init tol max_iter verbose preprocessor random_state",
):
    """Metric learning for kernel regression: the target of a row follows from those of its neighbours.

    Every target is predicted as the mean of the others, weighted by a Gaussian kernel of the learned
    distance, and L is what makes the sum of the squared errors least:

        minimise  sum_i (y_i - sum_{j != i} p_ij y_j)^2,   p_ij = softmax over j != i of -||L x_i - L x_j||^2.

    L-BFGS solves it, on centred features and targets in units of their standard deviations, which changes the
    path and not the problem.  Cost of an iteration: where the weights of most pairs are negligible, as they
    soon are in many dimensions, a search for the others in single precision, 2 n^2 k flops and no exponential, or, as
    long as the map has moved too little to miss any, the distances of the m pairs found last, O(m k);
    elsewhere 2 n^2 (k + d) flops and n^2 exponentials.  To this comes O(n d k).  Memory: O(n (d + k)), a few
    tiles of at most 2 MiB (or a row), and at most max(2^20, 128 n) pairs; never n x n.

    Deviations from the paper: the kernel is exp(-d^2), its width being part of L; it needs no floor, as the
    softmax is computed from the nearest neighbour on.  Pairs that weigh less than 1e-10 / n of their row are left out:
    predictions are right to 1e-10 of the range of the targets.  An ``init`` by name
    may be so sharp that each row has one neighbour, or so flat that it has all, with no gradient to
    follow: if its mean squared distance is not in [1, 8] log(n), it is multiplied to make it 4 log(n).

    Parameters
    ----------
    init : {'auto', 'pca', 'identity', 'random'} or array-like of shape (n_components, n_features), default='auto'
        Where L begins.  'auto' is 'pca' if ``n_components`` reduces the dimension, else 'identity'.
        An array is taken as it is.
    tol : float >= 0 or None, default=None
        Of ``scipy.optimize.minimize``: change of the objective, or the greatest entry of its gradient, at which
        to stop, for the mean squared error over the variance of y; None takes its defaults, 2.2e-9 and 1e-5.
    max_iter : int >= 1, default=1000
        Greatest number of iterations; ConvergenceWarning if they do not suffice.
    verbose : bool, default=False
        Whether to show the progress.
    random_state : int, RandomState or None, default=None
        For a random ``init``.

    Attributes
    ----------
    n_iter_ : int
        Iterations done.

    References
    ----------
    K. Q. Weinberger, G. Tesauro, "Metric learning for kernel regression", AISTATS 2007.

    Examples
    --------
    >>> from sklearn.datasets import load_diabetes
    >>> from metricnets import MLKR
    >>> X, y = load_diabetes(return_X_y=True)
    >>> MLKR(n_components=2, max_iter=20, tol=0.01).fit(X, y).transform(X).shape
    (442, 2)
    """

    init: one_of("auto", "pca", "identity", "random", or_else=Map) = "auto"
    tol: MaybeTolerance = None
    max_iter: Count = 1000
    verbose: Flag = False
    random_state: Seed = None

    def _solve(self, X, y):
        y = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
        L = initial_components(self.init, self.n_components, X, None, check_random_state(self.random_state))
        with progress("MLKR", self.verbose, self.max_iter) as report:
            L, self.n_iter_, converged = soften(
                regression_loss(in_units(y)[0]),
                L,
                X,
                rescale=isinstance(self.init, str),
                max_iter=self.max_iter,
                tol=self.tol,
                report=report,
            )
        if not converged:
            warnings.warn(
                f"MLKR did not converge in max_iter={self.max_iter} iterations; raise max_iter or tol.",
                ConvergenceWarning,
                stacklevel=6,
            )
        return L


def regression_loss(y):
    """Mean of the squared errors of the expected targets; see `soft_loss`."""

    def value(i, j):
        return np.broadcast_to(y[j], np.broadcast_shapes(i.shape, j.shape))

    def total(e, i):
        errors = e - y[i]
        return errors @ errors / len(y), 2 * errors / len(y)

    return value, total


def soften(loss, L, X, *, rescale, max_iter, tol, report):
    """Minimise the loss of the soft neighbours of ``X @ L.T`` over L, by L-BFGS.

    Parameters
    ----------
    loss : (value, total)
        See `soft_loss`.
    L : ndarray of shape (k, d)
        The start.
    X : ndarray of shape (n, d)
    rescale : bool
        Whether to multiply L, where the mean squared distance is not in [1, 8] log(n), to make it 4 log(n).
    report : callable
        Called with the loss after every iteration.

    Returns
    -------
    L : ndarray of shape (k, d)
    n_iter : int
    converged : bool
    """
    X, units = in_units(X)
    L = L * units
    sharpness = 2 * (X @ L.T).var(axis=0).sum() / np.log(len(X))  # mean squared distance over log(n)
    if rescale and sharpness > 0 and not 1 <= sharpness <= 2 * START:
        L *= np.sqrt(START / sharpness)
    near, losses = NearPairs(len(X)), []

    def objective(flat):
        value, gradient = soft_loss(loss, flat.reshape(L.shape), X, near)
        losses.append(value)
        return value, gradient.ravel()

    result = minimize(
        objective,
        L.ravel(),
        method="L-BFGS-B",
        jac=True,
        tol=tol,
        options={"maxiter": max_iter, "maxfun": 100 * max_iter},
        callback=lambda flat: report(losses[-1]),
    )
    return result.x.reshape(L.shape) / units, result.nit, result.status != 1


def in_units(X):
    """Centre features and divide them by their standard deviations; those that do not vary become 0, their unit 1."""
    centered = X - X.mean(axis=0)
    units = centered.std(axis=0)
    constant = units <= 100 * np.finfo(float).eps * np.abs(X).max(axis=0)
    units = np.where(constant, 1, units)
    return np.where(constant, 0, centered) / units, units


def soft_loss(loss, L, X, near):
    """Loss of the expected values e of soft neighbours, and its gradient with respect to L.

    e_i = sum_j p_ij v_ij, p_ij = softmax over j != i of -|z_i - z_j|^2, Z = X L^T.

    Parameters
    ----------
    loss : (value, total)
        ``value(i, j)`` gives v_ij for arrays of rows that broadcast; ``total(e, i)`` the loss of the rows i with
        the expected values e, and its derivatives with respect to them.
    L : ndarray of shape (k, d)
    X : ndarray of shape (n, d)
    near : NearPairs

    Returns
    -------
    loss : float
    gradient : ndarray of shape (k, d)
    """
    Z = X @ L.T
    pairs = near(Z)
    return dense_loss(loss, L, X, Z) if pairs is None else sparse_loss(loss, X, Z, *pairs)


def sparse_loss(loss, X, Z, i, j, log_p):
    """Compute `soft_loss` from the pairs whose weights count."""
    value, total = loss
    n = len(Z)
    p = np.exp(log_p)
    p /= np.bincount(i, p, n)[i]
    v = value(i, j)
    e = np.bincount(i, p * v, n)
    objective, slopes = total(e, np.arange(n))
    w = slopes[i] * p * (v - e[i])  # derivatives with respect to -d^2; their sum over j is 0
    W = csr_array((w, (i, j)), shape=(n, n))
    forces = W @ Z + W.T @ Z - np.bincount(j, w, n)[:, None] * Z
    return objective, 2 * forces.T @ X


def dense_loss(loss, L, X, Z):
    """Compute `soft_loss` from all pairs, in tiles of rows."""
    value, total = loss
    n = len(X)
    left, right = bilinear(Z)
    columns = np.arange(n)
    objective, gradient, pulls = 0.0, np.zeros_like(L), np.zeros(n)
    for rows in tiles(n):
        i = columns[rows]
        P = left[rows] @ right
        P[i - i[0], i] = -np.inf
        P -= P.max(axis=1, keepdims=True)
        P[i - i[0], i] = 0
        if P.min() < -FAR:
            np.maximum(P, -FAR, out=P)  # the exponential of less is no weight, but may be subnormal, hence slow
        np.exp(P, out=P)
        P[i - i[0], i] = 0
        v = value(i[:, None], columns)
        weights = P.sum(axis=1)
        e = np.einsum("ij,ij->i", P, v) / weights
        part, slopes = total(e, i)
        objective += part
        P *= v - e[:, None]
        slopes /= weights
        ends = slopes[:, None] * (P @ X)  # (rows, d)
        gradient += Z[rows].T @ ends + L @ ends.T @ X[rows]
        pulls += slopes @ P
    return objective, 2 * (gradient - (pulls[:, None] * Z).T @ X)


class NearPairs:
    """Pairs of rows whose weights count, found once and kept while the map moves little.

    The weight of a pair falls as exp(-d^2): what is further than the nearest neighbour by ``margin``
    in d^2 weighs, all together, less than NEGLIGIBLE of its row.  A search in single precision, its
    rounding error added to the radius, finds the others; it reaches somewhat further than it must.
    No pair that was left out comes nearer than c (radius of its row) - |z_i - c z'_i| - max_j |z_j - c z'_j|,
    with the embeddings z' of the search and any c > 0; while this is enough, there is no new search,
    and the distances of the pairs are computed one by one, in double precision.  Memory: at most
    max(2^20, 128 n) pairs, else None is returned.
    """

    def __init__(self, n_rows):
        self.margin = np.log(n_rows / NEGLIGIBLE)
        self.most = min(n_rows**2 // 16, max(2**20, 128 * n_rows))
        self.reach = 1.0
        self.searched = None
        self.n_failures = self.rest = 0  # a search that failed is not tried again at once

    def __call__(self, Z):
        """Return i, j and the logarithm of the weights (up to a constant for each i), sorted by i, or None."""
        d = self._remembered(Z)
        if d is None:
            if self.rest > 0:
                self.rest -= 1
                return None
            if not self._search(Z):
                self.n_failures += 1
                self.rest = min(2**self.n_failures, 8) - 1
                return None
            self.n_failures = 0
            d = distances(Z, *self.once)[self.place]
        nearest = np.minimum.reduceat(d, self.starts)
        log_p = nearest[self.i] - d
        kept = np.flatnonzero(log_p >= -self.margin)
        self.reach = REACH if len(kept) < len(Z) ** 2 / 100 else 1.0
        return self.i[kept], self.j[kept], log_p[kept]

    def _remembered(self, Z):
        if self.searched is None:
            return None
        scale = np.vdot(Z, self.searched) / np.vdot(self.searched, self.searched)
        moved = np.linalg.norm(Z - scale * self.searched, axis=1)
        moved += moved.max()
        radius = scale * self.radius - moved
        nearest = np.maximum(scale * self.nearest - moved, 0)  # at least
        if np.any(radius < np.sqrt(nearest**2 + self.margin)):
            return None
        d = distances(Z, *self.once)[self.place]
        if np.any(radius**2 < np.minimum.reduceat(d, self.starts) + self.margin):
            return None
        return d

    def _search(self, Z):
        self.searched = None
        unit = np.sqrt(np.einsum("ij,ij->i", Z, Z).max())
        margin = self.margin / max(unit, 1e-150) ** 2
        if margin > 4:
            return False  # no distance is greater
        left, right = bilinear((Z / unit).astype(np.float32))
        slack = (len(right) + 4) * 2.0**-22
        found, n_found, nearest, radius = [], 0, [], []
        for rows in tiles(len(Z)):
            s = left[rows] @ right
            i = np.arange(len(s))
            s[i, i + rows.start] = -np.inf
            square = right[-1, rows].astype(float)
            nearest.append(np.maximum(square - s.max(axis=1), 0))
            radius.append(self.reach**2 * (nearest[-1] + slack + margin))
            far = square - radius[-1] - slack
            found.append(np.flatnonzero(s > far.astype(np.float32)[:, None]) + rows.start * len(Z))
            n_found += len(found[-1])
            if n_found > self.most:
                return False
        self._store(*np.divmod(np.concatenate(found), len(Z)), len(Z))
        self.nearest = unit * np.sqrt(np.maximum(np.concatenate(nearest) - slack, 0))
        self.radius = unit * np.sqrt(np.concatenate(radius))
        self.searched = Z
        return True

    def _store(self, i, j, n):
        """Keep pairs in both directions, and every one once with its place in them."""
        found = csr_array((np.ones(len(i)), (i, j)), shape=(n, n))
        once = triu(found + found.T, format="csr")
        once.data = np.arange(1.0, once.nnz + 1)
        self.once = once.tocoo().coords
        both = (once + once.T).tocsr()
        self.place = both.data.astype(np.intp) - 1
        self.starts, self.j = both.indptr[:-1], both.indices
        self.i = np.repeat(np.arange(n), np.diff(both.indptr))


def bilinear(Z):
    """Factor -|z_i - z_j|^2 + |z_i|^2 into a product of (n, k + 1) and (k + 1, n)."""
    squares = np.einsum("ij,ij->i", Z, Z)
    left = np.hstack([2 * Z, np.full((len(Z), 1), -1, Z.dtype)])
    return left, np.ascontiguousarray(np.hstack([Z, squares[:, None]]).T)


def distances(Z, i, j):
    """Squared distances of pairs of rows, in blocks that stay in the cache."""
    d = np.empty(len(i))
    size = min(max(2**15 // Z.shape[1], 1), len(i))
    ends = np.empty((2, size, Z.shape[1]))
    for start in range(0, len(i), size):
        block = slice(start, start + size)
        a, b = ends[:, : len(d[block])]
        np.take(Z, i[block], axis=0, out=a, mode="clip")  # writes at once where 'raise' makes a copy
        np.take(Z, j[block], axis=0, out=b, mode="clip")
        a -= b
        np.einsum("ij,ij->i", a, a, out=d[block])
    return d


def tiles(n):
    """Slices of rows of n numbers each that stay in the cache."""
    size = max(TILE // n, 1)
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]
