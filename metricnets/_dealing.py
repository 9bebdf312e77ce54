"""How rows and classes are dealt to batches: the arithmetic of the samplers."""

from bisect import bisect_right

import numpy as np


def by_class(codes):
    """The rows of known class, class after class, and how many each class has."""
    known = np.flatnonzero(codes >= 0)
    counts = np.unique(codes[known], return_counts=True)[1]
    return known[np.argsort(codes[known], kind="stable")], counts


def ranges(starts, lengths):
    """The numbers start, ..., start + length - 1 of one range after the other."""
    ends = np.cumsum(lengths)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - ends + lengths, lengths)


def mean_rows(sizes, k):
    """Rows that a class gives, on average, if it gives at most k."""
    return np.minimum(sizes, k).mean() if len(sizes) else 0


def shares(sizes, n_singles, batch_size, k):
    """How many classes a batch has, and, on average, how many rows that are alone in their class."""
    if not len(sizes):
        return 0, min(n_singles, max(2, batch_size))
    mean = mean_rows(sizes, k)
    share = max(batch_size / (mean + n_singles / len(sizes)), batch_size / 2 / mean)
    n_classes = min(max(2, int(share)), len(sizes))
    return n_classes, min(n_singles * n_classes / len(sizes), batch_size / 2)


def largest_k(sizes, n_classes, n_rows, k):
    """The largest number, at least ``k``, of rows a class with which classes have at most ``n_rows`` together."""
    numbers = range(k, max(k, sizes.max(initial=0)) + 1)
    budget = n_rows * len(sizes)
    return max(k, k - 1 + bisect_right(numbers, budget, key=lambda k: n_classes * np.minimum(sizes, k).sum()))


class Deck:
    """Cards drawn without replacement and shuffled again when they run out."""

    def __init__(self, cards, rng):
        self.cards, self.rng, self.left = cards, rng, cards[:0]

    def draw(self, n):
        """The next n cards, or all there are."""
        if n >= len(self.cards):
            return self.cards
        if len(self.left) < n:
            held = np.isin(self.cards, self.left)  # last again in the next round: no hand has a card twice
            new = (self.rng.permutation(cards) for cards in (self.cards[~held], self.cards[held]))
            self.left = np.concatenate([self.left, *new])
        drawn, self.left = self.left[:n], self.left[n:]
        return drawn
