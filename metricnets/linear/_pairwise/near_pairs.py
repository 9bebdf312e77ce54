"""Pairs of rows with a weight that is not negligible for soft neighbours, without n x n arrays."""

import numpy as np
from scipy.sparse import csr_array

from metricnets._cores import in_threads
from metricnets._linalg import squared_distances

NEGLIGIBLE = 1e-10  # share of its row's weight that may be left out
SIDE = 512  # rows and columns of a block
MANY = 1 / 512  # share of all pairs above which the search radius shrinks; below half of it the radius grows


class NearPairs:
    """Pairs of rows whose weights are not negligible, found once and kept while the map moves little.

    The weight of a pair decreases as exp(-d^2): pairs further than the nearest neighbour by ``margin``
    in d^2 have together less than NEGLIGIBLE of the weight of their row.  A search in single precision, with its
    rounding error added to the radius, finds the others; it reaches slightly further than necessary.
    No pair that was left out comes nearer than c (radius of its row) - |z_i - c z'_i| - max_j |z_j - c z'_j|,
    with the embeddings z' of the search and any c > 0.  While this is enough, there is no new search,
    and only the distances of the known pairs are computed, in double precision.  Memory: at most
    max(2^19, 64 n) pairs; with more, the call returns None.
    """

    def __init__(self, n_rows: int, weights: np.ndarray | None = None, threads: int = 1) -> None:
        self.threads = threads
        spread = 0.0 if weights is None else np.ptp(np.log(weights))
        self.margin = np.log(n_rows / NEGLIGIBLE) + spread
        self.most = min(max(n_rows**2 // 64, 4 * n_rows), max(2**19, 64 * n_rows))
        self.reach = 1.1  # radius of the search, relative to the necessary one
        self.searched, self.pause = None, 0

    def __call__(self, Z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """Return i, j and the logarithm of the weights (up to a constant for each i), sorted by i, or None."""
        if self.pause > 0:
            self.pause -= 1
            return None
        nearest = None
        if self.searched is not None:
            nearest = squared_distances(Z, np.arange(len(Z)), self.neighbor)  # or less
        if (nearest is None or not self._suffice(Z, nearest)) and not self._search(Z, nearest):
            return None
        d = squared_distances(Z, *self.once)[self.place]
        nearest = np.minimum.reduceat(d, self.starts)
        log_p = nearest[self.i] - d
        first = np.flatnonzero(log_p == 0)
        self.neighbor[self.i[first]] = self.j[first]
        kept = np.flatnonzero(log_p >= -self.margin)
        return self.i[kept], self.j[kept], log_p[kept]

    def _suffice(self, Z, nearest):
        """Whether the pairs of the last search still include all that are not negligible."""
        scale = np.vdot(Z, self.searched) / np.vdot(self.searched, self.searched)
        moved = np.linalg.norm(Z - scale * self.searched, axis=1)
        return np.all(scale * self.radius - moved - moved.max() >= np.sqrt(nearest + self.margin))

    def _search(self, Z, nearest):
        """Find the pairs; ``nearest``, if known, is an upper bound of the squared distance of the nearest neighbour."""
        self.searched = self.once = self.place = self.i = self.j = None  # frees their memory
        unit = np.sqrt(np.einsum("ij,ij->i", Z, Z).max())
        margin = self.margin / max(unit, 1e-150) ** 2
        if not (margin <= 4 and np.isfinite(unit)):
            return False  # no distance exceeds the margin
        near = np.divide(Z, unit, out=np.empty(Z.shape, np.float32), casting="same_kind")
        left, right = bilinear(near)  # the product is -d^2
        slack = (len(right) + 4) * np.float32(2.0**-22)
        if nearest is not None:
            nearest = nearest / unit**2
        elif self._too_many(left, right, slack + margin):
            return self._give_up()
        else:
            nearest = nearest_neighbors(left, right, self.threads) + slack
        radius = self.reach**2 * (nearest + slack + margin)
        found = self._within(left, right, radius + slack)
        if found is None:
            return self._give_up()
        self._store(*found, len(Z))
        self.radius, self.searched = unit * np.sqrt(radius), Z
        many = min(MANY * len(Z) ** 2, self.most / 2)
        if len(found[0]) > many:  # more pairs than are cheaper than a new search
            self.reach = 1 + (self.reach - 1) / 2
        elif len(found[0]) < many / 2:
            self.reach = min(1 + (self.reach - 1) * 1.5, 1.3)
        return True

    def _within(self, left, right, radius):
        """Pairs i < j whose squared distance is at most the radius of one of them; None if there are too many."""
        least, found, n_found = -radius.astype(np.float32), [], 0

        def of_block(block):
            rows, columns = block
            near = left[rows] @ right[:, columns] >= np.minimum.outer(least[rows], least[columns])
            i, j = np.divmod(np.flatnonzero(np.triu(near, 1) if rows == columns else near), near.shape[1])
            return i + rows.start, j + columns.start

        for pairs in in_threads(of_block, blocks(len(left), SIDE), self.threads):
            found.append(pairs)
            n_found += len(pairs[0])
            if n_found > self.most:
                return None
        return np.concatenate(found, axis=1)

    def _give_up(self):
        self.reach = 1 + (self.reach - 1) / 2
        return False

    def _too_many(self, left, right, margin):
        """Whether there are too many pairs, estimated from some of the rows; if far too many, soon is too early too."""
        some = np.arange(0, len(left), max(len(left) // 64, 1))
        D = left[some] @ right
        D[np.arange(len(some)), some] = -np.inf
        n_near = np.count_nonzero(self.reach**2 * (D.max(axis=1, keepdims=True) - margin) <= D)
        excess = 0.75 * n_near / len(some) * len(left) / self.most  # many pairs are found from both ends
        self.pause = int(np.log2(max(excess, 1)) / 2)
        return excess > 1

    def _store(self, i, j, n):
        """Keep the pairs i < j, and for both directions the place of each pair among them."""
        self.once = i, j
        once = csr_array((np.arange(1.0, len(i) + 1), (i, j)), shape=(n, n))
        both = (once + once.T).tocsr()
        self.place = both.data.astype(np.intp) - 1
        self.starts, self.j = both.indptr[:-1], both.indices
        self.i = np.repeat(np.arange(n), np.diff(both.indptr))
        self.neighbor = np.empty(n, np.intp)


def nearest_neighbors(left: np.ndarray, right: np.ndarray, threads: int = 1) -> np.ndarray:
    """Squared distances of the nearest neighbours of all rows."""
    nearest = np.full(len(left), np.inf, left.dtype)

    def of_block(block):
        rows, columns = block
        D = left[rows] @ right[:, columns]
        if rows == columns:
            np.fill_diagonal(D, -np.inf)
        return (rows, -D.max(axis=1)), (columns, -D.max(axis=0))

    for found in in_threads(of_block, blocks(len(left), SIDE), threads):
        for these, distances in found:
            nearest[these] = np.minimum(nearest[these], distances)
    return nearest


def blocks(n: int, side: int) -> list[tuple[slice, slice]]:
    """Slices of rows and of columns, the blocks of a symmetric array on and above its diagonal."""
    tiles = [slice(start, min(start + side, n)) for start in range(0, n, side)]
    return [(rows, columns) for i, rows in enumerate(tiles) for columns in tiles[i:]]


def bilinear(Z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Factor -|z_i - z_j|^2 into a product of (n, k + 2) and (k + 2, n)."""
    n, k = Z.shape
    left, right = np.empty((n, k + 2), Z.dtype), np.empty((k + 2, n), Z.dtype)
    np.multiply(2, Z, out=left[:, :k])
    right[:k] = Z.T
    np.einsum("ij,ij->i", Z, Z, out=right[k])
    left[:, k], right[k + 1] = -1, 1
    np.negative(right[k], out=left[:, k + 1])
    return left, right
