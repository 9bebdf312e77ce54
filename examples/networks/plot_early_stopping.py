"""
Training curves and early stopping
==================================

``history_`` keeps the loss of each epoch.  A network with few samples and without dropout soon fits its training samples
better than others; early stopping holds back a part of the samples, and keeps the weights of the best epoch on these.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from metricnets import DDML
from metricnets.displays import HistoryDisplay
from metricnets.metrics import map_at_r

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, train_size=300, stratify=y, random_state=0)

# %%
# The first network has no regularization at all, the second one has that of the defaults.

bare = dict(init="glorot", dropout=0.0, input_dropout=0.0, weight_decay=0.0)
networks = {"without regularization": bare, "with the defaults": {}}
figure, axes = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained", sharey=True)
for axis, (name, options) in zip(axes, networks.items()):
    ddml = DDML(max_epochs=150, early_stopping=True, validation_fraction=0.3, random_state=0, **options).fit(X_train, y_train)
    HistoryDisplay.from_estimator(ddml, ax=axis)
    axis.set_title(f"{name}: MAP@R {map_at_r(ddml.transform(X_test), y_test):.2f}")
