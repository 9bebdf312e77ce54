"""Discriminants of local parts of the data: the bases of SCML."""

import numpy as np
from scipy.sparse import csr_matrix, issparse
from sklearn.cluster import KMeans

from metricnets._arrays import rows_as_array
from metricnets._neighbors import nearest
from metricnets._runtime import openmp_threads

SCALES = 20, 50  # numbers of rows of each class in a local discriminant analysis
ROWS_PER_CENTER = 20  # in the sample that is clustered to find the centres of these analyses


def local_discriminants(Z: np.ndarray, codes: np.ndarray, n_basis: int, rng: np.random.RandomState) -> np.ndarray:
    """Discriminants of the rows of each class that are nearest to k-means centres.

    Parameters
    ----------
    Z : ndarray of shape (n, d)
    codes : ndarray of int of shape (n,)
    n_basis : int
        Maximum number of bases.
    rng : numpy.random.RandomState

    Returns
    -------
    basis : ndarray of shape (n_basis, d)
        Rows of unit norm.
    """
    n, d = Z.shape
    n_directions = min(codes.max(), d)
    n_centers = min(n, -(-n_basis // (n_directions * len(SCALES))))
    sample = Z[rng.permutation(n)[: ROWS_PER_CENTER * n_centers]]
    n_centers = min(n_centers, n_distinct(sample))
    with openmp_threads():
        centers = KMeans(n_centers, n_init=1, max_iter=10, tol=0, random_state=rng).fit(sample).cluster_centers_
    members = [np.flatnonzero(codes == code) for code in range(codes.max() + 1)]
    near = [own[nearest(Z[own], centers, min(SCALES[-1], len(own)))] for own in members]  # each (n_centers, k)
    step = max(1, 2**21 // (d * sum(rows.shape[1] for rows in near)))  # centres at a time
    found = [
        discriminants(Z, [rows[start : start + step, :k] for rows in near], n_directions)
        for k in SCALES
        for start in range(0, n_centers, step)
    ]
    basis = np.concatenate(found)[:n_basis]
    return basis if len(basis) else np.eye(d)[:n_basis]


def n_distinct(rows: np.ndarray | csr_matrix) -> int:
    """Number of different rows; sparse ones store no zeros."""
    if not issparse(rows):
        return len(np.unique(rows, axis=0))
    ends = zip(rows.indptr, rows.indptr[1:])
    return len({(rows.indices[i:j].tobytes(), rows.data[i:j].tobytes()) for i, j in ends})


def discriminants(Z: np.ndarray, groups: list[np.ndarray], n_directions: int) -> np.ndarray:
    """Unit vectors that separate groups of rows, for many cases with the same number of groups.

    They maximise uᵀ S_b u / uᵀ S_w u; a multiple of the identity, as of d / 4 further rows, is added to S_w.

    Parameters
    ----------
    Z : ndarray of shape (n, d)
    groups : list of ndarrays of int, each of shape (n_cases, size of the group)
    n_directions : int

    Returns
    -------
    directions : ndarray of shape (n_found, d)
        At most n_directions for each case, case by case and the best first.
    """
    d, sizes = Z.shape[1], np.array([rows.shape[1] for rows in groups])
    rows = rows_as_array(Z, np.concatenate(groups, axis=1))  # (n_cases, n_rows, d)
    means = np.add.reduceat(rows, np.cumsum(sizes) - sizes, axis=1) / sizes[:, None]  # (n_cases, n_groups, d)
    rows -= np.repeat(means, sizes, axis=1)
    within = rows.transpose(0, 2, 1) @ rows
    ridge = np.maximum(np.trace(within, axis1=1, axis2=2) / sizes.sum() / 4, 1e-6)
    root = np.linalg.cholesky(within + ridge[:, None, None] * np.eye(d))
    between = np.linalg.solve(root, (means - means.mean(axis=1, keepdims=True)).transpose(0, 2, 1))
    U, s, _ = np.linalg.svd(between, full_matrices=False)
    V = np.linalg.solve(root.transpose(0, 2, 1), U[:, :, :n_directions]).transpose(0, 2, 1)
    V = V[s[:, :n_directions] > 1e-7 * s[:, :1]]
    return V / np.linalg.norm(V, axis=1, keepdims=True)


def triplet_directions(Z: np.ndarray, triplets: np.ndarray, n_basis: int, rng: np.random.RandomState) -> np.ndarray:
    """Unit vectors that maximise the distance of c minus that of b from a, for randomly drawn triplets.

    Each is the leading eigenvector of v vᵀ − u uᵀ, v = a − c and u = a − b.

    Returns
    -------
    basis : ndarray of shape (n_basis, d)
        Fewer if fewer triplets have such a direction.
    """
    a, b, c = rows_as_array(Z, triplets[rng.permutation(len(triplets))[:n_basis]].T)
    v, u = a - c, a - b
    vv, uu, uv = (np.einsum("ij,ij->i", p, q)[:, None] for p, q in ((v, v), (u, u), (u, v)))
    value = (vv - uu + np.sqrt(np.maximum((vv + uu) ** 2 - 4 * uv**2, 0))) / 2
    found = (value + uu) * v - uv * u
    norms = np.linalg.norm(found, axis=1, keepdims=True)
    kept = norms[:, 0] > 1e-7 * ((value + uu) * np.sqrt(vv))[:, 0]
    return found[kept] / norms[kept] if kept.any() else np.eye(Z.shape[1])[:n_basis]
