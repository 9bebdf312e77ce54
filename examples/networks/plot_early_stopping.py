"""
Training curves and early stopping
==================================

``history_`` keeps the loss of each epoch.  With few samples, many useless features and some false labels, a network
soon learns its training samples by heart.  Early stopping holds back a part of them, and keeps the weights of the
epoch that was best on this part.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import make_classification
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

from metricnets import EmbeddingNet
from metricnets.displays import HistoryDisplay

X, y = make_classification(3000, n_features=50, n_informative=8, n_classes=3, flip_y=0.1, random_state=0)
X_train, X_test, y_train, y_test = train_test_split(X, y, train_size=500, stratify=y, random_state=0)

# %%
# One network has random weights and no regularization; the other one has dropout.  So that the whole curves can be
# seen, both wait for 60 epochs without improvement.

options = dict(loss="supcon", init="glorot", positive_fraction=1.0, early_stopping=True, validation_fraction=0.3)
options |= dict(n_iter_no_change=60, max_epochs=60, lr_schedule=None, lr=0.001, weight_decay=0.0, random_state=0)
figure, axes = plt.subplots(1, 2, figsize=(12, 4.2), layout="constrained", sharey=True)
for axis, dropout in zip(axes, [0.0, 0.5]):
    net = EmbeddingNet(dropout=dropout, input_dropout=dropout, **options).fit(X_train, y_train)
    HistoryDisplay.from_estimator(net, ax=axis)
    knn = KNeighborsClassifier(15).fit(net.transform(X_train), y_train)
    axis.set_title(f"dropout {dropout}: accuracy {knn.score(net.transform(X_test), y_test):.2f}")
axes[0].get_legend().remove()  # that of the other holds for both

# %%
# Without dropout the training loss falls and falls, while from some twenty epochs on the validation loss rises.  With
# dropout they do not part; the training loss is the larger one there, because it is measured with units dropped.
# Nearest neighbours in what early stopping kept are as good with either.
