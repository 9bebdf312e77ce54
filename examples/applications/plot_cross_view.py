"""
Retrieval across views: two halves of a digit
=============================================

The upper half of an image and its lower half are two views of one thing.  They have no pixel in common, so the
distance of pixels cannot match them: two networks embed both in one space, in which each half finds the other.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from metricnets import TwoViewNet
from metricnets.metrics import cmc

images = load_digits().images
upper, lower = images[:, :4].reshape(-1, 32), images[:, 4:].reshape(-1, 32)
X_train, X_test, Y_train, Y_test = train_test_split(upper, lower, test_size=300, random_state=0)

# %%
# Matched rows are all that is given, no classes.  Other rows of a batch are what an upper half should not find.

net = TwoViewNet(random_state=0).fit(X_train, Y_train)
z, z_y = net.transform(X_test, Y_test)

# %%
# How often is the other half among the first k of 300 halves of images that were not seen?

k, rows = [1, 2, 5, 10, 20, 50], np.arange(len(z))
figure, axis = plt.subplots(figsize=(6, 3.6), layout="constrained")
axis.plot(k, cmc(z, rows, z_y, rows, k=k), "o-", color="#0072B2", label="upper half finds lower half")
axis.plot(k, cmc(z_y, rows, z, rows, k=k), "s--", color="#D55E00", label="lower half finds upper half")
axis.plot(k, np.array(k) / len(z), ":", color="grey", label="chance")
axis.set(xlabel="k", ylabel="share of queries", ylim=(0, 1), title="The other half is among the first k")
axis.legend()

# %%
# The first column is the upper half of a digit with its own lower half; the others have the nearest lower halves.

nearest = np.linalg.norm(z[:5, None] - z_y, axis=2).argsort(axis=1)[:, :6]
figure, axes = plt.subplots(5, 7, figsize=(7, 5.2), layout="constrained")
for row, found in enumerate(nearest):
    for axis, i in zip(axes[row], [row, *found]):
        axis.imshow(np.r_[X_test[row].reshape(4, 8), Y_test[i].reshape(4, 8)], cmap="gray_r")
        axis.axhline(3.5, color="#D55E00")
        axis.set(xticks=[], yticks=[])
for axis, title in zip(axes[0], ["given", *(f"found {j}" for j in range(1, 7))]):
    axis.set_title(title)
