"""
Search with incomplete queries: an adapter for a fixed index
============================================================

The index holds whole images of digits, and stays as it is.  Queries show the upper half only, so that their distances
to the images are wrong.  Some queries whose image is known teach a linear map of queries.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.neighbors import NearestNeighbors

from metricnets import QueryAdapter

documents = load_digits().data[:900]
queries = documents * np.repeat([1, 0], 32)  # the lower four rows of pixels are missing
order = np.random.default_rng(0).permutation(len(documents))
train, test = order[:200], order[200:]

# %%
# ``fit`` takes queries, the document of each, and the other documents of the index, which are negatives.  The index
# itself, ``NearestNeighbors``, is fitted once.

index = NearestNeighbors(n_neighbors=10).fit(documents)
n_pairs = [20, 50, 100, 200]
adapters = [QueryAdapter().fit(queries[train[:n]], documents[train[:n]], documents=documents) for n in n_pairs]


def found(Z):
    """Numbers of the ten nearest images of each test query."""
    return index.kneighbors(Z, return_distance=False)


def recall(Z):
    """Share of the test queries whose image is among these."""
    return np.mean((found(Z) == test[:, None]).any(axis=1))


raw, recalls = recall(queries[test]), [recall(adapter.transform(queries[test])) for adapter in adapters]

# %%
# With 200 pairs most images are among the ten nearest ones.  Shown are eight of the queries, the nearest image before
# and after they are adapted, and the image that each is a part of.

plt.style.use("tableau-colorblind10")
figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
left.plot(n_pairs, recalls, "-o", label="adapted queries")
left.axhline(raw, ls="--", color="k", label="queries as they are")
left.set(xscale="log", xticks=n_pairs, xlabel="pairs", title="recall at 10 of the image, on other queries", ylim=(0, 1))
left.set_xticks(n_pairs, labels=n_pairs)
left.minorticks_off()
left.legend()
shown = test[:8]
nearest = [documents[found(Z)[:, 0]] for Z in (queries[shown], adapters[-1].transform(queries[shown]))]
tiles = np.stack([queries[shown], *nearest, documents[shown]]).reshape(4, 8, 8, 8)
tiles = np.pad(tiles, [(0, 0), (0, 0), (1, 1), (1, 1)])
right.imshow(tiles.transpose(0, 2, 1, 3).reshape(40, 80), cmap="gray_r")
right.set_xticks([])
right.set_yticks([4.5, 14.5, 24.5, 34.5], labels=["query", "nearest", "after adapting", "its image"])
