"""
Label distributions: a metric for AAKNN
=======================================

The target of a sample says to which degree each of three labels applies: how much of a face is joy, surprise or
anger.  AAKNN predicts the mean distribution of the nearest neighbours, in a metric that HRAML learns from the same
distributions.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.special import softmax
from sklearn.model_selection import train_test_split

from metricnets import AAKNN, HRAML
from metricnets.metrics import distribution_scores

rng = np.random.default_rng(0)
cause = rng.normal(size=(1200, 2))  # what the labels depend on
X = np.hstack([cause, rng.normal(size=(1200, 28))]) @ np.linalg.qr(rng.normal(size=(30, 30)))[0]
Y = softmax(1.5 * np.c_[cause[:, 0], -cause[:, 0], 2 * cause[:, 1]], axis=1)
X_train, X_test, Y_train, Y_test = train_test_split(X, Y, test_size=0.5, random_state=0)

# %%
# Two directions among thirty matter, and they are not along a feature.

models = {"Euclidean distance": AAKNN(), "HRAML": AAKNN(metric=HRAML(random_state=0))}
predicted = {name: model.fit(X_train, Y_train).predict(X_test) for name, model in models.items()}
for name, P in predicted.items():
    print(name, {key: round(float(value), 3) for key, value in distribution_scores(Y_test, P).items()})

# %%
# A distribution over three labels is a point in a triangle, whose corners are the labels.  Colours are those of the
# *true* distribution: a good prediction leaves a point where its colour says.  The overlap is the mean of what two
# distributions have in common, at most 1.

corners = np.array([[-1.0, 0.0], [1.0, 0.0], [0.0, 3**0.5]])
inks = np.array([[0.0, 0.45, 0.70], [0.84, 0.37, 0.0], [0.94, 0.89, 0.26]])  # blue, vermilion, yellow

figure, axes = plt.subplots(1, 3, figsize=(12, 4), layout="constrained")
for axis, (name, P) in zip(axes, {"truth": Y_test, **predicted}.items()):
    axis.add_patch(plt.Polygon(corners, fill=False, color="0.6"))
    axis.scatter(*(P @ corners).T, s=22, c=Y_test @ inks, edgecolor="0.3", linewidths=0.3)
    for corner, label, side in zip(corners, ["joy", "anger", "surprise"], ["right", "left", "center"]):
        axis.text(*corner * 1.04, label, ha=side, va="bottom" if side == "center" else "top")
    overlap = np.minimum(P, Y_test).sum(axis=1).mean()
    axis.set_title(f"{name}: overlap {overlap:.2f}", pad=18)
    axis.set_aspect("equal")
    axis.set_axis_off()
