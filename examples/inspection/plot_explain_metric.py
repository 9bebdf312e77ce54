"""
Explaining a metric, and the distance of a pair
===============================================

The squared distance of a linear metric is a sum over the features, so that it can be said what makes two samples
different.  Here these are wines of three cultivars, described by thirteen measurements.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from metricnets import LMNN
from metricnets.displays import MetricImportanceDisplay

X, y = load_wine(return_X_y=True, as_frame=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=0.5, stratify=y, random_state=0)
metric = make_pipeline(StandardScaler(), LMNN()).fit(X_train, y_train)
knn = KNeighborsClassifier(3).fit(metric.transform(X_train), y_train)
print(f"accuracy on held-out wines: {knn.score(metric.transform(X_test), y_test):.2f}")

# %%
# The diagonal of the metric matrix M is the squared distance of two wines that differ in one feature alone, by one
# standard deviation.  For a pair, each contribution also depends on the differences in correlated features, and may
# be negative.

Z = metric.transform(X_test)
other = np.where(y_test.to_numpy() != y_test.iloc[0], np.linalg.norm(Z - Z[0], axis=1), np.inf).argmin()

figure, axes = plt.subplots(1, 2, figsize=(12, 4.6), layout="constrained")
MetricImportanceDisplay.from_estimator(metric, ax=axes[0])
axes[0].set_title("the metric")
MetricImportanceDisplay.from_estimator(metric, pair=X_test.iloc[[0, other]], ax=axes[1])
axes[1].set_title("a wine and the nearest of another cultivar")
