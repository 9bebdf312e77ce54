"""References of ``metricnets/losses/_similarity.py``."""

import numpy as np

from loss_references.loops import cosine, hinge, mean


def naive_circle(z, r, margin=0.4, scale=80.0):
    terms = []
    for a in range(len(z)):
        s = [cosine(z[a], other) for other in z]
        pos, neg = np.flatnonzero(r[a] > 0.5), np.flatnonzero(r[a] <= 0.5)
        positives = [np.exp(-scale * hinge(1 + margin - s[j]) * (s[j] - 1 + margin)) for j in pos]
        negatives = [np.exp(scale * hinge(s[j] + margin) * (s[j] - margin)) for j in neg]
        if positives and negatives:
            terms.append(np.log1p(sum(positives) * sum(negatives)))
    return mean(terms)


def naive_multi_similarity(z, r, alpha=2.0, beta=50.0, threshold=0.5):
    terms = []
    for a in range(len(z)):
        s = [cosine(z[a], other) for other in z]
        positives = sum(np.exp(-alpha * (s[j] - threshold)) for j in np.flatnonzero(r[a] > 0.5))
        negatives = sum(np.exp(beta * (s[j] - threshold)) for j in np.flatnonzero(r[a] <= 0.5))
        if positives + negatives > 0:
            terms.append(np.log1p(positives) / alpha + np.log1p(negatives) / beta)
    return mean(terms)


NAIVE = {"circle": naive_circle, "multi_similarity": naive_multi_similarity}
OPTIONS = {
    "circle": [{}, {"margin": 0.25, "scale": 5.0}],
    "multi_similarity": [{}, {"alpha": 18.0, "beta": 7.0, "threshold": 0.77}],
}
NOT_OF_DISTANCES = dict.fromkeys(NAIVE, "it compares cosines, which know where the origin is")
NO_GRADCHECK = {"circle": "its weights are taken as constants; see tests/test_losses_similarity.py"}
