"""Large margins: the objective of LMNN, and the search for the pairs of rows within the margin."""

from collections.abc import Iterable, Iterator

import numpy as np
from scipy.sparse import csr_matrix
from scipy.spatial.distance import cdist
from sklearn.utils import gen_batches

from metricnets._cores import in_threads, n_threads
from metricnets._linalg import squared_distances
from metricnets._weights import total_of

N_BLOCK = 2**19  # distances in one block of the search, and pairs in one batch
N_BLOCKS, WIDTH = 8, 4096  # blocks of rows in one matrix product, and its columns
LEAST = 2**27  # multiplications of a thread in a search, below which starting it may take longer
N_KEPT = 2**23  # pairs found that are kept for the next evaluations
N_DENSE = 256  # rows up to which a graph is a dense matrix, as a sparse one takes longer to set up


def best_scale(
    z: np.ndarray,
    near: np.ndarray,
    codes: np.ndarray,
    mu: float,
    counts: np.ndarray | None = None,
    weights: np.ndarray | None = None,
    n_rows: int = 64,
    n_columns: int = 4096,
) -> float:
    """Scale s of squared distances that minimises the objective, exactly, on a sample of rows and impostors.

    The objective is convex and piecewise linear in s, with its minimum where a hinge closes.
    """
    counts = near != np.arange(len(z))[:, None] if counts is None else counts
    rows = np.flatnonzero(counts.any(axis=1))
    rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), n_rows)).astype(int)]
    columns = np.linspace(0, len(z) - 1, min(len(z), n_columns)).astype(int)
    pull = ((z[rows, None] - z[near[rows]]) ** 2).sum(axis=2)  # (n_rows, n_near)
    away = cdist(z[rows], z[columns], "sqeuclidean")[codes[rows, None] != codes[columns]]
    of, to = np.nonzero(codes[rows, None] != codes[columns])
    is_target = counts[rows[of]] > 0
    excess, times = (pull[of] - away[:, None])[is_target], 1.0  # (n_triplets,)
    if weights is not None:
        times = (counts[rows[of]] * weights[columns[to], None])[is_target]
        pull = pull * counts[rows]
    steps, weight = excess * times, mu * len(z) / len(columns)
    order = np.argsort(excess, kind="stable")[: np.count_nonzero(excess < 0)]
    closing = excess[order]  # hinges that close at s = -1/excess, in this order
    slopes = (1 - mu) * pull.sum() + weight * (steps[excess > 0].sum() + steps[order][::-1].cumsum()[::-1])
    if len(closing) == 0 or slopes[0] >= 0:
        return len(z) / np.square(z).sum()
    n_closed = np.searchsorted(slopes, 1e-6 * slopes[0])
    return -1 / closing[max(n_closed - 1, 0)]


class LargeMargins:
    """The objective of `LMNN` and its gradient, exact at every L.

    Parameters
    ----------
    X : ndarray of shape (n, d)
        Rows of one class follow one another.
    near : ndarray of shape (n, n_near)
        Targets; a missing one is the row itself.
    codes : ndarray of shape (n,)
    mu : float
    counts : ndarray of shape (n, n_near) or None
        How often each row and target count together; 0 for a missing one.
    weights : ndarray of shape (n,) or None
        How often each row counts as an impostor; None if there are no ``counts``.
    n_jobs : int or None
        Number of threads of the search.
    added : ndarray of shape (d, d) or None
        Symmetric A, for an objective with tr(L A Lᵀ) besides; see `shrunk_pull`.
    """

    def __init__(
        self,
        X: np.ndarray,
        near: np.ndarray,
        codes: np.ndarray,
        mu: float,
        counts: np.ndarray | None = None,
        weights: np.ndarray | None = None,
        n_jobs: int | None = 1,
        added: np.ndarray | None = None,
    ) -> None:
        self.X, self.near, self.mu, self.counts, self.weights, self.added = X, near, mu, counts, weights, added
        self.rows, self.targets = np.repeat(np.arange(len(X)), near.shape[1]), near.ravel()
        self.missing = near == np.arange(len(X))[:, None] if counts is None else counts == 0
        self.impostors = Impostors(np.searchsorted(codes, np.arange(codes.max() + 2)), n_jobs)
        others = total_of(weights, len(X)) - np.bincount(codes, weights)[codes]
        present = ~self.missing if counts is None else counts
        self.at_zero = mu * np.sum(others[:, None] * present)  # the objective of L = 0

    def __call__(self, L: np.ndarray) -> tuple[float, np.ndarray]:
        z = self.X @ L.T
        pull = squared_distances(z, self.rows, self.targets).reshape(self.near.shape)
        margins = np.where(self.missing, -np.inf, 1 + pull)
        reach = np.sqrt(margins.max(axis=1).clip(0))
        push, forces, weights = 0.0, np.zeros_like(z), np.full(pull.shape, 1 - self.mu)
        if self.counts is not None:
            weights *= self.counts
        for i, j in self.impostors.within(z, reach):
            d = squared_distances(z, i, j)
            close = d < reach[i] ** 2
            i, j, d = i[close], j[close], d[close]
            hinges = margins[i] - d[:, None]  # (n_pairs, n_near)
            is_open = hinges > 0
            times = is_open
            if self.counts is None:
                push += hinges[is_open].sum()
            else:
                times = is_open * self.counts[i] * self.weights[j, None]
                push += hinges[is_open] @ times[is_open]
            pushed = pulled(z, i, j, times.sum(axis=1))
            pushed *= self.mu
            forces -= pushed
            del pushed  # as large as z
            for column, weight in enumerate(weights.T):
                weight += self.mu * np.bincount(i, times[:, column], len(z))
        forces += pulled(z, self.rows, self.targets, weights.ravel())
        pull = pull if self.counts is None else pull * self.counts
        forces *= 2
        objective, gradient = (1 - self.mu) * pull.sum() + self.mu * push, forces.T @ self.X
        if self.added is not None:
            slope = L @ self.added
            objective, gradient = objective + np.vdot(slope, L), gradient + 2 * slope
        return objective, gradient


def pulled(z: np.ndarray, i: np.ndarray, j: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Half the gradient in z of Σ weight ‖z_i − z_j‖² over pairs: the graph Laplacian times z."""
    n = len(z)
    if n <= N_DENSE:
        W = np.bincount(i * n + j, weights, n * n).reshape(n, n)
        return (W.sum(axis=0) + W.sum(axis=1))[:, None] * z - (W + W.T) @ z
    W = csr_matrix((weights.astype(float), (i, j)), shape=(n, n))
    degrees = np.bincount(i, weights, n) + np.bincount(j, weights, n)
    forces = degrees[:, None] * z
    forces -= W @ z
    forces -= W.T @ z
    return forces


class Impostors:
    """Nearby pairs of rows of different classes, searched again only when one might be missing.

    A search finds the pairs with d_ij <= reach_i + slack_i + slack_j.  As long as no row has moved
    further than its slack, and its reach has grown by at most the rest of the slack, these include all
    pairs with d_ij <= reach_i.

    Parameters
    ----------
    starts : ndarray of shape (n_classes + 1,)
        First row of each class, and the number of rows.
    n_jobs : int or None
    """

    def __init__(self, starts: np.ndarray, n_jobs: int | None = 1) -> None:
        self.starts, self.n_jobs, self.last, self.found = starts, n_jobs, None, None

    def within(self, z: np.ndarray, reach: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Iterate over pairs (i, j), in batches, that include all with d_ij <= reach_i."""
        last, self.last = self.last, (z, reach)
        slack = np.zeros(len(z))
        if self.found is not None:
            moved = length(z - self.center)
            if (moved <= self.slack).all() and (reach + moved <= self.reach).all():
                yield from self.found
                return
            step = length(z - last[0]) + abs(reach - last[1])
            longer = 5 * np.maximum(step, step.mean())  # for about five steps like the last one
            slack = longer if longer.mean() < 0.05 * reach.mean() else slack
        del last  # as large as z
        self.center, self.slack, self.reach = z, slack, reach + slack
        self.found, n_pairs = [], 0
        for batch in batches(search(z, self.starts, self.reach, slack, self.n_jobs)):
            n_pairs += len(batch[0])
            if n_pairs > N_KEPT:
                self.found = None
            elif self.found is not None:
                self.found.append(batch)
            yield batch


def length(z: np.ndarray) -> np.ndarray:
    """Euclidean norms of the rows."""
    return np.sqrt(np.einsum("ij,ij->i", z, z))


def batches(blocks: Iterable[tuple[np.ndarray, np.ndarray]]) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Join blocks of pairs (i, j) into batches of at least N_BLOCK / 2 pairs."""
    joined, n_pairs = [], 0
    for block in blocks:
        joined.append(block)
        n_pairs += len(block[0])
        if n_pairs >= N_BLOCK // 2:
            yield tuple(map(np.concatenate, zip(*joined)))
            joined, n_pairs = [], 0
    if joined:
        yield tuple(map(np.concatenate, zip(*joined)))


def search(
    z: np.ndarray, starts: np.ndarray, reach: np.ndarray, slack: np.ndarray, n_jobs: int | None = 1
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Iterate over blocks of pairs (i, j) of different classes that include all with d_ij <= reach_i + slack_j, sorted.

    The square of this is linear in the products of z_i with z_j and of reach_i with slack_j, so
    the sign of one matrix product decides.  It is computed in single precision, with an allowance for the
    largest possible rounding error.
    """
    unit = max(np.abs(z).max(), reach.max(), slack.max())
    reach, slack, squares = reach / unit, slack / unit, np.empty(len(z))
    rounding = 4 * (z.shape[1] + 8) * np.finfo(np.float32).eps
    left, right = np.empty((2, len(z), z.shape[1] + 3), np.float32)
    for rows in gen_batches(len(z), WIDTH):
        own = z[rows] / unit
        np.einsum("ij,ij->i", own, own, out=squares[rows])
        np.multiply(own, -2, out=left[rows, :-3], casting="same_kind")
        right[rows, :-3] = own
    left[:, -3], left[:, -2], left[:, -1] = -2 * reach, (1 - rounding) * squares - (1 + rounding) * reach**2, 1
    right[:, -3], right[:, -2] = slack, 1
    right[:, -1] = (1 - rounding) * squares - (1 + rounding) * slack**2

    def of_blocks(strip):
        rows, others, step = strip
        tiles = [of_tile(rows, slice(j, min(j + WIDTH, others.stop))) for j in range(others.start, others.stop, WIDTH)]
        i, j = tiles[0] if len(tiles) == 1 else np.concatenate(tiles, axis=1)
        order = np.argsort(i, kind="stable") if len(tiles) > 1 else slice(None)
        ends = np.searchsorted(i[order], np.arange(rows.start + step, rows.stop, step))
        return list(zip(np.split(i[order], ends), np.split(j[order], ends)))

    def of_tile(rows, columns):
        i, j = np.divmod(np.flatnonzero(left[rows] @ right[columns].T <= 0), columns.stop - columns.start)
        return (i + rows.start).astype(np.int32), (j + columns.start).astype(np.int32)

    threads = n_threads(n_jobs, len(z) ** 2 * z.shape[1], LEAST)
    for blocks in in_threads(of_blocks, strips_of(starts), threads):
        yield from blocks


def strips_of(starts: np.ndarray) -> Iterator[tuple[slice, slice, int]]:
    """Slices of rows of a class, those of other classes, and the rows of a block, at most N_BLOCK pairs or one row.

    A strip is N_BLOCKS blocks, as products of matrices with few rows take longer.
    """
    for start, stop in zip(starts, starts[1:]):
        for others in (slice(0, start), slice(stop, starts[-1])):
            n_others = others.stop - others.start
            step = max(1, N_BLOCK // max(1, n_others))
            for row in range(start, stop if n_others else start, N_BLOCKS * step):
                yield slice(row, min(row + N_BLOCKS * step, stop)), others, step
