"""
A person in the loop: which pairs to label
==========================================

Five digits have been seen, five are new.  A person says of pairs of the first whether they show the same digit, in
rounds, each as large as all before.  Do pairs that the metric is uncertain about teach it more than random ones?
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from metricnets import KISSME
from metricnets.active import query_pairs
from metricnets.metrics import retrieval_scores

X, y = load_digits(return_X_y=True)
seen = y < 5
X, y, X_new, y_new = X[seen][:400], y[seen][:400], X[~seen][:400], y[~seen][:400]

# %%
# The person is played by the labels.  Half of each round are random pairs, which show what dissimilar digits are like; the other
# half are asked for.  Before there is a metric these are the nearest pairs.


def rounds(strategy, seed, budgets=(50, 100, 200, 400, 800)):
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


figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained", width_ratios=[1.4, 1])
for strategy, color in (("random", "0.4"), ("nearest", "#E69F00"), ("uncertain", "#0072B2")):
    curves = [rounds(strategy, seed) for seed in range(3)]
    left.plot(curves[0][0], np.mean([scores for _, scores, _, _ in curves], axis=0), "o-", color=color, label=strategy)
left.axhline(retrieval_scores(X_new, y_new)["map_at_r"], color="k", ls=":", label="no metric")
left.set(xscale="log", xlabel="labelled pairs", ylabel="MAP@R of new digits", title="Budget")
left.set_xticks(curves[0][0], curves[0][0])
left.minorticks_off()
left.legend()

# %%
# The pairs on the right are the next ones that it would ask about.

_, _, metric, pairs = curves[-1]
asked = query_pairs(metric, X, 6, exclude=pairs, n_per_sample=1, random_state=0)
images = np.hstack([X[asked[:, side]].reshape(-1, 8) for side in (0, 1)])
right.imshow(images.reshape(2, 24, 16).transpose(1, 0, 2).reshape(24, 32), cmap="gray_r")
for x in (7.5, 23.5):
    right.axvline(x, color="0.8")
right.axvline(15.5, color="k")
right.set_axis_off()
right.set_title("The same digit?")
