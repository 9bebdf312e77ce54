"""
Real targets: neighbours of similar value
=========================================

A metric for regression: samples are near if their *values* are near.  MLKR learns a linear map for kernel regression,
and HRAML aligns distances with differences of the target.  Five of these twenty features matter, in a formula with a
product, a square and a sine.
"""

import matplotlib.pyplot as plt
from sklearn.datasets import make_friedman1
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline

from metricnets import HRAML, MLKR

X, y = make_friedman1(1000, n_features=20, noise=0.5, random_state=0)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.5, random_state=0)

# %%
# All are followed by a regressor of the five nearest neighbours in two dimensions.  HRAML's defaults are for 64
# columns of unit norm; in a plane it starts at random weights, and the largest difference of targets may become a
# distance of 10.  These settings were chosen for this picture, not by cross-validation.

plain = dict(normalize=False, init="glorot", dropout=0.0, input_dropout=0.0, weight_decay=0.1)
methods = {
    "PCA": PCA(2),
    "MLKR": MLKR(n_components=2, random_state=0),
    "HRAML": HRAML(n_components=2, scale=100.0, max_epochs=100, random_state=0, **plain),
}
figure, axes = plt.subplots(1, 3, figsize=(12, 4), layout="constrained")
for axis, (name, method) in zip(axes, methods.items()):
    model = make_pipeline(method, KNeighborsRegressor()).fit(X_train, y_train)
    points = axis.scatter(*model[:-1].transform(X_test).T, c=y_test, s=18)
    score = f"{model.score(X_test, y_test):.2f}".replace("-", "−")
    axis.set(xticks=[], yticks=[], title=f"{name}: R² of five neighbours {score}")
figure.colorbar(points, ax=axes, label="target of held-out samples")

# %%
# Two linear directions cannot follow a product or a square, so MLKR does better without the limit of two columns,
# though it cannot be drawn then.

for name, method in {"all features": "passthrough", "MLKR with 20 columns": MLKR(tol=1e-4, random_state=0)}.items():
    score = make_pipeline(method, KNeighborsRegressor()).fit(X_train, y_train).score(X_test, y_test)
    print(f"{name}: R² {score:.2f}")
