"""
Labels in a hierarchy
=====================

Digits are even or odd, and within that they are digits.  Pixels know nothing of parity: a 9 looks like a 4, not like
a 7.  The relation ``hierarchy`` tells a graded loss that half of the way is shared by two digits of the same parity.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.cluster.hierarchy import dendrogram, linkage
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

from metricnets import EmbeddingNet

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.5, stratify=y, random_state=0)

# %%
# Columns of the targets are the levels of the hierarchy, the coarsest first.

flat = EmbeddingNet(loss="alignment", positive_fraction=1.0, random_state=0).fit(X_train, y_train)
levels = np.c_[y_train % 2, y_train]
nested = EmbeddingNet(loss="alignment", relation="hierarchy", random_state=0).fit(X_train, levels)

# %%
# A tree of the mean embeddings of the held-out digits shows which classes are near.  The titles have the accuracy of
# five nearest neighbours: of the digit, and of its parity where the neighbours have to be other digits than its own.


def parity_without_own_digit(Z, Z_test):
    """Accuracy of the parity, by the nearest training samples of all other digits."""
    hits = []
    for digit in range(10):
        others = y_train != digit
        knn = KNeighborsClassifier().fit(Z[others], y_train[others] % 2)
        hits.append(knn.score(Z_test[y_test == digit], np.full((y_test == digit).sum(), digit % 2)))
    return np.mean(hits)


figure, axes = plt.subplots(1, 3, figsize=(12, 4.2), layout="constrained")
for axis, (name, net) in zip(axes, {"pixels": None, "classes": flat, "hierarchy": nested}.items()):
    Z, Z_test = (X_train, X_test) if net is None else (net.transform(X_train), net.transform(X_test))
    digit = KNeighborsClassifier().fit(Z, y_train).score(Z_test, y_test)
    means = [Z_test[y_test == digit].mean(axis=0) for digit in range(10)]
    dendrogram(linkage(means, "average"), ax=axis, leaf_font_size=14, link_color_func=lambda _: "#0072B2")
    axis.set(yticks=[], title=f"{name}: digit {digit:.2f}, parity {parity_without_own_digit(Z, Z_test):.2f}")

# %%
# Trained on classes, all digits are about equally far from each other.  The hierarchy keeps them as distinct, and
# puts those of one parity together.
