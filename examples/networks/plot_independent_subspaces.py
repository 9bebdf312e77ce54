"""
Independent subspaces: patches that are shifted by pixels
=========================================================

Two patches of a photograph are similar here if one is the other moved by at most two pixels.  An edge that moves has
the other sign at many pixels, so linear metrics are of little use.  But the norm of the outputs of two filters of one
orientation changes little, and such filters are what independent subspace analysis finds.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_image

from metricnets import DNLML_ISA, GMML, PairsClassifier

image, size, n = load_sample_image("china.jpg").mean(axis=2), 10, 6000
windows = np.lib.stride_tricks.sliding_window_view(image, (size, size))
rng, similar = np.random.default_rng(0), np.arange(n) % 2 == 0
place = rng.integers(np.array(windows.shape[:2]) - 2, size=(n, 2))
other = np.where(similar[:, None], place + rng.integers(3, size=(n, 2)), rng.permutation(place))
pairs = np.stack([windows[tuple(rows.T)].reshape(n, -1) for rows in (place, other)], axis=1)
pairs -= pairs.mean(axis=2, keepdims=True)
pairs /= np.sqrt((pairs**2).mean(axis=2, keepdims=True) + 30)
y, half = np.where(similar, 1, -1), n // 2

# %%
# One layer, without the additions that help with faces: principal components of unit variance, 20 subspaces of two
# units, and no offset, so that a patch and its negative are the same.

isa = DNLML_ISA(init="pca", offset=0.0, skip=0.0, n_layers=1, n_units=40, lr=0.01, weight_decay=0.0, random_state=0)
isa.fit(pairs[:half], y[:half])
metrics = {"pixels": PairsClassifier().fit(pairs[:half], y[:half]), "GMML, linear": GMML().fit(pairs[:half], y[:half])}
scores = {name: metric.score(pairs[half:], y[half:]) for name, metric in (metrics | {"DNLML_ISA": isa}).items()}

# %%
# What a unit responds to is drawn as the covariance of the pixels and its output: the two of a subspace are one above
# the other, for the ten subspaces whose outputs vary most.

whitening, units = isa.module_[1], isa.module_[2][0][0]
X = pairs[:half, 0]
outputs = X @ (units.weight @ whitening.weight).numpy().T
norms = np.sqrt((outputs.reshape(half, -1, 2) ** 2).sum(axis=2))
patterns = (X.T @ outputs).T.reshape(-1, 2, size, size)[np.argsort(-norms.std(axis=0))[:10]]

figure, axes = plt.subplot_mosaic(
    [[f"{i}{j}" for j in range(10)] + ["score"] * 4 for i in range(2)], figsize=(12, 2.4), layout="constrained"
)
for j, subspace in enumerate(patterns):
    for i, pattern in enumerate(subspace):
        axes[f"{i}{j}"].imshow(pattern, cmap="gray", vmin=-abs(pattern).max(), vmax=abs(pattern).max())
        axes[f"{i}{j}"].axis("off")
bars = axes["score"].barh([*scores], [*scores.values()], color="#0072b2")
axes["score"].bar_label(bars, fmt="%.2f", padding=3)
axes["score"].set(xlim=(0.5, 1.0), xlabel="area under the ROC curve, new pairs")
