"""Weights of all pairs of rows as soft neighbours, in blocks, cached in a fixed amount of memory, and sums of them."""

import threading
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import numpy as np

from metricnets._cores import in_threads
from metricnets.linear._pairwise.near_pairs import bilinear, blocks

SIDE = 384  # rows and columns of a block, which should fit the processor's cache
KEPT = 2**24 - 2**21  # numbers in the blocks that are cached from the first pass to the second
RANGE = 330.0  # exp(+-RANGE), times what the weights are multiplied by, is a normal number
NEGLIGIBLE = 45.0  # exp(-NEGLIGIBLE) of a row's weight is below its rounding error, n times too


class SoftLoss(Protocol):
    """A loss of the expected values e_i = sum_j p_ij v_ij of soft neighbours."""

    def value(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """Compute v_ij, pair by pair, for arrays of rows i and j."""

    def factors(self, rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray]:
        """Factor v = F G^T for two slices of rows.

        Returns
        -------
        F, G : ndarrays of shape (n_rows, r + 1) and (n_columns, r + 1)
            With ones as their last columns, which the product leaves out.
        """

    def total(self, e: np.ndarray) -> tuple[float, np.ndarray]:
        """Compute the loss, and its derivatives with respect to e."""


class AllPairs:
    """Weights exp(c - d^2) of pairs of rows i != j, block by block.

    As they are symmetric, blocks on and above the diagonal are enough.  `of_blocks` calls a function of the rows and
    columns of each block, as slices, and its weights, which are valid until it returns, in some ``threads``.  Rows
    whose nearest neighbour is too far for exp(RANGE - d^2) are too far to be neighbours of the others; `apart` yields
    them and their weights exp(c_i - d^2).  The memory is reused: allocating it costs more than the sums in it.

    With weights w a row j counts w_j times as a neighbour, and has w_j - 1 copies of itself, at distance 0, if that is
    positive.  The blocks have (w_j - 1) / w_j of a copy on the diagonal, and `factors_of` multiplies by w.
    """

    def __init__(self, n: int, weights: np.ndarray | None = None, threads: int = 1) -> None:
        self.n, self.memory, self.lonely = n, None, np.empty(0, np.intp)
        self.threads, self.of_thread = threads, threading.local()
        self.weights, self.copies = weights, np.full(n, -np.inf)
        if weights is not None:
            several = weights > 1
            self.copies[several] = RANGE + np.log1p(-1 / weights[several])
        self.side = -(-n // -(-n // SIDE))
        self.blocks = blocks(n, self.side)

    def start(self, Z: np.ndarray) -> None:
        """Set the embeddings Z, of shape (n, k)."""
        self.left, self.right = bilinear(Z)
        self.far = -4 * self.left[:, -1].min() > 2 * RANGE
        self.left[:, -1] += RANGE
        self.filled = np.zeros(len(self.blocks), bool)
        if self.memory is None:
            self.memory = np.empty((min(len(self.blocks), KEPT // self.side**2), self.side, self.side))

    def leave(self, weights: np.ndarray) -> None:
        """Leave to `apart` the rows whose sums of weights are so small that underflow matters."""
        self.lonely = np.flatnonzero(weights <= np.exp(NEGLIGIBLE - RANGE))

    def release(self) -> None:
        """Free the memory while few pairs contribute."""
        self.memory, self.of_thread = None, threading.local()

    def scratch(self, shape: tuple[int, int], number: int = 0) -> np.ndarray:
        """One of two work arrays of this thread, of the shape of a block."""
        if not hasattr(self.of_thread, "memory"):
            self.of_thread.memory = np.empty((2, self.side, self.side))
        return self.of_thread.memory[number, : shape[0], : shape[1]]

    def of_blocks(self, function: Callable[[slice, slice, np.ndarray], Any]) -> Iterator:
        """Iterate over ``function(rows, columns, P)`` for all blocks, in their order."""
        return in_threads(lambda number: function(*self._block(number)), range(len(self.blocks)), self.threads)

    def _block(self, number):
        rows, columns = self.blocks[number]
        shape, is_kept = (rows.stop - rows.start, columns.stop - columns.start), number < len(self.memory)
        P = self.memory[number, : shape[0], : shape[1]] if is_kept else self.scratch(shape, 1)
        if not (is_kept and self.filled[number]):
            self._fill(P, rows, columns)
            self.filled[number] = True
        return rows, columns, P

    def apart(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield the indices of rows that were left, and their weights of all rows, of shape (n_rows, n)."""
        size = max(self.side**2 // self.n, 1)
        for start in range(0, len(self.lonely), size):
            rows = self.lonely[start : start + size]
            P = self.left[rows] @ self.right
            P[np.arange(len(rows)), rows] = self.copies[rows]
            P = P if self.weights is None else P + np.log(self.weights)
            P -= P.max(axis=1, keepdims=True)
            yield rows, np.exp(P, out=P)

    def _fill(self, P, rows, columns):
        np.matmul(self.left[rows], self.right[:, columns], out=P)
        if self.far:
            np.clip(P, -RANGE, RANGE, out=P)  # rounding may exceed it above
        if rows == columns:
            np.fill_diagonal(P, self.copies[rows])
        np.exp(P, out=P)


def factors_of(loss: SoftLoss, every: AllPairs, rows: slice, columns: slice) -> tuple[np.ndarray, np.ndarray]:
    """The factors F and G of v, and of ones, times the weights of the columns."""
    F, G = loss.factors(rows, columns)
    return F, G if every.weights is None else G * every.weights[columns, None]


def expected_values(loss: SoftLoss, every: AllPairs) -> tuple[np.ndarray, np.ndarray]:
    """Sums of the weights of all rows, shape (n,), and the expected values e, shape (n,)."""
    sums = np.zeros((2, every.n))

    def of_both(rows, columns, P):
        both = [(rows, columns, P), (columns, rows, P.T)]
        for these, those, weights in both if rows != columns else both[:1]:
            F, G = factors_of(loss, every, these, those)
            found = weights @ G
            yield these, found[:, -1], np.einsum("ij,ij->i", F[:, :-1], found[:, :-1])

    for found in every.of_blocks(lambda *block: list(of_both(*block))):
        for these, total, of_values in found:
            sums[0, these] += total
            sums[1, these] += of_values
    every.leave(sums[0])
    for rows, P in every.apart():
        v = loss.value(rows[:, None], np.arange(every.n))
        sums[:, rows] = P.sum(axis=1), (P * v).sum(axis=1)
    return sums[0], sums[1] / sums[0]


def derivatives(
    loss: SoftLoss,
    e: np.ndarray,
    shares: np.ndarray,
    every: AllPairs,
    function: Callable[[slice | np.ndarray, slice, np.ndarray], Any],
) -> Iterator:
    """Yield ``function(rows, columns, W)``, W the derivatives with respect to -d^2 in both directions, by blocks.

    W is P times a product of two matrices, and so is its sum with the mirrored term.  The derivatives of a row in
    one direction sum to 0.
    """
    for rows, P in every.apart():
        v = loss.value(rows[:, None], np.arange(every.n))
        yield function(rows, slice(every.n), P * (shares[rows, None] * (v - e[rows, None])))
    shares = shares.copy()
    shares[every.lonely] = 0

    def of_block(rows, columns, P):
        A, B = over_p(loss, e, shares, every, rows, columns)
        if rows != columns:
            B_back, A_back = over_p(loss, e, shares, every, columns, rows)
            A, B = np.concatenate([A, A_back], axis=1), np.concatenate([B, B_back], axis=1)
        W = np.matmul(A, B.T, out=every.scratch(P.shape))
        W *= P
        return function(rows, columns, W)

    yield from every.of_blocks(of_block)


def over_p(
    loss: SoftLoss, e: np.ndarray, shares: np.ndarray, every: AllPairs, rows: slice, columns: slice
) -> tuple[np.ndarray, np.ndarray]:
    """Factor shares_i (v_ij - e_i), the derivatives in one direction over P_ij, into A B^T."""
    F, G = factors_of(loss, every, rows, columns)
    A = shares[rows, None] * F
    A[:, -1] *= -e[rows]
    return A, G
