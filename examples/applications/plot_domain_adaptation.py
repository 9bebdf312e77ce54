"""
Domain adaptation: labels here, predictions there
=================================================

Digits with labels are the source.  The target has none, and its digits are lit from the left.  DTML learns a metric
from the labels of the source, in which the two domains look the same.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

from metricnets import DTML

X, y = load_digits(return_X_y=True)
X_source, X_rest, y_source, y_rest = train_test_split(X, y, train_size=600, stratify=y, random_state=0)
X_rest = X_rest + 16 * np.tile(np.linspace(1, 0, 8), 8)  # as bright as ink at the left edge
X_target, X_test, _, y_test = train_test_split(X_rest, y_rest, train_size=600, stratify=y_rest, random_state=0)

# %%
# Both domains are stacked, and ``sample_domain`` is negative for the target, whose labels are unknown.  This setting
# of DTML begins with joint distribution adaptation, a linear map in which the means of the domains coincide.

X_both = np.vstack([X_source, X_target])
y_both = np.concatenate([y_source, np.full(len(X_target), -1)])
domain = np.repeat([1, -1], [len(X_source), len(X_target)])
dtml = DTML(init="jda", n_rounds=5, pseudo_labels="clusters", random_state=0)
dtml.fit(X_both, y_both, sample_domain=domain)

# %%
# A classifier learns from the source and is asked about further digits of the target.

figure = plt.figure(figsize=(13, 6.4), layout="constrained")
axes = figure.subplot_mosaic([["source", "before", "after"], ["target", "before", "after"]], width_ratios=[0.8, 1, 1])
for name, images in {"source": X_source, "target": X_test}.items():
    tiles = np.pad(images[:20].reshape(4, 5, 8, 8), ((0, 0), (0, 0), (1, 1), (1, 1)))
    axes[name].imshow(tiles.transpose(0, 2, 1, 3).reshape(40, 50), cmap="gray_r")
    axes[name].set(xticks=[], yticks=[], title=name)
for when, embed in {"before": np.asarray, "after": dtml.transform}.items():
    Z_source, Z_test = embed(X_source), embed(X_test)
    score = KNeighborsClassifier().fit(Z_source, y_source).score(Z_test, y_test)
    plane = PCA(2).fit(np.vstack([Z_source, Z_test]))
    for name, Z, labels, color in [("source", Z_source, y_source, "#0072B2"), ("target", Z_test, y_test, "#D55E00")]:
        for digit in range(10):
            points = plane.transform(Z[labels == digit])
            axes[when].scatter(*points.T, marker=f"${digit}$", s=40, color=color, linewidths=0.3, label=name)
            name = None
    title = "pixels" if when == "before" else "DTML"
    axes[when].set(xticks=[], yticks=[], title=f"{title}: accuracy in the target {score:.2f}")
figure.legend(*axes["after"].get_legend_handles_labels(), loc="outside lower center", ncols=2)

# %%
# In pixels the two domains are apart, and the light decides about neighbours as much as the digit does.  In the
# learned metric they lie on each other, each digit of the target on that of the source.
