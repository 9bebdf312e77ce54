"""References of ``metricnets/losses/_lifted.py``."""

import numpy as np

from loss_references.loops import hinge, known_pairs, mean


def distance(z, i, j):
    return np.linalg.norm(z[i] - z[j])


def naive_lifted(z, r, margin=1.0):
    terms = []
    for i, j in known_pairs(r):
        if r[i, j] > 0.5:
            rivals = [(end, q) for end in (i, j) for q in range(len(z)) if r[end, q] <= 0.5]
            total = sum(np.exp(margin - distance(z, *pair)) for pair in rivals)
            terms.append(hinge(np.log(total) + distance(z, i, j)) ** 2 / 2 if rivals else 0.0)
    return mean(terms)


def naive_generalized_lifted(z, r, margin=1.0):
    terms = []
    for a in range(len(z)):
        pull = [np.exp(distance(z, a, p)) for p in range(len(z)) if r[a, p] > 0.5]
        push = [np.exp(margin - distance(z, a, q)) for q in range(len(z)) if r[a, q] <= 0.5]
        if pull and push:
            terms.append(hinge(np.log(sum(pull)) + np.log(sum(push))))
    return mean(terms)


NAIVE = {"generalized_lifted": naive_generalized_lifted, "lifted": naive_lifted}
OPTIONS = {"generalized_lifted": [{}, {"margin": 0.2}], "lifted": [{}, {"margin": 0.2}]}
