"""
A person in the loop: which pairs to label
==========================================

A person says of pairs of images whether they show the same digit, in rounds, each as large as all before.  Do pairs
that the metric is uncertain about teach it more than random ones?
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from metricnets import KISSME
from metricnets.active import query_pairs
from metricnets.metrics import retrieval_scores

X, y = load_digits(return_X_y=True)
X_new, y_new, X, y = X[1000:1500], y[1000:1500], X[:500], y[:500]

# %%
# The person is played by the classes.  Half of each round are random pairs, which show what dissimilar digits are like;
# the other half are asked for.  Before there is a metric these are the nearest pairs.


def rounds(strategy, seed, budgets=(50, 100, 200, 400, 800)):
    """Scores after each round, the last metric and all pairs that were labelled."""
    pairs, metric, scores = np.empty((0, 2), int), None, []
    for budget in budgets:
        for asked in ("nearest" if metric is None and strategy == "uncertain" else strategy, "random"):
            n = (budget - len(pairs)) // (1 if asked == "random" else 2)
            if n:
                found = query_pairs(metric, X, n, strategy=asked, exclude=pairs, random_state=seed)
                pairs = np.concatenate([pairs, found])
        same = np.where(y[pairs[:, 0]] == y[pairs[:, 1]], 1, -1)
        metric = KISSME(preprocessor=X, regularization=0.5).fit(pairs, same)
        scores.append(retrieval_scores(metric.transform(X_new), y_new)["map_at_r"])
    return budgets, scores, metric, pairs


figure, axes = plt.subplots(figsize=(8, 4), layout="constrained")
for strategy, color in (("random", "0.4"), ("nearest", "#E69F00"), ("uncertain", "#0072B2")):
    curves = [rounds(strategy, seed) for seed in range(3)]
    axes.plot(curves[0][0], np.mean([scores for _, scores, _, _ in curves], axis=0), "o-", color=color, label=strategy)
axes.axhline(retrieval_scores(X_new, y_new)["map_at_r"], color="k", ls=":", label="no metric")
axes.set(xscale="log", xlabel="labelled pairs", ylabel="MAP@R of new digits")
axes.set_xticks(curves[0][0], curves[0][0])
axes.minorticks_off()
axes.legend()

# %%
# These are pairs that the metric would ask about next: is it the same digit?

_, _, metric, pairs = curves[-1]
asked = query_pairs(metric, X, 6, exclude=pairs, n_per_sample=1, random_state=0)
figure, axes = plt.subplots(1, 6, figsize=(11, 1.2), layout="constrained")
for axis, pair in zip(axes, asked):
    axis.imshow(np.hstack([X[row].reshape(8, 8) for row in pair]), cmap="gray_r")
    axis.set_axis_off()
