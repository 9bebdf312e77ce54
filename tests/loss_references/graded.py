"""References of ``metricnets/losses/_graded.py``."""

from itertools import permutations, product

import numpy as np

from loss_references.loops import known_pairs, mean
from loss_references.ranking import cosine


def misordered(s, r, scale):
    """Over pairs of rows, each comparison the mean over the orders of both pairs."""
    grades, total = {frozenset(pair): r[pair] for pair in known_pairs(r)}, 0
    for more, less in product(grades, repeat=2):
        if grades[more] > grades[less]:
            orders = product(permutations(more), permutations(less))
            total += mean([np.exp(scale * (s[kl] - s[ij])) for ij, kl in orders])
    return np.log1p(total)


def naive_cosent(z, r, scale=20.0):
    return misordered({(i, j): cosine(z[i], z[j]) for i, j in np.ndindex(r.shape)}, r, scale)


def naive_angle(z, r, scale=20.0):
    n, k = z.shape
    padded = np.column_stack([z, np.zeros((n, k % 2))])
    w = [row[: len(row) // 2] + 1j * row[len(row) // 2 :] for row in padded]
    unit = [row / max(np.linalg.norm(row), 1e-300) for row in w]
    products = {(i, j): np.sum(unit[i] * unit[j].conj()) for i, j in np.ndindex(r.shape)}
    return misordered({ij: abs(product.real + product.imag) for ij, product in products.items()}, r, scale)


def naive_log_ratio(z, r, epsilon=1e-6):
    terms = []
    for a in range(len(z)):
        known = [j for j in range(len(z)) if not np.isnan(r[a, j])]
        d2 = {j: np.sum((z[a] - z[j]) ** 2) + epsilon for j in known}
        g = {j: 1 - r[a, j] + epsilon for j in known}
        terms += [(np.log(d2[i] / d2[j]) - np.log(g[i] / g[j])) ** 2 for i, j in permutations(known, 2)]
    return mean(terms)


NAIVE = {"angle": naive_angle, "cosent": naive_cosent, "log_ratio": naive_log_ratio}
OPTIONS = {
    "angle": [{}, {"scale": 3.0}],
    "cosent": [{}, {"scale": 3.0}],
    "log_ratio": [{}, {"epsilon": 0.01}],
}
NOT_OF_DISTANCES = {
    "angle": "it compares angles, which know where the origin is",
    "cosent": "it compares cosines, which know where the origin is",
}
NOT_OF_ANY_BASIS = {"angle": "it takes the halves of the columns as real and imaginary parts"}
