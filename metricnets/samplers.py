"""Samplers: iterables over batches of sample indices, in a new order in every pass.

A sampler handles only indices.  ``len(sampler)`` is the number of batches of a pass.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from metricnets._groups import places_in_groups

__all__ = ["ClassBalanced", "ClassPairs", "DomainBalanced", "MatchedPairs", "Shuffled"]


class Shuffled:
    """Shuffled batches: all samples once a pass, in random order.

    Batches are as equal in size as possible, so there is no small last batch without pairs to learn from.

    Parameters
    ----------
    n_rows : int
        Number of samples.
    batch_size : int
        Approximate number of samples in a batch; the actual one is at most 1.5 times as large.
    rng : numpy.random.Generator or RandomState
        Generator of the order.

    Examples
    --------
    >>> sampler = Shuffled(10, 4, np.random.default_rng(0))
    >>> [len(rows) for rows in sampler]
    [5, 5]
    """

    def __init__(self, n_rows: int, batch_size: int, rng: np.random.Generator | np.random.RandomState) -> None:
        self.n_rows, self.rng = n_rows, rng
        self.n_batches = max(1, round(n_rows / batch_size - 1e-9))

    def __len__(self) -> int:
        return self.n_batches

    def __iter__(self) -> Iterator[np.ndarray]:
        return iter(np.array_split(self.rng.permutation(self.n_rows), self.n_batches))


class ClassBalanced:
    """P × K sampling: batches of P classes with K samples each.

    Every batch has similar and dissimilar pairs.  Classes with fewer than K samples contribute all of them, and P is
    raised so that batches have about ``batch_size`` samples.  A pass draws about as many samples as there are, and
    every class about equally often.  Samples that are alone in their class only serve as negatives, in at most
    half of a batch.

    Parameters
    ----------
    codes : ndarray of shape (n_rows,)
        Class codes; samples with a negative code (unknown) are never drawn.
    batch_size : int
        Approximate number of samples in a batch.
    rng : numpy.random.Generator or RandomState
        Generator of the draws.
    n_per_class : int, default=8
        Smallest value of K; K is raised if all classes together do not fill a batch.
    class_weight : array-like of float > 0 of shape (n_classes,) or None, default=None
        Weights of the classes, by their codes.  A batch has K times the weight of a class, divided by the mean weight,
        of its samples: rounded up or down at random, at least one, and at most all of them.  None gives them equal
        weights.

    Examples
    --------
    >>> codes = np.repeat([0, 1, 2, 3], 50)
    >>> sampler = ClassBalanced(codes, 8, np.random.default_rng(0), n_per_class=4)
    >>> np.unique(codes[next(iter(sampler))], return_counts=True)[1]
    array([4, 4])
    """

    def __init__(
        self,
        codes: ArrayLike,
        batch_size: int,
        rng: np.random.Generator | np.random.RandomState,
        n_per_class: int = 8,
        class_weight: ArrayLike | None = None,
    ) -> None:
        order, counts = _by_class(np.asarray(codes))
        alone = np.repeat(counts == 1, counts)
        self.singles, self.order, self.sizes, self.rng = order[alone], order[~alone], counts[counts > 1], rng
        self.n_classes, self.n_singles = _shares(self.sizes, len(self.singles), batch_size, n_per_class)
        self.n_per_class = _largest_k(self.sizes, self.n_classes, batch_size - self.n_singles, n_per_class)
        n_rows = self.n_singles + self.n_classes * _mean_rows(self.sizes, self.n_per_class)
        self.n_batches = max(1, round(len(order) / max(1, n_rows)))
        self.shares = None  # of K, with mean 1
        if class_weight is not None:
            weights = np.asarray(class_weight, float)[np.unique(np.asarray(codes)[self.order])]
            self.shares = weights / weights.mean() if len(weights) else weights

    def __len__(self) -> int:
        return self.n_batches

    def __iter__(self) -> Iterator[np.ndarray]:
        classes = self._dealt_classes()  # (n_batches, P)
        if self.shares is None:
            n_rows = np.minimum(self.sizes, self.n_per_class)[classes]
        else:
            wanted = np.floor(self.n_per_class * self.shares[classes] + self.rng.random(classes.shape)).astype(int)
            n_rows = np.clip(wanted, 1, self.sizes[classes])
        ends = np.cumsum(n_rows.sum(axis=1))
        batches = np.split(self._dealt_rows(classes.ravel(), n_rows.ravel()), ends[:-1])
        if len(self.singles):
            n_singles = np.diff(np.ceil(self.n_singles * np.arange(self.n_batches + 1)).astype(int))
            singles = map(_Deck(self.singles, self.rng).draw, n_singles)
            batches = map(np.concatenate, zip(batches, singles))
        return iter(batches)

    def _dealt_classes(self):
        """Draw P different classes for each batch, (n_batches, P), from a deck that is shuffled when it has run out."""
        per_deck = len(self.sizes) // max(1, self.n_classes)
        if not per_deck:
            return np.empty((self.n_batches, 0), int)
        decks = np.empty((-(-self.n_batches // per_deck), len(self.sizes)), int)
        for deck in decks:
            deck[:] = self.rng.permutation(len(self.sizes))
        return decks[:, : per_deck * self.n_classes].reshape(-1, self.n_classes)[: self.n_batches]

    def _dealt_rows(self, hands, n_rows):
        """Draw ``n_rows`` rows of the class of each hand, from decks that are shuffled when they have run out."""
        K, sizes, n_hands = self.n_per_class, self.sizes, np.bincount(hands, minlength=len(self.sizes))
        largest = np.minimum(sizes, K if self.shares is None else np.ceil(K * self.shares).astype(int))
        per_deck = np.maximum(1, sizes // largest)
        n_decks = -(-n_hands // per_deck)
        deck_sizes = np.repeat(sizes, n_decks)
        ends = np.cumsum(deck_sizes)
        cards = self.order[_ranges(np.repeat(np.cumsum(sizes) - sizes, n_decks), deck_sizes)]
        for size, end in zip(deck_sizes.tolist(), ends.tolist()):
            if size >= K or self.shares is not None:
                self.rng.shuffle(cards[end - size : end])
        turn = places_in_groups(hands)
        deck = (np.cumsum(n_decks) - n_decks)[hands] + turn // per_deck[hands]
        first = (ends - deck_sizes)[deck] + turn % per_deck[hands] * largest[hands]
        return cards[_ranges(first, n_rows)]


class ClassPairs:
    """Random pairs, half of them similar.

    Sample k of a batch is paired with sample k + len(batch) / 2.  If the classes allow only one kind of
    pair, all pairs are of that kind.

    Parameters
    ----------
    codes : ndarray of shape (n_rows,)
        Class codes; samples with a negative code (unknown) are never drawn.
    batch_size : int
        Number of samples in a batch, two for every pair.
    rng : numpy.random.Generator or RandomState
        Generator of the draws.

    Examples
    --------
    >>> codes = np.repeat([0, 1, 2], 20)
    >>> left, right = np.split(next(iter(ClassPairs(codes, 8, np.random.default_rng(0)))), 2)
    >>> codes[left] == codes[right]
    array([ True,  True, False, False])
    """

    def __init__(self, codes: ArrayLike, batch_size: int, rng: np.random.Generator | np.random.RandomState) -> None:
        self.order, counts = _by_class(np.asarray(codes))
        ends = np.cumsum(counts)
        self.start, self.stop = np.repeat(ends - counts, counts), np.repeat(ends, counts)
        self.n_similar, self.rng = max(1, batch_size // 4), rng
        self.n_batches = max(1, round(len(self.order) / (4 * self.n_similar)))

    def __len__(self) -> int:
        return self.n_batches

    def __iter__(self) -> Iterator[np.ndarray]:
        n, size = len(self.order), self.stop - self.start
        able = np.flatnonzero(size > 1), np.flatnonzero(size < n)  # with a similar row, with a dissimilar row
        for _ in range(self.n_batches):
            a, b = (self.rng.choice(rows, self.n_similar if len(rows) else 0) for rows in able)
            same = _others(a, self.start[a], size[a], self.rng)
            other = (self.stop[b] + (self.rng.random(len(b)) * (n - size[b])).astype(int)) % n
            yield self.order[np.concatenate([a, b, same, other])]


class MatchedPairs:
    """Matched pairs of samples of a class, for losses of two views.

    Sample k of a batch is matched with sample k + len(batch) / 2.  A pass takes every sample of known class once, in
    random pairs of a class, in random order; in a class of an odd number one is in two pairs, or matched with itself if
    it is alone.

    Parameters
    ----------
    codes : ndarray of shape (n_rows,)
        Class codes; samples with a negative code (unknown) are never drawn.
    batch_size : int
        Largest number of samples in a batch, two for every pair; there is at least one pair.
    rng : numpy.random.Generator or RandomState
        Generator of the draws.

    See Also
    --------
    ClassPairs : Random pairs, half of them dissimilar.

    Examples
    --------
    >>> codes = np.repeat([0, 1, 2], [10, 10, 1])
    >>> a, p = np.split(next(iter(MatchedPairs(codes, 8, np.random.default_rng(0)))), 2)
    >>> codes[a] == codes[p]
    array([ True,  True,  True,  True])
    """

    def __init__(self, codes: ArrayLike, batch_size: int, rng: np.random.Generator | np.random.RandomState) -> None:
        self.order, self.sizes = _by_class(np.asarray(codes))
        self.n_pairs, self.rng = (self.sizes + 1) // 2, rng
        self.n_batches = max(1, -(-int(self.n_pairs.sum()) // max(1, batch_size // 2)))

    def __len__(self) -> int:
        return self.n_batches

    def __iter__(self) -> Iterator[np.ndarray]:
        codes = np.repeat(np.arange(len(self.sizes)), self.sizes)
        rows = self.order[np.lexsort([self.rng.random(len(codes)), codes])]  # in random order within classes
        first = np.cumsum(self.sizes) - self.sizes
        a = _ranges(first, self.n_pairs)
        p = a + np.repeat(self.sizes // 2, self.n_pairs)  # the middle one of an odd number is in two pairs
        for pairs in np.array_split(self.rng.permutation(len(a)), self.n_batches):
            yield rows[np.concatenate([a[pairs], p[pairs]])]


class DomainBalanced:
    """Batches with half of the samples from the source and half from the target domain.

    A pass covers the larger domain once; the smaller one is repeated.

    Parameters
    ----------
    sample_domain : ndarray of shape (n_rows,)
        Values >= 0 for source samples, negative for target samples.
    batch_size : int
        Number of samples in a batch, half of them from each domain; fewer if a domain is smaller than that.
    rng : numpy.random.Generator or RandomState
        Generator of the draws.

    Examples
    --------
    >>> domain = np.repeat([1, -1], [30, 10])
    >>> sampler = DomainBalanced(domain, 8, np.random.default_rng(0))
    >>> [int(np.sum(domain[rows] < 0)) for rows in sampler][:3]
    [4, 4, 4]
    """

    def __init__(
        self, sample_domain: np.ndarray, batch_size: int, rng: np.random.Generator | np.random.RandomState
    ) -> None:
        self.source, self.target = np.flatnonzero(sample_domain >= 0), np.flatnonzero(sample_domain < 0)
        self.half, self.rng = max(1, batch_size // 2), rng
        self.n_batches = max(1, round(max(len(self.source), len(self.target)) / self.half))

    def __len__(self) -> int:
        return self.n_batches

    def __iter__(self) -> Iterator[np.ndarray]:
        source, target = _Deck(self.source, self.rng), _Deck(self.target, self.rng)
        for _ in range(self.n_batches):
            yield np.concatenate([source.draw(self.half), target.draw(self.half)])


class _Deck:
    """Cards that are drawn without replacement, and shuffled again when they run out."""

    def __init__(self, cards: np.ndarray, rng: np.random.Generator | np.random.RandomState) -> None:
        self.cards, self.rng, self.left = cards, rng, cards[:0]

    def draw(self, n: int) -> np.ndarray:
        """Return the next n cards, or all cards if there are fewer."""
        if n >= len(self.cards):
            return self.cards
        if len(self.left) < n:
            held = np.isin(self.cards, self.left)  # these come last in the next round, so that no hand has a card twice
            first, last = self.rng.permutation(self.cards[~held]), self.rng.permutation(self.cards[held])
            self.left = np.concatenate([self.left, first, last])
        drawn, self.left = self.left[:n], self.left[n:]
        return drawn


def _by_class(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows of known class, sorted by class, and the number of rows of each class."""
    known = np.flatnonzero(codes >= 0)
    counts = np.unique(codes[known], return_counts=True)[1]
    return known[np.argsort(codes[known], kind="stable")], counts


def _others(rows: np.ndarray, start: np.ndarray, size: np.ndarray, rng) -> np.ndarray:
    """Another random row of start, ..., start + size - 1 for each of the rows; itself if there is no other."""
    steps = 1 + (rng.random(len(rows)) * (size - 1)).astype(int)
    return start + (rows - start + steps) % size


def _ranges(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Concatenate the ranges start, ..., start + length - 1."""
    ends = np.cumsum(lengths)
    return np.arange(ends[-1] if len(ends) else 0) + np.repeat(starts - ends + lengths, lengths)


def _mean_rows(sizes: np.ndarray, k: int) -> float:
    """Mean number of rows of a class, with at most k each."""
    return np.minimum(sizes, k).mean() if len(sizes) else 0


def _shares(sizes: np.ndarray, n_singles: int, batch_size: int, k: int) -> tuple[int, float]:
    """Number of classes in a batch, and mean number of rows that are alone in their class."""
    if not len(sizes):
        return 0, min(n_singles, max(2, batch_size))
    mean = _mean_rows(sizes, k)
    share = max(batch_size / (mean + n_singles / len(sizes)), batch_size / 2 / mean)
    n_classes = min(max(2, int(share)), len(sizes))
    return n_classes, min(n_singles * n_classes / len(sizes), batch_size / 2)


def _largest_k(sizes: np.ndarray, n_classes: int, n_rows: float, k: int) -> int:
    """Largest number of rows for each class, at least ``k``, with at most ``n_rows`` in a batch on average."""
    numbers = np.arange(1, sizes.max(initial=0) + 1)
    n_larger = len(sizes) - np.searchsorted(np.sort(sizes), numbers)  # classes with this number of rows or more
    return max(k, int(np.searchsorted(n_classes * np.cumsum(n_larger), n_rows * len(sizes), side="right")))
