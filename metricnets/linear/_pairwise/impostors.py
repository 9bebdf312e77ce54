"""Nearby rows of other classes, found by blocks and kept while rows move little."""

from collections.abc import Iterable, Iterator

import numpy as np

N_BLOCK = 2**19  # distances in one block of the search, and pairs in one batch
N_KEPT = 2**23  # pairs found that are kept for the next evaluations


class Impostors:
    """Nearby pairs of rows of different classes, searched again only when one might be missing.

    A search finds the pairs with d_ij <= reach_i + slack_i + slack_j.  As long as no row has moved
    further than its slack, and its reach has grown by at most the rest of the slack, these include all
    pairs with d_ij <= reach_i.

    Parameters
    ----------
    starts : ndarray of shape (n_classes + 1,)
        First row of each class, and the number of rows.
    """

    def __init__(self, starts: np.ndarray) -> None:
        self.starts, self.last, self.found = starts, None, None

    def within(self, z: np.ndarray, reach: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Iterate over pairs (i, j), in batches, that include all with d_ij <= reach_i."""
        last, self.last = self.last, (z, reach)
        slack = np.zeros(len(z))
        if self.found is not None:
            moved = length(z - self.center)
            if (moved <= self.slack).all() and (reach + moved <= self.reach).all():
                yield from self.found
                return
            slack = slack_for(length(z - last[0]) + abs(reach - last[1]), reach)
        self.center, self.slack, self.reach = z, slack, reach + slack
        self.found, n_pairs = [], 0
        for batch in batches(search(z, self.starts, self.reach, slack)):
            n_pairs += len(batch[0])
            if n_pairs > N_KEPT:
                self.found = None
            elif self.found is not None:
                self.found.append(batch)
            yield batch


def slack_for(moved: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """Slack for about five steps like the last one; zero if steps are too long for that."""
    slack = 5 * np.maximum(moved, moved.mean())
    return slack if slack.mean() < 0.05 * reach.mean() else np.zeros_like(slack)


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
    z: np.ndarray, starts: np.ndarray, reach: np.ndarray, slack: np.ndarray
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Iterate over blocks of pairs (i, j) of different classes that include all with d_ij <= reach_i + slack_j.

    The square of this is linear in the products of z_i with z_j and of reach_i with slack_j, so
    the sign of one matrix product decides.  It is computed in single precision, with an allowance for the
    largest possible rounding error.
    """
    unit = max(np.abs(z).max(), reach.max(), slack.max())
    z, reach, slack = z / unit, reach / unit, slack / unit
    squares, rounding = np.einsum("ij,ij->i", z, z), 4 * (z.shape[1] + 8) * np.finfo(np.float32).eps
    ones = np.ones(len(z))
    left = [-2 * z, -2 * reach, (1 - rounding) * squares - (1 + rounding) * reach**2, ones]
    right = [z, slack, ones, (1 - rounding) * squares - (1 + rounding) * slack**2]
    left, right = np.column_stack(left).astype(np.float32), np.column_stack(right).astype(np.float32)
    for start, stop in zip(starts, starts[1:]):
        for others in (slice(0, start), slice(stop, len(z))):
            columns = right[others]
            step = max(1, N_BLOCK // max(1, len(columns)))
            for row in range(start, stop if len(columns) else start, step):
                near = np.flatnonzero(left[row : min(row + step, stop)] @ columns.T <= 0)
                i, j = np.divmod(near, len(columns))
                yield (i + row).astype(np.int32), (j + others.start).astype(np.int32)
