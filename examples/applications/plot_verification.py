"""
Verification: are these two the same digit?
===========================================

A pair of images is accepted if its distance is below a threshold.  A first part of the digits teaches the metric,
pairs of a second part give the threshold and the probabilities, and pairs of a third part are the test.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.calibration import CalibrationDisplay
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from metricnets import DDML, LDA, PairsClassifier
from metricnets.displays import PairDistancesDisplay, VerificationDisplay

X, y = load_digits(return_X_y=True)
X_train, X_rest, y_train, y_rest = train_test_split(X, y, train_size=1 / 3, stratify=y, random_state=0)


def draw_pairs(X, y, rng, n=2000):
    """Pairs of rows, half of them similar (1), the others not (-1)."""
    rows = rng.integers(len(X), size=(40 * n, 2))
    rows = rows[rows[:, 0] != rows[:, 1]]
    same = y[rows[:, 0]] == y[rows[:, 1]]
    rows = np.vstack([rows[same][: n // 2], rows[~same][: n // 2]])
    return X[rows], np.repeat([1, -1], n // 2)


rng = np.random.default_rng(0)
pairs_valid, same_valid = draw_pairs(X_rest[::2], y_rest[::2], rng)
pairs_test, same_test = draw_pairs(X_rest[1::2], y_rest[1::2], rng)

# %%
# ``PairsClassifier`` chooses the threshold.  Its probabilities are those of a logistic regression on the distance, for
# pairs of which half are similar.

ddml = DDML(random_state=0).fit(X_train, y_train)
classifier = PairsClassifier(ddml).fit(pairs_valid, same_valid)
probability = classifier.predict_proba(pairs_test)[:, 1]

# %%
# Left: the distances of the test pairs, and the threshold.  Middle: both kinds of errors at all thresholds.  Right:
# of the pairs with a probability of 0.8, are eight in ten similar?

plt.style.use("tableau-colorblind10")
figure, axes = plt.subplots(1, 3, figsize=(14, 4.8), layout="constrained")
PairDistancesDisplay.from_estimator(classifier, pairs_test, same_test, ax=axes[0])
axes[0].legend(loc="upper left")
axes[0].set_ylim(0, 0.19)
accuracy = (classifier.predict(pairs_test) == same_test).mean()
axes[0].set_title(f"DDML: {accuracy:.1%} of the pairs are right")
for metric, name in [(None, "pixels"), (LDA().fit(X_train, y_train), "LDA"), (ddml, "DDML")]:
    VerificationDisplay.from_estimator(metric, pairs_test, same_test, name=name, ax=axes[1], kind="det")
CalibrationDisplay.from_predictions(same_test == 1, probability, ax=axes[2], name="predict_proba")
axes[2].set(xlabel="predicted probability of similar", ylabel="share that is similar")
