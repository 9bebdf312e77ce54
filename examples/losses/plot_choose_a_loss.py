"""
Choosing a loss by grid search
==============================

``losses.grid`` has four settings for each loss of the catalogue, and a search takes several of these grids at once.
How much does the choice of the loss matter, and how much that of its parameters?
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, StratifiedKFold, train_test_split

from metricnets import EmbeddingNet, losses
from metricnets.metrics import get_scorer, map_at_r

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, train_size=200, stratify=y, random_state=0)

# %%
# The score is MAP@R: whether the samples of the own class are before all others in the list of neighbours.  All
# samples of a class are positives, as this score asks for.

names = ["contrastive", "triplet", "multi_similarity", "proxy_anchor"]
net = EmbeddingNet(positive_fraction=1.0, max_epochs=10, random_state=0)
folds = StratifiedKFold(2, shuffle=True, random_state=0)
search = GridSearchCV(net, [losses.grid(name) for name in names], scoring=get_scorer("map_at_r"), cv=folds)
search.fit(X_train, y_train)

# %%
# Each row is a setting.  The point is the mean of the folds, and the line goes from the lower to the higher one.

results = search.cv_results_
figure, axes = plt.subplots(4, 1, figsize=(7, 6.4), layout="constrained", sharex=True)
for axis, name, color in zip(axes, names, ["#0072B2", "#D55E00", "#009E73", "#CC79A7"]):
    rows = np.flatnonzero(results["param_loss"] == name)
    settings = [results["param_loss_params"][row] for row in rows]
    scores = np.array([[results[f"split{fold}_test_score"][row] for fold in range(2)] for row in rows])
    axis.hlines(range(4), scores.min(axis=1), scores.max(axis=1), color=color, lw=2)
    axis.scatter(scores.mean(axis=1), range(4), color=color, s=60)
    axis.set_yticks(range(4), [", ".join(f"{key} {value}" for key, value in setting.items()) for setting in settings])
    axis.set_ylabel(name, color=color)
    axis.set_ylim(3.6, -0.6)
    axis.grid(axis="x", alpha=0.4)
axes[-1].set_xlabel("MAP@R in cross-validation")

# %%
# The score of the best setting is no estimate: it was chosen for its score, and each fold learns from half of the
# samples.  Samples that took no part in the search, and a metric learned from all that did, give one.

best, score = search.best_params_, map_at_r(search.transform(X_test), y_test)
print(f"{best}: {search.best_score_:.3f} in cross-validation, {score:.3f} on held-out samples")
