"""Relations: how similar two targets are, ``relation(y_a, y_b) -> r``.

A relation takes two arrays of targets and returns a matrix of shape (n_a, n_b) with entries in
[0, 1], where 1 means similar.  NaN means unknown.  Only operators that NumPy and PyTorch
share are used, so each function works for both: arrays give an array, tensors a tensor.

Label sets are rows of 0 and 1; distributions are non-negative rows that sum to 1.  ``hierarchy``, ``l1``,
``overlap``, ``absolute`` and ``Tolerance`` take memory ``n_a * n_b * n_labels``; the others ``n_a * n_b``.

The parameter ``relation`` of an estimator takes the functions by name, and instances of the classes, which have
parameters of their own.
"""

from metricnets.relations._classes import hierarchy, known_class, same_class
from metricnets.relations._distributions import cosine, hellinger, l1, overlap, symmetric_kl
from metricnets.relations._pairs import GivenPairs
from metricnets.relations._sets import hamming, jaccard, shared_label
from metricnets.relations._values import Tolerance, absolute

__all__ = [
    "GivenPairs",
    "Tolerance",
    "absolute",
    "cosine",
    "hamming",
    "hellinger",
    "hierarchy",
    "jaccard",
    "known_class",
    "l1",
    "overlap",
    "same_class",
    "shared_label",
    "symmetric_kl",
]
NAMES = [name for name in __all__ if name.islower()]  # of functions
