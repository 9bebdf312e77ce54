"""
Your own network: a convolutional net on images
===============================================

``module`` takes any ``torch.nn.Module`` that turns a batch of points into embeddings.  Points may then be images: here of 8 × 8
pixels, and a network of two convolutions.  What the first one looks for can be seen.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.manifold import TSNE
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
        nn.Linear(128, 32),
    )


net = EmbeddingNet(module=small_convnet, loss="supcon", positive_fraction=1.0, random_state=0).fit(X_train, y_train)
knn = KNeighborsClassifier().fit(net.transform(X_train), y_train)
score = knn.score(net.transform(X_test), y_test)

# %%
# t-SNE draws the neighbourhoods of the 32 columns in a plane: each held-out image is at its place.

points = TSNE(random_state=0).fit_transform(net.transform(X_test))
low, high = points.min(axis=0) - 3, points.max(axis=0) + 3
figure, axes = plt.subplots(1, 2, figsize=(13, 7.6), layout="constrained", width_ratios=[1, 4])
filters = net.module_[0].weight.numpy(force=True).reshape(8, 2, 3, 3)
filters = np.pad(filters, ((0, 0), (0, 0), (0, 1), (0, 1)), constant_values=np.nan)
axes[0].imshow(filters.transpose(0, 2, 1, 3).reshape(32, 8), cmap="gray")
axes[0].set_title("filters of 3 × 3 pixels")
axes[0].set_axis_off()
for (x1, x2), image in zip(points, X_test[:, 0]):
    axes[1].imshow(np.ma.masked_less(image, 0.2), extent=(x1 - 2, x1 + 2, x2 - 2, x2 + 2), cmap="gray_r", vmin=0)
axes[1].set(xticks=[], yticks=[], xlim=(low[0], high[0]), ylim=(low[1], high[1]))
axes[1].set_title(f"held-out digits: accuracy of five nearest neighbours {score:.3f}")
