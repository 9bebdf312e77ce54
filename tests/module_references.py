"""Naive references of the losses that own parameters: Python loops over rows, classes, pairs and triplets in NumPy.

``NAIVE`` has for each name a function of the embeddings, the codes of known classes and the weights of the module by
name; ``OPTIONS`` the settings that the laws are checked for, which between them change every option.
"""

import math

import numpy as np
from loss_references.loops import hinge, mean


def unit(v):
    return v / max(np.sqrt(np.sum(v**2)), 1e-300)


def cross_entropy(logits, code):
    return math.log(sum(math.exp(value - max(logits)) for value in logits)) + max(logits) - logits[code]


def classified(z, codes, logits):
    """Mean cross-entropy of logits (row, its code) -> list."""
    return mean([cross_entropy(logits(v, code), code) for v, code in zip(z, codes)])


def cosines(v, centers):
    """The largest cosine of a vector and the centres of each class."""
    return [max(unit(v) @ unit(w) for w in of_class) for of_class in centers]


def normalized_softmax(z, codes, weight, temperature=0.05):
    return classified(z, codes, lambda v, code: [c / temperature for c in cosines(v, weight)])


def cosface(z, codes, weight, margin=0.35, scale=64.0):
    return classified(
        z, codes, lambda v, code: [scale * (c - margin * (k == code)) for k, c in enumerate(cosines(v, weight))]
    )


def arcface(z, codes, weight, margin=0.5, scale=64.0, n_centers=1):
    def moved(cosine):
        theta = math.acos(np.clip(cosine, -1, 1))
        return math.cos(theta + margin) if theta + margin <= math.pi else cosine - margin * math.sin(margin)

    return classified(
        z, codes, lambda v, code: [scale * (moved(c) if k == code else c) for k, c in enumerate(cosines(v, weight))]
    )


def sphereface(z, codes, weight, margin=4, scale=16.0):
    def psi(cosine):
        theta = math.acos(np.clip(cosine, -1, 1))
        k = math.floor(margin * theta / math.pi)
        return (-1) ** k * math.cos(margin * theta) - 2 * k

    def logits(v, code):
        return [scale * np.linalg.norm(v) * (psi(c) if k == code else c) for k, c in enumerate(cosines(v, weight))]

    return classified(z, codes, logits)


def center(z, codes, weight, bias, centers, lam=0.01):
    distances = [np.sum((v - centers[code]) ** 2) / 2 for v, code in zip(z, codes)]
    return classified(z, codes, lambda v, code: list(weight @ v + bias)) + lam * mean(distances)


def deepid2(z, codes, weight, bias, lam=0.05, margin=1.0):
    d = {(i, j): np.linalg.norm(z[i] - z[j]) for i, j in np.ndindex(len(z), len(z)) if i != j}
    same = [d[i, j] ** 2 / 2 for i, j in d if codes[i] == codes[j]]
    different = [hinge(margin - d[i, j]) ** 2 / 2 for i, j in d if codes[i] != codes[j]]
    return classified(z, codes, lambda v, code: list(weight @ v + bias)) + lam * (mean(same) + mean(different))


def proxy_nca(z, codes, weight, temperature=0.111):
    return classified(z, codes, lambda v, code: [-np.sum((unit(v) - unit(w[0])) ** 2) / temperature for w in weight])


def proxy_anchor(z, codes, weight, margin=0.1, scale=32.0):
    pull, push = [], []
    for k, (w,) in enumerate(weight):
        s = [unit(v) @ unit(w) for v in z]
        own = [math.exp(-scale * (x - margin)) for x, code in zip(s, codes) if code == k]
        others = [math.exp(scale * (x + margin)) for x, code in zip(s, codes) if code != k]
        pull += [math.log(1 + sum(own))] if own else []
        push.append(math.log(1 + sum(others)))
    return mean(pull) + mean(push)


def soft_triple(z, codes, weight, n_centers=10, scale=20.0, temperature=0.1, margin=0.01, lam=0.2):
    def similarity(v, of_class):
        s = [unit(v) @ unit(w) for w in of_class]
        e = [math.exp(x / temperature) for x in s]
        return sum(x * y for x, y in zip(s, e)) / sum(e)

    def logits(v, code):
        return [scale * (similarity(v, of_class) - margin * (k == code)) for k, of_class in enumerate(weight)]

    n_classes, K = weight.shape[:2]
    between = [
        np.linalg.norm(unit(of_class[j]) - unit(of_class[k])) for of_class in weight for k in range(K) for j in range(k)
    ]
    return classified(z, codes, logits) + (lam * sum(between) / (n_classes * K * (K - 1)) if K > 1 else 0)


def margin(z, codes, beta, margin=0.2, start=1.2, per_class=True, weight=1.0, distance_weighted=True):
    u, n = [unit(v) for v in z], len(z)
    d = np.array([[np.linalg.norm(a - b) for b in u] for a in u])
    total = active = 0.0
    for a in range(n):
        negatives = [j for j in range(n) if codes[j] != codes[a]]
        drawn = [1.0] * len(negatives)
        if distance_weighted:
            dim, near = z.shape[1], [max(d[a, j], 0.5) for j in negatives]
            drawn = [(x < 1.4) / (x ** (dim - 2) * (1 - x * x / 4) ** ((dim - 3) / 2)) for x in np.minimum(near, 1.999)]
            drawn = [w / sum(drawn) for w in drawn] if any(drawn) else drawn
        b = beta[codes[a]] if per_class else beta[0]
        for p in (p for p in range(n) if p != a and codes[p] == codes[a]):
            for j, share in zip(negatives, drawn):
                pull, push = hinge(margin + d[a, p] - b), hinge(margin + b - d[a, j])
                total += share * (pull + push)
                active += share * (int(pull > 0) + int(push > 0))
    some = any(codes[i] == codes[j] for i in range(n) for j in range(i))
    return (total / active if active else 0.0) + weight * some * mean([(b - start) ** 2 for b in beta])


def hierarchical_triplet(z, codes, margins):
    u, n = [unit(v) for v in z], len(z)
    d2 = np.array([[np.sum((a - b) ** 2) for b in u] for a in u])
    triplets = [
        hinge(d2[a, p] - d2[a, j] + margins[codes[a], codes[j]])
        for a, p, j in np.ndindex(n, n, n)
        if a != p and codes[a] == codes[p] and codes[a] != codes[j]
    ]
    return mean([t for t in triplets if t > 0])


def verification(z, codes, threshold, distance):
    pairs = [(i, j) for i, j in np.ndindex(len(z), len(z)) if i != j]
    similar = [math.log(1 + math.exp(distance(z[i], z[j]) - threshold)) for i, j in pairs if codes[i] == codes[j]]
    others = [math.log(1 + math.exp(threshold - distance(z[i], z[j]))) for i, j in pairs if codes[i] != codes[j]]
    return (mean(similar) + mean(others)) / 2


def chi_square_verification(z, codes, raw_weights, threshold):
    def distance(x, y):
        return sum(math.log1p(math.exp(w)) * (a - b) ** 2 / (abs(a) + abs(b)) for w, a, b in zip(raw_weights, x, y))

    return verification(z, codes, threshold, distance)


def l1_verification(z, codes, raw_weights, threshold):
    def distance(x, y):
        return sum(math.log1p(math.exp(w)) * abs(a - b) for w, a, b in zip(raw_weights, x, y))

    return verification(z, codes, threshold, distance)


NAIVE = {
    "arcface": arcface,
    "center": center,
    "chi_square_verification": chi_square_verification,
    "cosface": cosface,
    "deepid2": deepid2,
    "hierarchical_triplet": hierarchical_triplet,
    "l1_verification": l1_verification,
    "margin": margin,
    "normalized_softmax": normalized_softmax,
    "proxy_anchor": proxy_anchor,
    "proxy_nca": proxy_nca,
    "soft_triple": soft_triple,
    "sphereface": sphereface,
}
RENAMED = {  # options whose name is taken by weights of the module, in the references
    "center": {"weight": "lam"},
    "deepid2": {"weight": "lam"},
    "soft_triple": {"weight": "lam"},
    "margin": {"beta": "start"},
    "hierarchical_triplet": dict.fromkeys(["margin", "n_levels", "n_calls", "momentum"]),  # they are in the margins
}
OPTIONS = {
    "arcface": [{}, {"margin": 1.2, "scale": 3.0, "n_centers": 3}],
    "center": [{}, {"weight": 2.0}],
    "chi_square_verification": [{}],
    "cosface": [{}, {"margin": 0.1, "scale": 5.0}],
    "deepid2": [{}, {"weight": 2.0, "margin": 3.0}],
    "hierarchical_triplet": [{}, {"margin": 0.5, "n_levels": 4, "n_calls": 1, "momentum": 0.5}],
    "l1_verification": [{}],
    "margin": [{}, {"margin": 0.4, "beta": 0.9, "per_class": False, "weight": 3.0, "distance_weighted": False}],
    "normalized_softmax": [{}, {"temperature": 0.5}],
    "proxy_anchor": [{}, {"margin": 0.3, "scale": 4.0}],
    "proxy_nca": [{}, {"temperature": 1.0}],
    "soft_triple": [
        {},
        {"n_centers": 2, "scale": 5.0, "temperature": 0.5, "margin": 0.2, "weight": 1.0},
    ],
    "sphereface": [{}, {"margin": 3, "scale": 1.0}],
}
