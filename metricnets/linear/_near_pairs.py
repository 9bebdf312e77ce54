"""Pairs of rows that are near enough to count for soft neighbours, without n x n arrays."""

import numpy as np
from scipy.sparse import csr_array, triu

NEGLIGIBLE = 1e-10  # share of its row's weight that may be left out
TILE = 2**19  # numbers of an array that are worked on at once


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
        self.reach = 1.1  # how far to search, of what is needed
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
                self.rest = min(self.n_failures, 3) - 1
                return None
            self.n_failures = 0
            d = squared_distances(Z, *self.once)[self.place]
        nearest = np.minimum.reduceat(d, self.starts)
        log_p = nearest[self.i] - d
        kept = np.flatnonzero(log_p >= -self.margin)
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
        d = squared_distances(Z, *self.once)[self.place]
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
        if n_found > len(Z) ** 2 / 64:  # more than a new search is worth
            self.reach = 1 + (self.reach - 1) / 2
        elif n_found < len(Z) ** 2 / 128:
            self.reach = min(1 + (self.reach - 1) * 1.5, 1.3)
        return True

    def _store(self, i, j, n):
        """Keep pairs in both directions, and every one once with its place in them."""
        found = csr_array((np.ones(len(i)), (i, j)), shape=(n, n))
        once = triu(found + found.T, format="csr")
        once.data = np.arange(1.0, once.nnz + 1)
        entries = once.tocoo()
        self.once = entries.row, entries.col
        both = (once + once.T).tocsr()
        self.place = both.data.astype(np.intp) - 1
        self.starts, self.j = both.indptr[:-1], both.indices
        self.i = np.repeat(np.arange(n), np.diff(both.indptr))


def bilinear(Z):
    """Factor -|z_i - z_j|^2 + |z_i|^2 into a product of (n, k + 1) and (k + 1, n)."""
    squares = np.einsum("ij,ij->i", Z, Z)
    left = np.hstack([2 * Z, np.full((len(Z), 1), -1, Z.dtype)])
    return left, np.ascontiguousarray(np.hstack([Z, squares[:, None]]).T)


def squared_distances(Z, i, j):
    """Squared distances of pairs of rows, in blocks that stay in the cache."""
    d = np.empty(len(i))
    size = max(min(2**15 // Z.shape[1], len(i)), 1)
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
