"""
Label sets: a metric for MLKNN
==============================

Each sample has a *set* of labels.  HRAML learns distances that follow how much two sets have in common, and MLKNN
predicts the set of a new sample from its nearest neighbours.  Two thirds of the features are noise here, which the
Euclidean distance counts like the others.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import make_multilabel_classification
from sklearn.metrics.pairwise import euclidean_distances
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import scale

from metricnets import HRAML, MLKNN
from metricnets.metrics import multilabel_scores
from metricnets.relations import jaccard

X, Y = make_multilabel_classification(1500, n_features=20, n_classes=5, n_labels=2, random_state=0)
noise = np.random.default_rng(0).normal(size=(1500, 40))
X = np.hstack([scale(X), noise])
X_train, X_test, Y_train, Y_test = train_test_split(X, Y, test_size=0.5, random_state=0)

# %%
# A metric learner that MLKNN is given is fitted to the same label sets first.

models = {"Euclidean": MLKNN(), "HRAML": MLKNN(metric=HRAML(random_state=0))}
precision = {}
for name, model in models.items():
    scores = multilabel_scores(Y_test, model.fit(X_train, Y_train).predict_proba(X_test))
    precision[name] = scores["average_precision"]
    print(name, {key: round(float(value), 3) for key, value in scores.items()})

# %%
# HRAML aligns the distances with a relation of the label sets: the share of their labels that two sets have in
# common, the Jaccard index.  Do they agree on samples that it has not seen?  These are sorted by their label sets,
# and each picture compares all pairs: yellow is similar.

shown = np.lexsort(Y_test[:250].T)
Z = models["HRAML"].metric_.transform(X_test)
pictures = {
    "Jaccard index of the label sets": jaccard(Y_test[shown], Y_test[shown]),
    f"Euclidean distance: average precision {precision['Euclidean']:.2f}": -euclidean_distances(X_test[shown]),
    f"HRAML: average precision {precision['HRAML']:.2f}": -euclidean_distances(Z[shown]),
}
figure, axes = plt.subplots(1, 3, figsize=(12, 4.4), layout="constrained")
for axis, (title, similarity) in zip(axes, pictures.items()):
    others = similarity[~np.eye(len(shown), dtype=bool)]
    axis.imshow(similarity, vmin=np.quantile(others, 0.02), vmax=np.quantile(others, 0.99))
    axis.set(xticks=[], yticks=[], title=title)
