"""What naive loops need."""

import numpy as np


def mean(values):
    return sum(values) / len(values) if values else 0.0


def hinge(x):
    return max(x, 0.0)


def known_pairs(r):
    return [(i, j) for i, j in np.ndindex(r.shape) if not np.isnan(r[i, j])]


def cosine(u, v):
    return u @ v / np.sqrt(np.sum(u**2) * np.sum(v**2))
