"""Weights of all pairs of rows as soft neighbours, in blocks, cached in a fixed amount of memory."""

from collections.abc import Iterator

import numpy as np

from metricnets.linear._pairwise.near_pairs import bilinear, blocks, nearest_neighbors

LEAST_SIDE, SIDE = 128, 384  # rows and columns of a block, which should fit the processor's cache
KEPT = 2**24 - 2**21  # numbers in the blocks that are cached from the first pass to the second
RANGE = 330.0  # exp(+-RANGE), times what the weights are multiplied by, is a normal number
NEGLIGIBLE = 45.0  # exp(-NEGLIGIBLE) of a row's weight is below its rounding error, n times too


class AllPairs:
    """Weights exp(c - d^2) of pairs of rows i != j, block by block.

    As they are symmetric, blocks on and above the diagonal are enough.  Iteration yields for every block its rows
    and its columns, as slices, its weights, which are valid until the next block, and whether it also represents
    the mirrored block.  If the nearest neighbour of a row is too far for exp(RANGE - d^2), all blocks are needed,
    with exp(c_i - d^2).  The memory is reused: allocating it costs more than the sums in it.
    """

    def __init__(self, n: int) -> None:
        self.n, self.lonely = n, False
        n_tiles = max(-(-n // SIDE), min(16, -(-n // LEAST_SIDE)))
        self.side = -(-n // n_tiles)
        self.above = blocks(n, self.side)
        self.memory = None

    def start(self, Z: np.ndarray) -> None:
        """Set the embeddings Z, of shape (n, k)."""
        self.left, self.right = bilinear(Z)
        self.far = -4 * self.left[:, -1].min() > 2 * RANGE
        if self.lonely:  # as the last embeddings were
            nearest = nearest_neighbors(self.left, self.right)
            self.lonely = nearest.max() > 2 * RANGE - NEGLIGIBLE
        self.left[:, -1] += nearest if self.lonely else RANGE
        self.mirrored, self.n_kept = not self.lonely, 0
        below = [(columns, rows) for rows, columns in self.above if rows != columns]
        self.blocks = self.above + below if self.lonely else self.above
        if self.memory is None:
            n_kept = min(len(self.blocks), KEPT // self.side**2)
            self.memory = np.empty((2 + n_kept, self.side, self.side))

    def miss(self, weights: np.ndarray) -> bool:
        """Whether some row's weights are so small that underflow matters; if so, start again."""
        self.lonely = self.lonely or weights.min() <= np.exp(NEGLIGIBLE - RANGE)
        return self.lonely and self.mirrored

    def release(self) -> None:
        """Free the memory while few pairs contribute."""
        self.memory = None

    def scratch(self, shape: tuple[int, int]) -> np.ndarray:
        """A work array of the shape of a block."""
        return self.memory[-1, : shape[0], : shape[1]]

    def __iter__(self) -> Iterator[tuple[slice, slice, np.ndarray, bool]]:
        for number, (rows, columns) in enumerate(self.blocks):
            place = min(number, len(self.memory) - 2)
            P = self.memory[place, : rows.stop - rows.start, : columns.stop - columns.start]
            if number >= self.n_kept:
                self._fill(P, rows, columns)
                self.n_kept = min(number + 1, len(self.memory) - 2)
            yield rows, columns, P, self.mirrored and rows != columns

    def _fill(self, P, rows, columns):
        np.matmul(self.left[rows], self.right[:, columns], out=P)
        if self.far:
            np.clip(P, -RANGE, RANGE, out=P)  # rounding may exceed it above
        if rows == columns:
            np.fill_diagonal(P, -np.inf)
        np.exp(P, out=P)
