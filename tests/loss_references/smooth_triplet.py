"""References of ``metricnets/losses/_smooth_triplet.py``."""

from itertools import product

import numpy as np

from loss_references.loops import mean


def chosen_distances(z, r, select, squared):
    """d(a, p) and d(a, n) of the selected triplets."""
    n = len(z)
    d = [[np.sum((a - b) ** 2) ** (1 if squared else 0.5) for b in z] for a in z]
    for a in range(n):
        near = [d[a][p] for p in range(n) if r[a, p] > 0.5]
        far = [d[a][q] for q in range(n) if r[a, q] <= 0.5]
        if select == "hard":
            near, far = ([max(near)], [min(far)]) if near and far else ([], [])
        for pair in product(near, far):
            if select != "semihard" or pair[0] < pair[1]:
                yield pair


def naive_soft_triplet(z, r, select="all", squared=False):
    return mean([np.log(1 + np.exp(near - far)) for near, far in chosen_distances(z, r, select, squared)])


def naive_triplet_ratio(z, r, select="all", squared=False):
    pairs = chosen_distances(z, r, select, squared)
    return mean([(np.exp(near) / (np.exp(near) + np.exp(far))) ** 2 for near, far in pairs])


NAIVE = {"soft_triplet": naive_soft_triplet, "triplet_ratio": naive_triplet_ratio}
SETTINGS = [{}, {"select": "hard"}, {"select": "semihard", "squared": True}]
OPTIONS = {"soft_triplet": SETTINGS, "triplet_ratio": SETTINGS}
