"""References of ``metricnets/losses/_neighborhood.py``."""

import numpy as np

from loss_references.loops import mean


def neighbor_probabilities(z, r, a, temperature):
    weights = {j: np.exp(-np.sum((z[a] - z[j]) ** 2) / temperature) for j in np.flatnonzero(~np.isnan(r[a]))}
    return {j: weights[j] / sum(weights.values()) for j in weights}


def naive_neighborhood(z, r, temperature=1.0):
    terms = []
    for a in range(len(z)):
        p = neighbor_probabilities(z, r, a, temperature)
        if any(r[a, j] > 0.5 for j in p):
            terms.append(-np.log(sum(p[j] for j in p if r[a, j] > 0.5)))
    return mean(terms)


def naive_megm(z, r, temperature=1.0):
    terms = []
    for a in range(len(z)):
        p = neighbor_probabilities(z, r, a, temperature)
        if any(r[a, j] > 0 for j in p):
            terms.append((1 - sum(p[j] * r[a, j] for j in p)) ** 2)
    return mean(terms)


NAIVE = {"megm": naive_megm, "neighborhood": naive_neighborhood}
OPTIONS = {name: [{}, {"temperature": 3.0}] for name in NAIVE}
