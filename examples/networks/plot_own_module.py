"""
Your own network: a convolutional net on images
===============================================

``module`` takes any ``torch.nn.Module`` that turns a batch of points into embeddings.  Points may then be images:
here of 8 × 8 pixels, and a network of two convolutions maps each of them to a place in the plane.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from torch import nn

from metricnets import EmbeddingNet

X, y = load_digits(return_X_y=True)
images = X.reshape(-1, 1, 8, 8) / 16
X_train, X_test, y_train, y_test = train_test_split(images, y, test_size=0.5, stratify=y, random_state=0)

# %%
# A function that builds the network makes a new one for each fit, with weights from ``random_state``.


def small_convnet():
    """Two convolutions, each followed by a maximum over 2 × 2 pixels, and a linear layer."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(128, 2),
    )


net = EmbeddingNet(module=small_convnet, normalize=False, positive_fraction=1.0, max_epochs=60, random_state=0)
net.fit(X_train, y_train)
points = net.transform(X_test)
score = KNeighborsClassifier().fit(net.transform(X_train), y_train).score(points, y_test)

# %%
# On the left are the filters of the first convolution, on the right held-out digits, each at its place.

figure, axes = plt.subplots(1, 2, figsize=(11, 8.6), layout="constrained", width_ratios=[1, 5])
filters = next(net.module_.parameters()).numpy(force=True).reshape(8, 2, 3, 3)
filters = np.pad(filters, ((0, 0), (0, 0), (0, 1), (0, 1)), constant_values=np.nan)
axes[0].imshow(filters.transpose(0, 2, 1, 3).reshape(32, 8), cmap="gray")
axes[0].set_title("filters of 3 × 3 pixels")
axes[0].set_axis_off()
size = np.ptp(points, axis=0).max() / 90
for (x1, x2), image in zip(points, np.ma.masked_less(X_test[:, 0], 0.2)):
    axes[1].imshow(image, extent=(x1 - size, x1 + size, x2 - size, x2 + size), cmap="gray_r", vmin=0)
axes[1].set(xticks=[], yticks=[])
axes[1].set_xlim(points[:, 0].min() - size, points[:, 0].max() + size)
axes[1].set_ylim(points[:, 1].min() - size, points[:, 1].max() + size)
axes[1].set_title(f"held-out digits: accuracy of five nearest neighbours {score:.2f}")
