"""References of ``metricnets/losses/_views.py``."""

import numpy as np

from loss_references.loops import cosine, mean


def matches(z):
    """Each row of both views, its match, and the other rows of the view of the match."""
    m = len(z) // 2
    for i in range(m):
        yield i, m + i, [m + j for j in range(m) if j != i]
        yield m + i, i, [j for j in range(m) if j != i]


def naive_info_nce(z, r, temperature=0.05):
    terms = []
    for a, p, others in matches(z):
        if r[a, p] > 0.5:
            own = np.exp(cosine(z[a], z[p]) / temperature)
            rivals = [np.exp(cosine(z[a], z[j]) / temperature) for j in others if r[a, j] <= 0.5]
            terms.append(-np.log(own / (own + sum(rivals))))
    return mean(terms)


def naive_siglip(z, r, scale=10.0, bias=-10.0):
    terms = []
    for a, p, others in matches(z):
        signs = {p: 1.0} if r[a, p] > 0.5 else {}
        signs |= {j: -1.0 for j in others if r[a, j] <= 0.5}
        if signs:
            terms.append(
                sum(np.log1p(np.exp(-sign * (scale * cosine(z[a], z[j]) + bias))) for j, sign in signs.items())
            )
    return mean(terms)


def naive_vicreg(z, r, invariance=25.0, variance=25.0, covariance=1.0):
    m, k = len(z) // 2, z.shape[1]
    rows = [i for i in range(m) if r[i, m + i] > 0.5]
    loss = invariance * mean([mean(list((z[i] - z[m + i]) ** 2)) for i in rows])
    for view in (z[rows], z[[m + i for i in rows]]) if len(rows) > 1 else ():
        C = np.cov(view.T)
        loss += variance / 2 * mean([max(0.0, 1 - np.sqrt(C[i, i] + 1e-4)) for i in range(k)])
        loss += covariance / k * sum(C[i, j] ** 2 for i, j in np.ndindex(k, k) if i != j)
    return loss


NAIVE = {"info_nce": naive_info_nce, "siglip": naive_siglip, "vicreg": naive_vicreg}
OPTIONS = {
    "info_nce": [{}, {"temperature": 1.5}],
    "siglip": [{}, {"scale": 2.0, "bias": 0.7}],
    "vicreg": [{}, {"invariance": 2.0, "variance": 30.0, "covariance": 0.3}],
}
TWO_VIEWS = dict.fromkeys(NAIVE, "rows i and n // 2 + i match, so they have to be moved together")
NOT_OF_DISTANCES = dict.fromkeys(["info_nce", "siglip"], "it compares cosines, which know where the origin is")
NOT_OF_ANY_BASIS = {"vicreg": "its variances and covariances are those of the components"}
