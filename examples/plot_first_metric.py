"""
A first metric
==============

Two features of wine before and after large margin nearest neighbor.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_wine
from sklearn.preprocessing import StandardScaler

from metricnets import LMNN

X, y = load_wine(return_X_y=True)
X = StandardScaler().fit_transform(X)
lmnn = LMNN(n_components=2, random_state=0).fit(X, y)

# %%
# The classes are apart in the embedding of :class:`~metricnets.LMNN`:

fig, axes = plt.subplots(1, 2, figsize=(8, 4), layout="constrained")
for ax, z, title in zip(axes, [X, lmnn.transform(X)], ["two features", "LMNN"]):
    ax.scatter(z[:, 0], z[:, 1], c=y, cmap="viridis")
    ax.set_title(title)
plt.show()
