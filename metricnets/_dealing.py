"""How classes and rows are distributed over batches: the arithmetic of the samplers."""

from bisect import bisect_right

import numpy as np


def by_class(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows of known class, sorted by class, and the number of rows of each class."""
    known = np.flatnonzero(codes >= 0)
    counts = np.unique(codes[known], return_counts=True)[1]
    return known[np.argsort(codes[known], kind="stable")], counts


def ranges(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Concatenate the ranges start, ..., start + length - 1."""
    ends = np.cumsum(lengths)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - ends + lengths, lengths)


def mean_rows(sizes: np.ndarray, k: int) -> float:
    """Mean number of rows of a class, with at most k each."""
    return np.minimum(sizes, k).mean() if len(sizes) else 0


def shares(sizes: np.ndarray, n_singles: int, batch_size: int, k: int) -> tuple[int, float]:
    """Number of classes in a batch, and mean number of rows that are alone in their class."""
    if not len(sizes):
        return 0, min(n_singles, max(2, batch_size))
    mean = mean_rows(sizes, k)
    share = max(batch_size / (mean + n_singles / len(sizes)), batch_size / 2 / mean)
    n_classes = min(max(2, int(share)), len(sizes))
    return n_classes, min(n_singles * n_classes / len(sizes), batch_size / 2)


def largest_k(sizes: np.ndarray, n_classes: int, n_rows: float, k: int) -> int:
    """Largest number of rows for each class, at least ``k``, with at most ``n_rows`` in a batch on average."""
    numbers = range(k, max(k, sizes.max(initial=0)) + 1)
    budget = n_rows * len(sizes)
    return max(k, k - 1 + bisect_right(numbers, budget, key=lambda k: n_classes * np.minimum(sizes, k).sum()))


class Deck:
    """Cards that are drawn without replacement, and shuffled again when they run out."""

    def __init__(self, cards: np.ndarray, rng: np.random.Generator | np.random.RandomState) -> None:
        self.cards, self.rng, self.left = cards, rng, cards[:0]

    def draw(self, n: int) -> np.ndarray:
        """Return the next n cards, or all cards if there are fewer."""
        if n >= len(self.cards):
            return self.cards
        if len(self.left) < n:
            held = np.isin(self.cards, self.left)  # these come last in the next round, so that no hand has a card twice
            new = (self.rng.permutation(cards) for cards in (self.cards[~held], self.cards[held]))
            self.left = np.concatenate([self.left, *new])
        drawn, self.left = self.left[:n], self.left[n:]
        return drawn
