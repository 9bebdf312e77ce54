"""References of ``metricnets/losses/_quadruplet.py``."""

from itertools import combinations

import numpy as np

from loss_references.loops import hinge, mean


def known_distances(z, r, squared):
    """The distances of pairs i < j of which r is known."""
    pairs = [pair for pair in combinations(range(len(z)), 2) if not np.isnan(r[pair])]
    return {(i, j): np.sum((z[i] - z[j]) ** 2) ** (1 if squared else 0.5) for i, j in pairs}


def naive_quadruplet(z, r, margin=1.0, squared=False):
    d = known_distances(z, r, squared)
    return mean([hinge(margin + d[ij] - d[kl]) for ij in d for kl in d if r[ij] > r[kl]])


def naive_two_margin_quadruplet(z, r, margin=1.0, pair_margin=0.5, squared=False):
    d = known_distances(z, r, squared)
    triplets, quadruplets = [], []
    for ij in d:
        for kl in d:
            if r[ij] > 0.5 and r[kl] <= 0.5 and set(ij) & set(kl):
                triplets.append(hinge(margin + d[ij] - d[kl]))
            elif r[ij] > 0.5 and r[kl] <= 0.5:
                quadruplets.append(hinge(pair_margin + d[ij] - d[kl]))
    return mean(triplets) + mean(quadruplets)


NAIVE = {"quadruplet": naive_quadruplet, "two_margin_quadruplet": naive_two_margin_quadruplet}
OPTIONS = {
    "quadruplet": [{}, {"margin": 0.3, "squared": True}],
    "two_margin_quadruplet": [{}, {"margin": 0.2, "pair_margin": 2.0, "squared": True}],
}
