"""Weights of samples in training: how often a sample is drawn; weights of classes."""

from numbers import Real

import numpy as np

from metricnets._weights import rows_counted


def used(weights, *arrays):
    """The rows of positive weight of each array; last their weights with mean 1, None if they are equal."""
    if weights is None:
        return *arrays, None
    *arrays, weights = rows_counted(weights, *arrays)
    return *arrays, None if weights is None or not np.ptp(weights) else weights / weights.mean()


def with_validation(weights, n):
    """Weights of the training rows, and their mean for the validation rows that follow, n in all; None stays None."""
    return None if weights is None else np.append(weights, np.full(n - len(weights), weights.mean()))


def training_counts(weights, is_train):
    """Weights of the training rows, 1 for None, and 0 for validation rows."""
    return np.where(is_train, 1.0 if weights is None else weights, 0.0)


def sampler_of(make, part, rng):
    """The sampler ``make(rows)`` of the rows of a part, or of a deck in which they occur by their weights."""
    weights = part.targets.weights
    return make(np.arange(len(part))) if weights is None else Weighted(make, weights, rng)


class Weighted:
    """Batches of a deck in which the number of cards of a row is in proportion to its weight.

    A pass takes about as many cards as there are rows.  The weights w have the mean 1, and u is uniform in [0, 1): in
    pass t a row has floor(t w + u) − floor((t − 1) w + u) cards.  So it has w cards a pass on average, and within any
    number of passes the rounding adds less than one card.

    Parameters
    ----------
    make : callable
        From the rows of the cards, an array of row numbers, to a sampler of these cards.
    weights : ndarray of float > 0 of shape (n,)
    rng : numpy.random.Generator

    Examples
    --------
    >>> from metricnets.samplers import Shuffled
    >>> rng = np.random.default_rng(0)
    >>> deck = Weighted(lambda rows: Shuffled(len(rows), 4, rng), np.array([1.0, 2.0, 3.0]), rng)
    >>> np.bincount(np.concatenate([rows for _ in range(10) for rows in deck]))
    array([ 5, 10, 15])
    """

    def __init__(self, make, weights, rng):
        self.make, self.weights, self.owed = make, weights / weights.mean(), rng.random(len(weights))

    def __iter__(self):
        self.owed += self.weights
        n_cards = np.floor(self.owed).astype(int)
        self.owed -= n_cards
        rows = np.repeat(np.arange(len(n_cards)), n_cards)
        for cards in self.make(rows):
            yield rows[cards]


def codes_of(labels):
    """Class codes (n,), from codes or one-hot rows."""
    return labels.argmax(axis=1) if labels.ndim > 1 else labels


def weights_of_classes(given, codes, classes, weights):
    """The weight of each class, by its code; ValueError for weights of other classes.

    Parameters
    ----------
    given : dict or 'balanced'
    codes : ndarray of shape (n,)
        Class codes, negative where the class is unknown.
    classes : ndarray of shape (n_classes,) or None
    weights : ndarray of shape (n,) or None
        Weights of the samples, which 'balanced' counts.
    """
    if classes is None:
        raise ValueError(f"class_weight={given!r} is for classes, and y holds other targets; set it to None.")
    if isinstance(given, str):
        known = codes >= 0
        totals = np.bincount(codes[known], None if weights is None else weights[known])
        return totals.mean() / totals
    unknown = [label for label in given if label not in set(classes.tolist())]
    are_numbers = all(isinstance(weight, Real) for weight in given.values())
    values = np.array([given.get(label, 1.0) for label in classes.tolist()] if are_numbers else [-1.0], float)
    if unknown or not (values >= 0).all() or not 0 < values.max() < np.inf:
        fault = "should hold numbers, at least 0, not all 0"
        about = f"has {unknown[0]!r}, which is no class of y" if unknown else fault
        raise ValueError(f"class_weight={given} {about}.")
    return values
