"""
Digits in the plane, by six methods
===================================

Each method maps 64 pixels to the two coordinates of a point.  Half of the digits teach it, and the other half, which
it has not seen, is drawn.  PCA does not use the labels; the others learn from them.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

from metricnets import DDML, HRAML, LDA, NCA, EmbeddingNet

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.5, stratify=y, random_state=0)

# %%
# The defaults of the networks are made for 64 columns of unit norm.  In a plane ten classes need room, so the norm is
# free, and a random start is better than the default one: that is a linear map to as many columns as the embedding,
# and two linear coordinates have lost too much.  The margins, the scale and the number of epochs were chosen for this
# picture, not by cross-validation, so the scores of the networks are somewhat optimistic.

plane = dict(n_components=2, normalize=False, init="glorot", dropout=0.0, input_dropout=0.0, weight_decay=0.1)
methods = {
    "PCA": PCA(2),
    "LDA": LDA(n_components=2),
    "NCA": NCA(n_components=2, random_state=0),
    "HRAML": HRAML(scale=30.0, max_epochs=100, random_state=0, **plane),
    "DDML": DDML(margin=3.0, positive_fraction=1.0, max_epochs=100, random_state=0, **plane),
    "EmbeddingNet, triplet loss": EmbeddingNet(positive_fraction=1.0, max_epochs=100, random_state=0, **plane),
}

# %%
# The score in each title is the accuracy of five nearest neighbours in that plane, on the held-out digits.

plt.style.use("tableau-colorblind10")
figure, axes = plt.subplots(2, 3, figsize=(12, 8), layout="constrained")
for axis, (name, method) in zip(axes.flat, methods.items()):
    knn = KNeighborsClassifier().fit(method.fit_transform(X_train, y_train), y_train)
    Z = method.transform(X_test)
    for digit in range(10):
        axis.scatter(*Z[y_test == digit].T, s=40, marker=f"${digit}$", linewidths=0.3)
    axis.set(xticks=[], yticks=[], title=f"{name}: {knn.score(Z, y_test):.2f}")
    axis.set_aspect("equal", "datalim")
figure.suptitle("Held-out digits, and the accuracy of five nearest neighbours")

# %%
# The methods of the first row are linear, and the first two linear coordinates cannot part ten digits.  Of the
# networks, HRAML asks for the same distance between any two classes.  Only three points of a plane are at equal
# distances, so this is an aim for more columns; DDML and the triplet loss only ask that classes are far *enough*
# apart.
