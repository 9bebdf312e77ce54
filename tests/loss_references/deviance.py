"""References of ``metricnets/losses/_deviance.py``."""

import numpy as np

from loss_references.loops import known_pairs, mean


def naive_binomial_deviance(z, r, sharpness=2.0, threshold=0.5, negative_weight=1.0):
    similar, dissimilar = [], []
    for i, j in known_pairs(r):
        s = z[i] @ z[j] / np.linalg.norm(z[i]) / np.linalg.norm(z[j])
        if r[i, j] > 0.5:
            similar.append(np.log(1 + np.exp(-sharpness * (s - threshold))))
        else:
            dissimilar.append(np.log(1 + np.exp(sharpness * (s - threshold))))
    return mean(similar) + negative_weight * mean(dissimilar)


NAIVE = {"binomial_deviance": naive_binomial_deviance}
OPTIONS = {"binomial_deviance": [{}, {"sharpness": 20.0, "threshold": 0.1, "negative_weight": 0.3}]}
NOT_OF_DISTANCES = {"binomial_deviance": "it compares angles, which know where the origin is"}
