"""References of ``metricnets/losses/_triplet.py``."""

from itertools import product

import numpy as np

from loss_references.loops import hinge, known_pairs, mean


def naive_triplet(z, r, margin=0.2, select="all", squared=False, reduction="active"):
    n, terms = len(z), []
    d = [[np.sum((a - b) ** 2) ** (1 if squared else 0.5) for b in z] for a in z]
    for a in range(n):
        positives = [p for p in range(n) if r[a, p] > 0.5]
        negatives = [q for q in range(n) if r[a, q] <= 0.5]
        if select == "hard":
            if positives and negatives:
                terms.append(margin + max(d[a][p] for p in positives) - min(d[a][q] for q in negatives))
            continue
        for p, q in product(positives, negatives):
            if select == "all" or d[a][p] < d[a][q] < d[a][p] + margin:
                terms.append(margin + d[a][p] - d[a][q])
    return mean([hinge(term) for term in terms if term > 0 or reduction == "all"])


def naive_npair(z, r, temperature=0.2):
    terms = []
    for a, p in known_pairs(r):
        if r[a, p] > 0.5:
            rivals = [q for q in range(len(z)) if r[a, q] <= 0.5]
            terms.append(np.log1p(sum(np.exp((z[a] @ z[q] - z[a] @ z[p]) / temperature) for q in rivals)))
    return mean(terms)


NAIVE = {"npair": naive_npair, "triplet": naive_triplet}
OPTIONS = {
    "npair": [{}, {"temperature": 1.5}],
    "triplet": [
        {"margin": margin, "select": select, "squared": squared, "reduction": reduction}
        for margin, select, squared, reduction in product(
            [0.2, 1.5], ["all", "hard", "semihard"], [False, True], ["active", "all"]
        )
    ],
}
NOT_OF_DISTANCES = {"npair": "it compares inner products, which know where the origin is"}
