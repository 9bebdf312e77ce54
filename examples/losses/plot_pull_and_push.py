"""
Pull and push: what each loss does to the points
================================================

Training moves each embedding against the gradient of the loss.  Here are nine embeddings of three classes on the unit
circle, and for each loss of embeddings and a relation, where it wants them to go.
"""

import matplotlib.pyplot as plt
import torch

from metricnets import losses, relations

angle = torch.deg2rad(torch.tensor([72.0, 100, 290, 190, 215, 140, 318, 345, 250]))
y = torch.tensor([0, 0, 0, 1, 1, 1, 2, 2, 2])  # the last point of each class has strayed
z = torch.stack([angle.cos(), angle.sin()], dim=1)
r = relations.same_class(y, y).fill_diagonal_(torch.nan)

# %%
# A loss is a function of the embeddings ``z`` and the relation ``r``, which is 1 for similar pairs, 0 for dissimilar
# ones, and NaN on the diagonal, since no point is compared with itself.  PyTorch has the gradient.  Left out are the
# losses of two views, and those that own parameters, such as proxies.

names = sorted(set(losses.__all__) - {"grid", "info_nce", "siglip", "vicreg"})
names = [name for name in names if name.islower()]


def step(name):
    """The negative gradient, scaled so that the longest arrow has length 0.8."""
    free = z.clone().requires_grad_()
    getattr(losses, name)(free, r).backward()
    return -0.8 * free.grad / free.grad.norm(dim=1).max()


figure, axes = plt.subplots(4, 6, figsize=(14, 10), layout="constrained")
for axis, name in zip(axes.flat, names):
    axis.add_patch(plt.Circle((0, 0), 1, fill=False, color="0.85"))
    for label, (color, marker) in enumerate([("#0072B2", "o"), ("#E69F00", "^"), ("#009E73", "s")]):
        own = y == label
        axis.quiver(*z[own].T, *step(name)[own].T, color=color, width=0.02, scale=1, angles="xy", scale_units="xy")
        axis.scatter(*z[own].T, color=color, marker=marker, s=60, edgecolor="black", linewidths=0.5, zorder=3)
    axis.set(xlim=(-1.7, 1.7), ylim=(-1.7, 1.7), title=name)
    axis.set_aspect("equal")
    axis.set_axis_off()

# %%
# Losses of cosines, such as ``supcon`` and ``circle``, move points along the circle.  Those of Euclidean distances,
# such as ``triplet`` and ``contrastive``, take the straight way through it, and the network scales its embeddings
# back to unit norm.  ``smooth_ap`` and ``recall_at_k`` look at ranks only, so points whose order of neighbours is not
# about to change stay where they are.  The default margin of ``logistic_pair`` suits embeddings of any norm; for this
# circle it is too large, and pushes outwards.  The arrows of a panel share a scale, those of different panels do not.
