"""
Relative judgements: which of two colours is nearer to a third
==============================================================

People can say which of two colours is more like a third.  Here such judgements are made up: the nearer one in CIELAB,
where distances are about those perceived, and one in ten is wrong.  The learners see hue, saturation and value.
"""

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import hsv_to_rgb

from metricnets import SCML, TripletsNet


def lab(hsv):
    """Colours in CIELAB, from hue, saturation and value in [0, 1]."""
    rgb = hsv_to_rgb(hsv)
    linear = np.where(rgb > 0.04045, ((rgb + 0.055) / 1.055) ** 2.4, rgb / 12.92)
    x, y, z = np.array([[0.434, 0.376, 0.190], [0.213, 0.715, 0.072], [0.018, 0.110, 0.872]]) @ linear.T
    x, y, z = np.where(np.array([x, y, z]) > 0.008856, np.cbrt([x, y, z]), 7.787 * np.array([x, y, z]) + 16 / 116)
    return np.column_stack([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def judgements(colours, n, wrong, rng):
    """Triplets of colours, the first of which is nearer to the second than to the third, except for wrong ones."""
    triplets = rng.integers(len(colours), size=(n, 3))
    a, b, c = lab(colours)[triplets.T]
    swap = (np.linalg.norm(a - b, axis=1) > np.linalg.norm(a - c, axis=1)) ^ (rng.random(n) < wrong)
    return np.where(swap[:, None], triplets[:, [0, 2, 1]], triplets)


# %%
# Colours to learn from, and others to judge by: the share of right triplets for growing numbers of judgements.  Linear
# metrics cannot bend the hues to a circle.  With three features, dropout would take too much away.

rng = np.random.default_rng(0)
colours, new = rng.random((400, 3)), rng.random((400, 3))
triplets, new_triplets = judgements(colours, 4000, 0.1, rng), judgements(new, 4000, 0.0, rng)
a, b, c = new[new_triplets.T]
raw = np.mean(np.linalg.norm(a - b, axis=1) < np.linalg.norm(a - c, axis=1))
numbers, scores = [100, 400, 1000, 4000], {"TripletsNet": [], "SCML": []}
params = {"dropout": 0.0, "input_dropout": 0.0, "weight_decay": 0.1, "preprocessor": colours, "random_state": 0}
for n in numbers:
    net = TripletsNet(**params)
    for name, learner in {"TripletsNet": net, "SCML": SCML(preprocessor=colours, random_state=0)}.items():
        scores[name].append(learner.fit(triplets[:n]).score(new[new_triplets]))

# %%
# On the right, new colours as the network, trained with all judgements, embeds them: the first two principal axes.

figure, axes = plt.subplots(1, 2, figsize=(10, 4.4), layout="constrained")
for (name, values), marker in zip(scores.items(), "os"):
    axes[0].semilogx(numbers, values, marker=marker, label=name)
axes[0].axhline(raw, color="gray", linestyle="--", label="Euclidean distance")
axes[0].set(xlabel="judgements", ylabel="share of right new triplets")
axes[0].legend()
z = net.transform(new) - net.transform(new).mean(axis=0)
axes[1].scatter(*(z @ np.linalg.svd(z, full_matrices=False)[2][:2].T).T, c=hsv_to_rgb(new), s=60)
axes[1].set(title="colours in the learned space", aspect="equal", adjustable="datalim", xticks=[], yticks=[])
