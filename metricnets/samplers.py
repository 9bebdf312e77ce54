"""Which rows make a batch: iterables of index lists, a new order at every pass.

A sampler knows only indices.  ``len(sampler)`` is the number of batches of a pass.
"""

import numpy as np

__all__ = ["ClassBalanced", "ClassPairs", "DomainBalanced", "Shuffled"]


class Shuffled:
    """All rows once a pass, in random order, in batches as equal in size as possible.

    A last batch of one or two rows, in which there is no pair to learn from, cannot happen.

    Parameters
    ----------
    n_rows : int
    batch_size : int
        Batches have about this many rows, at most half as many again.
    rng : numpy.random.Generator or RandomState

    Examples
    --------
    >>> sampler = Shuffled(10, 4, np.random.default_rng(0))
    >>> [len(rows) for rows in sampler]
    [5, 5]
    """

    def __init__(self, n_rows, batch_size, rng):
        self.n_rows, self.rng = n_rows, rng
        self.n_batches = max(1, round(n_rows / batch_size - 1e-9))

    def __len__(self):
        return self.n_batches

    def __iter__(self):
        return iter(np.array_split(self.rng.permutation(self.n_rows), self.n_batches))


class ClassBalanced:
    """P classes with K rows each, so that every batch holds pairs of both kinds.

    A class with fewer than K rows gives all it has; a pass visits about as many rows as there
    are, and every class about equally often.

    Parameters
    ----------
    codes : ndarray of shape (n_rows,)
        Class codes; rows with a negative code (unknown) are never drawn.
    batch_size : int
        P × K rows; P is ``batch_size // n_per_class``, at most the number of classes, and K
        grows if there are fewer classes than that.
    rng : numpy.random.Generator or RandomState
    n_per_class : int, default=8
        K.

    Examples
    --------
    >>> codes = np.repeat([0, 1, 2, 3], 50)
    >>> sampler = ClassBalanced(codes, 8, np.random.default_rng(0), n_per_class=4)
    >>> np.unique(codes[next(iter(sampler))], return_counts=True)[1]
    array([4, 4])
    """

    def __init__(self, codes, batch_size, rng, n_per_class=8):
        codes = np.asarray(codes)
        self.rows_of = [np.flatnonzero(codes == code) for code in np.unique(codes[codes >= 0])]
        self.rng = rng
        self.n_classes = min(max(2, batch_size // n_per_class), len(self.rows_of))
        self.n_per_class = max(n_per_class, batch_size // self.n_classes)
        self.n_batches = max(1, round(np.sum(codes >= 0) / (self.n_classes * self.n_per_class)))

    def __len__(self):
        return self.n_batches

    def __iter__(self):
        classes = self._dealt(np.arange(len(self.rows_of)), self.n_batches, self.n_classes)  # (n_batches, P)
        rows = np.empty((*classes.shape, self.n_per_class), int)
        for code, own in enumerate(self.rows_of):
            chosen = classes == code
            rows[chosen] = self._dealt(own, chosen.sum(), self.n_per_class)
        full = rows.min() >= 0
        return (batch.ravel() if full else batch[batch >= 0] for batch in rows)

    def _dealt(self, cards, n_hands, size):
        """Hands of different cards, the deck shuffled when it has run out; short hands end in −1."""
        if len(cards) < size:
            cards = np.concatenate([cards, np.full(size - len(cards), -1)])
            return np.tile(cards, (n_hands, 1))
        per_deck = len(cards) // size
        decks = [self.rng.permutation(cards)[: per_deck * size] for _ in range(-(-n_hands // per_deck))]
        return np.concatenate([cards[:0], *decks]).reshape(-1, size)[:n_hands]


class ClassPairs:
    """Random pairs, half of them similar: row k of a batch belongs with row k + len(batch) / 2.

    Where the classes allow but one kind of pair, all pairs are of that kind.

    Parameters
    ----------
    codes : ndarray of shape (n_rows,)
        Class codes; rows with a negative code (unknown) are never drawn.
    batch_size : int
        Rows of a batch, two for every pair.
    rng : numpy.random.Generator or RandomState

    Examples
    --------
    >>> codes = np.repeat([0, 1, 2], 20)
    >>> left, right = np.split(next(iter(ClassPairs(codes, 8, np.random.default_rng(0)))), 2)
    >>> codes[left] == codes[right]
    array([ True,  True, False, False])
    """

    def __init__(self, codes, batch_size, rng):
        codes = np.asarray(codes)
        known = np.flatnonzero(codes >= 0)
        self.order = known[np.argsort(codes[known], kind="stable")]  # the rows, class after class
        counts = np.unique(codes[known], return_counts=True)[1]
        ends = np.cumsum(counts)
        self.start, self.stop = np.repeat(ends - counts, counts), np.repeat(ends, counts)
        self.n_similar, self.rng = max(1, batch_size // 4), rng
        self.n_batches = max(1, round(len(known) / (4 * self.n_similar)))

    def __len__(self):
        return self.n_batches

    def __iter__(self):
        n, size = len(self.order), self.stop - self.start
        able = np.flatnonzero(size > 1), np.flatnonzero(size < n)  # with a row of its class, of another
        for _ in range(self.n_batches):
            a, b = (self.rng.choice(rows, self.n_similar if len(rows) else 0) for rows in able)
            steps_a = 1 + (self.rng.random(len(a)) * (size[a] - 1)).astype(int)
            steps_b = (self.rng.random(len(b)) * (n - size[b])).astype(int)
            same = self.start[a] + (a - self.start[a] + steps_a) % size[a]
            other = (self.stop[b] + steps_b) % n
            yield self.order[np.concatenate([a, b, same, other])]


class DomainBalanced:
    """Half of a batch from the source, half from the target; the smaller domain comes round again.

    Parameters
    ----------
    sample_domain : ndarray of shape (n_rows,)
        Source rows have a value >= 0, target rows a negative one.
    batch_size : int
        Rows of a batch, half of them of each domain; fewer where a domain is smaller than that.
    rng : numpy.random.Generator or RandomState

    Examples
    --------
    >>> domain = np.repeat([1, -1], [30, 10])
    >>> sampler = DomainBalanced(domain, 8, np.random.default_rng(0))
    >>> [int(np.sum(domain[rows] < 0)) for rows in sampler][:3]
    [4, 4, 4]
    """

    def __init__(self, sample_domain, batch_size, rng):
        self.parts = [np.flatnonzero(sample_domain >= 0), np.flatnonzero(sample_domain < 0)]
        self.half, self.rng = max(1, batch_size // 2), rng
        self.n_batches = max(1, round(max(map(len, self.parts)) / self.half))

    def __len__(self):
        return self.n_batches

    def __iter__(self):
        decks = [_Deck(part, self.rng) for part in self.parts]
        for _ in range(self.n_batches):
            yield np.concatenate([deck.draw(self.half) for deck in decks])


class _Deck:
    """Cards drawn without replacement and shuffled again when they run out."""

    def __init__(self, cards, rng):
        self.cards, self.rng, self.left = cards, rng, cards[:0]

    def draw(self, n):
        if n >= len(self.cards):
            return self.cards
        if len(self.left) < n:
            held = np.isin(self.cards, self.left)  # last again in the next round: no hand has a card twice
            new = (self.rng.permutation(cards) for cards in (self.cards[~held], self.cards[held]))
            self.left = np.concatenate([self.left, *new])
        drawn, self.left = self.left[:n], self.left[n:]
        return drawn
