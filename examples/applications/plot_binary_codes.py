"""
Binary codes: retrieval by a few bits
=====================================

A code of 32 bits takes four bytes, where the pixels of a digit take 64 numbers.  Two thirds of the digits teach the
codes and are the database; the others are queries.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from metricnets import DeepHashing, HammingNeighbors, SupervisedDeepHashing
from metricnets.metrics import hamming_scores, mean_average_precision

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, test_size=1 / 3, stratify=y, random_state=0)

# %%
# Mean average precision of codes is computed for ties in random order.  Without labels the neighbours of a digit teach
# its code; ``scatter=0`` leaves them out.

bits = [4, 8, 16, 32]
methods = {
    "DeepHashing(scatter=0)": DeepHashing(scatter=0.0, max_epochs=10, random_state=0),
    "DeepHashing": DeepHashing(max_epochs=10, random_state=0),
    "SupervisedDeepHashing": SupervisedDeepHashing(max_epochs=10, random_state=0),
}
scores = {name: [] for name in methods}
for name, hashing in methods.items():
    for n_bits in bits:
        hashing.set_params(n_components=n_bits).fit(X_train, y_train)
        found = hamming_scores(hashing.transform(X_test), y_test, hashing.transform(X_train), y_train)
        scores[name].append(found["mean_average_precision"])
pixels = mean_average_precision(X_test, y_test, X_train, y_train)

# %%
# The nearest codes of one query of each digit, by ``DeepHashing`` with 32 bits: the query on black, and frames around
# other digits.

queries = [np.flatnonzero(y_test == digit)[1] for digit in range(10)]
encode = methods["DeepHashing"].transform
_, rows = HammingNeighbors(n_neighbors=8).fit(encode(X_train)).kneighbors(encode(X_test[queries]))
tiles = np.concatenate([X_test[queries][:, None], X_train[rows]], axis=1).reshape(10, 9, 8, 8)
tiles = np.pad(tiles, ((0, 0), (0, 0), (1, 1), (1, 1)))
tiles[:, 0] = 16 - tiles[:, 0]

plt.style.use("tableau-colorblind10")
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.8), layout="constrained")
for (name, values), marker in zip(scores.items(), "os^"):
    left.plot(bits, values, marker=marker, label=name)
left.axhline(pixels, color="0.4", ls="--", label="pixels")
left.set(xscale="log", xticks=bits, xticklabels=bits, xlabel="bits", ylabel="mean average precision", ylim=(0, 1))
left.minorticks_off()
left.legend(loc="lower right")
right.imshow(tiles.transpose(0, 2, 1, 3).reshape(100, 90), cmap="gray_r")
for i, j in np.argwhere(y_train[rows] != y_test[queries][:, None]):
    right.add_patch(plt.Rectangle((10 * j + 10, 10 * i), 9, 9, fill=False, color="#D55E00", lw=2))
right.set(xticks=[], yticks=[], title="DeepHashing, 32 bits")
