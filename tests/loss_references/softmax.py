"""References of ``metricnets/losses/_softmax.py``."""

import numpy as np

from loss_references.loops import cosine, mean


def naive_supcon(z, r, temperature=0.1):
    terms = []
    for a in range(len(z)):
        e = {j: np.exp(cosine(z[a], z[j]) / temperature) for j in np.flatnonzero(~np.isnan(r[a]))}
        positives = [e[j] for j in e if r[a, j] > 0.5]
        if positives:
            terms.append(-mean([np.log(p / sum(e.values())) for p in positives]))
    return mean(terms)


NAIVE = {"supcon": naive_supcon}
OPTIONS = {"supcon": [{}, {"temperature": 1.5}]}
NOT_OF_DISTANCES = {"supcon": "it compares cosines, which know where the origin is"}
