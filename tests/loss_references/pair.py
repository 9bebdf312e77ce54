"""References of ``metricnets/losses/_pair.py``."""

from itertools import product

import numpy as np

from loss_references.loops import hinge, known_pairs, mean


def naive_contrastive(z, r, positive_margin=0.0, margin=1.0, squared=False):
    power = 2 if squared else 1
    d = {(i, j): np.sqrt(np.sum((z[i] - z[j]) ** 2)) for i, j in known_pairs(r)}
    pull = [hinge(d[pair] - positive_margin) ** power for pair in d if r[pair] > 0.5]
    push = [hinge(margin - d[pair]) ** power for pair in d if r[pair] <= 0.5]
    return mean(pull) + mean(push)


def naive_logistic_pair(z, r, margin=3.0, gap=1.0, sharpness=1.0, balanced=True):
    terms = {1: [], -1: []}
    for i, j in known_pairs(r):
        sign = 1 if r[i, j] > 0.5 else -1
        x = gap - sign * (margin - np.sum((z[i] - z[j]) ** 2))
        terms[sign].append(0.5 * np.log1p(np.exp(sharpness * x)) / sharpness)
    return (mean(terms[1]) + mean(terms[-1])) / 2 if balanced else mean(terms[1] + terms[-1])


def naive_alignment(z, r, scale=2.0):
    return mean([(np.sum((z[i] - z[j]) ** 2) - scale * (1 - r[i, j])) ** 2 / 4 for i, j in known_pairs(r)])


NAIVE = {
    "alignment": naive_alignment,
    "contrastive": naive_contrastive,
    "logistic_pair": naive_logistic_pair,
}
OPTIONS = {
    "alignment": [{}, {"scale": 0.7}],
    "contrastive": [
        {"positive_margin": low, "margin": high, "squared": squared}
        for (low, high), squared in product([(0.0, 1.0), (0.6, 2.5)], [False, True])
    ],
    "logistic_pair": [
        {"margin": margin, "gap": gap, "sharpness": sharpness, "balanced": balanced}
        for (margin, gap, sharpness), balanced in product([(3.0, 1.0, 1.0), (1.5, 0.0, 4.0)], [False, True])
    ],
}
