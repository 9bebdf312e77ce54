"""
Duplicates among records of persons
===================================

Members of a household share their name and address, and persons who move keep neither.  So records that are near each
other need not be duplicates.  A metric learns what tells persons apart from pairs that it asks for.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.spatial.distance import pdist
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import average_precision_score, precision_recall_curve
from sklearn.pipeline import make_pipeline

from metricnets import DDMLPairs
from metricnets.active import query_pairs

rng = np.random.default_rng(0)
FIRST = ["Anna", "Ben", "Clara", "David", "Emma", "Frank", "Greta", "Henry", "Ida", "Jacob", "Karin", "Leon"]
LAST = ["Adams", "Baker", "Carter", "Dawson", "Ellis", "Fisher", "Garner", "Hughes", "Irving", "Jansen", "Keller"]


def record(first, last, born, house, street):
    """A record of a person, with swapped letters, an initial, another address and gaps."""
    i, moved = rng.integers(len(last) - 1), rng.random() < 0.25
    last = last[:i] + last[i + 1] + last[i] + last[i + 2 :] if rng.random() < 0.25 else last
    address = f"{rng.integers(99)} {rng.choice(LAST)} St." if moved else f"{house} {street} Street"
    values = first[0] + "." if rng.random() < 0.15 else first, last, born, address
    return [str(value) if rng.random() < 0.9 else "" for value in values]


homes = [(rng.choice(LAST), rng.integers(99), rng.choice(LAST), rng.permutation(FIRST)[:3]) for _ in range(160)]
born = iter("{} {} {}".format(*rng.integers([1, 1, 1940], [29, 13, 2010])) for _ in range(480))
people = [(first, last, next(born), *address) for last, *address, names in homes for first in names]
person = np.repeat(np.arange(480), rng.integers(1, 4, 480))
records = np.array([record(*people[i]) for i in person], dtype=object)
print(*records[:6].tolist(), sep="\n")

# %%
# Each field has columns of its own.  Pairs of half of the persons are labelled, a hundred in each of four rounds.

letters = make_pipeline(TfidfVectorizer(analyzer="char_wb", ngram_range=(1, 2)), TruncatedSVD(25, random_state=0))
known = person < 240
X = ColumnTransformer([(str(i), letters, i) for i in range(4)]).fit(records[known]).transform(records)
X, X_new, person, same = X[known], X[~known], person[known], pdist(person[~known, None]) == 0
axes = plt.subplots(figsize=(6, 4.5), layout="constrained")[1]
for strategy, color, style in ((None, "0.4", ":"), ("random", "#E69F00", "--"), ("uncertain", "#0072B2", "-")):
    metric, pairs = DDMLPairs(preprocessor=X, early_stopping=False, random_state=0), np.empty((0, 2), int)
    for asked in ("nearest", strategy, strategy, strategy) if strategy else ():
        new = query_pairs(metric if len(pairs) else None, X, strategy=asked, exclude=pairs, random_state=0)
        pairs = np.concatenate([pairs, new])
        metric.fit(pairs, np.where(person[pairs[:, 0]] == person[pairs[:, 1]], 1, -1))
    d = pdist(metric.transform(X_new) if strategy else X_new)
    label = f"{strategy or 'no metric'}, {average_precision_score(same, -d):.2f}"
    axes.plot(*precision_recall_curve(same, -d)[1::-1], style, color=color, label=label)
axes.set(xlabel="recall", ylabel="precision", title="Records of new persons")
axes.legend(title="pairs, average precision")
