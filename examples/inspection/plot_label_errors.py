"""
Label errors: rows worth a look
===============================

Nearly all digits have neighbours of their own class.  A digit whose nearest neighbours are of another class is hard,
or its label is wrong.  Sixty labels of 1,797 are falsified here; can a metric that has learned from them find them
again?
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from metricnets import DDML
from metricnets.inspection import hard_negatives

X, true = load_digits(return_X_y=True)
rng = np.random.default_rng(0)
wrong = rng.choice(len(X), 60, replace=False)
y = true.copy()
y[wrong] = (true[wrong] + rng.integers(1, 10, size=60)) % 10

# %%
# A network of some capacity may learn wrong labels by heart.  So that no sample is judged by a metric that knows its
# label, each half of the digits is inspected with the metric that was learned from the other half.
# :func:`~metricnets.inspection.label_quality` deals folds itself, and says how many labels it takes for wrong.

halves = np.array_split(rng.permutation(len(X)), 2)
suspects, margins = [], []
for own, other in (halves, halves[::-1]):
    metric = DDML(random_state=0).fit(X[other], y[other])
    found = hard_negatives(metric, X[own], y[own], n_pairs=None)
    suspects.append(own[found["query"]])
    margins.append(found["margin"])
suspects = np.concatenate(suspects)[np.argsort(-np.concatenate(margins))]

# %%
# The suspects, those first whose nearest neighbours contradict their label most clearly, and above each the label
# that it was given.  Somebody who looks at the suspects in this order finds the false labels as on the right.

figure = plt.figure(figsize=(13, 5), layout="constrained")
left, right = figure.subfigures(1, 2, width_ratios=[1.5, 1])
left.suptitle("the first forty suspects, and their given labels")
for axis, row in zip(left.subplots(4, 10).flat, suspects):
    axis.imshow(X[row].reshape(8, 8), cmap="gray_r")
    axis.set_title(y[row], color="#D55E00", fontsize=16, pad=3)
    axis.set_axis_off()
axis = right.subplots()
axis.plot(np.arange(1, len(suspects) + 1), np.isin(suspects, wrong).cumsum(), color="#0072B2", lw=2, label="suspects")
axis.plot([0, len(suspects)], [0, len(suspects) * len(wrong) / len(X)], "k:", label="random order (expected)")
axis.axhline(len(wrong), color="0.7")
axis.set(xlabel="digits looked at, of 1,797", ylabel="false labels found", title=f"{len(wrong)} labels are false")
axis.legend(loc="center right")
