"""
Clustering with a few labels
============================

Clustering needs a distance.  Here some of the digits have labels, a metric is learned from these, and k-means
clusters *the others* in it.  The adjusted Rand index compares the clusters with the digits: 1 is perfect, 0 is
chance.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import linear_sum_assignment
from sklearn.cluster import KMeans
from sklearn.datasets import load_digits
from sklearn.metrics import adjusted_rand_score
from sklearn.metrics.cluster import contingency_matrix
from sklearn.model_selection import train_test_split

from metricnets import HRAML, LDA

X, y = load_digits(return_X_y=True)
methods = {"pixels": None, "LDA": LDA(solver="eigen", shrinkage="auto"), "HRAML": HRAML(random_state=0)}


def clusters_of_others(method, n_labels):
    """Clusters of the digits without a label, and their digits."""
    X_labelled, X_others, y_labelled, digits = train_test_split(X, y, train_size=n_labels, stratify=y, random_state=0)
    Z = X_others if method is None else method.fit(X_labelled, y_labelled).transform(X_others)
    return KMeans(10, n_init=5, random_state=0).fit_predict(Z), digits


# %%
# The left pictures count, for 200 labels, how many images of each digit are in each cluster.  On the right are the
# scores for more or fewer labels.

figure, axes = plt.subplots(1, 3, figsize=(13, 4.4), layout="constrained")
for axis, name in zip(axes, ["pixels", "HRAML"]):
    clusters, digits = clusters_of_others(methods[name], 200)
    counts = contingency_matrix(digits, clusters)
    counts = counts[:, linear_sum_assignment(-counts)[1]]  # the cluster of most of a digit's images below the digit
    axis.imshow(counts, cmap="Blues", aspect="auto")
    for (row, column), n in np.ndenumerate(counts):
        axis.text(column, row, n or "", ha="center", va="center", fontsize=8, color="white" if n > 80 else "black")
    axis.set(xlabel="cluster", ylabel="digit", xticks=[], yticks=range(10))
    axis.set_title(f"{name}: {adjusted_rand_score(digits, clusters):.2f}")

n_labels = [50, 100, 200, 400, 800]
for (name, method), color, style in zip(methods.items(), ["#000000", "#0072B2", "#D55E00"], ["s:", "^--", "o-"]):
    scores = [adjusted_rand_score(*clusters_of_others(method, n)[::-1]) for n in n_labels]
    axes[2].plot(n_labels, scores, style, color=color, label=name)
axes[2].set(xscale="log", xlabel="labelled digits", ylabel="adjusted Rand index", xticks=n_labels, xticklabels=n_labels)
axes[2].minorticks_off()
axes[2].legend()
