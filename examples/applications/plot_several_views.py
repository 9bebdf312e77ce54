"""
Several views, some of them missing
===================================

The left and the right half of an image of a digit are two views of it.  :class:`~metricnets.MultiViewNet` learns one
embedding of both from images of which some have lost a half, and finds images by what is left of a query.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

from metricnets import MultiViewNet

# %%
# A third of the images to learn from have lost a half, a random one: its columns are NaN.

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, train_size=500, random_state=0)
columns = np.arange(64).reshape(8, 8)
left, right = columns[:, :4].ravel(), columns[:, 4:].ravel()
lost = np.random.default_rng(0).choice(3, p=[2 / 3, 1 / 6, 1 / 6], size=500)
X_train[np.ix_(lost == 1, left)] = X_train[np.ix_(lost == 2, right)] = np.nan

net = MultiViewNet(views={"left": left, "right": right}, random_state=0).fit(X_train, y_train)
nearest = KNeighborsClassifier(5).fit(net.transform(X_train), y_train)

# %%
# A query has both halves, or one of them: then its embedding has what is to be expected of the other half.  Each half
# is also learned alone, from the images that have it.

accuracies, alone, queries = {"both halves": nearest.score(net.transform(X_test), y_test)}, {}, {}
for name, half, rows in (("left half", left, lost != 1), ("right half", right, lost != 2)):
    queries[name] = np.full_like(X_test, np.nan)
    queries[name][:, half] = X_test[:, half]
    accuracies[name] = nearest.score(net.transform(queries[name]), y_test)
    of_half = MultiViewNet(views=[half], random_state=0).fit(X_train[rows], y_train[rows])
    neighbors = KNeighborsClassifier(5).fit(of_half.transform(X_train[rows]), y_train[rows])
    alone[name] = neighbors.score(of_half.transform(X_test), y_test)

# %%
# Accuracies of the test images, and six queries with the five images nearest to each; halves that are missing are
# yellow.  Two halves are much better than one.  Queries with one half are classified less well than by a network of
# this half alone, as one half says little about the other.

fig, (axis, pictures) = plt.subplots(1, 2, figsize=(10, 4), width_ratios=[2, 3], layout="constrained")
axis.plot([*accuracies.values()], [*accuracies], "o", color="#0072B2", label="learned from both")
axis.plot([*alone.values()], [*alone], "s", color="#D55E00", mfc="none", ms=9, label="learned from one half")
axis.set(xlabel="accuracy of 5 nearest neighbours", ylim=(-0.6, 2.9))
axis.legend(loc="lower left")
Q = np.vstack([queries["left half"][:3], queries["right half"][3:6]])
found = X_train[nearest.kneighbors(net.transform(Q), return_distance=False)]
tiles = np.concatenate([Q[:, None], found], axis=1).reshape(6, 6, 8, 8)
framed = np.pad(tiles, ((0, 0), (0, 0), (1, 1), (1, 1))).transpose(0, 2, 1, 3).reshape(60, 60)
pictures.set_facecolor("#F0E442")
pictures.imshow(framed, cmap="gray_r")
pictures.axvline(9.5, color="#D55E00")
pictures.set(xticks=[4.5, 34.5], xticklabels=["query", "nearest images"], yticks=[])
