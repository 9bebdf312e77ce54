"""
Label errors: rows worth a look
===============================

Nearly all digits have neighbours of their own class.  A digit whose nearest neighbours are of another class is hard, or its
label is wrong.  Sixty labels of 1,797 are falsified here; can a metric that has learned from them find them again?
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
# A network of some capacity may learn wrong labels by heart.  So that no sample is judged by a metric that knows its label,
# each half of the digits is inspected with the metric that was learned from the other half.

halves = np.array_split(rng.permutation(len(X)), 2)
suspects, margins = [], []
for own, other in (halves, halves[::-1]):
    metric = DDML(random_state=0).fit(X[other], y[other])
    found = hard_negatives(metric, X[own], y[own], n_pairs=None)
    suspects.append(own[found["query"]])
    margins.append(found["margin"])
