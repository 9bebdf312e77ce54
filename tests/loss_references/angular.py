"""References of ``metricnets/losses/_angular.py``."""

import numpy as np

from loss_references.loops import known_pairs, mean


def naive_angular(z, r, angle=45.0):
    z = [row / np.linalg.norm(row) for row in z]
    tan2, terms = np.tan(angle * np.pi / 180) ** 2, []
    for a, p in known_pairs(r):
        if r[a, p] > 0.5:
            rivals = [q for q in range(len(z)) if r[a, q] <= 0.5]
            f = [4 * tan2 * (z[a] + z[p]) @ z[q] - 2 * (1 + tan2) * z[a] @ z[p] for q in rivals]
            terms.append(np.log(1 + sum(np.exp(x) for x in f)))
    return mean(terms)


NAIVE = {"angular": naive_angular}
OPTIONS = {"angular": [{}, {"angle": 30.0}]}
NOT_OF_DISTANCES = {"angular": "it compares angles, which know where the origin is"}
