"""References of ``metricnets/losses/_histogram.py``."""

from loss_references.loops import mean
from loss_references.ranking import retrievals


def naive_fast_ap(z, r, n_bins=10):
    terms = []
    for similar, known in retrievals(z, r):
        n_similar = n_known = precision = 0
        for edge in range(n_bins + 1):
            near, everyone = (
                sum(max(0, 1 - abs((2 - 2 * s) * n_bins / 4 - edge)) for s in some) for some in (similar, known)
            )
            n_similar, n_known = n_similar + near, n_known + everyone
            precision += near * n_similar / n_known if near else 0
        terms.append(1 - precision / len(similar))
    return mean(terms)


NAIVE = {"fast_ap": naive_fast_ap}
OPTIONS = {"fast_ap": [{}, {"n_bins": 3}]}
NOT_OF_DISTANCES = {"fast_ap": "it compares cosines, which know where the origin is"}
