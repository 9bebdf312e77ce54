"""References of ``metricnets/losses/_ranking.py``."""

import numpy as np

from loss_references.loops import mean


def cosine(u, v):
    return u @ v / np.sqrt((u @ u) * (v @ v)) if u.any() and v.any() else 0.0


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def retrievals(z, r):
    """For each row with similar samples: the cosines of these, and of all known samples."""
    for a in range(len(z)):
        known = [j for j in range(len(z)) if not np.isnan(r[a, j])]
        similar = [j for j in known if r[a, j] > 0.5]
        if similar:
            yield [cosine(z[a], z[p]) for p in similar], [cosine(z[a], z[j]) for j in known]


def rank(own, others, temperature):
    """Soft rank of a sample among others, itself one of them."""
    return 0.5 + sum(sigmoid((s - own) / temperature) for s in others)


def naive_smooth_ap(z, r, temperature=0.01):
    return mean(
        [
            1 - mean([rank(s, similar, temperature) / rank(s, known, temperature) for s in similar])
            for similar, known in retrievals(z, r)
        ]
    )


def naive_recall_at_k(z, r, ks=(1, 2, 4, 8, 16), temperature=0.01, cutoff_temperature=1.0):
    terms = []
    for similar, known in retrievals(z, r):
        for k in ks:
            found = sum(sigmoid((k - rank(s, known, temperature)) / cutoff_temperature) for s in similar)
            terms.append(1 - min(found, k) / min(k, len(similar)))
    return mean(terms)


NAIVE = {"recall_at_k": naive_recall_at_k, "smooth_ap": naive_smooth_ap}
OPTIONS = {
    "recall_at_k": [{}, {"ks": (1, 3), "temperature": 0.3, "cutoff_temperature": 0.5}],
    "smooth_ap": [{}, {"temperature": 0.3}],
}
NOT_OF_DISTANCES = dict.fromkeys(NAIVE, "it compares cosines, which know where the origin is")
