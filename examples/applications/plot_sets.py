"""
Sets: several views of an object, one class
===========================================

An object is often seen more than once, such as in the frames of a video.  Here it is a handwritten digit, and its set
has eight noisy views of it, shifted by up to a pixel.  Which class does a new set belong to?
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from metricnets import MMDML, NearestSet

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, train_size=60, test_size=200, stratify=y, random_state=0)
rng, N_VIEWS = np.random.default_rng(0), 8


def views(X, y):
    """Rows, classes and sets: shifted views of each image, with noise."""
    shifts = rng.integers(-1, 2, size=(len(X), N_VIEWS, 2))
    images = [np.roll(image.reshape(8, 8), shift, axis=(0, 1)) for image, rows in zip(X, shifts) for shift in rows]
    rows = np.array(images).reshape(-1, 64) + rng.normal(scale=4, size=(len(X) * N_VIEWS, 64))
    return rows, np.repeat(y, N_VIEWS), np.repeat(np.arange(len(X)), N_VIEWS)


V_train, c_train, sets_train = views(X_train, y_train)
V_test, c_test, sets_test = views(X_test, y_test)

# %%
# ``groups`` says which rows form a set.  ``NearestSet`` compares sets by a distance between them, and MMDML learns a
# network for each class, through which a new set is compared with the training points of the class.

models = {
    "nearest view": NearestSet(),
    "mean nearest view": NearestSet(distance="mean_nearest"),
    "MMDML": MMDML(random_state=0),
}
numbers, accuracy = [1, 2, 4, 8], {}
for name, model in models.items():
    model.fit(V_train, c_train, groups=sets_train)
    parts = [np.arange(len(V_test)) % N_VIEWS < n for n in numbers]
    accuracy[name] = [model.score(V_test[part], c_test[part], groups=sets_test[part]) for part in parts]

# %%
# Left: the views of three sets.  Right: how many of the new sets are recognised, by the number of their views.

plt.style.use("tableau-colorblind10")
figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained", width_ratios=[1.2, 1])
shown = [np.flatnonzero(y_test == digit)[0] for digit in (0, 3, 6)]
axes[0].imshow(np.vstack([np.hstack(V_test[sets_test == s].reshape(-1, 8, 8)) for s in shown]), cmap="gray_r")
axes[0].set(title="views of a 0, a 3 and a 6", xticks=[], yticks=[])
for (name, scores), marker in zip(accuracy.items(), "os^"):
    axes[1].plot(numbers, scores, marker=marker, label=name)
axes[1].set(xlabel="views in a new set", ylabel="share of sets that are right", xticks=numbers)
axes[1].legend()
