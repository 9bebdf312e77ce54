"""
None of these: digits that were not in training
===============================================

A classifier of the digits 0 to 6 is shown a 7, 8 or 9.  ``OpenSetKNN`` answers -1 if a sample does not agree with any
class it knows.  Its threshold comes from the training digits alone, of which classes are held out in turn.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.metrics import RocCurveDisplay, roc_auc_score
from sklearn.model_selection import train_test_split

from metricnets import LDA, OpenSetKNN

X, y = load_digits(return_X_y=True)
is_known = y < 7
X_train, X_test, y_train, y_test = train_test_split(X[is_known], y[is_known], test_size=0.5, random_state=0)
X_test, y_test = np.concatenate([X_test, X[~is_known]]), np.concatenate([y_test, y[~is_known]])

# %%
# The score is large if a sample is near to training samples, and these agree on a class.  Two others for comparison:
# the distance alone, and the score in a metric that was learned from the known digits.

models = {
    "pixels": OpenSetKNN(),
    "pixels, distance alone": OpenSetKNN(novelty="distance", n_neighbors=1),
    "LDA": OpenSetKNN(metric=LDA(solver="eigen", shrinkage="auto")),
}
scores = {name: model.fit(X_train, y_train).score_samples(X_test) for name, model in models.items()}
known = y_test < 7
for name, score in scores.items():
    print(f"{name}: area under the curve {roc_auc_score(known, score):.3f}")

# %%
# Left: the scores of test digits, and the threshold.  Middle: the trade-off at all thresholds.  Right: the new digits
# that agree best with a known class, and which.

plt.style.use("tableau-colorblind10")
figure, axes = plt.subplots(1, 3, figsize=(11, 4), layout="constrained", width_ratios=[5, 5, 4])
model, score = models["pixels"], scores["pixels"]
predicted = model.predict(X_test)
bins = np.linspace(np.quantile(score, 0.002), score.max(), 50)
axes[0].hist([score[known], score[~known]], bins, histtype="step", linewidth=2, label=["0 to 6", "7, 8, 9"])
axes[0].axvline(model.offset_, color="black", linestyle="--", label="threshold")
axes[0].legend(loc="upper left")
axes[0].locator_params(axis="x", nbins=5)
right, rejected = (predicted == y_test)[known].mean(), (predicted == -1)[~known].mean()
axes[0].set(xlabel="score", title=f"{right:.0%} of 0 to 6 right, {rejected:.0%} of 7, 8, 9 rejected")
for (name, values), style in zip(scores.items(), ("-", "--", ":")):
    RocCurveDisplay.from_predictions(known, values, name=name, ax=axes[1], curve_kwargs={"linestyle": style})
axes[1].set(xlabel="new digits taken for known ones", ylabel="known digits accepted", title="")
mistaken = np.flatnonzero(~known)[np.argsort(-score[~known])[:9]]
tiles = np.pad(X_test[mistaken].reshape(3, 3, 8, 8), ((0, 0), (0, 0), (1, 1), (1, 1)))
axes[2].imshow(tiles.transpose(0, 2, 1, 3).reshape(30, 30), cmap="gray_r")
classes = ", ".join(map(str, model.set_params(rejection_rate=0).fit(X_train, y_train).predict(X_test[mistaken])))
axes[2].set(xticks=[], yticks=[], title=f"taken for {classes}")
